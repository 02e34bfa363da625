package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
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
}

// readNow are the settings of a read that somebody waits for: a few rows, by one thread,
// which is not behind those of reports as other reads are.
const readNow = "SETTINGS max_threads = 1, os_thread_priority = 0"

// unordered has all rows of a person read and then sorted. To read them backwards, and
// no more than are needed, takes two milliseconds longer to set out than it spares
// below manyEvents.
const (
	unordered  = ", optimize_read_in_order = 0"
	manyEvents = 5000
)

// latestEvents are the newest events of profiles, newest first, of some total in all.
// A message counts once.
func (s *Service) latestEvents(ctx context.Context, profiles []string, total uint64, limit int) ([]ProfileEvent, error) {
	how := readNow
	if total < manyEvents {
		how += unordered
	}
	events := []ProfileEvent{}
	// Equality is looked up in the index by halving, a set is compared with all of it.
	whose, argument := "profile_id IN (?)", any(profiles)
	if len(profiles) == 1 {
		whose, argument = "profile_id = ?", profiles[0]
	}
	rows, err := s.clickhouse.Read.Query(ctx, `SELECT message_id, type, event, timestamp, received_at, decision_id, properties, context
		FROM timeline WHERE `+whose+` ORDER BY timestamp DESC, event, message_id LIMIT 1 BY event, message_id LIMIT ? `+how, argument, limit)
	if err != nil {
		return events, fmt.Errorf("asking for events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e ProfileEvent
		var properties, context string
		if err := rows.Scan(&e.MessageID, &e.Type, &e.Event, &e.Timestamp, &e.ReceivedAt, &e.DecisionID, &properties, &context); err != nil {
			return events, fmt.Errorf("reading an event: %w", err)
		}
		if err := json.Unmarshal([]byte(properties), &e.Properties); err != nil {
			return events, fmt.Errorf("reading the properties of event %s: %w", e.MessageID, err)
		}
		if err := json.Unmarshal([]byte(context), &e.Context); err != nil {
			return events, fmt.Errorf("reading the context of event %s: %w", e.MessageID, err)
		}
		events = append(events, e)
	}
	return events, rows.Err()
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
