package decide

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/offpolicy"
)

// History is what the models package knows of the log.
type History interface {
	// CountLog says how many decisions a spec can learn from, and when the first and the last was made.
	CountLog(ctx context.Context, spec models.Spec, span models.Span) (decisions uint64, first, last time.Time, err error)
	// ReadLog gives every decision of a span with its reward, or one in so many.
	ReadLog(ctx context.Context, spec models.Spec, span models.Span, every int, each func(*models.Logged) error) error
	// BuildAsOf learns from what was decided before a moment.
	BuildAsOf(ctx context.Context, spec models.Spec, at time.Time) (*models.Snapshot, error)
}

// Evaluation asks what a policy would have brought at a decision point.
type Evaluation struct {
	Policy Policy    `json:"policy" doc:"The policy that is asked about"`
	From   time.Time `json:"from,omitempty" doc:"Decisions from here on judge; a bandit and the model of the reward learn from those before. Unless given, the last three tenths of the time judge"`
	Until  time.Time `json:"until,omitempty" doc:"Decisions before this judge; those whose window has passed unless given"`
	Limit  int       `json:"limit,omitempty" minimum:"0" maximum:"2000000" doc:"At most about so many decisions judge, taken by chance from more; 200000 unless given"`
}

// EvaluationReport says what a policy would have brought.
type EvaluationReport struct {
	Decision  string            `json:"decision" doc:"Key of the decision point"`
	Policy    Policy            `json:"policy"`
	From      time.Time         `json:"from"`
	Until     time.Time         `json:"until"`
	Trained   uint64            `json:"trained" doc:"Decisions before from that the policy and the model of the reward learned from"`
	Decisions int               `json:"decisions" doc:"Decisions that judge"`
	Sampled   int               `json:"sampled" doc:"One in so many decisions was taken"`
	Skipped   int               `json:"skipped" doc:"Decisions without usable probabilities, or to which the policy does not apply"`
	Supported bool              `json:"supported" doc:"Whether the log can answer the question; if not, no figure is to be believed"`
	Refusals  []string          `json:"refusals" nullable:"false" doc:"Why it cannot"`
	Overlap   EvaluationOverlap `json:"overlap"`
	Logged    EvaluationValue   `json:"logged" doc:"What the decisions of the log brought"`
	Values    []EvaluationValue `json:"values" nullable:"false" doc:"What the policy would have brought, by each estimator"`
	Gain      EvaluationValue   `json:"gain" doc:"Doubly robust: the policy's reward minus that of the log, decision by decision"`
	Better    bool              `json:"better" doc:"Whether the log supports that the policy brings more: the lower end of the gain is above 0"`
	Days      []EvaluationDay   `json:"days" nullable:"false" doc:"The gain by day"`
}

// EvaluationOverlap is how far the log and the policy overlap.
type EvaluationOverlap struct {
	EffectiveSize      float64 `json:"effectiveSize" doc:"Decisions of the policy itself that would tell as much"`
	MeanWeight         float64 `json:"meanWeight" doc:"1 where the log has support"`
	MaxWeight          float64 `json:"maxWeight"`
	MaxWeightShare     float64 `json:"maxWeightShare" doc:"Share of all weight that one decision has"`
	SmallestPropensity float64 `json:"smallestPropensity"`
}

// EvaluationValue is a mean reward per decision with its 95 % interval.
type EvaluationValue struct {
	Estimator     string   `json:"estimator"`
	Parameter     *float64 `json:"parameter,omitempty" doc:"Bound of switch-dr, λ of dr-os"`
	Value         float64  `json:"value" doc:"Reward per decision"`
	StandardError float64  `json:"standardError" doc:"With people as the units"`
	Lower         float64  `json:"lower"`
	Upper         float64  `json:"upper"`
}

// EvaluationDay is the gain of one day.
type EvaluationDay struct {
	Day       string  `json:"day" doc:"UTC"`
	Decisions int     `json:"decisions"`
	Gain      float64 `json:"gain"`
	Lower     float64 `json:"lower"`
	Upper     float64 `json:"upper"`
}

const (
	defaultJudges  = 200_000
	judgingShare   = 0.3
	evaluateLimit  = 5 * time.Minute
	evaluateAlpha  = 0.05
	switchBound    = 10
	leastDayJudges = 100
)

// shrinkages are the λ of dr-os that are tried; the data choose.
var shrinkages = []float64{1e4, 1e3, 300, 100, 30, 10, 3, 1, 0.3, 0}

