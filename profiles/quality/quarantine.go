package quality

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"quintet/internal/problem"
	"quintet/profiles"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// Bounds of the quarantine.
const (
	// MaxQuarantinedPerDay is how many messages of a source are kept of a day.
	MaxQuarantinedPerDay = 10_000
	// QuarantineRetention is how long a message is kept.
	QuarantineRetention = 30 * 24 * time.Hour
	// maxQueue and maxQueueBytes bound what waits to be stored.
	maxQueue, maxQueueBytes = 10_000, 32 << 20
	// maxErrors is how many broken rules of a message are kept.
	maxErrors = 20
)

// queueInterval is how long what was refused waits for more.
const queueInterval = 250 * time.Millisecond

// quarantine keeps what was refused. Whoever refuses never waits: what does not fit
// into the queue is counted and gone.
type quarantine struct {
	s      *Service
	unkept prometheus.Counter
	wake   chan struct{}

	mu    sync.Mutex
	queue []*profiles.Refused
	bytes int

	storing sync.Mutex // one at a time; guards what follows
	day     time.Time
	kept    map[string]int // of the day, by source
}

func newQuarantine(s *Service, registry prometheus.Registerer) *quarantine {
	q := &quarantine{s: s, wake: make(chan struct{}, 1), kept: map[string]int{}, unkept: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "quintet_quarantine_unkept_total", Help: "Refused messages that were not kept in quarantine, as there were too many.",
	})}
	if registry != nil {
		registry.MustRegister(q.unkept)
	}
	return q
}

func size(r *profiles.Refused) int { return len(r.Raw) + len(r.Shared) + 512 }

func (q *quarantine) offer(r *profiles.Refused) {
	q.mu.Lock()
	full := len(q.queue) >= maxQueue || q.bytes+size(r) > maxQueueBytes
	if !full {
		q.queue = append(q.queue, r)
		q.bytes += size(r)
	}
	q.mu.Unlock()
	if full {
		q.lose(r.Source, 1)
		return
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// lose counts what is not kept.
func (q *quarantine) lose(source string, n int) {
	q.unkept.Add(float64(n))
	q.s.intake.add(source, intakeCounts{unkept: uint64(n)})
}

func (q *quarantine) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := q.flush(last); err != nil {
				q.s.log.Warn("what was refused during the last moments is not in quarantine", "error", err)
			}
			return nil
		case <-q.wake:
		}
		select {
		case <-ctx.Done():
			continue
		case <-time.After(queueInterval):
		}
		if err := q.s.timed(ctx, q.flush); err != nil && ctx.Err() == nil {
			q.s.log.Warn("cannot store what was refused; it is tried again", "error", err)
			time.AfterFunc(time.Second, func() {
				select {
				case q.wake <- struct{}{}:
				default:
				}
			})
		}
	}
}

// flush stores what waits.
func (q *quarantine) flush(ctx context.Context) error {
	q.storing.Lock()
	defer q.storing.Unlock()
	q.mu.Lock()
	queue := q.queue
	q.queue, q.bytes = nil, 0
	q.mu.Unlock()
	if len(queue) == 0 {
		return nil
	}
	// Whoever erases waits for this lock, so that what is looked up here holds.
	rows, lost, err := q.rows(ctx, queue)
	if err == nil && len(rows) > 0 {
		_, err = q.s.postgres.CopyFrom(ctx, pgx.Identifier{"quarantine"}, []string{
			"id", "received_at", "source", "cause", "form", "kind", "message_id", "field", "rule", "errors", "body", "shared", "truncated", "trusted",
		}, pgx.CopyFromRows(rows))
	}
	if err == nil {
		for source, n := range lost {
			q.lose(source, n)
		}
		return nil
	}
	q.kept = map[string]int{} // counted anew
	q.day = time.Time{}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, r := range queue {
		if len(q.queue) >= maxQueue || q.bytes+size(r) > maxQueueBytes {
			for _, lost := range queue[i:] {
				q.lose(lost.Source, 1)
			}
			break
		}
		q.queue = append(q.queue, r)
		q.bytes += size(r)
	}
	return fmt.Errorf("storing %d refused messages: %w", len(queue), err)
}

// rows are what is kept of the queue, within the bound of the day; lost is how many of
// each source are beyond it.
func (q *quarantine) rows(ctx context.Context, queue []*profiles.Refused) (rows [][]any, lost map[string]int, err error) {
	if day := q.s.now().UTC().Truncate(24 * time.Hour); !day.Equal(q.day) {
		kept, err := q.countSince(ctx, day)
		if err != nil {
			return nil, nil, err
		}
		q.day, q.kept = day, kept
	}
	lost = map[string]int{}
	for _, r := range queue {
		if q.erased(r) {
			continue
		}
		if q.kept[r.Source] >= MaxQuarantinedPerDay {
			lost[r.Source]++
			continue
		}
		q.kept[r.Source]++
		rows = append(rows, rowOf(r))
	}
	return rows, lost, nil
}

func (q *quarantine) countSince(ctx context.Context, day time.Time) (map[string]int, error) {
	rows, err := q.s.postgres.Query(ctx, `SELECT source, count(*) FROM quarantine WHERE received_at >= $1 GROUP BY source`, day)
	if err != nil {
		return nil, fmt.Errorf("counting the quarantine: %w", err)
	}
	defer rows.Close()
	kept := map[string]int{}
	for rows.Next() {
		var source string
		var n int
		if err := rows.Scan(&source, &n); err != nil {
			return nil, fmt.Errorf("counting the quarantine: %w", err)
		}
		kept[source] = n
	}
	return kept, rows.Err()
}

