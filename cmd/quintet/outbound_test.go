package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The whole way: people are tracked, a campaign and a scenario decide about them, who
// refused gets nothing, and what was decided is in the log under the ids of the messages.
func TestOutbound(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := r.client.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	do(http.MethodPut, "/v1/holdouts/universal", map[string]any{"share": 0}, nil)
	do(http.MethodPut, "/v1/purposes/news", map[string]any{}, nil)
	do(http.MethodPut, "/v1/channels/email", map[string]any{"active": true, "requires": "email", "contactCost": 0.02}, nil)
	do(http.MethodPut, "/v1/offers/spring", map[string]any{"active": true}, nil)
	do(http.MethodPut, "/v1/decision-points/letters", map[string]any{
		"offers": []string{"spring"}, "channels": []string{"email"}, "policy": map[string]any{"type": "fixed", "action": "spring/email/default"},
	}, nil)
	var batch []map[string]any
	for i := range 12 {
		user := fmt.Sprint("u", i)
		traits := map[string]any{"plan": "paid"}
		if i != 11 { // one cannot be reached
			traits["email"] = user + "@example.com"
		}
		batch = append(batch, map[string]any{"type": "identify", "userId": user, "traits": traits})
	}
	do(http.MethodPost, "/v1/batch", map[string]any{"batch": batch}, nil)
	eventually(t, time.Minute, "people are known", func() bool {
		var list struct{ Items []any }
		do(http.MethodGet, "/v1/profiles?limit=50", nil, &list)
		return len(list.Items) == 12
	})
	for i := range 12 {
		if i == 10 { // one refuses
			do(http.MethodPost, "/v1/profiles/userId:u10/consents", map[string]any{"statements": []map[string]any{{"purpose": "news", "channel": "email", "status": "denied"}}}, nil)
			continue
		}
		do(http.MethodPost, fmt.Sprintf("/v1/profiles/userId:u%d/consents", i), map[string]any{"statements": []map[string]any{{"purpose": "news", "channel": "email", "status": "granted"}}}, nil)
	}
	consent := map[string]any{"basis": "consent", "purpose": "news"}
	campaign := map[string]any{"decisionPoint": "letters", "audience": map[string]any{"condition": map[string]any{"plan": "paid"}}, "consent": consent, "schedule": map[string]any{"kind": "once"}}
	err := r.client.Do(t.Context(), http.MethodPut, "/v1/campaigns/spring", map[string]any{"decisionPoint": "letters", "audience": map[string]any{"everybody": true}, "schedule": map[string]any{"kind": "once"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "422") {
		t.Errorf("a campaign without a basis: %v", err)
	}
	do(http.MethodPut, "/v1/campaigns/spring", campaign, nil)
	var dry struct {
		Audience int
		Outcomes []struct {
			Name   string
			People float64
		}
	}
	do(http.MethodPost, "/v1/campaigns/spring/dry-run", nil, &dry)
	if dry.Audience != 12 {
		t.Errorf("the dry run is about %+v", dry)
	}
	do(http.MethodPost, "/v1/decision-points/letters/dry-run", map[string]any{"audience": map[string]any{"condition": map[string]any{"plan": "paid"}}}, &dry)
	if dry.Audience != 12 || len(dry.Outcomes) == 0 {
		t.Errorf("the dry run of the decision point is about %+v", dry)
	}
	do(http.MethodPut, "/v1/scenarios/cart", map[string]any{
		"consent": consent,
		"nodes": []map[string]any{
			{"id": "in", "type": "trigger", "trigger": map[string]any{"kind": "event", "event": "Product Added"}, "next": "ask"},
			{"id": "ask", "type": "decide", "decide": map[string]any{"decisionPoint": "letters"}, "next": "wait"},
			{"id": "wait", "type": "wait", "wait": map[string]any{"event": "Message Opened", "minutes": 600, "ofDecision": true}, "next": "end"},
			{"id": "end", "type": "exit"},
		},
	}, nil)
	do(http.MethodPost, "/v1/scenarios/cart/start", nil, nil)
	do(http.MethodPost, "/v1/campaigns/spring/start", nil, nil)
	type runs struct {
		Items []struct {
			Status string
			Counts map[string]int
		}
	}
	var done runs
	eventually(t, time.Minute, "the campaign is done", func() bool {
		do(http.MethodGet, "/v1/campaigns/spring/runs", nil, &done)
		return len(done.Items) == 1 && done.Items[0].Status == "done"
	})
	if c := done.Items[0].Counts; c["queued"] != 10 || c["no-consent"] != 1 || c["queued"]+c["no-consent"]+c["nobody"]+c["ineligible"] != 12 {
		t.Errorf("the campaign came to %v", c)
	}
	type messages struct {
		Items []struct{ Key, DecisionID, Person string }
	}
	var sent messages
	do(http.MethodGet, "/v1/campaigns/spring/messages", nil, &sent)
	seen := map[string]bool{}
	for _, m := range sent.Items {
		if seen[m.Person] {
			t.Errorf("%s has two messages", m.Person)
		}
		seen[m.Person] = true
		do(http.MethodGet, "/v1/decisions/"+m.DecisionID, nil, nil)
	}
	if len(sent.Items) != 10 {
		t.Errorf("%d messages, want 10", len(sent.Items))
	}

	do(http.MethodPost, "/v1/track", map[string]any{"userId": "u3", "event": "Product Added", "properties": map[string]any{"sku": "s1"}}, nil)
	var first messages
	eventually(t, time.Minute, "the scenario sends", func() bool {
		do(http.MethodGet, "/v1/scenarios/cart/messages", nil, &first)
		return len(first.Items) == 1
	})
	// The receipt ends the wait.
	do(http.MethodPost, "/v1/track", map[string]any{"userId": "u3", "event": "Message Opened", "properties": map[string]any{"decisionId": first.Items[0].DecisionID}}, nil)
	var progress struct{ Runs map[string]int }
	eventually(t, time.Minute, "the run ends", func() bool {
		do(http.MethodGet, "/v1/scenarios/cart/progress", nil, &progress)
		return progress.Runs["done"] == 1
	})
	// What is in use stays.
	for _, path := range []string{"decision-points/letters", "purposes/news"} {
		if err := r.client.Delete(t.Context(), "/v1/"+path); err == nil || !strings.Contains(err.Error(), "campaigns/spring, scenarios/cart") {
			t.Errorf("deleting %s: %v", path, err)
		}
	}
	if err := r.client.Do(t.Context(), http.MethodPost, "/v1/scenario-templates/unknown/fill", map[string]any{"variables": map[string]any{}}, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("an unknown template: %v", err)
	}
}
