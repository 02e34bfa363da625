package decide

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/offpolicy"
)

const (
	// maxCompared bounds the decisions by which a candidate is compared.
	maxCompared = 200_000
	// comparedDays is how far back they go.
	comparedDays = 60
)

// GateCheck is one condition of a promotion.
type GateCheck struct {
	Name   string  `json:"name" doc:"support, gain or data"`
	Passed bool    `json:"passed"`
	Figure float64 `json:"figure"`
	Bound  float64 `json:"bound" doc:"What the figure must be above"`
	Text   string  `json:"text" doc:"The condition in words"`
}

// Comparison says how a candidate would have fared on the traffic that it was scored on,
// beside the policy that decided.
type Comparison struct {
	Candidate string           `json:"candidate"`
	Version   int64            `json:"version" doc:"Version of the candidate's definition"`
	Scored    int              `json:"scored" doc:"Decisions that it was scored on since"`
	Waiting   int              `json:"waiting" doc:"Those of them whose window has not passed yet"`
	Report    EvaluationReport `json:"report"`
	// Anytime is the gain with an interval that holds however often one looks.
	Anytime EvaluationValue `json:"anytime" doc:"The gain, with a 95 % interval that holds however often one looks"`
	Checks  []GateCheck     `json:"checks" nullable:"false" doc:"The conditions of a promotion"`
	Passes  bool            `json:"passes" doc:"Whether the gate lets it pass"`
}

// shadowQuery reads the newest scores of a candidate's definition.
const shadowQuery = `SELECT decision_id, propensity, target, expected, value, unreached FROM policy_shadows FINAL
WHERE decision_point = ? AND candidate = ? AND policy_version = ? AND decided_at >= fromUnixTimestamp64Milli(?) AND decided_at < fromUnixTimestamp64Milli(?)
ORDER BY decision_id DESC LIMIT ?`

// Compare judges a candidate by the decisions that it was scored on while they were
// made, and whose outcomes are in.
func (p *Policies) Compare(ctx context.Context, key, candidate string) (*Comparison, error) {
	point, c, err := p.find(key, candidate)
	if err != nil {
		return nil, err
	}
	spec := point.def.Policy.spec(point, p.decide.featuresSince(point))
	now := p.now().UTC()
	until := now.Add(-time.Duration(spec.Objective.WindowHours * float64(time.Hour)))
	from := now.AddDate(0, 0, -comparedDays)
	out := &Comparison{Candidate: candidate, Version: c.Version, Report: EvaluationReport{Decision: key, Policy: c.Value.Policy, From: from, Until: until, Sampled: 1,
		Refusals: []string{}, Values: []EvaluationValue{}, Days: []EvaluationDay{}}}
	scores, err := p.readScores(ctx, key, candidate, c.Version, from, until)
	if err != nil {
		return nil, err
	}
	var scored uint64
	if err := p.db.Read.QueryRow(ctx, `SELECT uniqExact(decision_id) FROM policy_shadows WHERE decision_point = ? AND candidate = ? AND policy_version = ?`,
		key, candidate, uint64(c.Version)).Scan(&scored); err != nil {
		return nil, fmt.Errorf("counting the scores of candidate %s of %s: %w", candidate, key, err)
	}
	out.Scored, out.Waiting = int(scored), max(0, int(scored)-len(scores))
	log, days, err := p.join(ctx, spec, models.Span{From: from, To: until}, scores)
	if err != nil {
		return nil, err
	}
	if snap := p.snapshotOf(point, candidate, &c.Value); snap != nil {
		out.Report.Trained = snap.Decisions
	}
	if err := out.Report.fill(log, days); err != nil {
		return nil, err
	}
	if err := out.anytime(log); err != nil {
		return nil, err
	}
	out.check(&c.Value)
	return out, nil
}

// find is the compiled point and one of its candidates, or a 404 problem.
func (p *Policies) find(key, candidate string) (*point, definitions.Versioned[Candidate], error) {
	point, ok := p.decide.state.Load().points[key]
	if !ok {
		return nil, definitions.Versioned[Candidate]{}, problem.NotFound("decision point", problem.Clip(key))
	}
	c, ok := p.candidates.Get(candidateKey(key, candidate))
	if !ok || c.Value.DecisionPoint != key {
		return nil, c, problem.NotFound("candidate policy", problem.Clip(candidate))
	}
	return point, c, nil
}