// causes of a refusal.
const (
	causeRule    = "rule"
	causeSchema  = "schema"
	causeMapping = "mapping"
	causeRecord  = "record"
)

func rowOf(r *profiles.Refused) []any {
	errors := r.Errors.Violations()
	errors = errors[:min(len(errors), maxErrors)]
	encoded, _ := json.Marshal(errors) // texts and values that were JSON
	cause, field, rule := causeRule, "", ""
	switch {
	case r.Form == profiles.FormWebhook:
		cause = causeMapping
	case r.BySchema:
		cause = causeSchema
	}
	if len(r.Errors) > 0 {
		field, rule = stored(problem.Clip(r.Errors[0].Field)), stored(problem.Clip(r.Errors[0].Rule))
	}
	return []any{
		ulid.Make().String(), r.Received.UTC(), r.Source, cause, string(r.Form), r.Kind.String(), stored(r.MessageID), field, rule, string(encoded),
		withoutKeys(r.Form, r.Raw), []byte(r.Shared), r.Truncated, r.Trusted,
	}
}

// stored is a text as Postgres takes it.
func stored(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// keyMembers are where clients put their API key into a message.
var keyMembers = map[string]bool{"writeKey": true, "write_key": true, "api_key": true, "apiKey": true, "token": true}

// withoutKeys is a message without the API key of its sender. A message that was cut
// off is kept up to where it can be read.
func withoutKeys(form tracking.Form, raw string) []byte {
	if form == profiles.FormWebhook || !strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n"), "{") {
		return []byte(raw)
	}
	out := []byte{'{'}
	members(raw, func(name, value string) {
		if keyMembers[name] {
			return
		}
		if form == tracking.FormPostHog && name == "properties" && value[0] == '{' {
			value = string(withoutKeys(tracking.FormTracking, value)) // PostHog's clients repeat it there
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		quoted, _ := json.Marshal(name) // a text
		out = append(append(append(out, quoted...), ':'), value...)
	})
	return append(out, '}')
}

// erased says whether a text in the message is an identifier of somebody who was
// erased: nothing of them is to be kept again.
func (q *quarantine) erased(r *profiles.Refused) bool {
	if r.MessageID == "" && r.Raw == "" {
		return false
	}
	store := q.s.profiles.Store()
	if !store.AnyErased() {
		return false
	}
	known := texts(r.Raw + r.Shared)
	for text := range numbers(r.Raw) { // an id that is refused as it is no text
		known[text] = struct{}{}
	}
	// Namespaces of one's own stand in the message beside their values.
	namespaces := []string{identity.UserID, identity.AnonymousID, identity.Email, identity.Phone, identity.Device, identity.Card, identity.Telegram}
	for text := range known {
		if len(namespaces) < maxNamespaces && strings.Contains(r.Raw+r.Shared, `"externalIds"`) && identity.ValidNamespace(text) {
			namespaces = append(namespaces, text)
		}
	}
	candidates := make([]identity.Identifier, 0, len(namespaces))
	for text := range known {
		if text == "" || len(text) > identity.MaxValue {
			continue
		}
		candidates = candidates[:0]
		for _, namespace := range namespaces {
			candidates = append(candidates, identity.Identifier{Namespace: namespace, Value: text})
		}
		if store.Erased(candidates) {
			return true
		}
	}
	return false
}

// maxNamespaces bounds in how many namespaces the texts of a message are looked up.
const maxNamespaces = 40

// numbers are all numbers that stand as values, as they are written.
func numbers(raw string) map[string]struct{} {
	found := map[string]struct{}{}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			end := quotedEnd(raw, i)
			if end < 0 {
				return found
			}
			i = end - 1
		case c >= '0' && c <= '9' || c == '-':
			end := i + 1
			for end < len(raw) && strings.IndexByte("0123456789.eE+-", raw[end]) >= 0 {
				end++
			}
			found[raw[i:end]] = struct{}{}
			i = end - 1
		}
	}
	return found
}

// texts are all texts in quotes.
func texts(raw string) map[string]struct{} {
	found := map[string]struct{}{}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			continue
		}
		end := quotedEnd(raw, i)
		if end < 0 {
			break
		}
		found[unescaped(raw[i+1:end-1])] = struct{}{}
		i = end - 1
	}
	return found
}

// clean removes what is too old, and opens what a replay left behind.
func (q *quarantine) clean(ctx context.Context) error {
	// Whoever was replaying these was cut off.
	if _, err := q.s.postgres.Exec(ctx, `UPDATE quarantine SET status = 'open' WHERE status = 'replaying' AND claimed_at < now() - make_interval(secs => $1)`, claimTimeout.Seconds()); err != nil {
		return fmt.Errorf("letting go what was being replayed: %w", err)
	}
	if _, err := q.s.postgres.Exec(ctx, `DELETE FROM quarantine WHERE received_at < $1`, q.s.now().Add(-QuarantineRetention)); err != nil {
		return fmt.Errorf("removing what is too old from quarantine: %w", err)
	}
	return nil
}
