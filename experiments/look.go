package experiments

import (
	"context"
	"fmt"
	"math"
	"time"

	"quintet/experiments/stats"
)

// A group-sequential analysis pays for its planned looks and for no others. Reports
// are read in between as well, and whoever judged what they show then by the last
// look's boundary would be wrong too often (in 7 % of experiments without an effect
// instead of 5 %, with five looks). So a look is judged by what was there when it was
// due, whenever the report is made; only the last one goes on until the experiment
// ends, as a single look does.

// lookedAt is a metric in the control and an arm when a look was due.
type lookedAt struct{ control, arm measured }

// lookBack gets the sums of the last look that was due, unless it is the final one.
func (b *reportBuilder) lookBack(ctx context.Context) error {
	a := &b.report.Analysis
	if a.Method != GroupSequentialMethod || a.Looks < 1 {
		return nil
	}
	made, _ := looksMade(b.report.people(), a)
	if made == 0 || made == a.Looks {
		return nil
	}
	r := b.request(Breakdown{})
	at, err := b.service.seenBy(ctx, r, lookPeople(made, a))
	if err != nil || at.IsZero() {
		return err
	}
	r.At = at
	t, err := b.sums(ctx, r)
	if err != nil {
		return err
	}
	b.looked = b.inOrder(t.Cells)
	return nil
}

// lookPeople is the number of people over all arms at which a look is due.
func lookPeople(look int, a *Analysis) int64 {
	return int64(math.Ceil(float64(look) / float64(a.Looks) * float64(a.NStar)))
}

// looksMade counts the looks that were due by now, and says when the next one is.
func looksMade(people int64, a *Analysis) (made int, next *int64) {
	for k := 1; k <= a.Looks; k++ {
		if due := lookPeople(k, a); people < due {
			return k - 1, &due
		}
	}
	return a.Looks, nil
}

// seenBy is the moment at which so many people had been seen in the experiment; zero
// where there are not so many.
func (s *Service) seenBy(ctx context.Context, r SumsRequest, people int64) (time.Time, error) {
	// The shape that is always right: this is one statement of a report.
	b := &builder{request: &r, shape: shape{people: true, irregular: true}}
	rows, err := s.db.Read.Query(ctx, fmt.Sprintf("WITH %s,\nexposed AS (\n%s\n)\nSELECT toInt64(first_at) AS at FROM exposed WHERE NOT mixed ORDER BY at LIMIT 1 OFFSET %d",
		b.people(), indent(b.exposed()), people-1))
	if err != nil {
		return time.Time{}, fmt.Errorf("asking when a look was due: %w", err)
	}
	defer rows.Close()
	var at int64
	if !rows.Next() {
		return time.Time{}, rows.Err()
	}
	if err := rows.Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("reading when a look was due: %w", err)
	}
	return time.UnixMilli(at).UTC(), nil
}

// group judges the effect at the last planned look that was due.
func (c *comparison) group(s sampledEffects) *GroupFigures {
	g := &GroupFigures{Looks: c.analysis.Looks}
	g.Look, g.NextAt = looksMade(c.people, &c.analysis)
	if c.looked != nil {
		s = c.look()
	}
	switch {
	case g.Look == 0:
		g.Problem = "The first planned look is not reached yet."
		return g
	case s.absolute == nil:
		g.Problem = "There was no effect to be judged when the look was due."
		return g
	}
	design := stats.GroupDesign{Alpha: c.analysis.Alpha}
	for k := 1; k <= g.Look; k++ {
		design.Looks = append(design.Looks, float64(k)/float64(g.Looks))
	}
	absolute, bound, err := design.Judge(*s.absolute)
	if err != nil {
		g.Problem = sentence(err)
		return g
	}
	g.Absolute, g.PValue, g.Boundary = interval(absolute), known(absolute.PValue), known(bound.Z)
	if s.relative != nil {
		if relative, _, err := design.Judge(*s.relative); err == nil {
			g.Relative = interval(relative)
		}
	}
	return g
}

// look is the effect when the look was due, adjusted where the experiment's is.
func (c *comparison) look() sampledEffects {
	control, arm := c.looked.control.main, c.looked.arm.main
	if c.control.adjusted != nil && c.arm.adjusted != nil && c.looked.control.adjusted != nil && c.looked.arm.adjusted != nil {
		control, arm = c.looked.control.adjusted, c.looked.arm.adjusted
	}
	return c.figures(control, arm, c.analysis.Alpha).sample
}
