package offpolicy

import (
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const obdFolder = "../../../shared/data/obd"

// obdRow is a row of the Open Bandit Dataset.
type obdRow struct {
	item, position int
	click          float64
	propensity     float64
}

func readCSV(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(obdFolder, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the Open Bandit Dataset is not at %s", obdFolder)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func readOBD(t *testing.T, behaviour string) []obdRow {
	t.Helper()
	rows := readCSV(t, behaviour+"/men/men.csv")
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	out := make([]obdRow, 0, len(rows)-1)
	for _, row := range rows[1:] {
		out = append(out, obdRow{
			item: int(number(t, row[column["item_id"]])), position: int(number(t, row[column["position"]])),
			click: number(t, row[column["click"]]), propensity: number(t, row[column["propensity_score"]]),
		})
	}
	return out
}

// obdLog makes a log whose model of the reward is the click rate of each item, shrunk to that of all by 100.
func obdLog(rows []obdRow, target func(item, position int) float64) Log {
	const items, positions, prior = 34, 3, 100.0
	var clicks, shown [items]float64
	var all float64
	for _, r := range rows {
		clicks[r.item] += r.click
		shown[r.item]++
		all += r.click
	}
	all /= float64(len(rows))
	expected := func(item int) float64 { return (clicks[item] + prior*all) / (shown[item] + prior) }
	var value [positions + 1]float64
	for k := 1; k <= positions; k++ {
		for item := range items {
			value[k] += target(item, k) * expected(item)
		}
	}
	l := make(Log, len(rows))
	for i, r := range rows {
		l[i] = Decision{Reward: r.click, Propensity: r.propensity, Target: target(r.item, r.position), Expected: expected(r.item), Value: value[r.position]}
	}
	return l
}

// The figures were computed outside of this project on the same rows: men's campaign, in both directions.
func TestOpenBanditDataset(t *testing.T) {
	t.Parallel()
	exact := readCSV(t, "bts_exact_rank_probs_men.csv")
	sampler := func(item, position int) float64 { return number(t, exact[item][position-1]) }
	uniform := func(int, int) float64 { return 1.0 / 34 }
	type want struct {
		estimator Estimator
		value     float64
		name      string
	}
	for _, c := range []struct {
		behaviour                   string
		target                      func(item, position int) float64
		want                        []want
		standardError               float64
		effective, mean, max        float64
		onPolicy                    float64
		supported                   bool
		effectiveSlack, weightSlack float64
	}{
		{"random", sampler, []want{
			{IPS, .00454006, "ips"}, {SNIPS, .00461021, "snips"}, {DM, .00500979, "dm"}, {DR, .00463401, "dr"},
			{SNDR, .00462821, "sndr"}, {SwitchDR(5), .00484124, "switch-dr"}, {DRos(10), .00495177, "dr-os"},
		}, .00118207, 2474.27, .984782, 10.6661, .0046, true, .01, 1e-4},
		{"bts", uniform, []want{{IPS, .00300863, "ips"}, {SNIPS, .00318942, "snips"}}, math.NaN(), 655.7, math.NaN(), 178.25, .0069, false, .05, .01},
	} {
		rows := readOBD(t, c.behaviour)
		l := obdLog(rows, c.target)
		if err := l.Check(); err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			e := w.estimator(l)
			if math.Abs(e.Value-w.value) > 1e-6 || e.Estimator != w.name {
				t.Errorf("%s: %s of %s is %.8f, want %.8f", c.behaviour, w.name, e.Estimator, e.Value, w.value)
			}
		}
		if e := IPS(l); !math.IsNaN(c.standardError) && math.Abs(e.StandardError-c.standardError) > 1e-6 {
			t.Errorf("%s: standard error %.8f, want %.8f", c.behaviour, e.StandardError, c.standardError)
		}
		o := l.Diagnose()
		if math.Abs(o.EffectiveSize-c.effective) > c.effectiveSlack || math.Abs(o.MaxWeight-c.max) > c.weightSlack {
			t.Errorf("%s: effective size %.3f, largest weight %.4f, want %v and %v", c.behaviour, o.EffectiveSize, o.MaxWeight, c.effective, c.max)
		}
		if !math.IsNaN(c.mean) && math.Abs(o.MeanWeight-c.mean) > 1e-6 {
			t.Errorf("%s: mean weight %.7f, want %v", c.behaviour, o.MeanWeight, c.mean)
		}
		var clicks float64
		for _, r := range rows {
			clicks += r.click
		}
		if got := clicks / float64(len(rows)); math.Abs(got-c.onPolicy) > 1e-9 {
			t.Errorf("%s: click rate %v, want %v", c.behaviour, got, c.onPolicy)
		}
		err := o.Check(DefaultBounds())
		var refused *NoSupportError
		if c.supported != (err == nil) || err != nil && !errors.As(err, &refused) {
			t.Errorf("%s: %v", c.behaviour, err)
		}
	}
}
