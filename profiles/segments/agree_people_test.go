package segments

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quintet/internal/clickhouse"
	"quintet/profiles/tracking"
)

// somebody is a generated person with everything that both evaluators read.
type somebody struct {
	id      string
	subject Subject
	events  []Event
	merged  []bool          // of each event: it belongs to a profile that was merged
	lists   map[string]bool // segments that are lists
}

// timeline gives each pattern of a rule its occurrences.
type timeline struct{ series [][]Occurrence }

func (t *timeline) Series(slot int) []Occurrence { return t.series[slot] }

// place fills the history for the patterns in the order of their slots.
func (s *somebody) place(patterns []*Pattern) {
	h := &timeline{make([][]Occurrence, len(patterns))}
	for i, p := range patterns {
		for j := range s.events {
			if o, ok := p.Occurrence(&s.events[j]); ok {
				h.series[i] = append(h.series[i], o)
			}
		}
		slices.SortStableFunc(h.series[i], func(a, b Occurrence) int { return int(a.At - b.At) })
	}
	s.subject.History = h
}

// inSegments works membership out by following the rules.
type inSegments struct {
	subject *Subject
	lists   map[string]bool
	rules   map[string]*Rule
	now     time.Time
}

func (m *inSegments) Member(key string) bool {
	if r, ok := m.rules[key]; ok {
		return r.Match(m.subject, m.now)
	}
	return m.lists[key]
}

var (
	now       = time.Date(2026, 2, 27, 12, 30, 15, 250e6, time.UTC)
	names     = []string{"age", "city", "vip", "tags", "born", "with'quote", "Имя", "address", "address.city", "address.more.city"}
	textPool  = []string{"", "Москва", "москва", "Anna", "ANNA", "an", "5", "x'y\\z\n\t", "ß", "İI", "2026-02-20", "2026-02-27T12:30:15.250Z", "1990-02-28", "1988-02-29", "2026-03-05T01:00:00+03:00", "2026-02-30", "2025-01-01T10:00:00"}
	figures   = []float64{0, -1, 1, 2, 2.5, 5, 18, 100, 0.1, 0.2, 0.3, 1e15, -0.0000005}
	events    = []string{"Order Completed", "Product Viewed", "it's"}
	spans     = []string{"1m", "90m", "24h", "3d", "7d", "2w", "365d"}
	instants  = []string{"2026-02-20", "2026-02-27T12:30:15.250Z", "2026-02-26T00:00:00+03:00", "1990-01-01", "2026-02-27T12:30:15.249Z"}
	channels  = []string{"email", "sms"}
	segmentsK = []string{"list-a", "rule-a", "rule-b", "gone"}
)

func scalar(t *rapid.T) any {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0, 1:
		return rapid.SampledFrom(textPool).Draw(t, "text")
	case 2, 3:
		return rapid.SampledFrom(figures).Draw(t, "number")
	}
	return rapid.Bool().Draw(t, "flag")
}

func anything(t *rapid.T) any {
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		return nil
	case 1, 2:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			if rapid.IntRange(0, 5).Draw(t, "odd") == 0 {
				list = append(list, nil, map[string]any{"a": 1.0})
				continue
			}
			list = append(list, scalar(t))
		}
		return list
	case 3:
		return map[string]any{"city": scalar(t), "more": map[string]any{"city": scalar(t), "": 1.0}, "more.city": "x"}
	}
	return scalar(t)
}

func values(t *rapid.T) map[string]any {
	m := map[string]any{}
	for _, n := range names {
		if rapid.IntRange(0, 2).Draw(t, "has") > 0 {
			m[n] = anything(t)
		}
	}
	return m
}

func moment(t *rapid.T) int64 {
	at := now.UnixMilli()
	switch rapid.IntRange(0, 3).Draw(t, "when") {
	case 0: // on the edges of windows
		span := rapid.SampledFrom([]int64{0, 60_000, 5_400_000, day, 3 * day, 7 * day, 14 * day}).Draw(t, "span")
		return at - span + int64(rapid.IntRange(-1, 1).Draw(t, "edge"))
	case 1: // the same instants again and again
		return at - int64(rapid.IntRange(0, 3).Draw(t, "hours"))*3_600_000
	}
	return at - int64(rapid.IntRange(0, 20*86_400).Draw(t, "seconds"))*1000
}

func event(t *rapid.T) Event {
	e := Event{Name: rapid.SampledFrom(events).Draw(t, "event"), Time: min(moment(t), now.UnixMilli()+1)}
	properties := map[string]any{}
	if rapid.IntRange(0, 3).Draw(t, "priced") > 0 {
		properties["revenue"] = rapid.SampledFrom(figures).Draw(t, "revenue")
	}
	if rapid.Bool().Draw(t, "cost") {
		properties["shipping"] = map[string]any{"cost": scalar(t), "city": scalar(t)}
	}
	if rapid.Bool().Draw(t, "products") {
		list := []any{}
		for range rapid.IntRange(0, 2).Draw(t, "n") {
			list = append(list, map[string]any{"sku": scalar(t), "price": scalar(t)})
		}
		if rapid.IntRange(0, 4).Draw(t, "odd") == 0 {
			list = append(list, scalar(t))
		}
		properties["products"] = list
	}
	if rapid.Bool().Draw(t, "tagged") {
		properties["tags"] = anything(t)
	}
	raw, err := json.Marshal(properties)
	if err != nil {
		t.Fatal(err)
	}
	e.Properties = string(raw)
	if len(properties) == 0 {
		e.Properties = ""
	}
	e.Numbers = numbersOf("", properties)
	return e
}

