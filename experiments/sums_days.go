package experiments

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A series in one statement. A unit that does something has a state for each day on
// which its values change: all that was so by that day's end. A state adds to the
// sums from its day on until the next one takes its place, so that the statement
// returns, for each day, the sums of the states that begin and of those that end
// then, and the sums as of a day are those of all that began less those that ended.

// dayGrid are the moments of a series.
type dayGrid struct {
	days    []time.Time // UTC days; the moments are their ends
	start   int64       // milliseconds of the first day's begin
	at      int64
	places  []int // of each day since start, the index of the moment that it counts for
	moments []int64
}

const dayMilliseconds = 86_400_000

// gridOf finds the days of a series; none where nobody was exposed.
func (s *Service) gridOf(ctx context.Context, r *SumsRequest) (int, error) {
	var n uint64
	var first int64
	start := fmt.Sprintf("SELECT count(), toUnixTimestamp64Milli(min(exposed_at)) FROM exposures WHERE experiment = %s AND exposed_at <= %s AND received_at <= %s",
		literal(r.Experiment), momentLiteral(r.At), momentLiteral(r.AsOf))
	if err := s.db.Read.QueryRow(ctx, start).Scan(&n, &first); err != nil {
		return 0, fmt.Errorf("looking for the first exposure: %w", err)
	}
	if n == 0 {
		return 0, nil
	}
	r.By.grid = newDayGrid(time.UnixMilli(first).UTC(), r.At)
	return len(r.By.grid.days), nil
}

func newDayGrid(begin, at time.Time) *dayGrid {
	first := begin.Truncate(24 * time.Hour)
	n := int(at.Truncate(24*time.Hour).Sub(first)/(24*time.Hour)) + 1
	points := min(n, MaxSeries)
	g := &dayGrid{start: first.UnixMilli(), at: at.UnixMilli(), places: make([]int, n)}
	for i := range points {
		day := n - 1 - (points-1-i)*n/points // evenly spaced, and the last is the last
		g.days = append(g.days, first.AddDate(0, 0, day))
		g.moments = append(g.moments, min(g.start+int64(day+1)*dayMilliseconds-1, g.at))
	}
	for day, i := 0, 0; day < n; day++ {
		if g.days[i].Before(first.AddDate(0, 0, day)) {
			i++
		}
		g.places[day] = i
	}
	return g
}

// place is the SQL of the index of the first moment that is not before x.
func (g *dayGrid) place(x string) string {
	day := fmt.Sprintf("intDiv(%s - %d, %d)", x, g.start, dayMilliseconds)
	if len(g.days) == len(g.places) {
		return "toUInt16(" + day + ")"
	}
	list := make([]string, len(g.places))
	for i, p := range g.places {
		list[i] = strconv.Itoa(p)
	}
	return "CAST([" + strings.Join(list, ",") + "], 'Array(UInt16)')[" + day + " + 1]"
}

func (g *dayGrid) moment(place string) string {
	list := make([]string, len(g.moments))
	for i, m := range g.moments {
		list[i] = strconv.FormatInt(m, 10)
	}
	return "CAST([" + strings.Join(list, ",") + "], 'Array(Int64)')[" + place + " + 1]"
}

var unitOfState = strings.NewReplacer("e.first_at", "f.first_at", "e.arm", "f.arm", "e.moment", "f.moment")

// states selects what outcomes selects, once for each day on which a unit's values
// change. Where a window has to have passed, they change on the day when it has.
func (b *builder) states() []string {
	g := b.request.By.grid
	moments := []string{"greatest(f.at, e.first_at)"}
	for i := range b.request.Metrics {
		if m := &b.request.Metrics[i]; m.waits() {
			_, to := m.window()
			moments = append(moments, fmt.Sprintf("e.first_at + %d", to))
		}
	}
	places := make([]string, len(moments))
	for i, m := range moments {
		places[i] = fmt.Sprintf("if(%[1]s <= %[2]d, [%[3]s], [])", m, g.at, g.place(m))
	}
	near := "SELECT f.*, e.arm AS arm, e.first_at AS first_at, arrayConcat(" + strings.Join(places, ", ") + ") AS own\n" +
		"FROM facts AS f\nINNER JOIN (SELECT key, arm, first_at FROM exposed WHERE mixed = 0) AS e ON f.key = e.key\nWHERE " + b.facts.reach()
	known := "SELECT *, place, " + g.moment("place") + " AS moment\nFROM (\n  SELECT *, groupUniqArrayArray(own) OVER (PARTITION BY key) AS turns\n  FROM (\n" +
		indent(indent(near)) + "\n  )\n)\nARRAY JOIN turns AS place\nWHERE greatest(at, first_at) <= moment"
	columns := append(b.unitColumns(), "any(e.moment) AS moment")
	for i := range columns { // one row has both the fact and the unit
		columns[i] = unitOfState.Replace(columns[i])
	}
	state := "SELECT f.key AS key, f.place AS begins,\n  " + strings.Join(columns, ",\n  ") + "\nFROM (\n" + indent(known) + "\n) AS f\nGROUP BY f.key, f.place"
	return []string{
		"states AS (\n  SELECT *, leadInFrame(begins + 1) OVER (PARTITION BY key ORDER BY begins ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS next\n  FROM (\n" + indent(indent(state)) + "\n  )\n)",
		"outcomes AS (\n  SELECT *, turn, toUInt8(turn = 2) AS gone, if(turn = 2, next - 1, begins) AS place\n  FROM states\n  ARRAY JOIN if(next = 0, [1], [1, 2]) AS turn\n)",
	}
}

