package recommend

import (
	"context"
	"fmt"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/recommend/interactions"
)

// maxLearned bounds the events that one build reads: the latest ones.
const maxLearned = 50_000_000

// sourceMemory is how much of the engine's memory reading may take.
const sourceMemory = 8 << 30

// read gathers what people did with items since a moment, and fills the histories that
// are served from. Profiles that were joined are one person.
func (s *Service) read(ctx context.Context, signals []Signal, since time.Time) (*interactions.Log, error) {
	defer s.histories.reading()()
	weights := make(map[string]Signal, len(signals))
	names := make([]string, 0, len(signals))
	for _, signal := range signals {
		weights[signal.Event] = signal
		names = append(names, signal.Event)
	}
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{
		"max_memory_usage": sourceMemory, "max_bytes_before_external_sort": sourceMemory / 4, "max_threads": 2, "os_thread_priority": 10,
	}))
	rows, err := s.db.Read.Query(ctx, `WITH people AS (
  SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person FROM person_map GROUP BY profile_id
)
SELECT if(p.person = '', x.profile_id, p.person) AS who, x.event, toUnixTimestamp(x.timestamp) AS at,
  `+interactionItems()+` AS items
FROM events AS x FINAL LEFT JOIN people AS p ON x.profile_id = p.profile_id
WHERE x.type = 'track' AND x.event IN (`+strings.TrimSuffix(strings.Repeat("?,", len(names)), ",")+`) AND x.profile_id != '' AND x.timestamp > ? AND notEmpty(items)
ORDER BY x.timestamp DESC LIMIT `+fmt.Sprint(maxLearned), append(anys(names), since)...)
	if err != nil {
		return nil, fmt.Errorf("asking for interactions: %w", err)
	}
	defer rows.Close()
	var b interactions.Builder
	for rows.Next() {
		var who, event string
		var at uint32
		var items []string
		if err := rows.Scan(&who, &event, &at, &items); err != nil {
			return nil, fmt.Errorf("reading an interaction: %w", err)
		}
		signal := weights[event]
		for _, item := range items {
			// An empty or overlong id is no item; the event says nothing then.
			if b.Add(who, item, signal.Weight, int64(at)) == nil {
				s.histories.learn(who, did{item: item, at: int64(at), weight: float32(signal.Weight), bought: signal.Bought})
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading interactions: %w", err)
	}
	for key := range s.items.Snapshot() {
		if _, err := b.KnowItem(key); err != nil {
			return nil, fmt.Errorf("numbering item %s: %w", key, err)
		}
	}
	// Which of two with equal scores comes first must not depend on who came last.
	b.SortItems(strings.Compare)
	return b.Build(), nil
}

func anys(names []string) []any {
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = name
	}
	return out
}
