package predict

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	Postgres    *pgxpool.Pool
	ClickHouse  *clickhouse.Database
	// Reserved says that an attribute may not be written; nil allows all names.
	Reserved func(attribute string) bool
	// Scored is called when scores have changed, so that attributes are computed anew.
	Scored func()
	// Version is that of the program.
	Version string
	// Now is the clock; time.Now unless set.
	Now func() time.Time
	// Interval is how often Run looks what is due; a minute when zero.
	Interval time.Duration
}

// Bounds of a job.
const (
	jobDeadline = 20 * time.Minute
	// retryAfter is the pause after a job that failed.
	retryAfter = time.Hour
	// scoreEvery is how often everybody is scored anew.
	scoreEvery = 6 * time.Hour
)

// Service trains, keeps and uses predictive models.
type Service struct {
	log        *slog.Logger
	clickhouse *clickhouse.Database
	store      *store
	specs      *definitions.Collection[Spec]
	reserved   func(string) bool
	scored     func()
	version    string
	now        func() time.Time
	interval   time.Duration
	atOnce     int // people scored at a time

	asked   chan request
	working sync.Mutex // one job at a time: training takes all cores
	mu      sync.Mutex
	current *Job // the job that runs here
	loaded  map[string]*scorer
	// forgotten are people who were erased while the scoring that runs here was under way.
	forgotten map[string]struct{}
	times     atomic.Pointer[sendTimes]
	values    atomic.Pointer[map[string]*upliftValues]
}

// Open loads the definitions.
func Open(d Deps) (*Service, error) {
	s := &Service{log: d.Logger, clickhouse: d.ClickHouse, store: &store{d.Postgres}, reserved: d.Reserved, scored: d.Scored, version: d.Version, now: d.Now, interval: d.Interval, atOnce: scoredAtOnce, loaded: map[string]*scorer{}, asked: make(chan request, maxAsked)}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.interval <= 0 {
		s.interval = time.Minute
	}
	var err error
	if s.specs, err = definitions.NewCollection(d.Definitions, "models", s.check); err != nil {
		return nil, fmt.Errorf("loading predictive models: %w", err)
	}
	return s, nil
}

// Run trains and scores what is due until ctx ends, whose error it returns.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		for _, d := range s.specs.List("", maxModels) {
			if d.Value.Paused {
				continue
			}
			if err := s.due(ctx, d.Key, d.Value); err != nil && ctx.Err() == nil {
				s.log.Warn("a predictive model could not be brought up to date; it is tried again", "model", d.Key, "error", err)
			}
		}
		if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("what decisions read of models could not be loaded; what was loaded before stays", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case r := <-s.asked:
			s.answer(ctx, r)
		}
	}
}

// request is a run that somebody asked for and does not wait for.
type request struct{ model, kind string }

// maxAsked bounds the runs that wait.
const maxAsked = 16

// Ask has a run of training or scoring begin after those that are under way, and does not
// wait for it: [Service.Jobs] says how it goes.
func (s *Service) Ask(key, kind string) error {
	if _, _, err := s.spec(key); err != nil {
		return err
	}
	select {
	case s.asked <- request{key, kind}:
		return nil
	default:
		return &problem.Error{Status: http.StatusConflict, Detail: "Many runs wait already.", RetryAfter: time.Minute}
	}
}

func (s *Service) answer(ctx context.Context, r request) {
	var err error
	if r.kind == "train" {
		_, err = s.Train(ctx, r.model)
	} else {
		_, err = s.Score(ctx, r.model)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("a run of a predictive model that was asked for failed", "model", r.model, "run", r.kind, "error", err)
	}
}

const maxModels = 200

// refresh brings what decisions read of champions up to date.
func (s *Service) refresh(ctx context.Context) error {
	if err := s.refreshSendTimes(ctx); err != nil {
		return err
	}
	champions, err := s.store.champions(ctx)
	if err != nil {
		return err
	}
	s.refreshValues(func(key string) bool { return champions[key] })
	return nil
}

