package decide

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5"

	"quintet/decide/budgets"
	"quintet/decide/caps"
	"quintet/internal/stream"
)

// What became of a contact.
const (
	contactSent     = "sent"
	contactReleased = "released"
	contactPlanned  = "planned" // not made yet, and put off
	contactGave     = "gave"    // not made yet, and gave way to a more valuable one
)

const (
	// outcomesKept is longer than the longest window of a cap.
	outcomesKept = 100 * 24 * time.Hour
	limitsPoll   = 2 * time.Second
	pricesStep   = time.Minute
	// loadLimit bounds how long it takes to bring the contacts of the past into memory.
	loadLimit = 5 * time.Minute
	// outcomesBack is how far behind the newest change others' outcomes are read: numbers
	// may become visible out of order.
	outcomesBack = 1000
)

// personsOf finds the person of a profile; people that can do it implement it.
type personsOf interface {
	PersonID(profile string) string
}

func (s *Service) personOf(profile string) string {
	if p, ok := s.people.(personsOf); ok {
		return p.PersonID(profile)
	}
	return profile
}

// storeContact writes what became of a contact.
func (s *Service) storeContact(ctx context.Context, id, outcome string, at time.Time) error {
	if s.pool == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := s.pool.Exec(ctx, `INSERT INTO contact_outcomes (decision_id, outcome, at) VALUES ($1, $2, $3)
		ON CONFLICT (decision_id) DO UPDATE SET outcome = excluded.outcome, at = excluded.at, change = DEFAULT
		WHERE (contact_outcomes.outcome <> excluded.outcome OR contact_outcomes.at <> excluded.at)
			AND NOT (contact_outcomes.outcome = 'gave' AND excluded.outcome <> 'released')`, id, outcome, at); err != nil {
		return fmt.Errorf("storing that the contact of decision %s was %s: %w", id, outcome, err)
	}
	return nil
}

// journalled says whether a record holds a contact that counts.
func journalled(rec *Record) bool {
	return rec.Eligible && rec.Channel != "" && rec.Policy != policyExternal && !rec.Fallback
}

// observe counts the contact of a record of the stream.
func (s *Service) observe(l *limits, rec *Record) {
	if l == nil || !journalled(rec) {
		return
	}
	if len(l.caps) > 0 {
		c := caps.Contact{ID: rec.DecisionID, Person: s.personOf(rec.ProfileID), Class: rec.Class, Channel: rec.Channel, Tags: slices.Clone(rec.Tags), At: rec.SendAt}
		if len(l.windows) > 0 {
			s.rank(&c, rec)
		}
		s.contactsHeld.Observe(c)
	}
	if len(l.budgets) > 0 {
		s.spending.Observe(rec.DecisionID, s.chargesOf(l, rec))
	}
}

// chargesOf are what the contact of a record takes from the budgets whose time it was
// made in. The cost of its offer is that of now.
func (s *Service) chargesOf(l *limits, rec *Record) []budgets.Charge {
	var offer *Offer
	if v, ok := s.offers.Get(rec.Offer); ok {
		offer = &v.Value
	}
	out := l.charges(rec.Decision, rec.Offer, rec.Channel, rec.ContactCost, offer)
	return slices.DeleteFunc(out, func(c budgets.Charge) bool {
		b, ok := s.budgets.Get(c.Key)
		return !ok || rec.DecidedAt.Before(b.Value.StartsAt)
	})
}

// journal is how far the ledgers have followed the stream.
type journal struct {
	reach    time.Duration   // of the contacts that were loaded
	budgets  map[string]bool // that were loaded, by key and start
	through  uint64          // sequence of the stream
	outcomes int64           // newest change
}

