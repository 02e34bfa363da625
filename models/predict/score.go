package predict

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"quintet/internal/learners"
	"quintet/internal/problem"
	"quintet/models/lifetime"
	"quintet/models/sendtime"
)

// scorer is a version that was loaded.
type scorer struct {
	version   *Version
	predictor *learners.Predictor
	lifetime  *lifetime.Fitted
	sendtime  *sendtime.Model
	uplift    *upliftArtefact
}

// load reads an artefact; a damaged one is refused.
func load(v *Version) (*scorer, error) {
	out := &scorer{version: v}
	switch v.Family {
	case Churn, NextPurchase:
		out.predictor = &learners.Predictor{}
		return out, out.predictor.UnmarshalBinary(v.artefact)
	case Lifetime:
		out.lifetime = &lifetime.Fitted{}
		if err := learners.Unseal(v.artefact, out.lifetime); err != nil {
			return nil, err
		}
		if err := out.lifetime.Check(); err != nil {
			return nil, fmt.Errorf("%w: %w", learners.ErrArtefact, err)
		}
		return out, nil
	case SendTime:
		out.sendtime = &sendtime.Model{}
		if err := learners.Unseal(v.artefact, out.sendtime); err != nil {
			return nil, err
		}
		return out, out.sendtime.Check()
	case Uplift:
		out.uplift = &upliftArtefact{}
		if err := learners.Unseal(v.artefact, out.uplift); err != nil {
			return nil, err
		}
		return out, out.uplift.check()
	}
	return nil, fmt.Errorf("%w: family %q", learners.ErrArtefact, v.Family)
}

