package learners

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// telco reads the IBM churn data: all columns but the identifier, blanks as 0.
func telco(t testing.TB) (*Table, []float64) {
	t.Helper()
	f, err := os.Open("../../../shared/data/telco_churn.csv")
	if err != nil {
		t.Skip("the data set telco_churn.csv is not there; see shared/data")
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	head, rows := rows[0], rows[1:]
	table := &Table{}
	var y []float64
	for j, name := range head {
		switch name {
		case "customerID":
		case "Churn":
			for _, r := range rows {
				v := 0.0
				if r[j] == "Yes" {
					v = 1
				}
				y = append(y, v)
			}
		case "SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges":
			c := Column{Name: name}
			for _, r := range rows {
				v, _ := strconv.ParseFloat(r[j], 32) // a blank is 0
				c.Numbers = append(c.Numbers, float32(v))
			}
			table.Columns = append(table.Columns, c)
		default:
			c := Column{Name: name}
			for _, r := range rows {
				c.Categories = append(c.Categories, r[j])
			}
			table.Columns = append(table.Columns, c)
		}
	}
	return table, y
}

func splitFifth(n int) (train, test []int) {
	for i := range n {
		if i%5 == 0 {
			test = append(test, i)
		} else {
			train = append(train, i)
		}
	}
	return train, test
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s is %.6f, want %.6f ± %g", what, got, want, tolerance)
	}
}

// The figures of scikit-learn's LogisticRegression(C=1) on the same rows.
func TestTelcoLogisticMatchesReference(t *testing.T) {
	t.Parallel()
	table, y := telco(t)
	train, test := splitFifth(len(y))
	schema, err := LearnSchema(table)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(schema.Names()); n != 30 {
		t.Fatalf("%d columns, want 30: %v", n, schema.Names())
	}
	m, err := schema.Encode(table)
	if err != nil {
		t.Fatal(err)
	}
	model, err := Logistic{}.Fit(t.Context(), m.Take(train), take(y, train), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(test))
	model.Predict(m.Take(test), out)
	got, err := Measure(take(y, test), out)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "AUC", got.AUC, .83557, 1e-3)
	near(t, "average precision", got.AveragePrecision, .63471, 1e-3)
	near(t, "log-loss", got.LogLoss, .42581, 1e-3)
	near(t, "top-decile lift", got.Lift, 2.814, 1e-3)
	t.Logf("%+v", got)
}

func candidates(binary bool) []Learner {
	return []Learner{Logistic{Penalty: 1}, Logistic{Penalty: 30}, Boosted{Logistic: binary, Leaves: 4}, Boosted{Logistic: binary, Leaves: 8, Rate: .05},
		Golearn{Kind: "tree"}, Golearn{Kind: "neighbours", Rows: 600}}
}

