package models

import (
	"context"
	"fmt"
	"math"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/clickhouse"
	"quintet/models/bandits"
)

// arrivals says when rewards come: at hour h, of the decisions that are at least so
// old, how many have had their first outcome at that age.
type arrivals struct {
	windowHours float64
	came        []float64 // first outcomes, by hour of age
	left        []float64 // decisions that are no older and have had none
}

// leastArrivals is how many outcomes must have come before their delay is believed.
const leastArrivals = 30

// arrivalQuery counts first outcomes by age, and decisions without one by how long they
// have been watched.
const arrivalQuery = attribution + `
SELECT toUInt32(greatest(0, if(answered, toUnixTimestamp64Milli(first) - toUnixTimestamp64Milli(decided_at), least(@window, @now - toUnixTimestamp64Milli(decided_at)))) / 3600000) AS hour,
  countIf(answered), countIf(NOT answered)
FROM rewarded GROUP BY hour`

// readArrivals counts how long rewards took to come.
func readArrivals(ctx context.Context, db *clickhouse.Database, spec *Spec, p part, now time.Time) (*arrivals, error) {
	hours := int(math.Ceil(spec.Objective.WindowHours)) + 1
	a := &arrivals{windowHours: spec.Objective.WindowHours, came: make([]float64, hours), left: make([]float64, hours)}
	terms, arguments := spec.attribute(p)
	arguments = append(arguments, chgo.Named("now", now.UnixMilli()))
	rows, err := db.Read.Query(chgo.Context(ctx, chgo.WithSettings(tileSettings)), fmt.Sprintf(arrivalQuery, terms), arguments...)
	if err != nil {
		return nil, fmt.Errorf("counting the delays of %s: %w", spec.DecisionPoint, err)
	}
	for rows.Next() {
		var hour uint32
		var came, left uint64
		if err := rows.Scan(&hour, &came, &left); err != nil {
			return nil, fmt.Errorf("counting the delays of %s: %w", spec.DecisionPoint, closing(rows, err))
		}
		at := min(int(hour), hours-1)
		a.came[at] += float64(came)
		a.left[at] += float64(left)
	}
	if err := closing(rows, nil); err != nil {
		return nil, fmt.Errorf("counting the delays of %s: %w", spec.DecisionPoint, err)
	}
	return a, nil
}

// curve is the share of those who answer within the window that has answered by the
// end of each hour of age: the Kaplan-Meier estimate of the delay, in which a decision
// that is still watched counts for the ages it has reached (Kaplan and Meier, 1958).
// It is nil where too few have answered to tell.
func (a *arrivals) curve() []float64 {
	var risk, events float64
	for h := range a.came {
		risk += a.came[h] + a.left[h]
		events += a.came[h]
	}
	if events < leastArrivals {
		return nil
	}
	out, alive := make([]float64, len(a.came)), 1.0
	for h := range a.came {
		if risk > 0 {
			// Those who leave within the hour are watched for half of it.
			alive *= 1 - a.came[h]/max(a.came[h], risk-a.left[h]/2)
		}
		risk -= a.came[h] + a.left[h]
		out[h] = 1 - alive
	}
	all := out[len(out)-1]
	if !(all > 0) {
		return nil
	}
	for h := range out {
		out[h] /= all
	}
	return out
}

// maturity is the share of its reward that a day's decisions have had by a moment, by
// the day's age: the mean of the curve over the ages of the day. A nil curve means
// that rewards come at once.
func maturity(curve []float64, at time.Time) func(age int) float64 {
	if curve == nil {
		return nil
	}
	// sums[h] is the integral of the curve from 0 to h hours; within an hour it is
	// taken to rise evenly.
	sums := make([]float64, len(curve)+1)
	before := 0.0
	for h, f := range curve {
		sums[h+1] = sums[h] + (before+f)/2
		before = f
	}
	integral := func(hours float64) float64 {
		if hours >= float64(len(curve)) {
			return sums[len(curve)] + hours - float64(len(curve))
		}
		h := int(hours)
		return sums[h] + (hours-float64(h))*(sums[h+1]-sums[h])
	}
	midnight := bandits.DayOf(at).Time()
	sinceMidnight := at.Sub(midnight).Hours()
	return func(age int) float64 {
		to := sinceMidnight + 24*float64(age) // of the oldest decision of the day
		from := max(0, to-24)
		if to-from < 1e-3 {
			return curve[0] / 2
		}
		return (integral(to) - integral(from)) / (to - from)
	}
}
