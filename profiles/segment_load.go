package profiles

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"quintet/profiles/identity"
	"quintet/profiles/segments"
)

const (
	// wholeLoad is how many occurrences are read in one answer; more are read in parts.
	wholeLoad = 500_000
	// loadTimeout bounds one query for a history or a list of members.
	loadTimeout = 5 * time.Minute
	// announceBatch is how many changes are gathered before they are written.
	announceBatch = 5000
)

// idLetters are the first letters of profile ids.
const idLetters = "abcdefghijklmnopqrstuvwxyz234567"

// prepare brings every segment that is not in memory there: the history that its
// rule asks for, its members so far, and then everybody anew.
func (s *Segments) prepare(ctx context.Context) error {
	if err := s.forget(ctx); err != nil {
		return err
	}
	p := s.plan.Load()
	list := unprepared(p)
	if len(list) == 0 {
		return nil
	}
	started := time.Now()
	// What memory has not noted itself must be in ClickHouse before it is read there.
	if err := s.profiles.sink.WaitFor(ctx, s.position()); err != nil {
		return fmt.Errorf("waiting for ClickHouse to have the events of segments: %w", err)
	}
	versions, err := s.preparedVersions(ctx)
	if err != nil {
		return err
	}
	var fill []*liveSegment
	for _, l := range list {
		for _, lp := range l.patterns {
			if err := s.loadPattern(ctx, lp); err != nil {
				return fmt.Errorf("loading the history for segment %s: %w", l.key, err)
			}
		}
		if !l.restored {
			if err := s.restoreMembers(ctx, l); err != nil {
				return fmt.Errorf("loading the members of segment %s: %w", l.key, err)
			}
			l.restored = true
		}
		l.known = versions[l.key] == l.version
		if l.rule != nil {
			fill = append(fill, l)
		}
	}
	for _, l := range fill {
		l.state.Store(segmentFilling)
	}
	if len(fill) > 0 {
		if err := s.everybody(ctx, p, scope{filling: true}, max(1, runtime.GOMAXPROCS(0)/2)); err != nil {
			return err
		}
	}
	for _, l := range fill {
		if l.asked() {
			if err := s.ask(ctx, l); err != nil {
				return err
			}
		}
	}
	for _, l := range list {
		if err := s.rememberPrepared(ctx, l); err != nil {
			return err
		}
		l.asOf.Store(s.now().UnixMilli())
		l.state.Store(segmentReady)
	}
	s.log.Info("segments are in memory", "segments", len(list), "people", s.profiles.store.Len(), "occurrences", s.histories.total.Load(),
		"seconds", time.Since(started).Seconds())
	return nil
}

// forget takes leave of the members of segments that were deleted.
func (s *Segments) forget(ctx context.Context) error {
	removed := s.takeRemoved()
	for i, l := range removed {
		if s.plan.Load().keys[l.key] != nil {
			s.members.drop(l.set) // it came back meanwhile, with members of its own
			continue
		}
		err := s.clickhouse.Write.Exec(ctx, `INSERT INTO segment_membership (segment, person_id, entered, at, reason, sequence, position)
			SELECT segment, person_id, 0, ?, ?, ?, 0 FROM segment_membership WHERE segment = ?
			GROUP BY segment, person_id HAVING argMax(entered, (at, sequence, position)) = 1`, s.now().UTC(), reasonDeleted, s.position(), l.key)
		if err == nil {
			_, err = s.postgres.Exec(ctx, `DELETE FROM segment_states WHERE segment = $1`, l.key)
		}
		if err != nil {
			s.keepRemoved(removed[i:])
			return fmt.Errorf("taking leave of the members of segment %s: %w", l.key, err)
		}
		s.members.drop(l.set)
	}
	return nil
}

func (s *Segments) preparedVersions(ctx context.Context) (map[string]int64, error) {
	rows, err := s.postgres.Query(ctx, `SELECT segment, version FROM segment_states`)
	if err != nil {
		return nil, fmt.Errorf("reading which segments are known: %w", err)
	}
	defer rows.Close()
	versions := map[string]int64{}
	for rows.Next() {
		var key string
		var version int64
		if err := rows.Scan(&key, &version); err != nil {
			return nil, fmt.Errorf("reading which segments are known: %w", err)
		}
		versions[key] = version
	}
	return versions, rows.Err()
}

