package learners

import (
	"context"
	"runtime"
	"sync"
)

// Model is a fitted model of a matrix.
type Model interface {
	// Predict writes a prediction per row into out: a probability from a classifier, an
	// expected value from a regression. It uses all cores.
	Predict(m *Matrix, out []float64)
	// Explain gives what each column of one row contributes, on the scale on which
	// contributions add up (log-odds of a classifier, the value itself of a regression),
	// and the base that they are added to.
	Explain(x []float32, contributions []float64) (base float64)
}

// Learner fits models. Weights may be nil. A learner is a plain value: its fields are its
// settings.
type Learner interface {
	// Name says what is fitted, with the settings that tell it from its siblings.
	Name() string
	// Fit learns from a matrix and labels. It ends early with the error of ctx.
	Fit(ctx context.Context, m *Matrix, y, weights []float64) (Model, error)
}

// parallel calls f with consecutive blocks of [0, n) on all cores; small n stay on one.
func parallel(n int, f func(block, from, to int)) {
	blocks := blocksOf(n)
	if blocks == 1 {
		f(0, 0, n)
		return
	}
	var wait sync.WaitGroup
	for b := range blocks {
		wait.Add(1)
		go func() {
			defer wait.Done()
			f(b, b*n/blocks, (b+1)*n/blocks)
		}()
	}
	wait.Wait()
}

const smallBlock = 4096

func blocksOf(n int) int {
	return max(1, min(runtime.GOMAXPROCS(0), n/smallBlock))
}
