package attributes

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quintet/internal/client"
	"quintet/internal/enginetest"
	"quintet/internal/importing"
	"quintet/profiles/experience"
)

// cdnowEnd is the day behind the last of the data.
var cdnowEnd = time.Date(1998, 7, 1, 0, 0, 0, 0, time.UTC)

// convertCDNOW makes CSV of the columns of fixed width, and rows for a table of
// their own.
func convertCDNOW(t *testing.T, file string) (path string, rows []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString("customer,sample,day,cds,dollars\n")
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 5 {
			t.Fatalf("the line %q has not five fields", lines.Text())
		}
		out.WriteString(strings.Join(fields, ",") + "\n")
		rows = append(rows, fmt.Sprintf("('%s', toDate('%s-%s-%s'), %s)", fields[0], fields[2][:4], fields[2][4:6], fields[2][6:], fields[4]))
	}
	path = filepath.Join(t.TempDir(), "cdnow.csv")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, rows
}

// independent computes from the plain purchases, by other means than the service:
// ranks by window functions and rules written out by hand.
const independent = `
WITH people AS (
  SELECT customer, count() AS orders, sum(dollars) AS spend, dateDiff('day', max(day), toDate('1998-07-01')) AS days,
    dateDiff('day', min(day), toDate('1998-07-01')) AS age, max(day) AS last_day
  FROM cdnow GROUP BY customer
), quarters AS (
  SELECT customer, max(n) AS peak FROM (SELECT customer, toQuarter(day) AS quarter, count() AS n FROM cdnow GROUP BY customer, quarter) GROUP BY customer
), ranked AS (
  SELECT customer, orders, spend, days, age, peak / orders AS peak_share,
    1 + intDiv(5 * (rank() OVER (ORDER BY last_day) - 1), count() OVER ()) AS r,
    1 + intDiv(5 * (rank() OVER (ORDER BY orders) - 1), count() OVER ()) AS f,
    1 + intDiv(5 * (rank() OVER (ORDER BY spend) - 1), count() OVER ()) AS m,
    intDiv(100 * (rank() OVER (ORDER BY spend) - 1), count() OVER ()) AS hundredth
  FROM people INNER JOIN quarters USING customer
)
SELECT customer, toString(r) || toString(f) || toString(m) AS rfm,
  CASE
    WHEN r > 3 AND f > 3 AND m > 3 THEN 'champions'
    WHEN r > 1 AND f > 2 AND m > 2 THEN 'loyal'
    WHEN r > 2 AND f < 4 AND m < 4 THEN 'potential-loyalist'
    WHEN r IN (2, 3) AND f IN (2, 3) AND m IN (2, 3) THEN 'need-attention'
    WHEN r IN (2, 3) AND f < 3 AND m < 3 THEN 'about-to-sleep'
    WHEN r < 3 AND f > 1 AND m > 1 THEN 'at-risk'
    WHEN r < 3 AND f < 3 AND m < 3 THEN 'hibernating'
    ELSE 'other' END AS rfm_segment,
  CASE WHEN days > 90 THEN 'reactivate' WHEN orders > 1 THEN 'grow' ELSE 'first-order' END AS stage,
  CASE
    WHEN days > 365 THEN 'lost'
    WHEN days > 90 AND hundredth >= 80 THEN 'at-risk'
    WHEN days > 90 THEN 'cooling'
    WHEN orders > 2 AND r > 3 AND f > 3 AND m > 3 THEN 'champion'
    WHEN orders > 2 AND peak_share >= 0.8 AND age >= 365 THEN 'seasonal'
    WHEN orders > 3 THEN 'loyal'
    WHEN orders > 1 THEN 'repeat'
    WHEN days > 30 THEN 'second-order-due'
    ELSE 'first-order' END AS segment,
  toFloat64(orders), toFloat64(spend)
FROM ranked ORDER BY customer`

// quiet hears of an import's progress and says nothing.
type quiet struct{ done importing.Job }

func (*quiet) Start(importing.Job)              {}
func (*quiet) Progress(importing.Job)           {}
func (q *quiet) Done(job importing.Job, _ bool) { q.done = job }

