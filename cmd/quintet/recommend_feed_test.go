package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// A new item is in lists soon after its feed has it, and one that is sold out is in none
// any more, with recommenders that were built before either.
func TestFeedReachesLists(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	var csv atomic.Value
	csv.Store("id,title,price,category,stock\ntea,Tea,4,kitchen,9\npot,Pot,25,kitchen,9\ncup,Cup,5,kitchen,9\nsaw,Saw,30,tools,9\nnail,Nail,1,tools,9\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(csv.Load().(string))) }))
	defer server.Close()
	if err := r.client.Put(t.Context(), "/v1/feeds/shop", map[string]any{"url": server.URL, "format": "csv", "everyMinutes": 60}, nil); err != nil {
		t.Fatal(err)
	}
	list := func(query string) (keys []string, version int64) {
		t.Helper()
		var l struct {
			Version int64
			Items   []struct{ ID string }
		}
		if err := r.client.Get(t.Context(), "/v1/recommendations?limit=20&"+query, &l); err != nil {
			t.Fatal(err)
		}
		for _, item := range l.Items {
			keys = append(keys, item.ID)
		}
		return keys, l.Version
	}
	within := func(limit time.Duration, what string, done func() bool) time.Duration {
		t.Helper()
		started := time.Now()
		for !done() {
			if time.Since(started) > limit {
				t.Fatalf("not within %v: %s", limit, what)
			}
			time.Sleep(50 * time.Millisecond)
		}
		return time.Since(started)
	}
	within(time.Minute, "the feed", func() bool { keys, _ := list(""); return len(keys) == 5 })
	var batch []map[string]any
	for i := range 80 {
		for n, id := range [][]string{{"tea", "pot", "cup"}, {"saw", "nail"}}[i%2] {
			batch = append(batch, map[string]any{"type": "track", "userId": "u" + string(rune('a'+i%26)) + string(rune('a'+i/26)), "event": "Order Completed",
				"timestamp": time.Now().Add(-time.Duration(200-i) * time.Hour).Add(time.Duration(n) * time.Minute).UTC().Format(time.RFC3339), "properties": map[string]any{"product_id": id}})
		}
	}
	if err := r.client.Post(t.Context(), "/v1/batch", map[string]any{"batch": batch}, nil); err != nil {
		t.Fatal(err)
	}
	within(time.Minute, "a build", func() bool { _, version := list(""); return version > 0 })
	_, before := list("")

	csv.Store("id,title,price,category,stock\ntea,Tea,4,kitchen,9\npot,Pot,25,kitchen,0\ncup,Cup,5,kitchen,9\nsaw,Saw,30,tools,9\nnail,Nail,1,tools,9\nsieve,Sieve,7,kitchen,9\n")
	if err := r.client.Post(t.Context(), "/v1/feeds/shop/run", nil, nil); err != nil {
		t.Fatal(err)
	}
	took := within(time.Minute, "the new item for somebody new", func() bool { keys, _ := list(""); return slices.Contains(keys, "sieve") })
	known := within(time.Minute, "the new item for somebody known", func() bool { keys, _ := list("user=userId:uaa"); return slices.Contains(keys, "sieve") })
	keys, version := list("")
	if slices.Contains(keys, "pot") {
		t.Errorf("what is sold out is shown: %v", keys)
	}
	if beside, _ := list("item=tea"); slices.Contains(beside, "pot") {
		t.Errorf("what is sold out stands beside tea: %v", beside)
	}
	t.Logf("in lists %v after the run of the feed, of somebody known %v; build %d before, %d after", took, known, before, version)

	// Stock by the API counts at once, between one answer and the next.
	if err := r.client.Put(t.Context(), "/v1/items/cup", map[string]any{"name": "Cup", "price": 5, "category": "kitchen", "stock": 0}, nil); err != nil {
		t.Fatal(err)
	}
	if keys, _ := list(""); slices.Contains(keys, "cup") {
		t.Errorf("what was sold out a moment ago is shown: %v", keys)
	}
}
