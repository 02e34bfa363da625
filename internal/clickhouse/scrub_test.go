package clickhouse

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// What a mutation removed is in no file, the text of the mutation included: whom it is about comes from a
// table in memory.
func TestDropOldPartsLeavesNoBytes(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	for _, sql := range []string{
		"CREATE TABLE log (id String, what String CODEC(NONE)) ENGINE = MergeTree ORDER BY id",
		"CREATE TABLE leaving (id String, replacement String) ENGINE = Join(ANY, LEFT, id) SETTINGS persistent = 0",
		"INSERT INTO log SELECT concat('someone-', toString(number)), 'did it' FROM numbers(1000)",
		"INSERT INTO log SELECT concat('planted-scrub-', toString(number)), 'planted-scrub-did' FROM numbers(10)",
		"INSERT INTO leaving SELECT concat('planted-scrub-', toString(number)), concat('anonymous-', toString(number)) FROM numbers(10)",
	} {
		if err := d.Read.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	dir := requireEngine(t).local.dir
	if n := holding(t, dir, "planted-scrub-"); n == 0 {
		t.Fatal("the planted text is in no file, so that the test could not fail")
	}
	ctx := chgo.Context(t.Context(), chgo.WithSettings(chgo.Settings{"mutations_sync": 2}))
	for _, sql := range []string{
		"ALTER TABLE log UPDATE what = joinGet('" + d.Name + ".leaving', 'replacement', id) WHERE id IN (SELECT id FROM leaving)",
		"INSERT INTO log SELECT joinGet('" + d.Name + ".leaving', 'replacement', id), what FROM log WHERE id IN (SELECT id FROM leaving)",
		"ALTER TABLE log DELETE WHERE id IN (SELECT id FROM leaving)",
	} {
		if err := d.Read.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := d.Read.Exec(ctx, "TRUNCATE TABLE leaving"); err != nil {
		t.Fatal(err)
	}
	if err := d.DropOldParts(ctx); err != nil {
		t.Fatal(err)
	}
	var n, anonymous uint64
	if err := d.Read.QueryRow(ctx, "SELECT count(), countIf(id LIKE 'anonymous-%' AND what = id) FROM log").Scan(&n, &anonymous); err != nil || n != 1010 || anonymous != 10 {
		t.Errorf("%d rows, %d of them anonymous, %v", n, anonymous, err)
	}
	if n := holding(t, dir, "planted-scrub-"); n != 0 {
		t.Errorf("%d files hold the planted text", n)
	}
}

// holding counts the files below dir that hold the text.
func holding(t *testing.T, dir, text string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // a file may go away while one looks
		}
		if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, []byte(text)) {
			t.Logf("%s holds it", path)
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