// Scoring is how one run of scoring went.
type Scoring struct {
	Model   string    `json:"model"`
	Version int64     `json:"version"`
	AsOf    time.Time `json:"asOf"`
	People  int       `json:"people"`
	Seconds float64   `json:"seconds"`
	Drift   []Drift   `json:"drift" nullable:"false" doc:"Features that are distributed otherwise than in training, the most first"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Scoring) SchemaName() string { return "PredictionScoring" }

func noChampion(key string) error {
	return &problem.Error{Status: http.StatusConflict, Detail: fmt.Sprintf("The model %s has no champion yet: train it and promote a version.", problem.Clip(key))}
}

// Score writes what the champion says of everybody as of now.
func (s *Service) Score(ctx context.Context, key string) (out *Scoring, err error) {
	spec, _, err := s.spec(key)
	if err != nil {
		return nil, err
	}
	err = s.work(ctx, key, "score", func(ctx context.Context, j *Job) error {
		champion, err := s.champion(ctx, key)
		if err != nil {
			return err
		}
		if champion == nil {
			return noChampion(key)
		}
		started := time.Now()
		out = &Scoring{Model: key, Version: champion.version.Version, AsOf: s.now().UTC(), Drift: []Drift{}}
		if err := s.scoreAll(ctx, j, &spec, champion, out); err != nil {
			return err
		}
		out.Seconds = time.Since(started).Seconds()
		j.Version, j.Result, j.Drift = out.Version, fmt.Sprintf("%d people", out.People), out.Drift
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.scored != nil {
		s.scored()
	}
	return out, nil
}

// scoreAll scores everybody, a share at a time, and takes away the scores before.
func (s *Service) scoreAll(ctx context.Context, j *Job, spec *Spec, c *scorer, out *Scoring) error {
	shares, err := s.shares(ctx, spec)
	if err != nil {
		return err
	}
	brought, err := s.broughtBy(ctx, spec, c, out.AsOf, shares)
	if err != nil {
		return err
	}
	return s.replace(ctx, out, func(write func([]string, []map[string]any) error) error {
		for i := range shares {
			s.stage(j, "selecting people", (.1+.9*float64(i))/float64(shares))
			people, attributes, err := s.attributesOf(ctx, spec, c, out, brought, share{i, shares})
			if err != nil {
				return err
			}
			s.stage(j, "writing scores", (.7+float64(i))/float64(shares))
			if err := write(people, attributes); err != nil {
				return err
			}
		}
		return nil
	})
}

// attributesOf scores the people of a share, and gives them with their attributes.
func (s *Service) attributesOf(ctx context.Context, spec *Spec, c *scorer, out *Scoring, brought map[string]float64, of share) ([]string, []map[string]any, error) {
	switch {
	case c.predictor != nil:
		set, err := s.asOf(ctx, spec, out.AsOf, 0, of)
		if err != nil || len(set.people) == 0 {
			return nil, nil, err
		}
		scores, err := c.predictor.Predict(set.table)
		if err != nil {
			return nil, nil, err
		}
		out.observe(c, set.table)
		attributes := make([]map[string]any, len(scores))
		for i, p := range scores {
			low, high := c.interval(p)
			attributes[i] = map[string]any{spec.Attribute: digits(p), spec.Attribute + "Low": digits(low), spec.Attribute + "High": digits(high)}
		}
		return set.people, attributes, nil
	case c.lifetime != nil:
		return s.scoreLifetime(ctx, spec, c, out.AsOf, brought, of)
	case c.sendtime != nil:
		return s.scoreSendTimes(ctx, spec, c, of)
	}
	return s.scoreUplift(ctx, spec, c, out, of)
}

// observe tells how what is scored differs from what was learnt from. Of several shares
// the first speaks for all: they are drawn by lot.
func (o *Scoring) observe(c *scorer, t *learners.Table) {
	if len(o.Drift) == 0 {
		o.Drift = drift(c.version.Metrics.Reference, t)
	}
}

// interval is the 95 % interval of the share that held, in the test, for people with
// about this probability.
func (c *scorer) interval(p float64) (low, high float64) {
	r := c.version.Metrics.Calibrated
	if r == nil || len(r.Bins) == 0 {
		return p, p
	}
	at := 0
	for i, b := range r.Bins {
		if math.Abs(b.Predicted-p) < math.Abs(r.Bins[at].Predicted-p) {
			at = i
		}
	}
	b := r.Bins[at]
	return math.Max(0, p-(b.Actual-b.Low)), math.Min(1, p+(b.High-b.Actual))
}

func digits(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	if a := math.Abs(v); a >= 100 {
		return math.Round(v*100) / 100
	}
	return math.Round(v*1e4) / 1e4
}

// replace puts the scores that fill writes in the place of those from before; out.People
// counts them. A crash in between leaves both, of which readers take the later.
func (s *Service) replace(ctx context.Context, out *Scoring, fill func(write func([]string, []map[string]any) error) error) error {
	erased := s.forgotSince()
	err := fill(func(people []string, attributes []map[string]any) error {
		out.People += len(people)
		return s.write(ctx, out, people, attributes, erased)
	})
	if err != nil {
		return err
	}
	before := fmt.Sprintf("model = %s AND scored_at < %s", literal(out.Model), moment(out.AsOf))
	var left uint64
	if err := s.clickhouse.Read.QueryRow(ctx, "SELECT count() FROM person_scores FINAL WHERE "+before).Scan(&left); err != nil {
		return fmt.Errorf("counting who is not scored any more: %w", err)
	}
	if left > 0 { // rewrites the table; whoever was scored again has only the new score for every reader
		if err := s.remove(ctx, before); err != nil {
			return fmt.Errorf("removing the scores before: %w", err)
		}
	}
	// Who was erased while this was written.
	late := s.forgotSince()
	for id := range erased {
		delete(late, id)
	}
	if len(late) > 0 {
		if err := s.remove(ctx, fmt.Sprintf("model = %s AND person_id IN (%s)", literal(out.Model), list(slices.Collect(maps.Keys(late))))); err != nil {
			return fmt.Errorf("removing the scores of who was erased: %w", err)
		}
	}
	return nil
}

// write inserts scores of people who were not erased, two chunks at a time: while the
// store sorts and compresses one, the next is encoded and sent.
func (s *Service) write(ctx context.Context, out *Scoring, people []string, attributes []map[string]any, erased map[string]struct{}) error {
	const chunk = 50_000
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for from := 0; from < len(people); from += chunk {
		until := min(from+chunk, len(people))
		group.Go(func() error {
			return s.insert(ctx, out, people[from:until], attributes[from:until], erased)
		})
	}
	return group.Wait()
}

// insert adds one chunk of scores.
func (s *Service) insert(ctx context.Context, out *Scoring, people []string, attributes []map[string]any, erased map[string]struct{}) error {
	encoded, err := encode(attributes)
	if err != nil {
		return err
	}
	batch, err := s.clickhouse.Write.PrepareBatch(ctx, "INSERT INTO person_scores (model, person_id, attributes, version, scored_at)")
	if err != nil {
		return fmt.Errorf("preparing an insert of scores: %w", err)
	}
	for i, id := range people {
		if _, gone := erased[id]; gone {
			continue
		}
		if err := batch.Append(out.Model, id, encoded[i], uint64(out.Version), out.AsOf); err != nil {
			return fmt.Errorf("adding a score: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting scores: %w", err)
	}
	return nil
}

// encode writes attributes as JSON on all cores.
func encode(attributes []map[string]any) ([]string, error) {
	out := make([]string, len(attributes))
	var group errgroup.Group
	const part = 2000
	group.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(attributes); from += part {
		group.Go(func() error {
			for i := from; i < min(from+part, len(attributes)); i++ {
				text, err := json.Marshal(attributes[i])
				if err != nil {
					return fmt.Errorf("encoding a score: %w", err)
				}
				out[i] = string(text)
			}
			return nil
		})
	}
	return out, group.Wait()
}

// Attributes selects person_id and attributes, a JSON object, of all scores; computed
// attributes are made of it. Scores of models that are not there any more are left out.
func (s *Service) Attributes() string {
	var keys []string
	for _, d := range s.specs.List("", maxModels) {
		keys = append(keys, d.Key)
	}
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("SELECT person_id, attributes FROM person_scores FINAL WHERE model IN (%s)", list(keys))
}

// Explanation says why a person has their score.
type Explanation struct {
	Model   string            `json:"model"`
	Version int64             `json:"version"`
	Person  string            `json:"person"`
	Known   bool              `json:"known" doc:"Whether anything is known of what the person did; without it there is no score"`
	Score   float64           `json:"score"`
	Low     float64           `json:"low"`
	High    float64           `json:"high"`
	Reasons []learners.Reason `json:"reasons" nullable:"false" doc:"Strongest first"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Explanation) SchemaName() string { return "PredictionExplanation" }

