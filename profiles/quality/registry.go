package quality

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"

	"quintet/internal/clickhouse"
)

// registry is which events and fields are counted, so that their number is bounded.
// It is used by the goroutine that stores events.
type registry struct {
	mu      sync.Mutex
	sources map[string]map[string]map[string]struct{}
	all     int
}

// loadRegistry takes over what was counted before.
func loadRegistry(ctx context.Context, db *clickhouse.Database) (*registry, error) {
	r := &registry{sources: map[string]map[string]map[string]struct{}{}}
	rows, err := db.Read.Query(ctx, `SELECT source, event, field FROM quality_fields GROUP BY source, event, field LIMIT ?`, maxAllFields)
	if err != nil {
		return nil, fmt.Errorf("loading which fields are known: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var source, event, field string
		if err := rows.Scan(&source, &event, &field); err != nil {
			return nil, fmt.Errorf("loading which fields are known: %w", err)
		}
		if fields := r.fieldsOf(source, event); fields != nil && field != "" {
			r.admit(fields, field)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("loading which fields are known: %w", err)
	}
	return r, nil
}

// fieldsOf are the known fields of an event, to be passed to admit; nil when the
// source has too many events.
func (r *registry) fieldsOf(source, event string) map[string]struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.sources[source]
	if fields := events[event]; fields != nil {
		return fields
	}
	if len(events) >= MaxEvents || event == overflowEvent {
		return nil
	}
	if events == nil {
		events = map[string]map[string]struct{}{}
		r.sources[strings.Clone(source)] = events
	}
	fields := map[string]struct{}{}
	events[strings.Clone(event)] = fields
	return fields
}

// admit says whether a field is counted.
func (r *registry) admit(fields map[string]struct{}, path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := fields[path]; known {
		return true
	}
	if len(fields) >= MaxFields || r.all >= maxAllFields {
		return false
	}
	fields[path] = struct{}{}
	r.all++
	return true
}

func compareRows(a, b rowKey) int {
	return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.source, b.source), cmp.Compare(a.event, b.event), cmp.Compare(a.field, b.field))
}
