package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"quintet/decide"
	"quintet/experiments"
	"quintet/internal/shop"
)

// weekOutcome is what a week came to: by the reports of the service, and by what the
// simulator knows.
type weekOutcome struct {
	Plan  weekPlan
	Took  time.Duration
	Lived *shop.WeekResult

	// Treated and HeldOut are the people of the universal holdout's arms, by what the log says.
	Treated, HeldOut int
	// Truth is the mean over the treated of what they brought less what the same people
	// bring without any contact; Contacts is what their messages cost on average.
	Truth, Contacts float64
	// Apart is the difference of the margins of the arms as people lived: what a report
	// without an error in it estimates, but for orders before somebody's first decision.
	Apart float64
	// Effects are on the margin of orders and on that less costs, with the interval of a
	// single look and the always-valid one.
	Effects []weekEffect
	Groups  []weekGroup
	// Violations are what the audit of the log found of what it looked for.
	Violations []violation
	Checked    []string
	Sent       []weekSent
	Budgets    []decide.BudgetStanding
}

// Methods of the intervals of a report.
const (
	singleLook  = "single look"
	alwaysValid = "always valid"
)

// weekSent is how many messages a campaign or scenario sent.
type weekSent struct {
	Origin   string `json:"origin"`
	Key      string `json:"key"`
	Messages uint64 `json:"messages"`
}

// weekEffect is a difference as a report has it, with the truth.
type weekEffect struct {
	Metric   string  `json:"metric"`
	Method   string  `json:"method"`
	Estimate float64 `json:"estimate"`
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
	Truth    float64 `json:"truth"`
}

// Covers says whether the interval has the truth.
func (e *weekEffect) Covers() bool { return e.Lower <= e.Truth && e.Truth <= e.Upper }

// weekGroup is a group of the decision point with letters.
type weekGroup struct {
	Variant      string  `json:"variant"`
	People       int64   `json:"people"`
	Messages     float64 `json:"messages"`     // per person
	Margin       float64 `json:"margin"`       // likewise
	Unsubscribed float64 `json:"unsubscribed"` // share of people
	Difference   float64 `json:"difference"`   // of that share, to business as usual
	Lower        float64 `json:"lower"`
	Upper        float64 `json:"upper"`
}

func (o *weekOutcome) report(ctx context.Context, s *weekService) error {
	var err error
	if o.Violations, o.Checked, err = auditLog(ctx, s.app.engines); err != nil {
		return err
	}
	sides, err := sidesOf(ctx, s.app)
	if err != nil {
		return err
	}
	var made, cost, with, without float64
	for i := range o.Lived.People {
		p := &o.Lived.People[i]
		switch sides[p.UserID] {
		case experiments.TreatedVariant:
			o.Treated++
			made += p.Made - p.Untouched
			with += p.Made
			cost += p.Cost
		case experiments.HoldoutVariant:
			o.HeldOut++
			without += p.Made
			if p.Messages > 0 || math.Abs(p.Made-p.Untouched) > 1e-6 {
				return fmt.Errorf("%s is held out, had %d messages and brought %.2f, which would have been %.2f", p.UserID, p.Messages, p.Made, p.Untouched)
			}
		}
	}
	if o.Treated > 0 && o.HeldOut > 0 {
		o.Truth, o.Contacts = made/float64(o.Treated), cost/float64(o.Treated)
		o.Apart = with/float64(o.Treated) - without/float64(o.HeldOut)
	}
	r, err := reportOf(ctx, s, experiments.UniversalExperiment)
	if err != nil {
		return err
	}
	for _, metric := range []string{shop.MetricMade, shop.MetricNet} {
		truth := o.Truth
		if metric == shop.MetricNet {
			truth -= o.Contacts
		}
		f := effectOn(r, metric, experiments.TreatedVariant)
		if f == nil || f.Absolute == nil || f.Sequential == nil || f.Sequential.Absolute == nil {
			return fmt.Errorf("the report of the holdout has no figures of %s: %+v", metric, r.Metrics)
		}
		for method, i := range map[string]*experiments.Interval{singleLook: f.Absolute, alwaysValid: f.Sequential.Absolute} {
			o.Effects = append(o.Effects, weekEffect{Metric: metric, Method: method, Truth: truth, Estimate: i.Estimate, Lower: i.Lower, Upper: i.Upper})
		}
	}
	slices.SortFunc(o.Effects, func(a, b weekEffect) int {
		return cmp.Or(cmp.Compare(b.Metric, a.Metric), cmp.Compare(b.Method, a.Method))
	})
	var limits struct{ Budgets []decide.BudgetStanding }
	if err := s.Client.Get(ctx, "/v1/limits", &limits); err != nil {
		return fmt.Errorf("reading what was spent: %w", err)
	}
	o.Budgets = limits.Budgets
	if err := o.sent(ctx, s.app); err != nil {
		return err
	}
	return o.groups(ctx, s)
}

