package decide

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quintet/models"
	"quintet/models/offpolicy"
)

const (
	watchEvery   = time.Minute
	watchLimit   = 5 * time.Minute
	healthDays   = 7
	driftWarning = 0.25 // of the population stability index, by custom a shift that matters
)

// Health is how far a policy does what its model expects.
type Health struct {
	Decisions int `json:"decisions" doc:"Decisions of the last seven days whose outcomes are in, by which this is judged"`
	// Expected and Observed are rewards per decision.
	Expected         float64 `json:"expected" doc:"Reward per decision that the model expected of what was chosen"`
	Observed         float64 `json:"observed" doc:"Reward per decision that came"`
	CalibrationError float64 `json:"calibrationError" doc:"Observed less expected"`
	StandardError    float64 `json:"standardError" doc:"Of that difference"`
	Miscalibrated    bool    `json:"miscalibrated" doc:"Whether the difference is more than three standard errors and a tenth of what came"`
	Bins             []Bin   `json:"bins" nullable:"false" doc:"The same by tenths of what was expected"`
	// Drift compares the actions of the last day with the seven days before.
	Drift   float64 `json:"drift" doc:"Population stability index of the chosen actions, the last day against the seven before; above 0.25 the mix has changed"`
	Drifted bool    `json:"drifted"`
	Band    *Band   `json:"band,omitempty" doc:"The reward since the promotion that is in force"`
}

// Bin is a tenth of the decisions by what was expected of them.
type Bin struct {
	Decisions int     `json:"decisions"`
	Expected  float64 `json:"expected"`
	Observed  float64 `json:"observed"`
	Error     float64 `json:"error" doc:"Standard error of what was observed"`
}

type policyMetrics struct {
	promotions, fallbacks, unscored *prometheus.CounterVec
	calibration, drift, miscal      *prometheus.GaugeVec
}

func newPolicyMetrics(registry prometheus.Registerer) *policyMetrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"decision_point"})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"decision_point"})
	}
	m := &policyMetrics{
		promotions:  counter("quintet_policy_promotions_total", "Candidate policies that became the policy of their decision point."),
		fallbacks:   counter("quintet_policy_fallbacks_total", "Promotions that were gone back on because the reward left its band."),
		unscored:    counter("quintet_policy_unscored_total", "Decisions that a candidate policy could not be applied to."),
		calibration: gauge("quintet_policy_calibration_error", "Reward per decision less what the model expected, over the last seven days."),
		miscal:      gauge("quintet_policy_miscalibrated", "1 where that is more than chance and a tenth of the reward."),
		drift:       gauge("quintet_policy_drift", "Population stability index of the chosen actions of the last day."),
	}
	if registry != nil {
		registry.MustRegister(m.promotions, m.fallbacks, m.unscored, m.calibration, m.miscal, m.drift)
	}
	return m
}

// watch looks, now and then, after promotions and candidates until the context ends.
func (p *Policies) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			round, cancel := context.WithTimeout(ctx, watchLimit)
			if err := p.Watch(round); err != nil && ctx.Err() == nil {
				p.log.Warn("watching policies", "error", err)
			}
			cancel()
		}
	}
}

// watchSpace is the advisory lock of the process that watches.
const watchSpace = 0x706f6c77 // "polw"