func (p *Policies) readScores(ctx context.Context, key, candidate string, version int64, from, until time.Time) (map[string]offpolicy.Decision, error) {
	rows, err := p.db.Read.Query(ctx, shadowQuery, key, candidate, uint64(version), from.UnixMilli(), until.UnixMilli(), maxCompared)
	if err != nil {
		return nil, fmt.Errorf("reading the scores of candidate %s of %s: %w", candidate, key, err)
	}
	defer rows.Close()
	out := map[string]offpolicy.Decision{}
	for rows.Next() {
		var id string
		var d offpolicy.Decision
		if err := rows.Scan(&id, &d.Propensity, &d.Target, &d.Expected, &d.Value, &d.Unreached); err != nil {
			return nil, fmt.Errorf("reading the scores of candidate %s of %s: %w", candidate, key, err)
		}
		out[id] = d
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the scores of candidate %s of %s: %w", candidate, key, err)
	}
	return out, nil
}

// join adds what came of the decisions, in the order of time.
func (p *Policies) join(ctx context.Context, spec models.Spec, span models.Span, scores map[string]offpolicy.Decision) (offpolicy.Log, []string, error) {
	var log offpolicy.Log
	var days []string
	if len(scores) == 0 {
		return nil, nil, nil
	}
	seed := maphash.MakeSeed()
	err := p.history.ReadLog(ctx, spec, span, 1, func(d *models.Logged) error {
		if one, ok := scores[d.ID]; ok {
			one.Reward, one.Person = d.Reward, maphash.String(seed, d.Person)
			log, days = append(log, one), append(days, d.At.UTC().Format(time.DateOnly))
		}
		return nil
	})
	return log, days, err
}

// anytime is the gain with an interval for those who look again and again.
func (c *Comparison) anytime(log offpolicy.Log) error {
	if len(log) < 2 {
		return nil
	}
	gain, err := gainOf(log)
	if err != nil {
		return err
	}
	interval, err := gain.Sequence(evaluateAlpha, max(1000, float64(gain.Persons)))
	if errors.Is(err, offpolicy.ErrOnePerson) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("comparing: %w", err)
	}
	c.Anytime = EvaluationValue{Estimator: gain.Estimator, Value: gain.Value, StandardError: gain.StandardError, Lower: interval.Lower, Upper: interval.Upper}
	return nil
}

// gainOf is the doubly robust gain of the target over what was logged.
func gainOf(log offpolicy.Log) (*offpolicy.Estimate, error) {
	own := make(offpolicy.Log, len(log))
	for i := range log {
		own[i] = log[i]
		own[i].Target = own[i].Propensity
	}
	gain, err := offpolicy.Difference(log, offpolicy.DR(log), offpolicy.IPS(own))
	if err != nil {
		return nil, fmt.Errorf("comparing: %w", err)
	}
	return &gain, nil
}

// check applies the conditions of a promotion.
func (c *Comparison) check(candidate *Candidate) {
	r := &c.Report
	bounds := offpolicy.DefaultBounds()
	need := max(bounds.EffectiveSize, bounds.EffectiveShare*float64(r.Decisions))
	lower, interval := r.Gain.Lower, "95 % interval"
	if candidate.Automatic {
		lower, interval = c.Anytime.Lower, "95 % interval that holds however often one looks"
	}
	c.Checks = []GateCheck{
		{Name: "data", Passed: r.Decisions >= leastCompared, Figure: float64(r.Decisions), Bound: leastCompared - 1,
			Text: fmt.Sprintf("At least %d decisions that it was scored on have their outcomes", leastCompared)},
		{Name: "support", Passed: r.Supported, Figure: r.Overlap.EffectiveSize, Bound: need,
			Text: "The log holds enough of what it would choose"},
		{Name: "gain", Passed: r.Supported && lower > candidate.Margin, Figure: lower, Bound: candidate.Margin,
			Text: "The lower end of its gain, by the " + interval + ", is above the margin"},
	}
	c.Passes = true
	for _, check := range c.Checks {
		c.Passes = c.Passes && check.Passed
	}
}

// leastCompared is how many decisions with outcomes a promotion rests on.
const leastCompared = 1000
