package quality

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/profiles"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

func (b *bed) quarantined(query string) []map[string]any {
	b.T.Helper()
	b.flush()
	return items(b.Must("GET", "/v1/quarantine?"+query, ""))
}

func (b *bed) rows(query string, arguments ...any) (n int) {
	b.T.Helper()
	if err := b.Postgres.QueryRow(b.T.Context(), query, arguments...).Scan(&n); err != nil {
		b.T.Fatal(err)
	}
	return n
}

func TestRefusedThenCorrectedThenStoredOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	happened := time.Now().Add(-90 * time.Minute).UTC().Truncate(time.Millisecond)
	out := b.Must("POST", "/v1/batch", fmt.Sprintf(`{"context":{"app":{"name":"till"}},"sentAt":%q,"batch":[
		{"type":"track","userId":"u1","event":"Bought","messageId":"good"},
		{"type":"track","userId":"u1","messageId":"bad","timestamp":%q,"properties":{"total":5,"note":"planted"}},
		7]}`, time.Now().UTC().Format(time.RFC3339Nano), happened.Format(time.RFC3339Nano)))
	if rejected := out["rejected"].([]any); len(rejected) != 2 {
		t.Fatalf("the client is told of %v", rejected)
	}
	list := b.quarantined("status=open")
	if len(list) != 2 {
		t.Fatalf("in quarantine are %v", list)
	}
	if found := b.quarantined("field=event"); len(found) != 1 || found[0]["messageId"] != "bad" || found[0]["cause"] != "rule" || found[0]["sourceName"] != "shop" || found[0]["body"] != nil {
		t.Fatalf("the message without an event is %v", found)
	}
	id := b.quarantined("field=event")[0]["id"].(string)
	item := b.Must("GET", "/v1/quarantine/"+id, "")
	if body := item["body"].(map[string]any); body["messageId"] != "bad" || body["properties"].(map[string]any)["total"] != 5.0 {
		t.Fatalf("the body is %v", item["body"])
	}
	// Without a correction it is refused again and stays, and lies there once.
	again := b.Must("POST", "/v1/quarantine/replay", fmt.Sprintf(`{"ids":[%q]}`, id))
	if again["refused"] != 1.0 || b.Must("GET", "/v1/quarantine/"+id, "")["attempts"] != 1.0 || len(b.quarantined("status=open")) != 2 {
		t.Fatalf("uncorrected it becomes %v", again)
	}
	b.shift.Store(int64(3 * time.Hour))
	fixed := b.Must("POST", "/v1/quarantine/replay", fmt.Sprintf(`{"ids":[%q],"patch":{"event":"Bought","properties":{"note":null,"total":12345678901234567890}}}`, id))
	if fixed["stored"] != 1.0 {
		t.Fatalf("corrected it becomes %v", fixed)
	}
	if twice := items(b.Must("POST", "/v1/quarantine/replay", fmt.Sprintf(`{"ids":[%q],"patch":{"event":"Bought"}}`, id))); twice[0]["status"] != "settled" {
		t.Fatalf("replayed twice it becomes %v", twice)
	}
	b.flush()
	var n uint64
	var at time.Time
	var properties, name string
	if err := b.ClickHouse.Read.QueryRow(t.Context(), `SELECT count(), any(timestamp), any(properties), any(JSONExtractString(context, 'app', 'name')) FROM events WHERE message_id = 'bad'`).Scan(&n, &at, &properties, &name); err != nil {
		t.Fatal(err)
	}
	if n != 1 || properties != `{"total":12345678901234567890}` || name != "till" {
		t.Errorf("stored are %d, %s, %s", n, properties, name)
	}
	if off := at.Sub(happened).Abs(); off > time.Second {
		t.Errorf("it happened at %v and is stored at %v", happened, at)
	}
	if n := b.rows(`SELECT count(*) FROM quarantine WHERE id = $1 AND status = 'replayed' AND body = '' AND settled_by = 'key:k1'`, id); n != 1 {
		t.Error("what was replayed still has its body")
	}
	v, ok := b.Profiles.Store().Lookup([]identity.Identifier{{Namespace: identity.UserID, Value: "u1"}})
	if !ok || v.Events != 2 {
		t.Errorf("the profile has %v events, want 2", v)
	}
}