// reportOf is the report of an experiment on all metrics that there are.
func reportOf(ctx context.Context, s *weekService, key string) (*experiments.Report, error) {
	r := new(experiments.Report)
	if err := s.Client.Get(ctx, "/v1/experiments/"+key+"/report", r); err != nil {
		return nil, fmt.Errorf("reading the report of %s: %w", key, err)
	}
	return r, nil
}

// metricOf is a metric of a report, nil when it is not there.
func metricOf(r *experiments.Report, key string) *experiments.MetricReport {
	if i := slices.IndexFunc(r.Metrics, func(m experiments.MetricReport) bool { return m.Key == key }); i >= 0 {
		return &r.Metrics[i]
	}
	return nil
}

// effectOn is the effect of a variant on a metric.
func effectOn(r *experiments.Report, metric, variant string) *experiments.Effect {
	m := metricOf(r, metric)
	if m == nil {
		return nil
	}
	if i := slices.IndexFunc(m.Effects, func(e experiments.Effect) bool { return e.Variant == variant }); i >= 0 {
		return &m.Effects[i]
	}
	return nil
}

// groups reads what the groups of the letters came to.
func (o *weekOutcome) groups(ctx context.Context, s *weekService) error {
	r, err := reportOf(ctx, s, experiments.GroupsExperiment(shop.PointLetters))
	if err != nil {
		return err
	}
	margin, left := metricOf(r, shop.MetricMade), metricOf(r, shop.MetricUnsubscribe)
	if margin == nil || left == nil {
		return fmt.Errorf("the report of the groups has no margin, or nobody who unsubscribes: %+v", r.Metrics)
	}
	for i, arm := range left.Arms {
		g := weekGroup{Variant: arm.Variant, People: arm.Units}
		if arm.Mean != nil {
			g.Unsubscribed = *arm.Mean
		}
		if i < len(margin.Arms) && margin.Arms[i].Mean != nil {
			g.Margin = *margin.Arms[i].Mean
		}
		if f := effectOn(r, shop.MetricUnsubscribe, arm.Variant); f != nil && f.Absolute != nil {
			g.Difference, g.Lower, g.Upper = f.Absolute.Estimate, f.Absolute.Lower, f.Absolute.Upper
		}
		if g.Messages, err = messagesOf(ctx, s.app, g.Variant); err != nil {
			return err
		}
		o.Groups = append(o.Groups, g)
	}
	return nil
}

// sent counts the messages of each campaign and scenario, and of each group.
func (o *weekOutcome) sent(ctx context.Context, a *app) error {
	rows, err := a.engines.ClickHouse.Read.Query(ctx, `SELECT JSONExtractString(properties, 'origin') AS origin, JSONExtractString(properties, 'originKey') AS key, count() AS n
		FROM events FINAL WHERE event = 'Message Sent' GROUP BY origin, key ORDER BY origin, key`)
	if err != nil {
		return fmt.Errorf("counting messages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s weekSent
		if err := rows.Scan(&s.Origin, &s.Key, &s.Messages); err != nil {
			return fmt.Errorf("counting messages: %w", err)
		}
		o.Sent = append(o.Sent, s)
	}
	return rows.Err()
}

// messagesOf is how many messages the people of a variant of the groups had on average.
func messagesOf(ctx context.Context, a *app, variant string) (mean float64, err error) {
	err = a.engines.ClickHouse.Read.QueryRow(ctx, `SELECT if(count() = 0, 0, sum(m.n) / count()) FROM (SELECT unit, argMin(variant, exposed_at) AS variant FROM exposures WHERE experiment = ? GROUP BY unit) AS x
		LEFT JOIN (SELECT profile_id, count() AS n FROM events FINAL WHERE event = 'Message Sent' GROUP BY profile_id) AS m ON m.profile_id = x.unit WHERE x.variant = ?`,
		experiments.GroupsExperiment(shop.PointLetters), variant).Scan(&mean)
	if err != nil {
		err = fmt.Errorf("counting the messages of the group %s: %w", variant, err)
	}
	return mean, err
}

// sidesOf is on which side of the universal holdout people were exposed first, by the ids
// that the shop gave them.
func sidesOf(ctx context.Context, a *app) (map[string]string, error) {
	rows, err := a.engines.ClickHouse.Read.Query(ctx, `SELECT u.user, argMin(x.variant, x.exposed_at) FROM exposures AS x
		JOIN (SELECT profile_id, max(user_id) AS user FROM events WHERE user_id != '' GROUP BY profile_id) AS u ON u.profile_id = x.unit
		WHERE x.experiment = ? GROUP BY u.user`, experiments.UniversalExperiment)
	if err != nil {
		return nil, fmt.Errorf("reading who is held out: %w", err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var user, variant string
		if err := rows.Scan(&user, &variant); err != nil {
			return nil, fmt.Errorf("reading who is held out: %w", err)
		}
		out[user] = variant
	}
	return out, rows.Err()
}
