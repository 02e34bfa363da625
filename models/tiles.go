package models

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/clickhouse"
	"quintet/models/bandits"
)

const (
	// maxReward bounds the reward of one decision: a single event with a property
	// of 1e300 must not take the model with it.
	maxReward = 1e9
	// horizonHalfLives is how far back a build reads: older decisions would weigh
	// less than a thousandth.
	horizonHalfLives = 10
	maxHorizonDays   = 3650
	// earlyOutcome is how much earlier than its decision an event that names it
	// may be dated: clocks of two machines differ.
	earlyOutcome = time.Hour
)

// attribution begins a query with the decisions of a point (learned) and the rewards
// that belong to them (rewarded). An event that names no decision belongs to the last
// decision about the person, by whichever of the person's profiles.
const attribution = `
WITH
  learned AS (
    SELECT decision_id, decided_at, profile_id, action, contact_cost, candidates, probabilities, feature_index, feature_value, sequence
    FROM decisions FINAL
    WHERE decision_point = @point AND eligible AND action != '' AND point_version >= @since
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
    SELECT decision_id, profile_id, timestamp, %[1]s AS value
    FROM events FINAL
    WHERE event IN (@events) AND timestamp >= fromUnixTimestamp64Milli(@from) - toIntervalHour(1)
  ),
  attributed AS (
    SELECT decision_id AS id, timestamp, value FROM outcomes WHERE decision_id != ''
    UNION ALL
    SELECT last.decision_id AS id, o.timestamp AS timestamp, o.value AS value
    FROM (
      SELECT if(p.person = '', x.profile_id, p.person) AS person, x.timestamp AS timestamp, x.value AS value
      FROM outcomes AS x LEFT JOIN people AS p ON x.profile_id = p.profile_id
      WHERE x.decision_id = '' AND x.profile_id != ''
    ) AS o
    ASOF INNER JOIN (
      SELECT if(p.person = '', x.profile_id, p.person) AS person, x.decided_at AS decided_at, x.decision_id AS decision_id, x.decision_point AS decision_point
      FROM decisions AS x FINAL LEFT JOIN people AS p ON x.profile_id = p.profile_id
      WHERE x.eligible AND x.action != '' AND x.decided_at >= fromUnixTimestamp64Milli(@from)
    ) AS last ON o.person = last.person AND o.timestamp >= last.decided_at
    WHERE last.decision_point = @point
  ),
  rewards AS (
    SELECT a.id AS id, sum(a.value) AS total
    FROM attributed AS a INNER JOIN learned AS d ON a.id = d.decision_id
    WHERE a.timestamp >= d.decided_at - toIntervalSecond(@early)
      AND a.timestamp < d.decided_at + toIntervalMillisecond(@window)
    GROUP BY id
  ),
  rewarded AS (
    SELECT d.decision_id AS decision_id, d.decided_at AS decided_at, d.profile_id AS profile_id, action, candidates, probabilities,
      sequence, feature_index, feature_value,
      r.total - @cost * contact_cost AS asked,
      if(isFinite(asked), greatest(-@most, least(@most, asked)), 0) AS reward,
      asked != reward AS clamped
    FROM learned AS d LEFT JOIN rewards AS r ON d.decision_id = r.id
  )`

