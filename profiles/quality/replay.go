package quality

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
	"quintet/profiles"
	"quintet/profiles/tracking"
)

// maxSettled is how many items one call replays or discards.
const maxSettled = 500

// claimTimeout is after which time an item that somebody is replaying may be
// replayed by somebody else.
const claimTimeout = 5 * time.Minute

// Selection chooses items in quarantine.
type Selection struct {
	IDs    []string          `json:"ids,omitempty" maxItems:"500"`
	Filter *QuarantineFilter `json:"filter,omitempty" doc:"In place of ids: open items, those that were replayed least and then the oldest first, at most 500 of them; for a replay without those that are truncated or records of the stream"`
}

// ReplayRequest says what is to be replayed.
type ReplayRequest struct {
	Selection
	Patch json.RawMessage `json:"patch,omitempty" doc:"JSON merge patch (RFC 7386) that corrects each item first: {\"properties\":{\"total\":12.5}}"`
}

// Replayed says what became of an item.
type Replayed struct {
	ID     string              `json:"id"`
	Status string              `json:"status" enum:"stored,repeated,refused,truncated,settled,unknown,unreadable,failed" doc:"stored; repeated: it was stored before; refused: it still breaks a rule and stays; truncated: too long to be replayed; settled: replayed or discarded before, or another call is at it; unreadable: a record that only a corrected reader can decode; failed: try again later"`
	Errors []problem.Violation `json:"errors,omitempty"`
}

// ReplayResult says what became of the items.
type ReplayResult struct {
	Stored  int        `json:"stored"`
	Refused int        `json:"refused" doc:"Items that stay in quarantine"`
	Items   []Replayed `json:"items" nullable:"false"`
	More    bool       `json:"more" doc:"The filter finds more items: call again"`
}

// Replay corrects items and takes them in. It stops early when the stream takes
// nothing.
func (s *Service) Replay(ctx context.Context, in *ReplayRequest, by string) (*ReplayResult, error) {
	if err := s.quarantine.flush(ctx); err != nil {
		return nil, err
	}
	if len(in.Patch) > 0 {
		if _, err := applyPatch([]byte("{}"), in.Patch); err != nil {
			return nil, err
		}
	}
	ids, more, err := s.quarantine.chosen(ctx, &in.Selection, true)
	if err != nil {
		return nil, err
	}
	out := &ReplayResult{Items: make([]Replayed, 0, len(ids)), More: more}
	for _, id := range ids {
		r, err := s.replay(ctx, id, in.Patch, by)
		if err != nil {
			if ctx.Err() != nil || len(out.Items) == 0 {
				return nil, err
			}
			s.log.Warn("a message in quarantine cannot be replayed", "id", id, "error", err)
			out.Items = append(out.Items, Replayed{ID: id, Status: "failed"})
			out.More = true
			return out, nil
		}
		switch r.Status {
		case "stored", "repeated":
			out.Stored++
		case "refused", "truncated", "unreadable":
			out.Refused++
		}
		out.Items = append(out.Items, *r)
	}
	return out, nil
}

// chosen are the ids that a selection names. By a filter those come first that were
// tried least, so that what stays refused is not in the way of the rest; what cannot be
// replayed at all is left out where that is what they are chosen for.
func (q *quarantine) chosen(ctx context.Context, sel *Selection, replay bool) (ids []string, more bool, err error) {
	switch {
	case len(sel.IDs) == 0 && sel.Filter == nil:
		return nil, false, problem.Invalid{{Field: "ids", Rule: "ids or a filter is required"}}
	case len(sel.IDs) > 0 && sel.Filter != nil:
		return nil, false, problem.Invalid{{Field: "filter", Rule: "must not be given beside ids"}}
	case len(sel.IDs) > maxSettled:
		return nil, false, problem.Invalid{{Field: "ids", Rule: "must be at most " + strconv.Itoa(maxSettled), Value: len(sel.IDs)}}
	case len(sel.IDs) > 0:
		var bad problem.Invalid
		for i, id := range sel.IDs {
			if stored(id) != id || len(id) > 200 {
				bad.Add(fmt.Sprintf("ids[%d]", i), "must be the id of an item", nil)
			}
		}
		return sel.IDs, false, bad.Err()
	}
	if err := sel.Filter.check(); err != nil {
		return nil, false, err
	}
	if sel.Filter.Status != "" && sel.Filter.Status != "open" {
		return nil, false, problem.Invalid{{Field: "filter.status", Rule: "must be open, or left out"}}
	}
	where, arguments := sel.Filter.where()
	if replay {
		where += " AND NOT truncated AND cause <> 'record'"
	}
	rows, err := q.s.postgres.Query(ctx, `SELECT id FROM quarantine_items WHERE status = 'open' AND `+where+` ORDER BY attempts, received_at, id LIMIT `+strconv.Itoa(maxSettled+1), arguments...)
	if err != nil {
		return nil, false, fmt.Errorf("choosing items in quarantine: %w", err)
	}
	if ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, false, fmt.Errorf("choosing items in quarantine: %w", err)
	}
	if more = len(ids) > maxSettled; more {
		ids = ids[:maxSettled]
	}
	return ids, more, nil
}

