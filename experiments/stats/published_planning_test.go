package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// number reads figures of the published cases: plain, "inf" or "sqrt(…)".
type number float64

var rootOf = regexp.MustCompile(`^sqrt\((.*)\)$`)

func (n *number) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	root := rootOf.FindStringSubmatch(text)
	if root != nil {
		text = root[1]
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("read %s: %w", b, err)
	}
	if root != nil {
		v = math.Sqrt(v)
	}
	*n = number(v)
	return nil
}

type plannedMetric struct {
	Type              string
	Mean              number
	StandardDeviation number
	ConversionRate    number
	EffectSize        number
}

func (m plannedMetric) plan() Plan {
	p := Plan{Mean: float64(m.Mean), Variance: float64(m.StandardDeviation * m.StandardDeviation), Effect: float64(m.EffectSize)}
	if m.Type == "binomial" {
		p.Mean = float64(m.ConversionRate)
		p.Variance = p.Mean * (1 - p.Mean)
	}
	return p
}

type publishedPrior struct {
	Proper                 bool
	Mean, Stddev, Variance number
}

func (p *publishedPrior) belief() *NormalPrior {
	if p == nil || !p.Proper {
		return nil
	}
	if p.Variance > 0 {
		return &NormalPrior{Mean: float64(p.Mean), StandardDeviation: math.Sqrt(float64(p.Variance))}
	}
	return &NormalPrior{Mean: float64(p.Mean), StandardDeviation: float64(p.Stddev)}
}

type planningCase struct {
	ID, Kind  string
	Input     json.RawMessage
	Expected  json.RawMessage
	InOrder   []float64 `json:"expected_in_input_order"`
	Tolerance json.RawMessage
}

// within is the case's tolerance about want; words give one in relative terms.
func (c planningCase) within(t *testing.T, want float64) float64 {
	t.Helper()
	if len(c.Tolerance) == 0 {
		return 1e-9 * math.Max(1, math.Abs(want))
	}
	text := strings.Trim(string(c.Tolerance), `"`)
	if percent, ok := strings.CutSuffix(text, "% relative"); ok {
		v, err := strconv.ParseFloat(percent, 64)
		if err != nil {
			t.Fatalf("%s: tolerance %q: %v", c.ID, text, err)
		}
		return v / 100 * math.Abs(want)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%s: tolerance %q: %v", c.ID, text, err)
	}
	return v
}

// TestPublishedPlanning runs the cases of planning, sequential widths and other
// helper values. An unknown kind fails, so that no case goes unnoticed.
func TestPublishedPlanning(t *testing.T) {
	t.Parallel()
	var file struct{ Planning, Misc []planningCase }
	if err := json.NewDecoder(dataFile(t, "gbstats_cases.json")).Decode(&file); err != nil {
		t.Fatal(err)
	}
	cases := append(file.Planning, file.Misc...)
	byID := map[string]planningCase{}
	ran := map[string]int{}
	for i, c := range cases {
		if c.ID == "" {
			c.ID = fmt.Sprintf("%s %d", c.Kind, i)
		}
		byID[c.ID] = c
		run, ok := planningKinds[c.Kind]
		if !ok {
			t.Errorf("%s: unknown kind %q", c.ID, c.Kind)
			continue
		}
		ran[c.Kind]++
		compare := func(what string, got float64, err error, want float64) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %s: %v", c.ID, what, err)
			} else if !near(got, want, c.within(t, want)) {
				t.Errorf("%s: %s is %.12g, published %.12g", c.ID, what, got, want)
			}
		}
		run(t, c, byID, compare)
	}
	t.Logf("cases: %v", ran)
	if len(ran) < 8 {
		t.Errorf("only %v ran", ran)
	}
}

type comparer func(what string, got float64, err error, want float64)

func decode[T any](t *testing.T, id string, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return v
}

var planningKinds = map[string]func(*testing.T, planningCase, map[string]planningCase, comparer){
	"delta_variance":       publishedDelta,
	"power":                publishedPower,
	"mde":                  publishedPower,
	"power_weeks":          publishedWeeks,
	"mid_experiment_power": publishedMidway,
	"multiple_comparison":  publishedFamily,
	"sample_size":          publishedSize,
	"sequential_halfwidth": publishedHalfWidth,
	"sequential_eppo":      publishedEppo,
	"msprt_statsig":        publishedStatsig,
	"best_arm_probability": publishedBestArm,
}

