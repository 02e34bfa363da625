package decide

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/decide/budgets"
	"quintet/decide/caps"
	"quintet/experiments"
	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/internal/stream"
	"quintet/models"
	"quintet/profiles"
)

// Topic is the stream topic of decision records.
const Topic = "DECISIONS"

// keepBehind is how many stored records stay in the stream, for a look into
// the recent past with the stream's own tools.
const keepBehind = 10_000

// People finds profiles in memory.
type People interface {
	// Lookup finds the profile that has one of the identifiers.
	Lookup(ids []profiles.Identifier) (*profiles.View, bool)
	// Resolve is the profile id that the identifiers have or would get.
	Resolve(ids []profiles.Identifier) string
}

// Models gives the learned model of a decision point.
type Models interface {
	// Current is the newest snapshot, nil when there is none.
	Current(decisionPoint string) *models.Snapshot
	// AtVersion is the snapshot that a decision of the past used.
	AtVersion(ctx context.Context, decisionPoint string, version int64) (*models.Snapshot, error)
}

// Trials is what the experiments package provides.
type Trials interface {
	// Definitions are the experiments by key.
	Definitions() *definitions.Collection[experiments.Experiment]
	// Holdouts are the holdouts by key.
	Holdouts() *definitions.Collection[experiments.Holdout]
	// Layers are the layers by key.
	Layers() *definitions.Collection[experiments.Layer]
	// Plan is what assigns, made of all of them.
	Plan() *experiments.Plan
	// OnPlan has f called whenever there is a new plan.
	OnPlan(f func())
}

// Stock says whether a catalogue item can be offered.
type Stock interface {
	InStock(item string) bool
}

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Registry    prometheus.Registerer
	Definitions *definitions.Store
	Stream      *stream.Stream
	ClickHouse  *clickhouse.Database
	People      People
	Models      Models
	// History reads the log for evaluations; nil refuses them.
	History History
	Trials  Trials
	Stock   Stock
	// Contacts checks consent and suppressed addresses; nil checks neither.
	Contacts Contacts
	// Segments are the keys of the segments that a profile is in, which audiences of
	// experiments read; nil for none.
	Segments func(profileID string) []string
	// Postgres keeps the variants of sticky experiments; without it they are kept in
	// memory only.
	Postgres *pgxpool.Pool
	// SendTimes compares moments of sending; nil for one as good as the other.
	SendTimes SendTimes
	// Effects says what treatments change for people, for policies that choose by it; nil
	// for nothing known.
	Effects Effects
	// Recommender finds the items of offers that leave them open; nil leaves them empty.
	Recommender Recommender
	// Deadline bounds the append to the stream; past it the default action is
	// given. 50 ms unless set.
	Deadline time.Duration
	// Now is the clock of what is decided; time.Now unless set. Deadlines are by the
	// machine's.
	Now func() time.Time
	// StoreWait is how long records wait for more before they are stored; that of
	// [stream.SinkOptions] unless set.
	StoreWait time.Duration
}

// Service makes, records, explains and replays decisions.
type Service struct {
	log      *slog.Logger
	points   *definitions.Collection[DecisionPoint]
	offers   *definitions.Collection[Offer]
	channels *definitions.Collection[Channel]
	caps     *definitions.Collection[Cap]
	quiet    *definitions.Collection[QuietHours]
	budgets  *definitions.Collection[Budget]
	// codePools are the pools of promo codes, pools how they stand.
	codePools *definitions.Collection[CodePool]
	pools     atomic.Pointer[pools]
	people    People
	models    Models
	history   History
	trials    Trials
	stock     Stock
	contacts  Contacts
	erasures  Erasures // nil where nobody is erased
	db        *clickhouse.Database
	topic     *stream.Topic
	sink      *stream.Sink
	readers   []func() uint64 // how far others have read the topic
	rows      storing
	deadline  time.Duration
	now       func() time.Time
	handed    bool // now is not the machine's clock, by which the stream dates messages
	state     atomic.Pointer[state]
	rebuild   sync.Mutex
	layouts   layouts
	scratch   sync.Pool
	recent    *recent
	lift      liftCache
	segments  func(string) []string
	pool      *pgxpool.Pool
	keeper    *keeper
	// keptThrough is the newest change of what is kept that memory has.
	keptThrough int64

	contactsHeld  *caps.Ledger
	spending      *budgets.Ledger
	zones         zoneCache
	journal       journal
	answers       answers
	limitsChanged chan struct{} // holds one when there are other limits
	followers     sync.WaitGroup
	sendTimes     SendTimes
	recommender   Recommender
	effects       Effects
	metrics       *metrics
}

