package profiles

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/postgres"
	"quintet/profiles/identity"
)

// Reason is why nothing is sent to an address.
type Reason string

// The reasons.
const (
	// ReasonBounce: nothing arrives there.
	ReasonBounce Reason = "bounce"
	// ReasonComplaint: what came was reported as unwanted.
	ReasonComplaint Reason = "complaint"
	ReasonManual    Reason = "manual"
	// ReasonUnsubscribe: the person wants no more of it. Consent that is given later lifts
	// it.
	ReasonUnsubscribe Reason = "unsubscribe"
	// ReasonErasure: the person had themselves erased. The address itself is not kept.
	ReasonErasure Reason = "erasure"
)

// Scope is what is not sent.
type Scope string

// The scopes. Service messages, such as a receipt, reach an address that is
// suppressed for advertising only.
const (
	ScopeAll         Scope = "all"
	ScopeAdvertising Scope = "advertising"
)

// usualScope is the scope of a reason where none is given. What bounces harms the
// sender whatever it says; what was erased must not be used. A complaint or a wish is
// about advertising.
func usualScope(r Reason) Scope {
	if r == ReasonBounce || r == ReasonErasure {
		return ScopeAll
	}
	return ScopeAdvertising
}

// Suppression says that nothing is sent to an address.
type Suppression struct {
	Identifier
	Reason Reason
	Scope  Scope
	Note   string
}

// suppressed is what memory keeps of a suppression.
type suppressed struct {
	all    bool // service messages as well
	dead   bool // the address is, which is no wish of the person
	erased bool // the person was: nothing about them is stored
}

type addressHash [16]byte

// suppressions is the list in memory. Where it is empty it costs one atomic read.
type suppressions struct {
	size   atomic.Int64
	erased atomic.Int64 // of those, erased ones
	secret []byte       // set before anything is asked

	mu      sync.RWMutex
	plain   map[Identifier]suppressed
	hashed  map[addressHash]suppressed // of erased addresses
	through int64                      // the last change that is in it
}

const suppressionChannel = "quintet_suppressions"

// hash is the keyed hash of an address: who has the table and not the key cannot
// find out by trying.
func (l *suppressions) hash(i Identifier) [sha256.Size]byte {
	mac := hmac.New(sha256.New, l.secret)
	mac.Write([]byte(i.Namespace))
	mac.Write([]byte{0})
	mac.Write([]byte(i.Value))
	return [sha256.Size]byte(mac.Sum(nil))
}

// find says whether an address in its normal form is on the list.
func (l *suppressions) find(i Identifier) (suppressed, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if one, ok := l.plain[i]; ok {
		return one, true
	}
	if len(l.hashed) == 0 {
		return suppressed{}, false
	}
	sum := l.hash(i)
	one, ok := l.hashed[addressHash(sum[:16])]
	return one, ok
}

// findErased says whether an identifier in its normal form is of a person who was
// erased.
func (l *suppressions) findErased(i Identifier) bool {
	sum := l.hash(i)
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.hashed[addressHash(sum[:16])].erased
}

// openSuppressions loads the list and the key of its hashes.
func (s *Service) openSuppressions(ctx context.Context) error {
	l := &s.store.suppressions
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // it never fails
	if _, err := s.postgres.Exec(ctx, `INSERT INTO profile_secrets (name, secret) VALUES ('suppressions', $1) ON CONFLICT DO NOTHING`, fresh); err != nil {
		return fmt.Errorf("making the key of suppressed addresses: %w", err)
	}
	if err := s.postgres.QueryRow(ctx, `SELECT secret FROM profile_secrets WHERE name = 'suppressions'`).Scan(&l.secret); err != nil {
		return fmt.Errorf("reading the key of suppressed addresses: %w", err)
	}
	l.plain, l.hashed = map[Identifier]suppressed{}, map[addressHash]suppressed{}
	return l.catchUp(ctx, s.postgres)
}

