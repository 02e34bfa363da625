package quality

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"quintet/internal/problem"
)

// The score of a source on a day is the weighted mean of five parts, each from 0 to
// 100. A part that there is nothing to judge by is left out.
const (
	weightCompleteness = 0.25
	weightValidity     = 0.25
	weightUniqueness   = 0.15
	weightTimeliness   = 0.20
	weightConsistency  = 0.15
)

const (
	// expectedFill is the share of events of the last four weeks that have a field,
	// from which it is expected in all of them.
	expectedFill = 0.8
	// expectedDays is how far back is looked for that, the day itself included.
	expectedDays = 28
	// promptly is within which time an event should reach its profile.
	promptly = time.Second
	// maxScoreDays is how many days one call computes.
	maxScoreDays = 400
)

// DayScore is the score of a source on a day. Parts are nil where there is nothing
// to judge.
type DayScore struct {
	Day          string    `json:"day" format:"date" doc:"Day of receipt, UTC"`
	Events       uint64    `json:"events"`
	Completeness *float64  `json:"completeness" doc:"Of the values that were to be expected, the share in percent that was there"`
	Validity     *float64  `json:"validity" doc:"Share in percent of the values that keep their declaration or are of the usual form, times that of messages that were accepted"`
	Uniqueness   *float64  `json:"uniqueness" doc:"Share in percent of the messages that were not sent again"`
	Timeliness   *float64  `json:"timeliness" doc:"Mean of the share of events that came within an hour and of the share that was in its profile within a second, in percent"`
	Consistency  *float64  `json:"consistency" doc:"Share in percent of the values of the type that their field has in all sources together"`
	Total        *float64  `json:"total" doc:"Weighted mean: 25, 25, 15, 20 and 15"`
	ComputedAt   time.Time `json:"computedAt"`
}

// tally is the counts of a field of an event of a source on a day, and over the
// weeks before. Of the event itself the field is "".
type tally struct {
	source, event, field       string
	present, empty             uint64
	types                      [5]uint64 // texts, numbers, flags, objects, arrays
	formats                    [5]uint64 // dates, emails, phones, cards, addresses
	checked, broken            uint64
	late, violations           uint64
	presentBefore, emptyBefore uint64
}

func (t *tally) filled() uint64 { return t.present - min(t.present, t.empty) }

func (t *tally) typed() (n uint64) {
	for _, count := range t.types {
		n += count
	}
	return n
}

// usual is the share of values that are of the most frequent type, and where more
// than half of the texts have one format, of that.
func (t *tally) usual() float64 {
	typed := t.typed()
	if typed == 0 {
		return 1
	}
	most := slices.Max(t.types[:])
	if most == t.types[0] {
		if format := slices.Max(t.formats[:]); 2*format > most {
			most = format
		}
	}
	return float64(most) / float64(typed)
}

// validity is the share of the filled values that are valid: by the declaration
// where there is one, by [tally.usual] otherwise. It is NaN without values.
func (t *tally) validity() float64 {
	switch {
	case t.checked > 0:
		return 1 - float64(t.broken)/float64(t.checked)
	case t.filled() > 0:
		return t.usual()
	}
	return math.NaN()
}

// door is what the door saw of a source on a day.
type door struct {
	intakeCounts
	lag lags
}

// ratio is a share that is summed up.
type ratio struct{ part, whole float64 }

func (r ratio) percent() float64 {
	if r.whole == 0 {
		return math.NaN()
	}
	return 100 * r.part / r.whole
}

// judged is the score of a source; NaN stands for nothing to judge.
type judged struct {
	events                                                             uint64
	completeness, validity, uniqueness, timeliness, consistency, total float64
}