// Open loads the definitions, compiles them and connects the sink; [Service.Run]
// starts it.
func Open(ctx context.Context, d Deps) (*Service, error) {
	handed := d.Now != nil
	if !handed {
		d.Now = time.Now
	}
	s := &Service{
		log: d.Logger, handed: handed, people: d.People, models: d.Models, history: d.History, trials: d.Trials, stock: d.Stock, contacts: d.Contacts, db: d.ClickHouse,
		deadline: d.Deadline, now: d.Now, recent: newRecent(recentRecords, d.Now()), metrics: newMetrics(d.Registry),
	}
	s.erasures, _ = d.Contacts.(Erasures)
	if s.deadline <= 0 {
		s.deadline = 50 * time.Millisecond
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.contactsHeld, s.spending, s.limitsChanged = caps.NewLedger(0), budgets.NewLedger(), make(chan struct{}, 1)
	s.journal.budgets = make(map[string]bool)
	s.sendTimes, s.recommender, s.effects = d.SendTimes, d.Recommender, d.Effects
	s.segments, s.pool, s.keeper = d.Segments, d.Postgres, newKeeper(keptUnits)
	s.scratch.New = func() any { return new(scratch) }
	var err error
	if s.codePools, err = definitions.NewCollection(d.Definitions, "code-pools", ValidateCodePool); err != nil {
		return nil, fmt.Errorf("loading code pools: %w", err)
	}
	if s.offers, err = definitions.NewCollection(d.Definitions, "offers", s.validateOffer); err != nil {
		return nil, fmt.Errorf("loading offers: %w", err)
	}
	if s.channels, err = definitions.NewCollection(d.Definitions, "channels", ValidateChannel); err != nil {
		return nil, fmt.Errorf("loading channels: %w", err)
	}
	if s.caps, err = definitions.NewCollection(d.Definitions, "caps", ValidateCap); err != nil {
		return nil, fmt.Errorf("loading caps: %w", err)
	}
	if s.quiet, err = definitions.NewCollection(d.Definitions, "quiet-hours", ValidateQuietHours); err != nil {
		return nil, fmt.Errorf("loading quiet hours: %w", err)
	}
	if s.budgets, err = definitions.NewCollection(d.Definitions, "budgets", ValidateBudget); err != nil {
		return nil, fmt.Errorf("loading budgets: %w", err)
	}
	if s.points, err = definitions.NewCollection(d.Definitions, "decision-points", s.validatePoint); err != nil {
		return nil, fmt.Errorf("loading decision points: %w", err)
	}
	if s.topic, err = d.Stream.Topic(ctx, Topic); err != nil {
		return nil, fmt.Errorf("opening the stream of decisions: %w", err)
	}
	s.sink = stream.NewSink(s.topic, "clickhouse", s.store, stream.SinkOptions{MaxMessages: 20_000, MaxWait: d.StoreWait, Logger: d.Logger})
	s.compile()
	s.offers.OnChange(s.compile)
	s.channels.OnChange(s.compile)
	s.points.OnChange(s.compile)
	s.caps.OnChange(s.relimit)
	s.quiet.OnChange(s.relimit)
	s.budgets.OnChange(s.relimit)
	s.trials.OnPlan(s.compile)
	if err := s.loadKept(ctx); err != nil {
		return nil, err
	}
	// Before anything is decided: what was reserved before a crash is reserved again.
	if err := s.loadLimits(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// relimit compiles anew and has the ledgers look further back where they must.
func (s *Service) relimit() {
	s.compile()
	select {
	case s.limitsChanged <- struct{}{}:
	default:
	}
}

// Run moves decision records from the stream to ClickHouse until the context
// ends, then finishes what it has begun.
func (s *Service) Run(ctx context.Context) error {
	var following sync.WaitGroup
	following.Go(func() { s.keepUp(ctx) })
	following.Go(func() { s.followPools(ctx) })
	following.Go(func() { s.followLimits(ctx); s.followers.Wait() })
	defer following.Wait()
	if err := s.sink.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("moving decisions to ClickHouse: %w", err)
	}
	return nil
}

// Flush waits until every decision recorded so far is in ClickHouse.
func (s *Service) Flush(ctx context.Context) error {
	_, last, _, err := s.topic.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the end of the stream: %w", err)
	}
	return s.sink.WaitFor(ctx, last)
}

// Lag is how far ClickHouse is behind the stream.
func (s *Service) Lag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	return s.sink.Lag(ctx)
}

// Trim removes from the stream, now and then, what ClickHouse has.
func (s *Service) Trim(ctx context.Context) error {
	return s.topic.TrimBehind(ctx, keepBehind, append(s.readers, s.sink.Position)...)
}

// Points are the decision points.
func (s *Service) Points() *definitions.Collection[DecisionPoint] { return s.points }

// HasPoint says whether there is a decision point of the key.
func (s *Service) HasPoint(key string) bool {
	_, ok := s.points.Get(key)
	return ok
}

