package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"quintet/internal/api"
	"quintet/profiles/identity"
	"quintet/profiles/traits"
)

// TraitFact is what one source said about one trait, and what became of it.
type TraitFact struct {
	Trait      string              `json:"trait"`
	Value      any                 `json:"value"`
	Type       traits.Type         `json:"type,omitempty" doc:"Declared type of the trait, else that of the value" enum:"text,number,boolean,date,list,object"`
	Source     string              `json:"source" doc:"Id of the API key; user: and the id of a person for an edit by hand; empty when it is not known any more"`
	SourceName string              `json:"sourceName,omitempty" doc:"Name of the API key"`
	Time       time.Time           `json:"time"`
	Confidence float64             `json:"confidence" doc:"Between 0 and 1"`
	MessageID  string              `json:"messageId" doc:"Of the identify message; empty when it is not stored (any more)"`
	Chosen     bool                `json:"chosen" doc:"Whether the golden record has this value"`
	Rejected   string              `json:"rejected,omitempty" doc:"The rule of the declaration that the value breaks"`
	Rule       traits.Survivorship `json:"rule" doc:"How it was chosen" enum:"recent,trusted,complete,confidence"`
	Personal   bool                `json:"personal,omitempty" doc:"Whether the trait is declared as personal data"`
}

// records are those of all profiles of a person, with the profiles.
func (s *Store) records(person identity.ID) (members []identity.ID, records []traits.Record) {
	for _, id := range s.Members(s.PersonOf(person)) {
		sh := s.shard(id)
		sh.mu.RLock()
		if st, ok := sh.people[id]; ok {
			members, records = append(members, id), append(records, st.record)
		}
		sh.mu.RUnlock()
	}
	return members, records
}

// lineage tells of every kept fact about a person, ordered by trait, the chosen one
// first. Without the events, which name the messages, the rest comes with an error.
func (s *Service) lineage(ctx context.Context, id identity.ID) ([]TraitFact, error) {
	members, records := s.store.records(id)
	rules := s.store.rules.Load()
	record := traits.Combine(records, rules)
	entries := record.Lineage(rules)
	mask := api.MaskFrom(ctx)
	facts := make([]TraitFact, 0, len(entries))
	kept := entries[:0]
	for _, e := range entries {
		f := TraitFact{
			Trait: e.Name, Value: e.Value, Type: e.Type, Source: e.Origin.Source, Time: instant(e.At.Milliseconds()), Confidence: e.Confidence,
			Chosen: e.Chosen, Rejected: e.Rejected, Rule: e.Rule, Personal: rules.Personal(e.Name),
		}
		if mode := mask.Mode("traits", f.Trait, f.Personal); mode == api.MaskHide {
			continue
		} else if mode != "" && f.Value != nil {
			f.Value = mode.Apply(plain(f.Value))
		}
		if s.sources != nil {
			f.SourceName = s.sources.KeyName(f.Source)
		}
		facts, kept = append(facts, f), append(kept, e)
	}
	sort.SliceStable(facts, func(i, j int) bool { return facts[i].Trait < facts[j].Trait })
	messages, err := s.messagesOf(ctx, members, kept)
	for i := range facts {
		facts[i].MessageID = messages[telling{kept[i].At, kept[i].Origin.Source}]
	}
	return facts, err
}

// plain is a value as a text.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// telling identifies the message behind a fact about one person.
type telling struct {
	at     traits.Moment
	source string
}

// maxTellings bounds how many moments one question to the events names.
const maxTellings = 1000

// messagesOf finds the messages behind facts. They are not in memory, as they would
// cost more there than the facts.
func (s *Service) messagesOf(ctx context.Context, members []identity.ID, entries []traits.Entry) (map[telling]string, error) {
	found := map[telling]string{}
	var times []int64
	seen := map[int64]bool{}
	for _, e := range entries {
		if at := e.At.Milliseconds(); !seen[at] && len(times) < maxTellings {
			seen[at], times = true, append(times, at)
		}
	}
	if len(times) == 0 {
		return found, nil
	}
	ids := make([]string, len(members))
	for i, id := range members {
		ids[i] = id.String()
	}
	rows, err := s.clickhouse.Read.Query(ctx, `SELECT toUnixTimestamp64Milli(timestamp) AS at, item, source, min(message_id)
		FROM timeline WHERE profile_id IN ? AND type = 'identify' AND toUnixTimestamp64Milli(timestamp) IN ? GROUP BY at, item, source LIMIT 10000`, ids, times)
	if err != nil {
		return found, fmt.Errorf("asking for the messages behind traits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		var index uint32
		var source, message string
		if err := rows.Scan(&at, &index, &source, &message); err != nil {
			return found, fmt.Errorf("reading a message behind traits: %w", err)
		}
		found[telling{traits.At(at, index), source}] = message
	}
	return found, rows.Err()
}
