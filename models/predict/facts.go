package predict

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/clickhouse"
	"quintet/internal/learners"
)

// lookBack is how many days of the past features are made of.
const lookBack = 730

// queryDeadline bounds one query for a training set.
const queryDeadline = 5 * time.Minute

func bounded(ctx context.Context) context.Context {
	return chgo.Context(ctx, chgo.WithSettings(clickhouse.Spilling(chgo.Settings{"max_execution_time": int(queryDeadline.Seconds()), "os_thread_priority": 10})))
}

// feature is an aggregate over the events of a person before the moment T. In expressions
// b says that an event is before T, a that it is besides something that the person did
// (not one of [undergone]), age its age in days, o that it is a purchase, v its value.
type feature struct {
	name string
	sql  string
	text bool
}

var features = []feature{
	{"orders", "countIf(b AND o)", false},
	{"orders30", "countIf(b AND o AND age < 30)", false},
	{"orders90", "countIf(b AND o AND age < 90)", false},
	{"daysSinceLastOrder", "ifNull(minOrNullIf(age, b AND o), nan)", false},
	{"daysSinceFirstOrder", "ifNull(maxOrNullIf(age, b AND o), nan)", false},
	{"orderGapDays", "if(countIf(b AND o) > 1, (maxIf(age, b AND o) - minIf(age, b AND o)) / (countIf(b AND o) - 1), nan)", false},
	{"spend", "sumIf(v, b AND o)", false},
	{"spend90", "sumIf(v, b AND o AND age < 90)", false},
	{"averageOrder", "avgIf(v, b AND o)", false},
	{"events7", "countIf(a AND age < 7)", false},
	{"events30", "countIf(a AND age < 30)", false},
	{"events90", "countIf(a AND age < 90)", false},
	{"activeDays30", "uniqExactIf(intDiv(at, 86400000), a AND age < 30)", false},
	{"activeDays90", "uniqExactIf(intDiv(at, 86400000), a AND age < 90)", false},
	{"daysSinceLastEvent", "ifNull(minOrNullIf(age, a), nan)", false},
	{"daysSinceFirstEvent", "ifNull(maxOrNullIf(age, a), nan)", false},
	{"kindsOfEvents90", "uniqExactIf(event, a AND age < 90)", false},
	{"views30", "countIf(b AND age < 30 AND event IN ('Product Viewed', '$page', '$screen'))", false},
	{"carts30", "countIf(b AND age < 30 AND event = 'Product Added')", false},
	{"messages30", "countIf(b AND age < 30 AND event IN ('Message Sent', 'Message Delivered', 'Email Delivered', 'SMS Delivered'))", false},
	{"answers30", "countIf(b AND age < 30 AND event IN ('Message Opened', 'Message Clicked', 'Email Opened', 'Email Link Clicked', 'SMS Link Clicked'))", false},
	{"device", "argMaxIf(device, at, b AND device != '')", true},
}

// undergone are events that happen to people and are none of their activity: more letters
// make nobody livelier.
var undergone = []string{
	"Message Sent", "Message Delivered", "Message Failed", "Message Bounced", "Message Suppressed",
	"Email Sent", "Email Delivered", "Email Deferred", "Email Bounced", "Email Dropped",
	"SMS Sent", "SMS Delivered", "SMS Failed", "Push Notification Sent", "Push Notification Received", "Push Notification Bounced",
	"Experiment Viewed",
}

// literal writes a text for SQL.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func list(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = literal(n)
	}
	return strings.Join(quoted, ", ")
}

// people says to whom each merged profile belongs now.
const people = "(SELECT profile_id, argMax(person_id, (valid_from, stamp)) AS person FROM person_map GROUP BY profile_id)"

const person = "if(m.person = '', e.profile_id, m.person)"

