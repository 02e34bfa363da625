package models

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/clickhouse"
	"quintet/internal/problem"
)

const (
	// DefaultInterval is the time between two looks for new data.
	DefaultInterval = 5 * time.Second
	// keptVersions bounds the old versions held in memory for replays.
	keptVersions = 32
	loadTimeout  = 30 * time.Second
)

// Deps are what a Service works with.
type Deps struct {
	Postgres   *pgxpool.Pool
	ClickHouse *clickhouse.Database
	Logger     *slog.Logger
	// Registry takes the metrics; nil for none.
	Registry prometheus.Registerer
	// Interval is the least time between two builds of one model;
	// DefaultInterval if zero.
	Interval time.Duration
	// Stored is how far the log has followed the stream: what is up to there can be
	// read from ClickHouse, and every decision that was made before one of the events
	// is among the decisions. Without it nothing is learned between builds.
	Stored func(context.Context) (Position, error)
	// LiveInterval is the time between two looks for what has come since; a second if
	// zero.
	LiveInterval time.Duration
	// Now is the clock by which outcomes grow old; time.Now unless set.
	Now func() time.Time
}

// Service keeps models up to date and hands them out. It is safe for concurrent
// use.
type Service struct {
	store    *store
	trainer  *Trainer
	log      *slog.Logger
	interval time.Duration
	metrics  metrics

	stored       func(context.Context) (Position, error)
	liveInterval time.Duration
	seen         sync.Map // by track: the position up to which nothing else was found

	current atomic.Pointer[hand] // replaced, never changed
	swap    sync.Mutex

	oldMu sync.Mutex
	old   map[versionKey]*list.Element
	order *list.List // of *Snapshot, most recently used first
}

// hand is what a process has at hand of models.
type hand struct {
	latest map[track]*Snapshot
	pinned map[string]*Snapshot // by decision point
}

type versionKey struct {
	point   string
	version int64
}

// Open loads the newest version of every model.
func Open(ctx context.Context, d Deps) (*Service, error) {
	store, err := newStore(d.Postgres)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: store, trainer: NewTrainer(d.ClickHouse, d.Logger), log: d.Logger, interval: d.Interval,
		old: map[versionKey]*list.Element{}, order: list.New(), stored: d.Stored, liveInterval: d.LiveInterval,
	}
	if d.Now != nil {
		s.trainer.now = d.Now
	}
	if s.liveInterval <= 0 {
		s.liveInterval = DefaultLiveInterval
	}
	if s.interval <= 0 {
		s.interval = DefaultInterval
	}
	s.current.Store(&hand{})
	s.metrics = newMetrics(d.Registry)
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Current returns the snapshot that decisions of a decision point are to use: the
// newest of its policy, or the one that the point went back to; nil if there is none.
// It reads memory only.
func (s *Service) Current(decisionPoint string) *Snapshot {
	h := s.current.Load()
	if pinned := h.pinned[decisionPoint]; pinned != nil {
		return pinned
	}
	return h.latest[track{point: decisionPoint}]
}

// Latest returns the newest snapshot of a candidate policy of a decision point, or of
// its own policy with an empty candidate; nil if there is none. It reads memory only.
func (s *Service) Latest(decisionPoint, candidate string) *Snapshot {
	return s.current.Load().latest[track{decisionPoint, candidate}]
}

// Trainer reads the log, for what wants to know more of it than the models that are
// kept up to date.
func (s *Service) Trainer() *Trainer { return s.trainer }

// AtVersion returns a certain version, for replays. It returns a 404 problem if
// that was never stored.
func (s *Service) AtVersion(ctx context.Context, decisionPoint string, version int64) (*Snapshot, error) {
	if snap := s.Current(decisionPoint); snap != nil && snap.Version == version {
		return snap, nil
	}
	key := versionKey{decisionPoint, version}
	s.oldMu.Lock()
	if e, ok := s.old[key]; ok {
		s.order.MoveToFront(e)
		s.oldMu.Unlock()
		return e.Value.(*Snapshot), nil
	}
	s.oldMu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	snap, err := s.store.load(ctx, decisionPoint, version, nil)
	if errors.Is(err, errPruned) {
		return nil, problem.NotFound("model", fmt.Sprintf("%s, version %d, which no stored decision names", problem.Clip(decisionPoint), version))
	}
	if errors.Is(err, errNoVersion) {
		return nil, problem.NotFound("model", fmt.Sprintf("%s, version %d", problem.Clip(decisionPoint), version))
	}
	if err != nil {
		return nil, err
	}
	s.keep(snap)
	return snap, nil
}

