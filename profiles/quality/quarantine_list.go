package quality

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
)

// Quarantined is something that was refused.
type Quarantined struct {
	ID         string              `json:"id"`
	ReceivedAt time.Time           `json:"receivedAt"`
	Source     string              `json:"source" doc:"Id of the API key, webhook: with its key, or stream: with a topic"`
	SourceName string              `json:"sourceName,omitempty"`
	Cause      string              `json:"cause" enum:"rule,schema,mapping,record" doc:"rule: of the API; schema: of the event; mapping: of a webhook; record: of the stream, which a reader cannot decode"`
	MessageID  string              `json:"messageId,omitempty"`
	Field      string              `json:"field" doc:"Where the first rule is broken; empty for the message as a whole"`
	Rule       string              `json:"rule" doc:"The first rule that it breaks"`
	Errors     []problem.Violation `json:"errors" nullable:"false" doc:"All rules, as far as they are kept; without values for callers from whom personal data is hidden"`
	Status     string              `json:"status" enum:"open,replaying,replayed,discarded"`
	Attempts   int                 `json:"attempts" doc:"How often it was replayed in vain"`
	SettledAt  *time.Time          `json:"settledAt,omitempty"`
	SettledBy  string              `json:"settledBy,omitempty"`
	Bytes      int                 `json:"bytes" doc:"Of the body, as far as it is kept"`
	Truncated  bool                `json:"truncated,omitempty" doc:"The body is longer than what is kept, so that it cannot be replayed"`
	// Body is shown for one item only.
	Body   json.RawMessage `json:"body,omitempty" doc:"The message without its API key; what is no JSON is a text. Removed when it is settled"`
	Hidden bool            `json:"hidden,omitempty" doc:"The body is hidden, as personal data is from the caller"`

	shared  []byte
	body    []byte
	form    string
	kind    string
	trusted bool
}

// QuarantineFilter chooses items; empty fields choose all.
type QuarantineFilter struct {
	Source string    `query:"source" json:"source,omitempty" maxLength:"200"`
	Cause  string    `query:"cause" json:"cause,omitempty" enum:"rule,schema,mapping,record"`
	Status string    `query:"status" json:"status,omitempty" enum:"open,replaying,replayed,discarded"`
	Field  string    `query:"field" json:"field,omitempty" maxLength:"300" doc:"Exactly this field"`
	Rule   string    `query:"rule" json:"rule,omitempty" maxLength:"300" doc:"Part of the rule"`
	From   time.Time `query:"from" json:"from,omitzero"`
	To     time.Time `query:"to" json:"to,omitzero" doc:"Before this time"`
}

// where is the filter as SQL with its arguments.
func (f *QuarantineFilter) where() (string, []any) {
	conditions, arguments := []string{"true"}, []any{}
	add := func(condition string, argument any) {
		arguments = append(arguments, argument)
		conditions = append(conditions, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(arguments))))
	}
	for _, c := range [...]struct{ value, condition string }{
		{f.Source, "source = ?"}, {f.Cause, "cause = ?"}, {f.Status, "status = ?"}, {f.Field, "field = ?"}, {f.Rule, "position(lower(?) IN lower(rule)) > 0"},
	} {
		if c.value != "" {
			add(c.condition, c.value)
		}
	}
	if !f.From.IsZero() {
		add("received_at >= ?", f.From)
	}
	if !f.To.IsZero() {
		add("received_at < ?", f.To)
	}
	return strings.Join(conditions, " AND "), arguments
}

func (f *QuarantineFilter) check() error {
	var bad problem.Invalid
	for _, c := range [...]struct{ name, value string }{{"source", f.Source}, {"field", f.Field}, {"rule", f.Rule}} {
		if !utf8.ValidString(c.value) || strings.ContainsRune(c.value, 0) {
			bad.Add(c.name, "must be valid UTF-8 without the character 0", nil)
		}
	}
	return bad.Err()
}

