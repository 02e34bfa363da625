package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// readerUser is a read-only user of one database.
func readerUser(d *Database) User {
	return User{Name: "reader", Password: "reader-password", ReadOnly: true, Databases: []string{d.Name}}
}

// serveInterface serves the HTTP interface on a loopback port.
func serveInterface(t testing.TB, users ...User) *httptest.Server {
	t.Helper()
	h, err := requireEngine(t).Handler(users)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// ask sends a query in the body and returns status, headers and answer.
func ask(t testing.TB, s *httptest.Server, u User, query string, parameters url.Values) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(testContext(t), http.MethodPost, s.URL+"/?"+parameters.Encode(), strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(u.Name, u.Password)
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// attacks are statements that a read-only user must not get through. FILE
// stands for the path of a file with a secret, SECRET for another database, OUT
// for a path that must not come to be.
var attacks = []string{
	// Writing and changing.
	"INSERT INTO mine VALUES (9)",
	"insert into mine select 9",
	"INSERT INTO mine FORMAT Values (9)",
	"INSERT INTO FUNCTION file('OUT', 'CSV', 'x UInt8') SELECT 1",
	"WITH x AS (SELECT 9) INSERT INTO mine SELECT * FROM x",
	"SELECT 1 PARALLEL WITH DROP TABLE mine",
	"CREATE TABLE other (x UInt8) ENGINE = Memory",
	"CREATE TEMPORARY TABLE other (x UInt8)",
	"CREATE VIEW v AS SELECT 1", "CREATE DATABASE db", "CREATE FUNCTION f AS x -> x",
	"CREATE USER eve", "GRANT ALL ON *.* TO default",
	"DROP TABLE mine", "/* SELECT */ DROP TABLE mine", "-- SELECT\nDROP TABLE mine", "#!SELECT\nDROP TABLE mine",
	"ALTER TABLE mine DELETE WHERE 1", "DELETE FROM mine WHERE 1", "UPDATE mine SET x = 1 WHERE 1",
	"TRUNCATE TABLE mine", "OPTIMIZE TABLE mine FINAL", "RENAME TABLE mine TO yours", "EXCHANGE TABLES mine AND yours",
	"DETACH TABLE mine", "ATTACH TABLE z FROM '/tmp' (x UInt8) ENGINE = MergeTree ORDER BY x", "UNDROP TABLE z",
	"SYSTEM FLUSH LOGS", "SYSTEM SHUTDOWN", "KILL QUERY WHERE 1", "KILL MUTATION WHERE 1",
	"BACKUP DATABASE SECRET TO File('OUT')", "RESTORE DATABASE SECRET FROM File('OUT')",
	"CHECK TABLE SECRET.hidden", "WATCH mine", "BEGIN TRANSACTION", "EXECUTE AS default SELECT 1",
	// Settings.
	"SET readonly = 0", "SET readonly = 0; DROP TABLE mine", "SET ROLE ALL", "SET param_x = 1", "USE SECRET",
	"SELECT 1 SETTINGS readonly = 0", "SELECT 1 sEtTiNgS readonly = 0", "SELECT 1\n\t settings\nreadonly=0",
	"SELECT 1/**/SETTINGS/**/readonly=0", "SELECT 1 FORMAT TSV SETTINGS readonly = 0",
	"SELECT * FROM (SELECT * FROM file('FILE', 'LineAsString') SETTINGS readonly = 0)",
	"SELECT * FROM (SELECT * FROM mine SETTINGS max_threads = 1)",
	"WITH (SELECT any(line) FROM file('FILE', 'LineAsString') SETTINGS readonly=0) AS x SELECT x",
	"WITH x AS (SELECT * FROM file('FILE', 'LineAsString') SETTINGS readonly=0) SELECT * FROM x",
	"SELECT 1 WHERE EXISTS (SELECT * FROM file('FILE', 'LineAsString') SETTINGS readonly=0)",
	"SELECT x FROM mine WHERE x IN (SELECT length(line) FROM file('FILE', 'LineAsString') SETTINGS readonly=0)",
	"SELECT 1 UNION ALL (SELECT 1 SETTINGS readonly=0)",
	"SELECT * FROM view(SELECT * FROM mine SETTINGS readonly=0)",
	"EXPLAIN SELECT * FROM (SELECT * FROM file('FILE', 'LineAsString') SETTINGS readonly=0)",
	"EXPLAIN SYNTAX SELECT 1 SETTINGS readonly=0",
	"SELECT t.settings FROM (SELECT 1 AS settings) AS t", "SELECT system. /**/ settings readonly=0",
	"SELECT 1.SETTINGS readonly=0", "SELECT mine.x.SETTINGS readonly=0 FROM mine",
	"SHOW SETTINGS LIKE 'a' SETTINGS readonly=0", "DESCRIBE TABLE mine SETTINGS readonly=0",
	// Files, network and processes.
	"SELECT * FROM file('FILE', 'LineAsString')", "SELECT * FROM FiLe('FILE', 'LineAsString')",
	"SELECT * FROM `file`('FILE', 'LineAsString')", `SELECT * FROM "file"('FILE', 'LineAsString')`,
	"SELECT * FROM file/* */ ('FILE', 'LineAsString')", "SELECT * FROM file -- x\n('FILE', 'LineAsString')",
	"SELECT * FROM `fi\\x6ce`('FILE', 'LineAsString')",
	"SELECT file('FILE')", "SELECT `file`('FILE')", "SELECT (file)('FILE')",
	"SELECT * APPLY(file) FROM (SELECT 'FILE' AS x)", "SELECT * APPLY file FROM (SELECT 'FILE' AS x)",
	"SELECT * APPLY `file` FROM (SELECT 'FILE' AS x)", "SELECT arrayMap(file, ['FILE'])",
	"SELECT arrayMap(x -> file(x), ['FILE'])", "WITH file AS f SELECT f('FILE')",
	"DESCRIBE file('FILE', 'LineAsString')", "DESCRIBE TABLE file('FILE')", "EXPLAIN SELECT * FROM file('FILE', 'LineAsString')",
	"SELECT 1 FROM mine, file('FILE', 'LineAsString')", "SELECT 1 FROM mine JOIN file('FILE', 'LineAsString') AS f ON 1",
	"SELECT 1 IN file('FILE', 'LineAsString')", "(((SELECT * FROM file('FILE', 'LineAsString'))))",
	"SELECT * FROM view(SELECT * FROM file('FILE', 'LineAsString'))", "SELECT * FROM viewIfPermitted(SELECT 1 ELSE null('x UInt8'))",
	"SELECT * FROM fileCluster('default', 'FILE', 'LineAsString')", "SELECT * FROM filesystem('/etc')",
	"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", "SELECT * FROM urlCluster('c', 'http://127.0.0.1:1/', 'LineAsString')",
	"SELECT * FROM remote('127.0.0.1', SECRET.hidden)", "SELECT * FROM remoteSecure('127.0.0.1', SECRET, hidden)",
	"SELECT * FROM remote('127.0.0.1', view(SELECT 1))",
	"SELECT * FROM cluster('default', system.one)", "SELECT * FROM clusterAllReplicas('default', system, one)",
	"SELECT * FROM s3('http://127.0.0.1:1/b/k', 'CSV', 'x UInt8')", "SELECT * FROM gcs('http://127.0.0.1:1/b/k', 'CSV', 'x UInt8')",
	"SELECT * FROM azureBlobStorage('x','y','z')", "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV', 'x UInt8')",
	"SELECT * FROM iceberg('http://127.0.0.1:1/x')", "SELECT * FROM deltaLakeLocal('/etc')", "SELECT * FROM hudi('x')",
	"SELECT * FROM mysql('127.0.0.1:1','d','t','u','p')", "SELECT * FROM postgresql('127.0.0.1:1','d','t','u','p')",
	"SELECT * FROM mongodb('127.0.0.1:1','d','t','u','p','x UInt8')", "SELECT * FROM redis('127.0.0.1:1','k','k String')",
	"SELECT * FROM sqlite('FILE', 't')", "SELECT * FROM jdbc('x', 'y', 'z')", "SELECT * FROM odbc('x', 'y', 'z')",
	"SELECT * FROM executable('ls', 'LineAsString', 'x String')", "SELECT * FROM input('x UInt8')",
	"SELECT * FROM dictionary('d')", "SELECT dictGet('SECRET.d', 'a', 1)", "SELECT DICTGETString('SECRET.d', 'a', 1)",
	"SELECT joinGet('SECRET.j', 'a', 1)", "SELECT catboostEvaluate('FILE', 1)", "SELECT hasColumnInTable('SECRET', 'hidden', 'x')",
	"SELECT aiGenerate('x')", "SELECT showCertificate()", "SELECT addressToLine(1)", "SELECT getServerSetting('path')", "SELECT generateSerialID('x')", "SELECT * FROM null('x UInt8')", "SELECT __getScalar('x')",
	"SELECT * FROM loop(SECRET.hidden)", "SELECT * FROM fuzzQuery('SELECT 1')", "SELECT * FROM mergeTreeIndex(SECRET, hidden)",
	"SELECT * FROM merge('SECRET', '.*')", "SELECT * FROM merge(REGEXP('.*'), 'hidden')", "SELECT * FROM timeSeriesData(SECRET.hidden)",
	"SELECT 1 INTO OUTFILE 'OUT'", "SELECT 1 INTO/**/OUTFILE 'OUT' FORMAT CSV", "SELECT 1 into outfile 'OUT' TRUNCATE",
	// Other databases and what others do.
	"SELECT * FROM SECRET.hidden", "SELECT * FROM `SECRET`.`hidden`", `SELECT * FROM "SECRET" . "hidden"`,
	"SELECT * FROM SECRET /* */ . /* */ hidden", "SELECT SECRET.hidden.x FROM SECRET.hidden", "SELECT (SELECT any(x) FROM SECRET.hidden)",
	"SELECT 1 IN SECRET.hidden", "SELECT 1 WHERE 1 IN (SELECT x FROM SECRET.hidden)", "DESCRIBE SECRET.hidden",
	"SHOW TABLES FROM SECRET", "SHOW TABLES IN `SECRET`", "SHOW CREATE TABLE SECRET.hidden", "SHOW CREATE DATABASE SECRET",
	"SHOW COLUMNS FROM hidden FROM SECRET", "EXISTS TABLE SECRET.hidden", "EXISTS DATABASE SECRET",
	"SELECT * FROM default.`FILE`", "SELECT * FROM `default` . `FILE`", "SHOW TABLES FROM default",
	"SELECT * FROM {db:Identifier}.hidden", "SELECT * FROM {t:  Identifier}", "SELECT * FROM {t:identifier}",
	"SELECT * FROM system.processes", "SELECT * FROM `system`.`processes`", "SELECT * FROM SYSTEM.query_log",
	"SELECT * FROM system . /**/ users", "SELECT * FROM system.server_settings", "SELECT * FROM system.named_collections",
	"SELECT * FROM system.stack_trace", "SELECT * FROM system.grants", "SELECT * FROM system.*",
	"SHOW PROCESSLIST", "SHOW USERS", "SHOW GRANTS", "SHOW ACCESS", "SHOW CREATE USER default", "SHOW CLUSTERS",
	// More than one statement, and text that is read in two ways.
	"SELECT 1; DROP TABLE mine", "SELECT 1;\n;DROP TABLE mine", "SELECT 1 -- \\\n; DROP TABLE mine",
	"SELECT 'a\\'; DROP TABLE mine --'; DROP TABLE mine", "SELECT 'a''; DROP TABLE mine", "SELECT $$ ; $$ ; DROP TABLE mine",
	"SELECT $x$ ' $x$; DROP TABLE mine --'", "SELECT ‘a’; DROP TABLE mine", "SELECT\u00a01 SETTINGS readonly=0",
	"SELECT 1\x00; DROP TABLE mine", "SELECT 1\\G", "SELECT /* 1", "SELECT 'a", "SELECT `a", "SELECT @@version",
	"\ufeffSELECT 1", "FROM mine SELECT x", "x", "", ";", "(", "((((", "/* */",
}

func TestReadOnlyUserIsHeld(t *testing.T) {
	t.Parallel()
	mine, secret := newDatabase(t), newDatabase(t)
	mustExec(t, mine, "CREATE TABLE mine (x UInt64) ENGINE = MergeTree ORDER BY x", "INSERT INTO mine VALUES (1)")
	mustExec(t, secret, "CREATE TABLE hidden (x UInt64) ENGINE = MergeTree ORDER BY x", "INSERT INTO hidden VALUES (987654321)")
	dir := t.TempDir()
	file, out := filepath.Join(dir, "secret.txt"), filepath.Join(dir, "out.csv")
	if err := os.WriteFile(file, []byte("top-secret-987654321\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	user := readerUser(mine)
	server := serveInterface(t, user)
	replace := strings.NewReplacer("FILE", file, "SECRET", secret.Name, "OUT", out)
	if len(attacks) < 40 {
		t.Fatalf("%d attacks are too few", len(attacks))
	}
	for i, attack := range attacks {
		// OUTFILE is a keyword, not the path.
		query := strings.ReplaceAll(replace.Replace(strings.NewReplacer("OUTFILE", "\x01", "outfile", "\x02", "ATTACH", "\x03").Replace(attack)), "\x01", "OUTFILE")
		query = strings.NewReplacer("\x02", "outfile", "\x03", "ATTACH").Replace(query)
		t.Run(fmt.Sprintf("%03d", i), func(t *testing.T) {
			parameters := url.Values{"param_db": {secret.Name}, "param_t": {secret.Name + ".hidden"}}
			status, header, answer := ask(t, server, user, query, parameters)
			if status == http.StatusOK {
				t.Errorf("%q was answered: %q", query, answer)
			}
			if strings.Contains(answer, "987654321") {
				t.Errorf("%q told the secret", query)
			}
			if header.Get("X-ClickHouse-Exception-Code") == "" {
				t.Errorf("%q: no exception code: %d %s", query, status, answer)
			}
			// The guard alone must refuse, so that the engine is a second fence
			// and not the first: its own errors have other codes or wording.
			if !strings.Contains(answer, "Refused") && !strings.Contains(answer, "cannot read the statement") && !strings.Contains(answer, "Empty query") {
				t.Errorf("%q was refused only by the engine: %s", query, answer)
			}
		})
	}
	if n := count(t, mine, "SELECT sum(x) FROM mine"); n != 1 {
		t.Errorf("the table has changed: sum %d", n)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

func TestReadOnlyUserCanRead(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	mustExec(t, d, "CREATE TABLE mine (x UInt64, url String, settings UInt8, ts DateTime) ENGINE = MergeTree ORDER BY x",
		"INSERT INTO mine VALUES (1, 'http://a/b', 1, 0), (2, 'c', 2, 0)", "CREATE VIEW seen AS SELECT x FROM mine")
	user := readerUser(d)
	server := serveInterface(t, user)
	for query, want := range map[string]string{
		"SELECT sum(x) FROM mine":                                 "3\n",
		"SELECT sum(x) FROM mine;":                                "3\n",
		" /* a */ select sum(x) -- b\n from mine ; ;":             "3\n",
		"WITH a AS (SELECT x FROM mine) SELECT max(x) FROM a":     "2\n",
		"(SELECT 1) UNION ALL (SELECT 1)":                         "1\n1\n",
		"SELECT url FROM mine ORDER BY url LIMIT 1":               "c\n",
		"SELECT mine.url, 'SETTINGS; DROP' FROM mine WHERE x = 2": "c\tSETTINGS; DROP\n",
		"SELECT max(`settings`) FROM mine":                        "2\n",
		"SELECT 'it''s', 'a\\'b', '/* no comment', '--'":          "it\\'s\ta\\'b\t/* no comment\t--\n",
		"SELECT x FROM " + d.Name + ".seen ORDER BY x":            "1\n2\n",
		"SELECT x FROM `" + d.Name + "`.`seen` ORDER BY x":        "1\n2\n",
		"SHOW TABLES":                                                          "mine\nseen\n",
		"EXISTS TABLE mine":                                                    "1\n",
		"SELECT count() FROM numbers(10)":                                      "10\n",
		"SELECT * FROM generateSeries(1, 2)":                                   "1\n2\n",
		"SELECT * FROM values('x UInt8', 7)":                                   "7\n",
		"SELECT * FROM view(SELECT 5)":                                         "5\n",
		"SELECT format('{}-{}', 'a', 'b')":                                     "a-b\n",
		"SELECT 1 AS one FORMAT CSVWithNames":                                  "\"one\"\n1\n",
		"SELECT {n:UInt8} + 1, {s:String}":                                     "8\tit\\'s\n",
		"SELECT 1 /* /* */ SETTINGS readonly=0 -- */":                          "1\n",
		"SELECT 1.5e1, 0x1F, -1, [1, 2][1], (1, 2).2":                          "15\t31\t-1\t1\t2\n",
		"SELECT count() > 0 FROM system.settings":                              "1\n",
		"SELECT count() FROM system.tables WHERE database = currentDatabase()": "2\n",
		"SELECT count() > 0 FROM information_schema.columns":                   "1\n",
		"SELECT name FROM system.databases WHERE name = currentDatabase()":     d.Name + "\n",
		"SELECT getSetting('readonly'), timezone()":                            "1\tUTC\n",
	} {
		status, _, answer := ask(t, server, user, query, url.Values{"param_n": {"7"}, "param_s": {"it's"}, "default_format": {"TSV"}})
		if status != http.StatusOK || answer != want {
			t.Errorf("%s: %d %q, want %q", query, status, answer, want)
		}
	}
	for _, query := range []string{"DESCRIBE mine", "DESC TABLE mine", "EXPLAIN SELECT 1", "EXPLAIN PLAN header = 1 SELECT x FROM mine",
		"EXPLAIN AST SELECT 1", "SHOW CREATE TABLE mine", "SHOW SETTINGS LIKE 'max_threads'", "SHOW DATABASES", "SHOW FULL COLUMNS FROM mine"} {
		if status, _, answer := ask(t, server, user, query, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", query, status, answer)
		}
	}
}

// The lists of the guard must be looked at again when the engine gets new
// functions: those that are table functions too, and those of families that
// reach outside the query.
func TestFunctionsOfTheEngineAreDecidedUpon(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	for query, decided := range map[string]func(string) bool{
		"SELECT DISTINCT lower(name) FROM system.functions WHERE lower(name) IN (SELECT lower(name) FROM system.table_functions)": func(name string) bool {
			return readableTableFunctions[name] || forbiddenFunction(name)
		},
		"SELECT lower(name) FROM system.functions WHERE NOT is_aggregate AND (categories IN ('AI', 'Dictionary', 'Introspection', 'Machine Learning') OR name LIKE '\\\\_\\\\_%')": forbiddenFunction,
	} {
		rows, err := d.Read.Query(testContext(t), query)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for ; rows.Next(); seen++ {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			if !decided(name) {
				t.Errorf("%s is a function of the engine: decide whether readers may call it", name)
			}
		}
		if err := rows.Err(); err != nil || seen < 3 {
			t.Fatalf("%d functions, %v", seen, err)
		}
		rows.Close()
	}
}

func TestReaderSettings(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	user := readerUser(d)
	server := serveInterface(t, user)
	for _, c := range []struct {
		name, value string
		status      int
	}{
		{"readonly", "0", 403}, {"readonly", "1", 200}, {"readonly", "2", 200}, {"allow_ddl", "1", 403}, {"max_threads", "1", 200}, {"max_threads", "abc", 400},
		{"max_threads", "-1", 400}, {"max_threads", "NaN", 400}, {"max_execution_time", "3", 200}, {"output_format_schema", "/tmp/x", 403},
		{"format_schema", "/tmp/x", 403}, {"max_result_rows", "5", 200}, {"result_overflow_mode", "break", 200},
		{"output_format_json_quote_64bit_integers", "1", 200}, {"session_id", "a", 200}, {"query_id", "q1", 200},
		{"log_queries", "0", 403}, {"no_such_thing", "1", 403}, {"READONLY", "0", 403}, {"read only", "0", 403}, {"session_timezone", "' , readonly = 0 --", 400},
		{"allow_introspection_functions", "1", 403}, {"additional_table_filters", "{}", 403}, {"user_files_path", "/", 403},
	} {
		status, _, answer := ask(t, server, user, "SELECT 1", url.Values{c.name: {c.value}})
		if status != c.status {
			t.Errorf("%s=%s: %d %q, want %d", c.name, c.value, status, answer, c.status)
		}
	}
	for name, want := range map[string]string{"max_result_rows": "2000000", "max_execution_time": "60", "max_result_bytes": fmt.Sprint(readerMaxBytes)} {
		_, _, answer := ask(t, server, user, "SELECT toString(getSetting('"+name+"'))", url.Values{name: {"0"}})
		if strings.TrimSpace(answer) != want {
			t.Errorf("%s asked to be unlimited is %q, want %s", name, answer, want)
		}
	}
}

func TestReaderLimits(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	user := readerUser(d)
	server := serveInterface(t, user)
	for query, code := range map[string]string{
		"SELECT number FROM numbers(3000000)":                                                            "396", // too many rows
		"SELECT repeat('x', 100000) FROM numbers(1500)":                                                  "396", // too many bytes
		"SELECT sum(length(x)) FROM (SELECT groupArray(repeat('x', 1000000)) AS x FROM numbers(100000))": "241", // memory
	} {
		status, header, answer := ask(t, server, user, query, nil)
		if status == http.StatusOK || header.Get("X-ClickHouse-Exception-Code") != code {
			t.Errorf("%s: %d, code %s, %.200q, want code %s", query, status, header.Get("X-ClickHouse-Exception-Code"), answer, code)
		}
	}
	status, header, _ := ask(t, server, user, "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", url.Values{"max_execution_time": {"0.3"}})
	if code := header.Get("X-ClickHouse-Exception-Code"); status != http.StatusRequestTimeout || code != "159" {
		t.Errorf("a query over its time gave %d, code %s", status, code)
	}
	if status, _, _ := ask(t, server, user, "SELECT '"+strings.Repeat("x", interfaceMaxQuery)+"'", nil); status != http.StatusBadRequest {
		t.Errorf("a query that is too long gave %d", status)
	}
}

func FuzzLexer(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	f.Add("SELECT 'a''b\\'c', `x``y`, \"z\"\"\" /* /* */ */ -- c\n, x'41'")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := tokenize(text, 1<<16)
		if err != nil {
			if !errors.Is(err, errUnknownText) {
				t.Fatalf("error %v of another kind", err)
			}
			return
		}
		end := 0
		for _, token := range tokens {
			if token.start < end || token.end <= token.start || text[token.start:token.end] != token.text {
				t.Fatalf("token %+v is not the text at its place", token)
			}
			if utf8.ValidString(text) && !utf8.ValidString(token.text) {
				t.Fatalf("token %+v cuts a character", token)
			}
			end = token.end
		}
		// What is passed on must be read again as the same tokens.
		again, err := tokenize(render(tokens), 1<<16)
		if err != nil || len(again) != len(tokens) {
			t.Fatalf("%q became %q: %d tokens, then %d, error %v", text, render(tokens), len(tokens), len(again), err)
		}
		for i := range again {
			if again[i].text != tokens[i].text || again[i].kind != tokens[i].kind {
				t.Fatalf("token %d was %+v and became %+v", i, tokens[i], again[i])
			}
		}
	})
}

func FuzzGuard(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	g := &guard{databases: nameSet("mine"), foreign: nameSet("secret"), tableFunctions: nameSet("file", "url", "remote", "numbers")}
	f.Fuzz(func(t *testing.T, text string) {
		passed, err := g.check(text)
		if err != nil {
			return
		}
		again, err := g.check(passed)
		if err != nil || again != passed {
			t.Fatalf("%q was passed on as %q, which gives %q, %v", text, passed, again, err)
		}
	})
}
