package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide"
	"quintet/decide/channels"
	"quintet/decide/outbound"
)

const (
	// claimLease is how long a worker may look at what it claimed; sendLease, how long a
	// driver may take. Both are well over what the timeouts allow.
	claimLease  = 2 * time.Minute
	sendLease   = 3 * time.Minute
	sendTimeout = 45 * time.Second
)

// job is a step that a worker has claimed.
type job struct {
	delivery string
	step     int
	channel  string
	attempts int
	due      time.Time
	message  outbound.Message
	cascade  []channels.CascadeStep
}

// sendDue sends what is due on a channel, page by page. What it has begun it ends, also
// when ctx is cancelled.
func (s *Service) sendDue(ctx context.Context, channel string) error {
	for ctx.Err() == nil {
		d, err := s.driver(channel)
		if err != nil || d == nil {
			return err
		}
		jobs, err := s.claim(ctx, channel)
		if err != nil || len(jobs) == 0 {
			return err
		}
		next := make(chan *job)
		var all sync.WaitGroup
		var mu sync.Mutex
		var errs []error
		for range min(parallel, len(jobs)) {
			all.Go(func() {
				for j := range next {
					if err := s.work(ctx, d, j); err != nil {
						mu.Lock()
						errs = append(errs, err)
						mu.Unlock()
					}
				}
			})
		}
		for i := range jobs {
			next <- &jobs[i]
		}
		close(next)
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// claim takes a page of steps that are due. Nobody else has them until the lease ends.
func (s *Service) claim(ctx context.Context, channel string) ([]job, error) {
	now := s.now()
	rows, err := s.pool.Query(ctx, `WITH due AS (
			SELECT delivery, step FROM delivery_steps WHERE state = 'queued' AND channel = $1 AND due_at <= $2
			ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
		UPDATE delivery_steps s SET state = 'claimed', worker = $4, lease_until = $5 FROM due, deliveries d
		WHERE s.delivery = due.delivery AND s.step = due.step AND d.id = s.delivery
		RETURNING s.delivery, s.step, s.channel, s.attempts, s.due_at, d.body, d.cascade`, channel, now, pageSize, s.worker, now.Add(claimLease))
	if err != nil {
		return nil, fmt.Errorf("claiming messages: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (j job, err error) {
		var body, cascade []byte
		if err := row.Scan(&j.delivery, &j.step, &j.channel, &j.attempts, &j.due, &body, &cascade); err != nil {
			return j, err
		}
		if err := json.Unmarshal(body, &j.message); err != nil {
			return j, err
		}
		if cascade != nil {
			err = json.Unmarshal(cascade, &j.cascade)
		}
		return j, err
	})
	if err != nil {
		return nil, fmt.Errorf("claiming messages: %w", err)
	}
	return jobs, nil
}

// work brings a claimed step as far as it gets.
func (s *Service) work(ctx context.Context, d *openDriver, j *job) error {
	if err := d.limit.Wait(ctx); err != nil { // stopping: the lease gives it back
		return s.unclaim(context.WithoutCancel(ctx), j, s.now())
	}
	out, verdict := s.prepare(ctx, d, j)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout+30*time.Second)
	defer cancel()
	switch {
	case verdict.err != nil:
		return errors.Join(verdict.err, s.unclaim(ctx, j, s.now().Add(reapPause)))
	case !verdict.later.IsZero():
		return s.unclaim(ctx, j, verdict.later)
	case verdict.skip != "":
		return s.end(ctx, j, Claimed, ending{state: Skipped, reason: verdict.skip})
	}
	if rule, err := s.commit(ctx, j); err != nil {
		return errors.Join(err, s.unclaim(ctx, j, s.now().Add(reapPause)))
	} else if rule != "" {
		return s.end(ctx, j, Claimed, ending{state: Skipped, reason: rule})
	}
	begun, err := s.begin(ctx, j, out.To, verdict.links)
	if err != nil || !begun {
		return err
	}
	sending, stop := context.WithTimeout(ctx, sendTimeout)
	id, err := d.Send(sending, out)
	stop()
	if err == nil {
		return s.end(ctx, j, Sending, ending{state: Sent, provider: id})
	}
	f := channels.FailureOf(err)
	e := ending{reason: clipReason(f.Error())}
	switch f.Kind {
	case channels.Temporary, channels.Credentials:
		// Wrong credentials are put right by people, so that these wait as well.
		if j.attempts+1 < d.config.Attempts() {
			e.state, e.again = Queued, s.now().Add(backoff(j.attempts+1, f.RetryAfter))
			if s.caps != nil && j.step == 0 && j.message.DecisionID != "" { // of later steps the contact was made
				if err := s.caps.Postpone(ctx, j.message.DecisionID, e.again); err != nil {
					s.log.Warn("a contact that is put off stays counted where it was", "decision", j.message.DecisionID, "error", err)
				}
			}
		} else {
			e.state = Failed
		}
	case channels.Dead:
		e.state, e.dead = Failed, out.To
	case channels.Uncertain:
		e.state = Uncertain
	default:
		e.state = Failed
	}
	return s.end(ctx, j, Sending, e)
}

// unclaim gives a step back, to be looked at again at a moment.
func (s *Service) unclaim(ctx context.Context, j *job, at time.Time) error {
	if _, err := s.pool.Exec(ctx, `UPDATE delivery_steps SET state = 'queued', due_at = $4, lease_until = NULL WHERE delivery = $1 AND step = $2 AND state = 'claimed' AND worker = $3`,
		j.delivery, j.step, s.worker, at); err != nil {
		return fmt.Errorf("giving a message back: %w", err)
	}
	return nil
}

// begin marks a step as being handed over. It is false when that must not be done any
// more: the claim is lost, the message gone, or a receipt ended the cascade. It locks
// the message, as receipts do.
func (s *Service) begin(ctx context.Context, j *job, to string, links []string) (begun bool, err error) {
	settled := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		begun = false
		if err := lock(ctx, tx, j.delivery); err != nil {
			return err
		}
		if settled, err = s.settledBefore(ctx, tx, j); err != nil || settled {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE delivery_steps SET state = 'sending', attempts = attempts + 1, lease_until = $4, links = $5, address = $7
			WHERE delivery = $1 AND step = $2 AND state = 'claimed' AND worker = $3 AND lease_until > $6`,
			j.delivery, j.step, s.worker, s.now().Add(sendLease), links, s.now(), s.hash(j.channel, to))
		begun = tag.RowsAffected() == 1
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // erased
	}
	if err != nil {
		return false, fmt.Errorf("beginning to send: %w", err)
	}
	if settled {
		return false, s.end(ctx, j, Claimed, ending{state: Skipped, reason: ReasonSettled})
	}
	return begun, nil
}

func lock(ctx context.Context, tx pgx.Tx, delivery string) error {
	var id string
	return tx.QueryRow(ctx, `SELECT id FROM deliveries WHERE id = $1 FOR UPDATE`, delivery).Scan(&id)
}

// settledBefore says whether an earlier step of the cascade has the receipt that ends it.
func (s *Service) settledBefore(ctx context.Context, tx pgx.Tx, j *job) (bool, error) {
	if j.step == 0 || len(j.cascade) == 0 {
		return false, nil
	}
	rows, err := tx.Query(ctx, `SELECT step, delivered_at, opened_at, clicked_at, replied_at FROM delivery_steps WHERE delivery = $1 AND step < $2`, j.delivery, j.step)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var step int
		var at [4]*time.Time
		if err := rows.Scan(&step, &at[0], &at[1], &at[2], &at[3]); err != nil {
			return false, err
		}
		for i, kind := range []channels.ReceiptKind{channels.Delivered, channels.Opened, channels.Clicked, channels.Replied} {
			if at[i] != nil && step < len(j.cascade) && j.cascade[step].Ends(kind) {
				return true, nil
			}
		}
	}
	return false, rows.Err()
}

// ending is how an attempt ended.
type ending struct {
	state    State
	reason   string
	provider string
	again    time.Time // with Queued
	dead     string    // an address that is used no more
}

// end writes down how a step ended, moves the cascade on and settles the message, in
// one transaction. A step that is not where it was, as its worker was given up, is left.
func (s *Service) end(ctx context.Context, j *job, from State, e ending) error {
	changed := false
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		changed = false
		if err := lock(ctx, tx, j.delivery); err != nil {
			return err
		}
		now := s.now()
		var sent, again any
		if e.state == Sent {
			sent = now
		}
		if !e.again.IsZero() {
			again = e.again
		}
		// What was given up as uncertain and comes back after all is known.
		tag, err := tx.Exec(ctx, `UPDATE delivery_steps SET state = $5, reason = $6, provider_id = $7, sent_at = COALESCE($8, sent_at), due_at = COALESCE($9, due_at), lease_until = NULL
			WHERE delivery = $1 AND step = $2 AND worker = $3 AND (state = $4 OR $4 = 'sending' AND state = 'uncertain' AND $5 <> 'queued')`,
			j.delivery, j.step, s.worker, from, e.state, e.reason, e.provider, sent, again)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		changed = true
		if e.state == Sent {
			if e.state, e.reason, err = failedMeanwhile(ctx, tx, j); err != nil {
				return err
			}
		}
		if e.dead != "" {
			if err := s.bury(ctx, tx, j, e.dead, e.reason); err != nil {
				return err
			}
		}
		return s.moveOn(ctx, tx, j, e.state, e.reason)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // erased
	}
	if err != nil {
		return fmt.Errorf("writing down what became of a message: %w", err)
	}
	if !changed {
		return nil
	}
	return errors.Join(s.takeEarly(ctx, j.channel, e.provider), s.settleCap(ctx, j))
}

// failedMeanwhile is the state of a step that was just sent: failed, where its provider
// told so while it was being sent.
func failedMeanwhile(ctx context.Context, tx pgx.Tx, j *job) (state State, reason string, err error) {
	err = tx.QueryRow(ctx, `UPDATE delivery_steps SET state = 'failed', reason = CASE WHEN bounced_at IS NULL THEN 'failed' ELSE 'bounced' END WHERE delivery = $1 AND step = $2
		AND (failed_at IS NOT NULL OR bounced_at IS NOT NULL) AND delivered_at IS NULL AND opened_at IS NULL AND clicked_at IS NULL AND replied_at IS NULL RETURNING state, reason`,
		j.delivery, j.step).Scan(&state, &reason)
	if errors.Is(err, pgx.ErrNoRows) {
		return Sent, "", nil
	}
	return state, reason, err
}

// moveOn starts the next step of a cascade where one follows, notes what happened and
// settles the state of the message.
func (s *Service) moveOn(ctx context.Context, tx pgx.Tx, j *job, state State, reason string) error {
	now := s.now()
	if state != Queued && j.step+1 < len(j.cascade) && reason != ReasonSettled {
		due := now // nothing is waited for after a failure
		if state == Sent || state == Uncertain {
			due = now.Add(j.cascade[j.step].Pause())
		}
		if _, err := tx.Exec(ctx, `INSERT INTO delivery_steps (delivery, step, channel, state, due_at) VALUES ($1, $2, $3, 'queued', $4) ON CONFLICT DO NOTHING`,
			j.delivery, j.step+1, j.cascade[j.step+1].Channel, due); err != nil {
			return err
		}
	}
	if event := s.eventOf(j.channel, state); event != "" {
		if err := s.addNote(ctx, tx, j, event, now, string(state), map[string]any{"reason": reason}); err != nil {
			return err
		}
	}
	return settleState(ctx, tx, j.delivery, now)
}

// settleState is the state of a message by its steps: sent once one was, passing while
// one is, else that of the last.
func settleState(ctx context.Context, tx pgx.Tx, delivery string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE deliveries d SET updated_at = $2, (state, reason) = (
		SELECT CASE WHEN bool_or(state = 'sent') THEN 'sent' WHEN bool_or(state IN ('queued', 'claimed', 'sending')) THEN 'queued'
			WHEN bool_or(state = 'uncertain') THEN 'uncertain' ELSE (array_agg(state ORDER BY step DESC))[1] END,
			CASE WHEN bool_or(state = 'sent') THEN '' ELSE (array_agg(reason ORDER BY step DESC))[1] END
		FROM delivery_steps s WHERE s.delivery = d.id) WHERE id = $1`, delivery, now)
	return err
}

// commit counts the contact before it is made, and returns the rule that forbids it now.
func (s *Service) commit(ctx context.Context, j *job) (rule string, err error) {
	if s.caps == nil || j.message.DecisionID == "" {
		return "", nil
	}
	err = s.caps.Commit(ctx, j.message.DecisionID)
	var full *decide.CapError
	if errors.As(err, &full) {
		return full.Rule, nil
	}
	if err != nil {
		return "", fmt.Errorf("counting a contact: %w", err)
	}
	return "", nil
}

// settleCap commits or releases the reservation of a message that has ended. It is done
// behind the transaction, marked in one of its own, and again by [Service.reap] when it
// was missed.
func (s *Service) settleCap(ctx context.Context, j *job) error {
	if s.caps == nil {
		return nil
	}
	var state State
	if err := s.pool.QueryRow(ctx, `SELECT state FROM deliveries WHERE id = $1 AND cap = ''`, j.delivery).Scan(&state); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return fmt.Errorf("reading the state of a message: %w", err)
	}
	word := "committed"
	switch state {
	case Sent, Uncertain:
		if _, err := s.commit(ctx, j); err != nil { // it was made, whatever the rules say
			return err
		}
	case Skipped, Failed:
		word = "released"
		if err := s.caps.Release(ctx, j.message.DecisionID); err != nil {
			return fmt.Errorf("giving back a contact: %w", err)
		}
	default:
		return nil
	}
	if _, err := s.pool.Exec(ctx, `UPDATE deliveries SET cap = $2 WHERE id = $1`, j.delivery, word); err != nil {
		return fmt.Errorf("marking a contact as counted: %w", err)
	}
	return nil
}

