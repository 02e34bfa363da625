package profiles

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quintet/internal/clickhouse"
)

// The table timeline has the events in the order of the people, filled by a view on the
// table of events. Everything that reads what one person did reads it here.

// ProfileEvent is one event of a profile.
type ProfileEvent struct {
	MessageID  string         `json:"messageId"`
	Type       string         `json:"type"`
	Event      string         `json:"event"`
	Timestamp  time.Time      `json:"timestamp"`
	ReceivedAt time.Time      `json:"receivedAt"`
	DecisionID string         `json:"decisionId,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
	Context    map[string]any `json:"context,omitempty"`

	properties, context string
}

// readNow are the settings of a read that somebody waits for: a few rows, by one thread,
// which is before the collector of garbage and not, as other reads are, behind those of
// reports, where the process may say so. Without a step of its own for
// the conditions, as with one ClickHouse now and then leaves empty what they read in the
// cards of rows from before there were cards.
const readNow = "SETTINGS max_threads = 1, os_thread_priority = -10, optimize_move_to_prewhere = 0"

// Up to unsorted events are taken as they lie and sorted here: ClickHouse takes longer to
// set out to sort than to read these. unordered has all rows of a person read and then
// sorted. To read them backwards, and no more than are needed, takes two milliseconds
// longer to set out than it spares below manyEvents.
const (
	unsorted   = 500
	unordered  = ", optimize_read_in_order = 0"
	manyEvents = 5000
)

// latestEvents are the newest events of profiles, newest first, of some total in all.
// A message counts once.
func (s *Service) latestEvents(ctx context.Context, profiles []string, total uint64, limit int) ([]ProfileEvent, error) {
	order, how := "", readNow+unordered
	if total > unsorted {
		order = " ORDER BY timestamp DESC, event, message_id LIMIT 1 BY event, message_id LIMIT " + strconv.Itoa(limit)
		if total >= manyEvents {
			how = readNow
		}
	}
	// Equality is looked up in the index by halving, a set is compared with all of it.
	whose := "profile_id = {profiles:String}"
	if len(profiles) > 1 {
		whose = "profile_id IN splitByChar(' ', {profiles:String})"
	}
	events := []ProfileEvent{}
	cards, err := s.clickhouse.Texts(ctx, "SELECT card FROM timeline WHERE "+whose+order+" "+how, map[string]string{"profiles": strings.Join(profiles, " ")})
	if err != nil {
		return events, fmt.Errorf("asking for events: %w", err)
	}
	for _, card := range cards {
		e, err := readEvent(card)
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	events = newestEvents(events, limit)
	for i := range events {
		if err := events[i].parse(); err != nil {
			return events, err
		}
	}
	return events, nil
}

// readEvent reads the column card of the timeline. What is JSON there is parsed by
// [ProfileEvent.parse].
func readEvent(card string) (ProfileEvent, error) {
	row := clickhouse.ReadRow(card)
	e := ProfileEvent{
		MessageID: row.Text(), Type: row.Text(), Event: row.Text(), Timestamp: row.Milliseconds(), ReceivedAt: row.Milliseconds(),
		DecisionID: row.Text(), properties: row.Text(), context: row.Text(),
	}
	if err := row.Close(); err != nil {
		return e, fmt.Errorf("reading an event: %w", err)
	}
	return e, nil
}

func (e *ProfileEvent) parse() error {
	if err := json.Unmarshal([]byte(e.properties), &e.Properties); err != nil {
		return fmt.Errorf("reading the properties of event %s: %w", e.MessageID, err)
	}
	if err := json.Unmarshal([]byte(e.context), &e.Context); err != nil {
		return fmt.Errorf("reading the context of event %s: %w", e.MessageID, err)
	}
	return nil
}

// newestEvents are the newest of the events, newest first, each message once.
func newestEvents(events []ProfileEvent, limit int) []ProfileEvent {
	slices.SortFunc(events, func(a, b ProfileEvent) int {
		return cmp.Or(b.Timestamp.Compare(a.Timestamp), cmp.Compare(a.Event, b.Event), cmp.Compare(a.MessageID, b.MessageID))
	})
	seen := make(map[[2]string]bool, len(events))
	events = slices.DeleteFunc(events, func(e ProfileEvent) bool {
		key := [2]string{e.Event, e.MessageID}
		was := seen[key]
		seen[key] = true
		return was
	})
	return events[:min(limit, len(events))]
}

// ExportedEvent is an event in an export, with all that is stored of it.
type ExportedEvent struct {
	MessageID   string          `json:"messageId"`
	Type        string          `json:"type"`
	Event       string          `json:"event"`
	ProfileID   string          `json:"profileId"`
	UserID      string          `json:"userId,omitempty"`
	AnonymousID string          `json:"anonymousId,omitempty"`
	Timestamp   time.Time       `json:"timestamp"`
	ReceivedAt  time.Time       `json:"receivedAt"`
	DecisionID  string          `json:"decisionId,omitempty"`
	Properties  json.RawMessage `json:"properties"`
	Traits      json.RawMessage `json:"traits"`
	Context     json.RawMessage `json:"context"`
	Source      string          `json:"source"`
}

// eachEvent reads the events of a person page by page, oldest first.
func (x *Exporter) eachEvent(ctx context.Context, profiles []string, add func(any) error) error {
	after, arguments := "", []any{profiles}
	for {
		n := 0
		var last ExportedEvent
		err := eachRow(ctx, x.Service, func(v any) error {
			n++
			last = v.(ExportedEvent)
			return add(last)
		}, func(e *ExportedEvent) []any {
			return []any{&e.MessageID, &e.Type, &e.Event, &e.ProfileID, &e.UserID, &e.AnonymousID, &e.Timestamp, &e.ReceivedAt, &e.DecisionID,
				&e.Properties, &e.Traits, &e.Context, &e.Source}
		}, `SELECT message_id, type, event, profile_id, user_id, anonymous_id, timestamp, received_at, decision_id, properties, traits, context, source
			FROM timeline FINAL WHERE profile_id IN (?)`+after+` ORDER BY timestamp, event, profile_id, message_id LIMIT `+strconv.Itoa(exportPage), arguments...)
		if err != nil {
			return err
		}
		if n < exportPage {
			return nil
		}
		after = " AND (timestamp, event, profile_id, message_id) > (fromUnixTimestamp64Milli(" + strconv.FormatInt(last.Timestamp.UnixMilli(), 10) + ", 'UTC'), ?, ?, ?)"
		arguments = []any{profiles, last.Event, last.ProfileID, last.MessageID}
	}
}

// ExportedSource says where messages came from.
type ExportedSource struct {
	Source   string    `json:"source" doc:"Id of the API key, webhook:<key>, or system for what was noted here"`
	Name     string    `json:"name,omitempty"`
	Messages uint64    `json:"messages"`
	Imported uint64    `json:"imported" doc:"Of those, messages that came from files"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

// eachSource tells where the messages about a person came from.
func (x *Exporter) eachSource(ctx context.Context, profiles []string, add func(any) error) error {
	return eachRow(ctx, x.Service, func(v any) error {
		one := v.(ExportedSource)
		if x.sources != nil {
			one.Name = x.sources.KeyName(one.Source)
		}
		return add(one)
	}, func(s *ExportedSource) []any { return []any{&s.Source, &s.Messages, &s.Imported, &s.First, &s.Last} },
		`SELECT source, uniqExact(message_id), uniqExactIf(message_id, startsWith(message_id, 'import-')), min(received_at), max(received_at)
		FROM timeline WHERE profile_id IN (?) GROUP BY source ORDER BY source`, profiles)
}