// tileQuery sums the decisions of a point with their rewards per action.
//
// A vector of s active features gives s(s+1)/2 products, whatever the dimension.
// Products are summed per pair first and collected per action then. Days are
// weighted by their age on the way (@c for decisions, @g for rewards), so that a
// month of tiles crosses over as one for each action.
const tileQuery = attribution + `,
  aged AS (
    SELECT action, greatest(0, @today - toInt32(toDate(decided_at))) + 1 AS age, @c[age] AS c, @g[age] AS g,
      sequence, feature_index, feature_value, reward, clamped
    FROM rewarded
  ),
  pairs AS (
    SELECT action, i, j, sum(c * (xi * xj)) AS xx, sumIf(g * (reward * xi), i = j) AS rx,
      sumIf(c, position = 1) AS n, sumIf(g * reward, position = 1) AS r, sumIf(g * (reward * reward), position = 1) AS r2,
      countIf(position = 1) AS count, sumIf(reward, position = 1) AS earned,
      maxIf(sequence, position = 1) AS through, countIf(clamped AND position = 1) AS clamps
    FROM (
      SELECT action, c, g, sequence, reward, clamped, position, i, xi, j, xj
      FROM (
        SELECT action, c, g, sequence, reward, clamped, i, xi, position,
          arraySlice(feature_index, 1, position) AS before, arraySlice(feature_value, 1, position) AS values
        FROM aged
        ARRAY JOIN feature_index AS i, feature_value AS xi, arrayEnumerate(feature_index) AS position
      )
      ARRAY JOIN before AS j, values AS xj
    )
    GROUP BY action, i, j
  )
SELECT action, sum(n), sum(r), sum(r2), sum(count), sum(earned), max(through), sum(clamps),
  groupArray(i), groupArray(j), groupArray(xx), groupArray(rx)
FROM pairs GROUP BY action ORDER BY action`

// tileSettings bound a build: it must not take the machine from the decisions, which
// wait for as long as two processors are busy elsewhere. Small blocks keep the
// exploded vectors small.
var tileSettings = chgo.Settings{
	"max_block_size": 4096, "max_threads": 1, "max_execution_time": 600,
	"max_memory_usage": 4 << 30, "max_bytes_before_external_group_by": 1 << 30,
	"join_use_nulls": 0,
}

// learned says what the tiles of a build held.
type learned struct {
	decisions uint64
	reward    float64
	through   uint64 // largest sequence
	clamped   uint64 // rewards cut to ±maxReward
	// average is the mean feature vector, weighted like the rest; dense.
	average []float64
}

// weighting gives the weights of a day: c for its decisions, g for their rewards.
type weighting func(bandits.Day) (c, g float64)

// readTiles sums the log as the spec asks, weighted by day, and gives the tile of
// every action to add, which must not keep it.
func readTiles(ctx context.Context, db *clickhouse.Database, spec *Spec, dimension int, at time.Time, weigh weighting, add func(bandits.Tile) error) (learned, error) {
	sum := learned{average: make([]float64, dimension)}
	today := bandits.DayOf(at)
	days := horizonDays(spec.HalfLifeDays)
	c, g := make([]float64, days+2), make([]float64, days+2) // the horizon may begin within a day
	for age := range c {
		c[age], g[age] = weigh(today - bandits.Day(age))
	}
	ctx = chgo.Context(ctx, chgo.WithSettings(tileSettings))
	value, arguments := spec.attribute(dimension, at.AddDate(0, 0, -days), at)
	arguments = append(arguments, chgo.Named("today", int32(today)), chgo.Named("c", c), chgo.Named("g", g))
	rows, err := db.Read.Query(ctx, fmt.Sprintf(tileQuery, value), arguments...)
	if err != nil {
		return sum, fmt.Errorf("summing the decisions of %s: %w", spec.DecisionPoint, err)
	}
	defer rows.Close()
	tile := bandits.NewTile("", today, dimension)
	var weight float64
	for rows.Next() {
		var (
			count, through, clamped uint64
			earned                  float64
			is, js                  []uint32
			xx, rx                  []float64
		)
		if err := rows.Scan(&tile.Action, &tile.N, &tile.SumR, &tile.SumR2, &count, &earned, &through, &clamped, &is, &js, &xx, &rx); err != nil {
			return sum, fmt.Errorf("reading the sums of %s: %w", spec.DecisionPoint, err)
		}
		clear(tile.SumRX)
		clear(tile.SumXX)
		for k, i := range is {
			// A vector whose indices do not ascend is not the encoder's, but its
			// products are still symmetric.
			row, column := int(max(i, js[k])), int(min(i, js[k]))
			tile.SumXX[bandits.PackedLen(row)+column] += xx[k]
			if row == column {
				tile.SumRX[row] += rx[k]
			}
		}
		if err := add(tile); err != nil {
			return sum, fmt.Errorf("adding the sums of %s: %w", spec.DecisionPoint, err)
		}
		sum.decisions += count
		sum.reward += earned
		weight += tile.N
		sum.through = max(sum.through, through)
		sum.clamped += clamped
		for i := range sum.average { // products with the intercept, feature 0
			sum.average[i] += tile.SumXX[bandits.PackedLen(i)]
		}
	}
	if err := rows.Err(); err != nil {
		return sum, fmt.Errorf("summing the decisions of %s: %w", spec.DecisionPoint, err)
	}
	for i := range sum.average {
		sum.average[i] /= max(weight, math.SmallestNonzeroFloat64)
	}
	return sum, nil
}

