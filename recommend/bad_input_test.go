package recommend

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"quintet/internal/clickhouse"
	"quintet/internal/enginetest"
	"quintet/recommend/feeds"
	"quintet/recommend/interactions"
)

// longServer serves what stands before a row of 100 MB, the row, and what comes after,
// without having it in memory.
func longServer(t *testing.T, before, after string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, before)
		block := bytes.Repeat([]byte("x"), 1<<20)
		for range 100 {
			if _, err := w.Write(block); err != nil {
				return // who reads has had enough
			}
		}
		_, _ = io.WriteString(w, after)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// A row of 100 MB is reported and takes no memory. What cannot be read on after it fails
// the run, and takes nothing out of the catalogue. It runs alone: it counts memory.
func TestRowOf100MB(t *testing.T) {
	s := newShop(t)
	for _, tt := range []struct {
		format        feeds.Format
		before, after string
		succeeds      bool
		reject, fails string
	}{
		{"csv", "id,title\nb1,One\nb2,", "\nb3,Three\n", true, "longer than 1 MiB", ""},
		{"ndjson", "{\"id\":\"b1\",\"title\":\"One\"}\n{\"id\":\"b2\",\"title\":\"", "\"}\n{\"id\":\"b3\",\"title\":\"Three\"}\n", true, "longer than 1 MiB", ""},
		{"json", `[{"id":"b1","title":"One"},{"id":"b2","title":"`, `"},{"id":"b3","title":"Three"}]`, false, "", "longer than 1 MiB"},
		{"xml", `<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>b1</g:id><g:title>One</g:title></item><item><g:id>b2</g:id><g:title>`, `</g:title></item></channel></rss>`, false, "", "longer than 1 MiB"},
	} {
		s.putFeed(t, Feed{URL: longServer(t, tt.before, tt.after), Format: tt.format})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run := s.feedNow(t)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: reading allocated %d MB", tt.format, used>>20)
		}
		r := run.Report
		if run.Succeeded != tt.succeeds || !strings.Contains(r.Error, tt.fails) || tt.fails != "" && r.Error == "" {
			t.Errorf("%s: %+v", tt.format, r)
		}
		if tt.reject != "" && (len(r.Rejects) != 1 || r.Rejected != 1 || r.Rows != 3 || !strings.Contains(r.Rejects[0].Reason, tt.reject)) {
			t.Errorf("%s: the rejects are %+v", tt.format, r)
		}
		if !s.InStock("b1") || !s.InStock("shoe-1") {
			t.Errorf("%s: the item before the row, or others, are gone", tt.format)
		}
		// A trial stops long before the end.
		feed, _ := s.feeds.Get("shop")
		if trial := s.tryFeed(t.Context(), &feed.Value); trial.Rejected > 1 || trial.Taken != 1 && trial.Error == "" {
			t.Errorf("%s: the trial %+v", tt.format, trial)
		}
	}
	if !s.InStock("b3") || s.InStock("b2") {
		t.Error("what comes after the line was not read, or the line was")
	}
}

// What is not UTF-8 is refused as a whole or row by row, and nothing is taken for gone.
func TestWrongEncoding(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	url, text := feedServer(t)
	text.Store("id,title\nc1,One\nc2,Two\n")
	s.putFeed(t, Feed{URL: url, Format: "csv", Gone: GoneDelete})
	s.feedNow(t)
	wide := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune("id,title\nc1,Größe\n")) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	for name, body := range map[string]string{"UTF-16": string(wide), "a header in Latin-1": "id,title,gr\xf6\xdfe\nc1,One,1\n"} {
		text.Store(body)
		if run := s.feedNow(t); run.Succeeded || !strings.Contains(run.Report.Error, "UTF-8") {
			t.Errorf("%s: %+v", name, run.Report)
		}
	}
	text.Store("id,title\nc1,Gr\xf6\xdfe\nc2,Two\n")
	if r := s.feedNow(t).Report; r.Rejected != 1 || r.Gone != 0 || !strings.Contains(r.Note, "cannot be read") || r.Rejects[0].Row != 2 || !strings.Contains(r.Rejects[0].Reason, "UTF-8") {
		t.Errorf("a row in Latin-1: %+v", r)
	}
	for _, key := range []string{"c1", "c2"} {
		if v, ok := s.items.Get(key); !ok || v.Value.Name == "" {
			t.Errorf("%s is gone", key)
		}
	}
}

// Every way of writing a tree that runs in a circle is refused, with the row.
func TestCyclicCategories(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	url, text := feedServer(t)
	text.Store("id,title,product_type\nd1,One,a > b > a\nd2,Two,a/a\nd3,Three,a//b\nd4,Four,a > b\n")
	s.putFeed(t, Feed{URL: url, Format: "csv"})
	r := s.feedNow(t).Report
	if r.Written != 1 || r.Rejected != 3 {
		t.Fatalf("the run: %+v", r)
	}
	for i, reject := range r.Rejects {
		if reject.Row != i+2 || !strings.Contains(reject.Reason, "category must have levels that are not empty and none below itself") {
			t.Errorf("reject %d: %+v", i, reject)
		}
	}
	if o, err := s.overview(t.Context()); err != nil || len(o.Categories) == 0 {
		t.Errorf("the tree: %+v, %v", o, err)
	}
}

