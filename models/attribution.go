package models

import (
	"fmt"
	"math"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

const (
	// maxReward bounds what one kind of outcome brings to a decision: a single event
	// with a property of 1e300 must not take the model with it.
	maxReward = 1e9
	// earlyOutcome is how much earlier than its decision an event that names it
	// may be dated: clocks of two machines differ.
	earlyOutcome = time.Hour
)

// Position is how far a model has read the log: sequences in the stream of decisions
// and of events. Records are stored in the order of the stream, so that everything up
// to a position that the stores have passed is in the log.
type Position struct {
	Decisions uint64 `json:"decisions"`
	Events    uint64 `json:"events"`
}

// everything is a position behind the end.
var everything = Position{Decisions: math.MaxUint64, Events: math.MaxUint64}

// attribution begins a query with the decisions of a point (learned) and the rewards
// that belong to them (rewarded). An event that names no decision belongs to the last
// decision about the person, by whichever of the person's profiles.
//
// What a decision brought is kept by kind of outcome, in totals: one number for each
// term of the objective, without its weight, and the contact cost behind them.
const attribution = `
WITH
  learned AS (
    SELECT decision_id, decided_at, profile_id, action, contact_cost, candidates, probabilities, feature_index, feature_value, sequence
    FROM decisions FINAL
    WHERE decision_point = @point AND eligible AND action != '' AND point_version >= @since AND sequence <= @decisionsThrough
      AND decided_at >= fromUnixTimestamp64Milli(@from) AND decided_at < fromUnixTimestamp64Milli(@to)
      AND notEmpty(feature_index) AND length(feature_index) = length(feature_value)
      AND arrayMax(feature_index) < @dimension AND arrayAll(x -> isFinite(x), feature_value)
  ),
  people AS (
    SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person
    FROM person_map WHERE valid_from < fromUnixTimestamp64Milli(@to)
    GROUP BY profile_id
  ),
  outcomes AS (
    SELECT decision_id, profile_id, timestamp, %[1]s AS terms
    FROM events FINAL
    WHERE event IN (@events) AND timestamp >= fromUnixTimestamp64Milli(@from) - toIntervalHour(1) AND sequence <= @eventsThrough
  ),
  attributed AS (
    SELECT decision_id AS id, timestamp, terms FROM outcomes WHERE decision_id != ''
    UNION ALL
    SELECT last.decision_id AS id, o.timestamp AS timestamp, o.terms AS terms
    FROM (
      SELECT if(p.person = '', x.profile_id, p.person) AS person, x.timestamp AS timestamp, x.terms AS terms
      FROM outcomes AS x LEFT JOIN people AS p ON x.profile_id = p.profile_id
      WHERE x.decision_id = '' AND x.profile_id != ''
    ) AS o
    ASOF INNER JOIN (
      SELECT if(p.person = '', x.profile_id, p.person) AS person, x.decided_at AS decided_at, x.decision_id AS decision_id, x.decision_point AS decision_point
      FROM decisions AS x FINAL LEFT JOIN people AS p ON x.profile_id = p.profile_id
      WHERE x.eligible AND x.action != '' AND x.decided_at >= fromUnixTimestamp64Milli(@from) AND x.sequence <= @decisionsThrough
    ) AS last ON o.person = last.person AND o.timestamp >= last.decided_at
    WHERE last.decision_point = @point
  ),
  rewards AS (
    SELECT a.id AS id, sumForEach(a.terms) AS brought, min(a.timestamp) AS first
    FROM attributed AS a INNER JOIN learned AS d ON a.id = d.decision_id
    WHERE a.timestamp >= d.decided_at - toIntervalSecond(@early)
      AND a.timestamp < d.decided_at + toIntervalMillisecond(@window)
    GROUP BY id
  ),
  rewarded AS (
    SELECT d.decision_id AS decision_id, d.decided_at AS decided_at, d.profile_id AS profile_id, action, candidates, probabilities,
      sequence, feature_index, feature_value, r.first AS first, notEmpty(r.brought) AS answered,
      arrayPushBack(arrayMap(v -> if(isFinite(v), greatest(-@most, least(@most, v)), 0), arrayResize(r.brought, @terms)), contact_cost) AS totals,
      arraySum(arrayMap((v, w) -> v * w, totals, @weights)) AS asked,
      greatest(-@most, least(@most, asked)) AS reward,
      asked != reward OR arrayExists(v -> NOT (abs(v) <= @most), r.brought) AS clamped,
      probabilities[indexOf(candidates, action)] AS propensity,
      if(@largest > 0 AND propensity > 0, least(@largest, 1 / propensity), 1) AS weight
    FROM learned AS d LEFT JOIN rewards AS r ON d.decision_id = r.id
  )`

// part says which part of the log a query is about.
type part struct {
	from, to  time.Time
	through   Position
	dimension int
}

// attribute fills in attribution: what one event brings to each term, and the
// arguments.
func (s *Spec) attribute(p part) (terms string, arguments []any) {
	terms, arguments = s.termsExpression()
	return terms, append(arguments,
		chgo.Named("point", s.DecisionPoint), chgo.Named("since", s.Since),
		chgo.Named("from", p.from.UnixMilli()), chgo.Named("to", p.to.UnixMilli()),
		chgo.Named("decisionsThrough", p.through.Decisions), chgo.Named("eventsThrough", p.through.Events),
		chgo.Named("dimension", p.dimension), chgo.Named("events", s.events()),
		chgo.Named("early", int64(earlyOutcome/time.Second)),
		chgo.Named("window", int64(s.Objective.WindowHours*3600_000)),
		chgo.Named("terms", len(s.Objective.Terms)), chgo.Named("weights", s.weights()),
		chgo.Named("most", float64(maxReward)), chgo.Named("largest", s.LargestWeight),
	)
}

// weights are what a unit of each term is worth, and of the contact cost.
func (s *Spec) weights() []float64 {
	out := make([]float64, 0, len(s.Objective.Terms)+1)
	for _, t := range s.Objective.Terms {
		out = append(out, t.Weight)
	}
	if s.Objective.SubtractContactCost {
		return append(out, -1)
	}
	return append(out, 0)
}

// termsExpression is what one event brings to each term, as SQL with its arguments.
func (s *Spec) termsExpression() (expression string, arguments []any) {
	var b strings.Builder
	b.WriteByte('[')
	for i, t := range s.Objective.Terms {
		if i > 0 {
			b.WriteString(", ")
		}
		value := "1"
		if t.Property != "" {
			value = fmt.Sprintf("numbers[@property%d]", i)
			arguments = append(arguments, chgo.Named(fmt.Sprintf("property%d", i), t.Property))
		}
		// No number is nothing, and one that no model can bear is cut in attribution.
		fmt.Fprintf(&b, "if(event = @event%d AND isFinite(toFloat64(%[2]s)), greatest(-1e15, least(1e15, toFloat64(%[2]s))), 0.)", i, value)
		arguments = append(arguments, chgo.Named(fmt.Sprintf("event%d", i), t.Event))
	}
	b.WriteByte(']')
	return b.String(), arguments
}

func (s *Spec) events() []string {
	names := make([]string, len(s.Objective.Terms))
	for i, t := range s.Objective.Terms {
		names[i] = t.Event
	}
	return names
}
