package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"quintet/internal/client"
)

// People who are known under two profiles, and decided upon under both, turn out
// to be one person each. Nobody moves to another arm; those who saw both are
// flagged; and the report of the day before stays what it was, to the last byte,
// also when some are told apart again.
func TestMergesMoveNobodyAndRewriteNothing(t *testing.T) {
	t.Parallel()
	const people = 60
	r := openResident(t, residentConfig(t))
	definitions := hero()
	definitions["metrics/margin"] = map[string]any{"kind": "mean", "event": "Order Completed", "property": "margin", "windowHours": 24}
	definitions["metrics/orders"] = map[string]any{"kind": "proportion", "event": "Order Completed", "windowHours": 24}
	definitions["experiments/even"] = map[string]any{
		"decisionPoint": "hero", "metrics": []string{"margin", "orders"},
		"variants": []map[string]any{
			{"key": "a", "weight": 0.5, "control": true, "policy": map[string]any{"type": "fixed", "action": "spring/onsite/a"}},
			{"key": "b", "weight": 0.5, "policy": map[string]any{"type": "fixed", "action": "summer/onsite/a"}},
		},
	}
	definitions["holdouts/universal"] = map[string]any{"share": 0}
	create(t, r.client, definitions)
	if err := r.client.Post(t.Context(), "/v1/experiments/even/start", nil, nil); err != nil {
		t.Fatal(err)
	}
	type arm struct{ Profile, Variant string }
	decide := func(user map[string]string) arm {
		t.Helper()
		var out struct {
			Who         struct{ ProfileID string }
			Experiments []struct{ Key, Variant string }
		}
		if err := r.client.Post(t.Context(), "/v1/decide", map[string]any{"decision": "hero", "user": user, "context": map[string]any{"device": "mobile"}}, &out); err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Experiments {
			if e.Key == "even" {
				return arm{out.Who.ProfileID, e.Variant}
			}
		}
		t.Fatalf("a decision has the experiments %v", out.Experiments)
		return arm{}
	}
	send := func(messages ...client.Message) {
		t.Helper()
		if err := r.client.Post(t.Context(), "/v1/batch", map[string]any{"batch": messages}, nil); err != nil {
			t.Fatal(err)
		}
	}
	user := func(i int) string { return fmt.Sprint("user-", i) }
	browser := func(i int) string { return fmt.Sprint("browser-", i) }
	order := func(id string, i int, margin float64) client.Message {
		return client.Message{Type: "track", MessageID: id + user(i), UserID: user(i), Event: "Order Completed", Properties: map[string]any{"margin": margin}}
	}
	arms := func() (list [2 * people]arm) {
		t.Helper()
		for i := range people {
			list[2*i] = decide(map[string]string{"userId": user(i)})
			list[2*i+1] = decide(map[string]string{"anonymousId": browser(i)})
		}
		return list
	}
	report := func(asOf time.Time) string {
		t.Helper()
		var text json.RawMessage
		if err := r.client.Get(t.Context(), "/v1/experiments/even/report?asOf="+url.QueryEscape(asOf.Format(time.RFC3339Nano)), &text); err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	mixed := func() (n int) {
		t.Helper()
		var out struct{ Arms []struct{ Mixed int } }
		if err := r.client.Get(t.Context(), "/v1/experiments/even/report", &out); err != nil {
			t.Fatal(err)
		}
		return out.Arms[0].Mixed + out.Arms[1].Mixed
	}

	for i := range people { // the profiles begin
		send(client.Message{Type: "track", UserID: user(i), Event: "Seen"}, client.Message{Type: "track", AnonymousID: browser(i), Event: "Seen"})
	}
	r.flush()
	before := arms()
	for i := range people {
		if i%3 == 0 {
			send(order("first-", i, 0.1*float64(i)))
		}
	}
	r.flush()
	time.Sleep(5 * time.Millisecond)
	yesterday := time.Now()
	was := report(yesterday)
	if n := mixed(); n != 0 {
		t.Fatalf("%d people were in both arms before anybody was joined", n)
	}

	both := 0
	for i := range people {
		send(client.Message{Type: "track", UserID: user(i), AnonymousID: browser(i), Event: "Signed In", MessageID: "sign-in-" + user(i)}, order("second-", i, 7.77))
		if before[2*i].Variant != before[2*i+1].Variant {
			both++
		}
	}
	r.flush()
	if n := mixed(); n != both || both == 0 {
		t.Errorf("%d people are flagged as seen in both arms, want %d", n, both)
	}
	if now := arms(); now != before {
		t.Errorf("somebody moved to another arm, or unit:\n%v\n%v", now, before)
	}
	if now := report(yesterday); now != was {
		t.Errorf("the report of yesterday changed by merges:\n%s\n%s", now, was)
	}
	time.Sleep(5 * time.Millisecond)
	r.flush()
	merged := time.Now()
	wasMerged := report(merged)

	for i := range people / 2 {
		if err := r.client.Post(t.Context(), "/v1/profiles/userId:"+user(i)+"/unmerge", map[string]any{"profile": "anonymousId:" + browser(i)}, nil); err != nil {
			t.Fatal(err)
		}
		if before[2*i].Variant != before[2*i+1].Variant {
			both--
		}
	}
	r.flush()
	r.restart()
	if n := mixed(); n != both {
		t.Errorf("after some were told apart, %d people are flagged, want %d", n, both)
	}
	if now := arms(); now != before {
		t.Error("somebody moved to another arm by being told apart")
	}
	for _, one := range []struct {
		at   time.Time
		text string
	}{{yesterday, was}, {merged, wasMerged}} {
		if now := report(one.at); now != one.text {
			t.Errorf("the report as of %s changed:\n%s\n%s", one.at, now, one.text)
		}
	}
}