// A person with 100,000 events: as they come in, in the log that builds read, and in what
// is served.
func TestPersonWithManyEvents(t *testing.T) {
	t.Parallel()
	const events = 100_000
	s := newShop(t)
	s.db = enginetest.ClickHouse(t)
	// The tables belong to other packages; their migrations are read as files.
	exposures := clickhouse.MigrationSet{Name: "experiments", Files: os.DirFS("../experiments/migrations/clickhouse")}
	if err := s.db.Migrate(t.Context(), exposures, clickhouse.MigrationSet{Name: "profiles", Files: os.DirFS("../profiles/migrations/clickhouse")}); err != nil {
		t.Fatal(err)
	}
	s.learnTaste(t)
	began := time.Now()
	for i := range events {
		s.Saw("robot", "Product Viewed", began.Add(time.Duration(i-events)*time.Second), fmt.Sprintf(`{"product_id":"shoe-%d"}`, i%7))
	}
	if n := s.Remembered("robot"); n != maxHistory {
		t.Errorf("%d events are remembered, want %d", n, maxHistory)
	}
	l := s.list(t, Query{Person: "robot", Limit: 20})
	if !l.Personal || len(l.Items) != 20 {
		t.Errorf("the list: %+v", l)
	}

	// The log, read as a build does: their latest events beside those of others.
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO events (message_id, profile_id, type, event, timestamp, received_at, properties)
			SELECT concat('m', toString(number)), 'robot', 'track', 'Product Viewed', now64(3) - toIntervalSecond(number), now64(3), concat('{"product_id":"shoe-', toString(number %% 7), '"}') FROM numbers(%d)`, events),
		`INSERT INTO events (message_id, profile_id, type, event, timestamp, received_at, properties)
			SELECT concat('o', toString(number)), concat('p', toString(number % 150)), 'track', 'Product Viewed', now64(3) - toIntervalHour(number), now64(3), concat('{"product_id":"hat-', toString((number * 7 + intDiv(number, 150)) % 10), '"}') FROM numbers(900)`,
	} {
		if err := s.db.Write.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	log, err := s.read(t.Context(), s.signals, time.Now().AddDate(0, 0, -60))
	if err != nil || log.Len() != interactions.MaxPersonEvents+900 {
		t.Fatalf("the log has %d events, %v", log.Len(), err)
	}
	catalogue := map[string]*Item{}
	for key, v := range s.items.Snapshot() {
		catalogue[key] = &v.Value
	}
	began = time.Now()
	bundle, report, _, err := build(t.Context(), log, catalogue, time.Now(), halfLife)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the build took %s", took)
	}
	if report.Events != log.Len() || report.People != 151 || bundle.Models[modelPopular] == nil {
		t.Errorf("the build: %+v", report)
	}
	// Others are recommended what they like, not what one person did a hundred thousand times.
	s.use(newSnapshot(Version{Version: 2, BuiltAt: time.Now(), Report: *report}, bundle))
	if list := s.list(t, Query{Person: "p3", Limit: 3}); !list.Personal || !strings.HasPrefix(list.Items[0].ID, "hat") {
		t.Errorf("who looks at hats is shown %+v", list.Items)
	}
}

// Without a catalogue every list is empty, whatever was learned and whoever asks; with
// the first item it is what is new.
func TestEmptyCatalogue(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.learnTaste(t)
	s.Saw("u", "Product Viewed", time.Now(), `{"product_id":"hat-3"}`)
	for key := range s.items.Snapshot() {
		if err := s.items.Delete(t.Context(), key, "me"); err != nil {
			t.Fatal(err)
		}
	}
	call := s.caller(t)
	for _, query := range []string{"", "user=u", "item=hat-3", "placement=cart&item=hat-3&item=shoe-1", "placement=search&item=hat-3&user=u", "placement=email&user=u"} {
		var list List
		if status := call("read", "GET", "/v1/recommendations?"+query, "", &list); status != 200 || list.Items == nil || len(list.Items) != 0 || list.ID == "" {
			t.Errorf("%s: %d %+v", query, status, list)
		}
	}
	var o Overview
	if call("read", "GET", "/v1/catalogue", "", &o); o.Items != 0 || len(o.Categories) != 0 || len(o.Bands) != 0 {
		t.Errorf("the overview of nothing: %+v", o)
	}
	var p Preview
	if call("read", "POST", "/v1/recommendations/preview", `{"user":"u"}`, &p); len(p.List.Items) != 0 || p.List.Candidates != 0 {
		t.Errorf("the preview of nothing: %+v", p.List)
	}
	var lists ServedLists
	if call("read", "GET", "/v1/recommenders/served", "", &lists); len(lists.Placements) == 0 || lists.Placements[0].Empty != lists.Placements[0].Lists || lists.Placements[0].Asked == 0 || lists.Offered != 0 {
		t.Errorf("served: %+v", lists)
	}
	// A build without anything to sell, and without anything done.
	var b interactions.Builder
	if _, report, _, err := build(t.Context(), b.Build(), nil, time.Now(), halfLife); err != nil || report.Personal != "" {
		t.Errorf("a build of nothing: %+v, %v", report, err)
	}
	if _, err := s.items.Put(t.Context(), "first", Item{Name: "First", Price: 3}, "me", 0); err != nil {
		t.Fatal(err)
	}
	if l := s.list(t, Query{Person: "u"}); len(l.Items) != 1 || l.Items[0].ID != "first" || l.Items[0].Reason != reasonFresh {
		t.Errorf("with the first item: %+v", l.Items)
	}
}