// reap gives back what workers that died had claimed, and gives up what they were
// sending: the provider may have it.
func (s *Service) reap(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `UPDATE delivery_steps SET state = 'queued', lease_until = NULL WHERE state = 'claimed' AND lease_until < $1`, s.now()); err != nil {
		return fmt.Errorf("giving messages back: %w", err)
	}
	rows, err := s.pool.Query(ctx, `SELECT s.delivery, s.step, s.channel, d.body, d.cascade FROM delivery_steps s JOIN deliveries d ON d.id = s.delivery
		WHERE s.state = 'sending' AND s.lease_until < $1 ORDER BY s.lease_until LIMIT $2`, s.now(), pageSize)
	if err != nil {
		return fmt.Errorf("looking for messages that were being sent: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (j job, err error) {
		var body, cascade []byte
		if err := row.Scan(&j.delivery, &j.step, &j.channel, &body, &cascade); err != nil {
			return j, err
		}
		if cascade != nil {
			if err := json.Unmarshal(cascade, &j.cascade); err != nil {
				return j, err
			}
		}
		return j, json.Unmarshal(body, &j.message)
	})
	if err != nil {
		return fmt.Errorf("looking for messages that were being sent: %w", err)
	}
	for i := range jobs {
		j := &jobs[i]
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := lock(ctx, tx, j.delivery); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, `UPDATE delivery_steps SET state = 'uncertain', reason = 'the worker died while it sent', lease_until = NULL
				WHERE delivery = $1 AND step = $2 AND state = 'sending' AND lease_until < $3`, j.delivery, j.step, s.now())
			if err != nil || tag.RowsAffected() == 0 {
				return err
			}
			return s.moveOn(ctx, tx, j, Uncertain, "")
		})
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("giving up a message: %w", err)
		}
	}
	return s.settleCaps(ctx)
}

