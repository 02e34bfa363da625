package attributes

import (
	"runtime"

	"golang.org/x/sync/errgroup"
)

// parallel calls f with 0 to n-1, on half of the processors, and returns the first
// error.
func parallel(n int, f func(i int) error) error {
	workers := max(1, runtime.GOMAXPROCS(0)/2)
	var group errgroup.Group
	for w := range workers {
		group.Go(func() error {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				if err := f(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
