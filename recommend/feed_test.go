package recommend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quintet/internal/problem"
)

// feedServer serves a text that can be changed, with its tag.
func feedServer(t *testing.T) (url string, text *atomic.Value) {
	t.Helper()
	text = &atomic.Value{}
	text.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := text.Load().(string)
		if body == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		tag := fmt.Sprintf(`"%d"`, len(body))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL, text
}

func (s *Service) putFeed(t *testing.T, f Feed) {
	t.Helper()
	if _, err := s.feeds.Put(t.Context(), "shop", f, "me", 0); err != nil {
		t.Fatal(err)
	}
}

func (s *Service) feedNow(t *testing.T) *FeedRun {
	t.Helper()
	run, err := s.runFeed(t.Context(), "shop", true)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

const goodRows = "a1,Tea,kitchen/drinks,\"10,50 EUR\",in stock,green\na2,Pot,kitchen,25,3,red\na3,Cup,kitchen,5 EUR,out of stock,blue\n"

func TestFeed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	url, text := feedServer(t)
	s.putFeed(t, Feed{URL: url, Format: "csv", ExpireHours: 3})

	if run := s.feedNow(t); run.Succeeded || !strings.Contains(run.Report.Error, "502") {
		t.Errorf("a server that is away: %+v", run)
	}
	header := "id,title,product_type,price,availability,colour\n"
	text.Store(header + goodRows +
		"a1,Again,kitchen,1,1,\n" +
		"a4,Dear,kitchen,-3,1,\n" +
		"a5,Turns,kitchen/pots/kitchen,3,1,\n" +
		"a6,Caf\xe9,kitchen,3,1,\n" +
		"a7," + strings.Repeat("x", 2<<20) + ",kitchen,3,1,\n" +
		"a 8,Blank,kitchen,3,1,\n" +
		"a9,Short\n")
	run := s.feedNow(t)
	if r := run.Report; !run.Succeeded || r.Rows != 10 || r.Written != 3 || r.Rejected != 7 || len(r.Rejects) != 7 {
		t.Fatalf("the first run: %+v", r)
	}
	for i, want := range []string{"came before", "price must be", "category must have levels", "not UTF-8", "longer than 1 MiB", "id must be", "2 fields"} {
		if r := run.Report.Rejects[i]; r.Row != 5+i || !strings.Contains(r.Reason, want) {
			t.Errorf("reject %d: %+v, want line %d and %q", i, r, 5+i, want)
		}
	}
	tea, _ := s.items.Get("a1")
	if v := tea.Value; v.Price != 10.5 || v.Stock != nil || v.Category != "kitchen/drinks" || v.Attributes["colour"] != "green" || v.Feed != "shop" {
		t.Errorf("the tea is %+v", v)
	}
	if !s.InStock("a1") || !s.InStock("a2") || s.InStock("a3") {
		t.Error("a1 and a2 can be offered, a3 is sold out")
	}
	// What a feed brings can be recommended at once.
	found := false
	for _, r := range s.list(t, Query{Limit: 50}).Items {
		found = found || r.ID == "a1"
	}
	if !found {
		t.Error("what the feed brought is not recommended")
	}

	// Again the same, then without one item, then cut to nothing.
	if r := s.feedNow(t).Report; r.Written != 0 || r.Unchanged != 3 || tea.Version != 1 {
		t.Errorf("the same once more: %+v", r)
	}
	text.Store(header + strings.ReplaceAll(goodRows, "a2,Pot,kitchen,25,3,red\n", ""))
	if r := s.feedNow(t).Report; r.Gone != 1 || s.InStock("a2") {
		t.Errorf("without the pot: %+v", r)
	}
	text.Store(header + goodRows)
	s.feedNow(t)
	text.Store(header + "a9,Other,kitchen,1,1,x\n")
	if r := s.feedNow(t).Report; r.Gone != 0 || r.Note == "" || !s.InStock("a1") {
		t.Errorf("a feed that lost nearly all: %+v", r)
	}
	text.Store(header + "\"a9\n")
	if r := s.feedNow(t); !r.Succeeded || r.Report.Rejected != 1 || r.Report.Rows != 1 {
		t.Errorf("a broken quote: %+v", r)
	}

	// Unchanged says the server; and a new definition is read in any case.
	text.Store(header + goodRows)
	s.feedNow(t)
	now := time.Now()
	s.now = func() time.Time { return now.Add(2 * time.Hour) }
	if run, err := s.runFeed(t.Context(), "shop", false); err != nil || run == nil || !run.Report.NotModified {
		t.Errorf("nothing changed: %+v, %v", run, err)
	}
	if run, err := s.runFeed(t.Context(), "shop", false); err != nil || run != nil {
		t.Errorf("a feed that is not due was read: %+v, %v", run, err)
	}
	// Its server goes away: the feed is stale, then its items go.
	text.Store("")
	s.now = func() time.Time { return now.Add(4*time.Hour + 30*time.Minute) }
	s.feedNow(t)
	state := func() FeedState {
		pasts, err := s.feedPasts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.noteExpired(pasts, s.now())
		states, err := s.feedStates(t.Context())
		if err != nil || len(states) != 1 {
			t.Fatal(states, err)
		}
		return states[0]
	}
	if st := state(); !st.Stale || st.Expired || st.Error == "" || st.Items != 4 || !s.InStock("a1") {
		t.Errorf("without its server: %+v", st)
	}
	s.now = func() time.Time { return now.Add(6 * time.Hour) }
	if st := state(); !st.Expired || s.InStock("a1") || !s.InStock("shoe-1") {
		t.Errorf("long without its server: %+v", st)
	}
	for _, r := range s.list(t, Query{Limit: 50}).Items {
		if strings.HasPrefix(r.ID, "a") {
			t.Errorf("%s of a feed that expired is recommended", r.ID)
		}
	}
	if runs, err := s.feedRuns(t.Context(), "shop", 5); err != nil || len(runs) != 5 || runs[0].Succeeded || !runs[1].Succeeded {
		t.Errorf("the runs: %+v, %v", runs, err)
	}
}

