package decide

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/internal/problem"
)

// orderRate is what the people of the test world do: who pays answers to summer.
func orderRate(paid bool, action string) float64 {
	switch summer := strings.HasPrefix(action, "summer/"); {
	case summer && paid:
		return 0.5
	case summer:
		return 0.05
	case strings.HasPrefix(action, "spring/"):
		return 0.2
	}
	return 0.1
}

// logDecisions makes decisions over eight days that ended two days ago, and the orders that came of them. It returns
// the mean reward, and what always taking one action would bring to the same people.
func logDecisions(t *testing.T, w *world, key string, n int, always string) (mean, truth float64) {
	t.Helper()
	start := time.Now().UTC().Add(-10 * 24 * time.Hour)
	rng := rand.New(rand.NewPCG(1, 9))
	batch, err := w.logged.Write.PrepareBatch(t.Context(), `INSERT INTO events (message_id, type, event, profile_id, decision_id, timestamp, received_at, numbers)`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		at := start.Add(time.Duration(i) * 8 * 24 * time.Hour / time.Duration(n))
		w.stand(at)
		person := 1 + 3*rng.IntN(200) + rng.IntN(2) // all with an address
		resp, rec := w.ask(t, Request{Decision: key, User: w.person(person), Context: map[string]any{"hour": float64(at.Hour())}})
		if resp.Fallback {
			t.Fatalf("fall-back: %s", resp.Reason)
		}
		paid := person%2 == 1
		truth += orderRate(paid, always) / float64(n)
		if rng.Float64() < orderRate(paid, rec.Action) {
			mean += 1 / float64(n)
			if err := batch.Append(fmt.Sprint(key, "-", i), "track", "Order", rec.ProfileID, rec.DecisionID, at.Add(time.Hour), at.Add(time.Hour), map[string]float64{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.setClock(time.Now)
	return mean, truth
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero(func(p *DecisionPoint) { p.Class = ClassService }))
	const always = "summer/onsite/b"
	const decisions = 12_000
	mean, truth := logDecisions(t, w, "hero", decisions, always)

	evaluate := func(e Evaluation) *EvaluationReport {
		t.Helper()
		r, err := w.Evaluate(t.Context(), "hero", e)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all := time.Now().UTC().Add(-9 * 24 * time.Hour) // leaves a day to learn from

	// The policy of the log itself: every weight is 1, and nothing is gained.
	same := evaluate(Evaluation{Policy: Policy{Type: PolicyUniform}, From: all})
	if !same.Supported || math.Abs(same.Gain.Value) > 4*same.Gain.StandardError || same.Skipped != 0 || same.Sampled != 1 || same.Decisions+int(same.Trained) != decisions {
		t.Errorf("the log's own policy: %+v", same)
	}
	if math.Abs(same.Overlap.EffectiveSize-float64(same.Decisions)) > 1e-6 || math.Abs(same.Values[0].Value-same.Logged.Value) > 1e-12 {
		t.Errorf("the log's own policy brings %v of %v (%+v)", same.Values[0].Value, same.Logged.Value, same.Overlap)
	}
	if math.Abs(same.Logged.Value-mean) > 0.03 || len(same.Days) < 6 {
		t.Errorf("logged %v of %v on %d days", same.Logged.Value, mean, len(same.Days))
	}

	// A policy whose true value is known: each estimator's interval holds it, or nearly.
	fixed := evaluate(Evaluation{Policy: Policy{Type: PolicyFixed, Action: always}, From: all})
	if !fixed.Supported || len(fixed.Values) != 7 {
		t.Fatalf("a fixed action: %+v", fixed)
	}
	for _, v := range fixed.Values {
		slack := 4 * v.StandardError
		if v.Estimator == "dm" || v.Estimator == "dr-os" { // their errors say nothing of the model's, on which they rely
			slack = 0.1
		}
		if math.Abs(v.Value-truth) > slack {
			t.Errorf("%s says %.4f ± %.4f, the truth is %.4f", v.Estimator, v.Value, v.StandardError, truth)
		}
	}

	// A bandit learns on the first part whom to offer what, and the rest shows it.
	bandit := evaluate(Evaluation{Policy: Policy{Type: PolicyBandit}, From: time.Now().UTC().Add(-7 * 24 * time.Hour)})
	if !bandit.Supported || !bandit.Better || bandit.Gain.Value < 0.05 || *bandit.Policy.Exploration != 0.05 {
		t.Errorf("a bandit: %+v", bandit)
	}
	// Unless told otherwise the last three tenths of the time judge, and a sample of them where they are many.
	if part := evaluate(Evaluation{Policy: Policy{Type: PolicyBandit}}); part.Decisions < decisions/4 || part.Decisions > decisions*35/100 {
		t.Errorf("%d of %d decisions judge", part.Decisions, decisions)
	}
	if part := evaluate(Evaluation{Policy: Policy{Type: PolicyBandit}, Limit: 1000}); part.Sampled != 4 || part.Decisions > 1100 || part.Decisions < 700 {
		t.Errorf("a sample of one in %d has %d decisions", part.Sampled, part.Decisions)
	}
}

// A log in which an action is hardly ever chosen cannot say what always choosing it would bring.
func TestEvaluateRefusesWithoutSupport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero(func(p *DecisionPoint) {
		p.Class, p.Policy = ClassService, Policy{Type: PolicyFixed, Action: "spring/onsite/a"}
	}))
	logDecisions(t, w, "hero", 400, "")
	r, err := w.Evaluate(t.Context(), "hero", Evaluation{Policy: Policy{Type: PolicyFixed, Action: "summer/onsite/a"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Supported || r.Better || len(r.Refusals) == 0 || !strings.Contains(strings.Join(r.Refusals, " "), "could never be chosen") {
		t.Errorf("%+v", r)
	}
}

func TestEvaluateBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero())
	w.put(t, "blind", hero(func(p *DecisionPoint) { p.Features = nil }))
	future, past := time.Now().Add(time.Hour), time.Now().Add(-48*time.Hour)
	for name, c := range map[string]struct {
		point  string
		ask    Evaluation
		status int
		field  string
	}{
		"no such point":      {"none", Evaluation{Policy: Policy{Type: PolicyUniform}}, http.StatusNotFound, ""},
		"no such policy":     {"hero", Evaluation{Policy: Policy{Type: "best"}}, http.StatusUnprocessableEntity, "policy.type"},
		"too little floor":   {"hero", Evaluation{Policy: Policy{Type: PolicyBandit, Exploration: new(0.001)}}, http.StatusUnprocessableEntity, "policy.exploration"},
		"the future":         {"hero", Evaluation{Policy: Policy{Type: PolicyUniform}, Until: future}, http.StatusUnprocessableEntity, "until"},
		"the wrong way":      {"hero", Evaluation{Policy: Policy{Type: PolicyUniform}, From: past, Until: past.Add(-time.Hour)}, http.StatusUnprocessableEntity, "from"},
		"without features":   {"blind", Evaluation{Policy: Policy{Type: PolicyUniform}}, http.StatusUnprocessableEntity, "decision"},
		"without a decision": {"hero", Evaluation{Policy: Policy{Type: PolicyUniform}}, http.StatusConflict, ""},
	} {
		_, err := w.Evaluate(t.Context(), c.point, c.ask)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		var bad problem.Invalid
		switch status := problem.From(err).GetStatus(); {
		case status != c.status:
			t.Errorf("%s: status %d: %v", name, status, err)
		case c.field != "" && (!errors.As(err, &bad) || !strings.Contains(bad.Error(), c.field)):
			t.Errorf("%s: %v", name, err)
		}
	}
}
