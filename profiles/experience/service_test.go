package experience

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/profiles"
	"quintet/profiles/attributes"
	"quintet/profiles/lifecycle"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

type everybody struct{}

func (everybody) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "k1", Kind: "key", Scopes: []api.Scope{api.ScopeAdmin}}, nil
}

// bed is a service on engines of its own.
type bed struct {
	t       testing.TB
	db      *clickhouse.Database
	service *Service
	server  *httptest.Server
}

func newBed(t testing.TB, now time.Time) *bed {
	t.Helper()
	b := &bed{t: t, db: enginetest.ClickHouse(t)}
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	// The table of exposures belongs to another package; its migrations are read as files.
	exposures := clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../../experiments/migrations/clickhouse")}
	if err := b.db.Migrate(t.Context(), exposures, profiles.ClickHouseMigrations(), attributes.ClickHouseMigrations(), ClickHouseMigrations()); err != nil {
		t.Fatal(err)
	}
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	b.service, err = Open(Deps{Definitions: store, ClickHouse: b.db, Table: lifecycle.Default, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	srv := api.New(api.Options{Auth: everybody{}, Logger: enginetest.Logger(t)})
	b.service.Routes(srv)
	b.server = httptest.NewServer(srv.Router)
	t.Cleanup(b.server.Close)
	return b
}

// events stores events: person, name, time and properties of each, twice, as a
// message that is sent twice may be.
func (b *bed) events(rows ...[4]string) {
	b.t.Helper()
	for range 2 {
		batch, err := b.db.Write.PrepareBatch(b.t.Context(), "INSERT INTO events (message_id, type, event, profile_id, user_id, timestamp, received_at, numbers, properties)")
		if err != nil {
			b.t.Fatal(err)
		}
		for i, r := range rows {
			at, err := time.Parse("2006-01-02 15:04", r[2])
			if err != nil {
				b.t.Fatal(err)
			}
			var properties map[string]any
			if err := json.Unmarshal([]byte(r[3]), &properties); err != nil {
				b.t.Fatal(err)
			}
			numbers := map[string]float64{}
			for name, v := range properties {
				if n, ok := v.(float64); ok {
					numbers[name] = n
				}
			}
			if err := batch.Append(fmt.Sprintf("%s-%d", r[2], i), "track", r[1], r[0], r[0], at, at, numbers, r[3]); err != nil {
				b.t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bed) call(method, path, kind, body string) (int, map[string]any) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, bytes.NewBufferString(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(content, &out); err != nil {
		b.t.Fatalf("%s %s answered %d %q", method, path, response.StatusCode, content)
	}
	return response.StatusCode, out
}

// report reads a metric.
func (b *bed) report(query string) *Report {
	b.t.Helper()
	status, out := b.call("GET", "/v1/experience?"+query, "", "")
	if status != 200 {
		b.t.Fatalf("%s: %d %v", query, status, out)
	}
	encoded, _ := json.Marshal(out)
	var r Report
	if err := json.Unmarshal(encoded, &r); err != nil {
		b.t.Fatal(err)
	}
	return &r
}

func (r Row) interval() Interval {
	at := func(p *float64) float64 {
		if p == nil {
			return math.NaN()
		}
		return *p
	}
	return Interval{at(r.Value), at(r.Lower), at(r.Upper)}
}

func TestSurveys(t *testing.T) {
	t.Parallel()
	b := newBed(t, time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC))
	var rows [][4]string
	answer := func(person, kind, at, score string) {
		rows = append(rows, [4]string{person, "Survey Answered", at, fmt.Sprintf(`{"kind":%q,%s}`, kind, score)})
	}
	for i, score := range []int{10, 9, 9, 8, 7, 6, 0} {
		answer(fmt.Sprint("p", i), "nps", "2026-02-10 10:00", fmt.Sprintf(`"score":%d`, score))
	}
	answer("p0", "nps", "2026-02-11 10:00", `"score":3`)  // p0 thinks again
	answer("p9", "NPS", "2026-02-11 10:00", `"score":11`) // beyond the scale
	answer("p1", "nps", "2026-03-01 00:00", `"score":10`) // the next month
	for i, score := range []string{`"score":5`, `"score":4`, `"score":3`, `"score":8,"scale":10`} {
		answer(fmt.Sprint("p", i), "csat", "2026-02-10 10:00", score)
	}
	for i, score := range []string{`"score":7`, `"score":4`, `"score":5,"scale":5`} {
		answer(fmt.Sprint("p", i), "ces", "2026-02-10 10:00", score)
	}
	b.events(rows...)
	r := b.report("metric=nps&from=2026-01-05&to=2026-03-02")
	if len(r.Rows) != 3 || r.Rows[0].Value != nil || r.Rows[0].From != "2026-01-01" || !r.Rows[1].Complete || r.Rows[2].Complete {
		t.Fatalf("nps: %+v", r.Rows)
	}
	// Two promoters (9, 9), two passives (8, 7), three detractors (3, 6, 0).
	want := Promoters(2, 3, 7)
	near(t, "nps", r.Rows[1].interval(), want.Value, want.Lower, want.Upper, 1e-9)
	if p := r.Rows[1].Parts; p["promoters"] != 2 || p["passives"] != 2 || p["detractors"] != 3 || p["invalid"] != 1 || r.Rows[2].N != 1 {
		t.Errorf("nps: %v", r.Rows)
	}
	want = Wilson(3, 4)
	near(t, "csat", b.report("metric=csat&from=2026-02-01&to=2026-02-01").Rows[0].interval(), want.Value, want.Lower, want.Upper, 1e-9)
	want = Mean(7+4+7, 49+16+49, 3)
	near(t, "ces", b.report("metric=ces&from=2026-02-01&to=2026-02-28").Rows[0].interval(), want.Value, want.Lower, want.Upper, 1e-9)
	if r := b.report("metric=nps&from=2026-02-09&to=2026-02-15&period=week"); len(r.Rows) != 1 || r.Rows[0].N != 7 {
		t.Errorf("by week: %+v", r.Rows)
	}
	if r := b.report("metric=nps&from=2026-02-10&to=2026-02-11&period=day"); len(r.Rows) != 2 || r.Rows[0].N != 7 || r.Rows[1].N != 1 {
		t.Errorf("by day: %+v", r.Rows)
	}
	if status, out := b.call("PUT", "/v1/experience/settings", "application/json", `{"surveys":["Asked"],"satisfiedAt":0.5}`); status != 200 || out["version"] != 1.0 || out["activeDays"] != 90.0 {
		t.Errorf("settings: %d %v", status, out)
	}
	if r := b.report("metric=nps&from=2026-02-01&to=2026-02-28"); r.Rows[0].N != 0 {
		t.Errorf("other surveys: %+v", r.Rows)
	}
}

func order(person, at string, revenue float64) [4]string {
	return [4]string{person, "Order Completed", at, fmt.Sprintf(`{"revenue":%g}`, revenue)}
}

func TestCustomersComeAndGo(t *testing.T) {
	t.Parallel()
	b := newBed(t, time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC))
	b.events(
		order("a", "2026-01-10 10:00", 10), order("a", "2026-02-10 10:00", 20), order("a", "2026-02-20 10:00", 30), order("a", "2026-06-01 10:00", 40),
		order("b", "2026-01-31 23:59", 10), order("c", "2026-02-01 00:00", 50), order("c", "2026-03-05 10:00", 50), order("d", "2026-06-30 10:00", 5),
	)
	rates := func(r *Report) (s string) {
		for _, row := range r.Rows {
			s += fmt.Sprintf("%s %g/%g ", row.From[5:7], row.Parts["returned"], row.Parts["before"])
		}
		return s
	}
	r := b.report("metric=retention&from=2026-01-01&to=2026-07-10")
	if got, want := rates(r), "01 0/0 02 1/2 03 1/2 04 0/1 05 0/0 06 0/0 07 0/2 "; got != want {
		t.Errorf("retention %q, want %q", got, want)
	}
	want := Wilson(1, 2)
	near(t, "retention", r.Rows[1].interval(), want.Value, want.Lower, want.Upper, 1e-12)
	if c := r.Cohorts; len(c) != 7 || c[0].Size != 2 || len(c[0].Returns) != 6 || c[0].Returns[0].People != 1 || c[0].Returns[1].People != 0 || c[0].Returns[4].People != 1 ||
		c[1].Size != 1 || c[1].Returns[0].People != 1 || c[5].Size != 1 {
		t.Errorf("cohorts: %+v", c)
	}
	// Active for 90 days after an order. a: to 21 May and from 1 June; b: to the end of 1 May; c: to 3 June; d: from 30 June.
	r = b.report("metric=churn&from=2026-04-01&to=2026-07-10")
	for i, want := range []map[string]float64{
		{"activeAtStart": 3, "activeAtEnd": 3, "lost": 0, "gained": 0, "gainedAndActive": 0, "returned": 0},
		{"activeAtStart": 3, "activeAtEnd": 1, "lost": 2, "gained": 0, "gainedAndActive": 0, "returned": 0},
		{"activeAtStart": 1, "activeAtEnd": 2, "lost": 1, "gained": 1, "gainedAndActive": 1, "returned": 1},
		{"activeAtStart": 2, "activeAtEnd": 2, "lost": 0, "gained": 0, "gainedAndActive": 0, "returned": 0},
	} {
		row := r.Rows[i]
		if fmt.Sprint(row.Parts) != fmt.Sprint(want) || *row.Value != want["lost"]/want["activeAtStart"] {
			t.Errorf("churn of %s: %v, want %v", row.From, row.Parts, want)
		}
		if p := row.Parts; p["activeAtStart"]+p["gainedAndActive"]+p["returned"]-p["lost"] != p["activeAtEnd"] {
			t.Errorf("the balance of %s does not add up: %v", row.From, p)
		}
	}
	if r := b.report("metric=gained&from=2026-01-01&to=2026-02-01"); *r.Rows[0].Value != 2 || *r.Rows[1].Value != 1 {
		t.Errorf("gained: %+v", r.Rows)
	}
	r = b.report("metric=average-order&from=2026-02-01&to=2026-02-28")
	want = Ratio(RatioSums{N: 2, Y: 100, D: 3, YY: 50*50 + 50*50, DD: 4 + 1, YD: 100 + 50})
	near(t, "average order", r.Rows[0].interval(), want.Value, want.Lower, want.Upper, 1e-9)
	// Of a segment: those who are there now.
	if err := b.db.Write.Exec(t.Context(), `INSERT INTO profile_attributes (person_id, computed_at, stage, segment, rfm_segment) VALUES
		('a', '2026-07-01 00:00:00', 'grow', 'loyal', 'champions'), ('c', '2026-06-01 00:00:00', 'grow', 'loyal', ''), ('c', '2026-07-01 00:00:00', 'reactivate', 'cooling', 'lost')`); err != nil {
		t.Fatal(err)
	}
	for segment, orders := range map[string]float64{"loyal": 2, "cooling": 1, "stage:grow": 2, "rfm:champions": 2, "segment:champion": 0} {
		if r := b.report("metric=average-order&from=2026-02-01&to=2026-02-28&segment=" + segment); r.Rows[0].Parts["orders"] != orders {
			t.Errorf("%s: %+v", segment, r.Rows[0])
		}
	}
}

func TestAcquisitionCost(t *testing.T) {
	t.Parallel()
	b := newBed(t, time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC))
	b.events(order("a", "2026-01-10 10:00", 10), order("b", "2026-01-31 10:00", 10), order("a", "2026-02-10 10:00", 20))
	csv := "day,channel,campaign,amount,currency\n2026-01-01,search,brand,100.50,EUR\n2026-01-31,social,,99.5,EUR\n2026-01-05,tv,,7,USD\n"
	for range 2 { // sent again, it counts once
		if status, out := b.call("POST", "/v1/marketing-spend", "text/csv", csv); status != 200 || out["written"] != 3.0 {
			t.Fatalf("csv: %d %v", status, out)
		}
	}
	if status, out := b.call("POST", "/v1/marketing-spend", "application/json", `{"rows":[{"day":"2026-02-01","channel":"search","amount":30,"currency":"EUR"},{"day":"2026-01-05","channel":"tv","amount":8,"currency":"USD"}]}`); status != 200 {
		t.Fatalf("json: %d %v", status, out)
	}
	r := b.report("metric=acquisition-cost&from=2026-01-01&to=2026-03-31")
	if len(r.Rows) != 4 {
		t.Fatalf("rows: %+v", r.Rows)
	}
	want := Per(200, 2)
	near(t, "cost in EUR", r.Rows[0].interval(), want.Value, want.Lower, want.Upper, 1e-9)
	if r.Rows[0].Currency != "EUR" || r.Rows[1].Currency != "USD" || *r.Rows[1].Value != 4 || r.Rows[2].Value != nil || r.Rows[2].Parts["spend"] != 30 || r.Rows[3].Currency != "" {
		t.Errorf("rows: %+v", r.Rows)
	}
	if _, out := b.call("GET", "/v1/marketing-spend?from=2026-01-01&to=2026-12-31", "", ""); len(out["items"].([]any)) != 4 {
		t.Errorf("listed %v", out)
	}
	for name, tt := range map[string]struct{ kind, body, location string }{
		"day":       {"application/json", `{"rows":[{"day":"2026-02-30","channel":"a","amount":1,"currency":"EUR"}]}`, "body.rows[0].day"},
		"currency":  {"application/json", `{"rows":[{"day":"2026-02-03","channel":"a","amount":1,"currency":"eur"}]}`, "body.rows[0].currency"},
		"negative":  {"application/json", `{"rows":[{"day":"2026-02-03","channel":"a","amount":-1,"currency":"EUR"}]}`, "body.rows[0].amount"},
		"decimals":  {"application/json", `{"rows":[{"day":"2026-02-03","channel":"a","amount":1.23456,"currency":"EUR"}]}`, "body.rows[0].amount"},
		"twice":     {"application/json", `{"rows":[{"day":"2026-02-03","channel":"a","amount":1,"currency":"EUR"},{"day":"2026-02-03","channel":"a","amount":2,"currency":"EUR"}]}`, "body.rows[1]"},
		"none":      {"application/json", `{"rows":[]}`, "body.rows"},
		"no column": {"text/csv", "day,channel,amount\n", "body.header"},
		"column":    {"text/csv", "day,channel,amount,currency,colour\n", "body.header"},
		"not a sum": {"text/csv", "day,channel,amount,currency\n2026-01-01,a,NaN,EUR\n", "body.rows[0].amount"},
		"cells":     {"text/csv", "day,channel,amount,currency\n2026-01-01,a\n", "body.rows[0]"},
	} {
		status, out := b.call("POST", "/v1/marketing-spend", tt.kind, tt.body)
		encoded, _ := json.Marshal(out["errors"])
		if status != 422 || !strings.Contains(string(encoded), `"`+tt.location+`"`) {
			t.Errorf("%s: %d %s", name, status, encoded)
		}
	}
}

func TestReportsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBed(t, time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC))
	for query, location := range map[string]string{
		"metric=mood": "query.metric", "metric=nps&from=2026-02-30": "query.from", "metric=nps&to=x": "query.to", "metric=nps&from=2026-03-01&to=2026-02-01": "query.to",
		"metric=nps&period=year": "query.period", "metric=nps&period=day&from=2020-01-01": "query.to", "metric=nps&segment=nobody": "query.segment",
		"metric=nps&segment=losses:bounce": "query.segment", "metric=acquisition-cost&segment=loyal": "query.segment", "metric=nps&from=2027-01-01&to=2027-02-01": "query.from",
	} {
		status, out := b.call("GET", "/v1/experience?"+query, "", "")
		encoded, _ := json.Marshal(out["errors"])
		if status != 422 || !strings.Contains(string(encoded), `"`+location+`"`) {
			t.Errorf("%s: %d %v", query, status, out)
		}
	}
	if status, out := b.call("PUT", "/v1/experience/settings", "application/json", `{"satisfiedAt":2,"activeDays":-1,"surveys":[""]}`); status != 422 || len(out["errors"].([]any)) != 3 {
		t.Errorf("settings: %d %v", status, out)
	}
	if r := b.report("metric=average-order"); len(r.Rows) != 13 || r.Rows[0].Value != nil {
		t.Errorf("nothing to report: %+v", r.Rows)
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte("day,channel,campaign,amount,currency\n2026-01-01,search,brand,100.50,EUR\n"))
	f.Add([]byte("\xef\xbb\xbfcurrency,amount,day,channel\n\"E\nUR\",1e400,,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := parseCSV(data)
		if err == nil && len(rows) > maxSpendRows {
			t.Fatalf("%d rows", len(rows))
		}
		if err == nil && checkSpend(rows) == nil {
			for _, r := range rows {
				if !(r.Amount >= 0) || len(r.Currency) != 3 {
					t.Fatalf("%+v passes", r)
				}
			}
		}
	})
}
