package profiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/clickhouse"
	"quintet/profiles/identity"
)

// ErasurePart is something beside this package that keeps what is known of people.
type ErasurePart interface {
	// Erase removes what is kept of the person and returns how much there was, by store
	// and table as in "stream DECISIONS". It is called when memory and the stores know
	// nothing new about them, and can be called again. A table of Postgres is named also
	// where nothing was left in it: an attempt that was killed may have removed it, and
	// the table has to be written anew.
	Erase(ctx context.Context, sub *ErasureSubject) (map[string]int64, error)
	// Check looks for what is left.
	Check(ctx context.Context, sub *ErasureSubject) ([]ErasureCheck, error)
}

// EraserDeps are what an eraser is made of.
type EraserDeps struct {
	Profiles *Service
	Segments *Segments // nil without
	Parts    []ErasurePart
	// ScrubPostgres has tables written anew, and reports whether no file of the server
	// holds deleted rows any more, its log included.
	ScrubPostgres func(ctx context.Context, tables []string) (bool, error)
	// ClickHouseEmbedded and StreamEmbedded say whether the engines keep their files here.
	ClickHouseEmbedded, StreamEmbedded bool
}

// Eraser removes people from every store. What was asked for is in Postgres and goes on
// after a stop; of several processes one does the work.
type Eraser struct {
	log        *slog.Logger
	profiles   *Service
	segments   *Segments
	parts      []ErasurePart
	postgres   *pgxpool.Pool
	clickhouse *clickhouse.Database
	scrub      func(ctx context.Context, tables []string) (bool, error)
	embedded   struct{ clickhouse, stream bool }
	wake       chan struct{}
	now        func() time.Time
}

const (
	// eraseInterval is how often somebody looks for erasures that nobody told of.
	eraseInterval = 5 * time.Second
	// eraseRounds is how often the stores are gone through until nothing is found: what
	// was on its way when an erasure began can come in behind it.
	eraseRounds = 4
	// eraseTimeout bounds one attempt at an erasure.
	eraseTimeout = 2 * time.Hour
	// othersPause lets other processes take over whom to refuse.
	othersPause = 6 * time.Second
)

// OpenEraser makes an eraser; [Eraser.Run] does the work.
func OpenEraser(d EraserDeps) *Eraser {
	e := &Eraser{
		log: d.Profiles.log.With("part", "erasures"), profiles: d.Profiles, segments: d.Segments, parts: d.Parts, postgres: d.Profiles.postgres,
		clickhouse: d.Profiles.clickhouse, scrub: d.ScrubPostgres, wake: make(chan struct{}, 1), now: d.Profiles.now,
	}
	e.embedded.clickhouse, e.embedded.stream = d.ClickHouseEmbedded, d.StreamEmbedded
	return e
}

// Run erases whom it was asked to erase, until ctx ends.
func (e *Eraser) Run(ctx context.Context) error {
	ticker := time.NewTicker(eraseInterval)
	defer ticker.Stop()
	for {
		if err := e.work(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("an erasure failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.wake:
		case <-ticker.C:
		}
	}
}

// work goes through the erasures that are not done.
func (e *Eraser) work(ctx context.Context) error {
	open, err := e.open(ctx)
	if err != nil || len(open) == 0 {
		return err
	}
	// Every process has memory of its own.
	for _, j := range open {
		if j.subject != nil && j.Status != ErasureWaiting {
			e.forget(j.subject)
		}
	}
	connection, err := e.postgres.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("looking for erasures: %w", err)
	}
	defer connection.Release()
	var mine bool
	if err := connection.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtext('erasures'))`).Scan(&mine); err != nil || !mine {
		return err
	}
	defer func() {
		_, _ = connection.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(hashtext('erasures'))`) // a lost connection has no lock
	}()
	if open, err = e.open(ctx); err != nil {
		return err
	}
	var errs []error
	var rewrite []*Erasure
	for _, j := range open {
		attempt, cancel := context.WithTimeout(ctx, eraseTimeout)
		err := e.erase(attempt, j)
		cancel()
		if err != nil {
			errs = append(errs, e.failed(ctx, j, err))
			continue
		}
		rewrite = append(rewrite, j)
	}
	if len(rewrite) > 0 {
		errs = append(errs, e.finish(ctx, rewrite))
	}
	return errors.Join(errs...)
}

