package models

import (
	"context"
	"fmt"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/models/bandits"
)

// Logged is a decision of the log with what came of it.
type Logged struct {
	ID     string
	Person string // whoever its profile is today
	At     time.Time
	Action string // that was chosen
	Reward float64
	Cut    bool // whether the reward was cut to what a model can bear
	// Candidates and their probabilities at the time, in the same order.
	Candidates    []string
	Probabilities []float64
	Features      bandits.Vector
}

// Span is a time from one moment to before another.
type Span struct{ From, To time.Time }

// spanQuery tells how many decisions there are to learn from, and over which time.
const spanQuery = `SELECT count(), min(decided_at), max(decided_at) FROM decisions
WHERE decision_point = @point AND eligible AND action != '' AND point_version >= @since AND notEmpty(feature_index)
  AND decided_at >= fromUnixTimestamp64Milli(@from) AND decided_at < fromUnixTimestamp64Milli(@to)`

// CountLog says how many decisions of the span a spec could learn from, and when the first and the last was made.
func (t *Trainer) CountLog(ctx context.Context, spec Spec, span Span) (decisions uint64, first, last time.Time, err error) {
	err = t.db.Read.QueryRow(ctx, spanQuery, chgo.Named("point", spec.DecisionPoint), chgo.Named("since", spec.Since),
		chgo.Named("from", span.From.UnixMilli()), chgo.Named("to", span.To.UnixMilli())).Scan(&decisions, &first, &last)
	if err != nil {
		return 0, first, last, fmt.Errorf("counting the decisions of %s: %w", spec.DecisionPoint, err)
	}
	return decisions, first, last, nil
}

// logQuery reads decisions one by one, of which one in @every is taken by the hash of its id.
const logQuery = attribution + `
SELECT decision_id, if(p.person = '', d.profile_id, p.person), decided_at, action, reward, clamped, candidates, probabilities, feature_index, feature_value
FROM rewarded AS d LEFT JOIN people AS p ON d.profile_id = p.profile_id
WHERE modulo(cityHash64(decision_id), @every) = 0
ORDER BY decided_at, decision_id`

// ReadLog gives each decision of a span with its reward, in the order of time; one in every of them where every is
// above 1. What it gives is valid until the next.
func (t *Trainer) ReadLog(ctx context.Context, spec Spec, span Span, every int, each func(*Logged) error) error {
	encoder, err := spec.compile()
	if err != nil {
		return fmt.Errorf("reading the log of %s: %w", spec.DecisionPoint, err)
	}
	terms, arguments := spec.attribute(part{from: span.From, to: span.To, through: everything, dimension: encoder.Dimension()})
	arguments = append(arguments, chgo.Named("every", uint64(max(1, every))))
	rows, err := t.db.Read.Query(chgo.Context(ctx, chgo.WithSettings(tileSettings)), fmt.Sprintf(logQuery, terms), arguments...)
	if err != nil {
		return fmt.Errorf("reading the log of %s: %w", spec.DecisionPoint, err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Logged
		var cut uint8
		if err := rows.Scan(&d.ID, &d.Person, &d.At, &d.Action, &d.Reward, &cut, &d.Candidates, &d.Probabilities, &d.Features.Indices, &d.Features.Values); err != nil {
			return fmt.Errorf("reading the log of %s: %w", spec.DecisionPoint, err)
		}
		d.Cut = cut != 0
		if err := each(&d); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the log of %s: %w", spec.DecisionPoint, err)
	}
	return nil
}