func publishedDelta(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in := struct {
		VarA     float64 `json:"var_a"`
		MeanA    float64 `json:"mean_a"`
		NA       int64   `json:"n_a"`
		VarB     float64 `json:"var_b"`
		MeanB    float64 `json:"mean_b"`
		NB       int64   `json:"n_b"`
		Relative bool
	}{}
	if c.Input[0] == '[' {
		row := decode[[]json.RawMessage](t, c.ID, c.Input)
		for i, to := range []any{&in.VarA, &in.MeanA, &in.NA, &in.VarB, &in.MeanB, &in.NB, &in.Relative} {
			if err := json.Unmarshal(row[i], to); err != nil {
				t.Fatalf("%s: %v", c.ID, err)
			}
		}
	} else if err := json.Unmarshal(c.Input, &in); err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	test := Absolute
	if in.Relative {
		test = Relative
	}
	e, err := test(Estimate{N: in.NA, Mean: in.MeanA, Variance: in.VarA}, Estimate{N: in.NB, Mean: in.MeanB, Variance: in.VarB}, Options{})
	compare("variance", e.StandardError*e.StandardError, err, decode[float64](t, c.ID, c.Expected))
}

func publishedPower(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in := decode[struct {
		Metric     plannedMetric
		Power      float64
		Total      float64 `json:"n_total"`
		Variations int     `json:"n_variations"`
		Alpha      float64
		TwoTailed  *bool   `json:"two_tailed"`
		Tuning     float64 `json:"sequential_tuning"`
		Prior      *publishedPrior
		Relative   *bool
	}](t, c.ID, c.Input)
	p := in.Metric.plan()
	p.Arms, p.Alpha, p.Tuning, p.Power, p.Prior = in.Variations, in.Alpha, in.Tuning, in.Power, in.Prior.belief()
	p.OneSided = in.TwoTailed != nil && !*in.TwoTailed
	p.Absolute = in.Relative != nil && !*in.Relative
	want := decode[float64](t, c.ID, c.Expected)
	if c.Kind == "mde" {
		got, err := p.MinimumEffect(in.Total)
		compare("least effect", got, err, want)
		return
	}
	got, err := p.PowerAt(in.Total)
	compare("power", got, err, want)
}

func publishedWeeks(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in := decode[struct {
		UsersPerWeek float64 `json:"users_per_week"`
		Variations   int     `json:"n_variations"`
		Weeks        int     `json:"n_weeks"`
		Alpha        float64
		Power        float64 `json:"target_power"`
		Metrics      map[string]plannedMetric
		Tuning       float64 `json:"sequential_tuning"`
		Prior        *publishedPrior
	}](t, c.ID, c.Input)
	want := decode[struct {
		Power  map[string][]float64
		MDE    map[string][]*float64
		Target map[string]*int `json:"weeks_to_target"`
	}](t, c.ID, c.Expected)
	for name, metric := range in.Metrics {
		p := metric.plan()
		p.Arms, p.Alpha, p.Power, p.Tuning, p.Prior = in.Variations, in.Alpha, in.Power, in.Tuning, in.Prior.belief()
		weeks, target, err := p.Weeks(in.UsersPerWeek, in.Weeks)
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		for i, w := range weeks {
			compare(fmt.Sprintf("power of %s in week %d", name, i+1), w.Power, nil, want.Power[name][i])
			if least := want.MDE[name][i]; least != nil {
				compare(fmt.Sprintf("least effect on %s in week %d", name, i+1), w.MinimumEffect, nil, *least)
			}
		}
		if first, ok := want.Target[name]; ok {
			expected := 0
			if first != nil {
				expected = *first
			}
			if target != expected {
				t.Errorf("%s: %s reaches its power in week %d, published %d", c.ID, name, target, expected)
			}
		}
	}
}

