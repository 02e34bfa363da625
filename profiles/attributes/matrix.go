package attributes

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"quintet/internal/problem"
	"quintet/profiles/lifecycle"
)

// maxMonths bounds one matrix.
const maxMonths = 24

// matrixDeadline bounds the computation of one matrix.
const matrixDeadline = 5 * time.Minute

// Matrix says how many people moved from where to where in each month.
type Matrix struct {
	By     string  `json:"by" enum:"segment,stage,rfm"`
	Months []Month `json:"months" nullable:"false"`
}

// Month is the moves of one month. People are judged as of both its ends by the
// events up to then and by the table of today; the RFM bounds are those of each
// end.
type Month struct {
	Month string `json:"month" doc:"YYYY-MM"`
	// From and To are the moments that are compared.
	From  time.Time `json:"from"`
	To    time.Time `json:"to" doc:"The end of the month, or now in the month that has not ended"`
	Moves []Move    `json:"moves" nullable:"false" doc:"Those who stayed are among them"`
}

// Move is how many people went from one place to another.
type Move struct {
	From   string `json:"from" doc:"Empty for those who were not there yet"`
	To     string `json:"to" doc:"Empty, by rfm, for those who have not ordered"`
	People uint64 `json:"people"`
}

// matrixCache keeps the last matrices: months that have passed change only with
// late events.
type matrixCache struct {
	mu      sync.Mutex
	entries []matrixEntry
}

type matrixEntry struct {
	key    string
	made   time.Time
	matrix *Matrix
}

const (
	cachedMatrices = 16
	matrixAge      = 10 * time.Minute
)

func (c *matrixCache) get(key string, now time.Time) *Matrix {
	for _, e := range c.entries {
		if e.key == key && now.Sub(e.made) < matrixAge {
			return e.matrix
		}
	}
	return nil
}

func (c *matrixCache) put(key string, now time.Time, m *Matrix) {
	c.entries = slices.DeleteFunc(c.entries, func(e matrixEntry) bool { return e.key == key || now.Sub(e.made) >= matrixAge })
	if len(c.entries) >= cachedMatrices {
		c.entries = c.entries[1:]
	}
	c.entries = append(c.entries, matrixEntry{key, now, m})
}

// placeColumns are the columns by which a matrix can be made.
var placeColumns = map[string]string{"segment": "segment", "stage": "stage", "rfm": "rfm_segment"}

// Matrix computes the moves of each month from the first of the month of from to
// the month of to, from the events. Figures of the last ten minutes are reused.
func (s *Service) Matrix(ctx context.Context, by string, from, to time.Time) (*Matrix, error) {
	now := s.now().UTC().Truncate(time.Millisecond)
	first, last := monthOf(from), monthOf(to)
	var bad problem.Invalid
	column, ok := placeColumns[by]
	if !ok {
		bad.Add("query.by", "must be segment, stage or rfm", by)
	}
	switch months := (last.Year()-first.Year())*12 + int(last.Month()-first.Month()) + 1; {
	case first.After(now):
		bad.Add("query.from", "must not lie in the future", from.Format(time.DateOnly))
	case months < 1:
		bad.Add("query.to", "must not lie before from", to.Format(time.DateOnly))
	case months > maxMonths:
		bad.Add("query.to", fmt.Sprintf("must be at most %d months from from", maxMonths), to.Format(time.DateOnly))
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	v, _ := s.table.Get(tableKey)
	key := fmt.Sprintf("%s %s %s %d", by, first, last, v.Version)
	s.matrices.mu.Lock() // one at a time: each reads the whole log several times
	defer s.matrices.mu.Unlock()
	if m := s.matrices.get(key, now); m != nil {
		return m, nil
	}
	ctx, cancel := context.WithTimeout(ctx, matrixDeadline)
	defer cancel()
	m, err := s.makeMatrix(ctx, by, column, first, last, now)
	if err != nil {
		return nil, fmt.Errorf("computing the matrix of moves: %w", err)
	}
	s.matrices.put(key, now, m)
	return m, nil
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func (s *Service) makeMatrix(ctx context.Context, by, column string, first, last, now time.Time) (*Matrix, error) {
	table := s.Table()
	m := &Matrix{By: by, Months: []Month{}}
	id := uint64(time.Now().UnixNano())
	var runs []uint64
	defer func() {
		if err := s.drop(ctx, runs...); err != nil {
			s.log.Warn("removing the material of a matrix; the next computation does", "error", err)
		}
	}()
	judged := func(at time.Time) (string, error) {
		id++
		runs = append(runs, id)
		if err := s.facts(ctx, lifecycle.Log{Commerce: table.Commerce, Until: at}, id); err != nil {
			return "", err
		}
		cuts, err := s.readCuts(ctx, &table, id)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("SELECT person_id, %s AS place FROM (%s)", column, classified(&table, &cuts, id, "")), nil
	}
	before, err := judged(first)
	if err != nil {
		return nil, err
	}
	for at := first; !at.After(last) && at.Before(now); at = at.AddDate(0, 1, 0) {
		end := at.AddDate(0, 1, 0)
		if end.After(now) {
			end = now
		}
		after, err := judged(end)
		if err != nil {
			return nil, err
		}
		month := Month{Month: at.Format("2006-01"), From: at, To: end, Moves: []Move{}}
		rows, err := s.db.Read.Query(heavy(ctx), fmt.Sprintf(`SELECT a.place, b.place, count() FROM (%s) AS b LEFT JOIN (%s) AS a ON a.person_id = b.person_id
			GROUP BY a.place, b.place ORDER BY a.place, b.place`, after, before))
		if err != nil {
			return nil, fmt.Errorf("counting the moves of %s: %w", month.Month, err)
		}
		for rows.Next() {
			var move Move
			if err := rows.Scan(&move.From, &move.To, &move.People); err != nil {
				_ = rows.Close()
				return nil, fmt.Errorf("reading the moves of %s: %w", month.Month, err)
			}
			month.Moves = append(month.Moves, move)
		}
		err = rows.Err()
		_ = rows.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the moves of %s: %w", month.Month, err)
		}
		m.Months = append(m.Months, month)
		before = after
	}
	return m, nil
}
