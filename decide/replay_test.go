package decide

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"quintet/experiments"
	"quintet/profiles"
)

// teach logs n decisions of the past with their outcomes, of which people of even
// number give most to summer/onsite/a, and builds the model.
func (w *world) teach(t testing.TB, point string, n int) {
	t.Helper()
	var list []External
	batch, err := w.logged.Write.PrepareBatch(t.Context(), "INSERT INTO events (message_id, type, event, profile_id, decision_id, timestamp, received_at, numbers)")
	if err != nil {
		t.Fatal(err)
	}
	var candidates []string
	for _, id := range w.state.Load().points[point].ids {
		if !strings.Contains(id, "/sms/") {
			candidates = append(candidates, id)
		}
	}
	even := make([]float64, len(candidates))
	for i := range even {
		even[i] = 1 / float64(len(candidates))
	}
	for i := range n {
		at := time.Now().Add(-48*time.Hour + time.Duration(i)*time.Millisecond)
		action := candidates[i%len(candidates)]
		e := External{DecisionID: newDecisionID(at), Decision: point, User: w.person(i), DecidedAt: at, Action: action,
			Candidates: candidates, Probabilities: even, Context: map[string]any{"hour": float64(i % 24)}}
		list = append(list, e)
		if action == "summer/onsite/a" && i%2 == 0 || i%20 == 0 {
			if err := batch.Append("e"+e.DecisionID, "track", "Order", profiles.NewID(profiles.Identifier{Namespace: "userId", Value: e.User["userId"]}),
				e.DecisionID, at.Add(time.Hour), at.Add(time.Hour), map[string]float64{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(list, maxExternal) {
		if got, err := w.LogExternal(t.Context(), chunk, "key-2"); err != nil || got != len(chunk) {
			t.Fatalf("%d logged: %v", got, err)
		}
	}
	w.flush(t)
	for _, spec := range w.Specs() {
		if spec.DecisionPoint == point {
			if err := w.learn.Update(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// replayWorld has decision points of every policy, an experiment on one, and
// people in every group.
func replayWorld(t testing.TB) *world {
	w := newWorld(t, worldOptions{holdout: 0.2})
	bandit := Policy{Type: PolicyBandit, Exploration: new(0.1)}
	w.put(t, "bandit", hero(func(p *DecisionPoint) { p.Policy, p.Crosses = bandit, [][]string{{"plan", "hour"}} }))
	w.put(t, "cold", hero(func(p *DecisionPoint) { p.Policy = bandit }))
	w.put(t, "uniform", hero(func(p *DecisionPoint) { p.Offers, p.Class = []string{"spring", "over"}, ClassService }))
	w.put(t, "fixed", hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyFixed, Action: "spring/email/a"} }))
	w.put(t, "closed", hero(func(p *DecisionPoint) { p.Offers, p.NoneAction = []string{"over"}, new(false) }))
	w.put(t, "tested", hero(func(p *DecisionPoint) { p.NoneAction, p.DefaultAction = new(false), "spring/onsite/b" }))
	w.start(t, "trial", experiments.Experiment{DecisionPoint: "tested", Coverage: 0.9, Variants: []experiments.Variant{
		{Key: "base", Weight: 0.3, Control: true}, {Key: "even", Weight: 0.3},
		{Key: "learned", Weight: 0.4, Policy: json.RawMessage(`{"type":"bandit","exploration":0.3}`)}}})
	w.teach(t, "bandit", 1800)
	return w
}

var replayPoints = []string{"bandit", "cold", "uniform", "fixed", "closed", "tested"}

func TestReplayAgreesAndTheModelIsUsed(t *testing.T) {
	t.Parallel()
	w := replayWorld(t)
	ctx := t.Context()
	decisions := make(map[string][]string)
	asked, wrong := 0, 0
	decideAll := func() {
		for i := range 60 {
			for _, point := range replayPoints {
				resp, rec := w.ask(t, Request{Decision: point, User: w.person(i), Context: map[string]any{"hour": float64(i%24) + 0.25, "note": "<&> \u2028 é"}})
				checkRecord(t, w.state.Load().points[point], rec)
				decisions[point] = append(decisions[point], resp.DecisionID)
				if point == "bandit" && rec.Eligible && rec.ModelVersion > 0 {
					asked++
					if k := slices.Index(rec.Candidates, "summer/onsite/a"); (rec.Probabilities[k] > 0.5) != (i%2 == 0) {
						wrong++
					}
				}
			}
		}
	}
	check := func(when string, find func(id string) *Record) {
		t.Helper()
		for point, ids := range decisions {
			for _, id := range ids {
				rec := find(id)
				got, err := w.Replay(ctx, rec)
				if err != nil || !got.Possible || !got.Agrees {
					t.Fatalf("%s: %s of %s, replay %+v (%v)", when, id, point, got, err)
				}
			}
		}
	}
	inMemory := func(id string) *Record { rec, _ := w.recent.get(id); return rec }
	decideAll()
	if asked < 30 || wrong > asked/10 {
		t.Errorf("in %d of %d cases the bandit does not prefer the action that pays", wrong, asked)
	}
	check("at once", inMemory)
	w.flush(t)
	logged := make(map[string]*Record)
	for _, point := range replayPoints {
		for after := ""; ; {
			page, err := w.Log(ctx, point, after, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range page {
				logged[rec.DecisionID] = rec
				after = rec.DecisionID
			}
			if len(page) < 100 {
				break
			}
		}
	}
	fromLog := func(id string) *Record {
		if logged[id] == nil {
			t.Fatalf("%s is not in the log", id)
		}
		return logged[id]
	}
	check("from ClickHouse", fromLog)

	// Everything changes: the past stays what it was.
	w.put(t, "bandit", hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyUniform}; p.Features = p.Features[1:] }))
	w.put(t, "fixed", hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyFixed, Action: "summer/onsite/a"} }))
	w.put(t, "uniform", hero(func(p *DecisionPoint) { p.Offers = []string{"summer"} }))
	if err := w.points.Delete(ctx, "cold", "test"); err != nil {
		t.Fatal(err)
	}
	if err := w.offers.Delete(ctx, "over", "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tests.Stop(ctx, "trial", "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tests.Holdouts().Put(ctx, experiments.UniversalHoldout, experiments.Holdout{Share: 0.5, Salt: "other"}, "test", 0); err != nil {
		t.Fatal(err)
	}
	check("after changes", fromLog)
	check("after changes, from memory", inMemory)
}

// A record that was changed by hand in any field that the definitions determine
// must not pass.
func TestReplayNoticesTampering(t *testing.T) {
	t.Parallel()
	w := replayWorld(t)
	ctx := t.Context()
	// One record of each sort, of people who are not held out, and one who is.
	records := make(map[string]*Record)
	for i := range 200 {
		for _, point := range replayPoints {
			_, rec := w.ask(t, Request{Decision: point, User: w.person(i), Context: map[string]any{"hour": float64(i % 24)}})
			name := point
			if rec.Group == GroupHoldout {
				name = "holdout"
			} else if point == "tested" && len(rec.Experiments) == 2 {
				name = rec.Experiments[1].Variant
			}
			if rec.Action != NoneAction { // without offer and channel there is less to change
				records[name] = rec
			}
		}
	}
	copyOf := func(r *Record) *Record {
		c := *r
		c.Reasons, c.Candidates, c.Probabilities = slices.Clone(r.Reasons), slices.Clone(r.Candidates), slices.Clone(r.Probabilities)
		c.Removed, c.FeatureIndex, c.FeatureValue = slices.Clone(r.Removed), slices.Clone(r.FeatureIndex), slices.Clone(r.FeatureValue)
		c.Experiments = slices.Clone(r.Experiments)
		c.Context = map[string]any{"hour": r.Context["hour"]}
		c.Traits = map[string]any{"plan": r.Traits["plan"]}
		return &c
	}
	ulp := func(x *float64) { *x *= 1 + 0x1p-52 }
	for _, tt := range []struct {
		field  string
		of     []string
		change func(*Record)
	}{
		{"decision id", []string{"bandit", "uniform"}, func(r *Record) {
			id := ulid.MustParse(r.DecisionID)
			id[15]++
			r.DecisionID = id.String()
		}},
		{"time", []string{"bandit", "holdout", "closed"}, func(r *Record) { r.DecidedAt = r.DecidedAt.Add(time.Millisecond) }},
		{"time of sending", []string{"bandit"}, func(r *Record) { r.SendAt = r.SendAt.Add(time.Hour) }},
		{"decision point", []string{"bandit", "learned"}, func(r *Record) { r.Decision = "uniform" }},
		{"point version", []string{"bandit"}, func(r *Record) { r.PointVersion = 9 }},
		{"class", []string{"bandit", "uniform", "holdout"}, func(r *Record) { r.Class = "other" }},
		{"group", []string{"bandit", "uniform", "base", "holdout"}, func(r *Record) {
			if r.Group == GroupTreated {
				r.Group = GroupControl
			} else {
				r.Group = GroupTreated
			}
		}},
		{"eligible", []string{"bandit", "fixed", "holdout", "closed"}, func(r *Record) { r.Eligible = !r.Eligible }},
		{"reasons", []string{"bandit", "holdout", "closed"}, func(r *Record) { r.Reasons = []string{"whim"} }},
		{"action", []string{"bandit", "cold", "uniform", "fixed", "base", "even", "learned"}, func(r *Record) {
			for _, c := range r.Candidates {
				if c != r.Action {
					r.Action = c
					return
				}
			}
		}},
		{"offer", []string{"bandit", "fixed"}, func(r *Record) { r.Offer = "off" }},
		{"channel", []string{"bandit"}, func(r *Record) { r.Channel = "sms" }},
		{"creative", []string{"bandit"}, func(r *Record) { r.Creative = "c" }},
		{"propensity", []string{"bandit", "uniform"}, func(r *Record) { ulp(&r.Propensity) }},
		{"what", []string{"bandit", "uniform"}, func(r *Record) { ulp(&r.Propensities.What) }},
		{"where", []string{"bandit", "uniform"}, func(r *Record) { ulp(&r.Propensities.Where) }},
		{"when", []string{"bandit"}, func(r *Record) { ulp(&r.Propensities.When) }},
		{"how", []string{"bandit", "uniform"}, func(r *Record) { ulp(&r.Propensities.How) }},
		{"policy", []string{"bandit", "uniform", "fixed", "holdout"}, func(r *Record) { r.Policy = "greedy" }},
		{"model version", []string{"bandit", "cold", "uniform"}, func(r *Record) { r.ModelVersion = 1 - min(r.ModelVersion, 1) }},
		{"unknown model", []string{"bandit", "uniform"}, func(r *Record) { r.ModelVersion = 77 }},
		{"draw", []string{"bandit", "fixed"}, func(r *Record) { ulp(&r.Draw) }},
		{"a candidate less", []string{"bandit", "uniform", "cold", "learned"}, func(r *Record) {
			i := (slices.Index(r.Candidates, r.Action) + 1) % len(r.Candidates)
			r.Candidates, r.Probabilities = slices.Delete(r.Candidates, i, i+1), slices.Delete(r.Probabilities, i, i+1)
		}},
		{"a foreign candidate", []string{"uniform"}, func(r *Record) { r.Candidates[0] = "winter/onsite/a" }},
		{"order of candidates", []string{"bandit", "uniform"}, func(r *Record) { r.Candidates[0], r.Candidates[1] = r.Candidates[1], r.Candidates[0] }},
		{"a probability", []string{"bandit", "cold", "uniform", "fixed"}, func(r *Record) { r.Probabilities[0] += 0x1p-52 }},
		{"removed action", []string{"uniform", "closed"}, func(r *Record) { r.Removed = r.Removed[1:] }},
		{"invented removal", []string{"bandit"}, func(r *Record) { r.Removed = append(r.Removed, Removal{"spring/onsite/a", ruleOfferEnded}) }},
		{"rule", []string{"uniform", "closed"}, func(r *Record) { r.Removed[0].Rule = "dislike" }},
		{"feature", []string{"bandit", "cold", "uniform"}, func(r *Record) { r.FeatureIndex[1]++ }},
		{"value of a feature", []string{"bandit", "uniform"}, func(r *Record) { ulp(&r.FeatureValue[0]) }},
		{"context", []string{"bandit", "cold", "uniform"}, func(r *Record) { r.Context["hour"] = 23.75 }},
		{"traits", []string{"bandit", "uniform"}, func(r *Record) { r.Traits["plan"] = "gold" }},
		{"no experiments", []string{"bandit", "holdout", "base", "learned"}, func(r *Record) { r.Experiments = nil }},
		{"variant", []string{"holdout", "base", "even", "learned"}, func(r *Record) { r.Experiments[len(r.Experiments)-1].Variant = "other" }},
		{"version of the experiment", []string{"base", "learned"}, func(r *Record) { r.Experiments[1].Version = 1 }}, // the draft
		{"version of the holdout", []string{"holdout", "bandit"}, func(r *Record) { r.Experiments[0].Version = 99 }},
		{"a second experiment", []string{"bandit", "uniform"}, func(r *Record) {
			r.Experiments = append(r.Experiments, Enrolment{Key: experiments.UniversalExperiment, Variant: "treated"})
		}},
	} {
		for _, name := range tt.of {
			was := records[name]
			if was == nil {
				t.Fatalf("there is no record of the sort %s", name)
			}
			if got, err := w.Replay(ctx, copyOf(was)); err != nil || !got.Agrees {
				t.Fatalf("%s as it is: %+v (%v)", name, got, err)
			}
			changed := copyOf(was)
			tt.change(changed)
			got, err := w.Replay(ctx, changed)
			if err == nil && (got.Agrees || len(got.Differences) == 0) {
				t.Errorf("%s of %s: the change is not noticed: %+v", tt.field, name, got)
			}
		}
	}
}

func TestReplayOfDecisionsMadeElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	w.put(t, "hero", hero())
	id := newDecisionID(time.Now())
	if _, err := w.LogExternal(t.Context(), []External{{DecisionID: id, Decision: "hero", User: w.person(1), DecidedAt: time.Now(),
		Action: "x", Candidates: []string{"x", "y"}, Probabilities: []float64{0.25, 0.75}}}, ""); err != nil {
		t.Fatal(err)
	}
	out, err := w.Explain(t.Context(), id)
	if err != nil || out.Replay.Possible || out.Replay.Agrees || len(out.Replay.Differences) != 1 {
		t.Errorf("%+v (%v)", out, err)
	}
	if want := fmt.Sprint([]Scored{{Action: "x", Probability: 0.25}, {Action: "y", Probability: 0.75}}); fmt.Sprint(out.Record.Candidates) != want {
		t.Errorf("candidates %v, want %v", out.Record.Candidates, want)
	}
}
