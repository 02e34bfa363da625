package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"quintet/internal/clickhouse"
	"quintet/models/bandits"
)

const (
	// horizonHalfLives is how far back a build reads: older decisions would weigh
	// less than a thousandth.
	horizonHalfLives = 10
	maxHorizonDays   = 3650
	// maxDaysAtOnce and maxDecisionsAtOnce bound what one statement sums again.
	maxDaysAtOnce      = 60
	maxDecisionsAtOnce = 500_000
)

// tileSource sums the decisions of a point with their rewards by action and day.
//
// A vector of s active features gives s(s+1)/2 products, whatever the dimension.
// Products are summed per pair first and collected per action then. The sums of a day
// are of nothing but the day: their age and the worth of an outcome come later, see
// readTiles. The signature says of which decisions and rewards they are.
const tileSource = attribution + `,
  days AS (
    SELECT toDate(decided_at) AS day, action, weight, sequence, totals, clamped, feature_index, feature_value,
      cityHash64(decision_id, action, feature_index, feature_value, totals, weight) AS hash
    FROM rewarded
    WHERE @all OR toInt32(toDate(decided_at)) IN (@days)
  ),
  pairs AS (
    SELECT day, action, i, j, sum(weight * (xi * xj)) AS xx,
      sumForEach(if(i = j, arrayMap(t -> weight * t * xi, totals), [])) AS tx,
      sumForEach(if(position = 1, totals, [])) AS t,
      sumForEach(if(position = 1, arrayMap(t -> weight * t, totals), [])) AS wt,
      sumForEach(if(position = 1, arrayFlatten(arrayMap(k -> arrayMap(l -> weight * totals[k] * totals[l], range(1, k + 1)), range(1, length(totals) + 1))), [])) AS wtt,
      sumIf(weight, position = 1) AS w, sumIf(hash, position = 1) AS hashes,
      countIf(position = 1) AS count, maxIf(sequence, position = 1) AS last, countIf(clamped AND position = 1) AS clamps
    FROM (
      SELECT day, action, weight, sequence, totals, clamped, hash, position, i, xi, j, xj
      FROM (
        SELECT day, action, weight, sequence, totals, clamped, hash, i, xi, position,
          arraySlice(feature_index, 1, position) AS before, arraySlice(feature_value, 1, position) AS values
        FROM days
        ARRAY JOIN feature_index AS i, feature_value AS xi, arrayEnumerate(feature_index) AS position
      )
      ARRAY JOIN before AS j, values AS xj
    )
    GROUP BY day, action, i, j
  )
SELECT day, action, sum(count) AS decisions, sum(clamps) AS clamped, max(last) AS through, sum(w) AS weight,
  sumForEach(t) AS earned, sumForEach(wt) AS totals, sumForEach(wtt) AS products,
  groupArrayIf(i, i = j) AS features, groupArrayIf(tx, i = j) AS feature_totals,
  groupArray(bitShiftLeft(toUInt64(greatest(i, j)), 32) + least(i, j)) AS pairs, groupArray(xx) AS pair_sums, sum(hashes) AS hashes
FROM pairs GROUP BY day, action`

// tileInsert stores the tiles of some days.
const tileInsert = `INSERT INTO model_tiles (decision_point, recipe, day, action, run, tiles, signature, decisions, clamped, through, weight,
  earned, totals, products, features, feature_totals, pairs, pair_sums)
SELECT @point, @recipe, day, action, @run, count() OVER (PARTITION BY day), sum(hashes) OVER (PARTITION BY day), decisions, clamped, through, weight,
  earned, totals, products, features, feature_totals, pairs, pair_sums
FROM (%s)`

// signatureQuery says what each day of the log holds.
const signatureQuery = attribution + `
SELECT toDate(decided_at) AS day, sum(cityHash64(decision_id, action, feature_index, feature_value, totals, weight)), count()
FROM rewarded GROUP BY day ORDER BY day`

// storedQuery says what each day of the tiles holds, by its newest run.
const storedQuery = `SELECT day, argMax(signature, run), argMax(tiles, run), max(run), argMax(found, run)
FROM (
  SELECT day, run, any(signature) AS signature, any(tiles) AS tiles, countIf(action != '') AS found
  FROM model_tiles FINAL WHERE decision_point = @point AND recipe = @recipe GROUP BY day, run
) GROUP BY day`

// storedTiles are the tiles of the newest run of each day from one to another.
const storedTiles = `SELECT day, action, decisions, clamped, through, weight, earned, totals, products, features, feature_totals, pairs, pair_sums
FROM model_tiles FINAL
WHERE decision_point = @point AND recipe = @recipe AND action != '' AND day >= @first AND day <= @last
  AND (day, run) IN (SELECT day, max(run) FROM model_tiles WHERE decision_point = @point AND recipe = @recipe GROUP BY day)`

