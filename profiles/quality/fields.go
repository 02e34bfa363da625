package quality

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"quintet/internal/api"
	"quintet/profiles/traits"
)

// FieldQuality is what was seen of a field of an event of a source.
type FieldQuality struct {
	Event    string            `json:"event"`
	Field    string            `json:"field" doc:"Path; * stands for names that are values, such as ids"`
	Events   uint64            `json:"events" doc:"Events in the window"`
	Present  uint64            `json:"present" doc:"Events that have the field"`
	Empty    uint64            `json:"empty" doc:"Of these: null, or an empty text, list or object"`
	FillRate float64           `json:"fillRate" doc:"Share of the events in which it is there and not empty"`
	Types    map[string]uint64 `json:"types" doc:"Values by type: text, number, boolean, object, list"`
	Formats  map[string]uint64 `json:"formats" doc:"Texts by what they look like: date, email, phone, card, ip"`
	Declared bool              `json:"declared" doc:"Whether a schema or the declaration of a trait is behind the validity"`
	Validity *float64          `json:"validity" doc:"Share of the values that keep the declaration; without one, that are of the most frequent type and format"`
	Distinct uint64            `json:"distinct" doc:"Different values, estimated with a standard error of 3.3 %"`
	Min      *float64          `json:"min,omitempty" doc:"Smallest number; not shown of personal data"`
	Max      *float64          `json:"max,omitempty"`
	First    time.Time         `json:"firstSeen"`
	Last     time.Time         `json:"lastSeen"`
	Personal bool              `json:"personal"`
	Why      string            `json:"personalWhy,omitempty" enum:"declared,name,format"`
	Example  any               `json:"example,omitempty" doc:"A recent value, masked where it is personal; with the parameter event only"`
}

// personalShare is the share of texts that look like an address, phone or card from
// which a field is taken for personal data.
const personalShare = 0.05

// maxExample is the length in bytes of an example.
const maxExample = 200

// FieldQuery chooses fields of a source.
type FieldQuery struct {
	Source, Event string
	From, To      time.Time // days of receipt, the last included
	Offset, Limit int
}

// Fields lists what was seen, by event and field.
func (s *Service) Fields(ctx context.Context, q FieldQuery, mask *api.Mask) ([]FieldQuality, error) {
	rows, err := s.db.Read.Query(ctx, `SELECT f.event, f.field, e.events, f.present, f.empty, f.texts, f.numbers, f.flags, f.objects, f.arrays,
		f.dates, f.emails, f.phones, f.cards, f.addresses, f.checked, f.broken, f.minimum, f.maximum, f.first_seen, f.last_seen, f.registers
		FROM (
			SELECT event, field, sum(present) AS present, sum(empty) AS empty, sum(texts) AS texts, sum(numbers) AS numbers, sum(flags) AS flags, sum(objects) AS objects,
				sum(arrays) AS arrays, sum(dates) AS dates, sum(emails) AS emails, sum(phones) AS phones, sum(cards) AS cards, sum(addresses) AS addresses,
				sum(checked) AS checked, sum(broken) AS broken, min(minimum) AS minimum, max(maximum) AS maximum, min(first_seen) AS first_seen,
				max(last_seen) AS last_seen, maxMap(registers) AS registers
			FROM quality_fields WHERE source = $1 AND field != '' AND bucket >= $2 AND bucket < $3 AND ($4 = '' OR event = $4)
			GROUP BY event, field ORDER BY event, field LIMIT $5 OFFSET $6
		) AS f
		LEFT JOIN (SELECT event, sum(present) AS events FROM quality_fields WHERE source = $1 AND field = '' AND bucket >= $2 AND bucket < $3 GROUP BY event) AS e ON e.event = f.event
		ORDER BY f.event, f.field`, q.Source, q.From, q.To.AddDate(0, 0, 1), q.Event, q.Limit, q.Offset)
	if err != nil {
		return nil, fmt.Errorf("reading the fields of a source: %w", err)
	}
	defer rows.Close()
	out := []FieldQuality{}
	for rows.Next() {
		var f FieldQuality
		var t tally
		var lowest, highest float64
		var values map[uint16]uint8
		if err := rows.Scan(&f.Event, &f.Field, &f.Events, &t.present, &t.empty, &t.types[0], &t.types[1], &t.types[2], &t.types[3], &t.types[4],
			&t.formats[0], &t.formats[1], &t.formats[2], &t.formats[3], &t.formats[4], &t.checked, &t.broken, &lowest, &highest, &f.First, &f.Last, &values); err != nil {
			return nil, fmt.Errorf("reading the fields of a source: %w", err)
		}
		s.describe(&f, &t, lowest, highest, values)
		out = append(out, f)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the fields of a source: %w", err)
	}
	if q.Event != "" && len(out) > 0 {
		return out, s.examples(ctx, q, out, mask)
	}
	return out, nil
}

