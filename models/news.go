package models

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/oklog/ulid/v2"

	"quintet/internal/clickhouse"
	"quintet/models/bandits"
)

// holdBack is how long an outcome waits for the decision that it names, which is on its
// way to the log by another road.
const holdBack = time.Minute

// newsSettings bound a look for what has come: there is one every second.
var newsSettings = chgo.Settings{"max_threads": 1, "max_execution_time": 20, "max_memory_usage": 1 << 30, "join_use_nulls": 0}

// outcome is an event that counts.
type outcome struct {
	decision, profile string
	at, received      time.Time
	sequence          uint64
	terms             []float64
}

// readNews reads the decisions of a spec that have come from one position to another,
// with everything that has come of them, and what has come of earlier ones. It comes to
// the same as what the log up to the one position lacks of the log up to the other.
func readNews(ctx context.Context, db *clickhouse.Database, spec *Spec, dimension int, from, to Position, now time.Time) (*news, error) {
	ctx = chgo.Context(ctx, chgo.WithSettings(newsSettings))
	n := &news{to: to}
	fail := func(err error) (*news, error) {
		return nil, fmt.Errorf("reading what has come of %s: %w", spec.DecisionPoint, err)
	}
	list, err := readOutcomes(ctx, db, spec, from.Events, to.Events, nil)
	if err != nil {
		return fail(err)
	}
	if err := attributeToLast(ctx, db, spec, list); err != nil {
		return fail(err)
	}
	past, err := readDecided(ctx, db, spec, dimension, list)
	if err != nil {
		return fail(err)
	}
	if n.to.Events, err = holdUp(ctx, db, list, past, to, now); err != nil {
		return fail(err)
	}
	window := time.Duration(spec.Objective.WindowHours * float64(time.Hour))
	add := func(o *outcome, d observation) {
		if o.at.Before(d.decidedAt.Add(-earlyOutcome)) || !o.at.Before(d.decidedAt.Add(window)) {
			return
		}
		d.totals, d.isDecision, d.sequence = make([]float64, len(o.terms)+1), false, o.sequence
		for k, v := range o.terms {
			d.totals[k] = bounded(v)
		}
		n.observations = append(n.observations, d)
		if n.received.IsZero() || o.received.Before(n.received) {
			n.received = o.received
		}
	}
	for i := range list {
		if d, ok := past[list[i].decision]; ok && list[i].sequence <= n.to.Events {
			add(&list[i], d)
		}
	}
	late, err := n.readDecisions(ctx, db, spec, dimension, from, to, now)
	if err != nil {
		return fail(err)
	}
	if len(late) > 0 {
		// Their outcomes may have been passed over before they came.
		before, err := readOutcomes(ctx, db, spec, 0, from.Events, slices.Sorted(maps.Keys(late)))
		if err != nil {
			return fail(err)
		}
		for i := range before {
			add(&before[i], late[before[i].decision])
		}
	}
	n.order()
	return n, nil
}

// bounded cuts what one outcome brings to what a model can bear.
func bounded(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return max(-maxReward, min(maxReward, v))
}

// readOutcomes reads the events that count from one sequence to another: all, or those
// that name one of some decisions.
func readOutcomes(ctx context.Context, db *clickhouse.Database, spec *Spec, after, through uint64, of []string) ([]outcome, error) {
	if through <= after {
		return nil, nil
	}
	terms, arguments := spec.termsExpression()
	arguments = append(arguments, chgo.Named("events", spec.events()), chgo.Named("after", after), chgo.Named("through", through))
	only := ""
	if of != nil {
		only, arguments = "AND decision_id IN (@of)", append(arguments, chgo.Named("of", of))
	}
	rows, err := db.Read.Query(ctx, fmt.Sprintf(`SELECT message_id, decision_id, profile_id, timestamp, received_at, sequence, %s
		FROM events WHERE event IN (@events) AND sequence > @after AND sequence <= @through %s ORDER BY sequence, item`, terms, only), arguments...)
	if err != nil {
		return nil, err
	}
	var list []outcome
	seen := map[[2]string]bool{}
	for rows.Next() {
		var o outcome
		var id string
		if err := rows.Scan(&id, &o.decision, &o.profile, &o.at, &o.received, &o.sequence, &o.terms); err != nil {
			return nil, closing(rows, err)
		}
		if key := [2]string{id, o.profile}; id == "" || !seen[key] {
			seen[key] = true
			list = append(list, o)
		}
	}
	return list, closing(rows, nil)
}