// followSuppressions takes over what other processes change, until ctx ends.
func (s *Service) followSuppressions(ctx context.Context) error {
	err := postgres.Watch(ctx, s.postgres, suppressionChannel, 5*time.Second, s.log, func(ctx context.Context) error {
		return s.store.suppressions.catchUp(ctx, s.postgres)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// catchUp reads what changed since the last time.
func (l *suppressions) catchUp(ctx context.Context, pool *pgxpool.Pool) error {
	l.mu.RLock()
	through := l.through
	l.mu.RUnlock()
	rows, err := pool.Query(ctx, `SELECT hash, namespace, value, reason, scope, removed, change FROM profile_suppressions WHERE change > $1 ORDER BY change`, through)
	if err != nil {
		return fmt.Errorf("reading suppressed addresses: %w", err)
	}
	type row struct {
		hash     []byte
		id       Identifier
		value    *string
		reason   Reason
		scope    Scope
		removed  bool
		sequence int64
	}
	var r row
	var changed []row
	_, err = pgx.ForEachRow(rows, []any{&r.hash, &r.id.Namespace, &r.value, &r.reason, &r.scope, &r.removed, &r.sequence}, func() error {
		one := r
		if r.value != nil {
			one.id.Value = *r.value
		}
		changed = append(changed, one)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading suppressed addresses: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range changed {
		if c.sequence <= l.through || len(c.hash) < len(addressHash{}) {
			continue
		}
		l.through = c.sequence
		hash := addressHash(c.hash[:16])
		// What was known of the address before goes, in whichever form.
		delete(l.hashed, hash)
		if c.id.Value != "" {
			delete(l.plain, c.id)
		} else {
			for id := range l.plain {
				if sum := l.hash(id); addressHash(sum[:16]) == hash {
					delete(l.plain, id)
				}
			}
		}
		one := suppressed{all: c.scope == ScopeAll, dead: c.reason == ReasonBounce, erased: c.reason == ReasonErasure}
		switch {
		case c.removed:
		case c.id.Value != "":
			l.plain[c.id] = one
		default:
			l.hashed[hash] = one
		}
	}
	l.size.Store(int64(len(l.plain) + len(l.hashed)))
	erased := 0
	for _, one := range l.hashed {
		if one.erased {
			erased++
		}
	}
	l.erased.Store(int64(erased))
	return nil
}

// Suppress puts addresses on the list, or changes why they are on it, all or none,
// and returns how many were not on it. Identifiers must be in normal form.
func (s *Service) Suppress(ctx context.Context, list []Suppression, by string) (added int, err error) {
	n := len(list)
	hashes, namespaces, values := make([][]byte, n), make([]string, n), make([]*string, n)
	reasons, scopes, notes := make([]string, n), make([]string, n), make([]string, n)
	for i := range list {
		one := &list[i]
		sum := s.store.suppressions.hash(one.Identifier)
		hashes[i], namespaces[i], notes[i] = sum[:], one.Namespace, one.Note
		if one.Reason != ReasonErasure {
			values[i] = &one.Value
		}
		if one.Scope == "" {
			one.Scope = usualScope(one.Reason)
		}
		reasons[i], scopes[i] = string(one.Reason), string(one.Scope)
	}
	err = s.changeSuppressions(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `WITH told AS (
			SELECT DISTINCT ON (n.hash) n.* FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
				WITH ORDINALITY AS n (hash, namespace, value, reason, scope, note, position) ORDER BY n.hash, n.position DESC
		), before AS (SELECT p.hash FROM profile_suppressions p JOIN told USING (hash) WHERE NOT p.removed),
		written AS (
			INSERT INTO profile_suppressions AS p (hash, namespace, value, reason, scope, note, created_at, created_by, change)
			SELECT hash, namespace, value, reason, scope, note, $8::timestamptz, $7, nextval('profile_suppression_changes') FROM told
			ON CONFLICT (hash) DO UPDATE SET value = excluded.value, reason = excluded.reason, scope = excluded.scope, note = excluded.note,
				created_at = excluded.created_at, created_by = excluded.created_by, change = excluded.change, removed = false
			RETURNING 1)
		SELECT (SELECT count(*) FROM written) - (SELECT count(*) FROM before)`, hashes, namespaces, values, reasons, scopes, notes, by, s.now().UTC()).Scan(&added)
	})
	if err != nil {
		return 0, fmt.Errorf("suppressing %d addresses: %w", n, err)
	}
	return added, nil
}

// Unsuppress takes an address off the list and reports whether it was on it.
func (s *Service) Unsuppress(ctx context.Context, i Identifier, by string) (removed bool, err error) {
	sum := s.store.suppressions.hash(i)
	err = s.changeSuppressions(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE profile_suppressions SET removed = true, created_at = $3, created_by = $2,
			change = nextval('profile_suppression_changes') WHERE hash = $1 AND NOT removed`, sum[:], by, s.now().UTC())
		removed = err == nil && tag.RowsAffected() > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("taking an address off the suppressed ones: %w", err)
	}
	return removed, nil
}

// changeSuppressions runs one change at a time, so that their numbers become visible
// in order, and has it in the memory of this process before it returns.
func (s *Service) changeSuppressions(ctx context.Context, change func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.postgres, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('profile_suppressions'))`); err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_notify($1, '')`, suppressionChannel)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.store.suppressions.catchUp(context.WithoutCancel(ctx), s.postgres); err != nil {
		s.log.Warn("reading back suppressed addresses; the next poll does", "error", err)
	}
	return nil
}

// suppresses is the rule by which an address of a person stops a contact. An address
// to which nothing arrives stops it only where the person has no other; a wish counts
// for the person, at whichever address it was said.
func (s *Store) suppresses(view *View, ids []Identifier, namespace string, service bool) bool {
	if s.suppressions.size.Load() == 0 {
		return false
	}
	alive, dead := 0, 0
	stops := func(i Identifier) bool {
		address := i.Namespace == namespace
		if !address && i.Namespace != identity.UserID && i.Namespace != identity.AnonymousID {
			return false
		}
		one, found := s.suppressions.find(i)
		switch {
		case !found || service && !one.all:
			if address {
				alive++
			}
			return false
		case one.dead && address:
			dead++
			return false
		}
		return true
	}
	for _, i := range s.normal(ids) {
		if stops(i) {
			return true
		}
	}
	if view != nil {
		for _, i := range view.Identifiers {
			if stops(i) {
				return true
			}
		}
		if text, ok := view.Traits[namespace].(string); ok {
			if i, err := s.index.Normal(Identifier{Namespace: namespace, Value: text}); err == nil && stops(i) {
				return true
			}
		}
	}
	return dead > 0 && alive == 0
}
