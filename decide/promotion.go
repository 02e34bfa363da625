package decide

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/offpolicy"
)

const (
	// watchedHours is the age up to which rewards are watched after a promotion: with
	// a long window a policy that does harm must not go on until it has passed.
	watchedHours = 6
	// watchedPersons is how many people a promotion is judged by at least.
	watchedPersons = 200
	// baselineDays is the time before a promotion that it is compared with.
	baselineDays = 14
	// watchAlpha is the chance that a policy which is as good as the one before is
	// ever gone back on.
	watchAlpha = 0.01
	// itself is who does what nobody asked for.
	itself = "quintet"
)

// Promotion is a candidate that became the policy of its decision point.
type Promotion struct {
	ID          int64       `json:"id"`
	Candidate   string      `json:"candidate"`
	Actor       string      `json:"actor" doc:"Who promoted it; quintet where that was automatic"`
	Reason      string      `json:"reason"`
	PromotedAt  time.Time   `json:"promotedAt"`
	FromVersion int64       `json:"fromVersion" doc:"Version of the decision point before"`
	ToVersion   int64       `json:"toVersion" doc:"Version of the decision point with it"`
	Before      Policy      `json:"before"`
	After       Policy      `json:"after"`
	Checks      []GateCheck `json:"checks" nullable:"false" doc:"What the gate said"`
	Baseline    float64     `json:"baseline" doc:"Reward per decision before, within the hours that are watched"`
	Error       float64     `json:"baselineError" doc:"Its standard error"`
	EndedAt     *time.Time  `json:"endedAt,omitempty" doc:"When it was gone back on, or another policy came"`
	EndedBy     string      `json:"endedBy,omitempty"`
	EndReason   string      `json:"endReason,omitempty"`
}

// Promote makes a candidate the policy of its decision point. The gate must let it pass,
// unless it is forced; a candidate that the log cannot judge is refused with a 409
// problem that says why. What follows is watched, see [Policies.Run].
func (p *Policies) Promote(ctx context.Context, key, candidate, actor, reason string, force bool) (*Promotion, error) {
	comparison, err := p.Compare(ctx, key, candidate)
	if err != nil {
		return nil, err
	}
	if !comparison.Passes && !force {
		bad := problem.Invalid{}
		for _, c := range comparison.Checks {
			if !c.Passed {
				bad.Add(c.Name, c.Text, fmt.Sprintf("%.4g", c.Figure))
			}
		}
		for _, r := range comparison.Report.Refusals {
			bad.Add("support", r, nil)
		}
		return nil, &problem.Error{Status: 409, Title: "The gate does not let it pass", Detail: "The log does not show that the candidate brings more than the policy that decides.", Fields: bad}
	}
	point, c, err := p.find(key, candidate)
	if err != nil {
		return nil, err
	}
	now := p.now().UTC()
	spec := watchedSpec(point.def.Policy.spec(point, p.decide.featuresSince(point)))
	baseline, err := p.online(ctx, spec, now.AddDate(0, 0, -baselineDays), now)
	if err != nil {
		return nil, err
	}
	done := &Promotion{Candidate: candidate, Actor: actor, Reason: reason, PromotedAt: now, FromVersion: point.version, Before: point.def.Policy, After: c.Value.Policy,
		Checks: comparison.Checks}
	if baseline != nil {
		done.Baseline, done.Error = baseline.Value, baseline.StandardError
	}
	if done.ToVersion, err = p.change(ctx, key, c.Value.Policy, actor, point.version); err != nil {
		return nil, err
	}
	if err := p.record(ctx, key, done); err != nil {
		return nil, err
	}
	p.log.Info("a candidate policy was promoted", "decision", key, "candidate", candidate, "version", done.ToVersion, "by", actor, "forced", !comparison.Passes)
	p.metrics.promotions.WithLabelValues(key).Inc()
	// The model follows at once where it can; until it does, the one before scores.
	if point, ok := p.decide.state.Load().points[key]; ok {
		if learner, ok := point.learner(); ok {
			if err := p.models.Update(ctx, learner.spec(point, p.decide.featuresSince(point))); err != nil {
				p.log.Warn("building the model of a promoted policy", "decision", key, "error", err)
			}
		}
	}
	return done, nil
}

// change writes another policy into a decision point, which must have the version.
func (p *Policies) change(ctx context.Context, key string, policy Policy, actor string, ifVersion int64) (int64, error) {
	v, ok := p.decide.points.Get(key)
	if !ok {
		return 0, problem.NotFound("decision point", problem.Clip(key))
	}
	def := v.Value
	def.Policy = policy
	after, err := p.decide.points.Put(ctx, key, def, actor, ifVersion)
	if err != nil {
		return 0, fmt.Errorf("changing the policy of %s: %w", key, err)
	}
	return after.Version, nil
}

func (p *Policies) record(ctx context.Context, key string, m *Promotion) error {
	before, errBefore := json.Marshal(m.Before)
	after, errAfter := json.Marshal(m.After)
	figures, errFigures := json.Marshal(m.Checks)
	if err := errors.Join(errBefore, errAfter, errFigures); err != nil {
		return fmt.Errorf("recording a promotion: %w", err)
	}
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE policy_promotions SET ended_at = $2, ended_by = $3, end_reason = 'another policy was promoted' WHERE decision_point = $1 AND ended_at IS NULL`,
			key, m.PromotedAt, m.Actor); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `INSERT INTO policy_promotions (decision_point, candidate, actor, reason, promoted_at, from_version, to_version, before, after, figures, baseline, baseline_error)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
			key, m.Candidate, m.Actor, m.Reason, m.PromotedAt, m.FromVersion, m.ToVersion, before, after, figures, m.Baseline, m.Error).Scan(&m.ID)
	})
	if err != nil {
		return fmt.Errorf("recording the promotion of %s: %w", m.Candidate, err)
	}
	return nil
}

