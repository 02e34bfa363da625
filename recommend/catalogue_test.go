package recommend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/enginetest"
)

// merchant may do everything, or what the token says.
type merchant struct{}

func (merchant) Authenticate(r *http.Request) (api.Principal, error) {
	scope := api.ScopeAdmin
	if token := r.Header.Get("Authorization"); token != "" {
		scope = api.Scope(token)
	}
	return api.Principal{ID: "k1", Kind: "key", Scopes: []api.Scope{scope}}, nil
}

// caller asks the API of a shop.
func (s *Service) caller(t *testing.T) func(scope, method, path, body string, out any) int {
	t.Helper()
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: merchant{}})
	s.Routes(srv)
	return func(scope, method, path, body string, out any) int {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", scope)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		srv.Router.ServeHTTP(w, r)
		if out != nil {
			if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
				t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
			}
		}
		return w.Code
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	call := s.caller(t)
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for key, item := range map[string]Item{
		"gone":   {Name: "Gone boot", Category: "clothes/shoes/boots", Price: 90, Stock: new(0)},
		"coming": {Name: "Coming boot", Category: "clothes/shoes/boots", Price: 91, Cost: 3, AvailableFrom: &future},
		"over":   {Name: "Summer hat", Category: "clothes hats", AvailableUntil: &past, ImageURL: "/x.png"},
	} {
		if _, err := s.items.Put(t.Context(), key, item, "me", 0); err != nil {
			t.Fatal(err)
		}
	}
	var o Overview
	if status := call("read", "GET", "/v1/catalogue", "", &o); status != 200 {
		t.Fatalf("the overview: %d", status)
	}
	if o.Items != 23 || o.Standings[Offered] != 20 || o.Standings[SoldOut] != 1 || o.Standings[NotYet] != 1 || o.Standings[Over] != 1 || o.NoPrice != 1 || o.NoCost != 1 || o.NoImage != 22 {
		t.Errorf("the overview is %+v", o)
	}
	var tree []string
	for _, c := range o.Categories {
		tree = append(tree, fmt.Sprintf("%d %s %s %d %d %d", c.Level, c.Path, c.Name, c.Items, c.Own, c.Offered))
	}
	if want := []string{"0 clothes clothes 22 0 20", "1 clothes/hats hats 10 10 10", "1 clothes/shoes shoes 12 10 10", "2 clothes/shoes/boots boots 2 2 0", "0 clothes hats clothes hats 1 1 0"}; !slices.Equal(tree, want) {
		t.Errorf("the tree is %q, want %q", tree, want)
	}
	// 22 items have prices: hats 20 to 29, shoes 50 to 59, and two boots.
	if want := []float64{20, 25, 51, 56, 91}; !slices.Equal(o.Bands, want) {
		t.Errorf("the bands are %v, want %v", o.Bands, want)
	}
	for query, want := range map[string]struct {
		total int
		first string
	}{
		"":                                   {23, "coming"},
		"q=BOOT":                             {2, "coming"},
		"q=boot+gone":                        {1, "gone"},
		"q=b1+shoe":                          {5, "shoe-1"}, // by the brand
		"category=clothes/shoes":             {12, "coming"},
		"category=clothes":                   {22, "coming"},
		"standing=not-offered":               {3, "coming"},
		"standing=sold-out":                  {1, "gone"},
		"minPrice=29&maxPrice=50":            {2, "hat-9"},
		"category=clothes/hats&minPrice=100": {0, ""},
		"feed=none":                          {0, ""},
	} {
		var page struct {
			Items []CatalogueItem
			Total int
		}
		if status := call("read", "GET", "/v1/catalogue/items?"+query, "", &page); status != 200 || page.Total != want.total {
			t.Errorf("%s: %d, %d items, want %d", query, status, page.Total, want.total)
		} else if want.total > 0 && page.Items[0].Key != want.first {
			t.Errorf("%s begins with %s, want %s", query, page.Items[0].Key, want.first)
		}
	}
	// Page by page everything comes once, in order.
	var keys []string
	for after, pages := "", 0; pages < 30; pages++ {
		var page struct {
			Items []CatalogueItem
			Next  string
		}
		call("read", "GET", "/v1/catalogue/items?limit=2&after="+after, "", &page)
		for _, item := range page.Items {
			keys = append(keys, item.Key)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(keys) != 23 || !slices.IsSorted(keys) || len(slices.Compact(keys)) != 23 {
		t.Errorf("the pages have %q", keys)
	}
	for _, bad := range []string{"standing=x", "minPrice=-1", "minPrice=3&maxPrice=2", "limit=201", "q=" + strings.Repeat("x", 201)} {
		if status := call("read", "GET", "/v1/catalogue/items?"+bad, "", nil); status != 422 {
			t.Errorf("%s: %d", bad, status)
		}
	}

	var item struct {
		CatalogueItem
		Knowledge Knowledge
	}
	if call("read", "GET", "/v1/catalogue/items/hat-3", "", &item); item.Knowledge.Version != 0 || item.Margin != 18 || item.Standing != Offered {
		t.Errorf("before a build: %+v", item)
	}
	s.learnTaste(t)
	call("read", "GET", "/v1/catalogue/items/hat-3", "", &item)
	knows := map[string]bool{}
	for _, k := range item.Knowledge.Recommenders {
		knows[k.Recommender] = k.Knows
	}
	// Days lie between the events: none follows another in a visit.
	if !item.Knowledge.InBuild || !knows[modelAlike] || knows[modelNext] || !knows[modelPopular] || !knows[modelContent] || !knows[modelPersonal] {
		t.Errorf("of a hat is known %+v", item.Knowledge.Recommenders)
	}
	for _, r := range item.Knowledge.Related {
		for i, n := range r.Items {
			if n.Name == "" || n.Offered == (n.ID == "over") || !(n.Score > 0) || i > 0 && n.Score > r.Items[i-1].Score {
				t.Errorf("%s names %+v at place %d", r.Reason, n, i)
			}
			if r.Reason != "similar" && !strings.HasPrefix(n.ID, "hat") {
				t.Errorf("%s names %s beside a hat, and nobody had both", r.Reason, n.ID)
			}
		}
	}
	if _, err := s.items.Put(t.Context(), "later", Item{Name: "Later"}, "me", 0); err != nil {
		t.Fatal(err)
	}
	if call("read", "GET", "/v1/catalogue/items/later", "", &item); item.Knowledge.InBuild || len(item.Knowledge.Recommenders) == 0 {
		t.Errorf("an item that came after the build: %+v", item.Knowledge)
	}
	if status := call("read", "GET", "/v1/catalogue/items/nothing", "", nil); status != 404 {
		t.Errorf("an unknown item: %d", status)
	}
	if status := call("ingest", "GET", "/v1/catalogue", "", nil); status != 403 {
		t.Errorf("without the scope: %d", status)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.learnTaste(t)
	call := s.caller(t)
	now := time.Now()
	s.Saw("u", "Product Viewed", now.Add(-time.Minute), `{"product_id":"hat-3"}`)
	s.Saw("u", "Order Completed", now, `{"product_id":"hat-4"}`)
	if _, err := s.placements.Put(t.Context(), "home-page", Placement{Kind: Home}, "me", 0); err != nil {
		t.Fatal(err)
	}
	var p Preview
	ask := func(body string) {
		t.Helper()
		p = Preview{}
		if status := call("read", "POST", "/v1/recommendations/preview", body, &p); status != 200 {
			t.Fatalf("%s: %d", body, status)
		}
	}
	ask(`{"user":"u","placement":"home-page","limit":5}`)
	want := s.list(t, Query{Person: "u", Placement: "home-page", Limit: 5})
	if len(p.List.Items) != 5 || p.Saved != nil || !p.List.Personal || p.List.FallBack || p.List.Known != 2 || p.List.Bought != 1 || p.List.Candidates < 10 {
		t.Errorf("the preview: %+v", p.List)
	}
	for i, item := range p.List.Items {
		if item.ID != want.Items[i].ID || item.Score != want.Items[i].Score || item.Place != i+1 || len(item.Parts) == 0 || item.Parts[0].Rank < 1 || item.Factor != 1 {
			t.Errorf("place %d has %+v, served is %+v", i+1, item, want.Items[i])
		}
		sum := 0.0
		for _, part := range item.Parts {
			sum += part.Share
		}
		if item.Parts[0].Source != item.Reason || sum < 1-1e-9 || sum > 1+1e-9 {
			t.Errorf("%s comes from %+v, and its reason is %s", item.ID, item.Parts, item.Reason)
		}
	}
	places := 0
	for _, source := range p.List.Sources {
		if places += source.Places; source.Candidates < source.Places {
			t.Errorf("the source %+v", source)
		}
	}
	if places != 5 {
		t.Errorf("the sources lead in %d places of 5", places)
	}

	// A draft is shown beside what is saved, and is not kept anywhere.
	ask(`{"user":"u","placement":"home-page","limit":5,"draft":{"kind":"home","categories":["clothes/shoes"],"pin":["shoe-7"],"boost":[{"item":"shoe-2","factor":3}]}}`)
	if p.Saved == nil || p.Saved.Items[0].ID != want.Items[0].ID || p.List.Items[0].ID != "shoe-7" || p.List.Items[0].Reason != reasonPinned {
		t.Fatalf("the draft: %+v, saved: %+v", p.List, p.Saved)
	}
	for _, item := range p.List.Items {
		if item.Category != "clothes/shoes" || (item.ID == "shoe-2") != (item.Factor == 3) {
			t.Errorf("the draft shows %+v", item)
		}
	}
	if after := s.list(t, Query{Person: "u", Placement: "home-page", Limit: 5}); after.Items[0].ID != want.Items[0].ID {
		t.Errorf("a draft changed what is served: %+v", after.Items)
	}
	ask(`{"placement":"new-page","draft":{"kind":"home"}}`)
	if p.Saved != nil || !p.List.FallBack || p.List.Personal {
		t.Errorf("a placement that there is not yet: %+v", p)
	}
	for body, status := range map[string]int{
		`{"placement":"none"}`:                                    404,
		`{"draft":{"kind":"home","diversity":2}}`:                 422,
		`{"placement":"home-page","draft":{"kind":"x"}}`:          422,
		`{"placement":"cart"}`:                                    422,
		`{"limit":201}`:                                           422,
		`{"draft":{"kind":"home","minPrice":5,"maxPrice":4}}`:     422,
		`{"items":["` + strings.Repeat(`x","`, 200) + `x"]}`:      422,
		`{"draft":{"kind":"home","boost":[{"factor":2}]}}`:        422,
		`{"draft":{"kind":"product"},"items":[]}`:                 422,
		`{"draft":{"kind":"home","goal":"fame"},"placement":"x"}`: 422,
	} {
		var out struct {
			Errors []struct{ Location, Message string }
		}
		if got := call("read", "POST", "/v1/recommendations/preview", body, &out); got != status || status == 422 && (len(out.Errors) == 0 || out.Errors[0].Location == "") {
			t.Errorf("%s: %d %+v, want %d", body, got, out, status)
		}
	}

	// Previews are not counted as served; lists are.
	var lists ServedLists
	call("read", "GET", "/v1/recommenders/served", "", &lists)
	if len(lists.Placements) != 1 || lists.Placements[0].Lists != 2 || lists.Placements[0].Given != 10 || lists.Placements[0].Personal != 2 || lists.Placements[0].FallBack != 0 || lists.Offered != 20 {
		t.Errorf("served: %+v", lists)
	}
	if lists.Shown != len(want.Items) {
		t.Errorf("%d items were shown, want %d", lists.Shown, len(want.Items))
	}
	s.list(t, Query{Limit: 50})
	lists = ServedLists{}
	call("read", "GET", "/v1/recommenders/served", "", &lists)
	home := lists.Placements[0]
	if home.Placement != "home" || home.FallBack != 1 || home.Asked != 50 || home.Given != 20 || home.Empty != 0 || lists.Shown != 20 {
		t.Errorf("a list for nobody: %+v, shown %d", home, lists.Shown)
	}
	sum := 0
	for _, n := range home.Reasons {
		sum += n
	}
	if sum != home.Given {
		t.Errorf("the reasons %v are not %d", home.Reasons, home.Given)
	}
}

func TestFeedTrial(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	call := s.caller(t)
	url, text := feedServer(t)
	text.Store("code,title,product_type,price,availability,colour\n" + goodRows + "a1,Twice,x,1,1,\na9,Dear,x,-1,1,\n")
	var trial FeedTrial
	if status := call("admin", "POST", "/v1/feed-test", `{"url":"`+url+`","format":"csv","fields":{"id":"code"}}`, &trial); status != 200 {
		t.Fatalf("trying: %d", status)
	}
	if trial.Rows != 5 || trial.Taken != 3 || trial.Rejected != 2 || !trial.Whole || trial.Error != "" || len(trial.Items) != 3 || trial.Items[0].Key != "a1" || trial.Items[0].Margin != 10.5 || trial.Items[2].Standing != SoldOut {
		t.Errorf("the trial: %+v", trial)
	}
	fields := map[string]string{}
	for _, c := range trial.Columns {
		fields[c.Name] = fmt.Sprintf("%s %d", c.Field, c.Rows)
	}
	if fields["code"] != "id 5" || fields["title"] != "name 5" || fields["colour"] != " 3" || fields["availability"] != "stock 5" {
		t.Errorf("the columns are %v", fields)
	}
	if _, ok := s.items.Get("a1"); ok || len(s.feeds.Snapshot()) != 0 {
		t.Error("a trial wrote something")
	}
	// A long feed is read for a while only; one that cannot be read says why.
	var long strings.Builder
	long.WriteString("id,title\n")
	for i := range 3000 {
		fmt.Fprintf(&long, "x%d,Thing\n", i)
	}
	text.Store(long.String())
	trial = FeedTrial{}
	if call("admin", "POST", "/v1/feed-test", `{"url":"`+url+`","format":"csv"}`, &trial); trial.Rows != 1000 || trial.Whole || trial.Error != "" || len(trial.Items) != 10 {
		t.Errorf("a long feed: %+v", trial)
	}
	text.Store("")
	trial = FeedTrial{}
	if call("admin", "POST", "/v1/feed-test", `{"url":"`+url+`","format":"csv"}`, &trial); trial.Whole || !strings.Contains(trial.Error, "502") {
		t.Errorf("a server that is away: %+v", trial)
	}
	for scope, status := range map[string]int{"read": 403, "define": 403} {
		if got := call(scope, "POST", "/v1/feed-test", `{"url":"`+url+`","format":"csv"}`, nil); got != status {
			t.Errorf("with the scope %s: %d", scope, got)
		}
	}
	if got := call("admin", "POST", "/v1/feed-test", `{"url":"http://169.254.169.254/","format":"csv"}`, nil); got != 422 {
		t.Errorf("a link-local address: %d", got)
	}
}
