package lists

import (
	"context"
	"fmt"
	"strings"
	"time"

	"quintet/internal/problem"
)

// person says to whom each merged profile belongs now.
const person = `WITH people AS (SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person FROM person_map GROUP BY profile_id)
SELECT x.list_id, if(p.person = '', x.profile_id, p.person) AS who, x.at, x.items, x.propensities
FROM recommendation_lists AS x FINAL LEFT JOIN people AS p ON x.profile_id = p.profile_id `

// Sample draws at most n lists of people since a moment, always the same of the same log,
// in no order. Of a list are its id, person, moment and items with their propensities.
func (l *Log) Sample(ctx context.Context, since time.Time, n int) ([]List, error) {
	rows, err := l.db.Read.Query(ctx, person+`WHERE x.at > fromUnixTimestamp64Milli(?) AND x.profile_id != '' AND notEmpty(x.items) ORDER BY cityHash64(x.list_id) LIMIT ?`, since.UnixMilli(), n)
	if err != nil {
		return nil, fmt.Errorf("asking for lists: %w", err)
	}
	defer rows.Close()
	var out []List
	for rows.Next() {
		var list List
		var items []string
		var propensities []float64
		if err := rows.Scan(&list.ID, &list.ProfileID, &list.At, &items, &propensities); err != nil {
			return nil, fmt.Errorf("reading a list: %w", err)
		}
		for i, id := range items {
			list.Items = append(list.Items, Item{ID: id, Propensity: propensities[i]})
		}
		out = append(out, list)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading lists: %w", err)
	}
	return out, nil
}

const columnsOfList = "list_id, at, profile_id, placement, version, ranker, personal, asked, named, items, propensities, probabilities, scores, reasons, source"

// Each calls f with every list for the profiles, oldest first, those of this moment
// included.
func (l *Log) Each(ctx context.Context, profiles []string, f func(any) error) error {
	if len(profiles) == 0 {
		return nil
	}
	if err := l.Flush(ctx); err != nil {
		return err
	}
	return l.read(ctx, "WHERE profile_id IN (?) ORDER BY at, list_id", []any{profiles}, func(list *List) error { return f(list) })
}

// Find is a list by its id.
func (l *Log) Find(ctx context.Context, id string) (*List, error) {
	var found *List
	err := l.read(ctx, "WHERE list_id = ? LIMIT 1", []any{strings.ToUpper(id)}, func(list *List) error { found = list; return nil })
	if err == nil && found == nil {
		return nil, problem.NotFound("list", problem.Clip(id))
	}
	return found, err
}

func (l *Log) read(ctx context.Context, where string, arguments []any, f func(*List) error) error {
	rows, err := l.db.Read.Query(ctx, "SELECT "+columnsOfList+" FROM recommendation_lists FINAL "+where, arguments...)
	if err != nil {
		return fmt.Errorf("asking for lists: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		list := &List{}
		var version, ranker uint64
		var asked uint32
		var items, reasons []string
		var propensities, probabilities, scores []float64
		if err := rows.Scan(&list.ID, &list.At, &list.ProfileID, &list.Placement, &version, &ranker, &list.Personal, &asked, &list.Named, &items, &propensities, &probabilities, &scores, &reasons, &list.Source); err != nil {
			return fmt.Errorf("reading a list: %w", err)
		}
		list.At, list.Version, list.Ranker, list.Asked = list.At.UTC(), int64(version), int64(ranker), int(asked)
		list.Items = make([]Item, len(items))
		for i := range items {
			list.Items[i] = Item{ID: items[i], Propensity: propensities[i], Probability: probabilities[i], Score: scores[i], Reason: reasons[i]}
		}
		if err := f(list); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading lists: %w", err)
	}
	return nil
}
