package tracking

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// Call is what one HTTP call carried. Its memory is used again by the next
// [Call.Parse].
type Call struct {
	// Messages are those that keep every rule, in order.
	Messages []Message
	// Rejected are the others, in order.
	Rejected []Rejected
	// WriteKey is the API key that clients without access to headers put into the
	// body, "" when absent.
	WriteKey string

	scan     scanner
	numbers  []Number
	context  string
	sentAt   int64
	received int64
	seen     int // messages of the batch, whether kept or not
	batch    bool
	postHog  bool
	limit    int // bytes of a message
}

// Parse reads the body of a call. kind is the type that the route stands for,
// [Batch] for the batch route. received is the server's clock.
//
// A [*SyntaxError] says that body is not JSON; [problem.Invalid] that the call
// as a whole breaks a rule. Messages that break a rule end up in
// c.Rejected, and a call of which nothing is left is not an error here.
func (c *Call) Parse(body string, kind Type, received time.Time) error {
	return c.ParseWithin(body, kind, received, Usual)
}

// ParseWithin is [Call.Parse] with other limits. The length of body is the
// caller's to check: it has read it.
func (c *Call) ParseWithin(body string, kind Type, received time.Time, limits Limits) error {
	c.begin(body, received, limits)
	s := &c.scan
	if s.peek() != '{' {
		return c.notThe("object")
	}
	var err error
	if kind == Batch {
		err = s.object(c.member)
	} else {
		err = c.message(kind)
	}
	if err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if kind == Batch {
		if !c.batch {
			s.faults.Add("batch", "is required", nil)
		}
		if err := c.checkBatch("batch"); err != nil {
			return err
		}
	}
	c.complete(kind == Batch)
	return nil
}

// begin makes c ready for the text.
func (c *Call) begin(body string, received time.Time, limits Limits) {
	*c = Call{
		Messages: c.Messages[:0],
		Rejected: c.Rejected[:0],
		numbers:  c.numbers[:0],
		received: received.UnixMilli(),
		limit:    limits.Message,
		scan:     scanner{text: body, path: c.scan.path[:0], illFormed: !utf8.ValidString(body)},
	}
}

// notThe is the error for a body that is no JSON, or JSON of another type than
// the one that is expected.
func (c *Call) notThe(expected string) error {
	s := &c.scan
	if s.at >= len(s.text) {
		return s.malformed("the body is empty")
	}
	if _, err := s.value(); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	return problem.Invalid{{Field: "", Rule: "the body must be a JSON " + expected}}
}

// checkBatch applies the rules for the number of messages; field is where they are.
func (c *Call) checkBatch(field string) error {
	s := &c.scan
	switch {
	case c.seen == 0 && len(s.faults) == 0:
		s.faults.Add(field, "must hold at least one message", nil)
	case c.seen > MaxBatch:
		s.faults.Add(field, fmt.Sprintf("must not hold more than %d messages", MaxBatch), c.seen)
	}
	return s.faults.Err()
}

// Release lets go of the text that was read, so that an unused Call keeps no
// more than its own slices.
func (c *Call) Release() {
	clear(c.Messages)
	clear(c.Rejected)
	clear(c.numbers)
	c.scan = scanner{path: c.scan.path[:0]}
	c.context, c.WriteKey = "", ""
}

// member reads one member of the object of a batch call.
func (c *Call) member(name string) error {
	s := &c.scan
	switch name {
	case "batch":
		if s.next() != array {
			return c.wrongType("must be an array")
		}
		c.batch = true
		return s.array(func(i int) error {
			c.seen = i + 1
			if i >= MaxBatch {
				_, err := s.value()
				return err
			}
			if s.next() != object {
				return c.strayElement(i)
			}
			return c.message(Batch)
		})
	case "context":
		var context contextFacts
		raw, err := c.contextObject(&context)
		if len(raw) > MaxSharedContext {
			// It is copied into every message of the batch.
			c.scan.fault(fmt.Sprintf("must not be larger than %d bytes where it is shared by a batch", MaxSharedContext), len(raw))
		}
		c.context = raw
		return err
	case "sentAt", "sent_at":
		at, _, err := c.instant()
		c.sentAt = at
		return err
	case "writeKey", "write_key":
		key, err := c.string(MaxMessageID)
		c.WriteKey = key
		return err
	}
	_, err := s.value()
	return err
}

// strayElement rejects an element of the batch that is no object.
func (c *Call) strayElement(i int) error {
	raw, err := c.scan.value()
	if err != nil {
		return err
	}
	var faults problem.Invalid
	faults.Add(fmt.Sprintf("batch[%d]", i), "must be an object", clip(raw))
	c.Rejected = append(c.Rejected, Rejected{Index: i, Errors: faults, Raw: raw})
	return nil
}

// complete settles what needs the whole call: the clock, the shared context,
// ids, and the slices of numbers.
func (c *Call) complete(batch bool) {
	kept := c.Messages[:0]
	for i := range c.Messages {
		m := &c.Messages[i]
		if faults := c.settle(m, batch); len(faults) > 0 {
			c.Rejected = insertRejected(c.Rejected, Rejected{Index: m.Index, MessageID: m.MessageID, Errors: faults, Raw: m.Raw, Kind: m.Kind})
			continue
		}
		kept = append(kept, *m)
	}
	clear(c.Messages[len(kept):])
	c.Messages = kept
}

