package decide

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/profiles"
)

func TestExternalDecisionsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	w.put(t, "hero", hero())
	now := time.Now()
	good := func() External {
		return External{DecisionID: newDecisionID(now), Decision: "hero", User: w.person(1), DecidedAt: now, Action: "x",
			Candidates: []string{"x", "y"}, Probabilities: []float64{0.4, 0.6}}
	}
	for _, tt := range []struct {
		name   string
		change func(*External)
		want   []string
	}{
		{"id of another form", func(e *External) { e.DecisionID = "42" }, []string{"decisionId"}},
		{"id with letters that no ULID has", func(e *External) { e.DecisionID = strings.Repeat("U", 26) }, []string{"decisionId"}},
		{"id of the future", func(e *External) { e.DecisionID = newDecisionID(now.Add(2 * time.Hour)) }, []string{"decisionId"}},
		{"unknown decision point", func(e *External) { e.Decision = "lost" }, []string{"decision"}},
		{"nobody", func(e *External) { e.User = nil }, []string{"user"}},
		{"bad identifier", func(e *External) { e.User = map[string]string{"userId": strings.Repeat("x", 10000)} }, []string{"user.userId"}},
		{"bad context", func(e *External) { e.Context = map[string]any{"a": math.NaN(), "b": []any{}} }, []string{"context.a", "context.b"}},
		{"no time", func(e *External) { e.DecidedAt = time.Time{} }, []string{"decidedAt"}},
		{"long ago", func(e *External) { e.DecidedAt = now.AddDate(-21, 0, 0) }, []string{"decidedAt"}},
		{"not yet", func(e *External) { e.DecidedAt = now.Add(2 * time.Hour) }, []string{"decidedAt"}},
		{"cost", func(e *External) { e.ContactCost = -1 }, []string{"contactCost"}},
		{"cost NaN", func(e *External) { e.ContactCost = math.NaN() }, []string{"contactCost"}},
		{"group", func(e *External) { e.Group = "chosen" }, []string{"group"}},
		{"no candidates", func(e *External) { e.Candidates, e.Probabilities = nil, nil }, []string{"probabilities"}},
		{"unequal lengths", func(e *External) { e.Probabilities = e.Probabilities[:1] }, []string{"probabilities"}},
		{"too many", func(e *External) {
			e.Candidates, e.Probabilities = many(maxActions+2, "c%d"), make([]float64, maxActions+2)
		}, []string{"probabilities"}},
		{"sum of 1.1", func(e *External) { e.Probabilities = []float64{0.5, 0.6} }, []string{"probabilities"}},
		{"probabilities out of range", func(e *External) { e.Probabilities = []float64{2, -1} }, []string{"probabilities[0]", "probabilities[1]"}},
		{"probability NaN", func(e *External) { e.Probabilities = []float64{0.4, math.NaN()} }, []string{"probabilities", "probabilities[1]"}},
		{"chosen with probability 0", func(e *External) { e.Probabilities = []float64{0, 1} }, []string{"action"}},
		{"chosen what was not there", func(e *External) { e.Action = "z" }, []string{"action"}},
		{"empty candidate", func(e *External) { e.Candidates[1] = "" }, []string{"candidates[1]"}},
		{"long candidate", func(e *External) { e.Candidates[1] = strings.Repeat("x", 201) }, []string{"candidates[1]"}},
		{"candidate twice", func(e *External) { e.Candidates[1] = "x" }, []string{"candidates[1]"}},
		{"experiment without a name", func(e *External) { e.Experiments = []Enrolment{{Key: "a", Variant: "b"}, {Key: "", Variant: "b"}} }, []string{"experiments[1]"}},
		{"experiment twice", func(e *External) { e.Experiments = []Enrolment{{Key: "a", Variant: "b"}, {Key: "a", Variant: "c"}} }, []string{"experiments[1].key"}},
		{"version of an experiment", func(e *External) { e.Experiments = []Enrolment{{Key: "a", Variant: "b", Version: -1}} }, []string{"experiments[0]"}},
		{"a variant that is kept", func(e *External) { e.Experiments = []Enrolment{{Key: "a", Variant: "b", How: "keep"}} }, []string{"experiments[0].how"}},
		{"a unit without end", func(e *External) {
			e.Experiments = []Enrolment{{Key: "a", Variant: "b", Unit: strings.Repeat("u", 300)}}
		}, []string{"experiments[0].unit"}},
		{"too many experiments", func(e *External) { e.Experiments = make([]Enrolment, maxEnrolments+1) }, []string{"experiments"}},
	} {
		first, second := good(), good()
		tt.change(&second)
		for i := range tt.want {
			tt.want[i] = "decisions[1]." + tt.want[i]
		}
		n, err := w.LogExternal(t.Context(), []External{first, second}, "")
		if n != 0 {
			t.Errorf("%s: %d logged", tt.name, n)
		}
		t.Run(tt.name, func(t *testing.T) { wantFields(t, err, tt.want...) })
		if _, ok := w.recent.get(first.DecisionID); ok {
			t.Errorf("%s: the good one was logged", tt.name)
		}
	}
	for _, n := range []int{0, maxExternal + 1} {
		_, err := w.LogExternal(t.Context(), make([]External, n), "")
		wantFields(t, err, "decisions")
	}
}

func TestExternalDecisions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero())
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	user := w.person(1)
	e := External{DecisionID: newDecisionID(at), Decision: "hero", User: user, DecidedAt: at, Action: "spring/email/a",
		Candidates: []string{"none", "spring/email/a"}, Probabilities: []float64{0.75, 0.25}, Experiments: []Enrolment{{Key: "trial", Variant: "b"}},
		Group: GroupControl, ContactCost: 0.5, Context: map[string]any{"hour": 6.0}}
	lower := e
	lower.DecisionID = strings.ToLower(e.DecisionID)
	for _, again := range [][]External{{e, e}, {e}, {lower}} {
		if n, err := w.LogExternal(t.Context(), again, "key-3"); err != nil || n != len(again) {
			t.Fatalf("%d logged: %v", n, err)
		}
		w.flush(t)
		w.recent = newRecent(10, time.Now()) // forgotten, as after a restart
	}
	var rows, exposed uint64
	if err := w.logged.Read.QueryRow(t.Context(), "SELECT (SELECT count() FROM decisions), (SELECT count() FROM exposures WHERE experiment = 'trial' AND variant = 'b')").
		Scan(&rows, &exposed); err != nil || rows != 1 || exposed != 1 {
		t.Errorf("%d rows, %d exposures (%v), want one of each", rows, exposed, err)
	}
	rec, err := w.Find(t.Context(), e.DecisionID)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Action != "spring/email/a" || rec.Offer != "spring" || rec.Channel != "email" || rec.Creative != "a" || rec.Propensity != 0.25 || rec.Propensities.What != 0.25 ||
		rec.Group != GroupControl || rec.ContactCost != 0.5 || rec.Policy != policyExternal || !rec.DecidedAt.Equal(at) || !rec.SendAt.Equal(at) || rec.Source != "key-3" ||
		rec.ProfileID != profiles.NewID(profiles.Identifier{Namespace: "userId", Value: user["userId"]}) || rec.Traits["plan"] != "paid" || rec.PointVersion != 1 {
		t.Errorf("record %+v", rec)
	}
	// With its features it can teach.
	if !slices.Contains(rec.FeatureIndex, 0) || len(rec.FeatureIndex) < 3 {
		t.Errorf("features %v", rec.FeatureIndex)
	}
}
