package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/channels"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// instant is how soon after the sending nobody has read a message: what opens it
// before that is a machine, such as a filter that looks for malware.
const instant = 2 * time.Second

// columns are those of the kinds of receipts.
var columns = map[channels.ReceiptKind]string{
	channels.Delivered: "delivered_at", channels.Opened: "opened_at", channels.Clicked: "clicked_at", channels.Replied: "replied_at",
	channels.Failed: "failed_at", channels.Bounced: "bounced_at", channels.Complained: "complained_at",
}

// Receipt takes what a provider tells of a message on a channel. It may come again, late
// and in any order, also before the sending was written down. One about a message that
// does not become known is dropped.
func (s *Service) Receipt(ctx context.Context, channel string, r channels.Receipt) error {
	var delivery string
	var step int
	var err error
	if r.ID != "" {
		delivery, step, err = parseStepID(r.ID)
	} else {
		delivery, step, err = s.byProvider(ctx, channel, r.ProviderID)
		if _, known := columns[r.Kind]; errors.Is(err, pgx.ErrNoRows) && known && r.ProviderID != "" {
			return s.keepEarly(ctx, channel, r)
		}
	}
	if errors.Is(err, pgx.ErrNoRows) || errors.Is(err, errNoStep) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.receive(ctx, delivery, step, r, nil)
}

var errNoStep = errors.New("no id of a message")

func parseStepID(text string) (delivery string, step int, err error) {
	id, n, found := strings.Cut(text, "-")
	step, err = strconv.Atoi(n)
	if !found || err != nil || len(id) != 26 {
		return "", 0, errNoStep
	}
	return strings.ToUpper(id), step, nil
}

// receive writes a receipt down. machine is set for what no person did.
func (s *Service) receive(ctx context.Context, delivery string, step int, r channels.Receipt, more map[string]any) error {
	column, known := columns[r.Kind]
	if !known {
		return nil
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, delivery); err != nil {
			return err
		}
		j, state, err := readJob(ctx, tx, delivery, step)
		if err != nil {
			return err
		}
		if state != Sent && state != Uncertain && state != Failed && state != Sending {
			return nil // it was not sent: somebody made it up
		}
		at := r.At
		if at.IsZero() || at.After(s.now()) {
			at = s.now()
		}
		tag, err := tx.Exec(ctx, `UPDATE delivery_steps SET `+column+` = $3 WHERE delivery = $1 AND step = $2 AND `+column+` IS NULL`, delivery, step, at)
		if err != nil || tag.RowsAffected() == 0 {
			return err // it is known
		}
		properties := map[string]any{"code": r.Code}
		for k, v := range more {
			properties[k] = v
		}
		if r.Kind == channels.Bounced {
			properties["bounceType"] = "hard"
			address, err := s.buryAddressee(ctx, tx, j, "receipt: "+r.Code)
			if err != nil {
				return err
			}
			if s.isMail(j.channel) {
				properties["email"] = address
			}
		}
		if err := s.addNote(ctx, tx, j, s.eventName(j.channel, r.Kind), at, string(r.Kind), properties); err != nil {
			return err
		}
		return s.applyReceipt(ctx, tx, j, state, r.Kind)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // erased
	}
	if err != nil {
		return fmt.Errorf("writing a receipt down: %w", err)
	}
	return nil
}

// applyReceipt moves the message and its cascade on.
func (s *Service) applyReceipt(ctx context.Context, tx pgx.Tx, j *job, state State, kind channels.ReceiptKind) error {
	switch kind {
	case channels.Failed, channels.Bounced:
		// What was delivered did not fail, whatever comes in which order.
		tag, err := tx.Exec(ctx, `UPDATE delivery_steps SET state = 'failed', reason = $3 WHERE delivery = $1 AND step = $2 AND state IN ('sent', 'uncertain')
			AND delivered_at IS NULL AND opened_at IS NULL AND clicked_at IS NULL AND replied_at IS NULL`, j.delivery, j.step, string(kind))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 1 && j.step+1 < len(j.cascade) { // nothing is to be waited for any more
			if _, err := tx.Exec(ctx, `UPDATE delivery_steps SET due_at = LEAST(due_at, $3) WHERE delivery = $1 AND step = $2 AND state = 'queued'`, j.delivery, j.step+1, s.now()); err != nil {
				return err
			}
		}
	case channels.Complained:
	default:
		// It arrived after all.
		if _, err := tx.Exec(ctx, `UPDATE delivery_steps SET state = 'sent', reason = '', sent_at = COALESCE(sent_at, $3) WHERE delivery = $1 AND step = $2 AND state IN ('uncertain', 'failed')`,
			j.delivery, j.step, s.now()); err != nil {
			return err
		}
		if j.step < len(j.cascade) && j.cascade[j.step].Ends(kind) {
			if _, err := tx.Exec(ctx, `UPDATE delivery_steps SET state = 'skipped', reason = $3, lease_until = NULL WHERE delivery = $1 AND step > $2 AND state IN ('queued', 'claimed')`,
				j.delivery, j.step, ReasonSettled); err != nil {
				return err
			}
		}
	}
	if state == Sending {
		return nil // its worker settles it
	}
	return settleState(ctx, tx, j.delivery, s.now())
}