// horizonDays is how far back a build reads.
func horizonDays(halfLife float64) int {
	return int(math.Ceil(min(horizonHalfLives*halfLife, maxHorizonDays)))
}

// attribute fills in attribution for the decisions from one moment to another: what
// one event is worth, and the arguments.
func (s *Spec) attribute(dimension int, from, to time.Time) (value string, arguments []any) {
	value, arguments = s.valueExpression()
	cost := 0.0
	if s.Objective.SubtractContactCost {
		cost = 1
	}
	return value, append(arguments,
		chgo.Named("point", s.DecisionPoint), chgo.Named("since", s.Since),
		chgo.Named("from", from.UnixMilli()), chgo.Named("to", to.UnixMilli()),
		chgo.Named("dimension", dimension), chgo.Named("events", s.events()),
		chgo.Named("early", int64(earlyOutcome/time.Second)),
		chgo.Named("window", int64(s.Objective.WindowHours*3600_000)),
		chgo.Named("cost", cost), chgo.Named("most", float64(maxReward)),
	)
}

// valueExpression is what one event is worth, as SQL with its arguments.
func (s *Spec) valueExpression() (expression string, arguments []any) {
	var b strings.Builder
	for i, t := range s.Objective.Terms {
		if i > 0 {
			b.WriteString(" + ")
		}
		value := "1"
		if t.Property != "" {
			value = fmt.Sprintf("numbers[@property%d]", i)
			arguments = append(arguments, chgo.Named(fmt.Sprintf("property%d", i), t.Property))
		}
		fmt.Fprintf(&b, "if(event = @event%d, toFloat64(@weight%d) * %s, 0)", i, i, value)
		arguments = append(arguments, chgo.Named(fmt.Sprintf("event%d", i), t.Event), chgo.Named(fmt.Sprintf("weight%d", i), t.Weight))
	}
	return b.String(), arguments
}

func (s *Spec) events() []string {
	names := make([]string, len(s.Objective.Terms))
	for i, t := range s.Objective.Terms {
		names[i] = t.Event
	}
	return names
}

// volume is how much there is to learn from, as cheaply as it can be counted.
type volume struct {
	decisions, outcomes uint64
}

func countVolume(ctx context.Context, db *clickhouse.Database, spec *Spec) (volume, error) {
	var v volume
	err := db.Read.QueryRow(ctx, `SELECT
		(SELECT count() FROM decisions WHERE decision_point = @point AND point_version >= @since AND eligible AND notEmpty(feature_index)),
		(SELECT count() FROM events WHERE event IN (@events))`,
		chgo.Named("point", spec.DecisionPoint), chgo.Named("since", spec.Since), chgo.Named("events", spec.events()),
	).Scan(&v.decisions, &v.outcomes)
	if err != nil {
		return v, fmt.Errorf("counting the decisions of %s: %w", spec.DecisionPoint, err)
	}
	return v, nil
}
