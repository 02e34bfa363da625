package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Two campaigns reach for the one message that a cap allows each person: whichever
// started first, each person gets the offer that is worth more to them, once, and the
// other message says why it was not sent.
func TestCampaignsCompete(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := r.client.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var mu sync.Mutex
	got := make(map[string][]string) // texts by address
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var m struct{ To, Text string }
		if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		mu.Lock()
		got[m.To] = append(got[m.To], m.Text)
		mu.Unlock()
	}))
	t.Cleanup(gateway.Close)
	do(http.MethodPut, "/v1/holdouts/universal", map[string]any{"share": 0}, nil)
	do(http.MethodPut, "/v1/purposes/news", map[string]any{}, nil)
	do(http.MethodPut, "/v1/channels/sms", map[string]any{"active": true, "kind": "sms", "requires": "phone", "contactCost": 0.02}, nil)
	do(http.MethodPut, "/v1/channels/sms/driver", map[string]any{"config": map[string]any{"driver": "webhook",
		"webhook": map[string]any{"url": gateway.URL, "body": map[string]any{"to": "{{to}}", "text": "{{text}}"}}}}, nil)
	do(http.MethodPut, "/v1/caps/one", map[string]any{"limit": 1, "hours": 168, "arbitration": map[string]any{"windowMinutes": 0.15}}, nil)
	const people = 20
	consent := map[string]any{"basis": "legitimate-interest", "purpose": "news"}
	// Everybody may have the newsletter; half of them also what is worth more, and half
	// what is worth less.
	for offer, value := range map[string]float64{"newsletter": 1, "better": 3, "worse": 0.5} {
		do(http.MethodPut, "/v1/offers/"+offer, map[string]any{"active": true, "value": value}, nil)
		do(http.MethodPut, "/v1/templates/"+offer, map[string]any{"defaultLocale": "en", "locales": map[string]any{"en": map[string]any{"text": offer}}}, nil)
		do(http.MethodPut, "/v1/decision-points/"+offer, map[string]any{
			"offers": []string{offer}, "channels": []string{"sms"}, "policy": map[string]any{"type": "fixed", "action": offer + "/sms/default"}, "expiresAfterMinutes": 120,
		}, nil)
		audience := map[string]any{"everybody": true}
		if offer != "newsletter" {
			audience = map[string]any{"condition": map[string]any{"rival": offer}}
		}
		do(http.MethodPut, "/v1/campaigns/"+offer, map[string]any{"decisionPoint": offer, "audience": audience, "consent": consent, "schedule": map[string]any{"kind": "once"}}, nil)
	}
	var batch []map[string]any
	for i := range people {
		batch = append(batch, map[string]any{"type": "identify", "userId": fmt.Sprint("u", i), "traits": map[string]any{"phone": fmt.Sprintf("+49301234%04d", i), "rival": []string{"better", "worse"}[i%2]}})
	}
	do(http.MethodPost, "/v1/batch", map[string]any{"batch": batch}, nil)
	eventually(t, time.Minute, "people are known", func() bool {
		var list struct{ Items []any }
		do(http.MethodGet, "/v1/profiles?limit=50", nil, &list)
		return len(list.Items) == people
	})
	for _, key := range []string{"newsletter", "better", "worse"} {
		do(http.MethodPost, "/v1/campaigns/"+key+"/start", nil, nil)
	}
	eventually(t, time.Minute, "everybody has a message", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == people
	})
	var mine struct {
		Items []struct{ DecisionID, Person string }
	}
	do(http.MethodGet, "/v1/campaigns/newsletter/messages?limit=100", nil, &mine)
	gave := 0
	for _, m := range mine.Items {
		var why struct {
			Explanation []string
			Arbitration []struct{ Loser, Winner, Rule string }
		}
		do(http.MethodGet, "/v1/decisions/"+m.DecisionID, nil, &why)
		for _, d := range why.Arbitration {
			if d.Rule != "arbitration:one" {
				t.Errorf("displacement %+v", d)
			}
			if d.Loser == m.DecisionID {
				gave++
				if !strings.Contains(strings.Join(why.Explanation, " "), "took its place") {
					t.Errorf("explained by %v", why.Explanation)
				}
			}
		}
	}
	time.Sleep(2 * time.Second) // what is wrong comes late
	mu.Lock()
	defer mu.Unlock()
	for i := range people {
		want := []string{"better", "newsletter"}[i%2]
		if texts := got[fmt.Sprintf("+49301234%04d", i)]; len(texts) != 1 || texts[0] != want {
			t.Errorf("u%d got %v, want one %s", i, texts, want)
		}
	}
	t.Logf("%d newsletters gave way", gave)
}
