package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"quintet/internal/client"
)

// ledger is what the service acknowledged, to be compared with what it holds.
type ledger struct {
	mu        sync.Mutex
	decisions []string
	messages  []string
	fallbacks int
	next      atomic.Int64 // number of the next call: nothing is sent twice
}

// acknowledged is the number of records that were acknowledged.
func (l *ledger) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.decisions) + len(l.messages)
}

const (
	ledgerPeople = 300
	ledgerBatch  = 20 // messages of a batch
)

// call makes one call to the service, of a kind that depends on its number, and
// writes down what was acknowledged.
func (l *ledger) call(ctx context.Context, c *client.Client) error {
	n := int(l.next.Add(1))
	message := func(i int) client.Message {
		m := client.Message{MessageID: fmt.Sprintf("m-%d-%d", n, i), UserID: fmt.Sprint("u", (n*7+i)%ledgerPeople)}
		if i%5 == 4 {
			m.Type, m.Traits = "identify", map[string]any{"plan": "paid", "email": m.UserID + "@example.com"}
		} else {
			m.Type, m.Event, m.Properties = "track", "Order Completed", map[string]any{"margin": float64(n % 50)}
		}
		return m
	}
	switch {
	case n%50 == 0:
		batch := make([]client.Message, ledgerBatch)
		for i := range batch {
			batch[i] = message(i)
		}
		result, err := c.Batch(ctx, batch, client.Once())
		if err != nil {
			return err
		}
		if result.Accepted != len(batch) {
			return fmt.Errorf("%d of %d messages accepted: %v", result.Accepted, len(batch), result.Rejected)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, m := range batch {
			l.messages = append(l.messages, m.MessageID)
		}
	case n%2 == 0:
		m := message(0)
		if err := c.Post(ctx, "/v1/track", m, nil, client.Once()); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.messages = append(l.messages, m.MessageID)
	default:
		var d struct {
			DecisionID string `json:"decisionId"`
			Fallback   bool   `json:"fallback"`
		}
		body := map[string]any{"decision": "hero", "user": map[string]any{"userId": fmt.Sprint("u", n%ledgerPeople)}, "context": map[string]any{"device": "mobile"}}
		if err := c.Post(ctx, "/v1/decide", body, &d, client.Once()); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if d.Fallback {
			l.fallbacks++
		} else {
			l.decisions = append(l.decisions, d.DecisionID)
		}
	}
	return nil
}

// calls makes a number of calls from several workers, until one fails.
func (l *ledger) calls(ctx context.Context, c *client.Client, number int) error {
	const workers = 16
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var started atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for started.Add(1) <= int64(number) && ctx.Err() == nil {
				// The others finish what they began: an answer may be under way.
				if err := l.call(context.WithoutCancel(ctx), c); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// log reads the log and profiles of a service.
type log struct {
	rows     func(query string) []string // of ClickHouse, one column
	profiles func() map[string]int       // events by profile in Postgres
}

// The questions that check asks of ClickHouse. Rows are counted as they are
// stored, before ClickHouse has merged any of them.
const (
	storedDecisions = "SELECT decision_id FROM decisions"
	storedMessages  = "SELECT message_id FROM events"
	storedPeople    = "SELECT concat(profile_id, ' ', toString(count())) FROM events GROUP BY profile_id"
)

var ledgerQueries = []string{storedDecisions, storedMessages, storedPeople}

// check compares: everything acknowledged is there, nothing is there twice, and
// with exact nothing else is.
func (l *ledger) check(t *testing.T, in log, exact bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range []struct {
		what, query string
		want        []string
	}{
		{"decisions", storedDecisions, l.decisions},
		{"messages", storedMessages, l.messages},
	} {
		stored := make(map[string]int)
		for _, id := range in.rows(c.query) {
			if stored[id]++; stored[id] == 2 {
				t.Errorf("%s: %s is stored twice", c.what, id)
			}
		}
		lost := 0
		for _, id := range c.want {
			if stored[id] == 0 {
				if lost++; lost < 5 {
					t.Errorf("%s: %s was acknowledged and is lost", c.what, id)
				}
			}
		}
		if exact && len(stored) != len(c.want) {
			t.Errorf("%d %s are stored, %d were acknowledged", len(stored), c.what, len(c.want))
		}
		t.Logf("%d %s acknowledged, %d stored, %d lost", len(c.want), c.what, len(stored), lost)
		if len(c.want) == 0 {
			t.Errorf("no %s were acknowledged: nothing was tested", c.what)
		}
	}
	profiles, people := in.profiles(), 0
	for _, row := range in.rows(storedPeople) {
		id, count, _ := strings.Cut(row, " ")
		if n, err := strconv.Atoi(count); err != nil || n != profiles[id] {
			t.Errorf("profile %s has %s events in ClickHouse, %d in Postgres", id, count, profiles[id])
		}
		people++
	}
	if people == 0 || people != len(profiles) {
		t.Errorf("%d people have events, %d profiles are in Postgres", people, len(profiles))
	}
}

// reading is the log of a service in this process.
func (r *resident) reading() log {
	return log{
		rows: func(query string) (out []string) {
			r.t.Helper()
			found, err := r.app.engines.ClickHouse.Read.Query(r.t.Context(), query)
			if err != nil {
				r.t.Fatalf("%s: %v", query, err)
			}
			defer found.Close()
			for found.Next() {
				var row string
				if err := found.Scan(&row); err != nil {
					r.t.Fatal(err)
				}
				out = append(out, row)
			}
			if err := found.Err(); err != nil {
				r.t.Fatal(err)
			}
			return out
		},
		profiles: func() map[string]int { return profileEvents(r.t, r.cfg.PostgresURL) },
	}
}
