package campaigns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/outbound"
	"quintet/experiments/condition"
	"quintet/profiles"
)

// person is what a condition reads of somebody: segments, computed attributes, traits.
type person struct {
	view     *profiles.View
	segments Segments
}

// Attribute implements [condition.Attributes].
func (p person) Attribute(name string) (any, bool) {
	if name == "segments" {
		return p.segments.OfProfile(p.view.ID), true
	}
	if v, ok := p.view.Attributes[name]; ok {
		return v, true
	}
	v, ok := p.view.Traits[name]
	return v, ok
}

// has says whether somebody belongs to the audience.
func (s *Service) has(a *Audience, c *condition.Condition, view *profiles.View) bool {
	if len(view.Identifiers) == 0 {
		return false // nothing can be asked about them
	}
	if a.Segment != "" && !s.segments.InSegment(view.ID, a.Segment) || a.Without != "" && s.segments.InSegment(view.ID, a.Without) {
		return false
	}
	return c.Matches(person{view, s.segments}, nil)
}

// audience are the ids of everybody in it at this moment.
func (s *Service) audience(ctx context.Context, a *Audience) ([]string, error) {
	c, err := condition.Parse(a.Condition)
	if err != nil {
		return nil, fmt.Errorf("reading the condition of an audience: %w", err)
	}
	var ids []string
	s.people.EachPerson(func(view *profiles.View) bool {
		if s.has(a, c, view) {
			ids = append(ids, view.ID)
		}
		return ctx.Err() == nil
	})
	return ids, ctx.Err()
}

// due makes runs of the campaigns that are due, one for each occurrence.
func (s *Service) due(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.now().UTC()
		rows, err := tx.Query(ctx, `SELECT campaign, next_at FROM campaign_states WHERE status = 'running' AND next_at <= $1 ORDER BY next_at LIMIT 100 FOR UPDATE SKIP LOCKED`, now)
		if err != nil {
			return err
		}
		type ready struct {
			Campaign string
			At       time.Time
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ready])
		if err != nil {
			return err
		}
		for _, r := range list {
			def, ok := s.campaigns.Get(r.Campaign)
			if !ok { // deleted while it ran
				if _, err := tx.Exec(ctx, `UPDATE campaign_states SET status = 'stopped', next_at = NULL WHERE campaign = $1`, r.Campaign); err != nil {
					return err
				}
				continue
			}
			// What was missed while nothing ran is due once, not as often as it was missed.
			var next *time.Time
			if def.Value.Schedule.Kind != Once {
				if at, ok := def.Value.Schedule.Next(now.Add(time.Second)); ok {
					next = &at
				}
			}
			if _, err := tx.Exec(ctx, `INSERT INTO campaign_runs (campaign, occurrence, version, status, started_at) VALUES ($1, $2, $3, 'freezing', $4) ON CONFLICT DO NOTHING`,
				r.Campaign, r.At, def.Version, now); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE campaign_states SET next_at = $2 WHERE campaign = $1`, r.Campaign, next); err != nil {
				return err
			}
		}
		return nil
	})
}

// run is one that is under way.
type run struct {
	ID         int64
	Campaign   string
	Occurrence time.Time
	Version    int64
	Status     string
}

// step is the occurrence as messages name it.
func (r *run) step() string { return r.Occurrence.UTC().Format("2006-01-02T15:04:05.000Z") }

// source is what the log has as the asker.
func (r *run) source() string { return outbound.OriginCampaign + ":" + r.Campaign }

// freeze writes the audience of a run down. It is one transaction, so that a kill
// leaves the run without an audience, which is then written anew.
func (s *Service) freeze(ctx context.Context, r *run, c *Campaign) error {
	ids, err := s.audience(ctx, &c.Audience)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var status string
		err := tx.QueryRow(ctx, `SELECT status FROM campaign_runs WHERE id = $1 FOR UPDATE SKIP LOCKED`, r.ID).Scan(&status)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && status != "freezing" {
			return nil // another process does it or has done it
		}
		if err != nil {
			return err
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"campaign_recipients"}, []string{"run", "person"},
			pgx.CopyFromSlice(len(ids), func(i int) ([]any, error) { return []any{r.ID, ids[i]}, nil })); err != nil {
			return fmt.Errorf("writing down %d people: %w", len(ids), err)
		}
		_, err = tx.Exec(ctx, `UPDATE campaign_runs SET status = 'running', audience = $2 WHERE id = $1`, r.ID, len(ids))
		return err
	})
}
