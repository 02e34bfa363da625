package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide"
	"quintet/internal/client"
	"quintet/profiles"
)

// profileEvents counts events by profile in Postgres.
func profileEvents(t testing.TB, address string) map[string]int {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
	rows, err := c.Query(t.Context(), "SELECT profile_id, events FROM profiles")
	if err != nil {
		t.Fatal(err)
	}
	return scanProfiles(t, rows)
}

func scanProfiles(t testing.TB, rows pgx.Rows) map[string]int {
	t.Helper()
	out := make(map[string]int)
	var id string
	var events int
	if _, err := pgx.ForEachRow(rows, []any{&id, &events}, func() error { out[id] = events; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// While a store is away the service takes everything, says that it is behind and
// not ready, and catches up by itself: everything once.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, store := range []struct {
		name   string
		behind []string // the lags that grow meanwhile
	}{
		{"postgres", []string{"profiles"}},
		{"clickhouse", []string{"events", "decisions"}},
	} {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			cfg := residentConfig(t)
			var line *cable
			if store.name == "postgres" {
				line, cfg.PostgresURL = newCable(t, cfg.PostgresURL)
			} else {
				line, cfg.ClickHouseURL = newCable(t, cfg.ClickHouseURL)
			}
			r := openResident(t, cfg)
			create(t, r.client, hero())
			l := new(ledger)
			send := func(n int) {
				t.Helper()
				if err := l.calls(t.Context(), r.client, n); err != nil {
					t.Fatal(err)
				}
			}
			send(500)
			for range 3 { // in the middle of the load, where a batch may be half-way in
				under := make(chan error, 1)
				go func() { under <- l.calls(t.Context(), r.client, 1000) }()
				time.Sleep(50 * time.Millisecond)
				line.cut()
				if err := <-under; err != nil {
					t.Fatal(err)
				}
				send(100)
				for _, name := range store.behind {
					eventually(t, 20*time.Second, "the lag of "+name, func() bool {
						return r.gauge("quintet_lag_messages", name) > 0 && r.gauge("quintet_lag_seconds", name) > 0
					})
				}
				eventually(t, 20*time.Second, "readiness", func() bool {
					err := r.client.Get(t.Context(), "/readyz", nil, client.Once())
					return client.StatusOf(err) == 503 && strings.Contains(err.Error(), store.name)
				})
				line.mend()
				for _, name := range []string{"events", "profiles", "decisions"} {
					eventually(t, 60*time.Second, "catching up of "+name, func() bool {
						return r.gauge("quintet_lag_messages", name) == 0 && r.gauge("quintet_lag_seconds", name) == 0
					})
				}
			}
			if err := r.client.Get(t.Context(), "/readyz", nil); err != nil {
				t.Errorf("after the outages: %v", err)
			}
			send(100)
			r.flush()
			l.check(t, r.reading())
			if l.fallbacks > 0 {
				t.Errorf("%d decisions fell back", l.fallbacks)
			}
		})
	}
}

// When the stream is full, callers are told to come back and decisions give the
// default action; when there is room again all goes on, and nothing that was
// acknowledged is missing.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	cfg := residentConfig(t)
	cfg.StreamMaxBytes = 2 << 20
	var line *cable
	line, cfg.ClickHouseURL = newCable(t, cfg.ClickHouseURL)
	r := openResident(t, cfg)
	create(t, r.client, hero())
	l := new(ledger)
	if err := l.calls(t.Context(), r.client, 100); err != nil {
		t.Fatal(err)
	}
	line.cut()

	var refused *client.Problem
	for n := 0; refused == nil; n++ {
		if n == 1000 {
			t.Fatal("a thousand batches went into a stream of 2 MiB")
		}
		batch := make([]client.Message, 50)
		for i := range batch {
			batch[i] = client.Message{
				Type: "track", MessageID: fmt.Sprintf("full-%d-%d", n, i), UserID: fmt.Sprint("u", i), Event: "Filled",
				Properties: map[string]any{"text": strings.Repeat(fmt.Sprint(n, i, " "), 100)},
			}
		}
		if _, err := r.client.Batch(t.Context(), batch, client.Once()); err != nil {
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
			continue
		}
		for _, m := range batch {
			l.messages = append(l.messages, m.MessageID)
		}
	}
	if refused.Status != 429 || refused.RetryAfter < time.Second {
		t.Errorf("refused with %d and a pause of %s: %v", refused.Status, refused.RetryAfter, refused)
	}

	type decision struct {
		DecisionID string          `json:"decisionId"`
		Fallback   bool            `json:"fallback"`
		Reason     string          `json:"fallbackReason"`
		What       json.RawMessage `json:"what"`
		Expires    time.Time       `json:"expiresAt"`
	}
	ask := func() (d decision) {
		t.Helper()
		if err := r.client.Post(t.Context(), "/v1/decide", map[string]any{"decision": "hero", "user": map[string]any{"userId": "u1"}}, &d, client.Once()); err != nil {
			t.Fatal(err)
		}
		if !d.Fallback {
			l.decisions = append(l.decisions, d.DecisionID)
		}
		return d
	}
	d := ask()
	for n := 0; !d.Fallback; n++ {
		if n == 20_000 {
			t.Fatal("20,000 decisions went into a stream of 2 MiB")
		}
		d = ask()
	}
	if d.Reason != "stream-full" || len(d.What) > 0 || d.Expires.IsZero() {
		t.Errorf("the fall-back is %+v", d)
	}

	line.mend()
	eventually(t, 60*time.Second, "room for decisions", func() bool { return !ask().Fallback })
	eventually(t, 60*time.Second, "room for events", func() bool {
		m := client.Message{Type: "track", MessageID: fmt.Sprint("after-", time.Now().UnixNano()), UserID: "u1", Event: "After"}
		_, err := r.client.Batch(t.Context(), []client.Message{m}, client.Once())
		if err == nil {
			l.messages = append(l.messages, m.MessageID)
		}
		return err == nil
	})
	for _, name := range []string{profiles.Topic, decide.Topic} {
		topic, err := r.app.engines.Stream.Topic(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, 60*time.Second, "much room in "+name, func() bool {
			_, _, bytes, err := topic.State(t.Context())
			return err == nil && int64(bytes) < cfg.StreamMaxBytes/2
		})
	}
	if err := l.calls(t.Context(), r.client, 500); err != nil {
		t.Fatal(err)
	}
	r.flush()
	l.check(t, r.reading())
}
