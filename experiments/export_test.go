package experiments

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"testing"
)

// exported is a report with names that no format may take for its own syntax.
func exported(t *testing.T) *Report {
	t.Helper()
	e := halves()
	e.Variants[1].Key = `=b|<script>alert("x")</script>`
	e.Guardrails = []Guardrail{{Metric: "visit", Margin: .1}}
	r := made(&e, []Metric{{Kind: ProportionKind, Event: "visit"}, {Kind: MeanKind, Event: "spend", Property: "amount"}}, []SumsCell{
		{Variant: "a", Units: 1000, Metrics: []Sums{{NonZero: 200}, {Y: 1500, YY: 9000, NonZero: 300, Events: 300}}},
		{Variant: e.Variants[1].Key, Units: 1010, Metrics: []Sums{{NonZero: 310}, {Y: math.NaN(), YY: 9000, NonZero: 300, Events: 300, NotFinite: 1}}},
	})
	r.Name = "Tea & <b>books</b>"
	r.SQL = []string{"SELECT '```' < 1"}
	for i, day := range []string{"2026-03-01", "2026-03-02", "2026-03-03"} {
		half := .1 / float64(i+1)
		r.Metrics[0].Series = append(r.Metrics[0].Series, SeriesPoint{Day: day, Variant: e.Variants[1].Key,
			Absolute: &Interval{.1, .1 - half, .1 + half, .01}, Relative: &Interval{.5, .5 - half, .5 + half, .1}})
	}
	return r
}

func write(t *testing.T, r *Report, f Format) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, f); err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	t.Parallel()
	r := exported(t)
	for _, f := range Formats() {
		once := write(t, r, f)
		if again := write(t, r, f); again != once {
			t.Errorf("%s differs from one time to the next", f)
		}
		if f == CSVFormat {
			continue // has figures only
		}
		if !strings.Contains(once, "no finite number") {
			t.Errorf("%s does not say that a value is no number:\n%s", f, once)
		}
		if checks, figures := strings.Index(once, SampleRatioCheck), strings.Index(once, "visit"); checks < 0 || f != JSONFormat && checks > figures {
			t.Errorf("%s has figures before the checks", f)
		}
	}
	if err := Write(&bytes.Buffer{}, r, "pdf"); err == nil || !strings.Contains(err.Error(), "query.format") {
		t.Errorf("an unknown format: %v", err)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	r := exported(t)
	rows, err := csv.NewReader(strings.NewReader(write(t, r, CSVFormat))).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	visit := rows[2]
	if v := visit[column["variant"]]; !strings.HasPrefix(v, "'=b") {
		t.Errorf("a spreadsheet would compute %q", v)
	}
	for name, want := range map[string]float64{
		"absolute": r.Metrics[0].Effects[0].Absolute.Estimate, "absoluteLower": r.Metrics[0].Effects[0].Absolute.Lower,
		"sequentialAbsoluteUpper": r.Metrics[0].Effects[0].Sequential.Absolute.Upper, "chanceToWin": r.Metrics[0].Effects[0].Bayesian.ChanceToWin,
	} {
		if got, err := strconv.ParseFloat(visit[column[name]], 64); err != nil || got != want {
			t.Errorf("%s is %q, want all digits of %g", name, visit[column[name]], want)
		}
	}
	if spend := rows[4]; spend[column["absolute"]] != "" || spend[column["problem"]] == "" {
		t.Errorf("a figure that is missing: %q", spend)
	}
}

func TestPageStandsForItself(t *testing.T) {
	t.Parallel()
	page := write(t, exported(t), HTMLFormat)
	for _, bad := range []string{"<script", "<b>books", "http:", "https:", "url(http", "javascript", ">NaN", "NaN,", "ZgotmplZ", "%!"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, want := range []string{"<svg", "<polygon", "Tea &amp; &lt;b&gt;books", "Queries"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for n, part := range strings.Split(page, "<svg")[1:] {
		body, _, _ := strings.Cut(part, "</svg>")
		decoder := xml.NewDecoder(strings.NewReader("<svg" + body + "</svg>"))
		for {
			if _, err := decoder.Token(); err != nil {
				if err.Error() != "EOF" {
					t.Errorf("chart %d is no XML: %v", n, err)
				}
				break
			}
		}
	}
}

func TestMarkdownIsEscaped(t *testing.T) {
	t.Parallel()
	text := write(t, exported(t), MarkdownFormat)
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "| ") && strings.Contains(line, "script") && strings.Contains(line, "<script") {
			t.Errorf("a name is taken for HTML: %s", line)
		}
	}
	if !strings.Contains(text, `=b\|&lt;script`) || !strings.Contains(text, "````sql") {
		t.Errorf("names or queries are not as they are:\n%s", text)
	}
}

// The JSON of a report reads back as the same report.
func TestReportReadsBack(t *testing.T) {
	t.Parallel()
	r := exported(t)
	body := write(t, r, JSONFormat)
	var back Report
	if err := json.Unmarshal([]byte(body), &back); err != nil {
		t.Fatal(err)
	}
	if again := write(t, &back, JSONFormat); again != body {
		t.Errorf("it became\n%s\nof\n%s", again, body)
	}
}