// judge computes the scores of all sources on one day. required says which fields
// the schema of an event asks for.
func judge(day []tally, doors map[string]door, required func(event string) []string) map[string]judged {
	type place struct{ source, event string }
	events := map[place]*tally{}
	common := map[string]*[5]uint64{} // types of a field in all sources
	sources := map[string]bool{}
	for i := range day {
		t := &day[i]
		if t.field == "" {
			events[place{t.source, t.event}] = t
			if t.present > 0 {
				sources[t.source] = true
			}
			continue
		}
		of := common[t.field]
		if of == nil {
			of = new([5]uint64)
			common[t.field] = of
		}
		for n, count := range t.types {
			of[n] += count
		}
	}
	for source, d := range doors {
		if d.accepted+d.refused > 0 {
			sources[source] = true
		}
	}
	complete, valid, consistent, prompt := map[string]*ratio{}, map[string]*ratio{}, map[string]*ratio{}, map[string]*ratio{}
	out := map[string]judged{}
	for source := range sources {
		complete[source], valid[source], consistent[source], prompt[source] = new(ratio), new(ratio), new(ratio), new(ratio)
	}
	seen := map[place]map[string]bool{}
	for i := range day {
		t := &day[i]
		if !sources[t.source] {
			continue
		}
		at := place{t.source, t.event}
		event := events[at]
		if t.field == "" {
			r := prompt[t.source]
			r.part, r.whole = r.part+float64(t.present-min(t.present, t.late)), r.whole+float64(t.present)
			continue
		}
		if event == nil {
			continue
		}
		asked := slices.Contains(required(t.event), t.field)
		if asked {
			if seen[at] == nil {
				seen[at] = map[string]bool{}
			}
			seen[at][t.field] = true
		}
		filledBefore := t.presentBefore - min(t.presentBefore, t.emptyBefore)
		if asked || float64(filledBefore) >= expectedFill*float64(event.presentBefore) {
			r := complete[t.source]
			r.part, r.whole = r.part+float64(min(t.filled(), event.present)), r.whole+float64(event.present)
		}
		if v := t.validity(); !math.IsNaN(v) {
			r := valid[t.source]
			r.part, r.whole = r.part+v*float64(t.filled()), r.whole+float64(t.filled())
		}
		if typed := t.typed(); typed > 0 {
			usual := 0
			for n, count := range common[t.field] {
				if count > common[t.field][usual] {
					usual = n
				}
			}
			r := consistent[t.source]
			r.part, r.whole = r.part+float64(t.types[usual]), r.whole+float64(typed)
		}
	}
	for at, event := range events { // required and never there
		for _, field := range required(at.event) {
			if sources[at.source] && !seen[at][field] {
				complete[at.source].whole += float64(event.present)
			}
		}
		if sources[at.source] {
			j := out[at.source]
			j.events += event.present
			out[at.source] = j
		}
	}
	for source := range sources {
		j, d := out[source], doors[source]
		j.completeness, j.consistency = complete[source].percent(), consistent[source].percent()
		j.validity = product(valid[source].percent(), share(d.accepted, d.accepted+d.refused))
		j.uniqueness = 100 * share(d.accepted-min(d.accepted, d.repeated), d.accepted)
		j.timeliness = mean(prompt[source].percent(), 100*d.lag.within(promptly))
		j.total = weighted([]float64{j.completeness, j.validity, j.uniqueness, j.timeliness, j.consistency},
			[]float64{weightCompleteness, weightValidity, weightUniqueness, weightTimeliness, weightConsistency})
		out[source] = j
	}
	return out
}

func share(part, whole uint64) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}

// product is percent times a share; what is NaN is left out.
func product(percent, part float64) float64 {
	switch {
	case math.IsNaN(part):
		return percent
	case math.IsNaN(percent):
		return 100 * part
	}
	return percent * part
}

func mean(values ...float64) float64 {
	weights := make([]float64, len(values))
	for i := range weights {
		weights[i] = 1
	}
	return weighted(values, weights)
}

// weighted is the weighted mean of the values that are not NaN.
func weighted(values, weights []float64) float64 {
	sum, all := 0.0, 0.0
	for i, v := range values {
		if !math.IsNaN(v) {
			sum, all = sum+weights[i]*v, all+weights[i]
		}
	}
	if all == 0 {
		return math.NaN()
	}
	return sum / all
}

// Score computes the scores of the days from the first to the last, and returns how
// many it wrote. Computed again, a day's scores replace the former ones.
func (s *Service) Score(ctx context.Context, from, to time.Time) (int, error) {
	from, to = from.UTC().Truncate(24*time.Hour), to.UTC().Truncate(24*time.Hour)
	if days := to.Sub(from).Hours()/24 + 1; days < 1 || days > maxScoreDays {
		return 0, problem.Invalid{{Field: "to", Rule: fmt.Sprintf("must be 0 to %d days after from", maxScoreDays-1)}}
	}
	written := 0
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		n, err := s.scoreDay(ctx, day)
		if err != nil {
			return written, fmt.Errorf("computing the scores of %s: %w", day.Format(time.DateOnly), err)
		}
		written += n
	}
	return written, nil
}