func (s *Segments) rememberPrepared(ctx context.Context, l *liveSegment) error {
	_, err := s.postgres.Exec(ctx, `INSERT INTO segment_states (segment, version, members) VALUES ($1, $2, $3)
		ON CONFLICT (segment) DO UPDATE SET version = excluded.version, members = excluded.members, ready_at = now()`, l.key, l.version, s.members.count(l.set))
	if err != nil {
		return fmt.Errorf("noting that segment %s is known: %w", l.key, err)
	}
	return nil
}

// loadPattern reads the occurrences of a pattern up to where memory notes them
// itself.
func (s *Segments) loadPattern(ctx context.Context, lp *livePattern) error {
	if lp.loaded.Load() {
		return nil
	}
	if lp.from == 0 {
		lp.loaded.Store(true)
		return nil
	}
	var n uint64
	b := s.builder(s.now(), lp.from)
	sql := b.PatternCount(lp.pattern)
	if err := s.clickhouse.Read.QueryRow(bound(ctx, b), sql).Scan(&n); err != nil {
		return fmt.Errorf("counting %s: %w", lp.pattern.Event(), err)
	}
	if int64(n)+s.histories.total.Load() > s.histories.limit {
		s.log.Warn("a segment asks for more events than memory may hold; ClickHouse is asked at intervals instead", "event", lp.pattern.Event(), "events", n)
		lp.overflow.Store(true)
		lp.loaded.Store(true)
		return nil
	}
	parts := []string{""}
	if n > wholeLoad {
		parts = parts[:0]
		for _, letter := range idLetters {
			parts = append(parts, string(letter))
		}
	}
	for _, part := range parts {
		if err := s.loadPart(ctx, lp, part); err != nil {
			return err
		}
	}
	lp.loaded.Store(true)
	return nil
}

func (s *Segments) loadPart(ctx context.Context, lp *livePattern, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	now := s.now()
	b := s.builder(now, lp.from)
	sql := b.PatternQuery(lp.pattern, prefix)
	rows, err := s.clickhouse.Read.Query(bound(ctx, b), sql)
	if err != nil {
		return fmt.Errorf("reading %s: %w", lp.pattern.Event(), err)
	}
	defer rows.Close()
	for rows.Next() {
		var profile string
		var o segments.Occurrence
		if err := rows.Scan(&profile, &o.At, &o.Value); err != nil {
			return fmt.Errorf("reading %s: %w", lp.pattern.Event(), err)
		}
		id, ok := identity.ParseID(profile)
		if ok && !s.histories.add(id, lp.slot, o, lp.pattern.Keep(), now.UnixMilli()) {
			lp.overflow.Store(true)
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", lp.pattern.Event(), err)
	}
	return nil
}

// bound adds the parameters of a statement to its context.
func bound(ctx context.Context, b *segments.Builder) context.Context {
	return chgo.Context(ctx, chgo.WithParameters(b.Params))
}

// restoreMembers reads who was in a segment last.
func (s *Segments) restoreMembers(ctx context.Context, l *liveSegment) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	rows, err := s.clickhouse.Read.Query(ctx, `SELECT person_id FROM segment_membership WHERE segment = ?
		GROUP BY person_id HAVING argMax(entered, (at, sequence, position)) = 1`, l.key)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var person string
		if err := rows.Scan(&person); err != nil {
			return err
		}
		if id, ok := identity.ParseID(person); ok {
			s.members.put(l.set, id, true)
		}
	}
	return rows.Err()
}