func publishedMidway(t *testing.T, c planningCase, all map[string]planningCase, compare comparer) {
	type input struct {
		SameAs             string `json:"same_as"`
		Control, Treatment gbStatistic
		DifferenceType     string `json:"difference_type"`
		Alpha              float64
		Power              float64 `json:"target_power"`
		Effect             float64 `json:"target_mde"`
		Goals              int     `json:"num_goal_metrics"`
		Variations         int     `json:"num_variations"`
		Tuning             float64 `json:"sequential_tuning"`
		Prior              *publishedPrior
	}
	in := decode[input](t, c.ID, c.Input)
	if in.SameAs != "" {
		from, ok := all[in.SameAs]
		if !ok {
			t.Errorf("%s: no case %q before it", c.ID, in.SameAs)
			return
		}
		merged := decode[input](t, c.ID, from.Input)
		if err := json.Unmarshal(c.Input, &merged); err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		in = merged
	}
	control, _, err := in.Control.estimate()
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	treatment, _, err := in.Treatment.estimate()
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	test := Absolute
	if in.DifferenceType == "relative" {
		test = Relative
	}
	e, err := test(control, treatment, Options{})
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	m := Midway{StandardError: e.StandardError, Units: e.N, Target: in.Effect, Alpha: in.Alpha, Power: in.Power,
		Goals: in.Goals, Tests: max(1, in.Goals) * max(1, in.Variations-1), Tuning: in.Tuning, Prior: in.Prior.belief()}
	want := decode[struct {
		Scale float64 `json:"scaling_factor"`
		Power float64
	}](t, c.ID, c.Expected)
	needed, err := m.Needed()
	compare("scale", needed.Scale, err, want.Scale)
	compare("power", needed.Power, err, want.Power)
}

func publishedFamily(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in := decode[struct {
		P      []float64
		Method string
	}](t, c.ID, c.Input)
	correction, ok := map[string]Correction{"holm-bonferroni": HolmCorrection, "benjamini-hochberg": BHCorrection}[in.Method]
	if !ok {
		t.Errorf("%s: unknown method %q", c.ID, in.Method)
		return
	}
	got, err := Adjust(correction, in.P)
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	for i, want := range c.InOrder {
		compare(fmt.Sprintf("p[%d]", i), got[i], nil, want)
	}
}

func publishedSize(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in := decode[struct {
		Effect   float64 `json:"absolute_mde"`
		Variance float64
		Baseline float64 `json:"baseline_proportion"`
		Alpha    float64
		Power    float64
		Split    []float64
	}](t, c.ID, c.Input)
	size := Size{Difference: in.Effect, ControlVariance: in.Variance, TreatmentVariance: in.Variance}
	if in.Baseline > 0 {
		var err error
		if size, err = ProportionSize(in.Baseline, in.Effect); err != nil {
			t.Errorf("%s: %v", c.ID, err)
			return
		}
	}
	size.Alpha, size.Power = in.Alpha, in.Power
	if len(in.Split) == 2 {
		size.ControlShare, size.TreatmentShare = in.Split[0], in.Split[1]
	}
	want := decode[struct {
		Total float64 `json:"n_total"`
	}](t, c.ID, c.Expected)
	units, err := size.Units()
	compare("units", float64(units), err, want.Total)
	t.Logf("%s: %d units, G*Power %g", c.ID, units, want.Total)
}

func publishedHalfWidth(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in := decode[struct{ S2, N, Tuning, Alpha float64 }](t, c.ID, c.Input)
	want := decode[struct {
		Rho               float64
		HalfWidth         float64 `json:"halfwidth_two_sided"`
		Rho1              float64 `json:"rho_one_sided"`
		HalfWidthOneSided float64 `json:"halfwidth_one_sided"`
	}](t, c.ID, c.Expected)
	two := Sequence{Alpha: in.Alpha, Tuning: in.Tuning}
	one := Sequence{Alpha: in.Alpha, Tuning: in.Tuning, Alternative: Greater}
	se := math.Sqrt(in.S2 / in.N)
	rho, err := two.Rho()
	compare("ρ", rho, err, want.Rho)
	half, err := two.HalfWidth(se, in.N)
	compare("half-width", half, err, want.HalfWidth)
	rho, err = one.Rho()
	compare("one-sided ρ", rho, err, want.Rho1)
	half, err = one.HalfWidth(se, in.N)
	compare("one-sided half-width", half, err, want.HalfWidthOneSided)
	// Eppo's formula is the same bound.
	eppo, err := EppoHalfWidth(se, in.N, in.Tuning, in.Alpha)
	compare("half-width by Howard's formula", eppo, err, want.HalfWidth)
}

// figures flattens a case's object (or bare number) into named figures, so that
// the kinds that come from formulas instead of code are read by any of the
// usual names of their parts.
type figures map[string]float64

func readFigures(t *testing.T, id string, raw json.RawMessage) figures {
	t.Helper()
	out := figures{}
	var bare number
	if json.Unmarshal(raw, &bare) == nil {
		out[""] = float64(bare)
		return out
	}
	for name, value := range decode[map[string]json.RawMessage](t, id, raw) {
		var v number
		if json.Unmarshal(value, &v) == nil {
			out[strings.ToLower(name)] = float64(v)
		}
	}
	return out
}