func (s *Service) scoreDay(ctx context.Context, day time.Time) (int, error) {
	tallies, err := s.tallies(ctx, day)
	if err != nil {
		return 0, err
	}
	doors, err := s.doors(ctx, day, day.AddDate(0, 0, 1))
	if err != nil {
		return 0, err
	}
	set := s.schemas.current.Load()
	scores := judge(tallies, doors, set.required)
	if len(scores) == 0 {
		return 0, nil
	}
	batch, err := s.db.Write.PrepareBatch(ctx, `INSERT INTO quality_scores (day, source, events, completeness, validity, uniqueness, timeliness, consistency, total, computed_at)`)
	if err != nil {
		return 0, err
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	now := s.now().UTC()
	for _, source := range slices.Sorted(maps.Keys(scores)) {
		j := scores[source]
		if err := batch.Append(day, source, j.events, j.completeness, j.validity, j.uniqueness, j.timeliness, j.consistency, j.total, now); err != nil {
			return 0, err
		}
	}
	return len(scores), batch.Send()
}

// tallies are the counts of a day, with those of the weeks before.
func (s *Service) tallies(ctx context.Context, day time.Time) ([]tally, error) {
	rows, err := s.db.Read.Query(ctx, `SELECT source, event, field, sumIf(present, bucket >= $1), sumIf(empty, bucket >= $1),
		sumIf(texts, bucket >= $1), sumIf(numbers, bucket >= $1), sumIf(flags, bucket >= $1), sumIf(objects, bucket >= $1), sumIf(arrays, bucket >= $1),
		sumIf(dates, bucket >= $1), sumIf(emails, bucket >= $1), sumIf(phones, bucket >= $1), sumIf(cards, bucket >= $1), sumIf(addresses, bucket >= $1),
		sumIf(checked, bucket >= $1), sumIf(broken, bucket >= $1), sumIf(late, bucket >= $1), sumIf(violations, bucket >= $1), sum(present), sum(empty)
		FROM quality_fields WHERE bucket >= $2 AND bucket < $3 AND event != '*' GROUP BY source, event, field
		LIMIT 2000000`, day, day.AddDate(0, 0, 1-expectedDays), day.AddDate(0, 0, 1))
	if err != nil {
		return nil, fmt.Errorf("reading counts: %w", err)
	}
	defer rows.Close()
	var out []tally
	for rows.Next() {
		var t tally
		if err := rows.Scan(&t.source, &t.event, &t.field, &t.present, &t.empty, &t.types[0], &t.types[1], &t.types[2], &t.types[3], &t.types[4],
			&t.formats[0], &t.formats[1], &t.formats[2], &t.formats[3], &t.formats[4], &t.checked, &t.broken, &t.late, &t.violations, &t.presentBefore, &t.emptyBefore); err != nil {
			return nil, fmt.Errorf("reading counts: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// doors is what the door saw of each source between two times.
func (s *Service) doors(ctx context.Context, from, to time.Time) (map[string]door, error) {
	rows, err := s.db.Read.Query(ctx, `SELECT source, sum(accepted), sum(repeated), sum(refused), sum(unkept), sumMap(lag) FROM quality_intake
		WHERE hour >= $1 AND hour < $2 GROUP BY source`, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading what came in: %w", err)
	}
	defer rows.Close()
	out := map[string]door{}
	for rows.Next() {
		var source string
		var d door
		var lag map[uint16]uint64
		if err := rows.Scan(&source, &d.accepted, &d.repeated, &d.refused, &d.unkept, &lag); err != nil {
			return nil, fmt.Errorf("reading what came in: %w", err)
		}
		d.lag = lag
		out[source] = d
	}
	return out, rows.Err()
}

// Scores are the stored scores of a source, by day.
func (s *Service) Scores(ctx context.Context, source string, from, to time.Time) ([]DayScore, error) {
	rows, err := s.db.Read.Query(ctx, `SELECT day, events, completeness, validity, uniqueness, timeliness, consistency, total, computed_at FROM quality_scores FINAL
		WHERE source = $1 AND day >= toDate($2) AND day <= toDate($3) ORDER BY day LIMIT $4`, source, from.Format(time.DateOnly), to.Format(time.DateOnly), maxScoreDays)
	if err != nil {
		return nil, fmt.Errorf("reading scores: %w", err)
	}
	defer rows.Close()
	out := []DayScore{}
	for rows.Next() {
		d, err := scanScore(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

func scanScore(scan func(...any) error) (DayScore, error) {
	var day time.Time
	var d DayScore
	var parts [6]float64
	if err := scan(&day, &d.Events, &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &parts[5], &d.ComputedAt); err != nil {
		return d, fmt.Errorf("reading scores: %w", err)
	}
	d.Day, d.ComputedAt = day.Format(time.DateOnly), d.ComputedAt.UTC()
	for n, to := range []**float64{&d.Completeness, &d.Validity, &d.Uniqueness, &d.Timeliness, &d.Consistency, &d.Total} {
		*to = number(parts[n])
	}
	return d, nil
}

// number is nil for what JSON cannot hold.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