// Watch goes back on promotions whose reward has left its band, and promotes automatic
// candidates that the gate lets pass. One process at a time does it.
func (p *Policies) Watch(ctx context.Context) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("watching policies: %w", err)
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, 0)`, watchSpace).Scan(&mine); err != nil || !mine {
		return err
	}
	defer func() {
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(unlock, `SELECT pg_advisory_unlock($1, 0)`, watchSpace); err != nil {
			_ = conn.Conn().Close(unlock) // the lock ends with its session
		}
	}()
	if err := p.watchPromotions(ctx); err != nil {
		return err
	}
	for key, v := range p.candidates.Snapshot() {
		c := v.Value
		if !c.Automatic {
			continue
		}
		name := strings.TrimPrefix(key, c.DecisionPoint+".")
		point, ok := p.decide.points.Get(c.DecisionPoint)
		if !ok || samePolicy(point.Value.Policy, c.Policy) {
			continue
		}
		if done, err := p.wasUndone(ctx, c.DecisionPoint, name, v.UpdatedAt); err != nil || done {
			continue // it had its chance: a new version of it gets another
		}
		comparison, err := p.Compare(ctx, c.DecisionPoint, name)
		if err != nil || !comparison.Passes {
			continue
		}
		if _, err := p.Promote(ctx, c.DecisionPoint, name, itself, "the gate let it pass", false); err != nil {
			p.log.Warn("promoting a candidate policy", "decision", c.DecisionPoint, "candidate", name, "error", err)
		}
	}
	for key, point := range p.decide.state.Load().points {
		if _, ok := point.learner(); !ok {
			continue
		}
		health, err := p.Health(ctx, key)
		if err != nil {
			p.log.Warn("looking after a policy", "decision", key, "error", err)
			continue
		}
		p.metrics.calibration.WithLabelValues(key).Set(health.CalibrationError)
		p.metrics.drift.WithLabelValues(key).Set(health.Drift)
		miscalibrated := 0.0
		if health.Miscalibrated {
			miscalibrated = 1
		}
		p.metrics.miscal.WithLabelValues(key).Set(miscalibrated)
	}
	return nil
}

func (p *Policies) wasUndone(ctx context.Context, key, candidate string, since time.Time) (bool, error) {
	var n int
	err := p.pool.QueryRow(ctx, `SELECT count(*) FROM policy_promotions WHERE decision_point = $1 AND candidate = $2 AND promoted_at >= $3`, key, candidate, since).Scan(&n)
	return n > 0, err
}

func (p *Policies) watchPromotions(ctx context.Context) error {
	points, open, err := p.promotions(ctx, "", true, 1000)
	if err != nil {
		return err
	}
	for i := range open {
		m := &open[i]
		key := points[m.ID]
		v, ok := p.decide.points.Get(key)
		if !ok || !samePolicy(v.Value.Policy, m.After) {
			if err := p.end(ctx, m.ID, "", "the policy was changed"); err != nil {
				return err
			}
			continue
		}
		point, ok := p.decide.state.Load().points[key]
		if !ok {
			continue
		}
		band, err := p.band(ctx, watchedSpec(point.def.Policy.spec(point, p.decide.featuresSince(point))), m)
		if err != nil {
			p.log.Warn("watching a promotion", "decision", key, "error", err)
			continue
		}
		if !band.Below {
			continue
		}
		reason := fmt.Sprintf("the reward per decision is %.4g, at most %.4g, and was expected from %.4g on", band.Reward, band.To, band.Lower)
		if err := p.undo(ctx, key, m, v.Version, itself, reason); err != nil {
			return err
		}
		p.metrics.fallbacks.WithLabelValues(key).Inc()
		p.log.Warn("a promotion was gone back on", "decision", key, "candidate", m.Candidate, "reason", reason)
	}
	return nil
}

// Health judges the policy that decides by the last days whose outcomes are in.
func (p *Policies) Health(ctx context.Context, key string) (*Health, error) {
	point, err := p.decide.pointOf(key)
	if err != nil {
		return nil, err
	}
	out := &Health{Bins: []Bin{}}
	spec := point.def.Policy.spec(point, p.decide.featuresSince(point))
	now := p.now().UTC()
	until := now.Add(-time.Duration(spec.Objective.WindowHours * float64(time.Hour)))
	span := models.Span{From: until.AddDate(0, 0, -healthDays), To: until}
	scores, err := p.readOwn(ctx, key, span)
	if err != nil {
		return nil, err
	}
	if len(spec.Objective.Terms) > 0 {
		log, _, err := p.join(ctx, spec, span, scores)
		if err != nil {
			return nil, err
		}
		out.calibrate(log)
	}
	if out.Drift, err = p.drift(ctx, key, now); err != nil {
		return nil, err
	}
	out.Drifted = out.Drift > driftWarning
	_, open, err := p.promotions(ctx, key, true, 1)
	if err != nil {
		return nil, err
	}
	if len(open) == 1 && samePolicy(point.def.Policy, open[0].After) {
		if out.Band, err = p.band(ctx, watchedSpec(spec), &open[0]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readOwn reads what the policy that decided expected, whatever its version.
func (p *Policies) readOwn(ctx context.Context, key string, span models.Span) (map[string]offpolicy.Decision, error) {
	rows, err := p.db.Read.Query(ctx, `SELECT decision_id, propensity, expected FROM policy_shadows FINAL
		WHERE decision_point = ? AND candidate = '' AND decided_at >= fromUnixTimestamp64Milli(?) AND decided_at < fromUnixTimestamp64Milli(?)
		ORDER BY decision_id DESC LIMIT ?`, key, span.From.UnixMilli(), span.To.UnixMilli(), maxCompared)
	if err != nil {
		return nil, fmt.Errorf("reading what the model of %s expected: %w", key, err)
	}
	defer rows.Close()
	out := map[string]offpolicy.Decision{}
	for rows.Next() {
		var id string
		var d offpolicy.Decision
		if err := rows.Scan(&id, &d.Propensity, &d.Expected); err != nil {
			return nil, fmt.Errorf("reading what the model of %s expected: %w", key, err)
		}
		out[id] = d
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading what the model of %s expected: %w", key, err)
	}
	return out, nil
}

// calibrate compares what was expected with what came.
func (h *Health) calibrate(log offpolicy.Log) {
	h.Decisions = len(log)
	if len(log) < 2 {
		return
	}
	residuals := make(offpolicy.Log, len(log))
	for i := range log {
		h.Expected += log[i].Expected / float64(len(log))
		h.Observed += log[i].Reward / float64(len(log))
		residuals[i] = offpolicy.Decision{Reward: log[i].Reward - log[i].Expected, Propensity: 1, Target: 1, Person: log[i].Person}
	}
	e := offpolicy.IPS(residuals)
	h.CalibrationError, h.StandardError = e.Value, e.StandardError
	h.Miscalibrated = len(log) >= leastCompared && math.Abs(e.Value) > 3*e.StandardError && math.Abs(e.Value) > 0.1*math.Abs(h.Observed)
	h.Bins = bins(log)
}

// drift is the population stability index of the actions that the policy chose.
func (p *Policies) drift(ctx context.Context, key string, now time.Time) (float64, error) {
	rows, err := p.db.Read.Query(ctx, `SELECT action, countIf(decided_at >= fromUnixTimestamp64Milli(?)), countIf(decided_at < fromUnixTimestamp64Milli(?))
		FROM decisions WHERE decision_point = ? AND decided_at >= fromUnixTimestamp64Milli(?) AND eligible AND action != '' AND model_version > 0 GROUP BY action`,
		now.AddDate(0, 0, -1).UnixMilli(), now.AddDate(0, 0, -1).UnixMilli(), key, now.AddDate(0, 0, -1-healthDays).UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("counting the actions of %s: %w", key, err)
	}
	defer rows.Close()
	var recent, before []float64
	for rows.Next() {
		var action string
		var a, b uint64
		if err := rows.Scan(&action, &a, &b); err != nil {
			return 0, fmt.Errorf("counting the actions of %s: %w", key, err)
		}
		recent, before = append(recent, float64(a)), append(before, float64(b))
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("counting the actions of %s: %w", key, err)
	}
	return stability(recent, before), nil
}

// stability is the population stability index of two counts of the same classes, with
// half a decision added to each; 0 where either has fewer than a hundred.
func stability(recent, before []float64) float64 {
	var a, b float64
	for i := range recent {
		a, b = a+recent[i]+.5, b+before[i]+.5
	}
	if a < 100 || b < 100 {
		return 0
	}
	var index float64
	for i := range recent {
		x, y := (recent[i]+.5)/a, (before[i]+.5)/b
		index += (x - y) * math.Log(x/y)
	}
	return index
}