// forget removes the person from the memory of this process.
func (e *Eraser) forget(sub *ErasureSubject) {
	p := e.profiles.projector
	p.writing.Lock()
	p.forget(sub.IDs())
	p.writing.Unlock()
	if e.segments != nil {
		for _, id := range sub.IDs() {
			e.segments.erase(id)
		}
	}
}

// erase removes one person from every table, topic and file, up to where only bytes that
// no query shows are left.
func (e *Eraser) erase(ctx context.Context, j *Erasure) error {
	if j.Status == ErasureRewriting {
		return nil
	}
	if err := e.begin(ctx, j); err != nil {
		return err
	}
	for range eraseRounds { // who signed in on another device meanwhile has more that leads to them
		if err := e.refuseFromNow(ctx, j); err != nil {
			return err
		}
		if err := e.profiles.settleStream(ctx); err != nil {
			return err
		}
		if !e.grow(j.subject) {
			break
		}
		if err := e.saveSubject(ctx, j); err != nil {
			return err
		}
	}
	for range eraseRounds {
		if err := e.round(ctx, j); err != nil {
			return err
		}
		found := 0
		for _, c := range j.checks {
			found += int(c.Rows)
		}
		if found == 0 {
			return e.leaveSubject(ctx, j)
		}
		e.log.Warn("something of a person who is erased came in meanwhile; going through the stores again", "erasure", j.ID, "rows", found)
	}
	return fmt.Errorf("after going through the stores %d times something is still found: %v", eraseRounds, leftovers(j.checks))
}

func leftovers(checks []ErasureCheck) (left []string) {
	for _, c := range checks {
		if c.Rows > 0 {
			left = append(left, fmt.Sprintf("%d in %s %s", c.Rows, c.Store, c.What))
		}
	}
	return left
}

