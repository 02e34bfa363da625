package quality

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func near(got, want float64) bool {
	return math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) < 1e-9
}

// The numbers are computed by hand from the formula in docs/data-quality.md.
func TestJudge(t *testing.T) {
	t.Parallel()
	day := []tally{
		{source: "shop", event: "Bought", present: 100, presentBefore: 200, late: 10},
		// Expected: it was in 180 of 200. Filled 90 − 10 of 100; 72 of 90 values are numbers.
		{source: "shop", event: "Bought", field: "properties.total", present: 90, empty: 10, types: [5]uint64{18, 72}, presentBefore: 190, emptyBefore: 10},
		// Not expected: it was in 100 of 200. 40 of 50 texts are addresses.
		{source: "shop", event: "Bought", field: "properties.contact", present: 50, types: [5]uint64{50}, formats: [5]uint64{0, 40}, presentBefore: 100},
		// Declared: 5 of 20 break it.
		{source: "shop", event: "Bought", field: "traits.plan", present: 20, types: [5]uint64{20}, checked: 20, broken: 5, presentBefore: 20},
		{source: "till", event: "Bought", present: 10, presentBefore: 10},
		// A text where nearly all values of the field are numbers.
		{source: "till", event: "Bought", field: "properties.total", present: 10, types: [5]uint64{10}, presentBefore: 10},
	}
	doors := map[string]door{
		"shop": {intakeCounts: intakeCounts{accepted: 120, repeated: 20, refused: 30}, lag: lags{lagBucket(5): 80, lagBucket(4000): 20}},
	}
	scores := judge(day, doors, func(event string) []string {
		if event == "Bought" {
			return []string{"properties.currency"} // which nobody sends
		}
		return nil
	})
	shop, till := scores["shop"], scores["till"]
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"completeness", shop.completeness, 100 * 80.0 / 200},
		{"validity", shop.validity, 100 * (80*0.8 + 50*0.8 + 20*0.75) / 150 * (120.0 / 150)},
		{"uniqueness", shop.uniqueness, 100 * 100.0 / 120},
		{"timeliness", shop.timeliness, (90 + 80) / 2.0},
		{"consistency", shop.consistency, 100 * (72.0 + 50 + 20) / 160},
		{"total", shop.total, 0.25*shop.completeness + 0.25*shop.validity + 0.15*shop.uniqueness + 0.2*shop.timeliness + 0.15*shop.consistency},
		{"completeness of tills", till.completeness, 100 * 10.0 / 20},
		{"validity of tills", till.validity, 100},
		{"uniqueness of tills", till.uniqueness, math.NaN()},
		{"timeliness of tills", till.timeliness, 100},
		{"consistency of tills", till.consistency, 0},
		{"total of tills", till.total, (0.25*50 + 0.25*100 + 0.2*100) / 0.85},
	} {
		if !near(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if shop.events != 100 || till.events != 10 || len(scores) != 2 {
		t.Errorf("the scores are %v", scores)
	}
}

func TestAnomaly(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 30, 12, 20, 0, 0, time.UTC)
	last := now.Truncate(time.Hour).Add(-time.Hour)
	const week = 7 * 24 * time.Hour
	past := func(values ...uint64) hours {
		h := hours{}
		for i, v := range values {
			h[last.Add(-time.Duration(i+1)*week).Unix()] = v
		}
		return h
	}
	for _, c := range []struct {
		name    string
		past    hours
		current uint64
		z       float64
		verdict string
	}{
		// Median 100, deviations 0, 10, 10, 0, 900: MAD 10, scale max(14.826, 10, 1).
		{"as usual, one week aside", past(100, 110, 90, 100, 1000), 120, 20 / 14.826, "usual"},
		{"above", past(100, 110, 90, 100, 1000), 160, 60 / 14.826, "above"},
		{"below", past(100, 110, 90, 100, 1000), 0, -100 / 14.826, "below"},
		// All alike: chance alone counts, √100.
		{"within chance", past(100, 100, 100), 139, 3.9, "usual"},
		{"beyond chance", past(100, 100, 100), 140, 4, "above"},
		{"two weeks are too few", past(100, 100), 0, 0, "unknown"},
		{"nothing", hours{}, 0, 0, "unknown"},
	} {
		c.past[last.Unix()] = c.current
		if a := c.past.anomaly(now); a.Verdict != c.verdict || math.Abs(a.Z-c.z) > 1e-9 || a.Events != c.current {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}

func TestUsualSilence(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 30, 12, 20, 0, 0, time.UTC)
	h := hours{}
	for day := range 10 { // from 8 to 20 o'clock
		for hour := 8; hour <= 20; hour++ {
			h[time.Date(2026, 3, 20+day, hour, 0, 0, 0, time.UTC).Unix()] = 5
		}
	}
	if got := h.usualSilence(now); got != 13*time.Hour {
		t.Errorf("silent from 20 to 8: %v, want 12 hours and one", got)
	}
	if got := (hours{now.Truncate(time.Hour).Unix(): 1}).usualSilence(now); got != silentDefault {
		t.Errorf("a new source: %v", got)
	}
}

func TestLags(t *testing.T) {
	t.Parallel()
	l := lags{}
	for ms := int64(1); ms <= 1000; ms++ {
		l[lagBucket(ms)]++
	}
	for q, want := range map[float64]float64{.5: 500, .95: 950, .99: 990, 1: 1000} {
		if got := l.quantile(q); got < want || got > 1.095*want+1 {
			t.Errorf("the quantile %v is %v, want %v to 9 %% more", q, got, want)
		}
	}
	if got := l.within(time.Second); got < 0.9 || got > 1 {
		t.Errorf("within a second: %v", got)
	}
	if !math.IsNaN(lags{}.quantile(.5)) || lagBucket(-5) != 0 || lagBucket(math.MaxInt64) != maxLagBucket || lagEdge(0) != 0 {
		t.Error("the ends are wrong")
	}
}

func TestSketch(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 37, 500, 5000, 200_000} {
		whole, a, b := &counts{}, &counts{}, &counts{}
		for i := range n {
			text := fmt.Sprintf("%q", fmt.Sprint("value ", i))
			whole.sketch(text)
			if i%3 > 0 {
				a.sketch(text)
			}
			if i%3 < 2 {
				b.sketch(text)
			}
		}
		got := whole.distinct.sketch().estimate()
		if math.Abs(got-float64(n)) > 0.1*float64(n) { // three standard errors
			t.Errorf("%d values are estimated as %v", n, got)
		}
		merged := sketch{}
		for _, s := range []sketch{a.distinct.sketch(), b.distinct.sketch()} {
			for at, rank := range s {
				merged[at] = max(merged[at], rank)
			}
		}
		if merged.estimate() != got {
			t.Errorf("of %d values, merged sketches say %v, one says %v", n, merged.estimate(), got)
		}
	}
}

