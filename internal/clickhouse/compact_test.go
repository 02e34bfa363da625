package clickhouse

import (
	"fmt"
	"slices"
	"testing"
)

// Partitions of several parts become one part each; a few rows beside many stay as they
// are until they are an eighth of them.
func TestCompact(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	mustExec(t, d, "CREATE TABLE t (p UInt8, n UInt64) ENGINE = MergeTree PARTITION BY p ORDER BY n SETTINGS max_parts_to_merge_at_once = 2, merge_selector_base = 1000")
	insert := func(partition, rows int) {
		t.Helper()
		mustExec(t, d, fmt.Sprintf("INSERT INTO t SELECT %d, number FROM numbers(%d)", partition, rows))
	}
	for i := range 12 {
		insert(1+i%2, 1000)
	}
	insert(3, 7)
	for _, step := range []struct {
		what  string
		rows  int
		want  []string
		parts uint64
	}{
		{"many alike", 0, []string{"1", "2"}, 1},
		{"nothing new", 0, []string{}, 1},
		{"a few more", 700, []string{}, 2},
		{"an eighth more", 50, []string{"1"}, 1},
	} {
		if step.rows > 0 {
			insert(1, step.rows)
		}
		got, err := d.Compact(testContext(t), "t")
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("%s: merged %q, %v; want %q", step.what, got, err, step.want)
		}
		if n := count(t, d, "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 't' AND partition_id = '1'"); n != step.parts {
			t.Errorf("%s: %d parts", step.what, n)
		}
	}
	if got, err := d.Compact(testContext(t), "none"); err != nil || len(got) != 0 {
		t.Errorf("of a table that is not there: %q, %v", got, err)
	}
}
