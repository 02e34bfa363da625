package stats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// The published cases are calls of GrowthBook's gbstats with their results. The
// runner goes by a case's method and by the types of its statistics, so that it
// runs any case whose shape is gbstats' own; a method, kind or type that it does
// not know fails the test by name.
//
// Where gbstats gives a figure that this package rightly does not give by
// default, the runner asks for it with an explicit option: Unchecked for sums
// that no values can have, PriorAsGiven for an absolute prior on a relative
// effect, VarianceFloor for quantiles.

type publishedCase struct {
	Section, ID, Kind, Method string
	Input                     map[string]json.RawMessage
	Expected                  json.RawMessage
	Tolerance                 json.RawMessage
}

// near uses the case's tolerance for a figure: a number, words that give one in
// relative terms, or one of these by figure. None is 1e-9 relative.
func (c publishedCase) near(name string, got, want, rounding float64) bool {
	if got == want {
		return true
	}
	allowed, err := toleranceOf(c.Tolerance, name, want)
	return err == nil && math.Abs(got-want) <= allowed+rounding
}

func toleranceOf(raw json.RawMessage, name string, want float64) (float64, error) {
	var byFigure map[string]json.RawMessage
	if json.Unmarshal(raw, &byFigure) == nil {
		whole, _, _ := strings.Cut(name, "[")
		for _, key := range []string{name, whole} {
			if own, ok := byFigure[key]; ok {
				return toleranceOf(own, "", want)
			}
		}
		raw = nil
	}
	text := strings.Trim(string(raw), `" `)
	if text == "" || text == "null" {
		return 1e-9 * math.Abs(want), nil
	}
	text, relative := strings.CutSuffix(text, "relative")
	text, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		v /= 100
	}
	if relative || percent {
		v *= math.Abs(want)
	}
	return v, err
}

// aliases are the names under which gbstats' releases and wrappers give one
// figure.
var aliases = map[string]string{
	"point_estimate": "expected", "uplift.mean": "expected", "mean_diff": "expected",
	"standard_error": "stddev", "uplift.stddev": "stddev", "std_diff": "stddev", "se": "stddev",
	"ci[0]": "lower", "ci[1]": "upper", "pvalue": "p_value", "chancetowin": "chance_to_win", "ctw": "chance_to_win",
	"pairwise_sample_size": "n", "relative_risk[0]": "risk[0]", "relative_risk[1]": "risk[1]",
	"updatedweights": "updated_weights", "bestarmprobabilities": "best_arm_probabilities",
}

// flatten names every number of a result: ci[0], uplift.stddev. Text is apart.
func flatten(prefix string, raw json.RawMessage, numbers map[string]float64, words map[string]string) {
	var list []json.RawMessage
	var object map[string]json.RawMessage
	var v gbFloat
	var text string
	switch {
	case bytes.Equal(bytes.TrimSpace(raw), []byte("null")):
		if strings.HasPrefix(prefix, "ci[") {
			numbers[prefix] = math.NaN() // an open side
		}
	case json.Unmarshal(raw, &list) == nil:
		for i, item := range list {
			flatten(fmt.Sprintf("%s[%d]", prefix, i), item, numbers, words)
		}
	case json.Unmarshal(raw, &object) == nil:
		for name, item := range object {
			if prefix != "" {
				name = prefix + "." + name
			}
			flatten(name, item, numbers, words)
		}
	case json.Unmarshal(raw, &v) == nil:
		numbers[prefix] = float64(v)
	case json.Unmarshal(raw, &text) == nil:
		words[prefix] = text
	}
}

// refusals are gbstats' messages and the reasons this package has for them.
var refusals = map[string][]Reason{
	"ZERO_NEGATIVE_VARIANCE":                               {ZeroVariance, TooFewUnits, ImpossibleSums, PrecisionLost, DenominatorNotPositive, NotFinite},
	"ZERO_NEGATIVE_BASELINE_VARIATION":                     {ZeroBaseline, DenominatorNotPositive, TooFewUnits, ZeroVariance},
	"NO_UNITS_IN_VARIATION":                                {TooFewUnits, InvalidOption},
	"ZERO_SCALED_VARIATION_WEIGHT":                         {InvalidOption},
	"ALPHA_GREATER_THAN_0.5_FOR_SEQUENTIAL_ONE_SIDED_TEST": {InvalidOption},
}