// dailyTotals count units by the day of their first exposure, and for each window
// by the day when it has passed. Of the numbers the first says which.
func (b *builder) dailyTotals(windows []int64) string {
	g := b.request.By.grid
	moments := []string{"(toUInt8(0), first_at)"}
	for i, w := range windows {
		moments = append(moments, fmt.Sprintf("(toUInt8(%d), first_at + %d)", i+1, w))
	}
	return fmt.Sprintf("SELECT %d AS row, arm, [toString(%s), toString(turn.1)] AS cell, countIf(mixed = 0) AS units, countIf(mixed = %d) AS mixed_units,\n  [toFloat64(countIf(mixed = %d))] AS numbers\nFROM exposed\nARRAY JOIN [%s] AS turn\nWHERE turn.2 <= %d\nGROUP BY arm, cell",
		totalsRow, g.place("turn.2"), mixedUnit, irregularUnit, strings.Join(moments, ", "), g.at)
}

// fillDays makes a cell for each arm and day.
func (t *SumsTable) fillDays(q *sumsQuery, g *dayGrid, totals, sums []resultRow) error {
	type change struct {
		units, mixed int64
		matured      []float64
		numbers      []float64
	}
	arms := map[string][]change{}
	at := func(row *resultRow) (*change, int, error) {
		place, err := strconv.Atoi(row.cell[0])
		if err != nil || place < 0 || place >= len(g.days) {
			return nil, 0, fmt.Errorf("the query returned the day %q of %d", row.cell[0], len(g.days))
		}
		second, err := strconv.Atoi(row.cell[1])
		if err != nil || second < 0 || second > len(q.waits) {
			return nil, 0, fmt.Errorf("the query returned %q for what a row is about", row.cell[1])
		}
		if arms[row.arm] == nil {
			arms[row.arm] = make([]change, len(g.days))
		}
		return &arms[row.arm][place], second, nil
	}
	var bounds []bool // of the numbers, whether they are bounds, which do not add up
	for i := range q.metrics {
		for _, c := range q.metrics[i].sums {
			bounds = append(bounds, c.bound)
		}
	}
	width, bound := 0, make([]float64, len(bounds))
	for i := range totals {
		c, about, err := at(&totals[i])
		if err != nil {
			return err
		}
		if c.matured == nil {
			c.matured = make([]float64, len(q.waits))
		}
		if about > 0 {
			c.matured[about-1] += float64(totals[i].units)
			continue
		}
		c.units, c.mixed = c.units+int64(totals[i].units), c.mixed+int64(totals[i].mixed)
	}
	for i := range sums {
		c, gone, err := at(&sums[i])
		if err != nil {
			return err
		}
		if width = len(sums[i].numbers); width != len(bounds) {
			return fmt.Errorf("the query returned %d sums, not %d", width, len(bounds))
		}
		if c.numbers == nil {
			c.numbers = make([]float64, width)
		}
		for j, v := range sums[i].numbers {
			if gone > 0 {
				v = -v
			}
			c.numbers[j] += v
			if bounds[j] {
				bound[j] = sums[i].numbers[j]
			}
		}
	}
	names := make([]string, 0, len(arms))
	for arm := range arms {
		names = append(names, arm)
	}
	slices.Sort(names)
	for _, arm := range names {
		cell := SumsCell{Variant: arm}
		numbers, matured := make([]float64, width), make([]float64, len(q.waits))
		for i, c := range arms[arm] {
			cell.Units, cell.Mixed = cell.Units+c.units, cell.Mixed+c.mixed
			for j, v := range c.numbers {
				numbers[j] += v
				if bounds[j] {
					numbers[j] = bound[j]
				}
			}
			for j, v := range c.matured {
				matured[j] += v
			}
			if cell.Units == 0 && cell.Mixed == 0 {
				continue
			}
			one := cell
			one.Day = g.days[i]
			var read []float64
			if width > 0 {
				read = numbers
			}
			var err error
			if one.Metrics, err = q.read(read, one.Units, matured); err != nil {
				return err
			}
			t.Cells = append(t.Cells, one)
		}
	}
	t.readCaps(q)
	return nil
}
