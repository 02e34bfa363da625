package main

import (
	"testing"
	"time"
)

// What stays is what the mode says, for people side by side, on engines outside as well.
func TestErasureModes(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	create(t, r.client, hero())
	create(t, r.client, map[string]any{"holdouts/universal": map[string]any{"share": 0}})
	send := func(path string, body map[string]any) {
		t.Helper()
		if err := r.client.Post(t.Context(), path, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	modes := []string{"erase", "anonymise", "purge", "stays"}
	order := func(user string, ago time.Duration) {
		send("/v1/track", map[string]any{"userId": user, "event": "Order Completed", "timestamp": time.Now().Add(-ago), "properties": map[string]any{"margin": 5, "note": user + "-note"}})
	}
	for _, user := range modes {
		order(user, 48*time.Hour)
		send("/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"userId": user}, "context": map[string]any{"device": "mobile", "utm": user + "-utm"}})
		order(user, 0)
		send("/v1/identify", map[string]any{"userId": user, "traits": map[string]any{"plan": "paid"}})
	}
	r.flush()
	var jobs []erased
	for _, mode := range modes[:3] {
		var j erased
		if err := r.client.Post(t.Context(), "/v1/profiles/userId:"+mode+"/erase", map[string]any{"mode": mode}, &j); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	for _, j := range jobs {
		eventually(t, 3*time.Minute, "the erasure ends", func() bool {
			if err := r.client.Get(t.Context(), "/v1/erasures/"+j.ID, &j); err != nil {
				t.Fatal(err)
			}
			return j.Status == "done"
		})
	}
	for sql, want := range map[string]uint64{
		"SELECT count() FROM events FINAL WHERE event = 'Order Completed'":                                                         2 + 2 + 1,
		"SELECT count() FROM events FINAL WHERE event = 'Order Completed' AND properties = '{}' AND user_id = ''":                  3,
		"SELECT toUInt64(sum(numbers['margin'])) FROM events FINAL":                                                                25,
		"SELECT count() FROM events FINAL WHERE event = '$identify'":                                                               1,
		"SELECT count() FROM decisions FINAL":                                                                                      3,
		"SELECT count() FROM decisions FINAL WHERE context = '{}' AND traits = '{}' AND source = 'erased'":                         2,
		"SELECT uniqExact(unit) FROM exposures":                                                                                    3,
		"SELECT count() FROM exposures WHERE unit NOT IN (SELECT profile_id FROM decisions)":                                       0,
		"SELECT count() FROM (SELECT profile_id FROM events FINAL GROUP BY profile_id HAVING count() = 2) WHERE profile_id != ''":  1, // anonymised: both orders under one id
		"SELECT count() FROM message_ids WHERE message_id IN (SELECT message_id FROM events)":                                      6,
		"SELECT count() FROM events WHERE multiSearchAny(concat(user_id, properties, context), ['erase', 'anonymise-', 'purge-'])": 0,
		"SELECT count() FROM erasing": 0,
	} {
		if got := r.number(sql); got != want {
			t.Errorf("%s = %d, want %d", sql, got, want)
		}
	}
	// A decision of somebody who was erased can be read, and says that it cannot be replayed.
	var id string
	if err := r.app.engines.ClickHouse.Read.QueryRow(t.Context(), "SELECT any(decision_id) FROM decisions WHERE source = 'erased'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	var explained struct {
		Replay struct {
			Possible    bool
			Differences []string
		}
	}
	if err := r.client.Get(t.Context(), "/v1/decisions/"+id, &explained); err != nil || explained.Replay.Possible || len(explained.Replay.Differences) != 1 {
		t.Errorf("%+v, %v", explained, err)
	}
}