// settleCaps catches up on contacts that were not counted, as a process died in between.
func (s *Service) settleCaps(ctx context.Context) error {
	if s.caps == nil {
		return nil
	}
	rows, err := s.pool.Query(ctx, `SELECT id, decision_id FROM deliveries WHERE cap = '' AND state NOT IN ('queued') AND updated_at < $1 ORDER BY id LIMIT $2`, s.now().Add(-time.Minute), pageSize)
	if err != nil {
		return fmt.Errorf("looking for contacts that were not counted: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (j job, err error) {
		return j, row.Scan(&j.delivery, &j.message.DecisionID)
	})
	if err != nil {
		return fmt.Errorf("looking for contacts that were not counted: %w", err)
	}
	for i := range jobs {
		if err := s.settleCap(ctx, &jobs[i]); err != nil {
			return err
		}
	}
	return nil
}

// skipUndriven skips what is due on channels that have no driver.
func (s *Service) skipUndriven(ctx context.Context) error {
	keys := []string{}
	for key := range s.driverKeys() {
		keys = append(keys, key)
	}
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT channel FROM delivery_steps WHERE state = 'queued' AND due_at <= $1 AND channel <> ALL($2) LIMIT 100`, s.now(), keys)
	if err != nil {
		return fmt.Errorf("looking for channels without a driver: %w", err)
	}
	undriven, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("looking for channels without a driver: %w", err)
	}
	for _, channel := range undriven {
		for {
			jobs, err := s.claim(ctx, channel)
			if err != nil {
				return err
			}
			for i := range jobs {
				if err := s.end(ctx, &jobs[i], Claimed, ending{state: Skipped, reason: ReasonNoDriver}); err != nil {
					return err
				}
			}
			if len(jobs) < pageSize {
				break
			}
		}
	}
	return nil
}

const maxReason = 300

func clipReason(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	return toValid(text)
}
