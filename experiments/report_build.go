package experiments

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quintet/internal/problem"
)

// reportBuilder makes a report step by step.
type reportBuilder struct {
	service    *Service
	key        string
	experiment *Experiment
	options    ReportOptions
	report     *Report

	metrics []Metric // that have figures
	places  []int    // of each in the report
	arms    []SumsCell
	strata  [][]SumsCell // cells of the arms in each stratum
	caps    []*float64
	first   time.Time // day of the first exposure; zero when not known
	daily   []dailyPeople
	looked  []SumsCell // in the order of arms, at the last look before the end; nil where there is none
}

// dailyPeople counts the people who were seen by the end of a day.
type dailyPeople struct {
	day    time.Time
	people int64
}

// steps of the report in their order.
func (b *reportBuilder) steps() []func(context.Context) error {
	steps := []func(context.Context) error{b.addUp, b.check}
	if !b.options.Brief && !b.options.Guardrails {
		steps = append(steps, b.follow, b.cost, b.spread)
	}
	steps = append(steps, b.lookBack, b.compare)
	if b.options.Dimension != "" {
		steps = append(steps, b.breakDown)
	}
	return append(steps, b.conclude)
}

// chooseMetrics lists the metrics of the report.
func (b *reportBuilder) chooseMetrics(ctx context.Context) error {
	e, s := b.experiment, b.service
	type wanted struct {
		key  string
		role Role
	}
	var list []wanted
	if !b.options.Guardrails {
		for _, k := range e.Metrics {
			list = append(list, wanted{k, GoalRole})
		}
		for _, k := range e.Secondary {
			list = append(list, wanted{k, SecondaryRole})
		}
	}
	for _, g := range e.Guardrails {
		if !slices.ContainsFunc(list, func(w wanted) bool { return w.key == g.Metric }) {
			list = append(list, wanted{g.Metric, GuardrailRole})
		}
	}
	if only := b.options.Metric; only != "" {
		role := SecondaryRole
		if i := slices.IndexFunc(list, func(w wanted) bool { return w.key == only }); i >= 0 {
			role = list[i].role
		}
		list = []wanted{{only, role}}
	}
	b.report.Metrics = make([]MetricReport, len(list))
	for i, w := range list {
		v, ok := s.metrics.Get(w.key)
		if !ok && b.options.Metric != "" {
			return problem.Invalid{{Field: "query.metric", Rule: "must be the key of a metric", Value: w.key}}
		}
		if ok && b.report.GeneratedAt == nil {
			var err error
			if v, err = versionAt(ctx, s.metrics, v, b.report.AsOf); err != nil {
				return err
			}
		}
		m := v.Value
		b.report.Metrics[i] = MetricReport{Key: w.key, Name: m.Name, Kind: m.Kind, Role: w.role, Direction: m.Direction, WindowHours: m.WindowHours,
			Version: v.Version, Arms: []MetricArm{}, Effects: []Effect{}}
		if !ok {
			b.report.Metrics[i].Problem = "The metric was deleted."
			continue
		}
		b.metrics, b.places = append(b.metrics, m), append(b.places, i)
	}
	return nil
}

// request asks for the sums of the report's metrics.
func (b *reportBuilder) request(by Breakdown) SumsRequest {
	r := SumsRequest{Experiment: b.key, DecisionPoint: b.experiment.DecisionPoint, Metrics: b.metrics, At: b.report.At, AsOf: b.report.AsOf, By: by}
	if c := b.report.Analysis.Cuped; c != nil {
		r.Covariates = &CovariateRequest{Days: c.Days, Traits: c.Covariates}
		if len(c.Covariates) > 0 {
			r.Covariates.Days = 0
		}
		if m, ok := b.service.metrics.Get(c.Metric); ok && c.Metric != "" {
			r.Covariates.Metric = &m.Value
		}
	}
	return r
}

