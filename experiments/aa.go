package experiments

import (
	"context"
	"fmt"
	"time"

	"quintet/experiments/stats"
	"quintet/internal/problem"
)

// Replay says whether a metric's tests keep their level on the own history:
// people are assigned again and again by new salts to two arms that are treated
// alike, and the p-values must be uniform.
type Replay struct {
	Metric     string    `json:"metric"`
	Experiment string    `json:"experiment,omitempty" doc:"Experiment whose people were assigned again"`
	From       time.Time `json:"from" doc:"People were first seen from here"`
	Until      time.Time `json:"until" doc:"to here, a metric's window before now"`
	People     int64     `json:"people"`
	Sampled    bool      `json:"sampled" doc:"There were more people than are replayed; a random part was taken"`
	Replays    int       `json:"replays"`
	Passed     bool      `json:"passed" doc:"False where the p-values are not uniform (p below 0.001)"`
	Detail     string    `json:"detail" doc:"The outcome in a sentence"`
	Distance   float64   `json:"distance" doc:"Largest gap between the p-values' distribution and the uniform one (Kolmogorov)"`
	PValue     float64   `json:"pValue" doc:"Of the Kolmogorov-Smirnov test"`
	Level      float64   `json:"level"`
	Rejected   float64   `json:"rejected" doc:"Share of replays with p below the level"`
	Low        float64   `json:"rejectedLow" doc:"Lower bound of its 95 % interval"`
	High       float64   `json:"rejectedHigh"`
	Deciles    []int     `json:"deciles" nullable:"false" doc:"Replays with p in each tenth of 0 to 1"`
	SQL        string    `json:"sql"`
}

// ReplayOptions of an A/A replay.
type ReplayOptions struct {
	Replays    int     // 0 is 200
	Days       int     // 0 is 28; not used with an experiment
	Experiment string  // replay among its people; empty for all people with events
	Level      float64 // 0 is 0.05
	Salt       string  // makes other replays; empty is the metric's key
}

// Limits of a replay.
const (
	defaultReplays = 200
	maxReplays     = 1000
	// A hash of each person in each replay is what it costs: fewer people are
	// taken where there are more replays.
	maxReplayHashes = 40_000_000
	maxReplayPeople = 1_000_000
	replayAlarm     = 0.001
)

// ReplayAA assigns the people of the past by new salts to two equal arms and
// tests the metric between them, many times in one scan of the log.
func (s *Service) ReplayAA(ctx context.Context, metric string, o ReplayOptions) (*Replay, error) {
	if o.Replays == 0 {
		o.Replays = defaultReplays
	}
	if o.Salt == "" {
		o.Salt = metric
	}
	var bad problem.Invalid
	if o.Replays < stats.MinimumReplays || o.Replays > maxReplays {
		bad.Add("query.replays", fmt.Sprintf("must be %d to %d", stats.MinimumReplays, maxReplays), o.Replays)
	}
	if o.Level != 0 && !(o.Level > 0 && o.Level < 1) {
		bad.Add("query.level", "must be above 0 and below 1", number(o.Level))
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	var err error
	if o.Days, err = historyDays(o.Days); err != nil {
		return nil, err
	}
	h, err := s.history(ctx, historyRequest{metric: metric, experiment: o.Experiment, days: o.Days, salts: o.Replays, salt: o.Salt + replaySalts})
	if err != nil {
		return nil, err
	}
	if h.people == 0 {
		return nil, problem.Invalid{{Field: "path.key", Rule: "cannot be replayed: nobody was seen in the time asked for who has a whole window of the metric since", Value: metric}}
	}
	p, err := h.pValues()
	if err != nil {
		return nil, problem.Invalid{{Field: "path.key", Rule: "cannot be replayed: " + err.Error(), Value: metric}}
	}
	u, err := stats.CheckUniform(p, o.Level)
	if err != nil {
		return nil, fmt.Errorf("judging the replays of %s: %w", metric, err)
	}
	r := &Replay{
		Metric: metric, Experiment: o.Experiment, From: h.from, Until: h.until, People: h.people, Sampled: h.people == int64(replayPeople(o.Replays)),
		Replays: u.Replays, Passed: u.PValue >= replayAlarm, Distance: u.Distance, PValue: u.PValue, Level: u.Level,
		Rejected: u.Rejected, Low: u.RejectedLow, High: u.RejectedHigh, Deciles: u.Deciles[:], SQL: h.sql,
	}
	r.Detail = fmt.Sprintf("The p-values of %d replays on %d people are uniform (p = %.3g): the test keeps its level on this metric.", r.Replays, r.People, r.PValue)
	if !r.Passed {
		r.Detail = fmt.Sprintf("The p-values of %d replays on %d people are not uniform (p = %.2g): the test does not keep its level on this metric. It may be too rare or too skewed for so few people; a cap or another kind of metric helps.", r.Replays, r.People, r.PValue)
	}
	return r, nil
}

// replayPeople is how many people are replayed at most.
func replayPeople(replays int) int { return min(maxReplayPeople, maxReplayHashes/replays) }

// replaySalts comes between the salt of a replay and its number.
const replaySalts = "/aa/"

// pValues tests each replay.
func (h *history) pValues() ([]float64, error) {
	p := make([]float64, len(h.controls))
	for i, control := range h.controls {
		e, err := stats.Compare(control.sample(h.kind), h.total.less(control).sample(h.kind), stats.AbsoluteScale, stats.Options{})
		if err != nil {
			return nil, fmt.Errorf("replay %d: %w", i, err)
		}
		p[i] = e.PValue
	}
	return p, nil
}
