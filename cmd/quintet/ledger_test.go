package main

import (
	"context"
	"fmt"
	"slices"
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
	// What got no answer may be stored or not, and so may a decision that fell back while its record was on its way.
	doubtfulDecisions int
	doubtfulMessages  []client.Message
	next              atomic.Int64 // number of the next call: nothing is sent twice
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
			return l.doubt(err, 0, batch...)
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
			return l.doubt(err, 0, m)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.messages = append(l.messages, m.MessageID)
	default:
		var d struct {
			DecisionID string `json:"decisionId"`
			Fallback   bool   `json:"fallback"`
			Reason     string `json:"reason"`
		}
		body := map[string]any{"decision": "hero", "user": map[string]any{"userId": fmt.Sprint("u", n%ledgerPeople)}, "context": map[string]any{"device": "mobile"}}
		if err := c.Post(ctx, "/v1/decide", body, &d, client.Once()); err != nil {
			return l.doubt(err, 1)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if d.Fallback {
			l.fallbacks++
			if d.Reason == "deadline-exceeded" || d.Reason == "stream-unavailable" {
				l.doubtfulDecisions++
			}
		} else {
			l.decisions = append(l.decisions, d.DecisionID)
		}
	}
	return nil
}

// doubt keeps what an error leaves open, and returns the error.
func (l *ledger) doubt(err error, decisions int, messages ...client.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubtfulDecisions += decisions
	l.doubtfulMessages = append(l.doubtfulMessages, messages...)
	return err
}

// resend sends again, as a client does, every message that got no answer.
func (l *ledger) resend(ctx context.Context, c *client.Client) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for batch := range slices.Chunk(l.doubtfulMessages, 100) {
		if _, err := c.Batch(ctx, batch); err != nil {
			return err
		}
		for _, m := range batch {
			l.messages = append(l.messages, m.MessageID)
		}
	}
	l.doubtfulMessages = nil
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
// nothing else is but what got no answer.
func (l *ledger) check(t *testing.T, in log) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range []struct {
		what, query string
		want        []string
		doubtful    int
	}{
		// The record of a decision that fell back may have landed all the same, after its time.
		{"decisions", storedDecisions, l.decisions, l.doubtfulDecisions},
		{"messages", storedMessages, l.messages, len(l.doubtfulMessages)},
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
		if extra := len(stored) - len(c.want); extra > c.doubtful {
			t.Errorf("%d %s are stored, %d were acknowledged and %d got no answer", len(stored), c.what, len(c.want), c.doubtful)
		}
		t.Logf("%s: %d acknowledged, %d without an answer, %d stored, %d lost", c.what, len(c.want), c.doubtful, len(stored), lost)
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
