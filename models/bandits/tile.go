package bandits

import (
	"fmt"
	"math"
	"time"
)

// Day counts days since 1970-01-01 UTC.
type Day int32

// DayOf is the day of a moment, in UTC.
func DayOf(t time.Time) Day {
	return Day(math.Floor(float64(t.Unix()) / 86400))
}

// Time is the start of the day in UTC.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Tile is all that a linear model needs to know of the decisions of one action
// on one day: sums, which add. A decision adds 1 to N and φφᵀ to SumXX; its
// reward r, whenever it comes, adds r to SumR, r² to SumR2 and rφ to SumRX of
// the decision's day. A corrected reward adds the differences.
type Tile struct {
	Action string
	Day    Day
	N      float64   // decisions
	SumR   float64   // Σ r
	SumR2  float64   // Σ r²
	SumRX  []float64 // Σ r φ, length d
	SumXX  []float64 // Σ φφᵀ, packed lower triangle, length d(d+1)/2
}

// PackedLen is the length of the packed lower triangle of a d×d matrix, in which
// element (i, j), j <= i, stands at i(i+1)/2 + j.
func PackedLen(d int) int { return d * (d + 1) / 2 }

// NewTile is an empty tile of the given dimension.
func NewTile(action string, day Day, dimension int) Tile {
	return Tile{Action: action, Day: day,
		SumRX: make([]float64, dimension), SumXX: make([]float64, PackedLen(dimension))}
}

// Observe adds one decision with features x and, if it is already known, its
// reward (else 0, to be corrected by [Tile.Reward]).
func (t *Tile) Observe(x Vector, reward float64) {
	t.N++
	for i, ix := range x.Indices {
		row := t.SumXX[PackedLen(int(ix)):]
		for j, jx := range x.Indices[:i+1] {
			row[jx] += float64(x.Values[i] * x.Values[j])
		}
	}
	t.Reward(x, 0, reward)
}

// Reward corrects the reward of a decision with features x from one value to
// another.
func (t *Tile) Reward(x Vector, from, to float64) {
	t.SumR += to - from
	t.SumR2 += float64(to*to) - float64(from*from)
	for i, ix := range x.Indices {
		t.SumRX[ix] += float64((to - from) * x.Values[i])
	}
}

// Validate reports why the tile cannot be one of the given dimension, naming the
// member.
func (t Tile) Validate(dimension int) error {
	fail := func(member, rule string) error {
		return fmt.Errorf("tile of action %q, day %s: %s %s", t.Action, t.Day.Time().Format(time.DateOnly), member, rule)
	}
	switch {
	case t.Action == "":
		return fail("action", "must not be empty")
	case len(t.SumRX) != dimension:
		return fail("sumRX", fmt.Sprintf("has %d numbers, must have %d", len(t.SumRX), dimension))
	case len(t.SumXX) != PackedLen(dimension):
		return fail("sumXX", fmt.Sprintf("has %d numbers, must have %d", len(t.SumXX), PackedLen(dimension)))
	case !finite(t.N) || t.N < 0:
		return fail("n", "must be finite and not negative")
	case !finite(t.SumR):
		return fail("sumR", "must be finite")
	case !finite(t.SumR2):
		return fail("sumR2", "must be finite")
	}
	for i, x := range t.SumRX {
		if !finite(x) {
			return fail(fmt.Sprintf("sumRX[%d]", i), "must be finite")
		}
	}
	for i, x := range t.SumXX {
		if !finite(x) {
			return fail(fmt.Sprintf("sumXX[%d]", i), "must be finite")
		}
	}
	for i := range dimension {
		if t.SumXX[PackedLen(i)+i] < 0 {
			return fail(fmt.Sprintf("sumXX (%d,%d)", i, i), "is a sum of squares and must not be negative")
		}
	}
	return nil
}