func (s *Service) due(ctx context.Context, key string, spec Spec) error {
	spec.fill()
	for _, kind := range []string{"train", "score"} {
		last, err := s.store.last(ctx, key, kind)
		if err != nil {
			return err
		}
		pause := time.Duration(spec.RetrainHours) * time.Hour
		if kind == "score" {
			pause = scoreEvery
		}
		if last != nil && last.Error != "" {
			pause = min(pause, retryAfter)
		}
		if last != nil && s.now().Sub(last.StartedAt) < pause {
			continue
		}
		if kind == "train" {
			_, err = s.Train(ctx, key)
		} else if champion, _ := s.store.get(ctx, key, 0, false); champion != nil {
			_, err = s.Score(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) spec(key string) (Spec, int64, error) {
	v, ok := s.specs.Get(key)
	if !ok {
		return Spec{}, 0, &problem.Error{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no model %s.", problem.Clip(key))}
	}
	v.Value.fill()
	return v.Value, v.Version, nil
}

var errBusy = &problem.Error{Status: http.StatusConflict, Detail: "A job of this model is under way.", RetryAfter: 10 * time.Second}

// work runs f as a job: one at a time in this process, one per model anywhere.
func (s *Service) work(ctx context.Context, key, kind string, f func(ctx context.Context, j *Job) error) (err error) {
	s.working.Lock()
	defer s.working.Unlock()
	ctx, cancel := context.WithTimeout(ctx, jobDeadline)
	defer cancel()
	ran, err := s.store.exclusively(ctx, key, func() error {
		j := &Job{Model: key, Kind: kind, StartedAt: s.now().UTC()}
		if err := s.store.begin(ctx, j); err != nil {
			return fmt.Errorf("noting a job: %w", err)
		}
		s.mu.Lock()
		s.current, s.forgotten = j, map[string]struct{}{}
		s.mu.Unlock()
		err := f(ctx, j)
		ended := s.now().UTC()
		s.mu.Lock()
		j.EndedAt = &ended
		if err != nil {
			j.Error = err.Error()
		}
		s.current = nil
		s.mu.Unlock()
		// Also what was cut short is noted.
		noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(err, s.store.end(noting, j))
	})
	if err == nil && !ran {
		return errBusy
	}
	return err
}

// stage says what a job is doing.
func (s *Service) stage(j *Job, stage string, progress float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.Stage, j.Progress = stage, progress
}

// Jobs lists jobs, newest first, with the progress of the one that runs here; key may be
// empty for those of all models.
func (s *Service) Jobs(ctx context.Context, key string, limit int) ([]Job, error) {
	jobs, err := s.store.jobs(ctx, key, limit)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range jobs {
		if s.current != nil && jobs[i].ID == s.current.ID {
			jobs[i].Stage, jobs[i].Progress = s.current.Stage, s.current.Progress
		}
	}
	return jobs, nil
}

// Promote makes a version the champion. One that did not pass its own test is refused.
func (s *Service) Promote(ctx context.Context, key string, version int64) (*Version, error) {
	v, err := s.store.get(ctx, key, version, true)
	if err != nil {
		return nil, err
	}
	if v == nil || version == 0 {
		return nil, noVersion(key, version)
	}
	if !v.Metrics.Sane {
		return nil, &problem.Error{Status: http.StatusConflict, Detail: "This version may not be used: " + v.Verdict}
	}
	if _, err := load(v); err != nil { // what cannot be loaded must not come into use
		return nil, &problem.Error{Status: http.StatusConflict, Detail: "The artefact of this version cannot be used: " + err.Error()}
	}
	if err := s.store.promote(ctx, key, version); err != nil {
		return nil, err
	}
	s.mu.Lock()
	delete(s.loaded, key)
	s.mu.Unlock()
	return s.store.get(ctx, key, version, false)
}

// RollBack makes the champion before the present one the champion again.
func (s *Service) RollBack(ctx context.Context, key string) (*Version, error) {
	version, err := s.store.previous(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("finding the champion before: %w", err)
	}
	if version == 0 {
		return nil, &problem.Error{Status: http.StatusConflict, Detail: "There was no champion before."}
	}
	return s.Promote(ctx, key, version)
}

// champion is the loaded champion of a model; nil when there is none.
func (s *Service) champion(ctx context.Context, key string) (*scorer, error) {
	head, err := s.store.get(ctx, key, 0, false)
	if err != nil || head == nil {
		return nil, err
	}
	s.mu.Lock()
	loaded := s.loaded[key]
	s.mu.Unlock()
	if loaded != nil && loaded.version.Version == head.Version {
		return loaded, nil
	}
	v, err := s.store.get(ctx, key, head.Version, true)
	if err != nil || v == nil {
		return nil, err
	}
	if loaded, err = load(v); err != nil {
		return nil, fmt.Errorf("loading version %d of %s: %w", v.Version, key, err)
	}
	s.mu.Lock()
	s.loaded[key] = loaded
	s.mu.Unlock()
	return loaded, nil
}
