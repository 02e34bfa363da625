package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/internal/stream"
	"quintet/models"
)

// maxCandidates bounds the candidate policies of one decision point: each decision is
// scored by all of them.
const maxCandidates = 10

// Candidate is a policy that is trained and scored on live traffic beside the one that
// decides, which it may come to replace.
type Candidate struct {
	DecisionPoint string `json:"decisionPoint" doc:"Key of the decision point"`
	Name          string `json:"name,omitempty" maxLength:"200"`
	Policy        Policy `json:"policy"`
	// Margin is what the lower end of the gain must be above.
	Margin float64 `json:"margin,omitempty" doc:"Reward per decision that the lower end of its gain must be above; 0 unless set"`
	// Automatic has it promoted as soon as the gate lets it pass.
	Automatic bool `json:"automatic,omitempty" doc:"Whether it is promoted as soon as the gate lets it pass; the gate then asks for an interval that holds however often one looks"`
}

// LearnedModels is what policies need of models.
type LearnedModels interface {
	Models
	// Latest is the newest snapshot of a candidate, or of the point's own policy.
	Latest(decisionPoint, candidate string) *models.Snapshot
	// Update builds a model if one is due.
	Update(ctx context.Context, spec models.Spec) error
	// Versions are those of a model.
	Versions(ctx context.Context, q models.VersionQuery) (*models.Listing, error)
	// Pin has decisions use a certain version, Unpin the newest again.
	Pin(ctx context.Context, decisionPoint string, version int64, reason, actor string) error
	Unpin(ctx context.Context, decisionPoint string) error
	PinOf(ctx context.Context, decisionPoint string) (models.Pin, bool, error)
}

