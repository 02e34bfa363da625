package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"quintet/internal/clickhouse"
)

// Event is something that happened, as triggers see it.
type Event struct {
	Sequence   uint64 // place in the stream
	MessageID  string
	Name       string
	ProfileID  string
	Time       time.Time
	Received   time.Time
	Source     string
	DecisionID string
	Properties map[string]any
}

// Events is the log of what happened, in the order of the stream.
type Events interface {
	// Stored is the place in the stream up to which the log is whole.
	Stored() uint64
	// Since are events of the names behind one place and up to another, in their order,
	// the first limit of them.
	Since(ctx context.Context, after, through uint64, names []string, limit int) ([]Event, error)
}

// Log is [Events] in ClickHouse.
type Log struct {
	Database *clickhouse.Database
	// Position is the place up to which ClickHouse has every event.
	Position func() uint64
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Stored implements [Events].
func (l Log) Stored() uint64 { return l.Position() }

// lookBack is how far the partitions go that are read: an event that is older when it
// comes in begins nothing.
const lookBack = 40 * 24 * time.Hour

// Since implements [Events].
func (l Log) Since(ctx context.Context, after, through uint64, names []string, limit int) ([]Event, error) {
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	rows, err := l.Database.Read.Query(ctx, fmt.Sprintf(`SELECT sequence, message_id, event, profile_id, timestamp, received_at, source, decision_id, properties
		FROM events PREWHERE sequence > ? AND sequence <= ? WHERE type = 'track' AND event IN (?) AND profile_id != '' AND timestamp >= ?
		ORDER BY sequence, item LIMIT %d`, limit), after, through, names, now().Add(-lookBack))
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	defer rows.Close()
	var out []Event
	for rows.Next() {
		var e Event
		var properties string
		if err := rows.Scan(&e.Sequence, &e.MessageID, &e.Name, &e.ProfileID, &e.Time, &e.Received, &e.Source, &e.DecisionID, &properties); err != nil {
			return nil, fmt.Errorf("reading events: %w", err)
		}
		if err := json.Unmarshal([]byte(properties), &e.Properties); err != nil {
			return nil, fmt.Errorf("reading the properties of event %s: %w", e.MessageID, err)
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return out, nil
}
