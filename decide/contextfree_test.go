package decide

import (
	"errors"
	"math"
	"testing"

	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/bandits"
)

// TestBetaLearnsWithoutFeatures learns at a point without features from the log: what
// brings more becomes likelier, the posterior is that of the counts in the log, and the
// decisions are computed again.
func TestBetaLearnsWithoutFeatures(t *testing.T) {
	t.Parallel()
	x := newTrial(t)
	ctx := t.Context()
	none := true
	x.put(t, "banner", DecisionPoint{
		Offers: []string{"spring", "summer"}, Channels: []string{"onsite"}, NoneAction: &none, Groups: &Groups{},
		Policy:    Policy{Type: PolicyBandit, Method: MethodBeta, Alpha: 1, Exploration: new(.03), PriorWeight: .001},
		Objective: models.Objective{Terms: []models.Term{{Event: "Order"}}, WindowHours: 1.0 / 3600},
	})
	x.visit("banner", 400, map[string]float64{"spring": .1, "summer": .5})
	specs := x.policies.Specs()
	if len(specs) != 1 || specs[0].DecisionPoint != "banner" || len(specs[0].Encoder.Fields) != 0 {
		t.Fatalf("specs %+v", specs)
	}
	if err := x.live.Update(ctx, specs[0]); err != nil {
		t.Fatal(err)
	}
	snap := x.live.Current("banner")
	if snap == nil || snap.Decisions != 400 || snap.Model.Dimension != 1 {
		t.Fatalf("model %+v", snap)
	}
	// The mean of each action against the counts in the log: besides its own decisions it
	// starts from one decision's worth of what the others brought.
	rows, err := x.logged.Read.Query(ctx, `SELECT action, toFloat64(count()), toFloat64(countIf(decision_id IN (SELECT decision_id FROM events WHERE event = 'Order'))) FROM decisions WHERE decision_point = 'banner' GROUP BY action`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	counts, orders := map[string]float64{}, map[string]float64{}
	one := bandits.Vector{Indices: []uint32{0}, Values: []float64{1}}
	for rows.Next() {
		var action string
		var n, brought float64
		if err := rows.Scan(&action, &n, &brought); err != nil {
			t.Fatal(err)
		}
		counts[action], orders[action] = n, brought
	}
	if err := rows.Err(); err != nil || len(counts) != 3 {
		t.Fatalf("actions in the log: %v, %v", counts, err)
	}
	for action, n := range counts {
		others, brought := 0.0, 0.0
		for other, n := range counts {
			if other != action {
				others, brought = others+n, brought+orders[other]
			}
		}
		mean, _ := snap.Model.Score(action, one)
		if want := (orders[action] + brought/(others+1)) / (n + 1); math.Abs(mean-want) > 1e-4 {
			t.Errorf("%s is expected to bring %g, the log says %g", action, mean, want)
		}
	}
	_, rec := x.ask(t, Request{Decision: "banner", User: map[string]string{"userId": "late"}})
	for i, action := range rec.Candidates {
		if summer := action == "summer/onsite/default"; summer != (rec.Probabilities[i] > .9) || !summer && rec.Probabilities[i] < .01 {
			t.Errorf("%s has %g", action, rec.Probabilities[i])
		}
	}
	if rec.ModelVersion != snap.Version {
		t.Errorf("decided by version %d, not %d", rec.ModelVersion, snap.Version)
	}
	if got, err := x.Replay(ctx, rec); err != nil || !got.Agrees {
		t.Errorf("replayed: %+v, %v", got, err)
	}
	// A candidate of another method shares what is learned.
	x.candidate("banner", "greedy", Candidate{Policy: Policy{Type: PolicyBandit, Method: MethodGreedy, PriorWeight: .001}})
	if specs = x.policies.Specs(); len(specs) != 1 {
		t.Errorf("specs %+v", specs)
	}
	if report, err := x.Evaluate(ctx, "banner", Evaluation{Policy: Policy{Type: PolicyUniform}}); err != nil || report.Decisions == 0 {
		t.Errorf("evaluated: %+v, %v", report, err)
	}
	var bad problem.Invalid
	p := hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, Method: MethodBeta} })
	if err := ValidatePoint(ctx, "hero", &p); !errors.As(err, &bad) || bad[0].Field != "policy.method" {
		t.Errorf("beta with features: %v", err)
	}
}