// PoliciesDeps are what Policies work with.
type PoliciesDeps struct {
	Decide      *Service
	Definitions *definitions.Store
	Models      LearnedModels
	History     History
	Postgres    *pgxpool.Pool
	ClickHouse  *clickhouse.Database
	Logger      *slog.Logger
	Registry    prometheus.Registerer // nil for none
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Policies trains candidates beside the policies that decide, compares them on live
// traffic, promotes those that are better and goes back on those that were not.
type Policies struct {
	decide     *Service
	candidates *definitions.Collection[Candidate]
	models     LearnedModels
	history    History
	pool       *pgxpool.Pool
	db         *clickhouse.Database
	log        *slog.Logger
	now        func() time.Time
	sink       *stream.Sink
	metrics    *policyMetrics

	mu      sync.Mutex // of shadowing
	sampled allowance  // of decisions kept for calibration, under mu
	shadow  shadowRows
}

// OpenPolicies loads the candidates, before anything runs; [Policies.Run] scores and
// watches.
func OpenPolicies(d PoliciesDeps) (*Policies, error) {
	p := &Policies{decide: d.Decide, models: d.Models, history: d.History, pool: d.Postgres, db: d.ClickHouse, log: d.Logger, now: d.Now,
		metrics: newPolicyMetrics(d.Registry)}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.now == nil {
		p.now = time.Now
	}
	var err error
	if p.candidates, err = definitions.NewCollection(d.Definitions, "candidate-policies", p.validate); err != nil {
		return nil, fmt.Errorf("loading candidate policies: %w", err)
	}
	p.sink = stream.NewSink(d.Decide.topic, "shadows", p.storeShadows, stream.SinkOptions{MaxMessages: 20_000, Logger: d.Logger})
	d.Decide.readers = append(d.Decide.readers, p.sink.Position)
	return p, nil
}

// candidateKey is the key of a candidate's definition.
func candidateKey(point, candidate string) string { return point + "." + candidate }

func (p *Policies) validate(_ context.Context, key string, c *Candidate) error {
	var bad problem.Invalid
	point, ok := p.decide.state.Load().points[c.DecisionPoint]
	if !ok {
		bad.Add("decisionPoint", "must be the key of a decision point", problem.Clip(c.DecisionPoint))
		return bad
	}
	name := strings.TrimPrefix(key, c.DecisionPoint+".")
	if !validKey(name) || key != candidateKey(c.DecisionPoint, name) {
		bad.Add("key", "must be 1 to 64 of a-z, 0-9, - and _, and start with a letter or digit", problem.Clip(name))
	}
	checkText(&bad, "name", c.Name, maxName)
	c.Policy.validate(&bad, "policy", &point.def)
	if !c.Policy.fromLog() {
		bad.Add("policy.type", notFromLog, c.Policy.Type)
	}
	if c.Policy.Type == PolicyBandit && !point.def.encodes() {
		bad.Add("policy.type", "cannot be bandit where the decision point has no features, unless its policy is a bandit with the method beta", c.Policy.Type)
	}
	if len(point.def.Objective.Terms) == 0 {
		bad.Add("decisionPoint", "must have an objective, by which policies are compared", c.DecisionPoint)
	}
	if !(c.Margin >= 0 && c.Margin <= 1e9) {
		bad.Add("margin", "must be from 0 to 1e9", nil)
	}
	if of := p.of(c.DecisionPoint); len(of) >= maxCandidates {
		if _, known := of[name]; !known {
			bad.Add("decisionPoint", fmt.Sprintf("must have at most %d candidates", maxCandidates), len(of))
		}
	}
	return bad.Err()
}

// of are the candidates of a decision point by their keys.
func (p *Policies) of(point string) map[string]definitions.Versioned[Candidate] {
	out := map[string]definitions.Versioned[Candidate]{}
	for key, v := range p.candidates.Snapshot() {
		if v.Value.DecisionPoint == point {
			out[strings.TrimPrefix(key, point+".")] = v
		}
	}
	return out
}

// Specs lists what has to be learned: for the policies that decide, and for candidates
// that learn differently.
func (p *Policies) Specs() []models.Spec {
	out := p.decide.Specs()
	st := p.decide.state.Load()
	for _, key := range slices.Sorted(maps.Keys(p.candidates.Snapshot())) {
		c := p.candidates.Snapshot()[key].Value
		point, ok := st.points[c.DecisionPoint]
		if !ok {
			continue
		}
		if own, spec := p.learns(point, strings.TrimPrefix(key, c.DecisionPoint+"."), &c); own {
			out = append(out, spec)
		}
	}
	return out
}

// learns says whether a candidate has a model of its own, and what that learns: one that
// learns as the policy that decides shares its model.
func (p *Policies) learns(point *point, candidate string, c *Candidate) (own bool, spec models.Spec) {
	if c.Policy.Type != PolicyBandit || !point.def.encodes() {
		return false, spec
	}
	spec = c.Policy.spec(point, p.decide.featuresSince(point))
	running, ok := point.learner()
	if ok {
		a, errA := json.Marshal(spec)
		b, errB := json.Marshal(running.spec(point, spec.Since))
		if errA == nil && errB == nil && string(a) == string(b) {
			return false, spec
		}
	}
	spec.Candidate = candidate
	return true, spec
}

// snapshotOf is the newest model that a candidate would choose by; nil for none.
func (p *Policies) snapshotOf(point *point, candidate string, c *Candidate) *models.Snapshot {
	if own, _ := p.learns(point, candidate, c); own {
		return p.models.Latest(point.key, candidate)
	}
	return p.models.Latest(point.key, "")
}

// Run scores decisions and watches policies until the context ends.
func (p *Policies) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { p.watch(ctx) })
	defer work.Wait()
	if err := p.sink.Run(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("scoring decisions by candidate policies: %w", err)
	}
	return nil
}

// Scored waits until all decisions so far have been scored by the candidates.
func (p *Policies) Scored(ctx context.Context) error {
	_, last, _, err := p.decide.topic.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the end of the stream: %w", err)
	}
	return p.sink.WaitFor(ctx, last)
}