func TestTelcoChampionIsBetterAndCalibrated(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fits thirty models")
	}
	table, y := telco(t)
	train, test := splitFifth(len(y))
	tested, testY := table.Take(test), take(y, test)
	table, y = table.Take(train), take(y, train)
	schema, err := LearnSchema(table)
	if err != nil {
		t.Fatal(err)
	}
	m, err := schema.Encode(table)
	if err != nil {
		t.Fatal(err)
	}
	all := candidates(true)
	found, err := CrossValidate(t.Context(), all, m, y, 3, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var plain *Candidate
	for i := range found {
		c := &found[i]
		t.Logf("%-38s log-loss %.5f ± %.5f AUC %.5f lift %.3f F1 %.3f %s", c.Name, c.Measures.LogLoss, c.Error, c.Measures.AUC, c.Measures.Lift, c.Confusion.F1, c.Failure)
		if c.Failure != "" {
			t.Errorf("%s failed: %s", c.Name, c.Failure)
		}
		if c.Name == (Logistic{Penalty: 1}).Name() {
			plain = c
		}
	}
	better, se := BetterBy(y, &found[0], plain)
	t.Logf("champion %s is better by %.5f ± %.5f", found[0].Name, better, se)
	if better <= 0 || found[0].Name == plain.Name {
		t.Errorf("the champion %s is no better than plain logistic regression", found[0].Name)
	}
	var champion Learner
	for _, l := range all {
		if l.Name() == found[0].Name {
			champion = l
		}
	}
	model, err := champion.Fit(t.Context(), m, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	calibration, err := Calibrate(y, found[0].Predicted())
	if err != nil {
		t.Fatal(err)
	}
	p := &Predictor{Schema: schema, Model: model, Calibration: calibration}
	out, err := p.Predict(tested)
	if err != nil {
		t.Fatal(err)
	}
	r := Reliable(testY, out)
	got, _ := Measure(testY, out)
	t.Logf("held out: %+v; calibration error %.4f, noise %.4f, p %.3f, slope %.3f", got, r.Error, r.Noise, r.P, r.Slope)
	if r.Error > r.Noise {
		t.Errorf("calibration error %.4f on held-out rows is above its sampling noise %.4f", r.Error, r.Noise)
	}
	importances, err := p.Permute(t.Context(), tested, testY, 1)
	if err != nil {
		t.Fatal(err)
	}
	rank := map[string]int{}
	for i, imp := range importances {
		rank[imp.Column] = i
	}
	if rank["tenure"] > 4 || rank["gender"] < 5 {
		t.Errorf("tenure should matter and gender should not: %+v", importances)
	}
	reasons, err := p.Reasons(tested, 0, 5)
	if err != nil || len(reasons) == 0 {
		t.Fatalf("no reasons: %v", err)
	}
	artefactHolds(t, p, tested)
}

// artefactHolds writes and reads the predictor and compares every score, and refuses the
// artefact with any byte changed or cut.
func artefactHolds(t *testing.T, p *Predictor, table *Table) {
	t.Helper()
	want, err := p.Predict(table)
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back Predictor
	started := time.Now()
	if err := back.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes loaded in %v", len(data), time.Since(started))
	got, err := back.Predict(table)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("row %d has %v after loading, %v before", i, got[i], want[i])
		}
	}
	for _, at := range []int{0, 12, 20, len(data) / 2, len(data) - 1} {
		damaged := append([]byte(nil), data...)
		damaged[at] ^= 0x20
		if err := back.UnmarshalBinary(damaged); !errors.Is(err, ErrArtefact) {
			t.Errorf("byte %d changed: %v", at, err)
		}
		if err := back.UnmarshalBinary(data[:at]); !errors.Is(err, ErrArtefact) {
			t.Errorf("cut at %d: %v", at, err)
		}
	}
}

// wavy is a world in which trees see more than lines: an interaction and a bend.
func wavy(n int, seed uint64) (*Table, []float64, []float64) {
	r := rand.New(rand.NewPCG(seed, 1))
	t := &Table{}
	for j := range 5 {
		c := Column{Name: fmt.Sprint("x", j), Numbers: make([]float32, n)}
		for i := range c.Numbers {
			c.Numbers[i] = float32(r.NormFloat64())
			if j == 3 && r.IntN(5) == 0 {
				c.Numbers[i] = float32(math.NaN())
			}
		}
		t.Columns = append(t.Columns, c)
	}
	y, p := make([]float64, n), make([]float64, n)
	for i := range n {
		x := func(j int) float64 { return float64(t.Columns[j].Numbers[i]) }
		z := -1 + 1.5*x(0)*x(1) + math.Abs(x(2))
		if v := x(3); v != v {
			z += 1.5 // missing tells something
		}
		p[i] = Sigmoid(z)
		if r.Float64() < p[i] {
			y[i] = 1
		}
	}
	return t, y, p
}