// Evaluate estimates from the log what a policy would have brought at a decision point. The policy's own model, if it
// learns, and the model of the reward are built from the decisions before those that judge, so that none judges what
// it taught.
func (s *Service) Evaluate(ctx context.Context, key string, e Evaluation) (*EvaluationReport, error) {
	p, ok := s.state.Load().points[key]
	if !ok {
		return nil, problem.NotFound("decision point", problem.Clip(key))
	}
	spec, err := s.evaluationSpec(p, &e)
	if err != nil {
		return nil, err
	}
	report := &EvaluationReport{Decision: key, Policy: e.Policy, Refusals: []string{}, Values: []EvaluationValue{}, Days: []EvaluationDay{}}
	every, err := s.judges(ctx, spec, &e)
	if err != nil {
		return nil, err
	}
	report.From, report.Until, report.Sampled = e.From, e.Until, every
	snapshot, err := s.history.BuildAsOf(ctx, spec, e.From)
	if errors.Is(err, models.ErrNoData) {
		var bad problem.Invalid
		bad.Add("from", "must leave decisions before it to learn from", e.From.Format(time.RFC3339))
		return nil, bad.Err()
	}
	if err != nil {
		return nil, err
	}
	report.Trained = snapshot.Decisions
	policy, err := p.compilePolicy(e.Policy)
	if err != nil {
		return nil, err
	}
	j := judge{point: p, policy: policy, snapshot: snapshot, seed: maphash.MakeSeed()}
	if err := s.history.ReadLog(ctx, spec, models.Span{From: e.From, To: e.Until}, every, j.add); err != nil {
		return nil, err
	}
	report.Skipped = j.skipped
	return report, report.fill(j.log, j.days)
}

// evaluationSpec checks what is asked and says what is to be learned for it.
func (s *Service) evaluationSpec(p *point, e *Evaluation) (models.Spec, error) {
	var bad problem.Invalid
	if s.history == nil {
		return models.Spec{}, problem.Unavailable(time.Minute, "There is no log to evaluate from.", nil)
	}
	e.Policy.validate(&bad, "policy", &p.def)
	if !e.Policy.fromLog() {
		bad.Add("policy.type", notFromLog, e.Policy.Type)
	}
	if !p.def.encodes() {
		bad.Add("decision", "must have features: without any, its decisions say nothing that a policy could use", p.key)
	}
	if len(p.def.Objective.Terms) == 0 {
		bad.Add("decision", "must have an objective, by which a policy is judged", p.key)
	}
	now := s.now().UTC()
	matured := now.Add(-time.Duration(p.def.Objective.WindowHours * float64(time.Hour)))
	if e.Until.IsZero() {
		e.Until = matured
	} else if e.Until.After(now) {
		bad.Add("until", "must not be in the future", e.Until.Format(time.RFC3339))
	}
	if !e.From.IsZero() && !e.From.Before(e.Until) {
		bad.Add("from", "must be before until ("+e.Until.Format(time.RFC3339)+")", e.From.Format(time.RFC3339))
	}
	if e.Limit == 0 {
		e.Limit = defaultJudges
	}
	return e.Policy.spec(p, s.featuresSince(p)), bad.Err()
}

// judges settles which decisions judge: from when on, and one in how many.
func (s *Service) judges(ctx context.Context, spec models.Spec, e *Evaluation) (every int, err error) {
	count, first, last, err := s.history.CountLog(ctx, spec, models.Span{From: time.UnixMilli(0), To: e.Until})
	if err != nil {
		return 0, err
	}
	if count == 0 {
		return 0, problem.Conflict("No decision that could judge has been made before " + e.Until.Format(time.RFC3339) + ", the moment up to which the outcomes are in.")
	}
	if e.From.IsZero() {
		e.From = last.Add(-time.Duration(judgingShare * float64(last.Sub(first)))).UTC().Truncate(time.Millisecond)
	}
	judging, _, _, err := s.history.CountLog(ctx, spec, models.Span{From: e.From, To: e.Until})
	if err != nil {
		return 0, err
	}
	return int((judging + uint64(e.Limit) - 1) / uint64(e.Limit)), nil
}

// judge makes the log of the evaluation of the decisions as they come.
type judge struct {
	point    *point
	policy   Policy
	snapshot *models.Snapshot
	seed     maphash.Seed
	scratch  scratch

	log     offpolicy.Log
	days    []string // of each decision of the log
	skipped int
}

func (j *judge) add(d *models.Logged) error {
	chosen := -1
	for i, action := range d.Candidates {
		if action == d.Action {
			chosen = i
		}
	}
	if chosen < 0 || len(d.Probabilities) != len(d.Candidates) || !(d.Probabilities[chosen] > 0) || d.Features.Validate(j.snapshot.Model.Dimension) != nil {
		j.skipped++
		return nil
	}
	rec := &Record{Candidates: d.Candidates, FeatureIndex: d.Features.Indices, FeatureValue: d.Features.Values}
	target, _, err := staged(j.point, j.policy, j.snapshot, rec, nil, &j.scratch)
	if err != nil {
		return fmt.Errorf("applying the policy to decision %s: %w", d.ID, err)
	}
	out := offpolicy.Decision{Reward: d.Reward, Propensity: d.Probabilities[chosen], Target: target.Q[chosen], Person: maphash.String(j.seed, d.Person)}
	for i, action := range d.Candidates {
		mean, _ := j.snapshot.Model.Score(action, d.Features)
		out.Value += target.Q[i] * mean
		if i == chosen {
			out.Expected = mean
		}
		if d.Probabilities[i] <= 0 {
			out.Unreached += target.Q[i]
		}
	}
	j.log, j.days = append(j.log, out), append(j.days, d.At.UTC().Format(time.DateOnly))
	return nil
}

