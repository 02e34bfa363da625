package decide

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"quintet/internal/stream"
)

// benchMessages are n records as `quintet bench decide` makes them: 50 actions with
// their probabilities, and ten features.
func benchMessages(b *testing.B, n int) []stream.Message {
	b.Helper()
	var candidates []string
	for offer := range 10 {
		for _, channel := range []string{"onsite", "email", "push", "sms", "app"} {
			candidates = append(candidates, fmt.Sprintf("offer-%03d/%s/default", offer, channel))
		}
	}
	out := make([]stream.Message, n)
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range out {
		at := now.Add(time.Duration(i/20) * time.Millisecond)
		rec := &Record{
			DecisionID: newDecisionID(at), DecidedAt: at, SendAt: at, Decision: "bench", PointVersion: 1, Class: "service",
			ProfileID: fmt.Sprintf("%032x", rand.Uint64()), Group: GroupTreated, Eligible: true, Action: candidates[i%50],
			Offer: fmt.Sprintf("offer-%03d", i%10), Channel: "email", Creative: "default", ContactCost: 0.01,
			Propensity: rand.Float64(), Propensities: Propensities{What: rand.Float64(), Where: rand.Float64(), When: 1, How: 1},
			Policy: "bandit", ModelVersion: 3, Draw: rand.Float64(), Candidates: candidates, Source: "key-1",
			Context: map[string]any{"device": "mobile", "hour": 7.0, "page": "home"},
			Traits: map[string]any{"segment0": "v1", "segment1": "v2", "segment2": "v3", "segment3": "v0",
				"segment4": "v1", "segment5": "v2", "segment6": "v5"},
		}
		for range candidates {
			rec.Probabilities = append(rec.Probabilities, rand.Float64()*rand.Float64())
		}
		for f := range uint32(10) {
			rec.FeatureIndex, rec.FeatureValue = append(rec.FeatureIndex, f*6), append(rec.FeatureValue, 1)
		}
		data, err := encodeRecord(rec)
		if err != nil {
			b.Fatal(err)
		}
		out[i] = stream.Message{Sequence: uint64(i/5 + 1), Index: i % 5, Time: at, Data: data}
	}
	return out
}

// BenchmarkStore measures what a stored decision costs the processors, in Go and in
// ClickHouse's own threads.
func BenchmarkStore(b *testing.B) {
	for _, rows := range []int{2000, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			w := newWorld(b, worldOptions{noSink: true})
			messages := benchMessages(b, rows)
			b.SetBytes(int64(len(messages[0].Data)))
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime(b)
			for i := range uint64(b.N) {
				for _, m := range messages {
					copy(m.Data[len("v#0123456789"):], fmt.Sprintf("%06d", i)) // into the decision's id
				}
				batch := stream.Batch{Topic: Topic, Epoch: "bench", From: i*uint64(rows) + 1, To: (i + 1) * uint64(rows), Messages: messages}
				if err := w.store(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			stored := float64(b.N * rows)
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/stored, "processor-µs/row")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/stored, "µs/row")
			var size, parts uint64
			if err := w.db.Read.QueryRow(context.Background(), "SELECT sum(bytes_on_disk), count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'decisions'").Scan(&size, &parts); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(size)/stored, "disk-B/row")
			b.ReportMetric(float64(parts), "parts")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
