package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"quintet/experiments/assignment"
	"quintet/internal/problem"
)

func checks(steps []assignment.TraceStep) (out []string) {
	for _, s := range steps {
		mark := ""
		if !s.Passed {
			mark = "!"
		}
		out = append(out, mark+s.Check)
	}
	return out
}

// An audit uses the definitions that were valid at the moment, and what was recorded
// then.
func TestAuditOfThePast(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ctx := t.Context()
	s.person = func(unit string) (PersonFacts, bool) {
		return PersonFacts{Profile: unit, Identifiers: []assignment.Identifier{{Namespace: "userId", Value: unit}}, Attributes: map[string]any{"plan": "free"}}, true
	}
	groups := PointGroups{Random: .2, BusinessAsUsual: .2, Advertising: true}
	s.pointAt = func(context.Context, string, time.Time) (PointStanding, bool, error) {
		return PointStanding{Advertising: true, Groups: &groups}, true, nil
	}
	e := halves()
	e.Coverage, e.Audience = .5, json.RawMessage(`{"plan":"paid"}`)
	put(t, s.experiments, "hero", e)
	draft := s.now()
	time.Sleep(5 * time.Millisecond)
	if _, err := s.Start(ctx, "hero", "test"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	running := s.now()
	time.Sleep(5 * time.Millisecond)
	v, _ := s.experiments.Get("hero")
	wide := v.Value
	wide.Coverage = 1
	put(t, s.experiments, "hero", wide)
	time.Sleep(5 * time.Millisecond)

	// Of each kind one person, by what is published of the assignment.
	find := func(what string, fits func(u string) bool) string {
		for i := range 10_000 {
			if u := fmt.Sprint(what, i); fits(u) {
				return u
			}
		}
		t.Fatalf("nobody is %s", what)
		return ""
	}
	free := func(u string) bool {
		b, g := Bucket(UniversalExperiment, u), Bucket(GroupsExperiment("home-hero"), u)
		return b >= .05 && b < .95 && g >= .2 && g < .8
	}
	covered := func(u string) bool { return Bucket(assignment.CoverageSalt("hero"), u) < .5 }
	in := find("in", func(u string) bool { return free(u) && covered(u) })
	late := find("late", func(u string) bool { return free(u) && !covered(u) })
	held := find("held", func(u string) bool { return Bucket(UniversalExperiment, u) < .05 })
	compared := find("compared", func(u string) bool { return Bucket(UniversalExperiment, u) >= .95 })
	random := find("random", func(u string) bool {
		b := Bucket(UniversalExperiment, u)
		return b >= .05 && b < .95 && Bucket(GroupsExperiment("home-hero"), u) < .2
	})
	variant := halves().Variants[Assign("hero", in, []float64{.5, .5})].Key
	insert(t, db, "decisions (decision_id, decision_point, profile_id, decided_at, experiments, variants, experiment_versions, experiment_how, audience, context)", 2, func(i int) []any {
		who := []string{in, late}[i]
		keys, variants, versions, how := []string{"hero"}, []string{variant}, []uint64{2}, []string{""}
		if i == 1 {
			keys, variants, versions, how = []string{}, []string{}, []uint64{}, []string{}
		}
		return []any{fmt.Sprint("decision-", i), "home-hero", who, running.Add(-time.Millisecond), keys, variants, versions, how, `{"plan":"paid"}`, `{"device":"mobile"}`}
	})
	now := s.now()
	for _, c := range []struct {
		name, unit string
		at         time.Time
		version    int64
		variant    string
		reason     string
		steps      []string
	}{
		{"a draft", in, draft, 1, "", "not-running", []string{"holdout", "group", "unit", "!status"}},
		{"running", in, running, 2, variant, "", []string{"holdout", "group", "unit", "status", "schedule", "audience", "coverage", "variant"}},
		{"out of coverage then", late, running, 2, "", "coverage", []string{"holdout", "group", "unit", "status", "schedule", "audience", "!coverage"}},
		{"within it now", late, now, 3, halves().Variants[Assign("hero", late, []float64{.5, .5})].Key, "", []string{"holdout", "group", "unit", "status", "schedule", "audience", "variant"}},
		{"held out", held, now, 3, "", "holdout:universal", []string{"!holdout"}},
		{"compared", compared, now, 3, "", "comparison:universal", []string{"!holdout"}},
		{"random", random, now, 3, "", "group:random", []string{"holdout", "!group"}},
		{"nothing recorded", find("other", free), now, 3, "", "audience", []string{"holdout", "group", "unit", "status", "schedule", "!audience"}},
	} {
		a, err := s.Audit(ctx, "hero", c.unit, c.at)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if a.Version != c.version || a.Variant != c.variant || a.Assigned != (c.variant != "") || a.Reason != c.reason || !slices.Equal(checks(a.Steps), c.steps) || a.Summary == "" || a.Facts == "" {
			t.Errorf("%s: %+v, want version %d, variant %q, reason %q by %v", c.name, a, c.version, c.variant, c.reason, c.steps)
		}
		if c.name == "running" {
			if len(a.Recorded) != 1 || a.Recorded[0].Variant != variant || a.Agrees == nil || !*a.Agrees || a.Attributes["plan"] != "paid" {
				t.Errorf("what the log has: %+v", a)
			}
		}
	}
	var missing *problem.Error
	if _, err := s.Audit(ctx, "hero", in, draft.Add(-time.Hour)); !errors.As(err, &missing) || missing.GetStatus() != 404 {
		t.Errorf("before it was defined: %v", err)
	}
	if _, err := s.Audit(ctx, "hero", in, now.Add(time.Hour)); complaint(err, "query.at") == "" {
		t.Errorf("in the future: %v", err)
	}
	if _, err := s.Audit(ctx, "hero", "", now); complaint(err, "query.unit") == "" {
		t.Errorf("of nobody: %v", err)
	}
}

func TestStandingExperiments(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	s.pointGroups = func(point string) (PointGroups, bool) {
		return PointGroups{Random: .1, BusinessAsUsual: .2, Advertising: true}, point == "home-hero"
	}
	put(t, s.holdouts, "team", Holdout{Share: .1})
	for key, want := range map[string]map[string]float64{
		UniversalExperiment:  {HoldoutVariant: .05, TreatedVariant: .95},
		UniversalComparison:  {HoldoutVariant: .5, ComparisonVariant: .5},
		"holdout:team":       {HoldoutVariant: .1, TreatedVariant: .9},
		"comparison:team":    {HoldoutVariant: .5, ComparisonVariant: .5},
		"groups:home-hero":   {HoldoutVariant: .05 / .95, BanditVariant: .7 * .9 / .95, RandomVariant: .1 * .9 / .95, BusinessVariant: .2 * .9 / .95},
		"groups:nowhere":     nil,
		"comparison:nowhere": nil,
	} {
		e, ok, err := s.standing(key)
		if !ok {
			t.Errorf("%s is not known to run always", key)
			continue
		}
		if want == nil {
			var missing *problem.Error
			if !errors.As(err, &missing) || missing.GetStatus() != 404 {
				t.Errorf("%s: %+v, %v", key, e, err)
			}
			continue
		}
		if err != nil || len(e.Variants) != len(want) || e.control() < 0 {
			t.Fatalf("%s: %+v, %v", key, e, err)
		}
		sum := 0.0
		for _, v := range e.Variants {
			sum += v.Weight
			if d := v.Weight - want[v.Key]; d > 1e-9 || d < -1e-9 {
				t.Errorf("%s: %s has weight %g, want %g", key, v.Key, v.Weight, want[v.Key])
			}
		}
		if sum < 1-1e-9 || sum > 1+1e-9 {
			t.Errorf("%s: the weights sum to %g", key, sum)
		}
	}
}