// everybody works out the segments of all people that a scope is about.
func (s *Segments) everybody(ctx context.Context, p *segmentPlan, about scope, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	shards := make(chan int)
	group.Go(func() error {
		defer close(shards)
		for i := range storeShards {
			select {
			case shards <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var writing sync.Mutex
	for range workers {
		group.Go(func() error {
			e := s.newEvaluation(p)
			var ids []identity.ID
			var changes []membershipChange
			announce := func() error {
				writing.Lock()
				defer writing.Unlock()
				err := s.announce(ctx, changes)
				changes = changes[:0]
				return err
			}
			for i := range shards {
				ids = s.profiles.store.idsOf(i, ids[:0])
				for _, id := range ids {
					if s.profiles.store.PersonOf(id) != id {
						continue
					}
					if changes = s.settle(e, id, about, changes); len(changes) >= announceBatch {
						if err := announce(); err != nil {
							return err
						}
					}
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return announce()
		})
	}
	return group.Wait()
}

// idsOf appends the ids of one shard's profiles.
func (s *Store) idsOf(shard int, ids []identity.ID) []identity.ID {
	sh := &s.shards[shard]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for id := range sh.people {
		ids = append(ids, id)
	}
	return ids
}

// ask works out a segment that is too large for memory in ClickHouse.
func (s *Segments) ask(ctx context.Context, l *liveSegment) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	now := s.now()
	b := s.builder(now, 0)
	condition, err := l.rule.Condition(b)
	if err != nil {
		return fmt.Errorf("asking for segment %s: %w", l.key, err)
	}
	rows, err := s.clickhouse.Read.Query(bound(ctx, b), "SELECT person_id FROM "+segmentTables.People+" FINAL WHERE "+condition)
	if err != nil {
		return fmt.Errorf("asking for segment %s: %w", l.key, err)
	}
	defer rows.Close()
	reason := reasonChange
	if !l.known && !l.ready() {
		reason = reasonRule
	}
	in := map[identity.ID]struct{}{}
	var changes []membershipChange
	for rows.Next() {
		var person string
		if err := rows.Scan(&person); err != nil {
			return fmt.Errorf("asking for segment %s: %w", l.key, err)
		}
		id, ok := identity.ParseID(person)
		if !ok {
			continue
		}
		in[id] = struct{}{}
		if s.members.put(l.set, id, true) {
			changes = append(changes, membershipChange{l.key, id, true, now, reason})
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("asking for segment %s: %w", l.key, err)
	}
	for _, id := range s.members.members(l.set) {
		if _, still := in[id]; !still && s.members.put(l.set, id, false) {
			changes = append(changes, membershipChange{l.key, id, false, now, reason})
		}
	}
	return s.announce(ctx, changes)
}

// storeMembership writes changes that no event tells of.
func (s *Segments) storeMembership(ctx context.Context, changes []membershipChange) error {
	if len(changes) == 0 {
		return nil
	}
	batch, err := s.clickhouse.Write.PrepareBatch(ctx, `INSERT INTO segment_membership (segment, person_id, entered, at, reason, sequence, position)`)
	if err != nil {
		return fmt.Errorf("preparing an insert of members: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	sequence := s.position()
	for _, c := range changes {
		entered := uint8(0)
		if c.entered {
			entered = 1
		}
		if err := batch.Append(c.segment, c.person.String(), entered, c.at.UTC(), c.reason, sequence, uint32(0)); err != nil {
			return fmt.Errorf("filling an insert of members: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d changes of members: %w", len(changes), err)
	}
	return nil
}

// rescanLoop looks at everybody now and then, for whom time alone has changed
// something: a window has run out. A look takes a tenth of the time at most.
func (s *Segments) rescanLoop(ctx context.Context) error {
	pause := s.rescan
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		started := time.Now()
		if err := s.look(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.log.Warn("cannot look for segments that time has changed; the same is tried again", "error", err)
		}
		pause = max(s.rescan, rescanShare*time.Since(started))
	}
}

func (s *Segments) look(ctx context.Context) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	p := s.plan.Load()
	started := s.now().UnixMilli()
	s.histories.sweep(p.keeps(), started)
	about := scope{timed: true}
	if s.pending.overflowed() {
		about.touched = touchedAll
	}
	if p.timed || about.touched != 0 {
		if err := s.everybody(ctx, p, about, 1); err != nil {
			return err
		}
		s.looked.Store(started)
	}
	for _, l := range p.dynamic {
		if l.ready() && l.asked() {
			if err := s.ask(ctx, l); err != nil {
				return err
			}
		}
		if l.ready() {
			l.asOf.Store(s.now().UnixMilli())
		}
	}
	return nil
}
