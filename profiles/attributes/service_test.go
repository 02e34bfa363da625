package attributes

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"quintet/profiles/identity"
)

var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// event is a message of a user so many days before now.
func event(user, name string, daysAgo float64, properties string) string {
	at := now.Add(-time.Duration(daysAgo * 24 * float64(time.Hour)))
	return fmt.Sprintf(`{"type":"track","userId":%q,"event":%q,"timestamp":%q,"properties":%s}`, user, name, at.Format(time.RFC3339), properties)
}

func TestAttributesOfOnePerson(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	b.Track(
		// Ordered three times; the second order came twice under one id, from two systems.
		event("anna", "Order Completed", 200, `{"order_id":"1","revenue":100,"products":[{"category":"shoes","price":50,"quantity":2,"cost":30}],"channel":"web"}`),
		event("anna", "Order Completed", 50, `{"order_id":"2","total":60,"discount":5,"products":[{"category":"hats","price":20,"quantity":3}],"channel":"app"}`),
		event("anna", "Order Completed", 50, `{"order_id":"2","total":60,"discount":5,"products":[{"category":"hats","price":20,"quantity":3}],"channel":"app"}`),
		event("anna", "Order Completed", 10, `{"order_id":3,"products":[{"category":"shoes","price":40}],"coupon":"TEN","margin":12.5,"channel":"app"}`),
		event("anna", "Order Refunded", 5, `{"order_id":"1","revenue":25}`),
		event("anna", "Product Viewed", 2, `{"category":"bags"}`),
		event("anna", "Product Added", 2, `{"category":"bags"}`),
		event("anna", "Email Delivered", 3, `{}`), event("anna", "Email Delivered", 4, `{}`), event("anna", "Email Opened", 3, `{}`),
		event("anna", "Message Sent", 3, `{"channel":"telegram"}`), event("anna", "Message Clicked", 3, `{"channel":"telegram"}`), event("anna", "Message Clicked", 2.9, `{"channel":"telegram"}`),
		event("anna", "Survey Answered", 0.5, `{"kind":"nps","score":9}`),
		event("ben", "Signed Up", 20, `{"referredBy":"anna"}`),
		event("ben", "Order Completed", 19, `{"revenue":30}`),
		event("eve", "Signed Up", 20, `{"referredBy":"anna"}`),
		`{"type":"page","anonymousId":"x","name":"Home","timestamp":"2026-06-10T10:00:00Z","context":{"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)"}}`,
		`{"type":"page","anonymousId":"x","name":"Home","timestamp":"2026-06-10T10:20:00Z","context":{"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)"}}`,
		`{"type":"page","anonymousId":"x","name":"Home","timestamp":"2026-06-10T10:51:00Z","context":{"device":{"type":"Desktop"}}}`,
	)
	b.compute()
	got := b.Must("GET", "/v1/profiles/userId:anna/attributes", "")["attributes"].(map[string]any)
	for name, want := range map[string]any{
		"orders": 3.0, "spend": 175.0, "averageOrder": 175. / 3, "margin": 40 + 12.5, "discountShare": 2. / 3, "daysSinceLastOrder": 10.0,
		"daysSinceFirstOrder": 200.0, "daysSinceLastSeen": 2.0, "orderGapDays": 95.0, "views": 1.0, "carts": 1.0, "stage": "grow",
		"lifecycleSegment": "repeat", "losses": []any{"cart-abandoned"}, "firstOrderAt": "2025-11-27T12:00:00.000Z", "lastOrderAt": "2026-06-05T12:00:00.000Z",
		"peakMonth": 4.0, "peakQuarter": 2.0, "peakShare": 2. / 3, "orderMonths": map[string]any{"4": 0.3333, "6": 0.3333, "11": 0.3333},
		"orderQuarters": map[string]any{"2": 0.6667, "4": 0.3333}, "orderChannel": "app", "preferredChannel": "telegram",
		"messagesSent": map[string]any{"email": 2.0, "telegram": 1.0}, "messagesOpened": map[string]any{"email": 1.0},
		"messagesClicked": map[string]any{"telegram": 2.0}, "referredCustomers": 1.0, "referredSpend": 30.0,
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	// Affinity by hand: weights halve every 30 days.
	weights := map[string]float64{
		"shoes": 5*2*half(200) + 5*half(10), "hats": 5 * 3 * half(50), "bags": (1 + 3) * half(2),
	}
	total := weights["shoes"] + weights["hats"] + weights["bags"]
	affinity, _ := got["categoryAffinity"].(map[string]any)
	for category, w := range weights {
		if v, _ := affinity[category].(float64); v < w/total-1e-4 || v > w/total+1e-4 {
			t.Errorf("affinity to %s is %v, want %.4f", category, affinity[category], w/total)
		}
	}
	if got["topCategory"] != "hats" {
		t.Errorf("top category is %v of %v", got["topCategory"], affinity)
	}
	view, _ := b.Profiles.Store().Lookup([]identity.Identifier{{Namespace: identity.AnonymousID, Value: "x"}})
	x := b.Must("GET", "/v1/profiles/anonymousId:x/attributes", "")["attributes"].(map[string]any)
	if view.Attributes["preferredDevice"] != "mobile" || view.Attributes["deviceShare"] != nil {
		t.Errorf("memory has %v", view.Attributes)
	}
	if x["sessions"] != 2.0 || x["preferredDevice"] != "mobile" || !reflect.DeepEqual(x["deviceShare"], map[string]any{"mobile": 0.6667, "desktop": 0.3333}) ||
		x["stage"] != "acquire" || x["lifecycleSegment"] != "returning-visitor" || x["rfm"] != nil {
		t.Errorf("the visitor is %v", x)
	}
	known, memory := map[string]bool{}, b.attributes("anna")
	for _, a := range BuiltIns() {
		known[a.Key] = true
		if _, there := memory[a.Key]; there && (!a.Memory || !reflect.DeepEqual(memory[a.Key], got[a.Key])) {
			t.Errorf("memory has %s as %v, ClickHouse as %v", a.Key, memory[a.Key], got[a.Key])
		}
	}
	for name := range got {
		if !known[name] {
			t.Errorf("%s is not among the built-in attributes", name)
		}
	}
}

func half(days float64) float64 {
	w := 1.0
	for days >= 30 {
		w, days = w/2, days-30
	}
	// The rest of the way, by the series of 2^-x in thousandths of a day.
	const step = 0.999976895059 // 2^(-1/30000)
	for range int(days * 1000) {
		w *= step
	}
	return w
}

func TestMovesHistoryAndRestart(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	b.Track(event("anna", "Order Completed", 40, `{"revenue":10}`), event("ben", "Order Completed", 1, `{"revenue":99}`))
	b.compute()
	if got := b.attributes("anna"); got["lifecycleSegment"] != "second-order-due" || got["stage"] != "first-order" {
		t.Fatalf("anna is %v", got)
	}
	if s := b.service.Status(); s.People != 2 || s.Changed != 2 || s.Moves != 0 {
		t.Errorf("the first run: %+v", s)
	}
	b.compute()
	if s := b.service.Status(); s.Changed != 0 {
		t.Errorf("a run without news: %+v", s)
	}
	b.set(now.AddDate(0, 0, 1)) // only days pass
	b.compute()
	if s := b.service.Status(); s.Changed != 0 || b.attributes("anna")["daysSinceLastOrder"] != 41.0 {
		t.Errorf("a day later: %+v, %v", s, b.attributes("anna"))
	}
	b.Track(event("anna", "Order Completed", 0.5, `{"revenue":10}`))
	b.compute()
	if s := b.service.Status(); s.Changed < 1 || s.Moves != 2 {
		t.Errorf("after the second order: %+v", s)
	}
	b.Stored()
	rows, err := b.ClickHouse.Read.Query(t.Context(), `SELECT event, JSONExtractString(properties, 'from'), JSONExtractString(properties, 'to') FROM events FINAL WHERE source = 'system' ORDER BY event`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var moves []string
	for rows.Next() {
		var name, from, to string
		if err := rows.Scan(&name, &from, &to); err != nil {
			t.Fatal(err)
		}
		moves = append(moves, name+" "+from+" "+to)
	}
	if want := []string{"Lifecycle Changed second-order-due repeat", "Stage Changed first-order grow"}; !reflect.DeepEqual(moves, want) {
		t.Errorf("moves %q, want %q", moves, want)
	}
	before := b.attributes("anna")
	b.Open()
	if after := b.attributes("anna"); !reflect.DeepEqual(before, after) {
		t.Errorf("after a restart %v, before %v", after, before)
	}
	b.compute()
	if s := b.service.Status(); s.Changed != 0 || s.Moves != 0 {
		t.Errorf("the first run after a restart: %+v", s)
	}
	history := b.Must("GET", "/v1/profiles/userId:anna/attributes", "")
	if items := history["history"].([]any); len(items) != 2 || items[1].(map[string]any)["attributes"].(map[string]any)["orders"] != 1.0 {
		t.Errorf("history: %v", history)
	}
	var left uint64
	if err := b.ClickHouse.Read.QueryRow(t.Context(), `SELECT (SELECT count() FROM person_facts) + (SELECT count() FROM person_values)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows of material are left, %v", left, err)
	}
}

func TestPeopleOfSeveralProfiles(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	b.Track(event("a", "Order Completed", 40, `{"revenue":10}`), event("b", "Order Completed", 20, `{"revenue":20}`))
	b.Stored()
	a, c := identity.NewID(identity.Identifier{Namespace: identity.UserID, Value: "a"}), identity.NewID(identity.Identifier{Namespace: identity.UserID, Value: "b"})
	if err := b.ClickHouse.Write.Exec(t.Context(), fmt.Sprintf("INSERT INTO person_map (profile_id, person_id, valid_from, stamp) VALUES ('%s', '%s', now64(3), 1)", c, a)); err != nil {
		t.Fatal(err)
	}
	b.compute()
	view, _ := b.Profiles.Store().Get(a)
	if view.Attributes["orders"] != 2.0 || view.Attributes["spend"] != 30.0 || b.service.Status().People != 1 {
		t.Errorf("the person has %v", view.Attributes)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	b.Track(event("a", "Order Completed", 40, `{"revenue":10}`), event("b", "Order Completed", 20, `{"revenue":20}`))
	b.compute()
	count := func() (n uint64) {
		if err := b.ClickHouse.Read.QueryRow(t.Context(), "SELECT count() FROM profile_attributes").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if count() != 2 {
		t.Fatalf("%d rows of history", count())
	}
	a := identity.NewID(identity.Identifier{Namespace: identity.UserID, Value: "a"})
	if err := b.service.Forget(t.Context(), a); err != nil || count() != 1 {
		t.Errorf("%d rows of history after forgetting one of two, %v", count(), err)
	}
	// Somebody of whom only the log knows is not kept.
	if err := b.ClickHouse.Write.Exec(t.Context(), fmt.Sprintf("INSERT INTO events (message_id, type, event, profile_id, timestamp, received_at) VALUES ('x', 'track', 'Seen', '%s', '2026-06-01 00:00:00', '2026-06-01 00:00:00')",
		identity.NewID(identity.Identifier{Namespace: identity.UserID, Value: "gone"}))); err != nil {
		t.Fatal(err)
	}
	b.compute()
	if s := b.service.Status(); count() != 2 || s.People != 3 || s.Changed != 1 {
		t.Errorf("%d rows of history, %+v", count(), s)
	}
}

func TestDefinedAttributes(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	b.Track(
		event("u", "Played", 1, `{"minutes":10,"level":{"name":"one"},"hard":true}`), event("u", "Played", 31, `{"minutes":30,"level":{"name":"two"}}`),
		event("u", "Played", 61, `{"minutes":2,"level":{"name":"one"}}`), event("u", "Played", 2, `{"level":{"name":"three"},"minutes":"5"}`),
		event("v", "Played", 3, `{"minutes":7}`), event("w", "Other", 3, `{"minutes":7}`),
	)
	for key, d := range map[string]string{
		"plays":      `{"kind":"aggregate","event":"Played"}`,
		"minutes":    `{"kind":"aggregate","event":"Played","aggregate":"sum","property":"minutes"}`,
		"recent":     `{"kind":"aggregate","event":"Played","aggregate":"sum","property":"minutes","windowDays":30}`,
		"decayed":    `{"kind":"aggregate","event":"Played","aggregate":"count","halfLifeDays":30,"where":[{"property":"minutes","is":">=","value":10}]}`,
		"mean":       `{"kind":"aggregate","event":"Played","aggregate":"avg","property":"minutes"}`,
		"least":      `{"kind":"aggregate","event":"Played","aggregate":"min","property":"minutes"}`,
		"most":       `{"kind":"aggregate","event":"Played","aggregate":"max","property":"minutes"}`,
		"first":      `{"kind":"aggregate","event":"Played","aggregate":"first","property":"level.name"}`,
		"last":       `{"kind":"aggregate","event":"Played","aggregate":"last","property":"level.name"}`,
		"levels":     `{"kind":"aggregate","event":"Played","aggregate":"unique","property":"level.name"}`,
		"hard":       `{"kind":"aggregate","event":"Played","where":[{"property":"hard","is":"=","value":true}]}`,
		"not-two":    `{"kind":"aggregate","event":"Played","where":[{"property":"level.name","is":"!=","value":"two"}]}`,
		"with-level": `{"kind":"aggregate","event":"Played","where":[{"property":"level.name","is":"contains","value":"t"}]}`,
		"by-sql":     `{"kind":"sql","sql":"SELECT profile_id, max(timestamp) > toDateTime('2026-06-14 00:00:00') ? 'now' : 'before' AS value FROM events WHERE event = 'Played' GROUP BY profile_id;"}`,
		"twice":      `{"kind":"sql","sql":"SELECT profile_id AS person_id, 1 AS value FROM events WHERE event = 'Played'"}`,
		"fails":      `{"kind":"sql","sql":"SELECT profile_id AS person_id, throwIf(1, 'no') AS value FROM events"}`,
	} {
		if status, out := b.Call("PUT", "/v1/attributes/"+key, d); status != 200 {
			t.Errorf("%s: %d %v", key, status, out)
		}
	}
	b.compute()
	got := b.attributes("u")
	for name, want := range map[string]any{
		"plays": 4.0, "minutes": 42.0, "recent": 10.0, "mean": 14.0, "least": 2.0, "most": 30.0, "first": "one", "last": "one", "levels": 3.0,
		"hard": 1.0, "not-two": 3.0, "with-level": 2.0, "by-sql": "now", "twice": 1.0, "fails": nil,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if v, _ := got["decayed"].(float64); v < half(1)+half(31)-1e-6 || v > half(1)+half(31)+1e-6 {
		t.Errorf("decayed is %v, want %g", got["decayed"], half(1)+half(31))
	}
	if v := b.attributes("v"); v["plays"] != 1.0 || v["by-sql"] != "before" || v["levels"] != nil {
		t.Errorf("v has %v", v)
	}
	if w := b.attributes("w"); w["plays"] != nil {
		t.Errorf("w has %v", w)
	}
	byKey := map[string]AttributeStatus{}
	for _, s := range b.service.Status().Attributes {
		byKey[s.Key] = s
	}
	if s := byKey["fails"]; !strings.Contains(s.Error, "no") || s.People != 0 {
		t.Errorf("what fails: %+v", s)
	}
	if s := byKey["twice"]; s.People != 2 || s.Dropped != 3 || s.Error != "" {
		t.Errorf("what has people twice: %+v", s)
	}
}

func TestDefinitionsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	for name, tt := range map[string]struct{ key, body, location, message string }{
		"built in":        {"orders", `{"kind":"aggregate","event":"x"}`, "path.key", "always computed"},
		"no event":        {"a", `{"kind":"aggregate"}`, "body.event", "given"},
		"no property":     {"a", `{"kind":"aggregate","event":"x","aggregate":"sum"}`, "body.property", "given"},
		"count of":        {"a", `{"kind":"aggregate","event":"x","property":"y"}`, "body.property", "left out"},
		"counter of max":  {"a", `{"kind":"counter","event":"x","aggregate":"max","property":"y"}`, "body.aggregate", "count or sum"},
		"decaying":        {"a", `{"kind":"counter","event":"x","halfLifeDays":3}`, "body.halfLifeDays", "left out"},
		"window":          {"a", `{"kind":"counter","event":"x","windowDays":-1}`, "body.windowDays", "days"},
		"operator":        {"a", `{"kind":"counter","event":"x","where":[{"property":"y","is":"<","value":"z"}]}`, "body.where[0].value", "number"},
		"no value":        {"a", `{"kind":"counter","event":"x","where":[{"property":"y","is":"="}]}`, "body.where[0].value", "given"},
		"object":          {"a", `{"kind":"counter","event":"x","where":[{"property":"y","is":"=","value":{}}]}`, "body.where[0].value", "number, a text"},
		"sql and event":   {"a", `{"kind":"sql","sql":"SELECT '' AS person_id, 1 AS value","event":"x"}`, "body.event", "left out"},
		"empty sql":       {"a", `{"kind":"sql","sql":" "}`, "body.sql", "SELECT"},
		"no value column": {"a", `{"kind":"sql","sql":"SELECT profile_id FROM events"}`, "body.sql", "column value"},
		"no id column":    {"a", `{"kind":"sql","sql":"SELECT 1 AS value"}`, "body.sql", "column person_id"},
		"a write":         {"a", `{"kind":"sql","sql":"DROP TABLE events"}`, "body.sql", "must be a SELECT"},
		"two statements":  {"a", `{"kind":"sql","sql":"SELECT 1) ; (SELECT 2"}`, "body.sql", "one statement"},
		"a file":          {"a", `{"kind":"sql","sql":"SELECT * FROM file('/etc/passwd')"}`, "body.sql", "file is not allowed"},
		"unknown column":  {"a", `{"kind":"sql","sql":"SELECT colour AS value, profile_id FROM events"}`, "body.sql", "colour"},
	} {
		status, out := b.Call("PUT", "/v1/attributes/"+tt.key, tt.body)
		encoded, _ := json.Marshal(out["errors"])
		if status != 422 || !strings.Contains(string(encoded), `"`+tt.location+`"`) || !strings.Contains(string(encoded), tt.message) {
			t.Errorf("%s: %d %s, want %s with %q", name, status, encoded, tt.location, tt.message)
		}
	}
	var count uint64
	if err := b.ClickHouse.Read.QueryRow(t.Context(), "SELECT count() FROM events").Scan(&count); err != nil {
		t.Errorf("events are gone: %v", err)
	}
}

// What models say of people is read like any other attribute, and goes when the model
// says nothing any more.
func TestScoresOfModels(t *testing.T) {
	t.Parallel()
	b := newBed(t, now)
	query := ""
	b.service.scores = func() string { return query }
	b.Track(event("anna", "Order Completed", 10, `{"order_id":"1","revenue":100}`))
	b.compute()
	if _, there := b.attributes("anna")["churnProbability"]; there {
		t.Fatal("there is a score before there is a model")
	}
	query = `SELECT person_id, '{"churnProbability":0.25,"churnProbabilityHigh":0.3}' AS attributes FROM person_facts GROUP BY person_id`
	b.compute()
	if got := b.attributes("anna"); got["churnProbability"] != .25 || got["churnProbabilityHigh"] != .3 || got["orders"] != 1.0 {
		t.Errorf("%v", got)
	}
	query = ""
	b.compute()
	if _, there := b.attributes("anna")["churnProbability"]; there {
		t.Error("the score stays though no model says it")
	}
}
