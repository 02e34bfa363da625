package decide

import (
	"encoding/json"
	"testing"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/internal/definitions"
	"quintet/profiles"
)

// standingPoint is a point with the universal holdout, an experiment with an audience
// in a layer, and groups that come first.
func standingPoint() (*experiments.Plan, *point, *subject) {
	e := experiments.Experiment{DecisionPoint: "home", Status: experiments.Running, Salt: "trial", Coverage: .9, Variants: halves(), Targeting: experiments.Targeting{
		Audience: json.RawMessage(`{"plan":"paid","context.device":"mobile"}`), Layers: []experiments.LayerRange{{Layer: "l", From: 0, To: 1}}}}
	holdout := experiments.Holdout{Share: .05, Salt: "universal-holdout", Ranges: &experiments.HoldoutRanges{Comparison: &assignment.Range{From: .95, To: 1}}}
	plan := experiments.Compile(experiments.Sources{
		Experiments: map[string]definitions.Versioned[experiments.Experiment]{"trial": {Key: "trial", Version: 2, Value: e}},
		Layers:      map[string]definitions.Versioned[experiments.Layer]{"l": {Key: "l", Value: experiments.Layer{Salt: "layer:l"}}},
		Holdouts:    map[string]definitions.Versioned[experiments.Holdout]{experiments.UniversalHoldout: {Key: experiments.UniversalHoldout, Version: 1, Value: holdout}},
	})
	p := &point{key: "home", version: 3, def: DecisionPoint{Class: ClassAdvertising, Policy: Policy{Type: PolicyBandit}, DefaultAction: NoneAction, Groups: &Groups{Random: .05, BusinessAsUsual: .05}},
		overrides: map[string]Policy{`{"type":"uniform"}`: {Type: PolicyUniform}}}
	p.compileGroups()
	p.holdouts, p.audience = p.respects(plan), plan.Reads("home")
	view := &profiles.View{ID: "01j9z3k7w8v5n4m2x1c0b9a8s7", Traits: map[string]any{"plan": "paid"}}
	return plan, p, &subject{profile: view.ID, view: view, context: map[string]any{"device": "mobile"}}
}

func TestEnrollingDoesNotAllocate(t *testing.T) {
	plan, p, s := standingPoint()
	rec := &Record{ProfileID: s.profile, DecidedAt: time.Now()}
	enrol(plan, p, s, rec)
	if len(rec.Experiments) != 3 || rec.variant("trial") == "" {
		t.Fatalf("enrolled in %v, out of %v", rec.Experiments, rec.Excluded)
	}
	if n := testing.AllocsPerRun(1000, func() {
		rec.Experiments, rec.Excluded = rec.Experiments[:0], rec.Excluded[:0]
		enrol(plan, p, s, rec)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// BenchmarkEnrol prints beside its time that of one bucket in the same run.
func BenchmarkEnrol(b *testing.B) {
	plan, p, s := standingPoint()
	rec := &Record{ProfileID: s.profile, DecidedAt: time.Now()}
	began, sum := time.Now(), 0.0
	const rounds = 1_000_000
	for range rounds {
		sum += experiments.Bucket("universal-holdout", s.profile)
	}
	bucket := float64(time.Since(began).Nanoseconds()) / rounds
	if sum == 0 {
		b.Fatal("nothing was hashed")
	}
	b.ReportAllocs()
	for b.Loop() {
		rec.Experiments, rec.Excluded = rec.Experiments[:0], rec.Excluded[:0]
		enrol(plan, p, s, rec)
	}
	b.ReportMetric(bucket, "ns/bucket")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/bucket, "x-bucket")
}