// The purchases of CDNOW, imported like any file, give the RFM codes, segments,
// moves and retention that independent SQL over the file gives.
func TestCDNOW(t *testing.T) {
	t.Parallel()
	file, rows := convertCDNOW(t, enginetest.SharedFile(t, "cdnow_sample.txt"))
	b := newBed(t, cdnowEnd)
	text, err := os.ReadFile("testdata/cdnow.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := importing.ParseMapping(text, importing.Events)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Options{BaseURL: b.Server.URL, Key: "good"})
	if err != nil {
		t.Fatal(err)
	}
	var q quiet
	if err := importing.Run(t.Context(), c, importing.Options{Kind: importing.Events, Path: file, Mapping: mapping, Reporter: &q}); err != nil {
		t.Fatal(err)
	}
	if q.done.Accepted != 6919 || q.done.Rejected != 0 {
		t.Errorf("%d rows were accepted and %d rejected, want 6919 and none", q.done.Accepted, q.done.Rejected)
	}
	b.compute()
	if s := b.service.Status(); s.People != 2357 {
		t.Errorf("%d people, want 2357", s.People)
	}
	ctx := t.Context()
	if err := b.ClickHouse.Write.Exec(ctx, "CREATE TABLE cdnow (customer String, day Date, dollars Decimal(18, 2)) ENGINE = MergeTree ORDER BY customer"); err != nil {
		t.Fatal(err)
	}
	if err := b.ClickHouse.Write.Exec(ctx, "INSERT INTO cdnow VALUES "+strings.Join(rows, ", ")); err != nil {
		t.Fatal(err)
	}
	result, err := b.ClickHouse.Read.Query(ctx, independent)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	checked, wrong := 0, 0
	counts := map[string]int{}
	for result.Next() {
		var customer, rfm, rfmSegment, stage, segment string
		var orders, spend float64
		if err := result.Scan(&customer, &rfm, &rfmSegment, &stage, &segment, &orders, &spend); err != nil {
			t.Fatal(err)
		}
		got := b.attributes(customer)
		gotSpend, _ := got["spend"].(float64)
		if got["rfm"] != rfm || got["rfmSegment"] != rfmSegment || got["stage"] != stage || got["lifecycleSegment"] != segment || got["orders"] != orders || math.Abs(gotSpend-spend) > 1e-6 {
			if wrong++; wrong < 5 {
				t.Errorf("%s is %v; independently %s %s %s %s, %g orders, %g", customer, got, rfm, rfmSegment, stage, segment, orders, spend)
			}
		}
		checked++
		counts["stage "+stage]++
		counts["segment "+segment]++
		counts["rfm "+rfmSegment]++
	}
	if err := result.Err(); err != nil || checked != 2357 {
		t.Fatalf("%d checked, %v", checked, err)
	}
	t.Logf("checked %d customers: %v", checked, counts)
	board := b.Must("GET", "/v1/lifecycle/board", "")
	for list, prefix := range map[string]string{"stages": "stage ", "segments": "segment ", "rfmSegments": "rfm "} {
		for _, p := range board[list].([]any) {
			place := p.(map[string]any)
			if int(place["people"].(float64)) != counts[prefix+place["key"].(string)] {
				t.Errorf("the board has %v people in %v, want %d", place["people"], place["key"], counts[prefix+place["key"].(string)])
			}
		}
	}
	b.checkCDNOWMatrix()
	b.checkCDNOWRetention()
}

// checkCDNOWMatrix compares the moves of each month by stage.
func (b *bed) checkCDNOWMatrix() {
	b.T.Helper()
	m := b.Must("GET", "/v1/lifecycle/matrix?by=stage&from=1997-01&to=1998-06", "")
	months := m["months"].([]any)
	if len(months) != 18 {
		b.T.Fatalf("%d months", len(months))
	}
	for _, entry := range months {
		month := entry.(map[string]any)
		first, err := time.Parse("2006-01", month["month"].(string))
		if err != nil {
			b.T.Fatal(err)
		}
		// Orders lie at midnight: those of the first of the next month do not count.
		at := func(end time.Time) string {
			return fmt.Sprintf(`SELECT customer, multiIf(dateDiff('day', max(day), toDate('%[1]s')) > 90, 'reactivate', count() > 1, 'grow', 'first-order') AS stage FROM cdnow WHERE day < toDate('%[1]s') GROUP BY customer`, end.Format(time.DateOnly))
		}
		rows, err := b.ClickHouse.Read.Query(b.T.Context(), fmt.Sprintf(`SELECT a.stage, b.stage, toFloat64(count()) FROM (%s) AS b LEFT JOIN (%s) AS a USING customer GROUP BY a.stage, b.stage`, at(first.AddDate(0, 1, 0)), at(first)))
		if err != nil {
			b.T.Fatal(err)
		}
		want := map[string]float64{}
		for rows.Next() {
			var from, to string
			var people float64
			if err := rows.Scan(&from, &to, &people); err != nil {
				b.T.Fatal(err)
			}
			want[from+">"+to] = people
		}
		rows.Close()
		got := map[string]float64{}
		for _, x := range month["moves"].([]any) {
			move := x.(map[string]any)
			got[fmt.Sprintf("%s>%s", move["from"], move["to"])] = move["people"].(float64)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			b.T.Errorf("%s: %v, independently %v", month["month"], got, want)
		}
	}
}

// checkCDNOWRetention compares retention, cohorts and the average order.
func (b *bed) checkCDNOWRetention() {
	b.T.Helper()
	reports, err := experience.Open(experience.Deps{Definitions: b.Definitions, ClickHouse: b.ClickHouse, Table: b.service.Table, Now: func() time.Time { return cdnowEnd }})
	if err != nil {
		b.T.Fatal(err)
	}
	from, to := time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1998, 6, 30, 0, 0, 0, 0, time.UTC)
	report, err := reports.Report(b.T.Context(), experience.Retention, from, to, experience.Month, "")
	if err != nil {
		b.T.Fatal(err)
	}
	number := func(sql string) (n float64) {
		b.T.Helper()
		if err := b.ClickHouse.Read.QueryRow(b.T.Context(), "SELECT toFloat64("+sql+")").Scan(&n); err != nil {
			b.T.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	in := func(month time.Time) string {
		return fmt.Sprintf("SELECT DISTINCT customer FROM cdnow WHERE day >= '%s' AND day < '%s'", month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly))
	}
	for i, row := range report.Rows {
		month := from.AddDate(0, i, 0)
		before := number("(SELECT count() FROM (" + in(month.AddDate(0, -1, 0)) + "))")
		returned := number("(SELECT count() FROM (" + in(month) + ") WHERE customer IN (" + in(month.AddDate(0, -1, 0)) + "))")
		if row.Parts["before"] != before || row.Parts["returned"] != returned {
			b.T.Errorf("retention of %s: %v, independently %g of %g", row.From, row.Parts, returned, before)
		}
	}
	sizes := []float64{}
	for i, cohort := range report.Cohorts {
		month := from.AddDate(0, i, 0)
		newcomers := fmt.Sprintf("SELECT customer FROM cdnow GROUP BY customer HAVING min(day) >= '%s' AND min(day) < '%s'", month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly))
		if size := number("(SELECT count() FROM (" + newcomers + "))"); size != cohort.Size {
			b.T.Errorf("the cohort of %s has %g, independently %g", cohort.From, cohort.Size, size)
		}
		sizes = append(sizes, cohort.Size)
		for _, r := range cohort.Returns {
			if people := number("(SELECT count() FROM (" + in(month.AddDate(0, r.Offset, 0)) + ") WHERE customer IN (" + newcomers + "))"); people != r.People {
				b.T.Errorf("the cohort of %s after %d months: %g, independently %g", cohort.From, r.Offset, r.People, people)
			}
		}
	}
	b.T.Logf("cohorts %v; retention in February 1997 %.4f [%.4f, %.4f]", sizes, *report.Rows[1].Value, *report.Rows[1].Lower, *report.Rows[1].Upper)
	average, err := reports.Report(b.T.Context(), experience.AverageOrder, from, from, experience.Month, "")
	if err != nil {
		b.T.Fatal(err)
	}
	if want := number("(SELECT avg(dollars) FROM cdnow WHERE day < '1997-02-01')"); math.Abs(*average.Rows[0].Value-want) > 1e-9 {
		b.T.Errorf("the average order is %g, independently %g", *average.Rows[0].Value, want)
	}
}
