package postgres

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"
)

// A change is seen at once while the connection lives, and again after it was cut.
func TestWatchSeesNotificationsAndSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	e := start(t, EmbeddedOptions{DataDir: t.TempDir(), Ephemeral: true})
	pool, err := OpenPool(t.Context(), e.URL(DefaultDatabase), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ctx, stop := context.WithCancel(t.Context())
	var calls atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- Watch(ctx, pool, "test_changes", time.Hour, slog.New(slog.DiscardHandler), func(context.Context) error {
			calls.Add(1)
			return nil
		})
	}()
	until := func(what string, reached func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !reached(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d calls", what, calls.Load())
			}
		}
	}
	listening := func() bool {
		return query[bool](t, e.URL(DefaultDatabase), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN "test_changes"%' AND state = 'idle')`)
	}
	until("the first call", func() bool { return calls.Load() == 1 && listening() })
	execute(t, e.URL(DefaultDatabase), `NOTIFY test_changes`)
	until("a notification", func() bool { return calls.Load() == 2 })

	execute(t, e.URL(DefaultDatabase), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN "test_changes"%'`)
	until("listening again", func() bool { return calls.Load() >= 3 && listening() })
	before := calls.Load()
	execute(t, e.URL(DefaultDatabase), `NOTIFY test_changes; NOTIFY test_changes, 'another'`)
	until("a notification after that", func() bool { return calls.Load() > before })

	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
