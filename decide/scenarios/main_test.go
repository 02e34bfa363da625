package scenarios

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/decide"
	"quintet/decide/outbound"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/profiles"
	"quintet/profiles/identity"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		os.Exit(child(url))
	}
	os.Exit(enginetest.Main(m))
}

// world is a service with a clock, a log and people of the test.
type world struct {
	*Service
	t    testing.TB
	pool *pgxpool.Pool

	mu      sync.Mutex
	at      time.Time
	log     []Event
	people  map[identity.ID]*profiles.View
	member  map[string][]string // segments by profile
	asked   int
	by      string          // of a child process: sets its decisions apart
	silent  map[string]bool // decision points that send nothing
	broken  bool            // decisions fall back
	refused bool
	context []map[string]any
	queue   outbound.Queue
}

var beginning2026 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, people int) *world {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), outbound.Migrations(), Migrations()); err != nil {
		t.Fatal(err)
	}
	w := emptyWorld(pool, people)
	w.t = t
	w.Service = w.again()
	return w
}

// emptyWorld is one whose service is not open yet.
func emptyWorld(pool *pgxpool.Pool, people int) *world {
	w := &world{pool: pool, at: beginning2026, people: map[identity.ID]*profiles.View{}, member: map[string][]string{}, silent: map[string]bool{}}
	for i := range people {
		id := profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)}
		key := identity.NewID(id)
		w.people[key] = &profiles.View{ID: key.String(), Person: key.String(), Identifiers: []profiles.Identifier{id}, Traits: map[string]any{"n": float64(i)}}
	}
	return w
}

// again opens the service anew, as after a restart.
func (w *world) again() *Service {
	w.t.Helper()
	s, err := w.open(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) open(ctx context.Context) (*Service, error) {
	defs, err := definitions.Open(ctx, w.pool, nil)
	if err != nil {
		return nil, err
	}
	return Open(ctx, Deps{
		Definitions: defs, Postgres: w.pool, Events: w, People: crowd{w}, Segments: crowd{w}, Decider: w,
		Outbox: outbound.NewOutbox(w.pool, w.queue, nil, w.time), Now: w.time,
		HasSegment: func(key string) bool { return key == "vip" }, HasPurpose: func(key string) bool { return key == "marketing" },
	})
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) id(i int) string {
	return profiles.NewID(profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)})
}

// happens appends an event of now.
func (w *world) happens(i int, name string, change ...func(*Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := uint64(len(w.log) + 1)
	e := Event{Sequence: n, MessageID: fmt.Sprint("m", n), Name: name, ProfileID: w.id(i), Time: w.at, Received: w.at, Source: "key", Properties: map[string]any{}}
	for _, f := range change {
		f(&e)
	}
	w.log = append(w.log, e)
}

// pass lets time pass and has everything be done that is due.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	w.at = w.at.Add(d)
	w.mu.Unlock()
	w.settle()
}

func (w *world) settle() {
	w.t.Helper()
	ctx := w.t.Context()
	if _, err := w.listenPages(ctx); err != nil {
		w.t.Fatal(err)
	}
	if err := w.dates(ctx); err != nil {
		w.t.Fatal(err)
	}
	for {
		n, err := w.movePage(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func (w *world) Stored() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.log))
}

func (w *world) Since(_ context.Context, after, through uint64, names []string, limit int) ([]Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Event
	for _, e := range w.log {
		if e.Sequence > after && e.Sequence <= through && slices.Contains(names, e.Name) && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (w *world) Decide(_ context.Context, req *decide.Request, _ string) (*decide.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	w.context = append(w.context, req.Context)
	r := &decide.Response{
		DecisionID: fmt.Sprint("d", w.by, w.asked), Who: decide.Who{ProfileID: "p", Eligible: true}, Fallback: w.broken, Reason: "broken",
		ExpiresAt: w.at.Add(time.Hour),
	}
	if !w.silent[req.Decision] {
		r.What, r.Where, r.How, r.When = &decide.What{Offer: "o"}, &decide.Where{Channel: "email"}, &decide.How{Creative: "c"}, &decide.When{SendAt: w.at}
	}
	return r, nil
}

func (w *world) Release(context.Context, string) error { return nil }

func (w *world) Preview(context.Context, *decide.Request, string) (*decide.Record, error) {
	return &decide.Record{}, nil
}

func (w *world) Window(_, _, _ string) time.Duration { return 0 }

func (w *world) Expected(_ *decide.Record, candidate int) (float64, bool) { return 2, candidate == 0 }

func (w *world) HasPoint(key string) bool {
	return key == "cart" || key == "promo" || key == "silent" || key == "receipt"
}

func (w *world) Class(key string) string {
	if key == "receipt" {
		return decide.ClassService
	}
	return decide.ClassAdvertising
}

func (w *world) Channel(key string) (decide.Channel, bool) {
	return decide.Channel{Active: true, Kind: "email"}, key == "email"
}

// crowd shows the people of a world.
type crowd struct{ w *world }

func (c crowd) PersonOf(id identity.ID) identity.ID      { return id }
func (c crowd) Members(id identity.ID) []identity.ID     { return []identity.ID{id} }
func (c crowd) Resolve(ids []profiles.Identifier) string { return profiles.NewID(ids[0]) }
func (c crowd) OfProfile(profile string) []string        { return c.w.member[profile] }
func (c crowd) GetPerson(id identity.ID) (*profiles.View, bool) {
	v, ok := c.w.people[id]
	return v, ok
}

func (c crowd) EachPerson(f func(*profiles.View) bool) {
	for _, v := range c.w.people {
		if !f(v) {
			return
		}
	}
}

func (c crowd) MayContact(*profiles.View, []profiles.Identifier, profiles.Contact) (string, bool) {
	if c.w.refused {
		return profiles.RuleNoConsent, false
	}
	return "", true
}

// cart is a scenario: an hour after something was added without an order a step, then a
// wait for an opening of its message, else another step.
func cart(change ...func(*Scenario)) Scenario {
	c := Scenario{
		Consent: outbound.Consent{Basis: outbound.BasisConsent, Purpose: "marketing"}, ExitOn: []string{"Order Completed"},
		Nodes: []Node{
			{ID: "in", Type: NodeTrigger, Trigger: &Trigger{Kind: TriggerEvent, Event: "Product Added"}, Next: "hour"},
			{ID: "hour", Type: NodeWait, Wait: &Wait{Minutes: 60}, Next: "first"},
			{ID: "first", Type: NodeDecide, Decide: &Step{DecisionPoint: "cart", FromEntry: []string{"sku"}}, Next: "opened"},
			{ID: "opened", Type: NodeWait, Wait: &Wait{Event: "Message Opened", Minutes: 240, OfDecision: true}, Next: "end", Otherwise: "second"},
			{ID: "second", Type: NodeDecide, Decide: &Step{DecisionPoint: "cart"}, Next: "end"},
			{ID: "end", Type: NodeExit},
		},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func (w *world) run(key string, c Scenario) {
	w.t.Helper()
	if _, err := w.scenarios.Put(w.t.Context(), key, c, "test", 0); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Start(w.t.Context(), key, "test"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) want(messages, active int) {
	w.t.Helper()
	if n, m := w.count(`SELECT count(*) FROM outbox_messages`), w.count(`SELECT count(*) FROM scenario_runs WHERE status = 'active'`); n != messages || m != active {
		w.t.Errorf("%d messages and %d active runs, want %d and %d", n, m, messages, active)
	}
}