// A feed is read by itself as soon as it is defined, and again when its pause is over.
func TestFeedSchedule(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	url, text := feedServer(t)
	text.Store(`<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>g1</g:id><g:title>Lamp</g:title><g:price>20.00 EUR</g:price>
		<g:product_type>Home &gt; Light</g:product_type><g:availability>in_stock</g:availability><g:cost_of_goods_sold>8 EUR</g:cost_of_goods_sold><g:brand>Lux</g:brand></item></channel></rss>`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.RunFeeds(ctx) }()
	began := time.Now()
	s.putFeed(t, Feed{URL: url, Format: "xml"})
	for ; ; time.Sleep(20 * time.Millisecond) {
		if v, ok := s.items.Get("g1"); ok {
			if v.Value.Category != "Home/Light" || v.Value.Margin() != 12 || supplier(&v.Value) != "Lux" {
				t.Errorf("the lamp is %+v", v.Value)
			}
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the feed was not read")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the schedule ended with %v", err)
	}
}

func TestValidateFeed(t *testing.T) {
	t.Parallel()
	for field, f := range map[string]Feed{
		"url": {URL: "ftp://x/y", Format: "csv"}, "format": {URL: "http://x", Format: "tsv"}, "gone": {URL: "http://x", Format: "csv", Gone: "x"},
		"everyMinutes": {URL: "http://x", Format: "csv", EveryMinutes: -1}, "expireHours": {URL: "http://x", Format: "csv", ExpireHours: 1},
		"headers": {URL: "http://x", Format: "csv", Headers: map[string]string{"A": "b\r\nC: d"}}, "fields.colour": {URL: "http://x", Format: "csv", Fields: map[string]string{"colour": "c"}},
	} {
		var bad problem.Invalid
		if err := ValidateFeed(t.Context(), "f", &f); !errors.As(err, &bad) || len(bad) != 1 || bad[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	var bad problem.Invalid
	if err := ValidateFeed(t.Context(), "f", &Feed{URL: "http://169.254.169.254/latest", Format: "csv"}); !errors.As(err, &bad) {
		t.Errorf("the address of a cloud's metadata: %v", err)
	}
	for text, want := range map[string]float64{"12.50": 12.5, "12,50 EUR": 12.5, "USD 1,299.00": 1299, "€5": 5, "1,299": 1299, "-3": -3} {
		if got, ok := amount(text); !ok || got != want {
			t.Errorf("%s is %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"cheap", "1.2.3", "EUR", "twelve dollars 12"} {
		if got, ok := amount(text); ok {
			t.Errorf("%s is %v", text, got)
		}
	}
}

// An item is shown within its window only, also where sets are remembered.
func TestWindow(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	now := time.Now()
	v, _ := s.items.Get("hat-1")
	item := v.Value
	from, until := now.Add(time.Hour), now.Add(2*time.Hour)
	item.AvailableFrom, item.AvailableUntil = &from, &until
	if _, err := s.items.Put(t.Context(), "hat-1", item, "me", 0); err != nil {
		t.Fatal(err)
	}
	s.learnTaste(t)
	for _, at := range []struct {
		after time.Duration
		shown bool
	}{{0, false}, {time.Hour + time.Minute, true}, {3 * time.Hour, false}} {
		s.now = func() time.Time { return now.Add(at.after) }
		found := false
		for _, r := range s.list(t, Query{Limit: 20}).Items {
			found = found || r.ID == "hat-1"
		}
		if found != at.shown {
			t.Errorf("after %s the hat is shown: %t", at.after, found)
		}
	}
	item.AvailableUntil = &from
	if _, err := s.items.Put(t.Context(), "hat-1", item, "me", 0); err == nil {
		t.Error("an empty window was taken")
	}
}
