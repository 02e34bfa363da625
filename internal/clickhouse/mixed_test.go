package clickhouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A connection whose query was cancelled must not give the rest of its answer
// to the next question.
func TestCancelledAnswersAreNotGivenToOthers(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 60 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+rng.IntN(30_000))*time.Microsecond)
				_ = d.Read.Exec(ctx, "SELECT number, number + 1, number + 2 FROM numbers(20000000)") // cut off
				cancel()
				ctx, cancel = context.WithTimeout(context.Background(), 20*time.Second)
				var a, b string
				want := fmt.Sprintf("%d-%d", w, i)
				if err := d.Read.QueryRow(ctx, "SELECT '"+want+"', 'b'").Scan(&a, &b); err != nil || a != want {
					t.Errorf("asked for %s, got %s: %v", want, a, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}
