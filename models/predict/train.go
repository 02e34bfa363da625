package predict

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"quintet/internal/learners"
	"quintet/internal/problem"
	"quintet/models/lifetime"
	"quintet/models/sendtime"
	"quintet/models/uplift"
)

// Train makes and stores a new version of a model. Data that nothing can be learnt from
// is refused with the reason. With autoPromote a version that is better than the
// champion takes its place.
func (s *Service) Train(ctx context.Context, key string) (out *Version, err error) {
	spec, definition, err := s.spec(key)
	if err != nil {
		return nil, err
	}
	err = s.work(ctx, key, "train", func(ctx context.Context, j *Job) error {
		started := time.Now()
		v := &Version{Model: key, Family: spec.Family, DefinitionVersion: definition, CodeVersion: s.version, TrainedAt: s.now().UTC(), Metrics: &Metrics{}}
		s.stage(j, "selecting people", 0)
		fit := map[Family]func(context.Context, *Spec, *Version, *Job) error{
			Churn: s.trainClassifier, NextPurchase: s.trainClassifier, Lifetime: s.trainLifetime, Uplift: s.trainUplift, SendTime: s.trainSendTime,
		}[spec.Family]
		if err := fit(ctx, &spec, v, j); err != nil {
			return refusal(err)
		}
		v.Seconds = time.Since(started).Seconds()
		s.stage(j, "storing", .98)
		if err := s.store.insert(ctx, v); err != nil {
			return err
		}
		j.Version, j.Result = v.Version, v.Verdict
		out = v
		return nil
	})
	if err != nil {
		return nil, err
	}
	if spec.AutoPromote && out.Metrics.Sane && (out.Metrics.Champion == nil || out.Metrics.Champion.Better > 1.645*out.Metrics.Champion.Error) {
		if out, err = s.Promote(ctx, key, out.Version); err != nil {
			return nil, fmt.Errorf("promoting the new version: %w", err)
		}
	}
	return out, nil
}

// refusal turns errors about the data into answers that say so.
func refusal(err error) error {
	for _, data := range []error{learners.ErrTooFew, learners.ErrOneClass, learners.ErrConstant, learners.ErrNoFeatures, lifetime.ErrTooFew, lifetime.ErrNotConverged, uplift.ErrNoControl, sendtime.ErrTooFew} {
		if errors.Is(err, data) {
			return &problem.Error{Status: http.StatusUnprocessableEntity, Detail: "Nothing can be learnt from the data: " + err.Error() + "."}
		}
	}
	return err
}

func classifiers(rows int) []learners.Learner {
	out := []learners.Learner{
		learners.Logistic{Penalty: 1}, learners.Logistic{Penalty: 30},
		learners.Boosted{Logistic: true, Leaves: 4}, learners.Boosted{Logistic: true, Leaves: 12, Rate: .05, Trees: 200},
	}
	return append(out, learners.Golearn{Kind: "tree", Rows: min(rows, 2000)}, learners.Golearn{Kind: "neighbours", Rows: min(rows, 600)})
}

// validated bounds the rows of cross-validation; the chosen candidate is fitted to all.
const validated = 60_000

