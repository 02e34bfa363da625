package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/profiles"
	"quintet/profiles/identity"
)

// maxMissedDays is how many days are made up for that passed while nothing ran.
const maxMissedDays = 3

const day = 24 * time.Hour

// dates begins runs by date for every day up to tomorrow: somewhere it is tomorrow
// already. A day is looked through once, in one transaction with the note of it.
func (s *Service) dates(ctx context.Context) error {
	for key, def := range s.scenarios.Snapshot() {
		n := def.Value.trigger()
		if n == nil || n.Trigger.Kind != TriggerDate {
			continue
		}
		for {
			more, err := s.nextDay(ctx, open{key: key, version: def.Version, def: &def.Value}, n)
			if err != nil {
				return fmt.Errorf("looking for dates of scenario %s: %w", key, err)
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// nextDay looks through the people for the next day that was not looked at.
func (s *Service) nextDay(ctx context.Context, o open, n *Node) (more bool, err error) {
	began := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var since time.Time
		var last *time.Time
		err := tx.QueryRow(ctx, `SELECT started_at, dated_day FROM scenario_states WHERE scenario = $1 AND status = 'running' FOR UPDATE SKIP LOCKED`, o.key).Scan(&since, &last)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // it does not run, or another process is at it
		}
		if err != nil {
			return err
		}
		o.since = since
		now := s.now().UTC()
		today := now.Truncate(day)
		next := since.UTC().Truncate(day)
		if last != nil {
			next = last.UTC().Add(day)
		}
		if oldest := today.Add(-maxMissedDays * day); next.Before(oldest) {
			next = oldest
		}
		if next.After(today.Add(day)) {
			return nil
		}
		if began, err = s.beginDated(ctx, tx, o, n, next); err != nil {
			return err
		}
		more = true
		_, err = tx.Exec(ctx, `UPDATE scenario_states SET dated_day = $2 WHERE scenario = $1`, o.key, next)
		return err
	})
	if err == nil && began {
		nudge(s.wake)
	}
	return more, err
}

// beginDated begins the runs of a day.
func (s *Service) beginDated(ctx context.Context, tx pgx.Tx, o open, n *Node, on time.Time) (began bool, err error) {
	t := n.Trigger
	zone, err := time.LoadLocation(o.def.Zone)
	if err != nil {
		zone = time.UTC
	}
	wanted := on.AddDate(0, 0, -t.OffsetDays)
	s.people.EachPerson(func(view *profiles.View) bool {
		date, ok := dateOf(view, t.Attribute)
		if !ok || !falls(date, wanted, t.Yearly) {
			return ctx.Err() == nil
		}
		id, ok := identity.ParseID(view.ID)
		if !ok {
			return true
		}
		due := at(on, t.At, s.judge.Zone(view, zone))
		if due.Before(o.since) || s.now().Sub(due) > day {
			return true // it was over before the scenario ran
		}
		var one bool
		one, err = s.begin(ctx, tx, o, n, beginning{
			cause: "date\x00" + on.Format(time.DateOnly) + "\x00" + view.ID, profile: id, at: due, due: due,
			entry: map[string]any{"date": date.Format(time.DateOnly)},
		})
		began = began || one
		return err == nil && ctx.Err() == nil
	})
	return began, errors.Join(err, ctx.Err())
}

// at is a time of day on a date, in a zone.
func at(date time.Time, clock string, zone *time.Location) time.Time {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return date
	}
	return time.Date(date.Year(), date.Month(), date.Day(), t.Hour(), t.Minute(), 0, 0, zone)
}

// dateOf reads a date of a person.
func dateOf(view *profiles.View, name string) (time.Time, bool) {
	v, ok := view.Attributes[name]
	if !ok {
		v = view.Traits[name]
	}
	text, _ := v.(string)
	if len(text) < len(time.DateOnly) {
		return time.Time{}, false
	}
	date, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	return date, err == nil
}

// falls says whether a date falls on a day, of its year or of every one. The 29th of
// February falls on the 28th in years without it.
func falls(date, on time.Time, yearly bool) bool {
	if !yearly {
		return date.Equal(on)
	}
	month, number := date.Month(), date.Day()
	if month == time.February && number == 29 && time.Date(on.Year(), time.March, 0, 0, 0, 0, 0, time.UTC).Day() == 28 {
		number = 28
	}
	return on.Month() == month && on.Day() == number && on.Year() > date.Year()
}
