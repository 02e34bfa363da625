package delivery

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/decide"
	"quintet/decide/channels"
	"quintet/decide/outbound"
	"quintet/decide/templates"
	"quintet/internal/definitions"
	"quintet/internal/postgres"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// People are those who can be contacted, in memory.
type People interface {
	// GetPerson is the person to whom a profile belongs.
	GetPerson(id identity.ID) (*profiles.View, bool)
}

// Consent says, at the moment of sending, which rule keeps a message from a person.
type Consent interface {
	// Stops is "" when no rule does.
	Stops(person, channel string, c outbound.Consent) string
}

// Definitions are what messages name.
type Definitions interface {
	// Channel is a channel of actions.
	Channel(key string) (decide.Channel, bool)
	// Offer is what an offer has for creatives.
	Offer(key string) (attributes map[string]any, ok bool)
	// Items are items of the catalogue, those of them that there are.
	Items(ids []string) []templates.Item
}

// Caps is the ledger of frequency caps. A contact was reserved when it was decided on.
type Caps interface {
	// Commit counts the contact of a decision, which is about to be made. A
	// [decide.CapError] forbids it. Doing it again changes nothing.
	Commit(ctx context.Context, decisionID string) error
	// Postpone says that a contact which was counted was not made, and is tried again at
	// a later moment.
	Postpone(ctx context.Context, decisionID string, at time.Time) error
	// Release gives back a reservation that came to nothing.
	Release(ctx context.Context, decisionID string) error
}

// Deps are what the service is made of.
type Deps struct {
	Logger      *slog.Logger
	Definitions *definitions.Store
	Postgres    *pgxpool.Pool
	Seal        *channels.Seal
	People      People
	Consent     Consent
	Known       Definitions
	Caps        Caps // nil where nothing is capped
	// Quiet is the first moment from at on at which no quiet hours keep a message of a
	// class from a person on a channel, false when there is none soon; nil where there are
	// none beside those of the channel's driver.
	Quiet func(view *profiles.View, channel, class string, at time.Time) (time.Time, bool)
	// Code hands out the promo code of a decision, "" for an offer without codes and
	// [decide.ErrNoCode] when there is none left; nil where no offer has codes.
	Code func(ctx context.Context, decisionID, offer string) (string, error)
	// Note writes events about people; writing them again is safe.
	Note func(ctx context.Context, notes []profiles.Note) error
	// SetTrait says what a trait of a profile is, nil for nothing; nil where chats are not
	// linked.
	SetTrait func(ctx context.Context, profile, trait string, value any) error
	// PublicURL is where people reach links, opens and the page of unsubscription.
	PublicURL string
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// Service sends messages and takes receipts. It is an [outbound.Queue].
type Service struct {
	log       *slog.Logger
	pool      *pgxpool.Pool
	seal      *channels.Seal
	people    People
	consent   Consent
	known     Definitions
	caps      Caps
	quiet     func(view *profiles.View, channel, class string, at time.Time) (time.Time, bool)
	code      func(ctx context.Context, decisionID, offer string) (string, error)
	note      func(ctx context.Context, notes []profiles.Note) error
	setTrait  func(ctx context.Context, profile, trait string, value any) error
	public    string
	now       func() time.Time
	worker    string
	templates *definitions.Collection[templates.Template]

	compileMu sync.Mutex
	compiled  map[string]compiledTemplate

	driverMu sync.Mutex
	drivers  map[string]*openDriver
	wake     chan struct{}
}

var _ outbound.Queue = (*Service)(nil)

type compiledTemplate struct {
	version int64
	*templates.Compiled
}

// Open loads templates; [Service.Run] does the work.
func Open(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{
		log: d.Logger, pool: d.Postgres, seal: d.Seal, people: d.People, consent: d.Consent, known: d.Known, caps: d.Caps, quiet: d.Quiet, code: d.Code, note: d.Note,
		setTrait: d.SetTrait, public: d.PublicURL, now: d.Now, worker: newID(), compiled: map[string]compiledTemplate{}, drivers: map[string]*openDriver{}, wake: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.templates, err = definitions.NewCollection(d.Definitions, "templates", templates.Validate); err != nil {
		return nil, fmt.Errorf("loading templates: %w", err)
	}
	if err := s.refreshDrivers(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Templates are the definitions of messages.
func (s *Service) Templates() *definitions.Collection[templates.Template] { return s.templates }

//go:embed migrations/*.sql
var files embed.FS

// Migrations is the schema history of deliveries.
func Migrations() postgres.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	dir, _ := fs.Sub(files, "migrations")
	return postgres.MigrationSet{Name: "delivery", Files: dir}
}

const (
	workPause   = time.Second
	reapPause   = 15 * time.Second
	driverPause = 5 * time.Second
	pageSize    = 100
	parallel    = 8
)

// Run sends what is due until ctx ends, and finishes what it has begun.
func (s *Service) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer s.closeDrivers()
	defer all.Wait()
	all.Go(func() { s.every(ctx, workPause, "writing events of deliveries", s.relayNotes) })
	all.Go(func() { s.every(ctx, reapPause, "looking for deliveries of workers that died", s.reap) })
	all.Go(func() { s.every(ctx, reapPause, "looking for receipts that came early", s.sweepEarly) })
	all.Go(func() { s.every(ctx, driverPause, "reading the drivers of channels", s.refreshDrivers) })
	running := map[string]context.CancelFunc{}
	defer func() {
		for _, stop := range running {
			stop()
		}
	}()
	for {
		have := s.driverKeys()
		for key, stop := range running {
			if !have[key] {
				stop()
				delete(running, key)
			}
		}
		for key := range have {
			if running[key] == nil {
				channel, stop := context.WithCancel(ctx)
				running[key] = stop
				all.Go(func() {
					s.every(channel, workPause, "sending", func(ctx context.Context) error { return s.sendDue(ctx, key) })
				})
			}
		}
		if err := s.skipUndriven(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("skipping messages on channels without a driver", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(workPause):
		}
	}
}

// every does a piece of work again and again; its errors are logged.
func (s *Service) every(ctx context.Context, pause time.Duration, what string, work func(context.Context) error) {
	for {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn(what+" failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Settle does everything that is due now, once; for tests and for a stop.
func (s *Service) Settle(ctx context.Context) error {
	var errs []error
	for key := range s.driverKeys() {
		errs = append(errs, s.sendDue(ctx, key))
	}
	errs = append(errs, s.skipUndriven(ctx), s.reap(ctx), s.sweepEarly(ctx), s.relayNotes(ctx))
	return errors.Join(errs...)
}