const quarantineColumns = `id, received_at, source, cause, form, kind, message_id, field, rule, errors, octet_length(body), truncated, trusted, status, attempts, settled_at, settled_by`

// list returns a page of items, the newest first. before is where the page before
// ended.
func (q *quarantine) list(ctx context.Context, f *QuarantineFilter, before string, limit int) (items []Quarantined, next string, err error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	where, arguments := f.where()
	if before != "" {
		at, id, err := readCursor(before)
		if err != nil {
			return nil, "", err
		}
		n := len(arguments)
		where += fmt.Sprintf(" AND (received_at, id) < ($%d, $%d)", n+1, n+2)
		arguments = append(arguments, at, id)
	}
	rows, err := q.s.postgres.Query(ctx, `SELECT `+quarantineColumns+` FROM quarantine_items WHERE `+where+` ORDER BY received_at DESC, id DESC LIMIT `+strconv.Itoa(limit+1), arguments...)
	if err != nil {
		return nil, "", fmt.Errorf("listing the quarantine: %w", err)
	}
	if items, err = pgx.CollectRows(rows, q.scan); err != nil {
		return nil, "", fmt.Errorf("listing the quarantine: %w", err)
	}
	if len(items) > limit {
		items = items[:limit]
		last := &items[limit-1]
		next = strconv.FormatInt(last.ReceivedAt.UnixMicro(), 10) + "-" + last.ID
	}
	return items, next, nil
}

func readCursor(cursor string) (time.Time, string, error) {
	at, id, ok := strings.Cut(cursor, "-")
	micro, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return time.Time{}, "", problem.Invalid{{Field: "query.before", Rule: "must be the next of the page before", Value: problem.Clip(cursor)}}
	}
	return time.UnixMicro(micro).UTC(), id, nil
}

func (q *quarantine) scan(row pgx.CollectableRow) (Quarantined, error) {
	var i Quarantined
	err := q.scanInto(&i, row)
	return i, err
}

// scanInto reads the columns of an item, and further ones behind them.
func (q *quarantine) scanInto(i *Quarantined, row pgx.CollectableRow, further ...any) error {
	var errors string
	if err := row.Scan(append([]any{&i.ID, &i.ReceivedAt, &i.Source, &i.Cause, &i.form, &i.kind, &i.MessageID, &i.Field, &i.Rule, &errors, &i.Bytes, &i.Truncated, &i.trusted,
		&i.Status, &i.Attempts, &i.SettledAt, &i.SettledBy}, further...)...); err != nil {
		return err
	}
	i.ReceivedAt = i.ReceivedAt.UTC()
	if json.Unmarshal([]byte(errors), &i.Errors) != nil || i.Errors == nil {
		i.Errors = []problem.Violation{}
	}
	i.SourceName = q.s.nameOf(i.Source)
	return nil
}

// get returns one item with its body.
func (q *quarantine) get(ctx context.Context, id string) (*Quarantined, error) {
	if !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return nil, problem.NotFound("item in quarantine", id)
	}
	var i Quarantined
	err := pgx.BeginFunc(ctx, q.s.postgres, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+quarantineColumns+` FROM quarantine_items WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if i, err = pgx.CollectExactlyOneRow(rows, q.scan); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT body, shared FROM quarantine_items WHERE id = $1`, id).Scan(&i.body, &i.shared)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("item in quarantine", id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading an item in quarantine: %w", err)
	}
	i.show()
	return &i, nil
}

// show makes the body what the API shows of it.
func (i *Quarantined) show() {
	switch {
	case len(i.body) == 0:
	case !i.Truncated && json.Valid(i.body):
		i.Body = i.body
	default:
		i.Body, _ = json.Marshal(string(i.body)) // bytes that are no text become marks
	}
}

// hide removes what callers from whom personal data is hidden may not see.
func (i *Quarantined) hide() {
	i.Hidden, i.Body = true, nil
	for n := range i.Errors {
		i.Errors[n].Value = nil
	}
	if i.Cause == causeRecord {
		i.Rule = "the record cannot be decoded"
	}
}
