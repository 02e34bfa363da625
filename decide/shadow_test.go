package decide

import (
	"testing"
	"time"
)

// TestAllowance takes what was saved up, then no more than comes in.
func TestAllowance(t *testing.T) {
	t.Parallel()
	var a allowance
	now := time.Unix(1_800_000_000, 0)
	taken := 0
	for i := range 100 { // 10 s of ranges of 300: more than there is
		taken += a.take(300, now.Add(time.Duration(i)*100*time.Millisecond))
	}
	if want := ownSaved + 10*ownPerSecond; taken < want-20 || taken > want {
		t.Errorf("%d taken in ten seconds, want about %d", taken, want)
	}
	if n := a.take(7, now.Add(time.Hour)); n != 7 {
		t.Errorf("%d of 7 taken after an hour", n)
	}
	if n := a.take(10_000, now.Add(2*time.Hour)); n != ownSample {
		t.Errorf("%d taken at once, want %d", n, ownSample)
	}
	for range ownSaved / ownSample {
		a.take(10_000, now) // the clock went back
	}
	if n := a.take(10, now); n != 0 {
		t.Errorf("%d taken when nothing is left", n)
	}
}