// keep puts an old version among those in memory.
func (s *Service) keep(snap *Snapshot) {
	key := versionKey{snap.DecisionPoint, snap.Version}
	s.oldMu.Lock()
	defer s.oldMu.Unlock()
	if _, ok := s.old[key]; ok {
		return // loaded twice at the same time
	}
	s.old[key] = s.order.PushFront(snap)
	for s.order.Len() > keptVersions {
		last := s.order.Remove(s.order.Back()).(*Snapshot)
		delete(s.old, versionKey{last.DecisionPoint, last.Version})
	}
}

// refresh loads versions that are newer than those in memory, and what decision points
// went back to. A version that cannot be read is left out and the one before stays in
// use.
func (s *Service) refresh(ctx context.Context) error {
	newest, err := s.store.newest(ctx)
	if err != nil {
		return err
	}
	for t, version := range newest {
		near := s.Latest(t.point, t.candidate)
		if near != nil && near.Version >= version {
			continue
		}
		snap, err := s.store.load(ctx, t.point, version, near)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.log.Error("a model cannot be used", "decisionPoint", t.point, "version", version, "error", err)
			continue
		}
		s.use(snap)
	}
	return s.refreshPins(ctx)
}

// refreshPins loads the versions that decision points went back to.
func (s *Service) refreshPins(ctx context.Context) error {
	pins, err := s.store.pins(ctx)
	if err != nil {
		return err
	}
	pinned := make(map[string]*Snapshot, len(pins))
	for _, p := range pins {
		snap, err := s.AtVersion(ctx, p.DecisionPoint, p.Version)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.log.Error("a model cannot be gone back to", "decisionPoint", p.DecisionPoint, "version", p.Version, "error", err)
			continue
		}
		pinned[p.DecisionPoint] = snap
	}
	s.swap.Lock()
	defer s.swap.Unlock()
	before := s.current.Load()
	if maps.Equal(before.pinned, pinned) {
		return nil
	}
	s.current.Store(&hand{latest: before.latest, pinned: pinned})
	return nil
}

// use swaps a snapshot in, unless a newer one already is.
func (s *Service) use(snap *Snapshot) {
	s.swap.Lock()
	defer s.swap.Unlock()
	before := s.current.Load()
	t := track{snap.DecisionPoint, snap.Track}
	was := before.latest[t]
	if was != nil && was.Version >= snap.Version {
		return
	}
	after := maps.Clone(before.latest)
	if after == nil {
		after = make(map[track]*Snapshot)
	}
	after[t] = snap
	s.current.Store(&hand{latest: after, pinned: before.pinned})
	if was != nil {
		// Decisions made a moment ago name it, and are the likeliest to be replayed.
		s.keep(was)
	}
	if snap.Track == "" {
		s.metrics.version.WithLabelValues(snap.DecisionPoint).Set(float64(snap.Version))
		s.metrics.decisions.WithLabelValues(snap.DecisionPoint).Set(float64(snap.Decisions))
	}
	level := slog.LevelInfo
	if snap.Version != snap.Base {
		level = slog.LevelDebug // one a second
	}
	s.log.Log(context.Background(), level, "model in use", "decisionPoint", snap.DecisionPoint, "candidate", snap.Track, "version", snap.Version,
		"decisions", snap.Decisions, "actions", len(snap.Actions))
}

type metrics struct {
	builds             *prometheus.CounterVec
	seconds            prometheus.Histogram
	version, decisions *prometheus.GaugeVec
	observations       *prometheus.CounterVec
	freshness          prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer) metrics {
	m := metrics{
		builds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quintet_model_builds_total", Help: "Builds of models by decision point and result (built, failed)."}, []string{"decision_point", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "quintet_model_build_seconds", Help: "Duration of the builds of models.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 8)}),
		version: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "quintet_model_version", Help: "Version of the model in use."}, []string{"decision_point"}),
		decisions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "quintet_model_decisions", Help: "Decisions that the model in use learned from."}, []string{"decision_point"}),
	}
	m.observations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "quintet_model_observations_total", Help: "Decisions and outcomes that were added to models between builds."}, []string{"decision_point"})
	m.freshness = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "quintet_model_outcome_delay_seconds", Help: "Time from the receipt of an outcome to the version that has learned from it.",
		Buckets: []float64{0.5, 1, 2, 3, 4, 5, 7.5, 10, 30, 60, 300}})
	if registry != nil {
		registry.MustRegister(m.builds, m.seconds, m.version, m.decisions, m.observations, m.freshness)
	}
	return m
}
