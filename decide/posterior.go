package decide

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/bandits"
)

// interval95 is how many deviations the interval of a belief reaches to either side.
const interval95 = 1.959963984540054

// Belief is what a model believes of something: the expected reward for an average
// person, with the interval that holds it with 95 %.
type Belief struct {
	Decisions float64 `json:"decisions" doc:"Decisions behind it, older ones counted for less"`
	Mean      float64 `json:"mean"`
	SD        float64 `json:"sd"`
	Lower     float64 `json:"lower"`
	Upper     float64 `json:"upper"`
}

func belief(decisions, mean, sd float64) Belief {
	return Belief{Decisions: decisions, Mean: mean, SD: sd, Lower: mean - interval95*sd, Upper: mean + interval95*sd}
}

// ActionPosterior is the belief about an action.
type ActionPosterior struct {
	Action string `json:"action"`
	Belief
}

// FactorPosterior is the belief about one value of a factor.
type FactorPosterior struct {
	Factor  string `json:"factor" doc:"offer, channel, creative, tone, emphasis, background or imagery"`
	Level   string `json:"level"`
	Actions int    `json:"actions" doc:"Actions that have it"`
	Belief
}

// FeaturePosterior is what a feature adds to the expected reward of an action.
type FeaturePosterior struct {
	Feature string `json:"feature"`
	Belief
}

// Posterior is what a version of a model believes.
type Posterior struct {
	Version   int64              `json:"version"`
	Base      int64              `json:"base" doc:"Version that was built from the log, which this one is or continues"`
	BuiltAt   time.Time          `json:"builtAt"`
	UpdatedAt time.Time          `json:"updatedAt" doc:"When it learned last"`
	Decisions uint64             `json:"decisions" doc:"Decisions learned from"`
	Reward    float64            `json:"reward" doc:"Sum of their rewards"`
	Actions   []ActionPosterior  `json:"actions" nullable:"false"`
	Factors   []FactorPosterior  `json:"factors" nullable:"false" doc:"By factor: the mean over the actions that have the value, each counted alike"`
	Features  []FeaturePosterior `json:"features" nullable:"false" doc:"Of one action, where it was asked for"`
}

// pointOf is the compiled decision point of a key, or a 404 problem.
func (s *Service) pointOf(key string) (*point, error) {
	p, ok := s.state.Load().points[key]
	if !ok {
		return nil, problem.NotFound("decision point", problem.Clip(key))
	}
	return p, nil
}

// Posterior is what a version of a model believes; of the version in use with 0, and of
// the newest of a candidate where one is named.
func (p *Policies) Posterior(ctx context.Context, key, candidate string, version int64, action string) (*Posterior, error) {
	point, err := p.decide.pointOf(key)
	if err != nil {
		return nil, err
	}
	snap, err := p.snapshot(ctx, point, candidate, version)
	if err != nil {
		return nil, err
	}
	out := &Posterior{Version: snap.Version, Base: snap.Base, BuiltAt: snap.BuiltAt, UpdatedAt: snap.UpdatedAt, Decisions: snap.Decisions, Reward: snap.Reward,
		Actions: []ActionPosterior{}, Factors: []FactorPosterior{}, Features: []FeaturePosterior{}}
	for _, a := range snap.Actions {
		out.Actions = append(out.Actions, ActionPosterior{a.Action, belief(a.Decisions, a.Mean, a.SD)})
	}
	out.Factors = point.factorPosteriors(snap.Actions)
	if action != "" {
		arm, known := snap.Model.Arm(action)
		if !known {
			return nil, problem.NotFound("action in this version", problem.Clip(action))
		}
		for i, mean := range arm.Mean {
			name := fmt.Sprint("feature ", i)
			if point.encoder.Fingerprint() == snap.Model.Fingerprint {
				name = point.encoder.FeatureName(i)
			}
			out.Features = append(out.Features, FeaturePosterior{name, belief(arm.Decisions, mean, math.Sqrt(max(0, arm.Noise*arm.Covariance[bandits.PackedLen(i)+i])))})
		}
	}
	return out, nil
}

func (p *Policies) snapshot(ctx context.Context, point *point, candidate string, version int64) (*models.Snapshot, error) {
	if version > 0 {
		return p.models.AtVersion(ctx, point.key, version)
	}
	snap := p.models.Current(point.key)
	if candidate != "" {
		_, c, err := p.find(point.key, candidate)
		if err != nil {
			return nil, err
		}
		snap = p.snapshotOf(point, candidate, &c.Value)
	}
	if snap == nil {
		return nil, problem.NotFound("model yet of", point.key)
	}
	return snap, nil
}

