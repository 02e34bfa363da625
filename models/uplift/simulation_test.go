package uplift

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"quintet/internal/learners"
)

// known is a world whose effects are known: treatment 1 helps where x0 > 0 and harms
// elsewhere, treatment 2 helps everybody a little.
func known(n int, seed uint64) (*Data, [][]float64) {
	r := rand.New(rand.NewPCG(seed, 2))
	d := &Data{X: &learners.Matrix{}, Y: make([]float64, n), Arms: make([]int, n), Treatments: 2}
	for j := range 4 {
		c := make([]float32, n)
		for i := range c {
			c[i] = float32(r.NormFloat64())
		}
		d.X.Names, d.X.Columns = append(d.X.Names, string(rune('a'+j))), append(d.X.Columns, c)
	}
	effects := [][]float64{make([]float64, n), make([]float64, n)}
	for i := range n {
		x := func(j int) float64 { return float64(d.X.Columns[j][i]) }
		effects[0][i], effects[1][i] = -.5, .3
		if x(0) > 0 {
			effects[0][i] = 1
		}
		d.Arms[i] = r.IntN(3)
		d.Y[i] = x(1) + x(2)*x(2)/2 + r.NormFloat64()
		if a := d.Arms[i]; a > 0 {
			d.Y[i] += effects[a-1][i]
		}
	}
	return d, effects
}

// Every learner finds the effects, the intervals of deciles hold the truth at their rate,
// and the gate lets the policy through that is better.
func TestKnownEffectsAreRecovered(t *testing.T) {
	t.Parallel()
	n, worlds := 6000, 1
	if os.Getenv("QUINTET_TEST_FULL") != "" {
		worlds = 40
	}
	trees := learners.Boosted{Trees: 60, Leaves: 6}
	inside, total := 0, 0
	for w := range worlds {
		train, _ := known(n, uint64(2*w))
		test, truth := known(n, uint64(2*w+1))
		for _, c := range []struct {
			l    Learner
			most float64 // of the mean squared error
		}{
			{SLearner{trees}, .12}, {TLearner{trees}, .25}, {XLearner{trees, trees}, .12}, {RLearner{trees, trees, 3}, .12}, {DRLearner{trees, trees, 3}, .12}, {ForestLearner{Trees: 60, MinArm: 20}, .15},
		} {
			effects := fit(t, c.l, train, test)
			mse := 0.0
			for k := range effects {
				for i, v := range effects[k] {
					mse += (v - truth[k][i]) * (v - truth[k][i]) / float64(2*n)
				}
			}
			if mse > c.most {
				t.Errorf("%s: mean squared error %.3f, at most %.3f was expected; the effects vary by .56", c.l.Name(), mse, c.most)
			}
			if p := Worth(test, effects, nil, nil); w == 0 {
				if pass, reason := p.Gate(); !pass {
					t.Errorf("%s: the gate refuses the better policy: %s", c.l.Name(), reason)
				}
			}
		}
		// Deciles of the first treatment against control.
		var rows []int
		for i, a := range test.Arms {
			if a < 2 {
				rows = append(rows, i)
			}
		}
		part := test.Take(rows)
		scores, true0 := make([]float64, len(rows)), make([]float64, len(rows))
		for k, i := range rows {
			scores[k] = float64(test.X.Columns[0][i])
			true0[k] = truth[0][i]
		}
		j := Judge(part.Y, treatedOf(part), scores, 200, 3)
		order := rank(true0, treatedOf(part), scores)
		for d, v := range j.Deciles {
			want := mean(order.y[d*len(rows)/10 : (d+1)*len(rows)/10])
			total++
			if v.Low <= want && want <= v.High {
				inside++
			}
		}
	}
	t.Logf("%d of %d deciles within their 95 %% interval", inside, total)
	if float64(inside) < .8*float64(total) {
		t.Error("intervals hold the truth too rarely")
	}
}

func TestCostsKeepNobody(t *testing.T) {
	t.Parallel()
	effects := [][]float64{{.5, .1, -.2}, {.2, .3, -.1}}
	for i, want := range []int{1, 2, 0} {
		if got := Choose(effects, nil, i); got != want {
			t.Errorf("row %d gets %d, want %d", i, got, want)
		}
	}
	if got := Choose(effects, []float64{1, 1}, 0); got != 0 {
		t.Errorf("below cost: %d", got)
	}
	for _, c := range []struct {
		effect, untreated float64
		want              Kind
	}{{.1, .5, Persuadable}, {-.1, .5, DoNotDisturb}, {0, .5, SureThing}, {0, .1, LostCause}} {
		if got := KindOf(c.effect, c.untreated, .3, .02); got != c.want {
			t.Errorf("%+v is %s", c, got)
		}
	}
}

func TestDataThatTellsNothing(t *testing.T) {
	t.Parallel()
	d, _ := known(300, 1)
	none := *d
	none.Arms = make([]int, 300)
	constant := *d
	constant.Y = make([]float64, 300)
	for name, c := range map[string]struct {
		d    *Data
		want error
	}{
		"no treated": {&none, ErrNoControl}, "ten rows": {d.Take([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), ErrNoControl},
		"constant": {&constant, learners.ErrConstant},
		"shapes":   {&Data{X: d.X, Y: d.Y[:7], Arms: d.Arms, Treatments: 2}, ErrShape},
	} {
		for _, l := range []Learner{TLearner{ols}, SLearner{ols}, XLearner{ols, ols}, RLearner{ols, ols, 2}, DRLearner{ols, ols, 2}, ForestLearner{}} {
			if _, err := l.Fit(t.Context(), c.d); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", l.Name(), name, err)
			}
		}
	}
	if c := Areas([]float64{1, 0}, []bool{true, false}, []float64{1, 1}); math.IsNaN(c.CausalmlAUUC) {
		t.Errorf("%+v", c)
	}
}