func TestAReplayOfAMessageWithoutIDCountsOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if status, _ := b.Call("POST", "/v1/track", `{"userId":"u1","properties":{"a":1},"writeKey":"secret-of-the-shop"}`); status != http.StatusUnprocessableEntity {
		t.Fatalf("the call is answered with %d", status)
	}
	found := b.quarantined("")
	if len(found) != 1 {
		t.Fatalf("in quarantine are %v", found)
	}
	if n := b.rows(`SELECT count(*) FROM quarantine q WHERE position('secret-of-the-shop' IN q::text) > 0 OR position(convert_to('secret-of-the-shop', 'UTF8') IN body) > 0`); n != 0 {
		t.Error("the API key lies in quarantine")
	}
	replay := fmt.Sprintf(`{"ids":[%q],"patch":{"event":"Seen"}}`, found[0]["id"])
	b.Must("POST", "/v1/quarantine/replay", replay)
	// As if the process had died before it was noted.
	if _, err := b.Postgres.Exec(t.Context(), `UPDATE quarantine SET status = 'replaying', claimed_at = now() - interval '1 hour', body = '{"userId":"u1","properties":{"a":1}}'`); err != nil {
		t.Fatal(err)
	}
	if out := items(b.Must("POST", "/v1/quarantine/replay", replay)); out[0]["status"] != "repeated" {
		t.Errorf("the second time it becomes %v", out)
	}
	b.flush()
	if n := b.Number(`SELECT count() FROM events WHERE event = 'Seen' AND type = 'track'`); n != 1 {
		t.Errorf("%d are stored", n)
	}
}

