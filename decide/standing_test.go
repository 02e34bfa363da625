package decide

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/profiles"
)

// near says whether n of all is a share within 4.5 standard errors.
func near(n, all int, share float64) bool {
	return math.Abs(float64(n)-float64(all)*share) <= 4.5*math.Sqrt(float64(all)*share*(1-share)+1)
}

func (r *Record) variant(key string) string {
	for _, e := range r.Experiments {
		if e.Key == key {
			return e.Variant
		}
	}
	return ""
}

// agrees checks that a record replays and is explained with the words.
func (w *world) agrees(t testing.TB, rec *Record, words ...string) {
	t.Helper()
	got, err := w.Replay(t.Context(), rec)
	if err != nil || !got.Agrees {
		t.Errorf("replay of %s (%s): %+v, %v", rec.DecisionID, rec.Decision, got, err)
	}
	said := strings.Join(explain(rec), " ")
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("%q is not in: %s", word, said)
		}
	}
}

func TestABanditHasFourGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{holdout: 0.1, comparison: true})
	w.put(t, "home", hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit} }))
	v, _ := w.points.Get("home")
	if g := v.Value.Groups; g == nil || *g != (Groups{0.05, 0.05, true}) {
		t.Fatalf("a new bandit has groups %+v", g)
	}
	const n = 1500
	count := map[string]int{}
	for i := range n {
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(i)})
		group, universal := rec.variant("groups:home"), rec.variant(experiments.UniversalExperiment)
		count[group]++
		b := experiments.Bucket("groups:home", rec.ProfileID)
		switch group {
		case experiments.HoldoutVariant:
			if rec.Group != GroupHoldout || universal != experiments.HoldoutVariant || rec.Action != "" || rec.variant(experiments.UniversalComparison) != experiments.HoldoutVariant {
				t.Fatalf("held out: %+v", rec)
			}
		case experiments.RandomVariant:
			want := 1 / float64(len(rec.Candidates))
			if b >= .05 || rec.Policy != PolicyUniform || rec.Propensity != want || rec.Group != GroupTreated {
				t.Fatalf("random: %+v", rec)
			}
		case experiments.BusinessVariant:
			if b < .95 || rec.Policy != PolicyFixed || rec.Action != NoneAction || rec.Propensity != 1 || rec.Group != GroupControl {
				t.Fatalf("business as usual: %+v", rec)
			}
		case experiments.BanditVariant:
			if b < .05 || b >= .95 || rec.Policy != PolicyBandit || rec.Group != GroupTreated {
				t.Fatalf("bandit: %+v", rec)
			}
		case "": // the comparison arm always gets the policy itself
			if rec.variant(experiments.UniversalComparison) != experiments.ComparisonVariant || universal != experiments.TreatedVariant || rec.Policy != PolicyBandit {
				t.Fatalf("comparison: %+v", rec)
			}
		default:
			t.Fatalf("group %q", group)
		}
		if i%20 == 0 || group == experiments.RandomVariant {
			words := map[string]string{experiments.RandomVariant: "random group", experiments.BusinessVariant: "business-as-usual group",
				experiments.HoldoutVariant: "universal holdout", "": "comparison arm of the universal holdout"}
			w.agrees(t, rec, words[group])
		}
	}
	for group, share := range map[string]float64{experiments.HoldoutVariant: .1, "": .1, experiments.RandomVariant: .8 * .05, experiments.BusinessVariant: .8 * .05} {
		if !near(count[group], n, share) {
			t.Errorf("%d of %d are in group %q, want %g", count[group], n, group, share*n)
		}
	}
	w.flush(t)
	found, err := w.query(t.Context(), "ORDER BY decision_id LIMIT 40")
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range found {
		w.agrees(t, rec)
	}
	// The groups are reported as an experiment.
	var held, comparison uint64
	if err := w.logged.Read.QueryRow(t.Context(), "SELECT uniqIf(unit, experiment = 'groups:home' AND variant = 'holdout'), uniqIf(unit, experiment = 'universal-comparison') FROM exposures").Scan(&held, &comparison); err != nil {
		t.Fatal(err)
	}
	if int(held) != count[experiments.HoldoutVariant] || int(comparison) != count[experiments.HoldoutVariant]+count[""] {
		t.Errorf("%d exposures of the fourth group, %d of the comparison, want %v", held, comparison, count)
	}
}

func TestGroupsAreKeptAndTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	bandit := func(g *Groups) func(*DecisionPoint) {
		return func(p *DecisionPoint) { p.Policy, p.Groups = Policy{Type: PolicyBandit}, g }
	}
	groups := func(key string) *Groups { v, _ := w.points.Get(key); return v.Value.Groups }
	w.put(t, "none", hero(bandit(&Groups{})))
	if g := groups("none"); g == nil || *g != (Groups{}) {
		t.Errorf("groups that were set to nothing are %+v", g)
	}
	w.put(t, "set", hero(bandit(&Groups{Random: .2, BusinessAsUsual: .1})))
	w.put(t, "set", hero(bandit(nil)))
	if g := groups("set"); g == nil || *g != (Groups{Random: .2, BusinessAsUsual: .1}) {
		t.Errorf("groups that were not mentioned again are %+v", g)
	}
	w.put(t, "fixed", hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyUniform} }))
	if g := groups("fixed"); g != nil {
		t.Errorf("a point that does not learn has groups %+v", g)
	}
	w.put(t, "fixed", hero(bandit(nil)))
	if g := groups("fixed"); g == nil || *g != (Groups{.05, .05, true}) {
		t.Errorf("a point that became a bandit has groups %+v", g)
	}
	// Nobody leaves an experiment for groups that nobody asked for; those that somebody
	// asked for come first.
	w.put(t, "tested", hero(bandit(nil)))
	w.put(t, "strict", hero(bandit(&Groups{Random: .2, BusinessAsUsual: .2})))
	for _, point := range []string{"tested", "strict"} {
		w.start(t, "trial-"+point, experiments.Experiment{DecisionPoint: point, Coverage: .5, Variants: halves()})
		count := map[string]int{}
		for i := range 300 {
			_, rec := w.ask(t, Request{Decision: point, User: w.person(i)})
			in, group := rec.variant("trial-"+point) != "", rec.variant("groups:"+point)
			if covered := experiments.Bucket("trial-"+point+"/coverage", rec.ProfileID) < .5; point == "tested" && (in != covered || in == (group != "")) {
				t.Fatalf("covered %t, in %t, group %q", covered, in, group)
			}
			if point == "strict" && in && group != experiments.BanditVariant {
				t.Fatalf("in an experiment and in group %q", group)
			}
			if in {
				count["in"]++
			}
			count[group]++
			w.agrees(t, rec)
		}
		share := map[string]float64{"tested": .5, "strict": .3}[point]
		if !near(count["in"], 300, share) || count[experiments.RandomVariant] == 0 || count[experiments.BusinessVariant] == 0 {
			t.Errorf("%s: %v of 300, want %g in the experiment", point, count, 300*share)
		}
	}
	for _, g := range []Groups{{Random: .6}, {BusinessAsUsual: -1}, {Random: math.NaN()}} {
		if _, err := w.points.Put(t.Context(), "bad", hero(bandit(&g)), "test", 0); err == nil || !strings.Contains(err.Error(), "groups.") {
			t.Errorf("%+v: %v", g, err)
		}
	}
}

func halves() []experiments.Variant {
	return []experiments.Variant{{Key: "a", Weight: .5, Control: true}, {Key: "b", Weight: .5, Policy: json.RawMessage(`{"type":"uniform"}`)}}
}

