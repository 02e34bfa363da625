package main

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// A catalogue and what people do make lists through the API: built from the log, with
// what somebody does now known at once, by any identifier, also after a restart.
func TestRecommendations(t *testing.T) {
	t.Parallel()
	cfg := residentConfig(t)
	r := openResident(t, cfg)
	put := func(path string, body any) {
		t.Helper()
		if err := r.client.Do(t.Context(), http.MethodPut, path, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"tea", "pot", "cup", "saw", "nail", "glue"} {
		put("/v1/items/"+id, map[string]any{"name": id, "price": 10, "cost": 4, "category": map[bool]string{true: "kitchen", false: "tools"}[id == "tea" || id == "pot" || id == "cup"]})
	}
	var batch []map[string]any
	for i := range 60 {
		of := [][]string{{"tea", "pot", "cup"}, {"saw", "nail", "glue"}}[i%2]
		for n, id := range of {
			batch = append(batch, map[string]any{"type": "track", "userId": "u" + string(rune('a'+i%26)) + string(rune('a'+i/26)), "event": "Order Completed",
				"messageId":  "m" + id + string(rune('a'+i%26)) + string(rune('a'+i/26)),
				"timestamp":  time.Now().Add(-time.Duration(100-i) * time.Hour).Add(time.Duration(n) * time.Minute).UTC().Format(time.RFC3339),
				"properties": map[string]any{"products": []map[string]any{{"product_id": id}}}})
		}
	}
	if err := r.client.Post(t.Context(), "/v1/batch", map[string]any{"batch": batch}, nil); err != nil {
		t.Fatal(err)
	}
	type list struct {
		ID                   string `json:"recommendationId"`
		ProfileID, Placement string
		Version              int64 `json:"version"`
		Personal             bool  `json:"personal"`
		Items                []struct {
			ID         string  `json:"id"`
			Reason     string  `json:"reason"`
			Propensity float64 `json:"propensity"`
		} `json:"items"`
	}
	get := func(query string) (l list) {
		t.Helper()
		if err := r.client.Get(t.Context(), "/v1/recommendations?"+query, &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(40 * time.Second); !done(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("not in time: " + what)
			}
		}
	}
	await("a build", func() bool { return get("item=tea&limit=2").Version > 0 })
	beside := get("item=tea&limit=2")
	for _, item := range beside.Items {
		if item.ID != "pot" && item.ID != "cup" || item.Propensity != 1 {
			t.Errorf("beside tea stands %+v", item)
		}
	}
	// Somebody new clicks once.
	if err := r.client.Post(t.Context(), "/v1/track", map[string]any{"userId": "newcomer", "event": "Product Viewed", "properties": map[string]any{"product_id": "saw"}}, nil); err != nil {
		t.Fatal(err)
	}
	await("the click", func() bool { return get("user=userId:newcomer&limit=2").Personal })
	if first := get("user=newcomer&limit=1").Items[0].ID; first != "nail" && first != "glue" && first != "saw" {
		t.Errorf("who looks at a saw is shown %s", first)
	}
	var state struct {
		Items   int `json:"items"`
		InStock int `json:"inStock"`
		Builds  []struct {
			Report struct {
				Events int `json:"events"`
			} `json:"report"`
		} `json:"builds"`
	}
	if err := r.client.Get(t.Context(), "/v1/recommenders", &state); err != nil || state.Items != 6 || state.InStock != 6 || len(state.Builds) == 0 || state.Builds[len(state.Builds)-1].Report.Events == 0 {
		t.Errorf("%+v, %v", state, err)
	}
	// Every list is in the log, and what comes of it counts; one that nobody sees is not.
	given := get("user=userId:newcomer&limit=2")
	unseen := get("user=userId:newcomer&limit=2&log=false")
	if err := r.client.Post(t.Context(), "/v1/track", map[string]any{"userId": "newcomer", "event": "Order Completed", "properties": map[string]any{"products": []map[string]any{{"product_id": given.Items[1].ID}}}}, nil); err != nil {
		t.Fatal(err)
	}
	r.flush()
	var kept list
	if err := r.client.Get(t.Context(), "/v1/recommendations/"+given.ID, &kept); err != nil || !slices.Equal(kept.Items, given.Items) || kept.ProfileID == "" || kept.Placement != "home" || kept.Version == 0 {
		t.Errorf("%+v is kept of %+v: %v", kept, given, err)
	}
	if err := r.client.Get(t.Context(), "/v1/recommendations/"+unseen.ID, nil); err == nil {
		t.Error("a list that nobody saw is in the log")
	}
	type shares struct{ Count int }
	var history struct {
		Rows []struct {
			Placement     string
			Lists, People int
			Taken, Bought shares
		}
	}
	if err := r.client.Get(t.Context(), "/v1/recommenders/history?total=true", &history); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, row := range history.Rows {
		if row.Placement == "home" {
			found = true
			if row.Lists < 3 || row.People != 1 || row.Taken.Count != 1 || row.Bought.Count != 1 {
				t.Errorf("what became of lists: %+v", row)
			}
		}
	}
	if !found {
		t.Errorf("what became of lists: %+v", history)
	}
	if lists, err := r.app.lists.Sample(t.Context(), time.Now().Add(-time.Hour), 100); err != nil || len(lists) == 0 {
		t.Errorf("the ranker has %d lists to learn from: %v", len(lists), err)
	}
	for _, bad := range []string{"placement=nowhere", "placement=cart", "user=a%20b:", "limit=0"} {
		if err := r.client.Get(t.Context(), "/v1/recommendations?"+bad, nil); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