// fill computes the figures.
func (r *EvaluationReport) fill(log offpolicy.Log, days []string) error {
	r.Decisions = len(log)
	if len(log) < 2 {
		r.Refusals = append(r.Refusals, "Fewer than two decisions can judge.")
		return nil
	}
	if err := log.Check(); err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	overlap := log.Diagnose()
	r.Overlap = EvaluationOverlap{EffectiveSize: overlap.EffectiveSize, MeanWeight: overlap.MeanWeight, MaxWeight: overlap.MaxWeight,
		MaxWeightShare: overlap.MaxWeightShare, SmallestPropensity: overlap.SmallestPropensity}
	var refused *offpolicy.NoSupportError
	if err := overlap.Check(offpolicy.DefaultBounds()); errors.As(err, &refused) {
		r.Refusals = refused.Reasons
	}
	r.Supported = len(r.Refusals) == 0
	own := make(offpolicy.Log, len(log)) // the log's policy on the same decisions
	for i := range log {
		own[i] = log[i]
		own[i].Target = own[i].Propensity
	}
	logged := offpolicy.IPS(own)
	logged.Estimator = "mean"
	if err := r.Logged.set(logged); err != nil {
		return err
	}
	shrunk, err := offpolicy.ShrunkBySlope(log, shrinkages, evaluateAlpha)
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	robust := offpolicy.DR(log)
	for _, estimate := range []offpolicy.Estimate{offpolicy.IPS(log), offpolicy.SNIPS(log), offpolicy.DM(log), robust, offpolicy.SNDR(log), offpolicy.SwitchDR(switchBound)(log), shrunk} {
		if math.IsNaN(estimate.Value) { // no weight at all: the refusals say so
			continue
		}
		var v EvaluationValue
		if err := v.set(estimate); err != nil {
			return err
		}
		r.Values = append(r.Values, v)
	}
	gain, err := offpolicy.Difference(log, robust, logged)
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	if err := r.Gain.set(gain); err != nil {
		return err
	}
	r.Better = r.Supported && r.Gain.Lower > 0
	return r.byDay(log, own, days)
}

// byDay estimates the gain of each day by itself. The log is in the order of time.
func (r *EvaluationReport) byDay(log, own offpolicy.Log, days []string) error {
	for from := 0; from < len(log); {
		to := from
		for to < len(log) && days[to] == days[from] {
			to++
		}
		part := log[from:to]
		if len(part) >= leastDayJudges {
			gain, err := offpolicy.Difference(part, offpolicy.DR(part), offpolicy.IPS(own[from:to]))
			if err != nil {
				return fmt.Errorf("evaluating %s: %w", days[from], err)
			}
			if interval, err := gain.Normal(evaluateAlpha); err == nil {
				r.Days = append(r.Days, EvaluationDay{Day: days[from], Decisions: len(part), Gain: gain.Value, Lower: interval.Lower, Upper: interval.Upper})
			}
		}
		from = to
	}
	return nil
}

func (v *EvaluationValue) set(e offpolicy.Estimate) error {
	interval, err := e.Normal(evaluateAlpha)
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	*v = EvaluationValue{Estimator: e.Estimator, Value: e.Value, StandardError: e.StandardError, Lower: interval.Lower, Upper: interval.Upper}
	if !math.IsNaN(e.Parameter) {
		v.Parameter = &e.Parameter
	}
	return nil
}

func (s *Service) evaluateRoute(a huma.API) {
	type input struct {
		Key  string `path:"key" maxLength:"64" doc:"Key of the decision point"`
		Body Evaluation
	}
	type output struct{ Body *EvaluationReport }
	op := huma.Operation{
		OperationID: "evaluate-policy", Method: http.MethodPost, Path: "/v1/decision-points/{key}/evaluate",
		Tags: []string{"Decision points"}, Summary: "What a policy would have brought, estimated from the log",
		Description: "Off-policy evaluation from the probabilities that every decision was drawn with. A log that does not support the question is refused in supported and refusals.",
		Errors:      []int{401, 403, 404, 409, 422},
	}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(evaluateLimit)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		report, err := s.Evaluate(ctx, in.Key, in.Body)
		if err != nil {
			return nil, err
		}
		return &output{Body: report}, nil
	})
}
