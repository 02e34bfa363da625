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
	list, err := readOutcomes(ctx, db, spec, from.Events, to.Events)
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
	if n.to.Events, err = holdUp(ctx, db, list, past, to.Events, now); err != nil {
		return fail(err)
	}
	window := time.Duration(spec.Objective.WindowHours * float64(time.Hour))
	for i := range list {
		o := &list[i]
		d, ok := past[o.decision]
		if o.sequence > n.to.Events || !ok || d.sequence > from.Decisions || o.at.Before(d.decidedAt.Add(-earlyOutcome)) || !o.at.Before(d.decidedAt.Add(window)) {
			continue // of nothing, of a decision that comes with all of its outcomes, or too early or late
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
	if err := n.readDecisions(ctx, db, spec, dimension, from, to, now); err != nil {
		return fail(err)
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

func readOutcomes(ctx context.Context, db *clickhouse.Database, spec *Spec, after, through uint64) ([]outcome, error) {
	if through <= after {
		return nil, nil
	}
	terms, arguments := spec.termsExpression()
	arguments = append(arguments, chgo.Named("events", spec.events()), chgo.Named("after", after), chgo.Named("through", through))
	rows, err := db.Read.Query(ctx, fmt.Sprintf(`SELECT message_id, decision_id, profile_id, timestamp, received_at, sequence, %s
		FROM events WHERE event IN (@events) AND sequence > @after AND sequence <= @through ORDER BY sequence, item`, terms), arguments...)
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

// usableDecision is what a decision must be to teach, and weightExpression what it
// counts for; both as in attribution.
const (
	usableDecision = `decision_point = @point AND eligible AND action != '' AND point_version >= @since
		AND notEmpty(feature_index) AND length(feature_index) = length(feature_value)
		AND arrayMax(feature_index) < @dimension AND arrayAll(x -> isFinite(x), feature_value)`
	weightExpression = `if(@largest > 0 AND probabilities[indexOf(candidates, action)] > 0, least(@largest, 1 / probabilities[indexOf(candidates, action)]), 1)`
)

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
	rows, err := db.Read.Query(ctx, `SELECT decision_id, decided_at, action, sequence, feature_index, feature_value, `+weightExpression+`
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

// holdUp says up to which sequence the outcomes can be taken: not beyond one of a
// moment ago that names a decision which the log does not have yet.
func holdUp(ctx context.Context, db *clickhouse.Database, list []outcome, past map[string]observation, through uint64, now time.Time) (uint64, error) {
	young := map[string]uint64{}
	for i := range list {
		o := &list[i]
		if _, ok := past[o.decision]; ok || o.decision == "" || now.Sub(o.received) > holdBack {
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

// readDecisions adds the new decisions with all that has come of them.
func (n *news) readDecisions(ctx context.Context, db *clickhouse.Database, spec *Spec, dimension int, from, to Position, now time.Time) error {
	if to.Decisions <= from.Decisions {
		return nil
	}
	var count uint64
	var first, last time.Time
	if err := db.Read.QueryRow(ctx, `SELECT count(), min(decided_at), max(decided_at) FROM decisions WHERE sequence > @after AND sequence <= @through AND `+usableDecision,
		chgo.Named("after", from.Decisions), chgo.Named("through", to.Decisions), chgo.Named("point", spec.DecisionPoint), chgo.Named("since", spec.Since),
		chgo.Named("dimension", dimension)).Scan(&count, &first, &last); err != nil {
		return err
	}
	if count == 0 {
		return nil
	}
	horizon := (bandits.DayOf(now) - bandits.Day(spec.horizonDays())).Time()
	if first.Before(horizon) {
		first = horizon
	}
	p := part{from: first, to: last.Add(time.Millisecond), first: from.Decisions + 1, through: Position{Decisions: to.Decisions, Events: n.to.Events}, dimension: dimension}
	if !p.from.Before(p.to) {
		return nil
	}
	terms, arguments := spec.attribute(p)
	rows, err := db.Read.Query(ctx, fmt.Sprintf(attribution, terms)+`
		SELECT decided_at, action, sequence, feature_index, feature_value, totals, weight FROM rewarded ORDER BY sequence, decision_id`, arguments...)
	if err != nil {
		return err
	}
	for rows.Next() {
		d := observation{isDecision: true}
		if err := rows.Scan(&d.decidedAt, &d.action, &d.sequence, &d.features.Indices, &d.features.Values, &d.totals, &d.weight); err != nil {
			return closing(rows, err)
		}
		n.observations = append(n.observations, d)
		n.decisions++
		n.through = max(n.through, d.sequence)
	}
	return closing(rows, nil)
}
