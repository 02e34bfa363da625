package campaigns

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
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

// crowd is n people by the name u0, u1 and so on.
type crowd struct {
	views   map[identity.ID]*profiles.View
	merged  map[identity.ID]identity.ID
	refused map[string]bool // profile ids that refused the purpose
}

func newCrowd(n int) *crowd {
	c := &crowd{views: make(map[identity.ID]*profiles.View, n), merged: make(map[identity.ID]identity.ID), refused: make(map[string]bool)}
	for i := range n {
		id := identity.NewID(named(i))
		c.views[id] = &profiles.View{ID: id.String(), Person: id.String(), Identifiers: []profiles.Identifier{named(i)}, Traits: map[string]any{"n": float64(i)}}
	}
	return c
}

func named(i int) profiles.Identifier {
	return profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)}
}

func (c *crowd) PersonOf(id identity.ID) identity.ID {
	if to, ok := c.merged[id]; ok {
		return to
	}
	return id
}

func (c *crowd) GetPerson(id identity.ID) (*profiles.View, bool) {
	v, ok := c.views[c.PersonOf(id)]
	return v, ok
}

func (c *crowd) Members(person identity.ID) []identity.ID { return []identity.ID{person} }

func (c *crowd) Resolve(ids []profiles.Identifier) string { return identity.NewID(ids[0]).String() }

func (c *crowd) EachPerson(f func(*profiles.View) bool) {
	for id, v := range c.views {
		if c.PersonOf(id) == id && !f(v) {
			return
		}
	}
}

func (c *crowd) MayContact(view *profiles.View, _ []profiles.Identifier, q profiles.Contact) (string, bool) {
	if !q.Service && c.refused[view.ID] {
		return profiles.RuleNoConsent, false
	}
	return "", true
}

// oracle decides by the hash of a person: one in ten is held out, one in ten gets
// nothing, the others get a mail.
type oracle struct {
	asked  atomic.Int64
	broken atomic.Bool
	freed  atomic.Int64 // decisions whose places were given back
}

func (o *oracle) Release(context.Context, string) error {
	o.freed.Add(1)
	return nil
}

func (o *oracle) fate(req *decide.Request) (string, byte) {
	sum := sha256.Sum256([]byte(req.User["userId"]))
	return profiles.NewID(profiles.Identifier{Namespace: "userId", Value: req.User["userId"]}), sum[0] % 10
}

func (o *oracle) Decide(_ context.Context, req *decide.Request, _ string) (*decide.Response, error) {
	n := o.asked.Add(1)
	id, fate := o.fate(req)
	now := time.Now()
	r := &decide.Response{
		DecisionID: fmt.Sprint("d", os.Getpid(), "-", n), Who: decide.Who{ProfileID: id, Eligible: true, Group: decide.GroupTreated},
		ExpiresAt: now.Add(time.Hour), Fallback: o.broken.Load(),
	}
	switch {
	case fate == 0:
		r.Who.Eligible, r.Who.Group, r.Who.Reasons = false, decide.GroupHoldout, []string{"universal"}
	case fate > 1:
		r.What, r.Where, r.How = &decide.What{Offer: "spring"}, &decide.Where{Channel: "email"}, &decide.How{Creative: "a"}
		r.When = &decide.When{SendAt: now}
	}
	return r, nil
}

func (o *oracle) Preview(_ context.Context, req *decide.Request, source string) (*decide.Record, error) {
	id, fate := o.fate(req)
	r := &decide.Record{ProfileID: id, Eligible: true, Group: decide.GroupTreated, Source: source, SendAt: time.Now(), Candidates: []string{"spring/email/a", "none"}, Probabilities: []float64{0.75, 0.25}, Action: "spring/email/a", Channel: "email", Propensity: 0.75}
	arm := decide.Enrolment{Key: "subject-line", Variant: "new"}
	if id[len(id)-1]%2 == 0 {
		r.Group, arm.Variant = decide.GroupControl, "old"
	}
	r.Experiments = []decide.Enrolment{arm}
	if fate == 0 {
		r = &decide.Record{ProfileID: id, Group: decide.GroupHoldout, Reasons: []string{"universal"}}
	}
	return r, nil
}