func TestBoostedFindsWhatLinesCannot(t *testing.T) {
	t.Parallel()
	n := 8000
	if testing.Short() {
		n = 4000
	}
	table, y, truth := wavy(n, 3)
	test, testY, testP := wavy(n, 4)
	schema, err := LearnSchema(table)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := schema.Encode(table)
	loss := func(l Learner) float64 {
		model, err := l.Fit(t.Context(), m, y, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &Predictor{Schema: schema, Model: model}
		out, _ := p.Predict(test)
		got, _ := Measure(testY, out)
		// Explanations add up to the score.
		x := make([]float32, len(m.Columns))
		m.Row(7, x)
		parts := make([]float64, len(x))
		z := model.Explain(x, parts)
		for _, c := range parts {
			z += c
		}
		one := make([]float64, 1)
		model.Predict(m.Take([]int{7}), one)
		near(t, l.Name()+": sum of reasons", Sigmoid(z), one[0], 1e-6)
		return got.LogLoss
	}
	best, _ := Measure(testY, testP)
	boosted, line := loss(Boosted{Logistic: true, Trees: 300, Leaves: 8}), loss(Logistic{})
	t.Logf("log-loss: truth %.4f, boosted %.4f, logistic %.4f", best.LogLoss, boosted, line)
	if boosted > best.LogLoss+.2*(line-best.LogLoss) {
		t.Errorf("boosted trees close less than four fifths of the gap: truth %.4f, boosted %.4f, logistic %.4f", best.LogLoss, boosted, line)
	}
	_ = truth
}

func TestRidgeMatchesClosedForm(t *testing.T) {
	t.Parallel()
	// y = 3 + 2 a - b exactly: without a penalty to speak of the line comes back.
	r := rand.New(rand.NewPCG(1, 2))
	n := 500
	a, b, y := make([]float32, n), make([]float32, n), make([]float64, n)
	for i := range n {
		a[i], b[i] = r.Float32(), r.Float32()
		y[i] = 3 + 2*float64(a[i]) - float64(b[i])
	}
	m := &Matrix{Names: []string{"a", "b"}, Columns: [][]float32{a, b}}
	model, err := Ridge{Penalty: 1e-9}.Fit(t.Context(), m, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, n)
	model.Predict(m, out)
	for i := range out {
		near(t, "prediction", out[i], y[i], 1e-6)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	column := func(f func(i int) float32, n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = f(i)
		}
		return out
	}
	mixed := func(n int) []float64 {
		y := make([]float64, n)
		for i := range y {
			y[i] = float64(i % 2)
		}
		return y
	}
	m := func(n int) *Matrix {
		return &Matrix{Names: []string{"a"}, Columns: [][]float32{column(func(i int) float32 { return float32(i) }, n)}}
	}
	for _, c := range []struct {
		name    string
		learner Learner
		n       int
		y       []float64
		want    error
	}{
		{"one class", Logistic{}, 100, make([]float64, 100), ErrOneClass},
		{"one class, trees", Boosted{Logistic: true}, 100, make([]float64, 100), ErrOneClass},
		{"one class, golearn", Golearn{Kind: "tree"}, 100, make([]float64, 100), ErrOneClass},
		{"ten rows", Logistic{}, 10, mixed(10), ErrTooFew},
		{"constant", Boosted{}, 100, make([]float64, 100), ErrConstant},
		{"no such label", Logistic{}, 100, append(mixed(99), 2), ErrLabel},
		{"shapes", Logistic{}, 100, mixed(99), ErrShape},
	} {
		if _, err := c.learner.Fit(t.Context(), m(c.n), c.y, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, l := range []Learner{Logistic{}, Ridge{}, Boosted{Logistic: true}, Golearn{Kind: "tree"}} {
		if _, err := l.Fit(ctx, m(1000), mixed(1000), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled: %v", l.Name(), err)
		}
	}
	table := &Table{Columns: []Column{
		{Name: "empty", Numbers: column(func(int) float32 { return nan }, 100)},
		{Name: "same", Categories: make([]string, 100)},
		{Name: "a", Numbers: column(func(i int) float32 { return float32(i % 7) }, 100)},
		{Name: "kind", Categories: make([]string, 100)},
	}}
	for i := range 100 {
		table.Columns[1].Categories[i] = "x"
		table.Columns[3].Categories[i] = []string{"red", "green", "blue"}[i%3]
	}
	schema, err := LearnSchema(table)
	if err != nil || len(schema.Dropped) != 2 || len(schema.Fields) != 2 {
		t.Fatalf("%+v, %v", schema, err)
	}
	// A category that was never seen scores like the average of its column.
	encoded, _ := schema.Encode(table)
	model, err := Logistic{}.Fit(t.Context(), encoded, mixed(100), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Predictor{Schema: schema, Model: model}
	served := table.Take([]int{0, 0})
	served.Columns[3].Categories = []string{"violet", ""}
	out, err := p.Predict(served)
	if err != nil || out[0] != out[1] || math.IsNaN(out[0]) {
		t.Errorf("a new category: %v %v", out, err)
	}
	if _, err := p.Predict(&Table{Columns: served.Columns[:3]}); !errors.Is(err, errUnknownColumn) {
		t.Errorf("without a column: %v", err)
	}
	if _, err := LearnSchema(&Table{Columns: table.Columns[:2]}); !errors.Is(err, ErrNoFeatures) {
		t.Errorf("no column varies: %v", err)
	}
}

func TestMeasureAgainstPairs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 60).Draw(t, "n")
		y, p := make([]float64, n), make([]float64, n)
		for i := range n {
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
			p[i] = float64(rapid.IntRange(0, 10).Draw(t, "p")) / 10
		}
		got, err := Measure(y, p)
		var wins, pairs float64
		for i := range n {
			for j := range n {
				if y[i] == 1 && y[j] == 0 {
					pairs++
					if p[i] > p[j] {
						wins++
					} else if p[i] == p[j] {
						wins += .5
					}
				}
			}
		}
		if pairs == 0 {
			if !errors.Is(err, ErrOneClass) {
				t.Fatalf("one class: %v", err)
			}
			return
		}
		if err != nil || math.Abs(got.AUC-wins/pairs) > 1e-12 {
			t.Fatalf("AUC %v, by pairs %v (%v)", got.AUC, wins/pairs, err)
		}
	})
}