// loadLimits brings into memory what the ledgers need to know of the past: from
// ClickHouse what has left the stream, then all that the stream holds, then what became
// of the contacts. What is there already is not counted twice.
func (s *Service) loadLimits(ctx context.Context) error {
	l := s.state.Load().limits
	if l == nil {
		return nil
	}
	reach, fresh := s.contactsHeld.Reach(), s.freshBudgets()
	if reach <= s.journal.reach && len(fresh) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	first, _, _, err := s.topic.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the state of the stream of decisions: %w", err)
	}
	if err := s.loadContacts(ctx, reach, first); err != nil {
		return err
	}
	for _, key := range fresh {
		if err := s.loadSpending(ctx, key, first); err != nil {
			return err
		}
	}
	end, err := s.topic.Publish(ctx, []byte{markVersion})
	if err != nil {
		return fmt.Errorf("marking the end of the stream of decisions: %w", err)
	}
	if err := s.topic.Scan(ctx, end, func(m stream.Message) error { s.observeMessage(l, m); return nil }); err != nil {
		return err
	}
	s.journal.through = max(s.journal.through, end)
	s.journal.outcomes = 0
	if err := s.readOutcomes(ctx); err != nil {
		return err
	}
	s.journal.reach = reach
	for _, key := range fresh {
		s.journal.budgets[s.budgetVersion(key)] = true
	}
	s.spending.Step(s.now())
	return nil
}

// freshBudgets are the keys of budgets whose spending was not loaded.
func (s *Service) freshBudgets() (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(s.budgets.Snapshot())) {
		if !s.journal.budgets[s.budgetVersion(key)] {
			keys = append(keys, key)
		}
	}
	return keys
}

func (s *Service) budgetVersion(key string) string {
	b, _ := s.budgets.Get(key)
	return key + " " + b.Value.StartsAt.UTC().Format(time.RFC3339Nano)
}

func (s *Service) observeMessage(l *limits, m stream.Message) {
	if isMark(m.Data) {
		return
	}
	var r row
	if err := r.decode(unsafe.String(unsafe.SliceData(m.Data), len(m.Data))); err != nil {
		return // the sink says so
	}
	// The strings lie in the message, which is not used again.
	if l != nil && len(l.windows) > 0 && len(r.Record.Candidates) == 0 {
		r.Record.Candidates = r.candidates.strings() // by which contacts are ranked
	}
	s.observe(l, &r.Record)
}

// loadContacts reads contacts that have left the stream.
func (s *Service) loadContacts(ctx context.Context, reach time.Duration, before uint64) error {
	if reach <= 0 {
		return nil
	}
	rows, err := s.db.Read.Query(ctx, `SELECT decision_id, profile_id, class, channel, tags, send_at FROM decisions
		WHERE eligible AND channel != '' AND policy != ? AND NOT fallback AND send_at >= ? AND sequence < ? LIMIT ?`,
		policyExternal, s.now().Add(-reach), before, caps.DefaultSize)
	if err != nil {
		return fmt.Errorf("reading the contacts of the last %s: %w", reach, err)
	}
	defer rows.Close()
	for rows.Next() {
		var c caps.Contact
		if err := rows.Scan(&c.ID, &c.Person, &c.Class, &c.Channel, &c.Tags, &c.At); err != nil {
			return fmt.Errorf("reading contacts: %w", err)
		}
		c.Person = s.personOf(c.Person)
		s.contactsHeld.Observe(c)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading contacts: %w", err)
	}
	return nil
}