// factorPosteriors are the beliefs by factor. Actions count alike, and are taken to be
// independent given what is known, as each has a model of its own.
func (p *point) factorPosteriors(actions []models.ActionBelief) []FactorPosterior {
	type level struct{ factor, value string }
	type sum struct{ n, decisions, mean, variance float64 }
	sums := map[level]sum{}
	for _, a := range actions {
		i, ok := p.byID[a.Action]
		if !ok || a.Action == NoneAction {
			continue
		}
		x := &p.actions[i]
		levels := []level{{"offer", x.offerKey}, {"channel", x.chanKey}}
		if c := x.creative; c != nil {
			levels = append(levels, level{"creative", c.Key}, level{"tone", c.Tone}, level{"emphasis", c.Emphasis}, level{"background", c.Background}, level{"imagery", c.Imagery})
		}
		for _, l := range levels {
			if l.value == "" {
				continue
			}
			s := sums[l]
			sums[l] = sum{s.n + 1, s.decisions + a.Decisions, s.mean + a.Mean, s.variance + a.SD*a.SD}
		}
	}
	order := []string{"offer", "channel", "creative", "tone", "emphasis", "background", "imagery"}
	out := []FactorPosterior{}
	for _, l := range slices.SortedFunc(maps.Keys(sums), func(a, b level) int {
		if a.factor != b.factor {
			return slices.Index(order, a.factor) - slices.Index(order, b.factor)
		}
		if a.value < b.value {
			return -1
		}
		return 1
	}) {
		s := sums[l]
		out = append(out, FactorPosterior{l.factor, l.value, int(s.n), belief(s.decisions, s.mean/s.n, math.Sqrt(s.variance)/s.n)})
	}
	return out
}

// VersionComparison is what two versions believe of the same actions.
type VersionComparison struct {
	Action string  `json:"action"`
	From   *Belief `json:"from,omitempty" doc:"Absent where the version does not know it"`
	To     *Belief `json:"to,omitempty"`
	// Deviations is how far the two are apart, in deviations of the earlier.
	Deviations float64 `json:"deviations" doc:"Difference of the means in deviations of the first"`
}

// CompareVersions says what two versions of a model believe.
func (p *Policies) CompareVersions(ctx context.Context, key string, from, to int64) ([]VersionComparison, error) {
	if _, err := p.decide.pointOf(key); err != nil {
		return nil, err
	}
	a, err := p.models.AtVersion(ctx, key, from)
	if err != nil {
		return nil, err
	}
	b, err := p.models.AtVersion(ctx, key, to)
	if err != nil {
		return nil, err
	}
	found := map[string]*VersionComparison{}
	for _, x := range a.Actions {
		v := belief(x.Decisions, x.Mean, x.SD)
		found[x.Action] = &VersionComparison{Action: x.Action, From: &v}
	}
	for _, x := range b.Actions {
		v := belief(x.Decisions, x.Mean, x.SD)
		if found[x.Action] == nil {
			found[x.Action] = &VersionComparison{Action: x.Action}
		}
		c := found[x.Action]
		c.To = &v
		if c.From != nil && c.From.SD > 0 {
			c.Deviations = (v.Mean - c.From.Mean) / c.From.SD
		}
	}
	out := make([]VersionComparison, 0, len(found))
	for _, action := range slices.Sorted(maps.Keys(found)) {
		out = append(out, *found[action])
	}
	return out, nil
}

// ChosenActions is how often each action was chosen in a part of the time.
type ChosenActions struct {
	From        time.Time `json:"from"`
	Action      string    `json:"action"`
	Decisions   uint64    `json:"decisions"`
	Share       float64   `json:"share" doc:"Of the decisions of that time"`
	Probability float64   `json:"probability" doc:"Mean probability that those decisions gave it"`
}

// maxChosen bounds the rows of a call.
const maxChosen = 20_000

// Chosen is how often each action was chosen, by day or by hour.
func (p *Policies) Chosen(ctx context.Context, key string, from, until time.Time, hourly bool) ([]ChosenActions, error) {
	if _, err := p.decide.pointOf(key); err != nil {
		return nil, err
	}
	unit := "toStartOfDay"
	if hourly {
		unit = "toStartOfHour"
	}
	rows, err := p.db.Read.Query(ctx, `SELECT `+unit+`(decided_at) AS at, action, count() AS n, n / sum(n) OVER (PARTITION BY at), avg(propensity)
		FROM decisions WHERE decision_point = ? AND decided_at >= fromUnixTimestamp64Milli(?) AND decided_at < fromUnixTimestamp64Milli(?) AND eligible AND action != ''
		GROUP BY at, action ORDER BY at, n DESC, action LIMIT ?`, key, from.UnixMilli(), until.UnixMilli(), maxChosen)
	if err != nil {
		return nil, fmt.Errorf("counting the actions of %s: %w", key, err)
	}
	defer rows.Close()
	out := []ChosenActions{}
	for rows.Next() {
		var c ChosenActions
		if err := rows.Scan(&c.From, &c.Action, &c.Decisions, &c.Share, &c.Probability); err != nil {
			return nil, fmt.Errorf("counting the actions of %s: %w", key, err)
		}
		c.From = c.From.UTC()
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting the actions of %s: %w", key, err)
	}
	return out, nil
}
