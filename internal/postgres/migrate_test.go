//go:build unix

package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

func migrations(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, up := range files {
		m[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + up + "\n")}
	}
	return m
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	e := start(t, EmbeddedOptions{DataDir: t.TempDir(), Ephemeral: true})
	pool, err := OpenPool(t.Context(), e.URL(DefaultDatabase), 8)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ctx := t.Context()
	// Not one of these may run twice: a second CREATE TABLE fails, a second INSERT
	// shows. The sleep makes the processes meet.
	sets := []MigrationSet{
		{Name: "first", Files: migrations(map[string]string{
			"00001_a.sql": `CREATE TABLE a (n int); SELECT pg_sleep(0.2);`,
			"00002_b.sql": `INSERT INTO a VALUES (1);`,
		})},
		{Name: "second", Files: migrations(map[string]string{"00001_c.sql": `CREATE TABLE c (n int); INSERT INTO a VALUES (2);`})},
	}
	var group sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		group.Go(func() { errs[i] = Migrate(ctx, pool, sets...) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	var sum, applied int
	if err := pool.QueryRow(ctx, `SELECT sum(n), (SELECT max(version_id) FROM goose_first) FROM a`).Scan(&sum, &applied); err != nil {
		t.Fatal(err)
	}
	if sum != 3 || applied != 2 {
		t.Errorf("sum %d and version %d, want 3 and 2", sum, applied)
	}

	// A later version of the program brings more; an older one is refused.
	sets[1].Files = migrations(map[string]string{
		"00001_c.sql": `SELECT 1/0;`, // is not run again
		"00002_d.sql": `ALTER TABLE c ADD COLUMN m text;`,
	})
	if err := Migrate(ctx, pool, sets...); err != nil {
		t.Fatal(err)
	}
	sets[1].Files = migrations(map[string]string{"00001_c.sql": ``})
	if err := Migrate(ctx, pool, sets...); err == nil || !strings.Contains(err.Error(), `"second"`) || !strings.Contains(err.Error(), "run a newer one") {
		t.Errorf("an older program: got %v", err)
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still taken", n)
	}

	t.Run("refuses", func(t *testing.T) {
		for name, c := range map[string]struct {
			sets []MigrationSet
			says string
		}{
			"a bad name":       {[]MigrationSet{{Name: "Drop Table", Files: migrations(nil)}}, `"Drop Table"`},
			"a name twice":     {[]MigrationSet{{Name: "x", Files: migrations(nil)}, {Name: "x", Files: migrations(nil)}}, "given twice"},
			"no files":         {[]MigrationSet{{Name: "x", Files: migrations(nil)}}, "fs.Sub"},
			"a failing script": {[]MigrationSet{{Name: "x", Files: migrations(map[string]string{"00001_bad.sql": "SELEC 1;"})}}, "00001_bad.sql"},
		} {
			if err := Migrate(ctx, pool, c.sets...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: got %v, want an error with %q", name, err, c.says)
			}
		}
	})
	t.Run("waits no longer than its context", func(t *testing.T) {
		connection, err := pool.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Release()
		if _, err := connection.Exec(ctx, fmt.Sprintf(`SELECT pg_advisory_lock(%d)`, int64(migrationLock))); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		if err := Migrate(short, pool, sets[0]); err == nil || !strings.Contains(err.Error(), "waiting for another process") {
			t.Errorf("got %v, want that it waits for another process", err)
		}
		if _, err := connection.Exec(ctx, `SELECT pg_advisory_unlock_all()`); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOpenPool(t *testing.T) {
	t.Parallel()
	e := start(t, EmbeddedOptions{DataDir: t.TempDir(), Ephemeral: true})
	for name, c := range map[string]struct{ extra, want string }{
		"default": {"", "30s"},
		"set":     {"&statement_timeout=1234", "1234ms"},
	} {
		pool, err := OpenPool(t.Context(), e.URL(DefaultDatabase)+c.extra, 3)
		if err != nil {
			t.Fatal(err)
		}
		var timeout string
		if err := pool.QueryRow(t.Context(), `SHOW statement_timeout`).Scan(&timeout); err != nil {
			t.Fatal(err)
		}
		if timeout != c.want || pool.Config().MaxConns != 3 {
			t.Errorf("%s: statement timeout %s and %d connections, want %s and 3", name, timeout, pool.Config().MaxConns, c.want)
		}
		pool.Close()
	}
	for name, address := range map[string]string{
		"no URL":         "postgres://user:hunter2@[::1",
		"wrong password": strings.Replace(e.URL(DefaultDatabase), e.cluster.password, "hunter2", 1),
		"nobody there":   "postgres://user:hunter2@127.0.0.1:1/db?sslmode=disable",
	} {
		_, err := OpenPool(t.Context(), address, 3)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}