// Explain scores one person as of now and says why.
func (s *Service) Explain(ctx context.Context, key, who string) (*Explanation, error) {
	spec, _, err := s.spec(key)
	if err != nil {
		return nil, err
	}
	champion, err := s.champion(ctx, key)
	if err != nil {
		return nil, err
	}
	if champion == nil || champion.predictor == nil {
		if champion != nil {
			return nil, &problem.Error{Status: http.StatusConflict, Detail: "Models of this family have no reasons by feature."}
		}
		return nil, noChampion(key)
	}
	at := s.now().UTC()
	// Only this person's events are read: those of the profiles that are theirs.
	narrow := fmt.Sprintf(" AND (e.profile_id = %[1]s OR e.profile_id IN (SELECT profile_id FROM person_map WHERE person_id = %[1]s))", literal(who))
	population := fmt.Sprintf("person_id = %s", literal(who))
	set, err := s.read(ctx, spec.query(spec.source(at.AddDate(0, 0, -lookBack), at)+narrow, "", fmt.Sprint(at.UnixMilli()), "0", population, "", share{0, 1}), false)
	if err != nil {
		return nil, err
	}
	if len(set.people) == 0 {
		return &Explanation{Model: key, Version: champion.version.Version, Person: who, Reasons: []learners.Reason{}}, nil
	}
	scores, err := champion.predictor.Predict(set.table)
	if err != nil {
		return nil, err
	}
	reasons, err := champion.predictor.Reasons(set.table, 0, 10)
	if err != nil {
		return nil, err
	}
	if reasons == nil {
		reasons = []learners.Reason{}
	}
	out := &Explanation{Model: key, Version: champion.version.Version, Person: who, Known: true, Score: digits(scores[0]), Reasons: reasons}
	low, high := champion.interval(scores[0])
	out.Low, out.High = digits(low), digits(high)
	return out, nil
}
