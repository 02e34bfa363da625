package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/experiments/condition"
	"quintet/profiles"
	"quintet/profiles/identity"
)

const (
	triggerPause = 300 * time.Millisecond
	// idlePause is the time after which the log is looked at although nothing was heard:
	// another process may have heard it.
	idlePause = 10 * time.Second
	// triggerPage is how many events one transaction works through.
	triggerPage    = 2000
	triggerTimeout = time.Minute
	// maxLate is how old an event may be when it comes in to begin a run: what is
	// imported from the past begins nothing.
	maxLate = 24 * time.Hour
)

// Names of the notes about segments.
const (
	eventEntered = "Segment Entered"
	eventLeft    = "Segment Left"
)

// hearing is what an observer of the stream noted.
type hearing struct{ through atomic.Uint64 }

// Listener is told of what the projector applied, and notes that something happened
// that a scenario asks for. It keeps the service from asking the log in vain.
type Listener struct {
	s *Service
	h *hearing
}

// Applied implements [profiles.Observer].
func (l Listener) Applied(changed []profiles.Change) {
	names := l.s.interest.Load()
	if names == nil || len(*names) == 0 {
		return
	}
	for i := range changed {
		if e := changed[i].Event; e != nil && (*names)[e.Name] {
			l.h.through.Store(changed[i].Sequence)
		}
	}
}

// listen works out the names of the events that anything asks for: scenarios as they
// are, and the versions at which people are on their way.
func (s *Service) listen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	names := make(map[string]bool)
	for _, def := range s.scenarios.Snapshot() {
		def.Value.asksFor(names)
	}
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT scenario, version FROM scenario_runs WHERE status = 'active'`)
	if err == nil {
		var key string
		var version int64
		_, err = pgx.ForEachRow(rows, []any{&key, &version}, func() error {
			if def, ok := s.scenarios.Get(key); ok && def.Version == version {
				return nil
			}
			def, err := s.scenarios.AtVersion(ctx, key, version)
			if err == nil {
				def.Value.asksFor(names)
			}
			return err
		})
	}
	if err != nil {
		// Asking for all that was asked for before is right, if more than needed.
		s.log.Warn("working out what scenarios wait for", "error", err)
		if was := s.interest.Load(); was != nil {
			maps.Copy(names, *was)
		}
	}
	s.interest.Store(&names)
	nudge(s.heard)
}

// asksFor adds the names of events that a scenario waits for.
func (s *Scenario) asksFor(names map[string]bool) {
	for _, event := range s.ExitOn {
		names[event] = true
	}
	for i := range s.Nodes {
		if w := s.Nodes[i].Wait; w != nil && w.Event != "" {
			names[w.Event] = true
		}
		if t := s.Nodes[i].Trigger; t != nil {
			for _, name := range t.names() {
				names[name] = true
			}
		}
	}
}

// names are the events that a trigger asks for.
func (t *Trigger) names() []string {
	switch t.Kind {
	case TriggerSegmentEntered:
		return []string{eventEntered}
	case TriggerSegmentLeft:
		return []string{eventLeft}
	case TriggerEvent:
		return []string{t.Event}
	case TriggerAbsence:
		return []string{t.Event, t.Missing}
	}
	return nil
}

// Listen is the observer to register before the projector runs.
func (s *Service) Listen() Listener { return Listener{s, &s.hearing} }

func (s *Service) runTriggers(ctx context.Context) error {
	tick := time.NewTicker(triggerPause)
	defer tick.Stop()
	var looked time.Time
	var through uint64
	for {
		heard := s.hearing.through.Load()
		if heard > through || time.Since(looked) > idlePause {
			reached, err := s.listenPages(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				s.log.Warn("looking for triggers of scenarios; the same is tried again", "error", err)
			} else {
				through = max(through, reached)
			}
			looked = time.Now()
			if err := s.dates(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("looking for dates of scenarios; the same is tried again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.heard:
			looked = time.Time{}
		}
	}
}

// listenPages works through the log as far as it is whole.
func (s *Service) listenPages(ctx context.Context) (reached uint64, err error) {
	for {
		before := reached
		var more bool
		if reached, more, err = s.listenPage(ctx); err != nil || !more || reached == before {
			return reached, err
		}
	}
}

// listenPage works through one page of the log. Runs that begin, wake and end by it
// are stored with the place in the stream in one transaction. One process at a time
// does it.
func (s *Service) listenPage(ctx context.Context) (reached uint64, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, triggerTimeout)
	defer cancel()
	moved := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var cursor int64
		err := tx.QueryRow(ctx, `SELECT sequence FROM scenario_cursor FOR UPDATE SKIP LOCKED`).Scan(&cursor)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // another process is at it
		}
		if err != nil {
			return err
		}
		through := s.events.Stored()
		names := s.interest.Load()
		reached = max(through, uint64(cursor))
		if through <= uint64(cursor) {
			return nil
		}
		var events []Event
		if len(*names) > 0 {
			if events, err = s.events.Since(ctx, uint64(cursor), through, slices.Sorted(maps.Keys(*names)), triggerPage); err != nil {
				return err
			}
		}
		if len(events) == triggerPage {
			// The last record may go on behind the page: it is read again as a whole. A
			// page that is one record is taken as it is.
			if last := events[len(events)-1].Sequence; last > events[0].Sequence {
				for len(events) > 0 && events[len(events)-1].Sequence == last {
					events = events[:len(events)-1]
				}
			}
			reached, more = events[len(events)-1].Sequence, true
		}
		if moved, err = s.hear(ctx, tx, events); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE scenario_cursor SET sequence = $1`, int64(reached))
		return err
	})
	if err == nil && moved {
		nudge(s.wake)
	}
	return reached, more, err
}

