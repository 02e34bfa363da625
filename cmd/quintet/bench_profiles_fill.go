package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/internal/client"
)

// heapInUse is the memory of the heap that is reachable, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func benchPerson(i int) string { return fmt.Sprintf("person-%07d", i) }

// fillProfiles sends one identify of each person and then events, spread evenly,
// in batches of 100 through the API.
func fillProfiles(ctx context.Context, b *benchService, people, events int) error {
	heading(fmt.Sprintf("profiles: %d people, %d events, %d processors", people, events, runtime.GOMAXPROCS(0)))
	const size = 100
	calls := (people + events + size - 1) / size
	started := time.Now()
	now := started.UTC()
	var next atomic.Int64
	errs := make(chan error, 16)
	for range cap(errs) {
		go func() {
			for {
				call := int(next.Add(1)) - 1
				if call >= calls {
					errs <- nil
					return
				}
				if err := b.client.Post(ctx, "/v1/batch", map[string]any{"batch": fillBatch(now, call*size, min(size, people+events-call*size), people)}, nil); err != nil {
					errs <- fmt.Errorf("sending batch %d: %w", call, err)
					return
				}
			}
		}()
	}
	var err error
	for range cap(errs) {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	if err := b.app.profiles.Flush(ctx); err != nil {
		return fmt.Errorf("waiting for the stores: %w", err)
	}
	took := time.Since(started)
	fmt.Printf("loaded and stored in                    %.1f s (%.0f messages/s)\n", took.Seconds(), float64(people+events)/took.Seconds())
	return nil
}

func fillBatch(now time.Time, first, count, people int) []client.Message {
	messages := make([]client.Message, count)
	for i := range messages {
		n := first + i
		person := n % people
		m := client.Message{MessageID: fmt.Sprintf("fill-%d", n), UserID: benchPerson(person)}
		// Spread over 60 days, the same for each run but for its beginning.
		at := now.Add(-time.Duration(n*7919%(60*24*3600)) * time.Second)
		m.Timestamp = &at
		if n < people {
			m.Type = "identify"
			m.Traits = map[string]any{"name": fmt.Sprintf("Person %d", person), "age": 18 + person%60, "city": []string{"London", "Berlin", "Paris", "Oslo"}[person%4], "plan": []string{"free", "silver", "gold"}[person%3]}
		} else {
			m.Type, m.Event = "track", []string{"Product Viewed", "Product Viewed", "Product Added", "Order Completed"}[n/people%4]
			m.Properties = map[string]any{"product_id": fmt.Sprintf("sku-%04d", n%2000), "price": 19.9, "revenue": float64(n % 200)}
		}
		messages[i] = m
	}
	return messages
}

// fillDecisions logs decisions about the people, in calls of 1000.
func fillDecisions(ctx context.Context, b *benchService, people, decisions int) error {
	if decisions == 0 {
		return nil
	}
	for path, body := range map[string]map[string]any{
		"/v1/channels/onsite": {"kind": "onsite", "active": true}, "/v1/offers/spring": {"kind": "message", "active": true},
	} {
		if err := b.client.Put(ctx, path, body, nil); err != nil {
			return fmt.Errorf("preparing decisions: %w", err)
		}
	}
	if err := b.client.Put(ctx, "/v1/decision-points/"+benchPoint, map[string]any{
		"class": "advertising", "offers": []string{"spring"}, "channels": []string{"onsite"}, "policy": map[string]any{"type": "uniform"},
	}, nil); err != nil {
		return fmt.Errorf("preparing decisions: %w", err)
	}
	const size = 1000
	for from := 0; from < decisions; from += size {
		list := make([]map[string]any, min(size, decisions-from))
		for i := range list {
			at := time.Now().Add(-time.Duration((from+i)*7919%(60*24*3600)) * time.Second)
			id, err := ulid.New(ulid.Timestamp(at), ulid.DefaultEntropy())
			if err != nil {
				return fmt.Errorf("making the id of a decision: %w", err)
			}
			list[i] = map[string]any{
				"decisionId": id.String(), "decision": benchPoint, "user": map[string]string{"userId": benchPerson((from + i) % people)}, "decidedAt": at,
				"action": "spring/onsite/default", "candidates": []string{"none", "spring/onsite/default"}, "probabilities": []float64{0.5, 0.5},
			}
		}
		if err := b.client.Post(ctx, "/v1/decisions", map[string]any{"decisions": list}, nil); err != nil {
			return fmt.Errorf("logging decisions from %d on: %w", from, err)
		}
	}
	if err := b.app.decide.Flush(ctx); err != nil {
		return fmt.Errorf("storing decisions: %w", err)
	}
	return nil
}

// tellMemory prints the memory of the whole service, which runs in this process: of the
// heap what is reachable, beyond that of an empty service; of the process what the
// system counts, ClickHouse's and the freed included, Postgres' not.
func tellMemory(when string, empty uint64, people int) {
	heap := heapInUse()
	fmt.Printf("%-39s live heap %.0f MB, %.0f bytes per profile", when, float64(heap)/1e6, (float64(heap)-float64(empty))/float64(people))
	if resident := residentMemory(); resident > 0 {
		fmt.Printf("; resident %.0f MB, %.0f bytes per profile", float64(resident)/1e6, float64(resident)/float64(people))
	}
	fmt.Println()
}

// residentMemory is what the process has in memory, in bytes; 0 where the system does
// not tell.
func residentMemory() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