func TestCalibrationRises(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	n := 20_000
	y, p := make([]float64, n), make([]float64, n)
	for i := range n {
		p[i] = r.Float64()
		if r.Float64() < p[i]*p[i] { // overconfident: the truth is the square
			y[i] = 1
		}
	}
	c, err := Calibrate(y, p)
	if err != nil {
		t.Fatal(err)
	}
	last := -1.0
	for v := 0.0; v <= 1; v += .01 {
		q := c.Apply(v)
		if q < last-1e-12 || q < 0 || q > 1 {
			t.Fatalf("%v maps to %v after %v", v, q, last)
		}
		last = q
		near(t, fmt.Sprint("calibration of ", v), q, v*v, .06)
	}
}

func FuzzArtefact(f *testing.F) {
	good, err := (&Predictor{Schema: &Schema{Fields: []Field{{Name: "a"}}}, Model: &Linear{Logistic: true, Weights: []float64{1}, Means: []float64{0}, Scales: []float64{1}}}).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("QTNMODEL1\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p Predictor
		_ = p.UnmarshalBinary(body)
		// What has the right checksum must not lead anywhere either.
		var a artefact
		if Unseal(body, &a) == nil {
			if data, err := Seal(a); err == nil && p.UnmarshalBinary(data) == nil {
				m := &Matrix{Names: p.Schema.Names()}
				for range m.Names {
					m.Columns = append(m.Columns, []float32{0, float32(math.NaN())})
				}
				p.Model.Predict(m, make([]float64, 2))
			}
		}
	})
}