// check runs a case and compares all figures it knows.
func (c publishedCase) check(t *testing.T) {
	numbers, words := map[string]float64{}, map[string]string{}
	flatten("", c.Expected, numbers, words)
	got, err := c.run()
	for _, name := range []string{"error_message", "errorMessage", "p_value_error_message", "pValueErrorMessage", "error"} {
		if message := words[name]; message != "" {
			reasons, known := refusals[message]
			switch p := AsProblem(err); {
			case p == nil:
				t.Errorf("%s: got %v (%v), gbstats refuses: %s", c.ID, got, err, message)
			case known && !slices.Contains(reasons, p.Reason):
				t.Errorf("%s: refused for %s (%v), by gbstats for %s", c.ID, p.Reason, err, message)
			}
			return
		}
	}
	if err != nil {
		t.Errorf("%s (%s, %s): %v", c.ID, c.Kind, c.Method, err)
		return
	}
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		want := numbers[name]
		figure := name
		if alias, ok := aliases[strings.ToLower(figure)]; ok {
			figure = alias
		}
		value, ok := got[figure]
		if !ok {
			last := figure[strings.LastIndex(figure, ".")+1:]
			if alias, known := aliases[last]; known {
				last = alias
			}
			value, ok = got[last]
		}
		if !ok {
			if value, ok = c.unadjusted(figure); !ok {
				t.Logf("%s: %s = %g is not a figure of this package", c.ID, name, want)
				continue
			}
		}
		compared++
		if math.IsNaN(want) && math.IsInf(value, 0) {
			continue // an open side
		}
		if c.sampled(figure, numbers) && math.Abs(value-want) <= 0.02 {
			continue
		}
		if !c.near(name, value, want, c.rounding(figure, got)) {
			t.Errorf("%s (%s, %s): %s is %.16g, published %.16g", c.ID, c.Kind, c.Method, name, value, want)
		}
	}
	c.checkRaw(t)
	if compared == 0 {
		t.Errorf("%s (%s, %s): no figure of %s could be compared", c.ID, c.Kind, c.Method, c.Expected)
	}
}

// sampled says that a bandit's probability or weight was drawn by gbstats (with
// 10,000 draws from a seed): its probabilities are whole numbers of draws.
func (c publishedCase) sampled(figure string, numbers map[string]float64) bool {
	if !strings.HasPrefix(figure, "best_arm") && !strings.HasPrefix(figure, "bandit_w") && !strings.HasPrefix(figure, "updated_w") {
		return false
	}
	probabilities := 0
	for name, p := range numbers {
		if strings.HasPrefix(name, "best_arm") {
			probabilities++
			if math.Abs(p*1e4-math.Round(p*1e4)) > 1e-6 {
				return false
			}
		}
	}
	return probabilities > 0
}

// checkRaw adds up the single values that some cases carry, where they are a
// plain list per arm (or the list y of several), and compares with the sums.
func (c publishedCase) checkRaw(t *testing.T) {
	raw, err := one[map[string]json.RawMessage](c.Input, "raw")
	if err != nil {
		return
	}
	pairs, err := c.pairs()
	if err != nil || len(pairs) != 1 {
		return
	}
	for i, arm := range []string{"control", "treatment"} {
		s := pairs[0][i]
		values, err := one[[]float64](*raw, arm)
		if err != nil {
			lists, err := one[map[string]json.RawMessage](*raw, arm)
			if err != nil {
				continue
			}
			if values, err = one[[]float64](*lists, "y", "post", "values"); err != nil {
				continue
			}
		}
		if s.Post != nil {
			s = s.Post
		}
		if s.Type != "SampleMeanStatistic" && s.Type != "ProportionStatistic" {
			continue
		}
		var m Moments
		for _, y := range *values {
			m.Add(y)
		}
		if m.N() != s.N || !relativelyNear(m.mean*float64(m.n), s.Sum, 1e-9) {
			t.Errorf("%s: %d raw values of %s sum to %g, the statistic has %d and %g", c.ID, m.N(), arm, m.mean*float64(m.n), s.N, s.Sum)
		}
	}
}

// rounding is the error that gbstats' own arithmetic has at least: probabilities
// come as 1 − cdf, bounds and risks as sums of larger terms.
func (c publishedCase) rounding(figure string, got published) float64 {
	const ulps = 4e-15
	switch {
	case figure == "p_value" || figure == "chance_to_win":
		return ulps
	case figure == "lower" || figure == "upper" || figure == "expected":
		return ulps*math.Abs(got["expected"]) + 1e-10*got["stddev"]
	case strings.HasPrefix(figure, "risk"):
		return 1e-11*got["stddev"] + ulps*math.Abs(got["expected"])
	}
	return 0
}

