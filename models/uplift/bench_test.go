package uplift

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"quintet/internal/learners"
)

// TestSpeed fits every learner of effects to a million rows of 50 columns and scores
// them, and prints each as a ratio to one pass that adds all numbers up, in the same run:
//
//	QUINTET_BENCH_ROWS=1000000 go test ./models/uplift -run TestSpeed -v -timeout 60m
func TestSpeed(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("QUINTET_BENCH_ROWS"))
	if err != nil {
		t.Skip("set QUINTET_BENCH_ROWS to measure")
	}
	const p = 50
	r := rand.New(rand.NewPCG(1, 1))
	d := &Data{X: &learners.Matrix{}, Y: make([]float64, n), Arms: make([]int, n), Treatments: 1}
	for j := range p {
		c := make([]float32, n)
		for i := range c {
			c[i] = float32(r.NormFloat64())
		}
		d.X.Names, d.X.Columns = append(d.X.Names, fmt.Sprint("x", j)), append(d.X.Columns, c)
	}
	for i := range n {
		z := -1 + .3*d.X.Columns[0][i] + .3*d.X.Columns[1][i]
		if d.Arms[i] = r.IntN(2); d.Arms[i] == 1 {
			z += .3 * d.X.Columns[2][i]
		}
		if r.Float64() < learners.Sigmoid(float64(z)) {
			d.Y[i] = 1
		}
	}
	started := time.Now()
	total := float32(0)
	for _, c := range d.X.Columns {
		for _, v := range c {
			total += v
		}
	}
	baseline := time.Since(started)
	t.Logf("one core adds %d numbers (to %.0f) in %v", n*p, total, baseline)
	base, effect, ridge := learners.Boosted{Logistic: true, Leaves: 4, Trees: 80}, learners.Boosted{Leaves: 4, Trees: 60, Rate: .05}, learners.Ridge{Penalty: 1}
	for _, l := range []Learner{TLearner{ridge}, DRLearner{ridge, ridge, 3}, SLearner{base}, TLearner{base}, XLearner{base, effect}, RLearner{base, effect, 3}, DRLearner{base, effect, 3}, ForestLearner{Trees: 80}} {
		started := time.Now()
		m, err := l.Fit(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		fitted := time.Since(started)
		started = time.Now()
		effects := Predict(m, d.X, 1)
		scored := time.Since(started)
		y, treated := d.Y, make([]bool, n)
		for i, a := range d.Arms {
			treated[i] = a == 1
		}
		t.Logf("%-55s trained in %6.2f s (%5.0f passes), scored in %5.2f s (%4.0f passes), Qini %.4f", l.Name(), fitted.Seconds(), fitted.Seconds()/baseline.Seconds(), scored.Seconds(), scored.Seconds()/baseline.Seconds(), Areas(y, treated, effects[0]).SkliftQini)
		if n >= 1_000_000 && (fitted > time.Minute || scored > 10*time.Second) {
			t.Errorf("%s takes %v to train and %v to score", l.Name(), fitted, scored)
		}
	}
}