// loadSpending adds up what a budget paid for decisions that have left the stream.
func (s *Service) loadSpending(ctx context.Context, key string, before uint64) error {
	v, ok := s.budgets.Get(key)
	if !ok {
		return nil
	}
	rows, err := s.db.Read.Query(ctx, `SELECT decision_point, offer, channel, count(), sum(contact_cost) FROM decisions
		WHERE eligible AND channel != '' AND policy != ? AND NOT fallback AND decided_at >= ? AND sequence < ?
		GROUP BY decision_point, offer, channel`, policyExternal, v.Value.StartsAt, before)
	if err != nil {
		return fmt.Errorf("reading what budget %s spent: %w", key, err)
	}
	defer rows.Close()
	rule, total := budgetRule{key, v.Value}, 0.0
	for rows.Next() {
		var point, offer, channel string
		var n uint64
		var cost float64
		if err := rows.Scan(&point, &offer, &channel, &n, &cost); err != nil {
			return fmt.Errorf("reading what budget %s spent: %w", key, err)
		}
		if !rule.spends(point, offer, channel) {
			continue
		}
		if v.Value.Unit == unitContacts {
			total += float64(n)
			continue
		}
		total += cost
		if o, ok := s.offers.Get(offer); ok {
			total += float64(n) * o.Value.Cost
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading what budget %s spent: %w", key, err)
	}
	s.spending.Add(key, total)
	return nil
}

// readOutcomes applies what became of contacts, of this process and of others.
func (s *Service) readOutcomes(ctx context.Context) error {
	if s.pool == nil {
		return nil
	}
	rows, err := s.pool.Query(ctx, `SELECT decision_id, outcome, at, change FROM contact_outcomes WHERE change > $1 AND at > $2 ORDER BY change`,
		max(0, s.journal.outcomes-outcomesBack), s.now().Add(-outcomesKept))
	if err != nil {
		return fmt.Errorf("reading what became of contacts: %w", err)
	}
	var id, outcome string
	var at time.Time
	var change int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &outcome, &at, &change}, func() error {
		s.journal.outcomes = max(s.journal.outcomes, change)
		if outcome == contactPlanned {
			s.contactsHeld.Restore(id)
			s.contactsHeld.Postpone(id, at)
			return nil
		}
		if outcome == contactGave {
			s.contactsHeld.Give(id)
			return nil
		}
		if outcome == contactReleased {
			s.contactsHeld.Release(id)
			s.spending.Release(id)
			return nil
		}
		s.contactsHeld.Moved(id, at)
		return nil
	}); err != nil {
		return fmt.Errorf("reading what became of contacts: %w", err)
	}
	return nil
}

// followLimits keeps the ledgers up with other processes, with new definitions and with
// time, until the context ends.
func (s *Service) followLimits(ctx context.Context) {
	ticker := time.NewTicker(limitsPoll)
	defer ticker.Stop()
	stepped, following := s.now(), false
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-s.limitsChanged:
		case <-ticker.C:
		}
		l := s.state.Load().limits
		if l == nil {
			continue
		}
		if err := s.loadLimits(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Warn("loading contacts and spending of the past", "error", err)
			continue
		}
		if !following {
			following = true
			from := s.journal.through + 1
			s.followers.Go(func() { s.followStream(ctx, from) })
		}
		if err := s.tidyLimits(ctx, n%300 == 0); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Warn("following what became of contacts", "error", err)
		}
		if now := s.now(); now.Sub(stepped) >= pricesStep {
			stepped = now
			s.spending.Step(now)
			s.contactsHeld.Sweep(now)
		}
	}
}

// Settle brings everything that decisions follow up to now: caps, budgets and their
// prices, and pools of codes, and waits for the log. It is for a clock that jumps.
func (s *Service) Settle(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	if s.pool != nil {
		if err := s.countPools(ctx); err != nil {
			return err
		}
	}
	now := s.now()
	s.spending.Step(now)
	s.contactsHeld.Sweep(now)
	return nil
}

func (s *Service) tidyLimits(ctx context.Context, remove bool) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := s.readOutcomes(ctx); err != nil || !remove || s.pool == nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, `DELETE FROM contact_outcomes WHERE at < $1`, s.now().Add(-outcomesKept)); err != nil {
		return fmt.Errorf("forgetting what became of old contacts: %w", err)
	}
	return nil
}

// followStream counts the contacts that other processes decide on. Those of this one
// are there already.
func (s *Service) followStream(ctx context.Context, from uint64) {
	err := s.topic.Consume(ctx, from, stream.ConsumeOptions{}, func(_ context.Context, batch []stream.Message) error {
		l := s.state.Load().limits
		for _, m := range batch {
			s.observeMessage(l, m)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("contacts that other processes decide on are no longer counted", "error", err)
	}
}
