package learners

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// big makes rows of 50 columns whose label depends on some of them.
func big(n int) (*Matrix, []float64) {
	const p = 50
	m := &Matrix{}
	for j := range p {
		m.Names, m.Columns = append(m.Names, fmt.Sprint("x", j)), append(m.Columns, make([]float32, n))
	}
	y := make([]float64, n)
	parallel(n, func(_, from, to int) {
		r := rand.New(rand.NewPCG(1, uint64(from)))
		for i := from; i < to; i++ {
			z := -1.0
			for j := range p {
				v := r.NormFloat64()
				m.Columns[j][i] = float32(v)
				if j < 10 {
					z += .2 * v
				}
			}
			z += float64(m.Columns[11][i] * m.Columns[12][i])
			if r.Float64() < Sigmoid(z) {
				y[i] = 1
			}
		}
	})
	return m, y
}

// TestSpeed trains on a million rows of 50 columns and scores them, and prints each as a
// ratio to one pass that adds all numbers up, in the same run:
//
//	QUINTET_BENCH_ROWS=1000000 go test ./internal/learners -run TestSpeed -v
func TestSpeed(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("QUINTET_BENCH_ROWS"))
	if err != nil {
		t.Skip("set QUINTET_BENCH_ROWS to measure")
	}
	m, y := big(n)
	pass := func() time.Duration {
		started := time.Now()
		total := float32(0)
		for _, c := range m.Columns {
			for _, v := range c {
				total += v
			}
		}
		if total != total {
			t.Fatal("no number")
		}
		return time.Since(started)
	}
	baseline := min(pass(), pass(), pass())
	t.Logf("one core adds %d numbers in %v", n*50, baseline)
	for _, c := range []struct {
		l     Learner
		limit time.Duration
	}{{Logistic{}, time.Minute}, {Ridge{}, time.Minute}, {Boosted{Logistic: true, Trees: 150}, time.Minute}} {
		started := time.Now()
		model, err := c.l.Fit(t.Context(), m, y, nil)
		if err != nil {
			t.Fatal(err)
		}
		fitted := time.Since(started)
		out := make([]float64, n)
		started = time.Now()
		model.Predict(m, out)
		scored := time.Since(started)
		measures, _ := Measure(y, out)
		t.Logf("%-40s trained in %6.2f s (%5.0f passes), scored in %5.2f s (%4.0f passes), AUC %.4f", c.l.Name(), fitted.Seconds(), fitted.Seconds()/baseline.Seconds(), scored.Seconds(), scored.Seconds()/baseline.Seconds(), measures.AUC)
		if n >= 1_000_000 && (fitted > c.limit || scored > 10*time.Second) {
			t.Errorf("%s takes %v to train and %v to score", c.l.Name(), fitted, scored)
		}
	}
}