func (f figures) first(names ...string) (float64, bool) {
	for _, name := range names {
		if v, ok := f[name]; ok {
			return v, true
		}
	}
	return 0, false
}

func (f figures) or(value float64, names ...string) float64 {
	if v, ok := f.first(names...); ok {
		return v
	}
	return value
}

var halfWidthNames = []string{"", "halfwidth", "half_width", "halfwidth_two_sided", "eppo", "eppo_halfwidth"}

func publishedEppo(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in, want := readFigures(t, c.ID, c.Input), readFigures(t, c.ID, c.Expected)
	n, ok := in.first("n", "n_total")
	se := in.or(0, "se", "stddev", "standard_error")
	if se == 0 {
		variance := in.or(1, "s2", "variance", "sigma2")
		if sigma, given := in.first("sigma", "s", "sd"); given {
			variance = sigma * sigma
		}
		se = math.Sqrt(variance / n)
	}
	got, err := EppoHalfWidth(se, n, in.or(0, "tuning", "n_star", "nstar", "n_opt"), in.or(0.05, "alpha"))
	half, hasHalf := want.first(halfWidthNames...)
	z, hasZ := want.first("z", "z_seq", "multiplier", "z_star")
	if !ok || !hasHalf && !hasZ {
		t.Errorf("%s: the case's shape is not known: %s gives %s", c.ID, c.Input, c.Expected)
		return
	}
	if hasHalf {
		compare("half-width", got, err, half)
	}
	if hasZ {
		compare("multiplier", got/se, err, z)
	}
}

func publishedStatsig(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	in, want := readFigures(t, c.ID, c.Input), readFigures(t, c.ID, c.Expected)
	shared := in.or(1, "s2", "variance", "var", "sigma2")
	control := Estimate{Variance: in.or(shared, "s2_c", "var_c", "s2_a", "var_a", "variance_c", "s_c2")}
	treated := Estimate{Variance: in.or(shared, "s2_t", "var_t", "s2_b", "var_b", "variance_t", "s_t2")}
	half := in.or(0, "n") / 2
	control.N = int64(in.or(half, "n_c", "n_a", "n_control"))
	treated.N = int64(in.or(half, "n_t", "n_b", "n_treatment"))
	got, err := StatsigMultiplier(control, treated, in.or(0.05, "alpha"))
	z, hasZ := want.first("", "z", "z_star", "zstar", "z*", "multiplier")
	width, hasWidth := want.first("halfwidth", "half_width")
	if !hasZ && !hasWidth {
		t.Errorf("%s: the case's shape is not known: %s gives %s", c.ID, c.Input, c.Expected)
		return
	}
	if hasZ {
		compare("multiplier", got, err, z)
	}
	if hasWidth {
		se := math.Sqrt(control.Variance/float64(control.N) + treated.Variance/float64(treated.N))
		compare("half-width", got*se, err, width)
	}
}

func publishedBestArm(t *testing.T, c planningCase, _ map[string]planningCase, compare comparer) {
	lists := decode[map[string]json.RawMessage](t, c.ID, c.Input)
	list := func(names ...string) []float64 {
		for _, name := range names {
			var v []float64
			if raw, ok := lists[name]; ok && json.Unmarshal(raw, &v) == nil {
				return v
			}
		}
		return nil
	}
	means := list("means", "mean", "mu", "mus")
	deviations := list("sds", "sd", "sigmas", "sigma", "stds", "stddevs", "ses", "standard_errors")
	if deviations == nil {
		for _, v := range list("variances", "vars", "variance") {
			deviations = append(deviations, math.Sqrt(v))
		}
	}
	var want []float64
	if json.Unmarshal(c.Expected, &want) != nil {
		for _, raw := range decode[map[string]json.RawMessage](t, c.ID, c.Expected) {
			if json.Unmarshal(raw, &want) == nil {
				break
			}
		}
	}
	if len(means) == 0 || len(deviations) != len(means) || len(want) != len(means) {
		t.Errorf("%s: the case's shape is not known: %s gives %s", c.ID, c.Input, c.Expected)
		return
	}
	got, err := ProbabilityBest(means, deviations, false, 0)
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	for i := range want {
		compare(fmt.Sprintf("chance of arm %d", i), got[i], nil, want[i])
	}
}
