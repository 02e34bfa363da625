package experiments

import (
	"strings"
	"testing"
	"time"
)

func TestQueryEscapesNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":           `'plain'`,
		`it's`:            `'it\'s'`,
		`back\`:           `'back\\'`,
		"line\nend":       `'line\x0aend'`,
		`'; DROP TABLE x`: `'\'; DROP TABLE x'`,
		"бантик":          `'бантик'`,
	} {
		if got := literal(in); got != want {
			t.Errorf("literal(%q) = %s, want %s", in, got, want)
		}
	}
}

// Metrics over the same property share a column, and the log is read once.
func TestQueryReadsTheLogOnce(t *testing.T) {
	t.Parallel()
	metrics := []Metric{
		{Kind: ProportionKind, Event: "Order Completed"},
		{Kind: MeanKind, Event: "Order Completed", Property: "revenue"},
		{Kind: RatioKind, Event: "Order Completed", Property: "revenue", Denominator: "event:Session Started"},
		{Kind: MeanKind, Event: "Refund", Property: "amount"},
	}
	for i := range metrics {
		metrics[i].normalise()
		if err := metrics[i].validate().Err(); err != nil {
			t.Fatal(err)
		}
	}
	request := SumsRequest{Experiment: "e", DecisionPoint: "p", Metrics: metrics, At: time.UnixMilli(1_700_000_000_123), AsOf: time.UnixMilli(1_800_000_000_123)}
	sql := buildSums(&request, shape{}).sql
	for part, times := range map[string]int{"FROM events AS x FINAL": 1, "FROM decisions": 0, " AS p0": 1, " AS p1": 1, " AS p2": 0,
		"event IN ('Order Completed', 'Session Started', 'Refund')": 1, "person_map": 0, "FROM exposures ": 0} {
		if n := strings.Count(sql, part); n != times {
			t.Errorf("%q is there %d times, want %d:\n%s", part, n, times, sql)
		}
	}
	request.Metrics = metrics[:1]
	if sql := buildSums(&request, shape{}).sql; strings.Contains(sql, "numbers[") {
		t.Errorf("a proportion reads properties:\n%s", sql)
	}
}