// unadjusted gives the figures of single arms that some cases state.
func (c publishedCase) unadjusted(figure string) (float64, bool) {
	arm, ok := map[string]int{"control_mean": 0, "treatment_mean": 1, "control_mean_unadjusted": 0, "treatment_mean_unadjusted": 1}[figure]
	if !ok {
		return 0, false
	}
	pairs, err := c.pairs()
	if err != nil || len(pairs) != 1 {
		return 0, false
	}
	e, _, err := pairs[0][arm].estimate()
	return e.Mean, err == nil
}

// TestPublishedCases runs every case of GrowthBook's gbstats but those of
// planning and of single formulas, which TestPublishedPlanning runs.
func TestPublishedCases(t *testing.T) {
	t.Parallel()
	var file map[string]json.RawMessage
	if err := json.NewDecoder(dataFile(t, "gbstats_cases.json")).Decode(&file); err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for _, section := range slices.Sorted(maps.Keys(file)) {
		if section == "meta" || section == "planning" || section == "misc" {
			continue
		}
		var raw []json.RawMessage
		if err := json.Unmarshal(file[section], &raw); err != nil {
			t.Errorf("section %s: %v", section, err)
			continue
		}
		for i, item := range raw {
			c := publishedCase{Section: section, ID: fmt.Sprintf("%s[%d]", section, i)}
			var head struct{ ID, Kind string }
			if err := json.Unmarshal(item, &head); err != nil {
				t.Errorf("%s: %v", c.ID, err)
				continue
			}
			if head.ID != "" {
				c.ID += " " + head.ID
			}
			ran[section+"/"+head.Kind]++
			if run, ok := planningKinds[head.Kind]; ok {
				runPlanning(t, c.ID, item, run)
				continue
			}
			id := c.ID
			if err := json.Unmarshal(item, &c); err != nil {
				t.Errorf("%s (%s): %v", id, head.Kind, err)
				continue
			}
			c.Section, c.ID = section, id
			if c.Kind == "srm" {
				checkPublishedSplit(t, c)
				continue
			}
			c.check(t)
		}
	}
	t.Logf("cases: %v", ran)
	if ran["srm/srm"] == 0 || ran["headline/frequentist"] == 0 || ran["headline/bayesian"] == 0 {
		t.Errorf("only %v ran", ran)
	}
}

// runPlanning hands a case to the runner of its kind.
func runPlanning(t *testing.T, id string, item json.RawMessage, run func(*testing.T, planningCase, map[string]planningCase, comparer)) {
	t.Helper()
	var c planningCase
	if err := json.Unmarshal(item, &c); err != nil {
		t.Errorf("%s: %v", id, err)
		return
	}
	c.ID = id
	run(t, c, map[string]planningCase{}, func(what string, got float64, err error, want float64) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %s: %v", id, what, err)
		} else if !near(got, want, c.within(t, want)) {
			t.Errorf("%s: %s is %.12g, published %.12g", id, what, got, want)
		}
	})
}

// checkPublishedSplit compares split checks. gbstats counts an arm of weight
// zero as a degree of freedom; the check here rightly does not, so that its χ²
// is compared through the same number of degrees.
func checkPublishedSplit(t *testing.T, c publishedCase) {
	users, err := one[[]int64](c.Input, "users", "observed")
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	weights, err := one[[]float64](c.Input, "weights")
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	numbers, words := map[string]float64{}, map[string]string{}
	flatten("", c.Expected, numbers, words)
	var sum float64
	for _, w := range *weights {
		sum += w
	}
	shares := make([]float64, len(*weights))
	idle := int64(0)
	for i, w := range *weights {
		shares[i] = w / sum
		if w == 0 {
			idle += (*users)[i]
		}
	}
	want, ok := numbers["p_value"]
	if !ok {
		want = numbers[""]
	}
	got, err := CheckSplit(*users, shares)
	if AsProblem(err) != nil && AsProblem(err).Reason == TooFewUnits && (want == 1 || got.PValue == 1) {
		return // gbstats says 1 where there is nothing to judge
	}
	p := got.PValue
	if degrees := len(*users) - 1; degrees != got.DegreesOfFreedom && idle == 0 {
		p = distuv.ChiSquared{K: float64(degrees)}.Survival(got.ChiSquared)
	}
	if err != nil || !c.near("p_value", p, want, 4e-15) {
		t.Errorf("%s: split %v by %v: p is %.16g (%v), published %.16g", c.ID, *users, *weights, p, err, want)
	}
}