func TestEventSchemas(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	put := func(mode string) {
		b.Must("PUT", "/v1/event-schemas/bought", fmt.Sprintf(`{"event":"Bought","mode":%q,"fields":{
			"properties.total":{"required":true,"type":"number","min":0},"properties.currency":{"type":"text","allowed":["EUR","RUB"]},
			"properties.cart.deep.value":{"type":"number"}}}`, mode))
	}
	for name, body := range map[string]string{
		"no fields":      `{"event":"A","fields":{}}`,
		"a path":         `{"event":"A","fields":{"total":{"required":true}}}`,
		"a pattern":      `{"event":"A","fields":{"properties.a":{"type":"text","pattern":"("}}}`,
		"asks nothing":   `{"event":"A","fields":{"properties.a":{}}}`,
		"a bound alone":  `{"event":"A","fields":{"properties.a":{"min":1}}}`,
		"wrong type":     `{"event":"A","fields":{"properties.a":{"type":"money"}}}`,
		"wrong mode":     `{"event":"A","mode":"drop","fields":{"properties.a":{"required":true}}}`,
		"a long name":    `{"event":"` + strings.Repeat("a", 300) + `","fields":{"properties.a":{"required":true}}}`,
		"allowed number": `{"event":"A","fields":{"properties.a":{"type":"number","allowed":["x"]}}}`,
	} {
		if status, out := b.Call("PUT", "/v1/event-schemas/bad", body); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: answered %d %v", name, status, out)
		}
	}
	put("flag")
	if status, _ := b.Call("PUT", "/v1/event-schemas/second", `{"event":"Bought","fields":{"properties.a":{"required":true}}}`); status != http.StatusUnprocessableEntity {
		t.Errorf("a second schema of the same event is answered with %d", status)
	}
	b.Track(`{"type":"track","userId":"u","event":"Bought","messageId":"1","properties":{"total":"5"}}`, `{"type":"track","userId":"u","event":"Bought","messageId":"2","properties":{"total":5,"currency":"EUR"}}`,
		`{"type":"track","userId":"u","event":"Bought","messageId":"3"}`, `{"type":"track","userId":"u","event":"Bought","messageId":"4","properties":{"total":1,"cart":{"deep":{"value":"x"}}}}`)
	b.flush()
	if n := b.Number(`SELECT sum(violations) FROM quality_fields`); n != 3 {
		t.Errorf("%d events break the schema, want 3", n)
	}
	if n := b.Number(`SELECT 100 * sum(checked) + sum(broken) FROM quality_fields WHERE field = 'properties.total'`); n != 301 {
		t.Errorf("checked and broken are %d, want 301", n)
	}
	put("quarantine")
	out := b.Track(`{"type":"track","userId":"u","event":"Bought","messageId":"5","properties":{"total":-1,"currency":"USD"}}`, `{"type":"track","userId":"u","event":"Bought","messageId":"6","properties":{"total":5}}`)
	text, _ := json.Marshal(out["rejected"])
	if out["accepted"] != 1.0 || !strings.Contains(string(text), `batch[0].properties.currency`) || !strings.Contains(string(text), "batch[0].properties.total") {
		t.Errorf("the client is told %s", text)
	}
	if status, out := b.Call("POST", "/v1/track", `{"userId":"u","event":"Bought","messageId":"7","properties":{}}`); status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(out), "properties.total") {
		t.Errorf("a single one is answered with %d %v", status, out)
	}
	if found := b.quarantined("cause=schema"); len(found) != 2 {
		t.Fatalf("in quarantine are %v", found)
	}
	result := b.Must("POST", "/v1/quarantine/replay", `{"filter":{"cause":"schema"},"patch":{"properties":{"total":3,"currency":"RUB"}}}`)
	if result["stored"] != 2.0 || result["more"] != false {
		t.Errorf("the replay becomes %v", result)
	}
	b.flush()
	if n := b.Number(`SELECT count() FROM events FINAL WHERE message_id IN ('5', '6', '7')`); n != 3 {
		t.Errorf("%d are stored, want 3", n)
	}
}

func TestWebhookItemsAreReplayedByTheCorrectedMapping(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	put := func(amount string) {
		b.Must("PUT", "/v1/webhooks/crm", fmt.Sprintf(`{"name":"CRM","auth":{"kind":"key"},"items":"rows","messages":[
			{"type":"track","event":{"const":"Deal Won"},"userId":{"from":"client"},"properties":{"revenue":{"from":%q,"type":"number"}}},
			{"type":"identify","userId":{"from":"client"},"traits":{"city":{"from":"city"}}}]}`, amount))
	}
	put("sum")
	// The deal does not fit, what is said about the person does.
	if out := b.Must("POST", "/v1/hooks/crm", `{"rows":[{"client":"c1","amount":7,"city":"Perm"}]}`); out["accepted"] != 1.0 {
		t.Fatalf("the call is answered with %v", out)
	}
	found := b.quarantined("cause=mapping&source=webhook:crm")
	if len(found) != 1 {
		t.Fatalf("in quarantine are %v", found)
	}
	if out := b.Must("POST", "/v1/quarantine/replay", `{"filter":{}}`); out["refused"] != 1.0 {
		t.Fatalf("by the same mapping it becomes %v", out)
	}
	put("amount")
	if out := b.Must("POST", "/v1/quarantine/replay", `{"filter":{}}`); out["stored"] != 1.0 {
		t.Fatalf("by the corrected mapping it becomes %v", out)
	}
	b.flush()
	if n := b.Number(`SELECT 10 * countIf(event = 'Deal Won' AND numbers['revenue'] = 7) + countIf(event = '$identify') FROM events WHERE user_id = 'c1' AND source = 'webhook:crm'`); n != 11 {
		t.Errorf("deals and statements about the person are %d, want one of each", n)
	}
}

