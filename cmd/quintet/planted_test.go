package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// planted is a person who is in every store, with texts that nobody else has.
type planted struct {
	user, second, mail, phone, device, trait, note, context, card string
}

func plant() planted {
	return planted{
		user: "planted-user-7f3a", second: "planted-second-user-11", mail: "planted.mail@leaves.example", phone: "+79165550199",
		device: "planted-device-91c2", trait: "planted-ultramarine", note: "planted-note-of-an-order", context: "planted-campaign", card: "planted-card-5512",
	}
}

func (p planted) texts() []string {
	return []string{p.user, p.second, p.mail, p.phone, p.device, p.trait, p.note, p.context, p.card}
}

// call makes a call of the API as the local key and fails the test on a refusal.
func (s *served) call(method, path string, in, out any) {
	s.t.Helper()
	if err := s.client.Do(s.t.Context(), method, path, in, out); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (s *served) batch(messages ...map[string]any) {
	s.t.Helper()
	s.call(http.MethodPost, "/v1/batch", map[string]any{"batch": messages}, nil)
}

// filesWith lists the files below dir that hold one of the texts.
func filesWith(t *testing.T, dir string, texts ...[]byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // files come and go while the service runs
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		for _, text := range texts {
			if bytes.Contains(content, text) {
				found = append(found, fmt.Sprintf("%s: %q", strings.TrimPrefix(path, dir), text))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// everywhere puts the person, and others, into every store.
func (p planted) everywhere(s *served) {
	s.t.Helper()
	create(s.t, s.client, hero())
	create(s.t, s.client, map[string]any{
		"metrics/margin": map[string]any{"kind": "mean", "event": "Order Completed", "property": "margin", "windowHours": 24},
		"metrics/orders": map[string]any{"kind": "proportion", "event": "Order Completed", "windowHours": 24},
		"experiments/even": map[string]any{"decisionPoint": "hero", "metrics": []string{"margin", "orders"}, "variants": []map[string]any{
			{"key": "a", "weight": 0.5, "control": true, "policy": map[string]any{"type": "fixed", "action": "spring/onsite/a"}},
			{"key": "b", "weight": 0.5, "policy": map[string]any{"type": "fixed", "action": "summer/onsite/a"}},
		}},
		"holdouts/universal": map[string]any{"share": 0},
	})
	s.call(http.MethodPost, "/v1/experiments/even/start", nil, nil)
	s.call(http.MethodPut, "/v1/purposes/news", map[string]any{"basis": "consent"}, nil)
	s.call(http.MethodPut, "/v1/segments/buyers", map[string]any{"rule": map[string]any{"event": "Order Completed", "aggregate": map[string]any{"function": "sum", "property": "margin", "op": "gte", "value": -1}}}, nil)
	s.call(http.MethodPut, "/v1/webhooks/till", map[string]any{"name": "Till", "auth": map[string]any{"kind": "secret", "header": "X-Till", "secret": "s3cret-of-tills"}, "messages": []map[string]any{{
		"type": "track", "event": map[string]any{"const": "Till"}, "externalIds": map[string]any{"card": map[string]any{"from": "card"}}, "properties": map[string]any{"note": map[string]any{"from": "note"}},
	}}}, nil)

	// Who they are: a browser before the sign-in, an account, another one that is joined by hand.
	s.batch(
		map[string]any{"type": "track", "event": "Viewed", "anonymousId": p.device, "context": map[string]any{"ip": "203.0.113.77", "page": map[string]any{"title": p.context}}},
		map[string]any{"type": "identify", "userId": p.user, "traits": map[string]any{"email": p.mail, "phone": p.phone, "favouriteColour": p.trait, "plan": "paid"}},
		map[string]any{"type": "identify", "userId": p.second, "traits": map[string]any{"nick": p.trait}},
		map[string]any{"type": "track", "event": "Signed In", "userId": p.user, "anonymousId": p.device},
		map[string]any{"type": "track", "event": "Linked", "userId": p.user, "context": map[string]any{"externalIds": []map[string]any{{"type": "card", "id": p.card}}}},
	)
	s.caughtUp()
	s.call(http.MethodPost, "/v1/profiles/userId:"+p.user+"/merge", map[string]any{"with": "userId:" + p.second, "reason": "the same " + p.trait}, nil)
	s.call(http.MethodPost, "/v1/profiles/userId:"+p.user+"/consents", map[string]any{"statements": []map[string]any{{
		"purpose": "news", "channel": "email", "status": "granted", "proof": map[string]any{"text": p.note},
	}}}, nil)
	s.call(http.MethodPatch, "/v1/profiles/userId:"+p.user+"/traits", map[string]any{"traits": map[string]any{"edited": p.trait}}, nil)
	s.call(http.MethodPost, "/v1/suppressions", map[string]any{"items": []map[string]any{{"namespace": "phone", "value": p.phone, "reason": "complaint", "note": "asked"}}}, nil)

	// What they did: events of several months, decisions, exposures of both kinds.
	for month := range 4 {
		at := time.Now().AddDate(0, -month, 0).UTC().Format(time.RFC3339)
		s.batch(map[string]any{"type": "track", "event": "Order Completed", "userId": p.user, "timestamp": at, "messageId": fmt.Sprint("planted-message-", month),
			"properties": map[string]any{"margin": 10 + month, "note": p.note}})
	}
	users := append([]string{p.user, p.second}, others()...)
	for _, user := range users {
		s.call(http.MethodPost, "/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"userId": user}, "context": map[string]any{"device": "mobile", "utm": campaign(user, p)}}, nil)
	}
	s.call(http.MethodPost, "/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"anonymousId": p.device}, "context": map[string]any{"device": "mobile", "utm": p.context}}, nil)
	var after []map[string]any
	for i, user := range users {
		after = append(after, map[string]any{"type": "track", "event": "Order Completed", "userId": user, "properties": map[string]any{"margin": 7.25 * float64(i), "note": campaign(user, p)}},
			map[string]any{"type": "track", "event": "Experiment Viewed", "userId": user, "properties": map[string]any{"experimentId": "outside", "variationId": "x"}},
			map[string]any{"type": "identify", "userId": user, "traits": map[string]any{"city": "Kazan"}})
	}
	s.batch(after...)
	s.call(http.MethodPut, "/v1/items/kettle", map[string]any{"name": "Kettle", "price": 30, "cost": 12}, nil)
	for _, user := range users { // lists that they were shown
		s.call(http.MethodGet, "/v1/recommendations?limit=3&user="+url.QueryEscape("userId:"+user), nil, nil)
	}

	// What was refused: by a rule, by the schema of an event, and as its sender writes it.
	s.call(http.MethodPut, "/v1/event-schemas/survey", map[string]any{"event": "Survey Answered", "mode": "quarantine", "fields": map[string]any{"properties.score": map[string]any{"type": "number", "required": true}}}, nil)
	_ = s.client.Post(s.t.Context(), "/v1/track", map[string]any{"userId": 7, "email": strings.ToUpper(p.mail), "properties": map[string]any{"note": p.note}}, nil) // it is refused
	_ = s.client.Post(s.t.Context(), "/v1/track", map[string]any{"userId": p.user, "event": "Survey Answered", "properties": map[string]any{"score": "much", "note": p.note}}, nil)
	_ = s.client.Post(s.t.Context(), "/v1/track", map[string]any{"userId": others()[0], "event": "Survey Answered", "properties": map[string]any{"score": "little"}}, nil)

	// What others sent: a till, and a file with rows that are refused.
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.client.BaseURL()+"/v1/hooks/till", strings.NewReader(fmt.Sprintf(`{"card":%q,"note":%q}`, p.card, p.note)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("X-Till", "s3cret-of-tills")
	request.Header.Set("Content-Type", "application/json")
	s.answered(request)
	file := fmt.Sprintf("id,customer,at,total\nplanted-row-1,%s,2024-03-01T10:00:00Z,5\nplanted-row-2,%[1]s,2024-03-02T10:00:00Z,much\nrow-3,other-1,2024-03-02T10:00:00Z,too much\n", p.user)
	s.uploaded(file)
	s.caughtUp()
	s.call(http.MethodPost, "/v1/attribute-status/compute", nil, nil)
	s.call(http.MethodGet, "/v1/profiles/userId:"+p.user, nil, nil) // which the audit log keeps
	s.call(http.MethodGet, "/v1/profiles/"+url.PathEscape("email:"+p.mail), nil, nil)
	p.contacted(s)
	s.caughtUp()
	p.scored(s)
}

// scored has a model say what the person and others will be worth.
func (p planted) scored(s *served) {
	s.t.Helper()
	var batch []map[string]any
	for i := range 60 { // all bought long ago, every second one several times within days
		for n := range 1 + 3*(i%2) {
			at := time.Now().AddDate(0, 0, -200+2*n+i%5).UTC().Format(time.RFC3339)
			batch = append(batch, map[string]any{"type": "track", "event": "Order Completed", "userId": fmt.Sprint("buyer-", i), "timestamp": at, "properties": map[string]any{"revenue": 20 + i%7 + n, "order_id": fmt.Sprintf("o-%d-%d", i, n)}})
		}
	}
	s.batch(batch...)
	s.caughtUp()
	s.call(http.MethodPut, "/v1/models/worth", map[string]any{"family": "lifetime", "horizonDays": 30, "autoPromote": true, "paused": true}, nil)
	var version struct{ State, Verdict string }
	s.call(http.MethodPost, "/v1/models/worth/train", nil, &version)
	if version.State != "champion" {
		s.t.Fatalf("the model of the planted: %+v", version)
	}
	s.call(http.MethodPost, "/v1/models/worth/score", nil, nil)
	var profile struct{ ProfileID string }
	s.call(http.MethodGet, "/v1/profiles/userId:"+p.user, nil, &profile)
	if rows := s.rows(fmt.Sprintf("SELECT count() FROM person_scores WHERE person_id = '%s'", profile.ProfileID)); rows[0] != "1" {
		s.t.Fatalf("%v scores of the planted", rows)
	}
}

// contacted puts the person into a campaign and on their way through a scenario.
func (p planted) contacted(s *served) {
	s.t.Helper()
	consent := map[string]any{"basis": "legitimate-interest", "purpose": "news"}
	s.call(http.MethodPut, "/v1/scenarios/cart", map[string]any{"consent": consent, "nodes": []map[string]any{
		{"id": "in", "type": "trigger", "trigger": map[string]any{"kind": "event", "event": "Cart Left"}, "next": "ask"},
		{"id": "ask", "type": "decide", "decide": map[string]any{"decisionPoint": "hero"}, "next": "wait"},
		{"id": "wait", "type": "wait", "wait": map[string]any{"minutes": 6000}, "next": "end"},
		{"id": "end", "type": "exit"},
	}}, nil)
	s.call(http.MethodPost, "/v1/scenarios/cart/start", nil, nil)
	s.batch(map[string]any{"type": "track", "event": "Cart Left", "userId": p.user, "properties": map[string]any{"note": p.note}},
		map[string]any{"type": "track", "event": "Cart Left", "userId": others()[0], "properties": map[string]any{"note": "somebody else"}})
	s.call(http.MethodPut, "/v1/campaigns/letters", map[string]any{"decisionPoint": "hero", "consent": consent, "audience": map[string]any{"everybody": true}, "schedule": map[string]any{"kind": "once"}}, nil)
	s.call(http.MethodPost, "/v1/campaigns/letters/start", nil, nil)
	eventually(s.t, time.Minute, "the person is in a scenario and in a campaign", func() bool {
		var state struct{ Status string }
		s.call(http.MethodGet, "/v1/campaigns/letters/state", nil, &state)
		var progress struct{ Runs map[string]int }
		s.call(http.MethodGet, "/v1/scenarios/cart/progress", nil, &progress)
		return state.Status == "done" && progress.Runs["active"] == 2
	})
}

func others() (list []string) {
	for i := range 20 {
		list = append(list, fmt.Sprint("other-", i))
	}
	return list
}

func campaign(user string, p planted) string {
	if strings.HasPrefix(user, "planted") {
		return p.context
	}
	return "newsletter"
}