func (o *oracle) Window(_, _, _ string) time.Duration { return 0 }

func (o *oracle) Expected(_ *decide.Record, candidate int) (float64, bool) { return 2, candidate == 0 }

func (o *oracle) HasPoint(key string) bool { return key == "news" || key == "receipt" }

func (o *oracle) Class(key string) string {
	if key == "receipt" {
		return decide.ClassService
	}
	return decide.ClassAdvertising
}

func (o *oracle) Channel(key string) (decide.Channel, bool) {
	return decide.Channel{Active: true, Kind: "email", ContactCost: 0.02}, key == "email"
}

// members are segments: even has those with an even number.
type members struct{ c *crowd }

func (m members) InSegment(profile, key string) bool {
	return slices.Contains(m.OfProfile(profile), key)
}

func (m members) OfProfile(profile string) []string {
	id, _ := identity.ParseID(profile)
	if v, ok := m.c.views[id]; ok && int(v.Traits["n"].(float64))%2 == 0 {
		return []string{"even"}
	}
	return []string{}
}

// store is a queue in Postgres that counts how often each key came.
type store struct{ pool *pgxpool.Pool }

func (q store) Enqueue(ctx context.Context, messages []outbound.Message) error {
	for _, m := range messages {
		if m.Key == "" || m.DecisionID == "" {
			return errors.New("a message without key or decision")
		}
		if _, err := q.pool.Exec(ctx, `INSERT INTO delivered (key, person, times) VALUES ($1, $2, 1) ON CONFLICT (key) DO UPDATE SET times = delivered.times + 1`, m.Key, m.Person); err != nil {
			return err
		}
	}
	return nil
}

// world is a service with its parts.
type world struct {
	*Service
	crowd  *crowd
	oracle *oracle
	pool   *pgxpool.Pool
	clock  atomic.Pointer[time.Time]
}

func migrated(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), outbound.Migrations(), Migrations()); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `CREATE TABLE delivered (key text PRIMARY KEY, person text NOT NULL, times int NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	return pool
}

func open(ctx context.Context, pool *pgxpool.Pool, people int) (*world, error) {
	defs, err := definitions.Open(ctx, pool, nil)
	if err != nil {
		return nil, err
	}
	w := &world{crowd: newCrowd(people), oracle: new(oracle), pool: pool}
	w.Service, err = Open(Deps{
		Definitions: defs, Postgres: pool, People: w.crowd, Segments: members{w.crowd}, Decider: w.oracle,
		Outbox: outbound.NewOutbox(pool, store{pool}, nil, nil), Page: 50, Now: w.time,
		HasSegment: func(key string) bool { return key == "even" }, HasPurpose: func(key string) bool { return key == "marketing" },
	})
	return w, err
}

func (w *world) time() time.Time {
	if at := w.clock.Load(); at != nil {
		return *at
	}
	return time.Now()
}

func newWorld(t testing.TB, people int) *world {
	t.Helper()
	w, err := open(t.Context(), migrated(t), people)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func sound(change ...func(*Campaign)) Campaign {
	c := Campaign{
		DecisionPoint: "news", Audience: Audience{Everybody: true}, Consent: outbound.Consent{Basis: outbound.BasisConsent, Purpose: "marketing"},
		Schedule: Schedule{Kind: Once},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func (w *world) put(t testing.TB, key string, c Campaign) {
	t.Helper()
	if _, err := w.campaigns.Put(t.Context(), key, c, "test", 0); err != nil {
		t.Fatal(err)
	}
}

func (w *world) begin(t testing.TB, key string) {
	t.Helper()
	if _, err := w.Start(t.Context(), key, "test"); err != nil {
		t.Fatal(err)
	}
}

// settle works until nothing is left to do.
func (w *world) settle(t testing.TB) {
	t.Helper()
	if err := w.work(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	if err := w.pool.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		os.Exit(child(url))
	}
	os.Exit(enginetest.Main(m))
}
