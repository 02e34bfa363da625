package experiments

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// Bounds of what is told apart.
const (
	// MaxSeries is the most days that a request by day has.
	MaxSeries = 60
	// MaxValues is the most values of a dimension that are told apart.
	MaxValues = 50
	// maxPhases and maxSplits bound a request's boundaries and dimensions.
	maxPhases = 100
	maxSplits = 3
)

// Memory that one statement may take, and from where on what it groups goes to
// the disk. The embedded engine shares the machine with the service.
const (
	sumsMemory = 8 << 30
	sumsSpill  = 2 << 30
)

// Sums computes the sums of a request.
func (s *Service) Sums(ctx context.Context, r SumsRequest) (*SumsTable, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	r.Metrics = slices.Clone(r.Metrics)
	for i := range r.Metrics {
		r.Metrics[i].normalise()
	}
	r.At, r.AsOf = r.At.UTC().Truncate(time.Millisecond), r.AsOf.UTC().Truncate(time.Millisecond)
	ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{
		"max_memory_usage": sumsMemory, "max_bytes_before_external_group_by": sumsSpill, "max_bytes_before_external_sort": sumsSpill,
		// Most people of whom there is an outcome are in the experiment: a filter costs more than it spares.
		"enable_join_runtime_filters": 0,
		// Chosen by itself, the join takes half as long again: one thread fills its table.
		"join_algorithm": "parallel_hash", "query_plan_join_swap_table": "false",
	}))
	form, err := s.merged(ctx)
	if err != nil {
		return nil, err
	}
	if r.By.Kind == ByDay {
		n, err := s.gridOf(ctx, &r)
		if err != nil || n == 0 {
			return &SumsTable{Caps: make([]*float64, len(r.Metrics))}, err
		}
	}
	return s.sumsOf(ctx, &r, form)
}

// merged is the shape by whether profiles were merged at all.
func (s *Service) merged(ctx context.Context) (form shape, err error) {
	if err := s.db.Read.QueryRow(ctx, "SELECT count() > 0 FROM (SELECT 1 FROM person_map LIMIT 1)").Scan(&form.people); err != nil {
		return form, fmt.Errorf("asking whether profiles were merged: %w", err)
	}
	return form, nil
}

// sumsOf runs the statement in the cheapest shape that is right. Which that is it
// says itself.
func (s *Service) sumsOf(ctx context.Context, r *SumsRequest, form shape) (*SumsTable, error) {
	_, form.irregular = s.irregular.Load(r.Experiment)
	q := buildSums(r, form)
	t, irregular, err := s.run(ctx, r, &q)
	if err == nil && irregular {
		// Who was seen in two variants stays so: the next one begins with this shape.
		s.irregular.Store(r.Experiment, true)
		form.irregular = true
		q = buildSums(r, form)
		t, _, err = s.run(ctx, r, &q)
	}
	if err != nil {
		return nil, err
	}
	return t, s.lookForEvents(ctx, r, t)
}

// resultRow is one row of the result.
type resultRow struct {
	row     uint8
	arm     string
	cell    []string
	units   uint64
	mixed   uint64
	numbers []float64
}

// run reads the rows of a statement into cells.
func (s *Service) run(ctx context.Context, r *SumsRequest, q *sumsQuery) (_ *SumsTable, irregular bool, err error) {
	rows, err := s.db.Read.Query(ctx, q.sql)
	if err != nil {
		return nil, false, fmt.Errorf("querying the log: %w", err)
	}
	defer rows.Close()
	var totals, sums []resultRow
	for rows.Next() {
		var row resultRow
		if err := rows.Scan(&row.row, &row.arm, &row.cell, &row.units, &row.mixed, &row.numbers); err != nil {
			return nil, false, fmt.Errorf("reading the sums of an arm: %w", err)
		}
		if row.row == sumsRow {
			sums = append(sums, row)
			continue
		}
		if r.By.grid == nil && len(row.numbers) != len(q.waits)+1 {
			return nil, false, fmt.Errorf("the query returned %d counts for %d windows", len(row.numbers), len(q.waits))
		}
		irregular = irregular || row.numbers[len(row.numbers)-1] > 0
		totals = append(totals, row)
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("querying the log: %w", err)
	}
	if len(sums) > maxCells {
		return nil, false, fmt.Errorf("querying the log: %w", tooManyValues())
	}
	// What is shown is right whatever the shape, and the same whenever it is made.
	t := &SumsTable{SQL: []string{buildSums(r, shape{people: true, irregular: true}).sql}, Caps: make([]*float64, len(q.metrics))}
	switch r.By.Kind {
	case ByDimension:
		err = t.fillValues(q, totals, sums)
	case ByDay:
		err = t.fillDays(q, r.By.grid, totals, sums)
	default:
		err = t.fill(q, r.By.Kind, totals, sums)
	}
	return t, irregular, err
}