// sums asks and keeps the statements.
func (b *reportBuilder) sums(ctx context.Context, r SumsRequest) (*SumsTable, error) {
	t, err := b.service.table(ctx, r)
	if err != nil {
		return nil, err
	}
	b.report.SQL = append(b.report.SQL, t.SQL...)
	return t, nil
}

// addUp gets the sums and lists the arms in the order of the definition. An arm that
// nobody was seen in has zero sums.
func (b *reportBuilder) addUp(ctx context.Context) error {
	t, err := b.sums(ctx, b.request(Breakdown{}))
	if err != nil {
		return err
	}
	b.caps = t.Caps
	for i, names := range t.Unseen {
		if len(names) > 0 {
			b.report.Metrics[b.places[i]].Problem = unseenProblem(names)
		}
	}
	b.arms = b.inOrder(t.Cells)
	if err := b.stratify(ctx); err != nil {
		return err
	}
	for i, v := range b.experiment.Variants {
		b.report.Arms = append(b.report.Arms, ReportArm{Variant: v.Key, Control: v.Control, Weight: v.Weight, Units: b.arms[i].Units, Mixed: b.arms[i].Mixed, Dropped: v.Dropped})
	}
	return nil
}

// stratify gets the sums of the strata that the analysis weighs together.
func (b *reportBuilder) stratify(ctx context.Context) error {
	dimensions := b.report.Analysis.PostStratify
	if len(dimensions) == 0 || len(b.metrics) == 0 {
		return nil
	}
	t, err := b.sums(ctx, b.request(Breakdown{Kind: ByDimension, Dimensions: dimensions}))
	if err != nil {
		return err
	}
	cells := map[string][]SumsCell{}
	for _, c := range t.Cells {
		id := strings.Join(c.Values, "\x00")
		cells[id] = append(cells[id], c)
	}
	for _, id := range slices.Sorted(maps.Keys(cells)) {
		b.strata = append(b.strata, b.inOrder(cells[id])[:len(b.experiment.Variants)])
	}
	return nil
}

// inOrder gives the cells of the experiment's variants in their order, and then those
// of variants that it does not know.
func (b *reportBuilder) inOrder(cells []SumsCell) []SumsCell {
	variants := b.experiment.Variants
	out := make([]SumsCell, len(variants), max(len(variants), len(cells)))
	for i, v := range variants {
		out[i] = SumsCell{Variant: v.Key, Metrics: make([]Sums, len(b.metrics))}
		for j := range out[i].Metrics {
			out[i].Metrics[j].Kind = b.metrics[j].Kind
		}
	}
	for _, c := range cells {
		if i := slices.IndexFunc(variants, func(v Variant) bool { return v.Key == c.Variant }); i >= 0 {
			out[i] = c
		} else {
			out = append(out, c)
		}
	}
	return out
}

// compare fills the figures of every metric.
func (b *reportBuilder) compare(context.Context) error {
	for i := range b.metrics {
		m := &b.report.Metrics[b.places[i]]
		if len(b.caps) > i {
			m.Cap = b.caps[i]
		}
		f := b.figures(i)
		f.looked = b.looked
		m.fill(f, b.arms)
	}
	var family []*Effect
	for _, m := range b.report.goals() {
		for i := range m.Effects {
			family = append(family, &m.Effects[i])
		}
	}
	if err := correct(family, &b.report.Analysis); err != nil {
		return fmt.Errorf("correcting for several comparisons: %w", err)
	}
	for i := range b.metrics {
		m := &b.report.Metrics[b.places[i]]
		b.finish(m, b.figures(i), len(family))
	}
	b.enoughPeople()
	return nil
}

// figures is what the figures of metric i are made with.
func (b *reportBuilder) figures(i int) *metricFigures {
	return &metricFigures{index: i, def: &b.metrics[i], experiment: b.experiment, analysis: b.report.Analysis, people: b.report.people(), strata: b.strata}
}