// numbersOf does what package tracking does with properties.
func numbersOf(path string, o map[string]any) (list []tracking.Number) {
	for name, v := range o {
		at := strings.TrimPrefix(path+"."+name, ".")
		switch v := v.(type) {
		case float64:
			list = append(list, tracking.Number{Path: at, Value: v})
		case map[string]any:
			list = append(list, numbersOf(at, v)...)
		}
	}
	return list
}

func person(t *rapid.T, i int) *somebody {
	s := &somebody{id: fmt.Sprintf("person-%03d", i), lists: map[string]bool{}}
	s.subject.Traits, s.subject.Attributes = values(t), values(t)
	for range rapid.IntRange(0, 2).Draw(t, "identifiers") {
		s.subject.Identifiers = append(s.subject.Identifiers, Identifier{Namespace: rapid.SampledFrom([]string{"email", "phone"}).Draw(t, "namespace"), Value: rapid.SampledFrom(textPool).Draw(t, "value")})
	}
	for _, purpose := range []string{"marketing", "*"} {
		for _, channel := range append([]string{"", "*"}, channels...) {
			if rapid.Bool().Draw(t, "consent") {
				s.subject.Consents = append(s.subject.Consents, Consent{purpose, channel, rapid.SampledFrom([]string{"granted", "denied", "unknown"}).Draw(t, "status")})
			}
		}
	}
	s.subject.CreatedAt, s.subject.LastSeenAt = moment(t), moment(t)
	s.subject.EventCount = uint64(rapid.IntRange(0, 5).Draw(t, "count"))
	for range rapid.IntRange(0, 6).Draw(t, "events") {
		s.events = append(s.events, event(t))
		s.merged = append(s.merged, rapid.IntRange(0, 3).Draw(t, "merged") == 0)
	}
	s.lists["list-a"] = rapid.Bool().Draw(t, "listed")
	return s
}

// insert writes people and events as package profiles does.
func insert(t testing.TB, db *clickhouse.Database, people []*somebody) {
	t.Helper()
	rows, err := db.Write.PrepareBatch(t.Context(), `INSERT INTO people (person_id, created_at, last_seen_at, event_count, identifiers, consents,
		trait_names, trait_texts, trait_numbers, trait_flags, trait_dates, trait_lists,
		attribute_names, attribute_texts, attribute_numbers, attribute_flags, attribute_dates, attribute_lists, version, deleted)`)
	if err != nil {
		t.Fatal(err)
	}
	log, err := db.Write.PrepareBatch(t.Context(), `INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at, numbers, properties, sequence)`)
	if err != nil {
		t.Fatal(err)
	}
	members, err := db.Write.PrepareBatch(t.Context(), `INSERT INTO segment_membership (segment, person_id, entered, at)`)
	if err != nil {
		t.Fatal(err)
	}
	persons, err := db.Write.PrepareBatch(t.Context(), `INSERT INTO person_map (profile_id, person_id, valid_from, stamp)`)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		s := &p.subject
		identifiers := map[string][]string{}
		for _, i := range s.Identifiers {
			identifiers[i.Namespace] = append(identifiers[i.Namespace], i.Value)
		}
		consents := make([][]any, 0)
		for _, c := range s.Consents {
			consents = append(consents, []any{c.Purpose, c.Channel, c.Status})
		}
		traits, attributes := Flatten(s.Traits), Flatten(s.Attributes)
		if err := rows.Append(p.id, time.UnixMilli(s.CreatedAt).UTC(), time.UnixMilli(s.LastSeenAt).UTC(), s.EventCount, identifiers, consents,
			traits.Names, traits.Texts, traits.Numbers, traits.Flags, traits.Dates, traits.Lists,
			attributes.Names, attributes.Texts, attributes.Numbers, attributes.Flags, attributes.Dates, attributes.Lists, uint64(1), uint8(0)); err != nil {
			t.Fatal(err)
		}
		// The merged profile was a part of somebody else before.
		for i, to := range []string{"somebody", p.id} {
			if err := persons.Append("merged-"+p.id, to, now.Add(time.Duration(i-5)*time.Hour), int64(i)); err != nil {
				t.Fatal(err)
			}
		}
		for i, e := range p.events {
			profile := p.id
			if p.merged[i] {
				profile = "merged-" + p.id
			}
			numbers := map[string]float64{}
			for _, n := range e.Numbers {
				numbers[n.Path] = n.Value
			}
			properties := e.Properties
			if properties == "" {
				properties = "{}"
			}
			if err := log.Append(fmt.Sprintf("%s-%d", p.id, i), "track", e.Name, profile, time.UnixMilli(e.Time).UTC(), now, numbers, properties, uint64(1)); err != nil {
				t.Fatal(err)
			}
		}
		for key, in := range p.lists {
			entered := uint8(0)
			if in {
				entered = 1
			}
			if i := len(p.events); i > 0 && p.merged[0] { // the list names the profile that was merged
				if err := members.Append(key, "merged-"+p.id, entered, now); err != nil {
					t.Fatal(err)
				}
				continue
			}
			// Before it was the other way round.
			for i, v := range []uint8{1 - entered, entered} {
				if err := members.Append(key, p.id, v, now.Add(time.Duration(i-5)*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, b := range []interface{ Send() error }{rows, log, members, persons} {
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
}