// weighed adds the tiles of an action, weighted by age (@c for decisions, @g for
// rewards) and by what the outcomes are worth (@weights, @squares).
const weighed = `SELECT * EXCEPT (p, f) FROM (SELECT action, sum(c * weight), sum(g * arraySum((v, w) -> v * w, totals, @weights)), sum(g * arraySum((v, w) -> v * w, products, @squares)),
  sum(decisions), sum(arraySum((v, w) -> v * w, earned, @weights)), max(through), sum(clamped),
  sumMap(pairs, arrayMap(x -> c * x, pair_sums)) AS p, sumMap(features, arrayMap(t -> g * arraySum((v, w) -> v * w, t, @weights), feature_totals)) AS f,
  tupleElement(p, 1), tupleElement(p, 2), tupleElement(f, 1), tupleElement(f, 2)
FROM (
  SELECT *, greatest(0, @today - toInt32(day)) + 1 AS age, @c[age] AS c, @g[age] AS g FROM (%s)
)
WHERE c != 0 OR g != 0
GROUP BY action) ORDER BY action`

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

// recipe is the fingerprint of what tiles are made of: all that cannot be changed
// without reading the log again. What outcomes are worth, ages and delays are not in it.
func (s *Spec) recipe(encoder *bandits.Encoder) (string, error) {
	type term struct{ Event, Property string }
	terms := make([]term, len(s.Objective.Terms))
	for i, t := range s.Objective.Terms {
		terms[i] = term{t.Event, t.Property}
	}
	data, err := json.Marshal(struct {
		Encoder       string
		Since         int64
		Terms         []term
		WindowHours   float64
		LargestWeight float64
	}{encoder.Fingerprint(), s.Since, terms, s.Objective.WindowHours, s.LargestWeight})
	if err != nil {
		return "", fmt.Errorf("encoding what tiles are made of: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12]), nil
}

// refreshed is what a run over the tiles did.
type refreshed struct {
	days    int // that the log has
	written int // that had changed
}

// refreshTiles brings the stored tiles up to date with the log: a day whose decisions
// or rewards are not those that its tiles were made of is summed again, as a whole.
// Doing it again, at whatever moment it was interrupted, comes to the same.
func refreshTiles(ctx context.Context, db *clickhouse.Database, spec *Spec, recipe string, p part, now time.Time) (refreshed, error) {
	var done refreshed
	ctx = chgo.Context(ctx, chgo.WithSettings(tileSettings))
	terms, arguments := spec.attribute(p)
	fail := func(err error) (refreshed, error) {
		return done, fmt.Errorf("bringing the tiles of %s up to date: %w", spec.DecisionPoint, err)
	}
	type content struct{ signature, decisions uint64 }
	log := map[time.Time]content{}
	rows, err := db.Read.Query(ctx, fmt.Sprintf(signatureQuery, terms), arguments...)
	if err != nil {
		return fail(err)
	}
	var day time.Time
	for rows.Next() {
		var c content
		if err := rows.Scan(&day, &c.signature, &c.decisions); err != nil {
			return fail(closing(rows, err))
		}
		log[day.UTC()] = c
	}
	if err := closing(rows, nil); err != nil {
		return fail(err)
	}
	done.days = len(log)
	run := uint64(now.UnixMicro())
	stale, gone := make(map[time.Time]bool, len(log)), []time.Time(nil)
	for day := range log {
		stale[day] = true
	}
	first := p.from.UTC().Truncate(24 * time.Hour)
	if rows, err = db.Read.Query(ctx, storedQuery, chgo.Named("point", spec.DecisionPoint), chgo.Named("recipe", recipe)); err != nil {
		return fail(err)
	}
	for rows.Next() {
		var signature, last, found uint64
		var tiles uint32
		if err := rows.Scan(&day, &signature, &tiles, &last, &found); err != nil {
			return fail(closing(rows, err))
		}
		run = max(run, last+1)
		day = day.UTC()
		c, any := log[day]
		switch {
		case !any && tiles > 0 && !day.Before(first):
			gone = append(gone, day)
		case any && signature == c.signature && uint64(tiles) == found:
			delete(stale, day)
		}
	}
	if err := closing(rows, nil); err != nil {
		return fail(err)
	}
	for _, day := range gone {
		if err := db.Write.Exec(ctx, `INSERT INTO model_tiles (decision_point, recipe, day, action, run) VALUES (@point, @recipe, toDate(@day), '', @run)`,
			chgo.Named("point", spec.DecisionPoint), chgo.Named("recipe", recipe), chgo.Named("day", day.Format(time.DateOnly)), chgo.Named("run", run)); err != nil {
			return fail(err)
		}
		done.written++
	}
	// Several days in one statement, as each reads the log to tell which outcomes are
	// whose, but no more than fit into memory.
	order := slices.SortedFunc(maps.Keys(stale), time.Time.Compare)
	for len(order) > 0 {
		var days []int32
		var size uint64
		for len(order) > 0 && len(days) < maxDaysAtOnce && (len(days) == 0 || size+log[order[0]].decisions <= maxDecisionsAtOnce) {
			size += log[order[0]].decisions
			days, order = append(days, int32(bandits.DayOf(order[0]))), order[1:]
		}
		terms, arguments := spec.attribute(p)
		arguments = append(arguments, chgo.Named("recipe", recipe), chgo.Named("run", run), chgo.Named("all", false), chgo.Named("days", days))
		if err := db.Write.Exec(ctx, fmt.Sprintf(tileInsert, fmt.Sprintf(tileSource, terms)), arguments...); err != nil {
			return fail(err)
		}
		done.written += len(days)
	}
	return done, nil
}

// closing ends the reading of rows; where err is nil it returns what the reading met.
func closing(rows driver.Rows, err error) error {
	return errors.Join(err, rows.Err(), rows.Close())
}

// readTiles gives the tile of every action of a part of the log to add, which must not
// keep it: weighted by day, and with rewards as the spec's terms are worth. Stored
// tiles are read where there is a recipe, and the log itself where there is none.
func readTiles(ctx context.Context, db *clickhouse.Database, spec *Spec, recipe string, p part, weigh weighting, add func(bandits.Tile) error) (learned, error) {
	dimension := p.dimension
	sum := learned{average: make([]float64, dimension)}
	today, oldest := bandits.DayOf(p.to), bandits.DayOf(p.from)
	days := int(today-oldest) + 1
	c, g := make([]float64, days+1), make([]float64, days+1)
	for age := range c {
		c[age], g[age] = weigh(today - bandits.Day(age))
	}
	ctx = chgo.Context(ctx, chgo.WithSettings(tileSettings))
	source := storedTiles
	arguments := []any{chgo.Named("point", spec.DecisionPoint), chgo.Named("recipe", recipe), chgo.Named("weights", spec.weights()),
		chgo.Named("first", oldest.Time().Format(time.DateOnly)), chgo.Named("last", today.Time().Format(time.DateOnly))}
	if recipe == "" {
		var terms string
		terms, arguments = spec.attribute(p)
		source = fmt.Sprintf(tileSource, terms)
		arguments = append(arguments, chgo.Named("all", true), chgo.Named("days", []int32{0}))
	}
	arguments = append(arguments, chgo.Named("today", int32(today)), chgo.Named("c", c), chgo.Named("g", g), chgo.Named("squares", spec.squares()))
	rows, err := db.Read.Query(ctx, fmt.Sprintf(weighed, source), arguments...)
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
			pairs                   []uint64
			features                []uint32
			xx, rx                  []float64
		)
		if err := rows.Scan(&tile.Action, &tile.N, &tile.SumR, &tile.SumR2, &count, &earned, &through, &clamped, &pairs, &xx, &features, &rx); err != nil {
			return sum, fmt.Errorf("reading the sums of %s: %w", spec.DecisionPoint, err)
		}
		clear(tile.SumRX)
		clear(tile.SumXX)
		for k, pair := range pairs {
			// A vector whose indices do not ascend is not the encoder's, but its
			// products are still symmetric.
			i, j := int(pair>>32), int(pair&math.MaxUint32)
			if i < dimension && j <= i {
				tile.SumXX[bandits.PackedLen(i)+j] += xx[k]
			}
		}
		for k, i := range features {
			if int(i) < dimension {
				tile.SumRX[i] += rx[k]
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

// squares are the weights of the products of outcomes, in the order of the packed
// lower triangle: with them the products come to the square of the reward.
func (s *Spec) squares() []float64 {
	weights := s.weights()
	var out []float64
	for k, a := range weights {
		for l, b := range weights[:k+1] {
			if l == k {
				out = append(out, a*b)
			} else {
				out = append(out, 2*a*b)
			}
		}
	}
	return out
}

// horizonDays is how far back a build reads.
func (s *Spec) horizonDays() int {
	days := min(horizonHalfLives*s.HalfLifeDays, maxHorizonDays)
	if s.WindowDays > 0 {
		days = min(days, s.WindowDays)
	}
	return int(math.Ceil(days))
}
