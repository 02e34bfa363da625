package models

import (
	"fmt"
	"testing"
)

// What is new must not take longer to find the longer the log is.
func TestNewsIsFoundWithoutReadingTheLog(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	const old, news = 100_000, 100
	fill := func(from, n int) {
		t.Helper()
		for table, columns := range map[string]string{
			"decisions": "decision_id, decision_point, sequence, decided_at", "events": "message_id, event, sequence, timestamp",
		} {
			if err := db.Read.Exec(t.Context(), fmt.Sprintf("INSERT INTO %s (%s) SELECT toString(cityHash64(number)), 'a', number, now64(3) FROM numbers(%d, %d)", table, columns, from, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(0, old)
	fill(old, news)
	for _, table := range []string{"decisions", "events"} {
		var database, name string
		var parts, rows, marks uint64
		if err := db.Read.QueryRow(t.Context(), fmt.Sprintf("EXPLAIN ESTIMATE SELECT max(sequence) FROM %s WHERE sequence > %d", table, old+news/2)).Scan(&database, &name, &parts, &rows, &marks); err != nil {
			t.Fatal(err)
		}
		if rows > 10_000 {
			t.Errorf("%d rows of %s are read to find %d", rows, table, news/2)
		}
	}
}
