package delivery

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/time/rate"

	"quintet/decide"
	"quintet/decide/channels"
	"quintet/decide/outbound"
	"quintet/decide/templates"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/profiles"
	"quintet/profiles/identity"
)

func TestMain(m *testing.M) {
	if os.Getenv("QUINTET_TEST_FULL") == "" { // each check works on a database
		if err := flag.Set("rapid.checks", "12"); err != nil {
			panic(err)
		}
	}
	os.Exit(enginetest.Main(m))
}

// town is everything around a service: people, what is known, the provider.
type town struct {
	mu        sync.Mutex
	views     map[identity.ID]*profiles.View
	refused   map[string]string // channel -> rule
	now       time.Time
	taken     map[string]int // ids that the provider took
	text      map[string]channels.Outgoing
	answer    func(channel string, m *channels.Outgoing) error
	notes     map[string]profiles.Note
	commits   map[string]int
	releases  map[string]int
	inactive  map[string]bool
	full      bool                 // no contact is allowed any more
	quiet     map[string]time.Time // channel -> end; zero for never
	postponed map[string][]time.Time
}

func (w *town) Quiet(_ *profiles.View, channel, class string, at time.Time) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	until, ok := w.quiet[channel]
	if !ok || class == decide.ClassService || !until.IsZero() && !at.Before(until) {
		return at, true
	}
	return until, !until.IsZero()
}

func newTown(n int) *town {
	w := &town{
		views: map[identity.ID]*profiles.View{}, refused: map[string]string{}, now: time.Date(2026, 3, 28, 10, 0, 0, 0, time.UTC), taken: map[string]int{},
		text: map[string]channels.Outgoing{}, notes: map[string]profiles.Note{}, commits: map[string]int{}, releases: map[string]int{}, inactive: map[string]bool{}, quiet: map[string]time.Time{}, postponed: map[string][]time.Time{},
	}
	for i := range n {
		id := person(i)
		w.views[id] = &profiles.View{ID: id.String(), Person: id.String(), Identifiers: []profiles.Identifier{{Namespace: "userId", Value: fmt.Sprint("u", i)}, {Namespace: "phone", Value: fmt.Sprintf("+4917000%05d", i)}},
			Traits: map[string]any{"telegramChatId": float64(1000 + i), "firstName": "Ada", "email": fmt.Sprintf("u%d@example.org", i)}}
	}
	return w
}

func person(i int) identity.ID {
	return identity.NewID(profiles.Identifier{Namespace: "userId", Value: fmt.Sprint("u", i)})
}

func (w *town) GetPerson(id identity.ID) (*profiles.View, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.views[id]
	return v, ok
}

func (w *town) Stops(_, channel string, _ outbound.Consent) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused[channel]
}

func (w *town) Channel(key string) (decide.Channel, bool) {
	return decide.Channel{Active: !w.inactive[key], Kind: key}, true
}

func (w *town) Offer(string) (map[string]any, bool) { return map[string]any{"discount": "10%"}, true }

func (w *town) Items([]string) []templates.Item { return nil }

func (w *town) Commit(_ context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full {
		return &decide.CapError{Rule: "cap:weekly"}
	}
	w.commits[id]++
	return nil
}

func (w *town) Postpone(_ context.Context, id string, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.postponed[id] = append(w.postponed[id], at)
	return nil
}

func (w *town) Release(_ context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.releases[id]++
	return nil
}

func (w *town) note(_ context.Context, notes []profiles.Note) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range notes {
		w.notes[n.MessageID] = n
	}
	return nil
}

func (w *town) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *town) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// provider is a driver that counts.
type provider struct {
	town    *town
	channel string
}

func (p provider) Send(_ context.Context, m *channels.Outgoing) (string, error) {
	p.town.mu.Lock()
	defer p.town.mu.Unlock()
	var err error
	if p.town.answer != nil {
		err = p.town.answer(p.channel, m)
	}
	if err == nil || channels.FailureOf(err).Kind == channels.Uncertain {
		p.town.taken[m.ID]++
		p.town.text[m.ID] = *m
	}
	return p.channel + "/" + m.ID, err
}

func (provider) Check(context.Context) error { return nil }
func (provider) Close() error                { return nil }

func migrated(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), Migrations()); err != nil {
		t.Fatal(err)
	}
	return pool
}

// process is a service of its own on a database, as another process would have.
func (w *town) process(t testing.TB, pool *pgxpool.Pool, configs map[string]channels.Config) *Service {
	t.Helper()
	defs, err := definitions.Open(t.Context(), pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	seal, err := channels.NewSeal(make([]byte, channels.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Deps{Definitions: defs, Postgres: pool, Seal: seal, People: w, Consent: w, Known: w, Caps: w, Quiet: w.Quiet, Note: w.note, PublicURL: "https://shop.example", Now: w.time})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.templates.Put(t.Context(), "spring", templates.Template{Default: "en", Variables: map[string]templates.Variable{"name": {From: "trait:firstName", Default: "friend"}},
		Locales: map[string]templates.Content{"en": {Subject: "Hello {{.name}}", Text: "See https://shop.example.org/sale?a=1.", HTML: `<body><a href="https://shop.example.org/sale?a=1&amp;b=2">See</a> <a href="{{.unsubscribeUrl}}">no more</a></body>`}}}, "test", 0); err != nil {
		t.Fatal(err)
	}
	s.drivers = map[string]*openDriver{}
	for key, c := range configs {
		d := &openDriver{version: 1, config: c, limit: rate.NewLimiter(rate.Inf, 1)}
		if c.Cascade == nil {
			d.Driver = provider{w, key}
		}
		s.drivers[key] = d
	}
	return s
}

func (w *town) message(i int, change ...func(*outbound.Message)) outbound.Message {
	m := outbound.Message{Key: fmt.Sprint("k", i), Person: person(i).String(), ProfileID: person(i).String(), DecisionID: fmt.Sprint("d", i), Class: decide.ClassAdvertising,
		Basis: outbound.BasisConsent, Purpose: "marketing", Offer: "spring", Channel: "sms", SendAt: w.time(), ExpiresAt: w.time().Add(48 * time.Hour)}
	for _, f := range change {
		f(&m)
	}
	return m
}

func enqueue(t testing.TB, s *Service, messages ...outbound.Message) {
	t.Helper()
	if err := s.Enqueue(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
}

func settle(t testing.TB, s *Service) {
	t.Helper()
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

type stepRow struct {
	ID, State, Reason, Provider string
	Step                        int
}

func steps(t testing.TB, pool *pgxpool.Pool, key string) (list []stepRow) {
	t.Helper()
	var text []byte
	if err := pool.QueryRow(t.Context(), `SELECT COALESCE(jsonb_agg(jsonb_build_object('id', s.delivery, 'state', s.state, 'reason', s.reason, 'provider', provider_id, 'step', step) ORDER BY step), '[]')
		FROM delivery_steps s JOIN deliveries d ON d.id = s.delivery WHERE d.key = $1`, key).Scan(&text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func (w *town) sent() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.taken {
		n += times
	}
	return n
}

var (
	sms      = channels.Config{Driver: channels.DriverSMPP, SMPP: &channels.SMPP{}}
	telegram = channels.Config{Driver: channels.DriverTelegram, Telegram: &channels.Telegram{}}
	both     = channels.Config{Driver: channels.DriverCascade, Cascade: &channels.CascadeConfig{Steps: []channels.CascadeStep{{Channel: "telegram", Wait: "4h"}, {Channel: "sms"}}}}
)

func three() map[string]channels.Config {
	return map[string]channels.Config{"sms": sms, "telegram": telegram, "both": both}
}