// attributeToLast finds, for outcomes that name no decision, the last decision about
// the person before.
func attributeToLast(ctx context.Context, db *clickhouse.Database, spec *Spec, list []outcome) error {
	persons := map[string]string{} // by profile
	first := time.Time{}
	for i := range list {
		if o := &list[i]; o.decision == "" && o.profile != "" {
			persons[o.profile] = o.profile
			if first.IsZero() || o.at.Before(first) {
				first = o.at
			}
		}
	}
	if len(persons) == 0 {
		return nil
	}
	const person = `SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person FROM person_map WHERE profile_id IN (%s) GROUP BY profile_id`
	if err := readPairs(ctx, db, persons, fmt.Sprintf(person, "@profiles"), chgo.Named("profiles", slices.Sorted(maps.Keys(persons)))); err != nil {
		return err
	}
	wanted := slices.Sorted(maps.Values(persons))
	wanted = slices.Compact(wanted)
	members := map[string]string{}
	for _, p := range wanted {
		members[p] = p
	}
	if err := readPairs(ctx, db, members, fmt.Sprintf(person, "SELECT profile_id FROM person_map WHERE person_id IN (@persons)"), chgo.Named("persons", wanted)); err != nil {
		return err
	}
	since := first.Add(-time.Duration(spec.Objective.WindowHours * float64(time.Hour)))
	rows, err := db.Read.Query(ctx, `SELECT profile_id, decision_id, decision_point, decided_at FROM decision_timeline
		WHERE profile_id IN (@profiles) AND decided_at >= fromUnixTimestamp64Milli(@since) AND eligible AND action != '' ORDER BY decided_at`,
		chgo.Named("profiles", slices.Sorted(maps.Keys(members))), chgo.Named("since", since.UnixMilli()))
	if err != nil {
		return err
	}
	type decided struct {
		id, point string
		at        time.Time
	}
	about := map[string][]decided{}
	for rows.Next() {
		var profile string
		var d decided
		if err := rows.Scan(&profile, &d.id, &d.point, &d.at); err != nil {
			return closing(rows, err)
		}
		about[members[profile]] = append(about[members[profile]], d)
	}
	if err := closing(rows, nil); err != nil {
		return err
	}
	for i := range list {
		o := &list[i]
		if o.decision != "" || o.profile == "" {
			continue
		}
		of := about[persons[o.profile]]
		for k := len(of) - 1; k >= 0; k-- {
			if !of[k].at.After(o.at) {
				if of[k].point == spec.DecisionPoint {
					o.decision = of[k].id
				}
				break
			}
		}
	}
	return nil
}

func readPairs(ctx context.Context, db *clickhouse.Database, into map[string]string, sql string, arguments ...any) error {
	rows, err := db.Read.Query(ctx, sql, arguments...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var k, v string
		if err := rows.Scan(&k, &v); err != nil {
			return closing(rows, err)
		}
		if v != "" {
			into[k] = v
		}
	}
	return closing(rows, nil)
}

// usableDecision is what a decision must be to teach, as in attribution.
const usableDecision = `decision_point = @point AND eligible AND action != '' AND point_version >= @since
		AND notEmpty(feature_index) AND length(feature_index) = length(feature_value)
		AND arrayMax(feature_index) < @dimension AND arrayAll(x -> isFinite(x), feature_value)`

// weightExpression is what a decision counts for, as in attribution. Where all count
// alike, the candidates with their probabilities, most of a row, are not read.
func (s *Spec) weightExpression() string {
	if s.LargestWeight == 0 {
		return "1."
	}
	return `if(probabilities[indexOf(candidates, action)] > 0, least(@largest, 1 / probabilities[indexOf(candidates, action)]), 1)`
}

