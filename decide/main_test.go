package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/experiments"
	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/internal/stream"
	"quintet/models"
	"quintet/models/bandits"
	"quintet/profiles"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// crowd is people in memory.
type crowd struct {
	mu   sync.RWMutex
	view map[profiles.Identifier]*profiles.View
}

func (c *crowd) add(traits map[string]any, ids ...profiles.Identifier) *profiles.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := &profiles.View{ID: profiles.NewID(ids[0]), Identifiers: ids, Traits: traits}
	for _, id := range ids {
		c.view[id] = v
	}
	return v
}

func (c *crowd) Lookup(ids []profiles.Identifier) (*profiles.View, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, id := range ids {
		if v, ok := c.view[id]; ok {
			return v, true
		}
	}
	return nil, false
}

func (c *crowd) Resolve(ids []profiles.Identifier) string {
	if v, ok := c.Lookup(ids); ok {
		return v.ID
	}
	return profiles.NewID(ids[0])
}

// shelf is a stock in which the named items are sold out.
type shelf map[string]bool

func (s shelf) InStock(item string) bool { return !s[item] }

// world is a service on real engines, with people and stock of the test.
type world struct {
	*Service
	crowd  *crowd
	tests  *experiments.Service
	learn  *models.Service
	deps   Deps
	pool   *pgxpool.Pool
	logged *clickhouse.Database
	clock  *atomic.Pointer[func() time.Time] // of the service, which reads it while tests set it
}

// setClock has the service take now for the time.
func (w *world) setClock(now func() time.Time) { w.clock.Store(&now) }

// stand stops the clock of the service at a moment.
func (w *world) stand(at time.Time) { w.setClock(func() time.Time { return at }) }

// read is what the clock shows.
func (w *world) read() time.Time { return (*w.clock.Load())() }

type worldOptions struct {
	stream  stream.Options
	change  func(*Deps) // after the defaults
	noSink  bool
	holdout float64
	// comparison gives the universal holdout its comparison arm.
	comparison bool
}

func newWorld(t testing.TB, o worldOptions) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{crowd: &crowd{view: make(map[profiles.Identifier]*profiles.View)}, pool: enginetest.Postgres(t), logged: enginetest.ClickHouse(t)}
	if err := postgres.Migrate(ctx, w.pool, definitions.Migrations(), models.PostgresMigrations(), PostgresMigrations()); err != nil {
		t.Fatal(err)
	}
	if err := w.logged.Migrate(ctx, experiments.ClickHouseMigrations(), profiles.ClickHouseMigrations(), ClickHouseMigrations(), models.ClickHouseMigrations()); err != nil {
		t.Fatal(err)
	}
	log := enginetest.Logger(t)
	store, err := definitions.Open(ctx, w.pool, log)
	if err != nil {
		t.Fatal(err)
	}
	if w.tests, err = experiments.Open(ctx, experiments.Deps{Logger: log, Definitions: store, ClickHouse: w.logged,
		DecisionPointExists: func(key string) bool { return w.HasPoint(key) },
		CheckPolicy:         func(point string, policy json.RawMessage) error { return w.CheckPolicy(point, policy) },
	}); err != nil {
		t.Fatal(err)
	}
	if w.learn, err = models.Open(ctx, models.Deps{Postgres: w.pool, ClickHouse: w.logged, Logger: log}); err != nil {
		t.Fatal(err)
	}
	w.deps = Deps{Logger: log, Definitions: store, Stream: enginetest.StreamWith(t, o.stream), ClickHouse: w.logged,
		People: w.crowd, Models: w.learn, History: w.learn.Trainer(), Trials: w.tests, Stock: shelf{}, Postgres: w.pool, Deadline: 5 * time.Second}
	if o.change != nil {
		o.change(&w.deps)
	}
	if w.Service, err = Open(ctx, w.deps); err != nil {
		t.Fatal(err)
	}
	w.clock = new(atomic.Pointer[func() time.Time])
	w.setClock(time.Now)
	w.now = w.read
	if !o.noSink {
		run, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := w.Run(run); err != nil {
				t.Errorf("moving decisions: %v", err)
			}
		})
		t.Cleanup(func() { stop(); wg.Wait() })
	}
	if _, err := w.tests.Holdouts().Put(ctx, experiments.UniversalHoldout, experiments.Holdout{Share: o.holdout, Comparison: &o.comparison}, "test", 0); err != nil {
		t.Fatal(err)
	}
	for key, c := range map[string]Channel{
		"onsite": {Active: true}, "email": {Active: true, Requires: "email", ContactCost: 0.02}, "sms": {Requires: "phone", ContactCost: 0.1},
	} {
		if _, err := w.channels.Put(ctx, key, c, "test", 0); err != nil {
			t.Fatal(err)
		}
	}
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for key, offer := range map[string]Offer{
		"spring": {Active: true, Items: []string{"sku-1", "sku-2", "sku-3"}}, "summer": {Active: true}, "off": {},
		"later": {Active: true, StartsAt: &future}, "over": {Active: true, EndsAt: &past},
	} {
		if _, err := w.offers.Put(ctx, key, offer, "test", 0); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// hero is a decision point with two offers on two channels and two features.
func hero(change ...func(*DecisionPoint)) DecisionPoint {
	p := DecisionPoint{
		Offers: []string{"spring", "summer"}, Channels: []string{"onsite", "email"}, Creatives: []Creative{{Key: "a", Tone: "formal"}, {Key: "b"}},
		Features: []bandits.Field{
			{Name: "plan", Source: bandits.SourceProfile, Kind: bandits.KindCategorical, Values: []string{"free", "paid"}},
			{Name: "hour", Source: bandits.SourceContext, Kind: bandits.KindCyclic},
		},
		Policy:    Policy{Type: PolicyUniform},
		Objective: models.Objective{Terms: []models.Term{{Event: "Order"}}, WindowHours: 24},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func (w *world) put(t testing.TB, key string, p DecisionPoint) {
	t.Helper()
	if _, err := w.points.Put(t.Context(), key, p, "test", 0); err != nil {
		t.Fatal(err)
	}
}

func (w *world) start(t testing.TB, key string, e experiments.Experiment) {
	t.Helper()
	if _, err := w.tests.Definitions().Put(t.Context(), key, e, "test", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tests.Start(t.Context(), key, "test"); err != nil {
		t.Fatal(err)
	}
}

// person is the i-th of the people that the tests ask about. All but every third
// have an address.
func (w *world) person(i int) map[string]string {
	id := profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)}
	if _, ok := w.crowd.Lookup([]profiles.Identifier{id}); !ok {
		ids := []profiles.Identifier{id}
		if i%3 != 0 {
			ids = append(ids, profiles.Identifier{Namespace: "email", Value: fmt.Sprint("u", i, "@example.com")})
		}
		w.crowd.add(map[string]any{"plan": []string{"free", "paid"}[i%2]}, ids...)
	}
	return map[string]string{"userId": id.Value}
}

func (w *world) ask(t testing.TB, req Request) (*Response, *Record) {
	t.Helper()
	resp, err := w.Decide(t.Context(), &req, "key-1")
	if err != nil {
		t.Fatal(err)
	}
	rec, ok := w.recent.get(resp.DecisionID)
	if !ok && !resp.Fallback {
		t.Fatalf("decision %s has no record", resp.DecisionID)
	}
	return resp, rec
}

func (w *world) flush(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}
