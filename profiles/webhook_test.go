package profiles

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"quintet/internal/stream"
)

// The three webhooks of docs/collecting.md.
const (
	crmHook = `{"name": "CRM", "auth": {"kind": "secret", "header": "X-Crm-Secret", "secret": "s3cret-of-crm"},
  "messages": [
    {"when": [{"path": "event", "op": "equals", "value": "contact.updated"}], "type": "identify",
     "userId": {"from": "contact.id"}, "timestamp": {"from": "occurredAt"},
     "externalIds": {"email": {"from": "contact.email", "transform": ["trim", "lower"], "optional": true}},
     "traits": {"name": {"from": "contact.name"}, "plan": {"from": "contact.plan", "default": "none"}}},
    {"when": [{"path": "event", "op": "equals", "value": "deal.won"}], "type": "track",
     "event": {"const": "Deal Won"}, "userId": {"from": "contact.id"}, "messageId": {"from": "deal.id", "prefix": "deal-"},
     "timestamp": {"from": "occurredAt"}, "properties": {"revenue": {"from": "deal.amount", "type": "number"}}}
  ]}`
	tillHook = `{"name": "Tills", "auth": {"kind": "hmac", "header": "X-Signature-256", "secret": "s3cret-of-tills", "prefix": "sha256="}, "items": "receipts",
  "messages": [
    {"when": [{"path": "card", "op": "exists"}, {"path": "total", "op": "above", "value": 0}], "type": "track", "event": {"const": "Order Completed"},
     "externalIds": {"card": {"from": "card"}}, "messageId": {"from": "number", "prefix": "receipt-"},
     "timestamp": {"from": "time", "layout": "02.01.2006 15:04", "zone": "Europe/Moscow"},
     "properties": {"revenue": {"from": "total", "type": "number"}, "first": {"from": "lines[0].sku"}, "products": {"from": "lines"}}}
  ]}`
	callHook = `{"name": "Call centre", "auth": {"kind": "secret", "header": "Authorization", "secret": "Basic Y2FsbHM6Y2FsbHM="},
  "messages": [
    {"type": "track", "event": {"const": "Call Ended"}, "externalIds": {"phone": {"from": "caller", "transform": ["phone"]}},
     "messageId": {"from": "call_id"}, "timestamp": {"from": "ended", "layout": "unix"},
     "properties": {"seconds": {"from": "duration", "type": "integer"}, "answered": {"from": "answered", "type": "boolean"}}}
  ]}`
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	for key, body := range map[string]string{"crm": crmHook, "tills": tillHook, "calls": callHook} {
		if status, out := b.callAs("admin", "PUT", "/v1/webhooks/"+key, body); status != 200 {
			t.Fatalf("%s: %d %v", key, status, out)
		}
	}
	crm := []string{"X-Crm-Secret", "s3cret-of-crm"}
	signed := func(body string) []string {
		mac := hmac.New(sha256.New, []byte("s3cret-of-tills"))
		_, _ = mac.Write([]byte(body))
		return []string{"X-Signature-256", "sha256=" + hex.EncodeToString(mac.Sum(nil))}
	}
	receipts := `{"receipts":[
		{"number":"77","card":"C1","time":"03.01.2026 15:30","total":99.5,"lines":[{"sku":"boot"},{"sku":"sock"}]},
		{"number":"78","time":"03.01.2026 15:31","total":10,"lines":[{"sku":"x"}]},
		{"number":"79","card":"C1","time":"noon","total":5,"lines":[{"sku":"x"}]},
		{"number":"80","card":"C1","time":"03.01.2026 15:33","total":5,"lines":[]}]}`
	call := url.Values{"caller": {"+7 (912) 345-67-89"}, "call_id": {"call-1"}, "ended": {"1767400000"}, "duration": {"65"}, "answered": {"yes"}}.Encode()
	form := []string{"Authorization", "Basic Y2FsbHM6Y2FsbHM=", "Content-Type", "application/x-www-form-urlencoded"}
	for _, c := range []struct {
		name, path, body string
		header           []string
		status           int
		says             []string
	}{
		{"a contact", "crm", `{"event":"contact.updated","occurredAt":"2026-01-03T10:00:00Z","contact":{"id":42,"email":" Anna@Example.org ","name":"Anna"}}`, crm, 200, []string{`"accepted":1`, `"skipped":[]`}},
		{"the same again", "crm", `{"event":"contact.updated","occurredAt":"2026-01-03T10:00:00Z","contact":{"id":42,"email":" Anna@Example.org ","name":"Anna"}}`, crm, 200, []string{`"repeated":1`}},
		{"a deal", "crm", `[{"event":"deal.won","occurredAt":"2026-01-03T10:00:00Z","contact":{"id":42},"deal":{"id":"9","amount":"1200.50"}},{"event":"note.added"}]`, crm, 200, []string{`"accepted":1`, `"skipped":[1]`}},
		{"called a form", "crm", `[{"event":"note.added"}]`, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, crm...), 200, []string{`"skipped":[0]`}},
		{"a path that leads nowhere", "crm", `{"event":"deal.won","occurredAt":"2026-01-03T10:00:00Z","contact":{},"deal":{"id":"10","amount":"x"}}`, crm, 422, []string{`points at \"contact.id\", which the item does not have`, `must be a number`, `deal.amount`}},
		{"no secret", "crm", `{}`, nil, 401, []string{"X-Crm-Secret"}},
		{"a wrong secret", "crm", `{}`, []string{"X-Crm-Secret", "s3cret-of-crN"}, 401, nil},
		{"an API key in its place", "crm", `{}`, []string{"Authorization", "Bearer good"}, 401, nil},
		{"no JSON", "crm", `{"event":`, crm, 400, []string{"not JSON"}},
		{"not UTF-8", "crm", "{\"event\":\"\xff\"}", crm, 422, []string{"UTF-8"}},
		{"a number", "crm", `5`, crm, 422, []string{"items[0]", "must be an object"}},
		{"too many", "crm", `[` + strings.TrimSuffix(strings.Repeat(`{},`, 2501), ",") + `]`, crm, 422, []string{"must not be more than 2500"}},
		{"too large", "crm", `"` + strings.Repeat("x", 1<<20) + `"`, crm, 413, nil},
		{"receipts", "tills", receipts, signed(receipts), 200, []string{`"accepted":1`, `"skipped":[1]`, `"index":2`, `must be a time written like 02.01.2006 15:04`, `"index":3`, `points at \"lines[0].sku\"`}},
		{"a forged receipt", "tills", receipts + " ", signed(receipts), 401, nil},
		{"no items", "tills", `{}`, signed(`{}`), 422, []string{`points at \"receipts\"`}},
		{"a call", "calls", call, form, 200, []string{`"accepted":1`}},
		{"an unknown webhook", "none", `{}`, []string{"Authorization", "Bearer good"}, 404, nil},
		{"an unknown webhook without a key", "none", `{}`, nil, 401, nil},
	} {
		status, answer, _ := b.as("POST", "/v1/hooks/"+c.path, c.body, c.header...)
		if status != c.status {
			t.Errorf("%s: %d %.400s, want %d", c.name, status, answer, c.status)
		}
		for _, want := range c.says {
			if !strings.Contains(answer, want) {
				t.Errorf("%s: %.600s lacks %s", c.name, answer, want)
			}
		}
	}
	b.flush()
	for query, want := range map[string]uint64{
		"SELECT count() FROM events WHERE source LIKE 'webhook:%'":                                                                                                                           4,
		"SELECT count() FROM events WHERE event = 'Deal Won' AND message_id = 'deal-9' AND numbers['revenue'] = 1200.5 AND user_id = '42'":                                                   1,
		"SELECT count() FROM events WHERE message_id = 'receipt-77' AND timestamp = '2026-01-03 12:30:00' AND JSONExtractString(properties, 'first') = 'boot' AND numbers['revenue'] = 99.5": 1,
		"SELECT count() FROM events WHERE event = 'Call Ended' AND numbers['seconds'] = 65 AND JSONExtractBool(properties, 'answered') AND timestamp = '2026-01-03 00:26:40'":                1,
	} {
		if n := b.count(query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	for _, name := range []string{"userId:42", "email:anna@example.org", "card:C1", "phone:+79123456789"} {
		if status, p := b.call("GET", "/v1/profiles/"+name, ""); status != 200 {
			t.Errorf("%s: %d %v", name, status, p)
		}
	}
}

func TestTryingAWebhook(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	trial := fmt.Sprintf(`{"payload":{"event":"contact.updated","occurredAt":"2026-01-03T10:00:00Z","contact":{"id":42,"email":"A@b.c","name":"Anna"}},"definition":%s}`, crmHook)
	status, out := b.callAs("admin", "POST", "/v1/webhooks/not-saved/test", trial)
	messages, _ := out["messages"].([]any)
	if status != 200 || len(messages) != 1 {
		t.Fatalf("%d %v", status, out)
	}
	m, _ := messages[0].(map[string]any)
	if m["type"] != "identify" || m["userId"] != "42" || m["time"] != "2026-01-03T10:00:00Z" || fmt.Sprint(m["traits"]) != "map[name:Anna plan:none]" {
		t.Errorf("%v", m)
	}
	if status, out := b.callAs("admin", "POST", "/v1/webhooks/not-saved/test", `{"payload":{}}`); status != 404 {
		t.Errorf("a webhook that is not there: %d %v", status, out)
	}
	if status, out := b.callAs("admin", "POST", "/v1/webhooks/x/test", `{"form":"a=1","definition":{"name":"x","messages":[{"type":"track","event":{"const":"E"},"userId":{"from":"b"}}]}}`); status != 200 || !strings.Contains(fmt.Sprint(out["rejected"]), `points at "b"`) {
		t.Errorf("a mapping that points nowhere: %d %v", status, out)
	}
	for _, key := range []string{"good", "reader"} { // the definition has a secret
		if status, _ := b.callAs(key, "GET", "/v1/webhooks", ""); status != 403 {
			t.Errorf("%s reads webhooks: %d", key, status)
		}
	}
	b.flush()
	if n := b.count("SELECT count() FROM events"); n != 0 {
		t.Errorf("%d events of trials", n)
	}
	for name, c := range map[string]struct{ body, field string }{
		"no name":           {`{"name":" ","messages":[{"type":"identify","userId":{"from":"a"}}]}`, "body.name"},
		"no messages":       {`{"name":"x","messages":[]}`, "body.messages"},
		"nobody":            {`{"name":"x","messages":[{"type":"identify"}]}`, "body.messages[0].userId"},
		"no event":          {`{"name":"x","messages":[{"type":"track","userId":{"from":"a"}}]}`, "body.messages[0].event"},
		"a broken path":     {`{"name":"x","messages":[{"type":"identify","userId":{"from":"a..b"}}]}`, "body.messages[0].userId.from"},
		"both":              {`{"name":"x","messages":[{"type":"identify","userId":{"from":"a","const":"b"}}]}`, "body.messages[0].userId"},
		"an unknown layout": {`{"name":"x","messages":[{"type":"identify","userId":{"from":"a"},"timestamp":{"from":"t","layout":"YYYY"}}]}`, "body.messages[0].timestamp"},
		"a short secret":    {`{"name":"x","auth":{"kind":"hmac","header":"X-S","secret":"short"},"messages":[{"type":"identify","userId":{"from":"a"}}]}`, "body.auth.secret"},
		"no header":         {`{"name":"x","auth":{"kind":"hmac","secret":"long-enough"},"messages":[{"type":"identify","userId":{"from":"a"}}]}`, "body.auth.header"},
		"in without a list": {`{"name":"x","messages":[{"when":[{"path":"a","op":"in","value":1}],"type":"identify","userId":{"from":"a"}}]}`, "body.messages[0].when[0].value"},
		"an unknown type":   {`{"name":"x","messages":[{"type":"dance","userId":{"from":"a"}}]}`, "body.messages[0].type"},
		"an odd namespace":  {`{"name":"x","messages":[{"type":"identify","externalIds":{"a b":{"from":"a"}}}]}`, "body.messages[0].externalIds.a b"},
		"transform unknown": {`{"name":"x","messages":[{"type":"identify","userId":{"from":"a","transform":["spin"]}}]}`, "body.messages[0].userId"},
		"what is not known": {`{"name":"x","messages":[{"type":"identify","userId":{"from":"a","fron":"b"}}]}`, "body.messages[0].userId.fron"},
	} {
		status, out := b.callAs("admin", "PUT", "/v1/webhooks/x", c.body)
		encoded, _ := json.Marshal(out["errors"])
		if status != 422 || !strings.Contains(string(encoded), c.field) {
			t.Errorf("%s: %d %s, want %s", name, status, encoded, c.field)
		}
	}
}

func TestStripeSignature(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	hook := `{"name":"Payments","auth":{"kind":"stripe","header":"Stripe-Signature","secret":"whsec_12345678"},"messages":[{"type":"track","event":{"from":"type"},"userId":{"from":"data.object.customer"},"messageId":{"from":"id"},"timestamp":{"from":"created","layout":"unix"}}]}`
	if status, out := b.callAs("admin", "PUT", "/v1/webhooks/pay", hook); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	body := `{"id":"evt_1","type":"charge.succeeded","created":1767400000,"data":{"object":{"customer":"cus_1"}}}`
	sign := func(at time.Time, secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
		return fmt.Sprintf("t=%d,v0=00,v1=00,v1=%x", at.Unix(), mac.Sum(nil))
	}
	for name, c := range map[string]struct {
		signature string
		status    int
	}{
		"right": {sign(time.Now(), "whsec_12345678"), 200}, "old": {sign(time.Now().Add(-6*time.Minute), "whsec_12345678"), 401},
		"early": {sign(time.Now().Add(6*time.Minute), "whsec_12345678"), 401}, "another secret": {sign(time.Now(), "whsec_12345679"), 401},
		"nonsense": {"t=x", 401}, "without time": {"v1=00", 401},
	} {
		if status, answer, _ := b.as("POST", "/v1/hooks/pay", body, "Stripe-Signature", c.signature); status != c.status {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}
