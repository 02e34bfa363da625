package decide

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/bandits"
)

// trial is a world with policies, in which one action of a point brings more.
type trial struct {
	*world
	policies *Policies
	live     *models.Service
	t        *testing.T
	rng      *rand.Rand
	n        int // people so far
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	x := &trial{t: t, rng: rand.New(rand.NewPCG(1, 2))}
	w := newWorld(t, worldOptions{change: func(d *Deps) {
		var err error
		if x.live, err = models.Open(t.Context(), models.Deps{Postgres: d.Postgres, ClickHouse: d.ClickHouse, Logger: d.Logger, Stored: x.stored}); err != nil {
			t.Fatal(err)
		}
		d.Models = x.live
	}})
	x.world = w
	p, err := OpenPolicies(PoliciesDeps{Decide: w.Service, Definitions: w.deps.Definitions, Models: x.live, History: w.learn.Trainer(),
		Postgres: w.pool, ClickHouse: w.logged, Logger: w.deps.Logger})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(run); err != nil {
			t.Errorf("scoring: %v", err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	x.policies = p
	return x
}

// stored is how far the log has followed the streams.
func (x *trial) stored(ctx context.Context) (models.Position, error) {
	decisions, err := x.Stored(ctx)
	return models.Position{Decisions: decisions, Events: uint64(x.n)}, err
}

// point defines a decision point of three actions with the policy.
func (x *trial) point(key string, policy Policy) {
	x.t.Helper()
	none := true
	_, err := x.points.Put(x.t.Context(), key, DecisionPoint{
		Offers: []string{"spring", "summer"}, Channels: []string{"onsite"}, NoneAction: &none, Policy: policy, Groups: &Groups{},
		Features:  []bandits.Field{{Name: "device", Source: bandits.SourceContext, Kind: bandits.KindCategorical, Values: []string{"mobile", "desktop"}}},
		Objective: models.Objective{Terms: []models.Term{{Event: "Order"}}, WindowHours: 1.0 / 3600},
	}, "test", 0)
	if err != nil {
		x.t.Fatal(err)
	}
}

// visit has people decided about, who order with a probability that depends on the
// action, and waits until all of it is in the log and the outcomes are due.
func (x *trial) visit(point string, n int, order map[string]float64) {
	x.t.Helper()
	ctx := x.t.Context()
	batch, err := x.logged.Write.PrepareBatch(ctx, `INSERT INTO events (message_id, type, event, profile_id, decision_id, timestamp, received_at, sequence)`)
	if err != nil {
		x.t.Fatal(err)
	}
	for range n {
		x.n++
		r, err := x.Decide(ctx, &Request{Decision: point, User: map[string]string{"userId": fmt.Sprint("u", x.n)}, Context: map[string]any{"device": "mobile"}}, "test")
		if err != nil {
			x.t.Fatal(err)
		}
		action := NoneAction
		if r.What != nil {
			action = r.What.Offer
		}
		if x.rng.Float64() < order[action] {
			if err := batch.Append(r.DecisionID, "track", "Order", r.Who.ProfileID, r.DecisionID, time.Now(), time.Now(), uint64(x.n)); err != nil {
				x.t.Fatal(err)
			}
		}
	}
	if err := batch.Send(); err != nil {
		x.t.Fatal(err)
	}
	if err := errors.Join(x.Flush(ctx), x.policies.Scored(ctx)); err != nil {
		x.t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // the window
}

func (x *trial) candidate(point, key string, c Candidate) {
	x.t.Helper()
	c.DecisionPoint = point
	if _, err := x.policies.candidates.Put(x.t.Context(), candidateKey(point, key), c, "test", 0); err != nil {
		x.t.Fatal(err)
	}
}

// A candidate is promoted where the log shows that it is better and nowhere else, and
// goes when the reward falls afterwards.
func TestPromotionAndFallback(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes thousands of decisions")
	}
	x := newTrial(t)
	ctx := t.Context()
	x.point("hero", Policy{Type: PolicyUniform})
	x.candidate("hero", "best", Candidate{Policy: Policy{Type: PolicyFixed, Action: "summer/onsite/default"}})
	x.candidate("hero", "worst", Candidate{Policy: Policy{Type: PolicyFixed, Action: NoneAction}})
	rates := map[string]float64{NoneAction: .05, "spring": .2, "summer": .5}
	x.visit("hero", 200, rates)
	early, err := x.policies.Compare(ctx, "hero", "best")
	if err != nil {
		t.Fatal(err)
	}
	if early.Passes || early.Scored != 200 || early.Report.Supported || len(early.Report.Refusals) == 0 {
		t.Errorf("after 200 decisions: %+v", early)
	}
	var refused *problem.Error
	if _, err := x.policies.Promote(ctx, "hero", "best", "somebody", "now", false); !errors.As(err, &refused) || refused.Status != 409 || len(refused.Fields) == 0 {
		t.Errorf("promoted too early: %v", err)
	}
	x.visit("hero", 3400, rates)
	best, err := x.policies.Compare(ctx, "hero", "best")
	if err != nil {
		t.Fatal(err)
	}
	// The truth: .5 against a mean of .25.
	if !best.Passes || best.Report.Gain.Lower > .25 || best.Report.Gain.Upper < .25 || best.Report.Decisions != 3600 || best.Anytime.Lower >= best.Report.Gain.Lower {
		t.Errorf("the best: %+v", best)
	}
	worst, err := x.policies.Compare(ctx, "hero", "worst")
	if err != nil {
		t.Fatal(err)
	}
	if worst.Passes || worst.Report.Gain.Upper > -.1 || !worst.Report.Supported {
		t.Errorf("the worst: %+v", worst)
	}
	if _, err := x.policies.Promote(ctx, "hero", "worst", "somebody", "now", false); !errors.As(err, &refused) {
		t.Errorf("promoted the worst: %v", err)
	}
	done, err := x.policies.Promote(ctx, "hero", "best", "somebody", "it is better", false)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := x.points.Get("hero"); v.Value.Policy.Action != "summer/onsite/default" || v.Version != done.ToVersion || done.Baseline < .2 || done.Baseline > .3 {
		t.Errorf("policy %+v after %+v", v.Value.Policy, done)
	}
	// The reward is as it should be: nothing happens.
	x.visit("hero", 400, rates)
	if err := x.policies.Watch(ctx); err != nil {
		t.Fatal(err)
	}
	if v, _ := x.points.Get("hero"); v.Version != done.ToVersion {
		t.Error("gone back on a promotion that is well")
	}
	// Now hardly anybody orders.
	x.visit("hero", 1500, map[string]float64{"summer": .01})
	if err := x.policies.Watch(ctx); err != nil {
		t.Fatal(err)
	}
	state, err := x.policies.State(ctx, "hero")
	if err != nil {
		t.Fatal(err)
	}
	if state.Policy.Type != PolicyUniform || state.PointVersion != done.ToVersion+1 || len(state.Promotions) != 1 || state.Promotions[0].EndedBy != itself || state.Promotions[0].EndReason == "" {
		t.Errorf("after the reward fell: %+v", state)
	}
	if len(state.Candidates) != 2 || state.Candidates[0].Key != "best" || state.Candidates[0].OwnModel {
		t.Errorf("candidates %+v", state.Candidates)
	}
	if err := x.policies.GoBack(ctx, "hero", "somebody", "again"); !errors.As(err, &refused) || refused.Status != 409 {
		t.Errorf("undone twice: %v", err)
	}
	// A log without support: what never was drawn cannot be judged, however long it is.
	x.point("shut", Policy{Type: PolicyFixed, Action: "spring/onsite/default"})
	x.candidate("shut", "other", Candidate{Policy: Policy{Type: PolicyFixed, Action: "summer/onsite/default"}})
	x.visit("shut", 1100, rates)
	other, err := x.policies.Compare(ctx, "shut", "other")
	if err != nil {
		t.Fatal(err)
	}
	if other.Passes || other.Report.Supported || len(other.Report.Refusals) == 0 || other.Report.Decisions != 1100 {
		t.Errorf("without support: %+v", other)
	}
}

// A bandit's candidate learns beside it, by a model of its own; versions, beliefs and
// replays of decisions name what they should.
func TestCandidateLearnsBeside(t *testing.T) {
	t.Parallel()
	x := newTrial(t)
	ctx := t.Context()
	x.point("hero", Policy{Type: PolicyBandit, Exploration: new(.3)})
	x.candidate("hero", "faster", Candidate{Policy: Policy{Type: PolicyBandit, Exploration: new(.05), HalfLifeDays: 7}})
	x.candidate("hero", "keener", Candidate{Policy: Policy{Type: PolicyBandit, Exploration: new(.05), Alpha: .25}})
	x.candidate("hero", "gap", Candidate{Policy: Policy{Type: PolicyBandit, Exploration: new(.05), Method: MethodSquareCB}})
	x.candidate("hero", "greedy", Candidate{Policy: Policy{Type: PolicyBandit, Exploration: new(.06), Method: MethodGreedy}})
	specs := x.policies.Specs()
	if len(specs) != 2 || specs[0].Candidate != "" || specs[1].Candidate != "faster" {
		t.Fatalf("specs %+v", specs)
	}
	rates := map[string]float64{NoneAction: .05, "spring": .2, "summer": .5}
	x.visit("hero", 600, rates)
	for _, spec := range specs {
		if err := x.live.Update(ctx, spec); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := x.live.Current("hero"), x.live.Latest("hero", "faster"); a == nil || b == nil || a.Version != 1 || b.Version != 2 {
		t.Fatalf("models %+v and %+v", a, b)
	}
	x.visit("hero", 300, rates)
	// What has come since is in the next version, which decisions use and name.
	if n, err := x.live.Advance(ctx, specs[0]); err != nil || n < 300 || x.live.Current("hero").Version != 3 || x.live.Current("hero").Base != 1 {
		t.Errorf("%d observations make version %d (%v)", n, x.live.Current("hero").Version, err)
	}
	x.visit("hero", 20, rates)
	var rows, models uint64
	if err := x.logged.Read.QueryRow(ctx, `SELECT count(), uniqExact((candidate, model_version)) FROM policy_shadows WHERE decision_point = 'hero'`).Scan(&rows, &models); err != nil {
		t.Fatal(err)
	}
	if rows < 1400 || models != 9 {
		t.Errorf("%d scores by %d models", rows, models)
	}
	// With a floor of 6 % over three actions the greedy one gives .02 or .96, and the other neither.
	var greedy, gap uint64
	if err := x.logged.Read.QueryRow(ctx, `SELECT countIf(candidate = 'greedy' AND round(target, 9) NOT IN (.02, .96)), countIf(candidate = 'gap' AND (target < .05 / 3 OR round(target, 9) IN (.02, .96)))
		FROM policy_shadows WHERE decision_point = 'hero'`).Scan(&greedy, &gap); err != nil || greedy+gap > 0 {
		t.Errorf("%d scores of the greedy one and %d of the other are not theirs (%v)", greedy, gap, err)
	}
	for field, policy := range map[string]Policy{
		"policy.method": {Type: PolicyBandit, Method: "luck"}, "policy.gamma": {Type: PolicyBandit, Gamma: 3},
		"policy.windowDays": {Type: PolicyBandit, WindowDays: -1}, "policy.largestWeight": {Type: PolicyBandit, LargestWeight: .5},
	} {
		var bad problem.Invalid
		_, err := x.policies.candidates.Put(ctx, candidateKey("hero", "bad"), Candidate{DecisionPoint: "hero", Policy: policy}, "test", 0)
		if !errors.As(err, &bad) || bad[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	belief, err := x.policies.Posterior(ctx, "hero", "", 0, "summer/onsite/default")
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]FactorPosterior{}
	for _, f := range belief.Factors {
		by[f.Factor+" "+f.Level] = f
	}
	if len(belief.Actions) != 3 || !(by["offer summer"].Lower > by["offer spring"].Upper) || len(belief.Features) < 4 || belief.Features[1].Feature != "device = mobile" {
		t.Errorf("belief %+v", belief)
	}
	chosen, err := x.policies.Chosen(ctx, "hero", time.Now().Add(-time.Hour), time.Now().Add(time.Hour), false)
	if err != nil || len(chosen) < 3 {
		t.Errorf("chosen %+v (%v)", chosen, err)
	}
	health, err := x.policies.Health(ctx, "hero")
	if err != nil || health.Decisions < 250 || health.Miscalibrated || len(health.Bins) != calibrationBins {
		t.Errorf("health %+v (%v)", health, err)
	}
	compared, err := x.policies.CompareVersions(ctx, "hero", 1, 2)
	if err != nil || len(compared) != 3 || compared[0].From == nil || compared[0].To == nil {
		t.Errorf("compared %+v (%v)", compared, err)
	}
	// Decisions of the model are computed again to the bit.
	ids, err := x.logged.Read.Query(ctx, `SELECT decision_id FROM decisions WHERE decision_point = 'hero' AND model_version > 0 ORDER BY decision_id DESC LIMIT 40`)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ids.Next() {
		var id string
		if err := ids.Scan(&id); err != nil {
			t.Fatal(err)
		}
		found, err := x.query(ctx, "WHERE decision_id = ? LIMIT 1", id)
		if err != nil || len(found) != 1 {
			t.Fatalf("%v (%v)", found, err)
		}
		if n < 15 && found[0].ModelVersion != 3 {
			t.Errorf("%s was made by version %d", id, found[0].ModelVersion)
		}
		result, err := x.Replay(ctx, found[0])
		if err != nil || !result.Agrees {
			t.Errorf("%s: %+v (%v)", id, result, err)
		}
		n++
	}
	if err := ids.Close(); err != nil || n != 40 {
		t.Errorf("%d replayed (%v)", n, err)
	}
}