// insertRejected keeps the order of the indices.
func insertRejected(list []Rejected, r Rejected) []Rejected {
	i := len(list)
	for i > 0 && list[i-1].Index > r.Index {
		i--
	}
	list = append(list, Rejected{})
	copy(list[i+1:], list[i:])
	list[i] = r
	return list
}

func (c *Call) settle(m *Message, batch bool) problem.Invalid {
	m.Numbers = c.numbers[m.numbers[0]:m.numbers[1]:m.numbers[1]]
	if m.MessageID == "" {
		m.MessageID = ulid.Make().String()
	}
	if c.context != "" {
		m.Context = mergeObjects(m.Context, c.context)
	}
	m.Time = c.received
	if !m.timed {
		return nil
	}
	sent := m.sentAt
	if sent == 0 {
		sent = c.sentAt
	}
	at := m.stamped
	if sent != 0 {
		// The client's clock may be wrong; the distance between two of its readings is
		// right: what happened d before sending happened d before receiving.
		at = c.received - (sent - at)
	}
	m.Time = min(at, c.received)
	if m.Time < Earliest.UnixMilli() {
		var faults problem.Invalid
		field := "timestamp"
		if batch {
			field = fmt.Sprintf("batch[%d].timestamp", m.Index)
		}
		faults.Add(field, "must not be before "+Earliest.Format(time.DateOnly), time.UnixMilli(m.Time).UTC().Format(time.RFC3339))
		return faults
	}
	return nil
}

// mergeObjects puts the members of both compact objects into one; those of own
// win.
func mergeObjects(own, shared string) string {
	if own == "" || own == "{}" {
		return shared
	}
	if shared == "{}" {
		return own
	}
	names := map[string]bool{}
	s := scanner{text: own}
	// Both texts have been walked before, so walking them again cannot fail.
	_ = s.object(func(name string) error { names[name] = true; _, err := s.value(); return err })
	var b strings.Builder
	b.Grow(len(own) + len(shared))
	b.WriteString(own[:len(own)-1])
	s = scanner{text: shared}
	start := 1
	_ = s.object(func(name string) error {
		_, err := s.value()
		if !names[name] {
			b.WriteByte(',')
			b.WriteString(shared[start:s.at])
		}
		start = s.at + 1
		return err
	})
	b.WriteByte('}')
	return b.String()
}

// wrongType passes over the next value and notes the rule that it breaks,
// unless it is null, which stands for an absent one.
func (c *Call) wrongType(rule string) error {
	k := c.scan.next()
	raw, err := c.scan.value()
	if err == nil && k != null {
		c.scan.fault(rule, clip(raw))
	}
	return err
}

// clip shortens what an error repeats of the input.
func clip(raw string) string {
	if len(raw) > 100 {
		return strings.ToValidUTF8(raw[:100], "") + "…"
	}
	return raw
}

// string reads a text of at most limit characters; null counts as absent.
func (c *Call) string(limit int) (string, error) {
	s := &c.scan
	if s.next() != text {
		return "", c.wrongType("must be a string")
	}
	raw, escaped, err := s.quoted()
	if err != nil {
		return "", err
	}
	if escaped {
		raw = unescape(raw)
	}
	if len(raw) > limit && utf8.RuneCountInString(raw) > limit {
		s.fault(fmt.Sprintf("must not be longer than %d characters", limit), raw)
		return "", nil
	}
	return raw, nil
}

// identifier reads a text and brings it to the normal form of its namespace.
func (c *Call) identifier(namespace string) (string, error) {
	s := &c.scan
	if s.next() == null {
		_, err := s.value()
		return "", err
	}
	before := len(s.faults)
	value, err := c.string(identity.MaxValue)
	if err != nil || len(s.faults) > before {
		return "", err
	}
	id, broken := identity.Normalise(identity.Identifier{Namespace: namespace, Value: value})
	if broken != nil {
		s.fault(broken.Error(), value)
		return "", nil
	}
	return id.Value, nil
}

// instant reads a point in time in Unix milliseconds.
func (c *Call) instant() (at int64, given bool, err error) {
	s := &c.scan
	if s.next() == null {
		_, err := s.value()
		return 0, false, err
	}
	before := len(s.faults)
	value, err := c.string(64)
	if err != nil || len(s.faults) > before {
		return 0, false, err
	}
	t, ok := parseTime(value)
	if !ok {
		s.fault("must be a time in ISO 8601, such as 2026-03-01T12:00:00.000Z", value)
		return 0, false, nil
	}
	return t, true, nil
}

// timeLayouts are the forms of ISO 8601 that clients write, the usual one first.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02",
}

// parseTime reads a time in Unix milliseconds; without a zone it is UTC.
func parseTime(value string) (int64, bool) {
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, value)
		if err != nil {
			continue
		}
		if t.Year() < 0 || t.Year() > 9999 {
			return 0, false
		}
		return t.UnixMilli(), true
	}
	return 0, false
}

// compact is raw without insignificant white space.
func compact(raw string, spaced bool) string {
	if !spaced {
		return raw
	}
	var b bytes.Buffer
	b.Grow(len(raw))
	if err := json.Compact(&b, []byte(raw)); err != nil {
		return raw
	}
	return b.String()
}
