package clickhouse

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// Statements that ask for too much must end in an error or an answer, within
// the limits, and never take the process with them.
func TestReaderCannotExhaustTheProcess(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	user := readerUser(d)
	server := serveInterface(t, user)
	many := strings.Repeat
	for name, query := range map[string]string{
		"brackets":           "SELECT " + many("(", 20_000) + "1" + many(")", 20_000),
		"arrays":             "SELECT " + many("[", 20_000) + "1" + many("]", 20_000),
		"signs":              "SELECT " + many("- ", 20_000) + "1",
		"negations":          "SELECT " + many("NOT ", 20_000) + "1",
		"sums":               "SELECT 1" + many("+1", 20_000),
		"calls":              "SELECT " + many("abs(", 10_000) + "1" + many(")", 10_000),
		"subqueries":         many("SELECT * FROM (", 5_000) + "SELECT 1" + many(")", 5_000),
		"cases":              "SELECT " + many("CASE WHEN 1 THEN ", 5_000) + "1" + many(" END", 5_000),
		"unions":             "SELECT 1" + many(" UNION ALL SELECT 1", 10_000),
		"lambdas":            "SELECT " + many("arrayMap(x -> ", 3_000) + "1" + many(", [1])", 3_000),
		"types":              "SELECT CAST(1 AS " + many("Array(", 10_000) + "UInt8" + many(")", 10_000) + ")",
		"type in text":       "SELECT CAST([] AS '" + many("Array(", 10_000) + "UInt8" + many(")", 10_000) + "')",
		"dots":               "SELECT a" + many(".a", 20_000),
		"arrows":             "SELECT x" + many(" -> x", 5_000),
		"casts":              "SELECT 1" + many("::UInt8", 20_000),
		"recursion":          "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
		"rows":               "SELECT * FROM numbers(1000000000000) ORDER BY rand()",
		"cross join":         "SELECT count() FROM numbers(10000000) a, numbers(10000000) b WHERE a.number * b.number = 7",
		"range":              "SELECT range(100000000000)",
		"array":              "SELECT arrayMap(x -> repeat('x', 1000000), range(1000000))",
		"repeat":             "SELECT repeat(repeat('x', 1000000), 1000000)",
		"group":              "SELECT uniqExact(cityHash64(number)) FROM numbers(100000000000)",
		"bits":               "SELECT groupBitmap(number * 100000) FROM numbers(100000000000)",
		"regular expression": "SELECT countIf(match(repeat('a', 100000), '(a*)*b')) FROM numbers(1000000)",
		"json":               "SELECT JSONExtractRaw('" + many("[", 200_000) + "', 1)",
		"json value":         "SELECT CAST('" + many(`{"a":`, 50_000) + "1" + many("}", 50_000) + "' AS JSON)",
		"dynamic":            "SELECT CAST('" + many("[", 50_000) + many("]", 50_000) + "' AS Dynamic)",
		"wide":               "SELECT " + many("1,", 20_000) + "1",
		"deep names":         "WITH " + many("(SELECT 1) AS a, ", 10_000) + "(SELECT 1) AS b SELECT b",
		"exponential":        "WITH 1 AS a0, " + exponential(60) + " SELECT a60",
		"format rows":        "SELECT * FROM format(JSONEachRow, '" + many(`{"a":`, 50_000) + "1" + many("}", 50_000) + "')",
		"random":             "SELECT * FROM generateRandom('a Array(Array(Array(String)))', 1, 100000, 100000) LIMIT 100000",
		"xml":                "SELECT extractTextFromHTML('" + many("<a>", 100_000) + "')",
		"throw":              "SELECT throwIf(number = 5) FROM numbers(10)",
	} {
		t.Run(name, func(t *testing.T) {
			status, header, answer := ask(t, server, user, query, url.Values{"max_execution_time": {"0.5"}})
			if status == http.StatusInternalServerError && header.Get("X-ClickHouse-Exception-Code") == "36" {
				t.Errorf("not an answer of the engine: %.300s", answer)
			}
			t.Logf("%d, code %s, %.150q", status, header.Get("X-ClickHouse-Exception-Code"), answer)
			if status, _, answer := ask(t, server, user, "SELECT 1", nil); status != http.StatusOK || answer != "1\n" {
				t.Errorf("afterwards: %d %s", status, answer)
			}
		})
	}
}

// exponential defines n names, each the sum of the one before with itself.
func exponential(n int) string {
	var parts []string
	for i := range n {
		a, b := "a"+strconv.Itoa(i), "a"+strconv.Itoa(i+1)
		parts = append(parts, a+" + "+a+" AS "+b)
	}
	return strings.Join(parts, ", ")
}