// fill makes cells of totals and sums that are told apart by the same.
func (t *SumsTable) fill(q *sumsQuery, by BreakdownKind, totals, sums []resultRow) error {
	slices.SortFunc(totals, compareRows)
	for i := range totals {
		row := &totals[i]
		c := SumsCell{Variant: row.arm, Units: int64(row.units), Mixed: int64(row.mixed)}
		if by == ByPhase {
			if _, err := fmt.Sscan(row.cell[0], &c.Phase); err != nil {
				return fmt.Errorf("reading the phase of a cell: %w", err)
			}
		}
		var numbers []float64
		if j := slices.IndexFunc(sums, func(s resultRow) bool { return compareRows(s, *row) == 0 }); j >= 0 {
			numbers = sums[j].numbers
		}
		var err error
		if c.Metrics, err = q.read(numbers, c.Units, row.numbers); err != nil {
			return err
		}
		t.Cells = append(t.Cells, c)
	}
	t.readCaps(q)
	return nil
}

func compareRows(a, b resultRow) int {
	if c := strings.Compare(a.arm, b.arm); c != 0 {
		return c
	}
	return slices.Compare(a.cell, b.cell)
}

// fillValues makes cells of what is told apart by values, which only those units
// have of whom there are facts: the others are of the value that nothing is known of.
func (t *SumsTable) fillValues(q *sumsQuery, totals, sums []resultRow) error {
	windows := len(q.waits)
	slices.SortFunc(sums, compareRows)
	for i := range totals {
		all := &totals[i]
		rest := SumsCell{Variant: all.arm, Units: int64(all.units), Mixed: int64(all.mixed)}
		matured := slices.Clone(all.numbers[:windows])
		var unknown []float64
		for j := range sums {
			row := &sums[j]
			if row.arm != all.arm {
				continue
			}
			rest.Values = make([]string, len(row.cell))
			if !slices.ContainsFunc(row.cell, func(v string) bool { return v != "" }) {
				unknown = row.numbers[:len(row.numbers)-windows]
				continue
			}
			c := SumsCell{Variant: row.arm, Units: int64(row.units), Values: row.cell}
			own := row.numbers[len(row.numbers)-windows:]
			var err error
			if c.Metrics, err = q.read(row.numbers[:len(row.numbers)-windows], c.Units, own); err != nil {
				return err
			}
			rest.Units -= c.Units
			for w := range matured {
				matured[w] -= own[w]
			}
			t.Cells = append(t.Cells, c)
		}
		if rest.Units == 0 && rest.Mixed == 0 && len(rest.Values) > 0 {
			continue
		}
		if len(rest.Values) == 0 {
			rest.Values = make([]string, max(1, q.dimensions))
		}
		var err error
		if rest.Metrics, err = q.read(unknown, rest.Units, matured); err != nil {
			return err
		}
		t.Cells = append(t.Cells, rest)
	}
	for i := range t.Cells {
		for j, v := range t.Cells[i].Values {
			if v == "" {
				t.Cells[i].Values[j] = UnknownValue
			}
		}
	}
	t.readCaps(q)
	return t.gather()
}

// read turns numbers into the sums of each metric. Without numbers, of a cell
// without outcomes, all are zero.
func (q *sumsQuery) read(numbers []float64, units int64, matured []float64) ([]Sums, error) {
	out := make([]Sums, len(q.metrics))
	for i := range q.metrics {
		m := &q.metrics[i]
		for _, c := range m.sums {
			width := max(1, c.width)
			switch {
			case numbers == nil:
				c.set(&out[i], make([]float64, width))
				continue
			case len(numbers) < width:
				return nil, fmt.Errorf("the query returned too few sums for metric %d", i)
			}
			c.set(&out[i], numbers[:width])
			numbers = numbers[width:]
		}
		_, to := m.def.window()
		w, _ := slices.BinarySearch(q.waits, to)
		out[i].finish(m.def, units, int64(matured[w]))
	}
	if len(numbers) > 0 {
		return nil, fmt.Errorf("the query returned %d sums too many", len(numbers))
	}
	return out, nil
}

// readCaps takes the bounds from the cells, where they are all the same.
func (t *SumsTable) readCaps(q *sumsQuery) {
	for i := range q.metrics {
		c := q.metrics[i].def.Cap
		if c == nil {
			continue
		}
		if c.Quantile == 0 {
			t.Caps[i] = &c.Value
			continue
		}
		for j := range t.Cells {
			if s := &t.Cells[j].Metrics[i]; s.bound != 0 {
				t.Caps[i] = &s.bound
			}
		}
	}
}
