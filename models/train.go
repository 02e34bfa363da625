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
	// Version counts from 1 per decision point; 0 until it is stored.
	Version int64
	// Model scores the features of the decision point's encoder.
	Model *bandits.Model
	// BuiltAt is when the log was read.
	BuiltAt time.Time
	// Through is the largest stream sequence among the decisions learned from.
	Through uint64
	// Decisions and Reward are the totals learned from, unweighted.
	Decisions uint64
	Reward    float64
	// Actions summarises the belief about each action.
	Actions []ActionBelief

	spec   string // fingerprint of the Spec
	volume volume // what there was when it was built
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

// Build reads the log and solves for a model. It returns an error wrapping
// [ErrNoData] if no decision carries features of the spec's encoder. The snapshot
// has no version yet.
func (t *Trainer) Build(ctx context.Context, spec Spec) (*Snapshot, error) {
	return t.BuildAsOf(ctx, spec, t.now().UTC())
}

// BuildAsOf is [Trainer.Build] from the decisions before a moment, and what came of
// them.
func (t *Trainer) BuildAsOf(ctx context.Context, spec Spec, at time.Time) (*Snapshot, error) {
	encoder, err := spec.compile()
	if err != nil {
		return nil, fmt.Errorf("building the model of %s: %w", spec.DecisionPoint, err)
	}
	fingerprint, err := spec.fingerprint()
	if err != nil {
		return nil, fmt.Errorf("building the model of %s: %w", spec.DecisionPoint, err)
	}
	// Counted before reading: what comes in between is counted as new next time.
	v, err := countVolume(ctx, t.db, &spec)
	if err != nil {
		return nil, err
	}
	builder, err := bandits.NewBuilder(spec.options(encoder), bandits.DayOf(at))
	if err != nil {
		return nil, fmt.Errorf("building the model of %s: %w", spec.DecisionPoint, err)
	}
	sum, err := readTiles(ctx, t.db, &spec, encoder.Dimension(), at, builder.Weights, builder.AddWeighted)
	if err != nil {
		return nil, err
	}
	if sum.decisions == 0 {
		return nil, fmt.Errorf("building the model of %s: %w", spec.DecisionPoint, ErrNoData)
	}
	if sum.clamped > 0 {
		t.log.Warn("rewards out of range were cut", "decisionPoint", spec.DecisionPoint, "decisions", sum.clamped, "limit", float64(maxReward))
	}
	model, err := builder.Build()
	if err != nil {
		return nil, fmt.Errorf("building the model of %s: %w", spec.DecisionPoint, err)
	}
	return &Snapshot{
		DecisionPoint: spec.DecisionPoint, Model: model, BuiltAt: at, Through: sum.through,
		Decisions: sum.decisions, Reward: sum.reward, Actions: beliefs(model, sum.average),
		spec: fingerprint, volume: v,
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