// refuseFromNow has everything that comes about the person refused, and waits for what
// had begun before.
func (e *Eraser) refuseFromNow(ctx context.Context, j *Erasure) error {
	list := make([]Suppression, 0, len(j.subject.Identifiers)+len(j.subject.Profiles))
	for _, i := range j.subject.Identifiers {
		list = append(list, Suppression{Identifier: i, Reason: ReasonErasure})
	}
	for _, id := range j.subject.IDs() {
		list = append(list, Suppression{Identifier: profileIdentifier(id), Reason: ReasonErasure})
	}
	if _, err := e.profiles.Suppress(ctx, list, j.RequestedBy); err != nil {
		return err
	}
	if !e.embedded.stream {
		select {
		case <-time.After(othersPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := e.profiles.store.crossing.wait(ctx); err != nil {
		return fmt.Errorf("waiting for what was on its way: %w", err)
	}
	return nil
}

// round goes through all stores once and looks for what is left.
func (e *Eraser) round(ctx context.Context, j *Erasure) error {
	sub := j.subject
	if err := e.profiles.settleStream(ctx); err != nil {
		return err
	}
	if err := e.eraseState(ctx, j); err != nil {
		return err
	}
	if err := e.profiles.forgetNames(ctx); err != nil {
		return err
	}
	if err := e.profiles.nameErased(ctx, sub.Profiles); err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := e.profiles.forgetNames(end); err != nil {
			e.log.Warn("cannot forget who was erased; the next erasure does, or a restart", "error", err)
		}
	}()
	if err := e.countLog(ctx, j); err != nil {
		return err
	}
	for _, part := range e.parts {
		counts, err := part.Erase(ctx, sub)
		if err != nil {
			return err
		}
		for what, n := range counts {
			e.count(j, what, n)
			if strings.HasPrefix(what, postgresTable) {
				j.removed[what] += 0 // named, for finish
			}
		}
	}
	if err := e.eraseLog(ctx, j); err != nil {
		return err
	}
	if e.segments != nil {
		if err := e.segments.Erase(ctx, sub.IDs()); err != nil {
			return err
		}
	}
	n, _, err := e.profiles.eraseStream(ctx, sub)
	if err != nil {
		return err
	}
	e.note(j, "stream", Topic, n)
	if n, err = e.eraseFiles(ctx, sub); err != nil {
		return err
	}
	e.note(j, "files", "rejects of imports", n)
	if err := progress(ctx, e.postgres, j); err != nil {
		return err
	}
	if err := e.clickhouse.DropOldParts(ctx); err != nil {
		return err
	}
	return e.check(ctx, j)
}

// check looks for the person everywhere.
func (e *Eraser) check(ctx context.Context, j *Erasure) error {
	sub := j.subject
	memory := ErasureCheck{Store: "memory", What: "profiles"}
	for _, id := range sub.IDs() {
		if _, there := e.profiles.store.Get(id); there {
			memory.Rows++
		}
	}
	checks := []ErasureCheck{memory}
	rows, err := e.checkRows(ctx, sub)
	if err != nil {
		return err
	}
	logged, err := e.checkLog(ctx, sub)
	if err != nil {
		return err
	}
	found, err := e.profiles.findInStream(ctx, sub)
	if err != nil {
		return err
	}
	files, err := e.checkFiles(sub)
	if err != nil {
		return err
	}
	checks = append(append(append(checks, rows...), logged...), ErasureCheck{Store: "stream", What: Topic, Rows: int64(len(found))}, files)
	for _, part := range e.parts {
		more, err := part.Check(ctx, sub)
		if err != nil {
			return err
		}
		checks = append(checks, more...)
	}
	j.checks = checks
	return nil
}

// note counts what was removed.
func (e *Eraser) note(j *Erasure, store, what string, n int64) { e.count(j, store+" "+what, n) }

func (*Eraser) count(j *Erasure, what string, n int64) {
	if n > 0 {
		j.removed[what] += n
	}
}

// Erase asks for the erasure of the person who has the profile, and returns what becomes
// of it. For somebody whose erasure is under way it returns that one.
func (e *Eraser) Erase(ctx context.Context, person identity.ID, mode ErasureMode, reason, by string) (*Erasure, error) {
	sub := e.subjectOf(person, mode)
	open, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range open {
		if j.subject != nil && j.subject.Profiles[0].ID == sub.Profiles[0].ID {
			return j, nil
		}
	}
	if err := checkReason(sub, reason); err != nil {
		return nil, err
	}
	subject, err := json.Marshal(sub)
	if err != nil {
		return nil, fmt.Errorf("encoding whom an erasure is about: %w", err)
	}
	j, err := e.insert(ctx, sub, subject, reason, by)
	if err != nil {
		return nil, err
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
	return j, nil
}

// subjectOf gathers all that leads to a person.
func (e *Eraser) subjectOf(person identity.ID, mode ErasureMode) *ErasureSubject {
	return aboutWhom(e.profiles.store, person, mode)
}

func aboutWhom(store *Store, person identity.ID, mode ErasureMode) *ErasureSubject {
	sub := &ErasureSubject{Mode: mode}
	store.gather(sub, store.Members(store.PersonOf(person)))
	return sub
}

// grow adds what leads to the person by now, and reports whether there is more.
func (e *Eraser) grow(sub *ErasureSubject) bool {
	profiles, identifiers := len(sub.Profiles), len(sub.Identifiers)
	for _, id := range sub.IDs() {
		e.profiles.store.gather(sub, e.profiles.store.Members(e.profiles.store.PersonOf(id)))
	}
	return len(sub.Profiles) > profiles || len(sub.Identifiers) > identifiers
}

// gather adds profiles with all that leads to them.
func (s *Store) gather(sub *ErasureSubject, profiles []identity.ID) {
	seen := map[Identifier]bool{}
	for _, i := range sub.Identifiers {
		seen[i] = true
	}
	add := func(i Identifier) {
		if normal, err := s.index.Normal(i); err == nil {
			i = normal
		}
		if i.Value != "" && !seen[i] {
			seen[i] = true
			sub.Identifiers = append(sub.Identifiers, i)
		}
	}
	for _, id := range profiles {
		if !slices.Contains(sub.IDs(), id) {
			sub.Profiles = append(sub.Profiles, newErasedProfile(id))
		}
		v, there := s.Get(id)
		if !there {
			continue
		}
		for _, i := range v.Identifiers {
			if s.index.Owns(id, i) {
				add(i)
			}
		}
		for _, namespace := range []string{identity.Email, identity.Phone} {
			if text, ok := v.Traits[namespace].(string); ok {
				add(Identifier{Namespace: namespace, Value: text})
			}
		}
	}
}