var typeNames, formatNames = [5]string{"text", "number", "boolean", "object", "list"}, [5]string{"date", "email", "phone", "card", "ip"}

func (s *Service) describe(f *FieldQuality, t *tally, lowest, highest float64, values sketch) {
	f.Present, f.Empty, f.Declared = t.present, t.empty, t.checked > 0
	if f.Events > 0 {
		f.FillRate = min(1, float64(t.filled())/float64(f.Events))
	}
	f.Types, f.Formats = map[string]uint64{}, map[string]uint64{}
	for n, count := range t.types {
		if count > 0 {
			f.Types[typeNames[n]] = count
		}
	}
	for n, count := range t.formats {
		if count > 0 {
			f.Formats[formatNames[n]] = count
		}
	}
	f.Validity = number(t.validity())
	f.Distinct = uint64(math.Round(values.estimate()))
	f.Personal, f.Why = s.personal(f.Field, t)
	if !f.Personal {
		f.Min, f.Max = number(lowest), number(highest)
	}
	f.First, f.Last = f.First.UTC(), f.Last.UTC()
}

// personal says whether a field holds personal data, and why.
func (s *Service) personal(field string, t *tally) (bool, string) {
	if name, ok := traitName([]byte(field)); ok {
		if d, declared := s.profiles.TraitRules().Declaration(traits.Canonical(name)); declared {
			if d.Personal {
				return true, "declared"
			}
			return false, ""
		}
	}
	if namesPerson(field) {
		return true, "name"
	}
	if reached := t.formats[1] + t.formats[2] + t.formats[3] + t.formats[4]; t.types[0] > 0 && float64(reached) >= personalShare*float64(t.types[0]) {
		return true, "format"
	}
	return false, ""
}

// examples puts recent values to fields of one event. They are read from the events,
// so that nothing that was erased can be among them.
func (s *Service) examples(ctx context.Context, q FieldQuery, fields []FieldQuality, mask *api.Mask) error {
	var last time.Time
	index := make(map[string]int, len(fields))
	for i := range fields {
		index[fields[i].Field] = i
		if fields[i].Last.After(last) {
			last = fields[i].Last
		}
	}
	rows, err := s.db.Read.Query(ctx, `SELECT properties, traits, context FROM events WHERE event = $1 AND source = $2 AND received_at > fromUnixTimestamp64Milli($3) AND received_at <= fromUnixTimestamp64Milli($4)
		ORDER BY received_at DESC LIMIT 100`, q.Event, q.Source, last.Add(-time.Hour).UnixMilli(), last.UnixMilli()) // times as parameters lose their milliseconds
	if err != nil {
		return fmt.Errorf("reading examples: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var parts [3]string
		if err := rows.Scan(&parts[0], &parts[1], &parts[2]); err != nil {
			return fmt.Errorf("reading examples: %w", err)
		}
		for n, name := range [...]string{"properties", "traits", "context"} {
			eachField(name, parts[n], levels, func(path, raw string) {
				if i, there := index[path]; there && fields[i].Example == nil {
					fields[i].Example = example(&fields[i], raw, mask)
				}
			})
		}
	}
	return rows.Err()
}

// eachField shows the fields of an object with their paths.
func eachField(prefix, raw string, levels int, visit func(path, raw string)) {
	members(raw, func(name, value string) {
		path := prefix + "." + name
		visit(path, value)
		if levels > 1 && value[0] == '{' {
			eachField(path, value, levels-1, visit)
		}
	})
}

// example is a value as it may be shown: nothing of objects and lists, whose members
// may be personal.
func example(f *FieldQuality, raw string, mask *api.Mask) any {
	if raw == "null" || raw == `""` || raw[0] == '{' || raw[0] == '[' {
		return nil
	}
	group, name, _ := strings.Cut(f.Field, ".")
	first, _, _ := strings.Cut(name, ".")
	mode := mask.Mode(group, first, f.Personal)
	if mode == "" && f.Personal {
		mode = api.MaskPartial
	}
	text := raw
	if raw[0] == '"' {
		text = unescaped(raw[1 : len(raw)-1])
	}
	if mode != "" {
		if mode == api.MaskHide {
			return nil
		}
		return mode.Apply(clip(text))
	}
	if raw[0] != '"' {
		return json.RawMessage(raw)
	}
	return clip(text)
}

func clip(text string) string {
	if len(text) <= maxExample {
		return text
	}
	return strings.ToValidUTF8(text[:maxExample], "") + "…"
}