// finish draws the conclusions of a metric's effects.
func (b *reportBuilder) finish(m *MetricReport, f *metricFigures, tests int) {
	reach := b.reach()
	for i := range m.Effects {
		e := &m.Effects[i]
		c, ok := f.comparison(b.arms, e.Variant)
		if !ok {
			continue
		}
		c.conclude(e)
		if m.Role != GoalRole {
			tests = 1
		}
		arm := slices.IndexFunc(b.arms, func(a SumsCell) bool { return a.Variant == e.Variant })
		pair := float64(b.arms[arm].Units + b.arms[b.experiment.control()].Units)
		e.Progress = c.progress(e, len(b.report.goals()), tests, b.perDay()*pair/float64(max(c.people, 1)))
		e.Projection = c.project(e, m.Kind, b.arms[arm].Units, reach)
	}
}

// conclude judges the guardrails and recommends a decision.
func (b *reportBuilder) conclude(context.Context) error {
	for _, g := range b.experiment.Guardrails {
		at := slices.IndexFunc(b.places, func(p int) bool { return b.report.Metrics[p].Key == g.Metric })
		if at < 0 {
			if b.options.Metric == "" || b.options.Metric == g.Metric {
				b.report.Guardrails = append(b.report.Guardrails, GuardrailReport{Metric: g.Metric, Margin: g.Margin, Action: g.action(), State: GuardrailUnknown, Detail: "The metric was deleted."})
			}
			continue
		}
		f := b.figures(at)
		for _, v := range b.experiment.Variants {
			c, ok := f.comparison(b.arms, v.Key)
			if !ok || v.Control {
				continue
			}
			outcomes := min(c.control.outcomes, c.arm.outcomes)
			if f.def.Kind == QuantileKind {
				outcomes = float64(min(b.arms[0].Units, c.people))
			}
			b.report.Guardrails = append(b.report.Guardrails, g.judge(v.Key, c.direction, c.control.main, c.arm.main, outcomes, c.tuning, b.report.Analysis))
		}
	}
	b.report.Recommendation = b.report.recommend(b.experiment)
	return nil
}

// reach is how long people came into the experiment, and what share of all could.
func (b *reportBuilder) reach() reach {
	e := b.experiment
	from, to := b.first, b.report.At
	if from.IsZero() && e.StartedAt != nil {
		from = *e.StartedAt
	}
	if e.StoppedAt != nil && e.StoppedAt.Before(to) {
		to = *e.StoppedAt
	}
	if n := len(b.daily); n > 0 {
		if last := b.daily[n-1].day.Add(24 * time.Hour); last.Before(to) {
			to = last
		}
	}
	if from.IsZero() || !to.After(from) {
		return reach{allocation: e.coverage()}
	}
	return reach{days: to.Sub(from).Hours() / 24, allocation: e.coverage()}
}

// perDay is the number of people who come in a day: the mean of the last week of
// whole days where they are known.
func (b *reportBuilder) perDay() float64 {
	if n := len(b.daily); n > 1 {
		last := b.daily[n-2] // the newest day may not be over
		from, before := b.first.AddDate(0, 0, -1), int64(0)
		for _, d := range b.daily[:n-2] {
			if !d.day.After(last.day.AddDate(0, 0, -7)) {
				from, before = d.day, d.people
			}
		}
		return float64(last.people-before) / (last.day.Sub(from).Hours() / 24)
	}
	if r := b.reach(); r.days >= minimumReach.Hours()/24 {
		return float64(b.report.people()) / r.days
	}
	return 0
}

// sortedValues are the different values of cells, the most frequent first.
func sortedValues(cells []SumsCell) []string {
	units := map[string]int64{}
	for _, c := range cells {
		if len(c.Values) > 0 {
			units[c.Values[0]] += c.Units
		}
	}
	values := slices.Sorted(maps.Keys(units))
	slices.SortStableFunc(values, func(a, b string) int {
		switch {
		case units[a] > units[b]:
			return -1
		case units[a] < units[b]:
			return 1
		}
		return 0
	})
	return values
}