// trainClassifier trains as of two horizons ago and tests as of one ago, so that what is
// tested lies behind all that was learnt from.
func (s *Service) trainClassifier(ctx context.Context, spec *Spec, v *Version, j *Job) error {
	now := s.now().UTC().Truncate(time.Hour)
	horizon := days(spec.HorizonDays)
	v.AsOf, v.From, v.To = now.Add(-2*horizon), now.Add(-2*horizon).AddDate(0, 0, -lookBack), now
	train, err := s.asOf(ctx, spec, v.AsOf, horizon, share{})
	if err != nil {
		return err
	}
	v.Rows = int64(len(train.people))
	if err := learners.CheckBinary(train.label); err != nil {
		return fmt.Errorf("as of %s: %w", v.AsOf.Format(time.DateOnly), err)
	}
	schema, err := learners.LearnSchema(train.table)
	if err != nil {
		return err
	}
	m, err := schema.Encode(train.table)
	if err != nil {
		return err
	}
	sampled, y := m, train.label
	if len(y) > validated {
		rows := make([]int, validated) // people come in the order of a hash
		for i := range rows {
			rows[i] = i
		}
		sampled, y = m.Take(rows), y[:validated]
	}
	all := classifiers(len(y))
	found, err := learners.CrossValidate(ctx, all, sampled, y, 4, 1, func(done, of int) {
		s.stage(j, "cross-validating", .1+.6*float64(done)/float64(of))
	})
	if err != nil {
		return err
	}
	s.stage(j, "fitting "+found[0].Name, .75)
	best := -1
	for i := range found { // what golearn fits has no artefact: it is a yardstick
		if found[i].Failure == "" && !isGolearn(all, found[i].Name) {
			best = i
			break
		}
	}
	if best < 0 {
		return errors.New("no candidate that can be kept could be fitted")
	}
	var chosen learners.Learner
	for _, l := range all {
		if l.Name() == found[best].Name {
			chosen = l
		}
	}
	model, err := chosen.Fit(ctx, m, train.label, nil)
	if err != nil {
		return fmt.Errorf("fitting %s: %w", chosen.Name(), err)
	}
	calibration, err := learners.Calibrate(y, found[best].Predicted())
	if err != nil {
		return err
	}
	p := &learners.Predictor{Schema: schema, Model: model, Calibration: calibration}
	v.Learner = chosen.Name()
	v.Metrics.Candidates, v.Metrics.Train, v.Metrics.Confusion, v.Metrics.Dropped = found, &found[best].Measures, &found[best].Confusion, schema.Dropped
	v.Metrics.Reference = distributions(train.table)
	if v.artefact, err = p.MarshalBinary(); err != nil {
		return err
	}
	s.stage(j, "testing on a later moment", .85)
	return s.testClassifier(ctx, spec, v, p, now.Add(-horizon), horizon)
}

func isGolearn(all []learners.Learner, name string) bool {
	for _, l := range all {
		if _, is := l.(learners.Golearn); is && l.Name() == name {
			return true
		}
	}
	return false
}

func (s *Service) testClassifier(ctx context.Context, spec *Spec, v *Version, p *learners.Predictor, at time.Time, horizon time.Duration) error {
	test, err := s.asOf(ctx, spec, at, horizon, share{})
	if err != nil {
		return err
	}
	predicted, err := p.Predict(test.table)
	if err != nil {
		return err
	}
	measures, err := learners.Measure(test.label, predicted)
	if err != nil {
		return fmt.Errorf("as of %s: %w", at.Format(time.DateOnly), err)
	}
	reliable := learners.Reliable(test.label, predicted)
	if math.IsNaN(reliable.Slope) {
		reliable.Slope = 0
	}
	v.Metrics.Test, v.Metrics.Calibrated, v.Metrics.Deciles = &measures, &reliable, learners.Deciles(test.label, predicted)
	if v.Metrics.Importance, err = p.Permute(ctx, test.table, test.label, 1); err != nil {
		return err
	}
	v.Metrics.Sane = measures.AUC > .5+2*math.Sqrt(1/(12*measures.Rate*(1-measures.Rate)*float64(measures.Rows)))
	if !v.Metrics.Sane {
		v.Verdict = fmt.Sprintf("an AUC of %.3f on people as of %s is not told apart from chance", measures.AUC, at.Format(time.DateOnly))
		return nil
	}
	v.Verdict = fmt.Sprintf("AUC %.3f on people as of %s", measures.AUC, at.Format(time.DateOnly))
	champion, err := s.champion(ctx, v.Model)
	if err != nil {
		s.log.Warn("the champion cannot be compared with", "model", v.Model, "error", err)
		return nil
	}
	if champion == nil || champion.predictor == nil {
		return nil
	}
	other, err := champion.predictor.Predict(test.table)
	if err != nil {
		s.log.Warn("the champion cannot be compared with", "model", v.Model, "error", err)
		return nil
	}
	better, se := learners.PairedLoss(test.label, predicted, other)
	v.Metrics.Champion = &Duel{Version: champion.version.Version, Better: better, Error: se}
	v.Verdict += fmt.Sprintf("; log-loss better than version %d by %.5f ± %.5f", champion.version.Version, better, se)
	return nil
}