// Promotions are the newest promotions of a decision point, or of all with an empty key;
// open ones only where asked for.
func (p *Policies) promotions(ctx context.Context, key string, open bool, limit int) (map[int64]string, []Promotion, error) {
	rows, err := p.pool.Query(ctx, `SELECT id, decision_point, candidate, actor, reason, promoted_at, from_version, to_version, before, after, figures, baseline, baseline_error,
			ended_at, coalesce(ended_by, ''), coalesce(end_reason, '')
		FROM policy_promotions WHERE ($1 = '' OR decision_point = $1) AND (NOT $2 OR ended_at IS NULL) ORDER BY id DESC LIMIT $3`, key, open, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("listing promotions: %w", err)
	}
	points := map[int64]string{}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Promotion, err error) {
		var point string
		err = row.Scan(&m.ID, &point, &m.Candidate, &m.Actor, &m.Reason, &m.PromotedAt, &m.FromVersion, &m.ToVersion, &m.Before, &m.After, &m.Checks, &m.Baseline, &m.Error,
			&m.EndedAt, &m.EndedBy, &m.EndReason)
		points[m.ID] = point
		return m, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("listing promotions: %w", err)
	}
	if out == nil {
		out = []Promotion{}
	}
	return points, out, nil
}

// GoBack undoes the promotion that is in force at a decision point: the policy before it
// decides again. It returns a 409 problem where none is.
func (p *Policies) GoBack(ctx context.Context, key, actor, reason string) error {
	_, open, err := p.promotions(ctx, key, true, 1)
	if err != nil {
		return err
	}
	v, ok := p.decide.points.Get(key)
	if !ok {
		return problem.NotFound("decision point", problem.Clip(key))
	}
	if len(open) == 0 || !samePolicy(v.Value.Policy, open[0].After) {
		return problem.Conflict("The policy of this decision point did not come by a promotion that could be undone; write the policy that you want into the decision point.")
	}
	return p.undo(ctx, key, &open[0], v.Version, actor, reason)
}

func (p *Policies) undo(ctx context.Context, key string, m *Promotion, version int64, actor, reason string) error {
	if _, err := p.change(ctx, key, m.Before, actor, version); err != nil {
		return err
	}
	return p.end(ctx, m.ID, actor, reason)
}

func (p *Policies) end(ctx context.Context, id int64, actor, reason string) error {
	if _, err := p.pool.Exec(ctx, `UPDATE policy_promotions SET ended_at = now(), ended_by = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL`, id, actor, reason); err != nil {
		return fmt.Errorf("ending promotion %d: %w", id, err)
	}
	return nil
}

func samePolicy(a, b Policy) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// watchedSpec is a spec with the hours in which the online reward is watched.
func watchedSpec(spec models.Spec) models.Spec {
	spec.Objective.WindowHours = min(spec.Objective.WindowHours, watchedHours)
	return spec
}

// online is the reward per decision from one moment to another, of those whose watched
// hours have passed; nil where there are not two people.
func (p *Policies) online(ctx context.Context, spec models.Spec, from, to time.Time) (*offpolicy.Estimate, error) {
	matured := p.now().Add(-time.Duration(spec.Objective.WindowHours * float64(time.Hour)))
	if to.After(matured) {
		to = matured
	}
	if !from.Before(to) {
		return nil, nil
	}
	var log offpolicy.Log
	seed := maphash.MakeSeed()
	if err := p.history.ReadLog(ctx, spec, models.Span{From: from, To: to}, 1, func(d *models.Logged) error {
		if len(log) < offpolicy.MaxDecisions {
			log = append(log, offpolicy.Decision{Reward: d.Reward, Propensity: 1, Target: 1, Person: maphash.String(seed, d.Person)})
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if len(log) < 2 {
		return nil, nil
	}
	e := offpolicy.IPS(log)
	if e.Persons < 2 {
		return nil, nil
	}
	return &e, nil
}

// Band is where the reward per decision after a promotion is expected, and where it is.
type Band struct {
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
	Reward   float64 `json:"reward"`
	From     float64 `json:"from" doc:"Interval of the reward that holds however often one looks"`
	To       float64 `json:"to"`
	Persons  int     `json:"persons"`
	Judgable bool    `json:"judgable" doc:"Whether there are enough people to say anything"`
	Below    bool    `json:"below" doc:"Whether it is below the band: then the policy before comes back"`
	Above    bool    `json:"above" doc:"Whether it is above, which is a reason to look whether what is counted is right"`
}

// band compares the reward since a promotion with that before: the interval of before,
// widened by a tenth of its value, against an interval that holds at all times.
func (p *Policies) band(ctx context.Context, spec models.Spec, m *Promotion) (*Band, error) {
	half := 1.96*m.Error + 0.1*math.Abs(m.Baseline)
	b := &Band{Lower: m.Baseline - half, Upper: m.Baseline + half}
	now, err := p.online(ctx, spec, m.PromotedAt, p.now())
	if err != nil || now == nil {
		return b, err
	}
	b.Reward, b.Persons = now.Value, now.Persons
	interval, err := now.Sequence(watchAlpha, 1000)
	if err != nil {
		return b, fmt.Errorf("watching the reward: %w", err)
	}
	b.From, b.To = interval.Lower, interval.Upper
	b.Judgable = now.Persons >= watchedPersons && m.Error > 0
	b.Below = b.Judgable && interval.Upper < b.Lower
	b.Above = b.Judgable && interval.Lower > b.Upper
	return b, nil
}
