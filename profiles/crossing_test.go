package profiles

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Whoever waits sees everything that was begun before, and keeps nobody from beginning.
func TestCrossingWaitsForThoseInside(t *testing.T) {
	t.Parallel()
	var c crossing
	var closed atomic.Bool // what those inside look at, as they look at who was erased
	var wg sync.WaitGroup
	var written atomic.Int64
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				side := c.enter()
				if !closed.Load() {
					time.Sleep(10 * time.Microsecond)
					written.Add(1)
				}
				c.leave(side)
			}
		})
	}
	for range 50 {
		closed.Store(false)
		time.Sleep(200 * time.Microsecond)
		closed.Store(true)
		if err := c.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := written.Load()
		time.Sleep(100 * time.Microsecond)
		if now := written.Load(); now != n {
			t.Fatalf("%d were written after the wait", now-n)
		}
	}
	close(stop)
	wg.Wait()

	side := c.enter()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := c.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for somebody who stays: %v", err)
	}
	c.leave(side)
}