// readDecided finds the decisions that outcomes belong to, by id.
func readDecided(ctx context.Context, db *clickhouse.Database, spec *Spec, dimension int, list []outcome) (map[string]observation, error) {
	ids := map[string]bool{}
	for i := range list {
		if list[i].decision != "" {
			ids[list[i].decision] = true
		}
	}
	out := make(map[string]observation, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := db.Read.Query(ctx, `SELECT decision_id, decided_at, action, sequence, feature_index, feature_value, `+spec.weightExpression()+`
		FROM decisions WHERE decision_id IN (@ids) AND `+usableDecision+` ORDER BY sequence DESC`,
		chgo.Named("ids", slices.Sorted(maps.Keys(ids))), chgo.Named("point", spec.DecisionPoint), chgo.Named("since", spec.Since),
		chgo.Named("dimension", dimension), chgo.Named("largest", spec.LargestWeight))
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var id string
		var d observation
		if err := rows.Scan(&id, &d.decidedAt, &d.action, &d.sequence, &d.features.Indices, &d.features.Values, &d.weight); err != nil {
			return nil, closing(rows, err)
		}
		out[id] = d // of several rows the earliest
	}
	return out, closing(rows, nil)
}

// holdUp says up to which sequence the outcomes can be taken: not beyond one whose
// decision is on its way, behind the position or not in the log at all; after a minute
// such a one is given up. So every outcome that was taken belongs to a decision that
// was, or had none.
func holdUp(ctx context.Context, db *clickhouse.Database, list []outcome, past map[string]observation, to Position, now time.Time) (uint64, error) {
	through := to.Events
	young := map[string]uint64{}
	for i := range list {
		o := &list[i]
		d, ok := past[o.decision]
		if ok && d.sequence > to.Decisions {
			through = min(through, o.sequence-1)
		}
		if ok || o.decision == "" || now.Sub(o.received) > holdBack {
			continue
		}
		if id, err := ulid.ParseStrict(o.decision); err != nil || now.Sub(ulid.Time(id.Time())) > holdBack {
			continue // no decision of a moment ago
		}
		if at, ok := young[o.decision]; !ok || o.sequence < at {
			young[o.decision] = o.sequence
		}
	}
	if len(young) == 0 {
		return through, nil
	}
	rows, err := db.Read.Query(ctx, `SELECT DISTINCT decision_id FROM decisions WHERE decision_id IN (@ids) AND decided_at >= fromUnixTimestamp64Milli(@since)`,
		chgo.Named("ids", slices.Sorted(maps.Keys(young))), chgo.Named("since", now.Add(-2*holdBack).UnixMilli()))
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return 0, closing(rows, err)
		}
		delete(young, id) // of another decision point, or of no use
	}
	for _, sequence := range young {
		through = min(through, sequence-1)
	}
	return through, closing(rows, nil)
}

// readDecisions adds the new decisions. It returns those that were made more than a
// moment ago, by id.
func (n *news) readDecisions(ctx context.Context, db *clickhouse.Database, spec *Spec, dimension int, from, to Position, now time.Time) (map[string]observation, error) {
	if to.Decisions <= from.Decisions {
		return nil, nil
	}
	horizon := (bandits.DayOf(now) - bandits.Day(spec.horizonDays())).Time()
	rows, err := db.Read.Query(ctx, `SELECT decision_id, decided_at, action, sequence, feature_index, feature_value, contact_cost, `+spec.weightExpression()+`
		FROM decisions WHERE sequence > @after AND sequence <= @through AND decided_at >= fromUnixTimestamp64Milli(@horizon) AND `+usableDecision+`
		ORDER BY sequence, decision_id LIMIT 1 BY decision_id`,
		chgo.Named("after", from.Decisions), chgo.Named("through", to.Decisions), chgo.Named("horizon", horizon.UnixMilli()), chgo.Named("point", spec.DecisionPoint),
		chgo.Named("since", spec.Since), chgo.Named("dimension", dimension), chgo.Named("largest", spec.LargestWeight))
	if err != nil {
		return nil, err
	}
	late := map[string]observation{}
	for rows.Next() {
		d := observation{isDecision: true, totals: make([]float64, len(spec.Objective.Terms)+1)}
		var id string
		if err := rows.Scan(&id, &d.decidedAt, &d.action, &d.sequence, &d.features.Indices, &d.features.Values, &d.totals[len(d.totals)-1], &d.weight); err != nil {
			return nil, closing(rows, err)
		}
		n.observations = append(n.observations, d)
		n.decisions++
		n.through = max(n.through, d.sequence)
		if now.Sub(d.decidedAt) > holdBack {
			late[id] = d
		}
	}
	return late, closing(rows, nil)
}
