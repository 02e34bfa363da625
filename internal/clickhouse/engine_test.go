package clickhouse

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

func TestDatabaseNames(t *testing.T) {
	t.Parallel()
	e := requireEngine(t)
	for name, valid := range map[string]bool{
		"quintet": true, "_a1": true, "A": true,
		"": false, "1a": false, "a-b": false, "a`b": false, "system": false, "SYSTEM": false,
		"information_schema": false, "a b": false, "ы": false,
	} {
		err := checkDatabaseName(name)
		if (err == nil) != valid {
			t.Errorf("name %q: %v, want valid %v", name, err, valid)
		}
		if !valid {
			if _, err := e.Database(testContext(t), name); err == nil {
				t.Errorf("a database called %q was created", name)
			}
			if err := e.DropDatabase(testContext(t), name); err == nil {
				t.Errorf("a database called %q was dropped", name)
			}
		}
	}
}

func TestDatabaseIsCreatedAndDropped(t *testing.T) {
	t.Parallel()
	e := requireEngine(t)
	ctx := testContext(t)
	d, err := e.Database(ctx, "comes_and_goes")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.Database(ctx, "comes_and_goes"); err != nil || again != d {
		t.Fatalf("the same name gave %p and %p, error %v", d, again, err)
	}
	var current string
	if err := d.Read.QueryRow(ctx, "SELECT currentDatabase()").Scan(&current); err != nil || current != "comes_and_goes" {
		t.Fatalf("current database %q, error %v", current, err)
	}
	mustExec(t, d, "CREATE TABLE t (x UInt8) ENGINE = MergeTree ORDER BY x")
	if err := e.DropDatabase(ctx, "comes_and_goes"); err != nil {
		t.Fatal(err)
	}
	if err := e.DropDatabase(ctx, "comes_and_goes"); err != nil {
		t.Fatalf("dropping what is not there: %v", err)
	}
	if n := count(t, &Database{Read: e.admin.Read}, "SELECT count() FROM system.databases WHERE name = 'comes_and_goes'"); n != 0 {
		t.Fatal("the database is still there")
	}
}

func TestErrorsCarryTheCode(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	for query, code := range map[string]int32{
		"SELECT * FROM nowhere":                    60,
		"SELECT 1 +":                               62,
		"SELECT nofunction(1)":                     46,
		"SELECT 1; SELECT 2":                       62,
		"SELECT 1 INTO OUTFILE '/tmp/x'":           62,
		"SELECT throwIf(1, 'stop ✋ \"Code: 1.\"')": 395,
	} {
		rows, err := d.Read.Query(testContext(t), query)
		if err == nil {
			rows.Close()
			t.Errorf("%s: no error", query)
			continue
		}
		var e *chgo.Exception
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want code %d", query, err, code)
		}
	}
	if err := d.Write.Exec(testContext(t), "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT LineAsString"); err == nil {
		t.Error("FROM INFILE was accepted")
	}
}

func TestDeadlineReturnsAtOnceAndCancels(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	const endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 12345"
	start := time.Now()
	err := d.Read.Exec(ctx, endless)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the caller waited %v for its deadline of 200 ms", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
	// The query itself ends too, and gives its connection back.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if count(t, d, "SELECT count() FROM system.processes WHERE query LIKE '%1000000000000) WHERE sip%' AND query NOT LIKE '%processes%'") == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the cancelled query still runs")
		}
	}
}

func TestSettingsDoNotOutliveTheirQuery(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	const query = "SELECT toUInt64(getSetting('max_block_size'))"
	for i := range 20 {
		ctx, want := testContext(t), uint64(65409)
		if i%2 == 0 {
			want = uint64(1000 + i)
			ctx = chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"max_block_size": want}))
		}
		var got uint64
		if err := d.Read.QueryRow(ctx, query).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("query %d ran with max_block_size %d, want %d", i, got, want)
		}
		if err := d.Read.Exec(testContext(t), "SET max_block_size = 7"); err != nil {
			t.Fatal(err)
		}
	}
	ctx := chgo.Context(testContext(t), chgo.WithSettings(chgo.Settings{"no_such_setting": 1}))
	var e *chgo.Exception
	if err := d.Read.Exec(ctx, "SELECT 1"); !errors.As(err, &e) || e.Code != codeUnknownSetting {
		t.Errorf("an unknown setting gave %v", err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx := testContext(t)
	first := fstest.MapFS{
		"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE IF NOT EXISTS a (x UInt64) ENGINE = MergeTree ORDER BY x;\nINSERT INTO a VALUES (1), (2);\n-- +goose Down\nDROP TABLE a;\n")},
	}
	second := fstest.MapFS{
		"00001_a.sql": first["00001_a.sql"],
		"00002_b.sql": {Data: []byte("-- +goose Up\nALTER TABLE a ADD COLUMN IF NOT EXISTS y String DEFAULT 'é;''';\n")},
	}
	other := fstest.MapFS{
		"00001_c.sql": {Data: []byte("-- +goose Up\nCREATE TABLE IF NOT EXISTS c (x UInt64) ENGINE = MergeTree ORDER BY x;\n")},
	}
	for range 2 {
		if err := d.Migrate(ctx, MigrationSet{Name: "one", Files: first}, MigrationSet{Name: "two", Files: other}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := d.Migrate(ctx, MigrationSet{Name: "one", Files: second}); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, d, "SELECT count() FROM a WHERE y = 'é;'''"); n != 2 {
		t.Errorf("%d rows after the migrations, want 2", n)
	}
	if n := count(t, d, "SELECT count() FROM c"); n != 0 {
		t.Errorf("%d rows in the other set's table, want 0", n)
	}
	broken := fstest.MapFS{"00001_x.sql": {Data: []byte("-- +goose Up\nCREATE NONSENSE;\n")}}
	wantError(t, d.Migrate(ctx, MigrationSet{Name: "broken", Files: broken}), "broken", "version:1", "CREATE", d.Name)
	wantError(t, d.Migrate(ctx, MigrationSet{Name: "Bad Name", Files: first}), "lower-case")
}

// Go recovers from a nil pointer by way of its SIGSEGV handler, which libchdb
// would take away.
func TestGoKeepsItsSignalHandlers(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	mustExec(t, d, "SELECT 1")
	defer func() {
		if recover() == nil {
			t.Error("no panic from a nil pointer")
		}
	}()
	var nothing *Database
	_ = nothing.Name
}