// CheckPolicy says what is wrong with the policy of an experiment's variant at a
// decision point, as a [problem.Invalid]; nothing while there is no such point.
func (s *Service) CheckPolicy(decisionPoint string, policy json.RawMessage) error {
	p, ok := s.points.Get(decisionPoint)
	if !ok {
		return nil
	}
	return ValidateVariantPolicy(p.Value, policy)
}

// validateOffer is [ValidateOffer] and checks that the pool of codes exists.
func (s *Service) validateOffer(ctx context.Context, key string, o *Offer) error {
	if err := ValidateOffer(ctx, key, o); err != nil {
		return err
	}
	if _, ok := s.codePools.Get(o.Codes); o.Codes != "" && !ok {
		return problem.Invalid{{Field: "codes", Rule: "must be the key of a code pool", Value: problem.Clip(o.Codes)}}
	}
	return nil
}

// validatePoint is [ValidatePoint] and checks that offers and channels exist, and
// that running experiments can go on: a variant whose policy cannot be used would
// get the point's own, and the experiment would compare that with itself.
func (s *Service) validatePoint(ctx context.Context, key string, p *DecisionPoint) error {
	if err := ValidatePoint(ctx, key, p); err != nil {
		return err
	}
	var bad problem.Invalid
	for i, k := range p.Offers {
		if _, ok := s.offers.Get(k); !ok {
			bad.Add("offers["+itoa(i)+"]", "must be the key of an offer", k)
		}
	}
	for i, k := range p.Channels {
		if _, ok := s.channels.Get(k); !ok {
			bad.Add("channels["+itoa(i)+"]", "must be the key of a channel", k)
		}
	}
	if p.Policy.Type == PolicyModel && s.effects != nil && !s.effects.Knows(p.Policy.Model) {
		bad.Add("policy.model", "must be the key of a predictive model of uplift", p.Policy.Model)
	}
	s.checkStanding(key, p, &bad)
	for trial, e := range s.trials.Definitions().Snapshot() {
		if e.Value.DecisionPoint != key || e.Value.Status != experiments.Running {
			continue
		}
		for _, v := range e.Value.Variants {
			if err := ValidateVariantPolicy(*p, v.Policy); err != nil {
				bad.Add("policy", fmt.Sprintf("must suit the running experiment %s, whose variant %s would break: %v", trial, v.Key, err), nil)
			}
		}
	}
	return bad.Err()
}

// compile makes a new state of the current definitions and swaps it in. A
// decision point that no longer compiles keeps its last good state.
func (s *Service) compile() {
	s.rebuild.Lock()
	defer s.rebuild.Unlock()
	trials, offers, channels := s.trials.Definitions().Snapshot(), s.offers.Snapshot(), s.channels.Snapshot()
	next := &state{points: make(map[string]*point), limits: s.compileLimits()}
	next.plan = s.trials.Plan()
	last := s.state.Load()
	for key, v := range s.points.Snapshot() {
		p, err := compilePoint(v, offers, channels)
		if err != nil {
			s.log.Error("compiling a decision point", "decision", key, "error", err)
			if last != nil && last.points[key] != nil {
				next.points[key] = last.points[key]
			}
			continue
		}
		for _, e := range trials {
			if e.Value.DecisionPoint == key {
				s.compileOverrides(p, e.Key, e.Value.Variants)
			}
		}
		p.holdouts = p.respects(next.plan)
		p.audience = p.reads(next.plan)
		p.counted = s.metrics.of(key)
		next.points[key] = p
	}
	s.state.Store(next)
}

// compileOverrides compiles the policies of an experiment's variants.
func (s *Service) compileOverrides(p *point, key string, variants []experiments.Variant) {
	for _, v := range variants {
		if len(v.Policy) == 0 {
			continue
		}
		policy, err := p.def.Policy.override(v.Policy, &p.def)
		if err != nil {
			s.log.Error("policy of an experiment's variant cannot be used", "experiment", key, "variant", v.Key, "error", err)
			continue
		}
		if policy, err = p.compilePolicy(policy); err != nil {
			s.log.Error("policy of an experiment's variant cannot be used", "experiment", key, "variant", v.Key, "error", err)
			continue
		}
		p.overrides[string(v.Policy)] = policy
	}
}

// inStock says whether an item can be offered. One whose stock cannot be told is
// not: the fall-back asks as well, and must not fail.
func (s *Service) inStock(item string) (ok bool) {
	if s.stock == nil {
		return true
	}
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("asking for stock failed", "item", item, "panic", r)
			ok = false
		}
	}()
	return s.stock.InStock(item)
}

func publishFailure(err error) string {
	switch {
	case errors.Is(err, stream.ErrFull):
		return fallbackOverloaded
	case errors.Is(err, context.DeadlineExceeded):
		return fallbackDeadline
	}
	return fallbackUnavailable
}