// replay takes one item in. Who replays it claims it first, so that of two calls one
// does; the id of the message makes it count once should the end of a replay be cut
// off before it is noted.
func (s *Service) replay(ctx context.Context, id string, patch json.RawMessage, by string) (*Replayed, error) {
	item, err := s.quarantine.get(ctx, id)
	var missing *problem.Error
	switch {
	case errors.As(err, &missing):
		return &Replayed{ID: id, Status: "unknown"}, nil
	case err != nil:
		return nil, err
	case item.Cause == causeRecord:
		return &Replayed{ID: id, Status: "unreadable"}, nil
	case item.Truncated:
		return &Replayed{ID: id, Status: "truncated"}, nil
	}
	tag, err := s.postgres.Exec(ctx, `UPDATE quarantine SET status = 'replaying', claimed_at = now()
		WHERE id = $1 AND (status = 'open' OR status = 'replaying' AND claimed_at < now() - make_interval(secs => $2))`, id, claimTimeout.Seconds())
	if err != nil {
		return nil, fmt.Errorf("claiming an item in quarantine: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return &Replayed{ID: id, Status: "settled"}, nil
	}
	status, done, err := s.reingest(ctx, item, patch)
	// What was claimed is let go also when the caller went away.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err != nil {
		_, released := s.postgres.Exec(end, `UPDATE quarantine SET status = 'open' WHERE id = $1`, id)
		return nil, errors.Join(err, released)
	}
	if status != "refused" {
		_, err = s.postgres.Exec(end, `UPDATE quarantine SET status = 'replayed', settled_at = now(), settled_by = $2, body = '', shared = '', errors = '[]' WHERE id = $1`, id, by)
	} else {
		first := done[0]
		encoded, _ := json.Marshal(done[:min(len(done), maxErrors)]) // texts and values that were JSON
		_, err = s.postgres.Exec(end, `UPDATE quarantine SET status = 'open', attempts = attempts + 1, field = $2, rule = $3, errors = $4 WHERE id = $1`,
			id, stored(strings.TrimPrefix(first.Location, "body.")), stored(first.Message), string(encoded))
	}
	if err != nil {
		return nil, fmt.Errorf("noting what became of an item in quarantine: %w", err)
	}
	return &Replayed{ID: id, Status: status, Errors: done}, nil
}

func (s *Service) reingest(ctx context.Context, item *Quarantined, patch json.RawMessage) (string, []problem.Violation, error) {
	r := &profiles.Refused{
		Source: item.Source, Form: tracking.Form(item.form), MessageID: item.MessageID, Raw: string(item.body), Shared: string(item.shared),
		Received: item.ReceivedAt, Trusted: item.trusted,
	}
	if r.Kind = tracking.Batch; item.kind != tracking.Batch.String() {
		r.Kind, _ = tracking.ParseType(item.kind)
	}
	if len(patch) > 0 {
		patched, err := applyPatch(item.body, patch)
		if err != nil {
			return "", nil, err
		}
		r.Raw = string(patched)
	}
	if r.MessageID == "" {
		r.MessageID = "quarantine-" + item.ID
	}
	if r.Form != profiles.FormWebhook {
		raw, err := identified(r)
		if err != nil {
			return "refused", problem.Invalid{{Field: "", Rule: "must be an object"}}.Violations(), nil //nolint:nilerr // the item is to blame
		}
		r.Raw = raw
	}
	done, err := s.profiles.Reingest(ctx, r)
	var refused *problem.Error
	switch {
	case errors.As(err, &refused) && refused.Status < 500 && refused.Status != 429:
		return "refused", problem.Invalid{{Field: "", Rule: refused.Detail}}.Violations(), nil
	case err != nil:
		return "", nil, fmt.Errorf("replaying an item in quarantine: %w", err)
	case len(done.Errors) > 0:
		return "refused", done.Errors.Violations(), nil
	case done.Repeated == done.Accepted && done.Repeated > 0:
		return "repeated", nil, nil
	}
	return "stored", nil, nil
}

// identified is a message with an id: with its own, or the one that it was given when
// it was refused.
func identified(r *profiles.Refused) (string, error) {
	var message map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.Raw), &message); err != nil || message == nil {
		return "", errors.Join(err, errTrailing)
	}
	names := []string{"messageId", "message_id"}
	id := r.MessageID
	if r.Form == tracking.FormPostHog {
		names, id = []string{"uuid"}, strings.TrimSuffix(id, "-set")
	}
	for _, name := range names {
		if own, there := message[name]; there && string(own) != "null" && string(own) != `""` {
			return r.Raw, nil
		}
	}
	message[names[0]], _ = json.Marshal(id) // a text
	text, err := json.Marshal(message)
	return string(text), err
}

// DiscardResult says how much was discarded.
type DiscardResult struct {
	Discarded int  `json:"discarded"`
	More      bool `json:"more" doc:"The filter finds more items: call again"`
}

// Discard settles items without storing them; what they hold is removed.
func (s *Service) Discard(ctx context.Context, in *Selection, by string) (*DiscardResult, error) {
	if err := s.quarantine.flush(ctx); err != nil {
		return nil, err
	}
	ids, more, err := s.quarantine.chosen(ctx, in, false)
	if err != nil {
		return nil, err
	}
	out := &DiscardResult{More: more}
	err = pgx.BeginFunc(ctx, s.postgres, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE quarantine SET status = 'discarded', settled_at = now(), settled_by = $2, body = '', shared = '', errors = '[]' WHERE id = ANY($1) AND status = 'open'`, ids, by)
		if err != nil {
			return err
		}
		records, err := tx.Exec(ctx, `DELETE FROM rejected_records WHERE 'record-' || topic || '-' || reader || '-' || sequence || '-' || encode(digest, 'hex') = ANY($1)`, ids)
		out.Discarded = int(tag.RowsAffected() + records.RowsAffected())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("discarding items in quarantine: %w", err)
	}
	return out, nil
}