// open is a scenario into which people come.
type open struct {
	key     string
	version int64
	def     *Scenario
	since   time.Time
}

// open are the scenarios that run, locked against a change of that.
func (s *Service) open(ctx context.Context, tx pgx.Tx) ([]open, error) {
	rows, err := tx.Query(ctx, `SELECT scenario, started_at FROM scenario_states WHERE status = 'running' ORDER BY scenario FOR SHARE`)
	if err != nil {
		return nil, err
	}
	var out []open
	var key string
	var since time.Time
	_, err = pgx.ForEachRow(rows, []any{&key, &since}, func() error {
		if def, ok := s.scenarios.Get(key); ok {
			out = append(out, open{key, def.Version, &def.Value, since})
		}
		return nil
	})
	return out, err
}

// hear works through events in their order.
func (s *Service) hear(ctx context.Context, tx pgx.Tx, events []Event) (moved bool, err error) {
	if len(events) == 0 {
		return false, nil
	}
	scenarios, err := s.open(ctx, tx)
	if err != nil {
		return false, fmt.Errorf("reading which scenarios run: %w", err)
	}
	for i := range events {
		e := &events[i]
		id, ok := identity.ParseID(e.ProfileID)
		if !ok {
			continue
		}
		woke, err := s.rouse(ctx, tx, e, id)
		if err != nil {
			return false, err
		}
		moved = moved || woke
		for _, o := range scenarios {
			began, err := s.enter(ctx, tx, o, e, id)
			if err != nil {
				return false, err
			}
			moved = moved || began
		}
	}
	return moved, nil
}

// rouse ends waits and runs of the person by an event.
func (s *Service) rouse(ctx context.Context, tx pgx.Tx, e *Event, profile identity.ID) (bool, error) {
	members := s.people.Members(s.people.PersonOf(profile))
	texts := make([]string, len(members))
	for i, m := range members {
		texts[i] = m.String()
	}
	rows, err := tx.Query(ctx, `SELECT id, scenario, version, node, entered_at, waiting_event = $2, $2 = ANY(exits), coalesce(last->>'decisionId', '') FROM scenario_runs
		WHERE person = ANY($1) AND status = 'active' AND (waiting_event = $2 OR $2 = ANY(exits)) ORDER BY id FOR UPDATE`, texts, e.Name)
	if err != nil {
		return false, err
	}
	type waiting struct {
		ID, Scenario string
		Version      int64
		Node         string
		EnteredAt    time.Time
		Waits, Exits bool
		LastDecision string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[waiting])
	if err != nil {
		return false, fmt.Errorf("reading who waits for an event: %w", err)
	}
	now, roused := s.now().UTC(), false
	for _, w := range list {
		if e.Time.Before(w.EnteredAt) {
			continue // it came in late, from before the run
		}
		if w.Exits {
			if _, err := tx.Exec(ctx, `UPDATE scenario_runs SET status = 'exited', reason = $2, due_at = NULL, ended_at = $3 WHERE id = $1`, w.ID, clip(e.Name), now); err != nil {
				return false, err
			}
			continue
		}
		def, err := s.scenarios.AtVersion(ctx, w.Scenario, w.Version)
		if err != nil {
			return false, fmt.Errorf("reading scenario %s version %d: %w", w.Scenario, w.Version, err)
		}
		n := def.Value.node(w.Node)
		if n == nil {
			continue
		}
		if wait := n.Wait; wait != nil {
			c, err := s.condition(wait.Where)
			if err != nil {
				return false, err
			}
			if wait.OfDecision && (e.DecisionID == "" || e.DecisionID != w.LastDecision) || !c.Matches(condition.Map(e.Properties), nil) {
				continue
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE scenario_runs SET came = true, due_at = $2 WHERE id = $1`, w.ID, now); err != nil {
			return false, err
		}
		roused = true
	}
	return roused, nil
}

// begins says whether an event is what the trigger asks for.
func (s *Service) begins(t *Trigger, e *Event) (bool, error) {
	switch t.Kind {
	case TriggerSegmentEntered, TriggerSegmentLeft:
		if e.Source != profiles.NoteSource || e.Name != t.names()[0] || e.Properties["segment"] != t.Segment {
			return false, nil
		}
	case TriggerEvent, TriggerAbsence:
		if e.Name != t.Event {
			return false, nil
		}
	default:
		return false, nil
	}
	c, err := s.condition(t.Where)
	if err != nil {
		return false, err
	}
	return c.Matches(condition.Map(e.Properties), nil), nil
}

// enter begins a run by an event.
func (s *Service) enter(ctx context.Context, tx pgx.Tx, o open, e *Event, profile identity.ID) (bool, error) {
	n := o.def.trigger()
	if n == nil || e.Time.Before(o.since) || e.Received.Sub(e.Time) > maxLate {
		return false, nil
	}
	ok, err := s.begins(n.Trigger, e)
	if err != nil || !ok {
		return false, err
	}
	entry := make(map[string]any, len(e.Properties)+1)
	for name, v := range e.Properties {
		switch v := v.(type) {
		case bool, float64:
			entry[name] = v
		case string:
			if len(v) <= 1024 && len(entry) < maxEntry {
				entry[name] = v
			}
		}
	}
	b := beginning{cause: e.Name + "\x00" + e.MessageID + "\x00" + e.ProfileID, profile: profile, at: e.Time, due: s.now().UTC(), entry: entry}
	if n.Trigger.Kind == TriggerAbsence {
		b.due = e.Time.Add(time.Duration(n.Trigger.WithinMinutes * float64(time.Minute)))
		b.waiting = n.Trigger.Missing
	}
	return s.begin(ctx, tx, o, n, b)
}

// maxEntry bounds the properties of the first event that a run keeps.
const maxEntry = 50

func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
