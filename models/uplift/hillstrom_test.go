package uplift

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"quintet/internal/learners"
)

// hillstrom reads the e-mail challenge with the features of the reference: recency,
// ln(1+history), mens, womens, newbie and indicators of zip code and channel.
func hillstrom(t testing.TB) (m *learners.Matrix, segments []string, outcomes map[string][]float64) {
	t.Helper()
	f, err := os.Open("../../../shared/data/hillstrom.csv")
	if err != nil {
		t.Skip("the data set hillstrom.csv is not there; see shared/data")
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for j, name := range rows[0] {
		at[name] = j
	}
	rows = rows[1:]
	number := func(r []string, name string) float64 {
		v, err := strconv.ParseFloat(r[at[name]], 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	is := func(name, value string) func(r []string) float64 {
		return func(r []string) float64 {
			if r[at[name]] == value {
				return 1
			}
			return 0
		}
	}
	plain := func(name string) func(r []string) float64 { return func(r []string) float64 { return number(r, name) } }
	m = &learners.Matrix{}
	for _, c := range []struct {
		name string
		f    func(r []string) float64
	}{
		{"recency", plain("recency")}, {"history", func(r []string) float64 { return math.Log1p(number(r, "history")) }},
		{"mens", plain("mens")}, {"womens", plain("womens")}, {"newbie", plain("newbie")},
		{"rural", is("zip_code", "Rural")}, {"suburban", is("zip_code", "Surburban")}, {"phone", is("channel", "Phone")}, {"web", is("channel", "Web")},
	} {
		column := make([]float32, len(rows))
		for i, r := range rows {
			column[i] = float32(c.f(r))
		}
		m.Names, m.Columns = append(m.Names, c.name), append(m.Columns, column)
	}
	outcomes = map[string][]float64{}
	for _, r := range rows {
		segments = append(segments, r[at["segment"]])
		for _, o := range []string{"visit", "conversion", "spend"} {
			outcomes[o] = append(outcomes[o], number(r, o))
		}
	}
	return m, segments, outcomes
}

// experiment picks even rows for training and odd ones for testing of the named arms, the
// control first.
func experiment(m *learners.Matrix, segments []string, y []float64, arms ...string) (train, test *Data) {
	all := &Data{X: m, Y: y, Arms: make([]int, len(y)), Treatments: len(arms) - 1}
	var even, odd []int
	for i, s := range segments {
		all.Arms[i] = -1
		for a, name := range arms {
			if s == name {
				all.Arms[i] = a
			}
		}
		if all.Arms[i] < 0 {
			continue
		}
		if i%2 == 0 {
			even = append(even, i)
		} else {
			odd = append(odd, i)
		}
	}
	return all.Take(even), all.Take(odd)
}

const (
	nobody = "No E-Mail"
	womens = "Womens E-Mail"
	mens   = "Mens E-Mail"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s is %.7f, want %.7f ± %g", what, got, want, tolerance)
	}
}

var ols = learners.Ridge{Penalty: 1e-9}

func fit(t *testing.T, l Learner, train, test *Data) [][]float64 {
	t.Helper()
	model, err := l.Fit(t.Context(), train)
	if err != nil {
		t.Fatalf("%s: %v", l.Name(), err)
	}
	return Predict(model, test.X, test.Treatments)
}

func treatedOf(d *Data) []bool {
	out := make([]bool, len(d.Arms))
	for i, a := range d.Arms {
		out[i] = a > 0
	}
	return out
}

func mean(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

// tieOrders gives the least and the largest of causalml's figures over random orders of
// the rows that tie.
func tieOrders(y []float64, treated []bool, score []float64, n int) (auuc, qini [2]float64) {
	r := rand.New(rand.NewPCG(3, 3))
	auuc, qini = [2]float64{math.Inf(1), math.Inf(-1)}, [2]float64{math.Inf(1), math.Inf(-1)}
	jittered := make([]float64, len(score))
	for range n {
		for i, v := range score {
			jittered[i] = v + 1e-12*r.Float64()
		}
		got := Areas(y, treated, jittered)
		auuc = [2]float64{min(auuc[0], got.CausalmlAUUC), max(auuc[1], got.CausalmlAUUC)}
		qini = [2]float64{min(qini[0], got.CausalmlQini), max(qini[1], got.CausalmlQini)}
	}
	return auuc, qini
}

// The figures of the libraries' own code on the same scores.
func TestHillstromMatchesReference(t *testing.T) {
	t.Parallel()
	m, segments, outcomes := hillstrom(t)
	for _, c := range []struct {
		outcome                                    string
		mean, at10, at30, qini, auuc, cAUUC, cQini float64
	}{
		{"visit", .045187, .073625, .077334, .066291, .030357, .672797, .172353},
		{"conversion", .002883, .004686, .007679, .107504, .003169, .738092, .233418},
		{"spend", .591448, math.NaN(), math.NaN(), math.NaN(), math.NaN(), .849498, .342399},
	} {
		train, test := experiment(m, segments, outcomes[c.outcome], nobody, womens)
		if len(test.Y) != 21_471 {
			t.Fatalf("%d rows", len(test.Y))
		}
		effects := fit(t, TLearner{ols}, train, test)[0]
		treated := treatedOf(test)
		near(t, c.outcome+" mean effect", mean(effects), c.mean, 1e-5)
		got := Areas(test.Y, treated, effects)
		tolerance := 1e-5
		if c.outcome == "spend" {
			// Of the rows 2,476 tie, and causalml counts them in the order in which an
			// unstable sort leaves them, another on other processors. The published figures
			// are among those that orders of the ties give, and ours as near as most.
			tolerance = 2.5e-5
			aucs, qinis := tieOrders(test.Y, treated, effects, 200)
			t.Logf("causalml's figures over orders of ties: AUUC %.6f to %.6f, Qini %.6f to %.6f", aucs[0], aucs[1], qinis[0], qinis[1])
			if aucs[0] > c.cAUUC || aucs[1] < c.cAUUC || qinis[0] > c.cQini || qinis[1] < c.cQini {
				t.Errorf("no order of the ties comes to %v and %v", c.cAUUC, c.cQini)
			}
		}
		near(t, c.outcome+" causalml AUUC", got.CausalmlAUUC, c.cAUUC, tolerance)
		near(t, c.outcome+" causalml Qini", got.CausalmlQini, c.cQini, tolerance)
		if math.IsNaN(c.qini) {
			if !math.IsNaN(got.SkliftQini) {
				t.Errorf("scikit-uplift's Qini of a continuous outcome is %v", got.SkliftQini)
			}
			continue
		}
		near(t, c.outcome+" sklift Qini", got.SkliftQini, c.qini, 1e-5)
		near(t, c.outcome+" sklift AUUC", got.SkliftAUUC, c.auuc, 1e-5)
		near(t, c.outcome+" uplift at 10 %", AtShare(test.Y, treated, effects, .1), c.at10, 1e-5)
		near(t, c.outcome+" uplift at 30 %", AtShare(test.Y, treated, effects, .3), c.at30, 1e-5)
	}
}

// With one shared linear base the learners T, X and DR are the same.
func TestLinearLearnersAgree(t *testing.T) {
	t.Parallel()
	m, segments, outcomes := hillstrom(t)
	train, test := experiment(m, segments, outcomes["visit"], nobody, womens, mens)
	want := fit(t, TLearner{ols}, train, test)
	for _, l := range []Learner{XLearner{ols, ols}, DRLearner{ols, ols, 1}} {
		got := fit(t, l, train, test)
		for k := range want {
			for i := range want[k] {
				if math.Abs(got[k][i]-want[k][i]) > 1e-6 {
					t.Fatalf("%s: row %d has %v, want %v", l.Name(), i, got[k][i], want[k][i])
				}
			}
		}
	}
	train, test = experiment(m, segments, outcomes["visit"], nobody, womens)
	treated := treatedOf(test)
	r := Areas(test.Y, treated, fit(t, RLearner{ols, ols, 1}, train, test)[0])
	near(t, "Qini of the R-learner", r.SkliftQini, .066293, 2e-5)
	z := Areas(test.Y, treated, fit(t, TransformedLearner{ols}, train, test)[0])
	near(t, "Qini of the transformed outcome", z.SkliftQini, .067877, 2e-5)
}

// Policies by the argmax of three regressions, with the true share of a third.
func TestHillstromGate(t *testing.T) {
	t.Parallel()
	m, segments, outcomes := hillstrom(t)
	for _, c := range []struct {
		outcome                   string
		none, women, men, learned float64
		tolerance                 float64
		pass                      bool
	}{
		{"visit", .104719, .151031, .180000, .185531, 1e-5, false},
		{"conversion", math.NaN(), math.NaN(), .013969, .013406, 1e-5, false},
		{"spend", math.NaN(), math.NaN(), 1.7905, 1.5014, 1e-4, false},
	} {
		train, test := experiment(m, segments, outcomes[c.outcome], nobody, womens, mens)
		test.Shares = []float64{1. / 3, 1. / 3, 1. / 3}
		p := Worth(test, fit(t, TLearner{ols}, train, test), nil, nil)
		pass, reason := p.Gate()
		t.Logf("%s: learned %.6f (s.e. %.5f), single %+v, gain %+v: %v, %s", c.outcome, p.Learned.Value, p.Learned.Error, p.Single, p.Gain, pass, reason)
		near(t, c.outcome+" learned", p.Learned.Value, c.learned, c.tolerance)
		near(t, c.outcome+" always men's", p.Single[2].Value, c.men, c.tolerance)
		if !math.IsNaN(c.none) {
			near(t, "none", p.Single[0].Value, c.none, c.tolerance)
			near(t, "always women's", p.Single[1].Value, c.women, c.tolerance)
			near(t, "share of men's", p.Shares[2], .6908, 1e-4)
		}
		if c.outcome != "visit" && pass {
			t.Errorf("the gate lets the learned policy for %s through: %s", c.outcome, reason)
		}
	}
}

// Our learners on Hillstrom: the best is at least as good as the reference's, and with
// shuffled treatments all are zero within their interval.
func TestHillstromBestAndPlacebo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits several learners")
	}
	m, segments, outcomes := hillstrom(t)
	train, test := experiment(m, segments, outcomes["visit"], nobody, womens)
	treated := treatedOf(test)
	boosted := learners.Boosted{Trees: 60, Leaves: 4, Rate: .05}
	best, reference := Judgement{}, Judgement{}
	for _, l := range []Learner{
		TLearner{ols}, DRLearner{learners.Boosted{Logistic: true, Trees: 60, Leaves: 4}, boosted, 3}, XLearner{learners.Boosted{Logistic: true, Trees: 60, Leaves: 4}, boosted},
		SLearner{learners.Boosted{Logistic: true, Trees: 100, Leaves: 8}}, RLearner{learners.Boosted{Logistic: true, Trees: 60, Leaves: 4}, boosted, 3}, ForestLearner{Trees: 60, MinArm: 100},
	} {
		effects := fit(t, l, train, test)[0]
		j := Judge(test.Y, treated, effects, 100, 1)
		t.Logf("%-60s Qini %.6f [%.6f, %.6f] sklift %.5f causalml %.5f slope %.2f", l.Name(), j.Qini.Value, j.Qini.Low, j.Qini.High, *j.SkliftQini, j.CausalmlQini, j.Slope.Value)
		if reference.Rows == 0 {
			reference = j
		}
		if best.Rows == 0 || *j.SkliftQini > *best.SkliftQini {
			best = j
		}
	}
	if *best.SkliftQini < .066291-1e-5 || best.Qini.Low <= 0 {
		t.Errorf("the best learner has %v, interval from %v", *best.SkliftQini, best.Qini.Low)
	}
	// Rows keep outcome and features; who was treated is dealt anew.
	placebo := *train
	placebo.Arms = append(append([]int(nil), train.Arms[len(train.Arms)/3:]...), train.Arms[:len(train.Arms)/3]...)
	shuffled := *test
	shuffled.Arms = append(append([]int(nil), test.Arms[len(test.Arms)/3:]...), test.Arms[:len(test.Arms)/3]...)
	for _, l := range []Learner{TLearner{ols}, ForestLearner{Trees: 40, MinArm: 100}} {
		j := Judge(test.Y, treatedOf(&shuffled), fit(t, l, &placebo, &shuffled)[0], 100, 1)
		if j.Qini.Low > 0 || j.Qini.High < 0 || j.Effect.Low > 0 || j.Effect.High < 0 {
			t.Errorf("%s finds an effect of a placebo: %+v %+v", l.Name(), j.Effect, j.Qini)
		}
	}
}
