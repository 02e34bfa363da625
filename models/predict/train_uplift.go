package predict

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"quintet/internal/learners"
	"quintet/models/uplift"
)

// upliftArtefact holds the parts of a model of effects, each an artefact of its own.
type upliftArtefact struct {
	Variants  []string `json:"variants"`
	Effects   [][]byte `json:"effects"`
	Control   []byte   `json:"control,omitempty"`
	Untreated []byte   `json:"untreated"`
	Average   float64  `json:"average"` // outcome of the control
	Error     float64  `json:"error"`   // standard error of an effect, by the deciles of the test

	effects            []*learners.Predictor
	control, untreated *learners.Predictor
}

func (a *upliftArtefact) check() error {
	if len(a.Effects) == 0 || len(a.Effects) != len(a.Variants) {
		return fmt.Errorf("%w: %d effects of %d variants", learners.ErrArtefact, len(a.Effects), len(a.Variants))
	}
	for _, data := range a.Effects {
		p := &learners.Predictor{}
		if err := p.UnmarshalBinary(data); err != nil {
			return err
		}
		a.effects = append(a.effects, p)
	}
	if a.Control != nil {
		a.control = &learners.Predictor{}
		if err := a.control.UnmarshalBinary(a.Control); err != nil {
			return err
		}
	}
	a.untreated = &learners.Predictor{}
	return a.untreated.UnmarshalBinary(a.Untreated)
}

// exposed builds the training set of an experiment: features from before the first
// exposure of each person, the outcome from the horizon after it.
func (s *Service) exposed(ctx context.Context, spec *Spec) (*trainingSet, error) {
	now := s.now().UTC()
	horizon := days(spec.HorizonDays)
	// Who was seen in several variants is left out, and who was exposed too lately.
	exposures := fmt.Sprintf(`SELECT if(m.person = '', x.unit, m.person) AS person_id, min(x.variant) AS arm, min(toUnixTimestamp64Milli(x.exposed_at)) AS t
FROM exposures AS x LEFT JOIN %s AS m ON x.unit = m.profile_id WHERE x.experiment = %s GROUP BY person_id HAVING uniqExact(x.variant) = 1 AND t < %d`,
		people, literal(spec.Experiment), now.Add(-horizon).UnixMilli())
	outcome := "countIf(NOT b AND o AND at < t0 + %d) > 0"
	if spec.Outcome == "value" {
		outcome = "sumIf(v, NOT b AND o AND at < t0 + %d)"
	}
	joined := fmt.Sprintf(" AS f INNER JOIN (%s) AS x USING (person_id)", exposures)
	arms := append([]string{spec.Control}, spec.Treatments...)
	sql := spec.query(spec.source(now.AddDate(0, 0, -2*lookBack), now), joined, "t", fmt.Sprintf(outcome, horizon.Milliseconds()),
		fmt.Sprintf("any(arm) IN (%s)", list(arms)), ", any(arm) AS variant, toFloat64(any(t)) AS moment", share{})
	// t0 is t, as an aggregate cannot name it within its own alias.
	sql = "WITH t AS t0 " + sql
	return s.read(ctx, sql, true)
}

// trainUplift learns from the earlier exposures, chooses the learner on the next and
// judges it on the last.
func (s *Service) trainUplift(ctx context.Context, spec *Spec, v *Version, j *Job) error {
	set, err := s.exposed(ctx, spec)
	if err != nil {
		return err
	}
	if len(set.people) < learners.MinRows {
		return fmt.Errorf("%w: %d people were exposed to %s long enough ago", learners.ErrTooFew, len(set.people), spec.Experiment)
	}
	schema, err := learners.LearnSchema(set.table)
	if err != nil {
		return err
	}
	m, err := schema.Encode(set.table)
	if err != nil {
		return err
	}
	data := &uplift.Data{X: m, Y: set.label, Treatments: len(spec.Treatments), Arms: make([]int, len(set.arm))}
	for i, a := range set.arm {
		data.Arms[i] = 1 + slices.Index(spec.Treatments, a)
	}
	if err := data.Check(); err != nil {
		return err
	}
	order := make([]int, len(set.at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(set.at[a], set.at[b]) })
	n := len(order)
	train, valid, test := data.Take(order[:n/2]), data.Take(order[n/2:n*3/4]), data.Take(order[n*3/4:])
	now := s.now().UTC()
	v.AsOf, v.From, v.To, v.Rows = unixMilli(set.at[order[n/2]]), unixMilli(set.at[order[0]]), now, int64(n)
	v.Metrics.Dropped, v.Metrics.Reference = schema.Dropped, distributions(set.table)
	metrics := &UpliftMetrics{Outcome: spec.Outcome}
	v.Metrics.Uplift = metrics
	binary := data.Binary()
	base := learners.Boosted{Logistic: binary, Leaves: 4, Trees: 80}
	effect := learners.Boosted{Leaves: 4, Trees: 60, Rate: .05}
	ridge := learners.Ridge{Penalty: 1}
	all := []uplift.Learner{
		uplift.TLearner{Base: ridge}, uplift.DRLearner{Base: ridge, Effect: ridge, Folds: 3}, uplift.DRLearner{Base: base, Effect: effect, Folds: 3},
		uplift.RLearner{Base: base, Effect: effect, Folds: 3}, uplift.TLearner{Base: base}, uplift.ForestLearner{Trees: 80},
	}
	best := -1
	for i, l := range all {
		s.stage(j, "fitting "+l.Name(), .1+.6*float64(i)/float64(len(all)))
		c := UpliftCandidate{Name: l.Name()}
		model, err := l.Fit(ctx, train)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.Failure = err.Error()
		} else {
			effects := uplift.Predict(model, valid.X, valid.Treatments)
			for k := range effects {
				y, treated, score := against(valid, effects[k], k+1)
				c.Qini += uplift.Judge(y, treated, score, 0, 1).Qini.Value / float64(len(effects))
			}
			if best < 0 || c.Qini > metrics.Candidates[best].Qini {
				best = i
			}
		}
		metrics.Candidates = append(metrics.Candidates, c)
	}
	if best < 0 {
		return fmt.Errorf("%w: no learner of effects could be fitted: %s", learners.ErrTooFew, metrics.Candidates[0].Failure)
	}
	s.stage(j, "judging", .8)
	model, err := all[best].Fit(ctx, data.Take(order[:n*3/4]))
	if err != nil {
		return err
	}
	v.Learner = all[best].Name()
	effects := uplift.Predict(model, test.X, test.Treatments)
	artefact := &upliftArtefact{Variants: spec.Treatments}
	for k := range effects {
		y, treated, score := against(test, effects[k], k+1)
		judged := uplift.Judge(y, treated, score, 200, 1)
		metrics.Treatments = append(metrics.Treatments, UpliftTreatment{spec.Treatments[k], judged})
		for _, d := range judged.Deciles {
			artefact.Error += (d.High - d.Low) / 3.92 / 10 / float64(len(effects))
		}
	}
	costs := make([]float64, len(effects))
	for k := range costs {
		costs[k] = spec.Cost
	}
	metrics.Policy = uplift.Worth(test, effects, costs, nil)
	metrics.Passed, metrics.Gate = metrics.Policy.Gate()
	v.Metrics.Sane = metrics.Passed
	v.Verdict = metrics.Gate
	return s.sealUplift(ctx, v, artefact, model, schema, data, base, ridge, binary)
}

