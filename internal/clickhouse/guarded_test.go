package clickhouse

import (
	"strings"
	"testing"
)

func TestQueryGuarded(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	ctx := t.Context()
	if err := db.Write.Exec(ctx, "CREATE TABLE numbers_of (id String, n Float64) ENGINE = MergeTree ORDER BY id"); err != nil {
		t.Fatal(err)
	}
	if err := db.Write.Exec(ctx, "INSERT INTO numbers_of SELECT toString(number % 10), number FROM numbers(100)"); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryGuarded(ctx, "SELECT id, sum(n) /* of all */ FROM numbers_of GROUP BY id ORDER BY id;")
	if err != nil {
		t.Fatal(err)
	}
	count, sum := 0, 0.
	for rows.Next() {
		var id string
		var n float64
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		count++
		sum += n
	}
	if err := rows.Err(); err != nil || count != 10 || sum != 4950 {
		t.Errorf("%d rows, sum %g, %v", count, sum, err)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	for sql, why := range map[string]string{
		"INSERT INTO numbers_of VALUES ('x', 1)":                                   "must begin with",
		"DROP TABLE numbers_of":                                                    "must begin with",
		"SELECT 1; SELECT 2":                                                       "one statement",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')":                        "file is not allowed",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')":                 "url is not allowed",
		"SELECT * FROM numbers_of SETTINGS readonly = 0":                           "SETTINGS is not allowed",
		"SELECT * FROM system.processes":                                           "not yours",
		"SELECT * FROM default.x":                                                  "not yours",
		"SELECT nothing FROM numbers_of":                                           "nothing",
		"SELECT number FROM numbers(3000000)":                                      "Limit for result exceeded",
		"SELECT " + strings.Repeat("1 + ", 1<<19) + "1":                            "longer",
		"SELECT * FROM (SELECT 1 FROM numbers_of SETTINGS max_execution_time = 9)": "SETTINGS is not allowed",
	} {
		rows, err := db.QueryGuarded(ctx, sql)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60s: %v, want %q", sql, err, why)
		}
	}
	// What ran read-only leaves nothing behind.
	if err := db.Write.Exec(ctx, "INSERT INTO numbers_of VALUES ('x', 1)"); err != nil {
		t.Error(err)
	}
	if err := db.Read.Exec(ctx, "CREATE TABLE another (n UInt8) ENGINE = Memory"); err != nil {
		t.Error(err)
	}
}
