package profiles

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// crossing lets somebody wait until everybody who has begun something has ended
// it, without keeping anybody from beginning. Two counters take turns: those who
// begin after the turn are counted in the other one.
type crossing struct {
	turn    atomic.Uint32
	inside  [2]atomic.Int64
	waiting sync.Mutex // one who waits at a time
}

// enter counts the caller in; what it returns goes to leave.
func (c *crossing) enter() uint32 {
	for {
		side := c.turn.Load() & 1
		c.inside[side].Add(1)
		if c.turn.Load()&1 == side {
			return side
		}
		c.inside[side].Add(-1) // it turned in between, and whoever waits may not have seen us
	}
}

func (c *crossing) leave(side uint32) { c.inside[side].Add(-1) }

// wait returns when everybody who was inside when it was called has left.
func (c *crossing) wait(ctx context.Context) error {
	c.waiting.Lock()
	defer c.waiting.Unlock()
	old := (c.turn.Add(1) - 1) & 1
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for c.inside[old].Load() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Enter says that something begins that may store what is known of people; what it
// returns goes to [Store.Leave] when it has ended. Whoever erases a person waits for
// all who had begun before.
func (s *Store) Enter() uint32 { return s.crossing.enter() }

// Leave ends what began with [Store.Enter].
func (s *Store) Leave(side uint32) { s.crossing.leave(side) }

// AnyErased says whether anybody was erased.
func (s *Store) AnyErased() bool { return s.suppressions.erased.Load() > 0 }

// Erased says whether one of the identifiers is of a person who was erased: nothing
// about them may be stored. Where nobody was erased it costs one atomic read.
func (s *Store) Erased(ids []Identifier) bool {
	if !s.AnyErased() {
		return false
	}
	for _, i := range s.normal(ids) {
		if s.suppressions.findErased(i) {
			return true
		}
	}
	return false
}