func (s *Service) sealUplift(ctx context.Context, v *Version, a *upliftArtefact, model uplift.Model, schema *learners.Schema, data *uplift.Data, base learners.Learner, ridge learners.Ridge, binary bool) error {
	seal := func(m learners.Model) ([]byte, error) {
		return (&learners.Predictor{Schema: schema, Model: m}).MarshalBinary()
	}
	effects, control, ok := uplift.Parts(model)
	if !ok {
		return fmt.Errorf("a model of %T cannot be kept", model)
	}
	for _, m := range effects {
		data, err := seal(m)
		if err != nil {
			return err
		}
		a.Effects = append(a.Effects, data)
	}
	var err error
	if control != nil {
		if a.Control, err = seal(control); err != nil {
			return err
		}
	}
	var rows []int
	for i, arm := range data.Arms {
		if arm == 0 {
			rows = append(rows, i)
			a.Average += data.Y[i]
		}
	}
	a.Average /= float64(len(rows))
	untreated := data.Take(rows)
	if !binary {
		base = ridge
	}
	fitted, err := base.Fit(ctx, untreated.X, untreated.Y, nil)
	if err != nil { // too few of either outcome: everybody has the average
		if fitted, err = ridge.Fit(ctx, untreated.X, untreated.Y, nil); err != nil {
			return err
		}
	}
	if a.Untreated, err = seal(fitted); err != nil {
		return err
	}
	v.artefact, err = learners.Seal(a)
	return err
}

// against picks the rows of one treatment and the control.
func against(d *uplift.Data, effects []float64, arm int) (y []float64, treated []bool, score []float64) {
	for i, a := range d.Arms {
		if a == 0 || a == arm {
			y, treated, score = append(y, d.Y[i]), append(treated, a == arm), append(score, effects[i])
		}
	}
	return y, treated, score
}

// scoreUplift says of everybody what the best treatment changes, what kind of person they
// are, and whom the cost keeps from being addressed.
func (s *Service) scoreUplift(ctx context.Context, spec *Spec, c *scorer, out *Scoring, of share) ([]string, []map[string]any, error) {
	set, err := s.asOf(ctx, spec, out.AsOf, 0, of)
	if err != nil || len(set.people) == 0 {
		return nil, nil, err
	}
	out.observe(c, set.table)
	a := c.uplift
	effects := make([][]float64, len(a.effects))
	for k, p := range a.effects {
		if effects[k], err = p.Predict(set.table); err != nil {
			return nil, nil, err
		}
	}
	if a.control != nil {
		control, err := a.control.Predict(set.table)
		if err != nil {
			return nil, nil, err
		}
		for k := range effects {
			for i := range control {
				effects[k][i] -= control[i]
			}
		}
	}
	untreated, err := a.untreated.Predict(set.table)
	if err != nil {
		return nil, nil, err
	}
	costs := make([]float64, len(effects))
	for k := range costs {
		costs[k] = spec.Cost
	}
	attributes := make([]map[string]any, len(set.people))
	for i := range set.people {
		top := 0
		for k := range effects {
			if effects[k][i] > effects[top][i] {
				top = k
			}
		}
		e := effects[top][i]
		treatment := "nobody"
		if arm := uplift.Choose(effects, costs, i); arm > 0 {
			treatment = a.Variants[arm-1]
		}
		attributes[i] = map[string]any{
			spec.Attribute: digits(e), spec.Attribute + "Low": digits(e - 1.96*a.Error), spec.Attribute + "High": digits(e + 1.96*a.Error),
			spec.Attribute + "Kind": string(uplift.KindOf(e, untreated[i], a.Average, a.Error)), spec.Attribute + "Treatment": treatment,
		}
		for k, variant := range a.Variants {
			attributes[i][effectAttribute(spec.Attribute, variant)] = digits(effects[k][i])
		}
	}
	return set.people, attributes, nil
}