func TestSourcesAndScores(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	list := messages(40)
	b.Track(list...)
	b.Track(list[:10]...)
	b.Call("POST", "/v1/track", `{"userId":"u"}`)
	b.flush()
	today := time.Now().UTC().Format(time.DateOnly)
	for range 2 { // computed again it replaces
		if out := b.Must("POST", "/v1/source-scores/compute", fmt.Sprintf(`{"from":%q,"to":%q}`, today, today)); out["written"] != 1.0 {
			t.Fatalf("written are %v", out)
		}
	}
	scores := items(b.Must("GET", "/v1/sources/k1/scores", ""))
	if len(scores) != 1 || scores[0]["uniqueness"].(float64) != 80 || scores[0]["day"] != today || scores[0]["events"] != 40.0 {
		t.Errorf("the scores are %v", scores)
	}
	sources := items(b.Must("GET", "/v1/sources", ""))
	if len(sources) != 1 {
		t.Fatalf("the sources are %v", sources)
	}
	s := sources[0]
	if s["name"] != "shop" || s["accepted"] != 50.0 || s["repeated"] != 10.0 || s["refused"] != 1.0 || s["quarantined"] != 1.0 || s["eventNames"] != 1.0 ||
		s["events"].(map[string]any)["today"] != 40.0 || s["score"] == nil || s["freshnessSeconds"].(float64) > 60 {
		t.Errorf("the source is %v", s)
	}
	if lag := s["lag"].(map[string]any); lag["events"] != 40.0 || lag["p95"].(float64) < 0 || lag["p95"].(float64) > 30_000 {
		t.Errorf("the lag is %v", lag)
	}
	for _, bad := range []string{"/v1/sources/k1/scores?from=x", "/v1/sources/k1/scores?from=2026-02-01&to=2026-01-01", "/v1/sources/k1/fields?limit=0", "/v1/sources/k1/fields?from=0001-01-01&to=9999-01-01"} {
		if status, out := b.Call("GET", bad, ""); status != 422 {
			t.Errorf("%s is answered with %d %v", bad, status, out)
		}
	}
	b.shift.Store(int64(26 * time.Hour))
	if text := fmt.Sprint(items(b.Must("GET", "/v1/sources", ""))[0]["problems"]); !contains(text, "silent", "quarantine") {
		t.Errorf("the problems are %s", text)
	}
}