func readJob(ctx context.Context, tx pgx.Tx, delivery string, step int) (*job, State, error) {
	j := &job{delivery: delivery, step: step}
	var body, cascade []byte
	var state State
	if err := tx.QueryRow(ctx, `SELECT s.channel, s.state, d.body, d.cascade FROM delivery_steps s JOIN deliveries d ON d.id = s.delivery WHERE s.delivery = $1 AND s.step = $2`,
		delivery, step).Scan(&j.channel, &state, &body, &cascade); err != nil {
		return nil, "", err
	}
	if cascade != nil {
		if err := json.Unmarshal(cascade, &j.cascade); err != nil {
			return nil, "", err
		}
	}
	return j, state, json.Unmarshal(body, &j.message)
}

func (s *Service) isMail(channel string) bool {
	d, err := s.driver(channel)
	return err == nil && d != nil && d.config.Driver == channels.DriverSMTP
}

// eventName is the name of an event: for mail that of the Segment specification.
func (s *Service) eventName(channel string, kind channels.ReceiptKind) string {
	if s.isMail(channel) {
		return map[channels.ReceiptKind]string{
			channels.Delivered: "Email Delivered", channels.Opened: "Email Opened", channels.Clicked: "Email Link Clicked", channels.Replied: "Email Replied",
			channels.Failed: "Email Failed", channels.Bounced: "Email Bounced", channels.Complained: "Email Marked as Spam",
		}[kind]
	}
	return map[channels.ReceiptKind]string{
		channels.Delivered: "Message Delivered", channels.Opened: "Message Opened", channels.Clicked: "Message Clicked", channels.Replied: "Message Replied",
		channels.Failed: "Message Failed", channels.Bounced: "Message Bounced", channels.Complained: "Message Marked as Spam",
	}[kind]
}

// eventOf is the event of a state, "" where none tells of it.
func (s *Service) eventOf(channel string, state State) string {
	prefix := "Message "
	if s.isMail(channel) {
		prefix = "Email "
	}
	switch state {
	case Sent:
		return prefix + "Sent"
	case Failed:
		return prefix + "Failed"
	}
	return ""
}

// addNote stores an event for the stream, in the transaction of what it tells of. Each
// kind of a step has one.
func (s *Service) addNote(ctx context.Context, tx pgx.Tx, j *job, event string, at time.Time, kind string, more map[string]any) error {
	m := &j.message
	properties := map[string]any{
		"decisionId": m.DecisionID, "decision": m.Decision, "offer": m.Offer, "creative": m.Creative, "channel": j.channel,
		"origin": m.Origin, "originKey": m.OriginKey, "deliveryId": j.delivery, "step": j.step,
	}
	for k, v := range more {
		if v != nil && v != "" {
			properties[k] = v
		}
	}
	text, err := json.Marshal(properties)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO delivery_notes (person, profile_id, message_id, event, at, properties) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (message_id) DO NOTHING`,
		m.Person, m.ProfileID, "delivery/"+stepID(j)+"/"+kind, event, at, text)
	return err
}

// relayNotes hands events to the stream, a page in a transaction: killed in between, it
// hands them over again, and they count once by their ids.
func (s *Service) relayNotes(ctx context.Context) error {
	if s.note == nil {
		return nil
	}
	for {
		n := 0
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, `DELETE FROM delivery_notes WHERE number IN (SELECT number FROM delivery_notes ORDER BY number LIMIT $1 FOR UPDATE SKIP LOCKED)
				RETURNING profile_id, message_id, event, at, properties`, pageSize)
			if err != nil {
				return err
			}
			notes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (note profiles.Note, err error) {
				var profile string
				var properties []byte
				if err := row.Scan(&profile, &note.MessageID, &note.Event, &note.Time, &properties); err != nil {
					return note, err
				}
				note.Profile, _ = identity.ParseID(profile)
				return note, json.Unmarshal(properties, &note.Properties)
			})
			if n = len(notes); err != nil || n == 0 {
				return err
			}
			return s.note(ctx, notes)
		})
		if err != nil {
			return fmt.Errorf("handing events to the stream: %w", err)
		}
		if n < pageSize {
			return nil
		}
	}
}