func TestTheComparisonArmIsInNoExperiment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{holdout: 0.2, comparison: true})
	if _, err := w.tests.Holdouts().Put(t.Context(), "team", experiments.Holdout{Share: .25}, "test", 0); err != nil {
		t.Fatal(err)
	}
	for key, p := range map[string]DecisionPoint{"home": hero(), "cart": hero(func(p *DecisionPoint) { p.Holdouts = []string{"team"} }), "receipt": hero(func(p *DecisionPoint) { p.Class, p.Holdouts = ClassService, []string{"team"} })} {
		w.put(t, key, p)
	}
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "home", Variants: halves(), Targeting: experiments.Targeting{Holdouts: []string{"team"}}})
	count := map[string]int{}
	for i := range 600 {
		_, home := w.ask(t, Request{Decision: "home", User: w.person(i)})
		universal := experiments.Bucket(experiments.UniversalExperiment, home.ProfileID)
		team := experiments.Bucket("holdout:team", home.ProfileID)
		reason := ""
		if len(home.Excluded) == 1 {
			reason = home.Excluded[0].Reason
		}
		want := ""
		switch {
		case universal < .2:
			want = "holdout:universal"
		case universal >= .8:
			want = "comparison:universal"
		case team < .25:
			want = "holdout:team"
		case team >= .75:
			want = "comparison:team"
		}
		if reason != want || (home.variant("trial") == "") != (want != "") {
			t.Fatalf("buckets %g and %g: excluded by %q, want %q, experiments %v", universal, team, reason, want, home.Experiments)
		}
		if want == "comparison:universal" && (home.Policy != PolicyUniform || home.Group != GroupTreated || home.Action == "") {
			t.Fatalf("the comparison arm gets %+v", home)
		}
		count[want]++
		w.agrees(t, home)

		_, cart := w.ask(t, Request{Decision: "cart", User: w.person(i)})
		if held := team < .25 && universal >= .2; held != (cart.Group == GroupHoldout && slices.Equal(cart.Reasons, []string{"holdout:team"})) {
			t.Fatalf("bucket %g of the named holdout: %+v", team, cart)
		}
		w.agrees(t, cart)

		_, receipt := w.ask(t, Request{Decision: "receipt", User: w.person(i)})
		if receipt.Group != GroupTreated || len(receipt.Experiments) != 0 {
			t.Fatalf("a service message respects %v", receipt.Experiments)
		}
	}
	for reason, share := range map[string]float64{"holdout:universal": .2, "comparison:universal": .2, "holdout:team": .6 * .25, "comparison:team": .6 * .25} {
		if !near(count[reason], 600, share) {
			t.Errorf("%d of 600 are out by %s, want %g", count[reason], reason, 600*share)
		}
	}
}

func TestAudiencesReadTraitsSegmentsAndContext(t *testing.T) {
	t.Parallel()
	segments := func(profile string) []string {
		if profile[3]%2 == 0 {
			return []string{"new", "vip"}
		}
		return []string{"new"}
	}
	w := newWorld(t, worldOptions{change: func(d *Deps) { d.Segments = segments }})
	w.put(t, "home", hero())
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "home", Variants: halves(), Targeting: experiments.Targeting{
		Audience: json.RawMessage(`{"plan":"paid","context.device":{"$in":["mobile","tablet"]},"segments":{"$elemMatch":{"$eq":"vip"}}}`)}})
	in := 0
	for i := range 120 {
		device := []string{"mobile", "desktop", "tablet"}[i%3]
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(i), Context: map[string]any{"device": device}})
		want := i%2 == 1 && device != "desktop" && slices.Contains(segments(rec.ProfileID), "vip")
		if got := rec.variant("trial") != ""; got != want {
			t.Fatalf("person %d on %s: in %t, want %t; %+v", i, device, got, want, rec.Audience)
		}
		if want {
			in++
		} else if len(rec.Excluded) != 1 || rec.Excluded[0].Reason != "audience" {
			t.Fatalf("person %d is out by %+v", i, rec.Excluded)
		}
		w.agrees(t, rec)
	}
	if in < 10 {
		t.Fatalf("only %d of 120 match", in)
	}
	w.flush(t)
	found, err := w.query(t.Context(), "ORDER BY decision_id LIMIT 120")
	if err != nil || len(found) != 120 {
		t.Fatalf("%d records, %v", len(found), err)
	}
	for _, rec := range found {
		w.agrees(t, rec)
	}
	// What was read is part of the replay.
	tampered := *found[1]
	tampered.Audience = map[string]any{"plan": "nothing"}
	tampered.Experiments = append(slices.Clone(tampered.Experiments), Enrolment{Key: "trial", Variant: "a", Version: 2})
	if got, err := w.Replay(t.Context(), &tampered); err != nil || got.Agrees {
		t.Errorf("an enrolment against the audience: %+v, %v", got, err)
	}
}

