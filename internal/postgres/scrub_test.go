//go:build unix

package postgres

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What was deleted is in no file: not in tables, indexes, statistics, nor the log.
func TestScrubLeavesNoBytes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "postgres")
	e := start(t, EmbeddedOptions{DataDir: dir})
	url := e.URL(DefaultDatabase)
	execute(t, url, `CREATE TABLE people (id text PRIMARY KEY, doc jsonb, big text);
		INSERT INTO people SELECT 'someone-' || i, jsonb_build_object('city', 'town-' || i % 7), repeat(md5(i::text), 200) FROM generate_series(1, 2000) i;
		INSERT INTO people SELECT 'planted-person-' || i, '{"city": "planted-city"}', repeat('planted-secret', 1000) FROM generate_series(1, 300) i;
		ANALYZE people`)
	if n := holding(t, dir, "planted-"); n == 0 {
		t.Fatal("the planted text is in no file, so that the test could not fail")
	}
	execute(t, url, `UPDATE people SET doc = '{"city": "planted-twice"}' WHERE id LIKE 'planted%'; DELETE FROM people WHERE id LIKE 'planted%'`)
	for range 2 {
		if err := e.Scrub(t.Context(), DefaultDatabase, []string{"people"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := query[int](t, url, `SELECT count(*)::int FROM people`); n != 2000 {
		t.Errorf("%d people are left", n)
	}
	if n := holding(t, dir, "planted-"); n != 0 {
		t.Errorf("%d files hold the planted text", n)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n := holding(t, dir, "planted-"); n != 0 {
		t.Errorf("%d files hold the planted text after the end", n)
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
