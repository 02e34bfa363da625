package stream

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff yields growing pauses with jitter: each is between half of and the whole of a step that doubles
// from first to most. The zero value is not usable.
type backoff struct {
	first, most time.Duration
	step        time.Duration
}

func newBackoff(first, most time.Duration) *backoff { return &backoff{first: first, most: most} }

// next returns the pause before the next attempt.
func (b *backoff) next() time.Duration {
	switch {
	case b.step == 0:
		b.step = b.first
	case b.step < b.most:
		b.step = min(b.step*2, b.most)
	}
	half := b.step / 2
	return half + rand.N(half+1)
}

// reset starts from the first step again, after a success.
func (b *backoff) reset() { b.step = 0 }

// sleep waits for the next pause or until the context ends, and says whether it waited in full.
func (b *backoff) sleep(ctx context.Context) bool {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