// Two experiments run at one point when a layer keeps them apart.
func TestTwoExperimentsShareAPointByLayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", hero())
	if _, err := w.tests.Layers().Put(t.Context(), "home", experiments.Layer{}, "test", 0); err != nil {
		t.Fatal(err)
	}
	for i, key := range []string{"first", "second"} {
		w.start(t, key, experiments.Experiment{DecisionPoint: "home", Variants: halves(), Targeting: experiments.Targeting{
			Layers: []experiments.LayerRange{{Layer: "home", From: float64(i) / 2, To: float64(i+1) / 2}}}})
	}
	count := map[string]int{}
	for i := range 300 {
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(i)})
		b := experiments.Bucket("layer:home", rec.ProfileID)
		want := "first"
		if b >= .5 {
			want = "second"
			if len(rec.Excluded) != 1 || rec.Excluded[0].Reason != "layer:home" {
				t.Fatalf("excluded %+v", rec.Excluded)
			}
		}
		if rec.variant(want) == "" || len(rec.Experiments) != 2 {
			t.Fatalf("bucket %g: %v", b, rec.Experiments)
		}
		count[want]++
		w.agrees(t, rec)
	}
	if !near(count["first"], 300, .5) {
		t.Errorf("%v of 300", count)
	}
	if _, err := w.tests.Definitions().Put(t.Context(), "third", experiments.Experiment{DecisionPoint: "home", Variants: halves()}, "test", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tests.Start(t.Context(), "third", "test"); err == nil {
		t.Error("a third experiment without a layer started")
	}
}

func TestForcedAndBlockedPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{holdout: 0.5})
	w.put(t, "home", hero(func(p *DecisionPoint) {
		p.Policy, p.Groups = Policy{Type: PolicyBandit}, &Groups{Random: .3, BusinessAsUsual: .3}
	}))
	var forced []experiments.Forced
	var blocked []string
	for i := range 60 {
		if i%2 == 0 {
			forced = append(forced, experiments.Forced{Unit: fmt.Sprint("userId:u", i), Variant: "b"})
		} else {
			blocked = append(blocked, profiles.NewID(profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)}))
		}
	}
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "home", Variants: halves(), Coverage: .01, Targeting: experiments.Targeting{Forced: forced, Blocked: blocked}})
	for i := range 60 {
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(i)})
		if i%2 == 0 {
			want := []Enrolment{{Key: "trial", Variant: "b", Version: 2, How: "forced"}}
			if !slices.Equal(rec.Experiments, want) || rec.Policy != PolicyUniform || !rec.Eligible {
				t.Fatalf("forced: %+v", rec)
			}
			w.agrees(t, rec, "forced")
			continue
		}
		if rec.variant("trial") != "" {
			t.Fatalf("blocked: %+v", rec)
		}
		w.agrees(t, rec)
	}
	w.flush(t)
	var exposed uint64
	if err := w.logged.Read.QueryRow(t.Context(), "SELECT count() FROM exposures WHERE experiment = 'trial'").Scan(&exposed); err != nil || exposed != 0 {
		t.Errorf("%d exposures of people who were forced, %v", exposed, err)
	}
}

func TestAnExperimentOverSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", hero())
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "home", Variants: halves(), Coverage: .9, Targeting: experiments.Targeting{Unit: "session"}})
	variants := map[string]bool{}
	for i := range 60 {
		session := fmt.Sprint("s", i)
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(1), Context: map[string]any{"sessionId": session}})
		covered := experiments.Bucket("trial/coverage", session) < .9
		if !covered {
			if len(rec.Excluded) != 1 || rec.Excluded[0].Unit != session {
				t.Fatalf("session %s: %+v", session, rec.Excluded)
			}
			w.agrees(t, rec)
			continue
		}
		e := rec.Experiments[len(rec.Experiments)-1]
		want := halves()[experiments.Assign("trial", session, []float64{.5, .5})].Key
		if e.Key != "trial" || e.Variant != want || e.Unit != session {
			t.Fatalf("session %s: %+v, want %s", session, rec.Experiments, want)
		}
		variants[want] = true
		w.agrees(t, rec)
	}
	if len(variants) != 2 {
		t.Errorf("one person over many sessions saw %v", variants)
	}
	_, rec := w.ask(t, Request{Decision: "home", User: w.person(1)})
	if len(rec.Excluded) != 1 || rec.Excluded[0].Reason != "no-unit" {
		t.Errorf("without a session: %+v", rec.Excluded)
	}
	w.agrees(t, rec)
}

// A merge makes another person of a profile, which stays the unit.
func TestAMergeMovesNobody(t *testing.T) {
	t.Parallel()
	view := &profiles.View{ID: "profile-1", Person: "profile-1"}
	s := subject{profile: view.ID, view: view}
	before := s.Unit("person")
	view.Person = "profile-0"
	if after := s.Unit("person"); after != before {
		t.Errorf("the unit was %s and is %s", before, after)
	}
}

func TestAnExperimentEndsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", hero())
	end := time.Now().Add(time.Hour)
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "home", Variants: halves(), EndAt: &end})
	_, rec := w.ask(t, Request{Decision: "home", User: w.person(1)})
	if rec.variant("trial") == "" {
		t.Fatalf("before its end: %+v", rec)
	}
	w.stand(end)
	_, rec = w.ask(t, Request{Decision: "home", User: w.person(1)})
	if rec.variant("trial") != "" || len(rec.Excluded) != 1 || rec.Excluded[0].Reason != "ended" {
		t.Errorf("at its end: %+v", rec)
	}
	w.agrees(t, rec, "it had ended")
}

// switches are flags of a test: those that are on.
type switches map[string]bool

func (s switches) Gate(flag string, _ []string) (assignment.Gate, bool) {
	return func(assignment.Subject, time.Time) bool { return s[flag] }, true
}

func (switches) Needs(string, string) bool { return false }

func TestExperimentsAskForFlags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "home", hero())
	w.tests.UseFlags(switches{"on": true})
	ask := func(flag string) *Record {
		key := "trial-" + flag
		w.start(t, key, experiments.Experiment{DecisionPoint: "home", Variants: halves(), Targeting: experiments.Targeting{
			Prerequisites: []experiments.Prerequisite{{Flag: flag, Variants: []string{"true"}}}}})
		_, rec := w.ask(t, Request{Decision: "home", User: w.person(1)})
		if _, err := w.tests.Stop(t.Context(), key, "test"); err != nil {
			t.Fatal(err)
		}
		return rec
	}
	on, off := ask("on"), ask("off")
	if on.variant("trial-on") == "" || len(off.Excluded) != 1 || off.Excluded[0].Reason != "prerequisite:off" {
		t.Errorf("with the flag %+v, without it %+v", on.Experiments, off.Excluded)
	}
	w.tests.UseFlags(switches{"off": true}) // a replay is of what was
	w.agrees(t, on)
	w.agrees(t, off)
}
