package campaigns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/outbound"
	"quintet/internal/problem"
)

const (
	pollPause = time.Second
	// pageTimeout bounds one page.
	pageTimeout = 2 * time.Minute
	// freezeTimeout bounds the writing of an audience.
	freezeTimeout = 10 * time.Minute
	// beside is how many decisions of a page are made at the same time: their appends
	// to the stream share their waits.
	beside = 8
	// maxAttempts is how often a decision is tried that could not be made.
	maxAttempts = 6
	// keepRuns is for how long it can be seen what became of each person.
	keepRuns = 400 * 24 * time.Hour
)

// Run works on campaigns until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	var pruned time.Time
	for {
		if err := s.work(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("working on campaigns; the same is tried again", "error", err)
		}
		if now := s.now(); now.Sub(pruned) > time.Hour && ctx.Err() == nil {
			pruned = now
			if _, err := s.pool.Exec(ctx, `DELETE FROM campaign_runs WHERE finished_at < $1`, now.Add(-keepRuns)); err != nil && ctx.Err() == nil {
				s.log.Warn("removing old runs of campaigns", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// Settle does all that is due now, once: for a clock that jumps. It may run beside
// [Service.Run].
func (s *Service) Settle(ctx context.Context) error { return s.work(ctx) }

// work does all that can be done now.
func (s *Service) work(ctx context.Context) error {
	if err := s.due(ctx); err != nil {
		return fmt.Errorf("looking for campaigns that are due: %w", err)
	}
	for {
		open, err := s.open(ctx)
		if err != nil {
			return err
		}
		moved := false
		for i := range open {
			n, err := s.advance(ctx, &open[i])
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				s.log.Warn("working on a campaign; the same is tried again", "campaign", open[i].Campaign, "error", err)
				continue
			}
			moved = moved || n > 0
		}
		if !moved {
			return nil
		}
	}
}

// open are the runs that are under way, of campaigns that are not paused. One page of
// each is worked on in turn, so that a large campaign does not hold up a small one.
func (s *Service) open(ctx context.Context) ([]run, error) {
	rows, err := s.pool.Query(ctx, `SELECT r.id, r.campaign, r.occurrence, r.version, r.status FROM campaign_runs r
		JOIN campaign_states s ON s.campaign = r.campaign AND s.status = 'running' WHERE r.finished_at IS NULL ORDER BY r.id LIMIT 100`)
	if err != nil {
		return nil, fmt.Errorf("reading runs of campaigns: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[run])
	if err != nil {
		return nil, fmt.Errorf("reading runs of campaigns: %w", err)
	}
	return out, nil
}

// advance does one piece of a run and returns how much was done.
func (s *Service) advance(ctx context.Context, r *run) (int, error) {
	def, err := s.campaigns.AtVersion(ctx, r.Campaign, r.Version)
	if err != nil {
		return 0, fmt.Errorf("reading version %d of the campaign: %w", r.Version, err)
	}
	if r.Status == "freezing" {
		ctx, cancel := context.WithTimeout(ctx, freezeTimeout)
		defer cancel()
		if err := s.freeze(ctx, r, &def.Value); err != nil {
			return 0, fmt.Errorf("writing down the audience: %w", err)
		}
		return 1, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	n, err := s.processPage(ctx, r, &def.Value)
	if errors.Is(err, errStopped) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("deciding a page: %w", err)
	}
	if n == 0 {
		return 0, s.finish(ctx, r)
	}
	s.outbox.Nudge()
	return n, nil
}

// errStopped says that a run was stopped while a page of it was decided.
var errStopped = errors.New("the campaign was stopped meanwhile")

// judged is a person of a page with what became of them.
type judged struct {
	person   string
	attempts int
	verdict  outbound.Verdict
}

// processPage decides about a page of people that wait. What it finds is committed
// with the messages in one transaction: a kill leaves all of it or nothing.
func (s *Service) processPage(ctx context.Context, r *run, c *Campaign) (n int, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT person, attempts FROM campaign_recipients WHERE run = $1 AND outcome = 'waiting' AND (retry_at IS NULL OR retry_at <= $3)
			ORDER BY person LIMIT $2 FOR UPDATE SKIP LOCKED`, r.ID, s.page, s.now())
		if err != nil {
			return err
		}
		page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (j judged, err error) {
			return j, row.Scan(&j.person, &j.attempts)
		})
		if err != nil || len(page) == 0 {
			return err
		}
		var status string
		if err := tx.QueryRow(ctx, `SELECT status FROM campaign_runs WHERE id = $1`, r.ID).Scan(&status); err != nil || status != "running" {
			return err
		}
		if err := s.judgePage(ctx, r, c, page); err != nil {
			return err
		}
		n = len(page)
		return s.store(ctx, tx, r, page)
	})
	return n, err
}

func (s *Service) judgePage(ctx context.Context, r *run, c *Campaign, page []judged) error {
	errs := make([]error, len(page))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(beside, len(page)) {
		wg.Go(func() {
			for i := range next {
				page[i].verdict, errs[i] = s.judge.Decide(ctx, s.ask(r.source(), page[i].person, c))
			}
		})
	}
	for i := range page {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, err := range errs {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // the campaign's doing, such as a decision point that was deleted
			page[i].verdict = outbound.Verdict{Outcome: outbound.OutcomeFailed, Reason: err.Error(), Again: true}
		}
	}
	return nil
}

// ask is the question about a person.
func (s *Service) ask(source, person string, c *Campaign) outbound.Ask {
	zone, err := time.LoadLocation(c.Schedule.Zone)
	if err != nil {
		zone = time.UTC
	}
	return outbound.Ask{Person: person, Point: c.DecisionPoint, Source: source, Context: c.Context, Consent: c.Consent, Clock: c.LocalTime, Zone: zone}
}

// store writes down what became of a page.
func (s *Service) store(ctx context.Context, tx pgx.Tx, r *run, page []judged) error {
	now := s.now().UTC()
	messages := make([]outbound.Message, 0, len(page))
	for i := range page {
		m := page[i].verdict.Message
		if m == nil {
			continue
		}
		m.Key = fmt.Sprintf("campaign/%s/%d/%s", r.Campaign, r.ID, m.Person)
		m.Origin, m.OriginKey, m.Step = outbound.OriginCampaign, r.Campaign, r.step()
		messages = append(messages, *m)
	}
	fresh, err := s.outbox.Put(ctx, tx, messages)
	if err != nil {
		return err
	}
	counts, cost := make(map[outbound.Outcome]int), 0.0
	batch := new(pgx.Batch)
	for i := range page {
		v := &page[i].verdict
		if v.Again && page[i].attempts+1 < maxAttempts {
			batch.Queue(`UPDATE campaign_recipients SET attempts = attempts + 1, reason = $3, retry_at = $4 WHERE run = $1 AND person = $2`,
				r.ID, page[i].person, clip(v.Reason), now.Add(time.Second<<page[i].attempts))
			continue
		}
		var decision, action string
		var sendAt *time.Time
		if v.Response != nil && !v.Response.Fallback {
			decision = v.Response.DecisionID
		}
		if m := v.Message; m != nil {
			// Two profiles of a person who were joined since the audience was written down
			// make one message.
			if !fresh[m.Key] {
				v.Outcome, v.Cost = outbound.OutcomeDuplicate, 0
				if err := s.judge.GiveBack(ctx, v.Response); err != nil {
					return err
				}
			} else {
				fresh[m.Key] = false
				action, sendAt = m.Offer+"/"+m.Channel+"/"+m.Creative, &m.SendAt
			}
		}
		counts[v.Outcome]++
		cost += v.Cost
		batch.Queue(`UPDATE campaign_recipients SET outcome = $3, reason = $4, decision_id = $5, action = $6, send_at = $7, decided_at = $8 WHERE run = $1 AND person = $2`,
			r.ID, page[i].person, v.Outcome, clip(v.Reason), decision, action, sendAt, now)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("writing down what became of %d people: %w", len(page), err)
	}
	return s.count(ctx, tx, r, counts, cost)
}

// count adds to the counters of a run.
func (s *Service) count(ctx context.Context, tx pgx.Tx, r *run, counts map[outbound.Outcome]int, cost float64) error {
	var body []byte
	var status string
	if err := tx.QueryRow(ctx, `SELECT counts, status FROM campaign_runs WHERE id = $1 FOR UPDATE`, r.ID).Scan(&body, &status); err != nil {
		return err
	}
	if status != "running" {
		return errStopped // nothing of the page is kept, so that nothing is sent after a stop
	}
	total := make(map[outbound.Outcome]int)
	if err := json.Unmarshal(body, &total); err != nil {
		return fmt.Errorf("reading the counters of a run: %w", err)
	}
	for outcome, n := range counts {
		total[outcome] += n
	}
	body, err := json.Marshal(total)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE campaign_runs SET counts = $2, cost = cost + $3 WHERE id = $1`, r.ID, string(body), cost)
	return err
}

// finish ends a run nobody of which waits any more, and a campaign that has nothing
// left to do.
func (s *Service) finish(ctx context.Context, r *run) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		now := s.now().UTC()
		tag, err := tx.Exec(ctx, `UPDATE campaign_runs SET status = 'done', finished_at = $2 WHERE id = $1 AND status = 'running'
			AND NOT EXISTS (SELECT FROM campaign_recipients WHERE run = $1 AND outcome = 'waiting')`, r.ID, now)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE campaign_states SET status = 'done' WHERE campaign = $1 AND status = 'running' AND next_at IS NULL
			AND NOT EXISTS (SELECT FROM campaign_runs WHERE campaign = $1 AND finished_at IS NULL)`, r.Campaign)
		return err
	})
}

// clip shortens what is stored as a reason.
func clip(text string) string { return problem.Clip(text) }