func TestRecordsMasksAndPages(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for i := range 7 {
		b.Call("POST", "/v1/track", fmt.Sprintf(`{"userId":"planted-%d","messageId":"m%d"}`, i, i))
	}
	if _, err := b.Postgres.Exec(t.Context(), `INSERT INTO rejected_records (topic, reader, sequence, digest, reason, payload) VALUES ('EVENTS', 'events', 9, '\xaa', 'a string is cut off', $1), ('EVENTS', 'events', 9, '\xbb', 'a string is cut off', '')`, []byte{1, 0, 255}); err != nil {
		t.Fatal(err)
	}
	b.flush()
	seen, next := map[string]bool{}, ""
	for pages := 0; ; pages++ {
		page := b.Must("GET", "/v1/quarantine?limit=3&before="+next, "")
		for _, item := range items(page) {
			seen[item["id"].(string)] = true
		}
		if next = page["next"].(string); next == "" || pages > 5 {
			break
		}
	}
	if len(seen) != 9 || !seen["record-EVENTS-events-9-aa"] || !seen["record-EVENTS-events-9-bb"] {
		t.Errorf("the pages have %v", seen)
	}
	if out := items(b.Must("POST", "/v1/quarantine/replay", `{"ids":["record-EVENTS-events-9-aa","nobody"]}`)); out[0]["status"] != "unreadable" || out[1]["status"] != "unknown" {
		t.Errorf("the record becomes %v", out)
	}
	if body := b.Must("GET", "/v1/quarantine/record-EVENTS-events-9-aa", "")["body"]; body == nil {
		t.Error("the record has no body")
	}
	b.Token = "masked"
	for id := range seen {
		if text := fmt.Sprint(b.Must("GET", "/v1/quarantine/"+id, "")); strings.Contains(text, "planted") || !strings.Contains(text, "hidden:true") {
			t.Errorf("a masked caller sees %s", text)
		}
	}
	b.Token = "browser"
	for _, path := range []string{"/v1/quarantine", "/v1/sources", "/v1/event-schemas"} {
		if status, _ := b.Call("GET", path, ""); status != http.StatusForbidden {
			t.Errorf("%s answers a key for events with %d", path, status)
		}
	}
	b.Token = "good"
	for _, bad := range []string{"/v1/quarantine?before=x", "/v1/quarantine?limit=0", "/v1/quarantine?status=lost", "/v1/quarantine?rule=%00", "/v1/quarantine?source=%ff"} {
		if status, out := b.Call("GET", bad, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s is answered with %d %v", bad, status, out)
		}
	}
	for _, bad := range []string{`{}`, `{"ids":["a"],"filter":{}}`, `{"ids":["a"],"patch":7}`, `{"filter":{"status":"replayed"}}`} {
		if status, out := b.Call("POST", "/v1/quarantine/replay", bad); status != http.StatusUnprocessableEntity {
			t.Errorf("%s is answered with %d %v", bad, status, out)
		}
	}
	if out := b.Must("POST", "/v1/quarantine/discard", `{"ids":["record-EVENTS-events-9-bb"]}`); out["discarded"] != 1.0 {
		t.Errorf("discarded of two records of one message are %v", out)
	}
	if out := b.Must("POST", "/v1/quarantine/discard", `{"filter":{}}`); out["discarded"] != 8.0 {
		t.Errorf("discarded are %v", out)
	}
	if n := b.rows(`SELECT count(*) FROM quarantine WHERE body <> '' OR status = 'open'`) + b.rows(`SELECT count(*) FROM rejected_records`); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestBoundsOfTheQuarantine(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	long := strings.Repeat("x", profiles.MaxQuarantined)
	b.Call("POST", "/v1/track", fmt.Sprintf(`{"messageId":"long","event":"A","properties":{"text":%q}}`, long))
	found := b.quarantined("")
	if len(found) != 1 || found[0]["truncated"] != true || found[0]["bytes"].(float64) > profiles.MaxQuarantined+10 {
		t.Fatalf("the long one is %v", found)
	}
	if out := items(b.Must("POST", "/v1/quarantine/replay", fmt.Sprintf(`{"ids":[%q],"patch":{"userId":"u"}}`, found[0]["id"]))); out[0]["status"] != "truncated" {
		t.Errorf("the long one becomes %v", out)
	}
	if out := b.Must("POST", "/v1/quarantine/replay", `{"filter":{},"patch":{"userId":"u"}}`); len(items(out)) != 0 {
		t.Errorf("a filter chooses what cannot be replayed: %v", out)
	}
	// A source has used up its day.
	if _, err := b.Postgres.Exec(t.Context(), `INSERT INTO quarantine (id, received_at, source, cause, form, kind, message_id, field, rule, errors, body, shared, truncated, trusted)
		SELECT 'f' || i, now(), 'k1', 'rule', 'tracking', 'track', '', '', '', '[]', '', '', false, false FROM generate_series(1, $1) i`, MaxQuarantinedPerDay); err != nil {
		t.Fatal(err)
	}
	b.Open()
	b.Call("POST", "/v1/track", `{"messageId":"one too many"}`)
	b.flush()
	if n := b.rows(`SELECT count(*) FROM quarantine WHERE message_id = 'one too many'`); n != 0 {
		t.Error("more is kept than the bound of the day")
	}
	if n := b.Number(`SELECT 10 * sum(refused) + sum(unkept) FROM quality_intake WHERE hour >= toStartOfHour(now())`); n != 21 {
		t.Errorf("refused and unkept are %d, want 21", n)
	}
	if _, err := b.Postgres.Exec(t.Context(), `UPDATE quarantine SET received_at = now() - interval '31 days' WHERE id LIKE 'f%'`); err != nil {
		t.Fatal(err)
	}
	if err := b.service.quarantine.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.rows(`SELECT count(*) FROM quarantine`); n != 1 {
		t.Errorf("%d are left after 30 days, want 1", n)
	}
	// A full queue loses, counts, and delays nobody.
	q := newQuarantine(b.service, nil)
	for range maxQueue + 5 {
		q.offer(&profiles.Refused{Source: "flood"})
	}
	if len(q.queue) != maxQueue {
		t.Errorf("%d wait", len(q.queue))
	}
	if lost := b.service.intake.counts["flood"].unkept; lost != 5 {
		t.Errorf("%d are counted as lost, want 5", lost)
	}
}

func TestAReplayIsTrustedAsItsSourceWas(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.Must("POST", "/v1/identify", `{"userId":"known-a","anonymousId":"shared","messageId":"a"}`)
	b.Must("POST", "/v1/identify", `{"userId":"known-b","messageId":"b"}`)
	b.Token = "browser"
	b.Call("POST", "/v1/alias", `{"userId":"known-b","messageId":"c"}`) // previousId is missing
	b.Token = "good"
	if out := b.Must("POST", "/v1/quarantine/replay", `{"filter":{},"patch":{"previousId":"known-a"}}`); out["stored"] != 1.0 {
		t.Fatalf("the replay becomes %v", out)
	}
	ids := map[identity.ID]bool{}
	for _, user := range []string{"known-a", "known-b"} {
		v, ok := b.Profiles.Store().Lookup([]identity.Identifier{{Namespace: identity.UserID, Value: user}})
		if !ok {
			t.Fatalf("%s is not known", user)
		}
		id, _ := identity.ParseID(v.ID)
		ids[b.Profiles.Store().PersonOf(id)] = true
	}
	if len(ids) != 2 {
		t.Error("a message of a browser joins two known people when somebody else replays it")
	}
}

// What stays refused is not in the way of what comes behind it, and what a replay left
// behind that was cut off is open again.
func TestReplaysGetThrough(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if _, err := b.Postgres.Exec(t.Context(), `INSERT INTO quarantine (id, received_at, source, cause, form, kind, message_id, field, rule, errors, body, shared, truncated, trusted)
		SELECT 'f' || i, now() - interval '1 hour', 'k1', 'rule', 'tracking', 'track', 'f' || i, 'userId', '', '[]', '{"event":"A","properties":7}', '', false, false FROM generate_series(1, $1) i`, maxSettled); err != nil {
		t.Fatal(err)
	}
	b.Call("POST", "/v1/track", `{"event":"A","messageId":"behind"}`)
	stored := 0.0
	for range 2 {
		stored += b.Must("POST", "/v1/quarantine/replay", `{"filter":{},"patch":{"userId":"u"}}`)["stored"].(float64)
	}
	if stored != 1 {
		t.Errorf("%v were stored, want the one behind %d that stay refused", stored, maxSettled)
	}
	if _, err := b.Postgres.Exec(t.Context(), `UPDATE quarantine SET status = 'replaying', claimed_at = now() - CASE WHEN id = 'f1' THEN interval '1 hour' ELSE interval '1 second' END WHERE id IN ('f1', 'f2')`); err != nil {
		t.Fatal(err)
	}
	if err := b.service.quarantine.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.rows(`SELECT count(*) FROM quarantine WHERE id = 'f1' AND status = 'open' OR id = 'f2' AND status = 'replaying'`); n != 2 {
		t.Errorf("%d of two are as they should be", n)
	}
}

// A replay counts as an event of its day and is no delay of today.
func TestReplaysAreNoLag(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.Call("POST", "/v1/track", `{"event":"A","messageId":"1"}`)
	b.flush()
	if _, err := b.Postgres.Exec(t.Context(), `UPDATE quarantine SET received_at = now() - interval '2 days'`); err != nil {
		t.Fatal(err)
	}
	if out := b.Must("POST", "/v1/quarantine/replay", `{"filter":{},"patch":{"userId":"u"}}`); out["stored"] != 1.0 {
		t.Fatal(out)
	}
	b.flush()
	if n := b.Number(`SELECT toUInt64(sum(arraySum(mapValues(lag)))) FROM quality_intake`); n != 0 {
		t.Errorf("%d replays are counted as lag", n)
	}
}

func TestItemsAreKeptWithoutKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form      tracking.Form
		raw, want string
	}{
		{tracking.FormTracking, `{"writeKey":"k","event":"A"}`, `{"event":"A"}`},
		{tracking.FormTracking, `{"properties":{"token":"mine"}}`, `{"properties":{"token":"mine"}}`},
		{tracking.FormPostHog, `{"api_key":"k","properties":{"token":"k","a":1},"event":"A"}`, `{"properties":{"a":1},"event":"A"}`},
		{tracking.FormPostHog, `{"properties":7}`, `{"properties":7}`},
		{profiles.FormWebhook, `{"token":"theirs"}`, `{"token":"theirs"}`},
	} {
		if got := string(withoutKeys(c.form, c.raw)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.form, c.raw, got, c.want)
		}
	}
}

func TestPostHogItemsAreReplayed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	event := `{"api_key":"phc","batch":[{"event":"seen","properties":{"a":1},"uuid":"5f8b1c1e-0000-4000-8000-000000000001"}]}`
	if status, out := b.Call("POST", "/batch/", event); status >= 500 {
		t.Fatalf("answered %d %v", status, out)
	}
	found := b.quarantined("")
	if len(found) != 1 || found[0]["field"] != "distinct_id" {
		t.Fatalf("in quarantine are %v", found)
	}
	if out := b.Must("POST", "/v1/quarantine/replay", `{"filter":{"field":"distinct_id"},"patch":{"distinct_id":"p1"}}`); out["stored"] != 1.0 {
		t.Fatalf("the replay becomes %v", out)
	}
	b.flush()
	if n := b.Number(`SELECT count() FROM events WHERE event = 'seen' AND user_id = 'p1' AND message_id = '5f8b1c1e-0000-4000-8000-000000000001'`); n != 1 {
		t.Errorf("%d are stored", n)
	}
}
