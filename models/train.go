package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"quintet/internal/clickhouse"
	"quintet/models/bandits"
)

// ErrNoData is returned by [Trainer.Build] where no decision can be learned from.
var ErrNoData = errors.New("no decision to learn from")

// Snapshot is one version of a model. It is immutable.
type Snapshot struct {
	DecisionPoint string
	// Track is the key of the candidate policy that it is learned for; empty for the
	// policy that decides.
	Track string
	// Version counts from 1 per decision point; 0 until it is stored.
	Version int64
	// Model scores the features of the decision point's encoder.
	Model *bandits.Model
	// Base is the version that was built: Version itself, or the one that a live
	// version continues.
	Base int64
	// BuiltAt is when the log was read.
	BuiltAt time.Time
	// UpdatedAt is when the newest observation was added.
	UpdatedAt time.Time
	// Through is the largest stream sequence among the decisions learned from.
	Through uint64
	// Decisions and Reward are the totals learned from, unweighted.
	Decisions uint64
	Reward    float64
	// Actions summarises the belief about each action.
	Actions []ActionBelief

	spec   string // fingerprint of the Spec
	volume volume // what there was when it was built
	// position is how far the log had been read.
	position Position
	// delays is the share of the rewards that has come by each hour of age; nil where
	// they come at once.
	delays []float64
	// average is the mean feature vector, dense.
	average []float64
}

// ActionBelief is what a model believes about one action for an average person:
// the expected reward at the mean feature vector of the decisions learned from.
type ActionBelief struct {
	Action    string  `json:"action" doc:"Id of the action"`
	Decisions float64 `json:"decisions" doc:"Decisions behind the belief, older ones counted for less"`
	Mean      float64 `json:"mean" doc:"Expected reward for an average person"`
	SD        float64 `json:"sd" doc:"Standard deviation of that expectation"`
	Noise     float64 `json:"noise" doc:"Variance of a single reward"`
}

// Trainer builds models from the log.
type Trainer struct {
	db  *clickhouse.Database
	log *slog.Logger
	now func() time.Time
}

// NewTrainer returns a trainer that reads the given log.
func NewTrainer(db *clickhouse.Database, log *slog.Logger) *Trainer {
	return &Trainer{db: db, log: log, now: time.Now}
}

// Build learns from everything up to now, by the stored tiles, which it brings up to
// date. It returns an error wrapping [ErrNoData] if no decision carries features of
// the spec's encoder. The snapshot has no version yet.
func (t *Trainer) Build(ctx context.Context, spec Spec) (*Snapshot, error) {
	return t.build(ctx, spec, t.now().UTC(), everything, true)
}

// BuildAsOf is [Trainer.Build] from the decisions before a moment, and what came of
// them. It stores nothing.
func (t *Trainer) BuildAsOf(ctx context.Context, spec Spec, at time.Time) (*Snapshot, error) {
	return t.build(ctx, spec, at, everything, false)
}

// build learns from the log up to a moment and a position. With stored it goes by the
// tiles in the database, without by the log alone.
func (t *Trainer) build(ctx context.Context, spec Spec, at time.Time, through Position, stored bool) (*Snapshot, error) {
	fail := func(err error) (*Snapshot, error) {
		return nil, fmt.Errorf("building the model of %s: %w", spec.DecisionPoint, err)
	}
	encoder, err := spec.compile()
	if err != nil {
		return fail(err)
	}
	fingerprint, err := spec.fingerprint()
	if err != nil {
		return fail(err)
	}
	// Counted before reading: what comes in between is counted as new next time.
	v, err := countVolume(ctx, t.db, &spec)
	if err != nil {
		return nil, err
	}
	today := bandits.DayOf(at)
	p := part{from: (today - bandits.Day(spec.horizonDays())).Time(), to: at, through: through, dimension: encoder.Dimension()}
	recipe := ""
	if stored {
		if recipe, err = spec.recipe(encoder); err != nil {
			return fail(err)
		}
		if _, err := refreshTiles(ctx, t.db, &spec, recipe, p, t.now()); err != nil {
			return nil, err
		}
	}
	options := spec.options(encoder)
	var curve []float64
	if spec.CorrectDelays {
		seen, err := readArrivals(ctx, t.db, &spec, p, at)
		if err != nil {
			return nil, err
		}
		curve = seen.curve()
		options.Maturity = maturity(curve, at)
	}
	builder, err := bandits.NewBuilder(options, today)
	if err != nil {
		return fail(err)
	}
	sum, err := readTiles(ctx, t.db, &spec, recipe, p, builder.Weights, builder.AddWeighted)
	if err != nil {
		return nil, err
	}
	if sum.decisions == 0 {
		return fail(ErrNoData)
	}
	if sum.clamped > 0 {
		t.log.Warn("rewards out of range were cut", "decisionPoint", spec.DecisionPoint, "decisions", sum.clamped, "limit", float64(maxReward))
	}
	model, err := builder.Build()
	if err != nil {
		return fail(err)
	}
	return &Snapshot{
		DecisionPoint: spec.DecisionPoint, Track: spec.Candidate, Model: model, BuiltAt: at, UpdatedAt: at, Through: sum.through,
		Decisions: sum.decisions, Reward: sum.reward, Actions: beliefs(model, sum.average),
		spec: fingerprint, volume: v, position: through, delays: curve, average: sum.average,
	}, nil
}

func beliefs(model *bandits.Model, average []float64) []ActionBelief {
	var x bandits.Vector
	for i, v := range average {
		if v != 0 {
			x.Indices = append(x.Indices, uint32(i))
			x.Values = append(x.Values, v)
		}
	}
	out := make([]ActionBelief, 0, len(model.Actions()))
	for _, action := range model.Actions() {
		arm, _ := model.Arm(action)
		mean, sd := arm.Score(x)
		out = append(out, ActionBelief{Action: action, Decisions: arm.Decisions, Mean: mean, SD: sd, Noise: arm.Noise})
	}
	return out
}
