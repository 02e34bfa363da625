package stats

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// The runner of published cases reads every shape that gbstats' statistics and
// their wrappers have, also those of which the file has no example, and does
// not pass over what it does not know.
func TestPublishedShapes(t *testing.T) {
	t.Parallel()
	statistic := func(r [15]float64) string {
		return fmt.Sprintf(`{"type":"SampleMeanStatistic","n":%v,"sum":%v,"sum_squares":%v}`, r[0], r[1], r[2])
	}
	var control, treatment, pairs, named []string
	for i := 0; i < len(publishedStrata); i += 2 {
		a, b := statistic(publishedStrata[i]), statistic(publishedStrata[i+1])
		control, treatment = append(control, a), append(treatment, b)
		pairs = append(pairs, "["+a+","+b+"]")
		named = append(named, `{"control":`+a+`,"treatment":`+b+`}`)
	}
	list := func(items []string) string { return "[" + strings.Join(items, ",") + "]" }
	stratified := `"config":{"difference_type":"absolute","post_stratify":true}`
	plain := func(with string) string { return `"control":` + control[0] + `,"treatment":` + treatment[0] + with }
	const se = 0.37634374823059685
	for _, c := range []struct {
		name, kind, method, input string
		want                      float64
		figure, problem           string
	}{
		{"two lists", "frequentist", "TwoSidedTTest", `"control":` + list(control) + `,"treatment":` + list(treatment) + `,` + stratified, se, "stddev", ""},
		{"a list of pairs", "frequentist", "OneSidedTreatmentGreaterTTest", `"stats":` + list(pairs) + `,` + stratified, se, "stddev", ""},
		{"strata by name", "post_stratify", "EffectMomentsPostStratification", `"strata":` + list(named) + `,"config":{"difference_type":"absolute"}`, se, "stddev", ""},
		{"strata by kind", "post_stratify", "TwoSidedTTest", `"strata":` + list(named) + `,"config":{"difference_type":"absolute"}`, se, "stddev", ""},
		{"options beside the arms", "frequentist", "TwoSidedTTest", plain(`,"difference_type":"absolute"`), 708.1220000911836/42 - 330.0696210595999/21, "expected", ""},
		{"scaled", "frequentist", "TwoSidedTTest", plain(`,"config":{"difference_type":"scaled","total_users":600,"traffic_percentage":0.5,"phase_length_days":10}`), 120 * (708.1220000911836/42 - 330.0696210595999/21), "expected", ""},
		{"method in words", "sequential", "SequentialTwoSidedTTest(rho)", plain(`,"config":{"difference_type":"absolute","rho":0.03984006677137368}`), 708.1220000911836/42 - 330.0696210595999/21, "expected", ""},
		{"given slopes", "frequentist", "TwoSidedTTest", `"control":{"type":"RegressionAdjustedStatistic","n":10,"post_statistic":{"type":"SampleMeanStatistic","n":10,"sum":20,"sum_squares":50},"pre_statistic":{"type":"SampleMeanStatistic","n":10,"sum":10,"sum_squares":19},"post_pre_sum_of_products":25,"theta":0.5},
			"treatment":{"type":"RegressionAdjustedStatistic","n":10,"post_statistic":{"type":"SampleMeanStatistic","n":10,"sum":30,"sum_squares":99},"pre_statistic":{"type":"SampleMeanStatistic","n":10,"sum":12,"sum_squares":19},"post_pre_sum_of_products":38,"theta":0.5},"config":{"difference_type":"absolute"}`, 0.9, "expected", ""},
		{"unknown type", "frequentist", "TwoSidedTTest", `"control":{"type":"MedianStatistic","n":9},"treatment":{"type":"MedianStatistic","n":9}`, 0, "", `unknown type of statistic "MedianStatistic"`},
		{"unknown method", "frequentist", "MannWhitneyTest", plain(""), 0, "", `unknown kind "frequentist" with method "MannWhitneyTest"`},
		{"no arms", "frequentist", "TwoSidedTTest", `"config":{}`, 0, "", "none of"},
	} {
		k := publishedCase{ID: c.name, Kind: c.kind, Method: c.method}
		if err := json.Unmarshal([]byte("{"+c.input+"}"), &k.Input); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := k.run()
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: got %v (%v), want %s", c.name, got, err, c.problem)
			}
			continue
		}
		if err != nil || !relativelyNear(got[c.figure], c.want, 1e-10) {
			t.Errorf("%s: %s is %.16g (%v), want %.16g", c.name, c.figure, got[c.figure], err, c.want)
		}
	}
}