// source selects the events of people between two moments; what the service itself noted
// is left out. Events beyond until are never read.
func (s *Spec) source(from, until time.Time) string {
	return fmt.Sprintf(`SELECT %s AS person_id, e.event AS event, toUnixTimestamp64Milli(e.timestamp) AS at,
  e.type = 'track' AND e.event IN (%s) AS o, if(o, if(mapContains(e.numbers, %s), e.numbers[%[3]s], e.numbers['revenue']), 0.) AS v, lower(JSONExtractString(e.context, 'device', 'type')) AS device, e.event NOT IN (%s) AS own
FROM events AS e FINAL LEFT JOIN %s AS m ON e.profile_id = m.profile_id
WHERE e.source != 'system' AND e.profile_id != '' AND e.timestamp >= %s AND e.timestamp < %s`,
		person, list(s.Events), literal(s.Value), list(undergone), people, moment(from), moment(until))
}

func moment(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", t.UnixMilli())
}

// set of people with features and, where it was asked for, what came after.
type trainingSet struct {
	people []string
	table  *learners.Table
	label  []float64
	arm    []string  // of uplift
	at     []float64 // of uplift: the moment of exposure in Unix milliseconds
}

// query builds the one query of a training set. moments is the expression of T in Unix
// milliseconds; joined is appended to the events.
func (s *Spec) query(events, joined, moments, label, population, more string, of share) string {
	var columns []string
	for _, f := range features {
		if f.text {
			columns = append(columns, f.sql+" AS "+f.name)
		} else {
			columns = append(columns, "toFloat32("+f.sql+") AS "+f.name)
		}
	}
	return fmt.Sprintf(`SELECT person_id, %s, toFloat64(%s) AS label%s FROM (
SELECT *, at < %s AS b, b AND own AS a, (%[4]s - at) / 86400000. AS age FROM (%s)%s WHERE %s
) GROUP BY person_id HAVING %s%s`,
		strings.Join(columns, ", "), label, more, moments, events, joined, of.narrow("person_id"), population, of.limit("person_id", s.MaxRows))
}

// asOf builds the training set as of a moment: features from before it, the label from
// the horizon after it. With horizon 0 there is no label.
func (s *Service) asOf(ctx context.Context, spec *Spec, at time.Time, horizon time.Duration, of share) (*trainingSet, error) {
	label := "0"
	if horizon > 0 {
		label = "countIf(NOT b AND o) > 0"
		if spec.Family == Churn {
			label = "countIf(NOT b AND o) = 0"
		}
	}
	population := fmt.Sprintf("countIf(b AND o AND age < %d) > 0", spec.ActiveDays)
	if spec.Family == NextPurchase {
		population = fmt.Sprintf("countIf(a AND age < %d) > 0", spec.ActiveDays)
	}
	sql := spec.query(spec.source(at.AddDate(0, 0, -lookBack), at.Add(horizon)), "", fmt.Sprint(at.UnixMilli()), label, population, "", of)
	return s.read(ctx, sql, false)
}

func (s *Service) read(ctx context.Context, sql string, arms bool) (*trainingSet, error) {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	rows, err := s.clickhouse.Read.Query(bounded(ctx), sql)
	if err != nil {
		return nil, fmt.Errorf("selecting a training set: %w", err)
	}
	defer rows.Close()
	set := &trainingSet{table: &learners.Table{}}
	set.table.Columns = make([]learners.Column, len(features))
	numbers, texts := make([]float32, len(features)), make([]string, len(features))
	var id, arm string
	var label, at float64
	into := []any{&id}
	for i, f := range features {
		set.table.Columns[i].Name = f.name
		if f.text {
			into = append(into, &texts[i])
			set.table.Columns[i].Categories = []string{}
		} else {
			into = append(into, &numbers[i])
		}
	}
	into = append(into, &label)
	if arms {
		into = append(into, &arm, &at)
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("reading a training set: %w", err)
		}
		set.people, set.label = append(set.people, id), append(set.label, label)
		for i := range features {
			c := &set.table.Columns[i]
			if c.Categorical() {
				c.Categories = append(c.Categories, strings.Clone(texts[i]))
				continue
			}
			v := numbers[i]
			if math.IsInf(float64(v), 0) {
				v = float32(math.NaN())
			}
			c.Numbers = append(c.Numbers, v)
		}
		if arms {
			set.arm, set.at = append(set.arm, strings.Clone(arm)), append(set.at, at)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading a training set: %w", err)
	}
	return set, nil
}
