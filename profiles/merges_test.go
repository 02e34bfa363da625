package profiles

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/internal/stream"
	"quintet/profiles/identity"
)

func (b *bed) sendAs(key, kind, body string) {
	b.t.Helper()
	if status, out := b.callAs(key, "POST", "/v1/"+kind, body); status != http.StatusOK {
		b.t.Fatalf("%s: %d %v", body, status, out)
	}
}

// profileOf is the page of a profile without what changes by the moment.
func (b *bed) profileOf(id string) map[string]any {
	b.t.Helper()
	status, out := b.call("GET", "/v1/profiles/"+id, "")
	if status != http.StatusOK {
		b.t.Fatalf("%s: %d %v", id, status, out)
	}
	return out
}

func edgesOf(out map[string]any) []map[string]any {
	var edges []map[string]any
	for _, e := range out["edges"].([]any) {
		edges = append(edges, e.(map[string]any))
	}
	return edges
}

func TestPeopleAreJoinedAndToldApart(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	user, browser := Identifier{Namespace: "userId", Value: "u1"}, Identifier{Namespace: "anonymousId", Value: "a1"}
	b.sendAs("good", "track", `{"anonymousId":"a1","event":"Product Viewed","messageId":"m1","timestamp":"2026-01-01T10:00:00Z"}`)
	b.sendAs("good", "identify", `{"userId":"u1","messageId":"m2","timestamp":"2026-01-02T10:00:00Z","traits":{"name":"Anna","plan":"old"}}`)
	b.sendAs("good", "identify", `{"anonymousId":"a1","messageId":"m3","timestamp":"2026-01-03T10:00:00Z","traits":{"plan":"new"}}`)
	b.flush()
	unit := func(id Identifier) string {
		v, ok := b.service.Store().Lookup([]Identifier{id})
		if !ok {
			t.Fatalf("%v is unknown", id)
		}
		return v.ID
	}
	userUnit, browserUnit := unit(user), unit(browser)
	b.sendAs("good", "track", `{"userId":"u1","anonymousId":"a1","event":"Signed In","messageId":"m4"}`)
	b.flush()

	joined := func() {
		t.Helper()
		for _, id := range []string{"userId:u1", "anonymousId:a1", userUnit, browserUnit} {
			p := b.profileOf(id)
			traits := p["traits"].(map[string]any)
			if p["profileId"] != browserUnit || len(p["profiles"].([]any)) != 2 || len(p["identifiers"].([]any)) != 2 ||
				traits["name"] != "Anna" || traits["plan"] != "new" {
				t.Errorf("%s shows %v", id, p)
			}
			if n := len(p["events"].([]any)); float64(n) != p["eventCount"] || n < 4 {
				t.Errorf("%s shows %d events of %v", id, n, p["eventCount"])
			}
		}
		for _, query := range []string{"", "?query=u1", "?query=a1", "?query=Anna"} {
			if _, out := b.call("GET", "/v1/profiles"+query, ""); len(out["items"].([]any)) != 1 {
				t.Errorf("the list %q has %v", query, out["items"])
			}
		}
		if v, _ := b.service.Store().Lookup([]Identifier{user}); v.ID != userUnit || v.Person != browserUnit || v.Traits["plan"] != "new" {
			t.Errorf("a decision sees %+v", v)
		}
		// Arms do not move: the unit of both names is what it was.
		if unit(user) != userUnit || unit(browser) != browserUnit {
			t.Error("the unit of an experiment moved")
		}
		if n := b.service.Store().People(); n != 1 {
			t.Errorf("%d people", n)
		}
	}
	apart := func() {
		t.Helper()
		if p := b.profileOf("userId:u1"); p["profileId"] != userUnit || p["profiles"] != nil || p["traits"].(map[string]any)["plan"] != "old" {
			t.Errorf("the user shows %v", p)
		}
		if p := b.profileOf("anonymousId:a1"); p["profileId"] != browserUnit || len(p["identifiers"].([]any)) != 1 {
			t.Errorf("the browser shows %v", p)
		}
		if _, out := b.call("GET", "/v1/profiles", ""); len(out["items"].([]any)) != 2 {
			t.Errorf("the list has %v", out["items"])
		}
		if unit(user) != userUnit || unit(browser) != browserUnit {
			t.Error("the unit of an experiment moved")
		}
	}
	joined()
	b.open() // from Postgres
	joined()

	_, out := b.call("GET", "/v1/profiles/userId:u1/identity", "")
	edges := edgesOf(out)
	if len(edges) != 1 || edges[0]["rule"] != "sign-in" || edges[0]["evidence"] != "m4" || edges[0]["source"] != "key-1" || edges[0]["live"] != true || edges[0]["explicit"] != false {
		t.Fatalf("identity: %v", out)
	}
	edge := edges[0]["id"].(string)
	status, out := b.callAs("admin", "POST", "/v1/profiles/userId:u1/unmerge", fmt.Sprintf(`{"edge":%q,"reason":"sisters"}`, edge))
	if edges := edgesOf(out); status != http.StatusOK || len(edges) != 2 || edges[0]["kind"] != "unmerge" || edges[0]["reason"] != "sisters" ||
		!strings.Contains(fmt.Sprint(edges[0]["by"]), "boss") || edges[1]["live"] != false {
		t.Fatalf("un-merging: %d %v", status, out)
	}
	apart()
	// The same evidence again, and everything from the stores again.
	b.sendAs("good", "track", `{"userId":"u1","anonymousId":"a1","event":"Signed In","messageId":"m5"}`)
	b.sendAs("admin", "track", `{"userId":"u1","anonymousId":"a1","event":"Signed In","messageId":"m6"}`)
	b.flush()
	apart()
	b.open()
	apart()
	b.sendAs("good", "track", `{"userId":"u1","anonymousId":"a1","event":"Signed In","messageId":"m7"}`)
	b.flush()
	apart()

	status, out = b.callAs("admin", "POST", "/v1/profiles/userId:u1/merge", `{"with":"anonymousId:a1","reason":"no sisters"}`)
	if status != http.StatusOK || out["personId"] != browserUnit || len(out["profiles"].([]any)) != 2 {
		t.Fatalf("merging: %d %v", status, out)
	}
	b.flush()
	joined()
	status, out = b.callAs("admin", "POST", "/v1/profiles/userId:u1/unmerge", fmt.Sprintf(`{"profile":%q}`, userUnit))
	if status != http.StatusOK || out["personId"] != userUnit {
		t.Fatalf("taking a profile out: %d %v", status, out)
	}
	apart()

	_, out = b.call("GET", "/v1/merges?limit=3", "")
	var kinds []string
	for _, e := range out["items"].([]any) {
		kinds = append(kinds, fmt.Sprint(e.(map[string]any)["kind"]))
	}
	if got := strings.Join(kinds, " "); got != "unmerge merge unmerge" {
		t.Errorf("the log has %q", got)
	}
	_, out = b.call("GET", fmt.Sprintf("/v1/merges?limit=3&before=%.0f", out["next"]), "")
	if items := out["items"].([]any); len(items) != 1 || items[0].(map[string]any)["id"] != edge || out["next"] != 0.0 {
		t.Errorf("the second page: %v", out)
	}

	for _, tc := range []struct {
		key, path, body string
		status          int
		says            string
	}{
		{"good", "userId:u1/merge", `{"with":"anonymousId:a1"}`, 403, "identity"},
		{"admin", "userId:nobody/merge", `{"with":"anonymousId:a1"}`, 404, "profile"},
		{"admin", "userId:u1/merge", `{"with":"userId:nobody"}`, 422, "body.with"},
		{"admin", "userId:u1/merge", `{}`, 422, "with"},
		{"admin", "userId:u1/merge", `{"with":"userId:u1"}`, 409, "already"},
		{"admin", "userId:u1/unmerge", `{}`, 422, "either edge or profile"},
		{"admin", "userId:u1/unmerge", `{"edge":"x","profile":"y"}`, 422, "either edge or profile"},
		{"admin", "userId:u1/unmerge", `{"edge":"nope"}`, 422, "body.edge"},
		{"admin", "userId:u1/unmerge", fmt.Sprintf(`{"edge":%q}`, edge), 409, "revoked"},
		{"admin", "userId:u1/unmerge", `{"profile":"anonymousId:a1"}`, 409, "not joined"},
	} {
		status, out := b.callAs(tc.key, "POST", "/v1/profiles/"+tc.path, tc.body)
		if status != tc.status || !strings.Contains(fmt.Sprint(out), tc.says) {
			t.Errorf("%s %s: %d %v", tc.path, tc.body, status, out)
		}
	}
}

// Only a source that has proved who it is joins two known people.
func TestOnlyTrustedSourcesJoinKnownPeople(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.sendAs("good", "identify", `{"anonymousId":"a","traits":{"email":"anna@example.org"}}`)
	b.sendAs("good", "identify", `{"userId":"u","traits":{"plan":"pro"}}`)
	same := func() bool {
		b.flush()
		return b.profileOf("email:anna@example.org")["profileId"] == b.profileOf("userId:u")["profileId"]
	}
	b.sendAs("good", "identify", `{"userId":"u","traits":{"email":"anna@example.org"}}`)
	if same() {
		t.Error("a browser's key joined two known people")
	}
	b.sendAs("", "identify", `{"writeKey":"admin","userId":"u","traits":{"email":"anna@example.org"}}`)
	if same() {
		t.Error("a key in the body joined two known people")
	}
	b.sendAs("admin", "identify", `{"userId":"u","traits":{"email":"Anna@example.org"}}`)
	if !same() {
		t.Error("a trusted source did not join them")
	}
}

func TestEventsOfNobodyAreStored(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.sendAs("good", "track", `{"userId":"undefined","event":"Bought","messageId":"m1"}`)
	b.sendAs("good", "track", `{"userId":"null","anonymousId":"a","event":"Bought","messageId":"m2"}`)
	b.sendAs("good", "track", `{"userId":"0","event":"Experiment Viewed","messageId":"m3","properties":{"experimentId":"hero","variationId":"B"}}`)
	b.flush()
	if n := b.count("SELECT count() FROM events WHERE profile_id = '' AND user_id IN ('undefined', '0')"); n != 2 {
		t.Errorf("%d events of nobody", n)
	}
	if n := b.count("SELECT count() FROM events WHERE profile_id = ? AND user_id = 'null'", NewID(Identifier{Namespace: "anonymousId", Value: "a"})); n != 1 {
		t.Errorf("%d events of the browser", n)
	}
	if n := b.count("SELECT count() FROM exposures"); n != 0 {
		t.Errorf("%d exposures of nobody", n)
	}
	if n := b.service.Store().Len(); n != 1 {
		t.Errorf("%d profiles", n)
	}
}

func TestRulesOfIdentity(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.sendAs("good", "identify", `{"userId":"u","traits":{"phone":"8 (912) 345-67-89"}}`)
	b.flush()
	_, rules := b.call("GET", "/v1/identity-rules", "")
	if rules["version"] != 0.0 || len(rules["namespaces"].([]any)) != 8 || rules["sharedDeviceUsers"] != 3.0 {
		t.Fatalf("the default rules: %v", rules)
	}
	put := `{"namespaces":[{"namespace":"userid","limit":1,"unique":true},{"namespace":"email","limit":1,"period":"month","joins":true}],
		"blocked":["shop@*"],"sharedDeviceUsers":5,"phoneRegion":"ru"}`
	if status, _ := b.call("PUT", "/v1/identity-rules", put); status != http.StatusForbidden {
		t.Errorf("a key that may not: %d", status)
	}
	if status, out := b.callAs("admin", "PUT", "/v1/identity-rules", put); status != http.StatusOK || out["version"] != 1.0 || out["phoneRegion"] != "RU" {
		t.Fatalf("new rules: %d %v", status, out)
	}
	if status, out := b.callAs("admin", "PUT", "/v1/identity-rules", `{"namespaces":[{"namespace":"userId","limit":0}],"blocked":[],"sharedDeviceUsers":5}`); status != 422 ||
		!strings.Contains(fmt.Sprint(out), "namespaces[0].limit") {
		t.Errorf("bad rules: %d %v", status, out)
	}
	b.sendAs("good", "identify", `{"userId":"u","traits":{"email":"shop@example.org"}}`)
	b.sendAs("good", "identify", `{"userId":"u","traits":{"email":"u@example.org"}}`)
	b.sendAs("good", "identify", `{"userId":"u","traits":{"email":"second@example.org"}}`)
	b.sendAs("good", "identify", `{"userId":"v","traits":{"phone":"8 (912) 345-67-00"}}`)
	b.flush()
	for id, status := range map[string]int{
		"email:shop@example.org": 404, "email:u@example.org": 200, "email:second@example.org": 404, "phone:+79123456700": 200, "phone:89123456700": 200,
	} {
		if got, _ := b.call("GET", "/v1/profiles/"+strings.ReplaceAll(id, "+", "%2B"), ""); got != status {
			t.Errorf("%s: %d, want %d", id, got, status)
		}
	}
	if _, out := b.call("GET", "/v1/profiles?query=EMAIL:u@ex", ""); len(out["items"].([]any)) != 1 {
		t.Errorf("a search in a namespace: %v", out)
	}
	// After a restart the old number is found in its new form too.
	b.open()
	if got, _ := b.call("GET", "/v1/profiles/phone:%2B79123456789", ""); got != http.StatusOK {
		t.Errorf("the number from before the region was set: %d", got)
	}
	b.sendAs("good", "identify", `{"userId":"u","traits":{"email":"third@example.org"}}`)
	b.flush()
	if got, _ := b.call("GET", "/v1/profiles/email:third@example.org", ""); got != http.StatusNotFound {
		t.Errorf("a second address within a month, after a restart: %d", got)
	}
}

// Whatever happens in whatever order, and whenever the service starts anew,
// memory, Postgres and ClickHouse have the same people, and the map in
// ClickHouse as of every moment is what memory had then.
func TestPeopleAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	random := rand.New(rand.NewPCG(7, 11))
	type moment struct {
		at     time.Time
		people map[string]string
	}
	var history []moment
	bases := func() map[string]string {
		people := map[string]string{}
		for i := range b.service.store.shards {
			sh := &b.service.store.shards[i]
			sh.mu.RLock()
			for id := range sh.people {
				people[id.String()] = ""
			}
			sh.mu.RUnlock()
		}
		for text := range people {
			id, _ := identity.ParseID(text)
			people[text] = b.service.store.PersonOf(id).String()
		}
		return people
	}
	name := func() string {
		if random.IntN(2) == 0 {
			return fmt.Sprintf("userId:u%d", random.IntN(5))
		}
		return fmt.Sprintf("anonymousId:a%d", random.IntN(6))
	}
	for step := range 70 {
		switch what := random.IntN(10); {
		case what < 5:
			body := fmt.Sprintf(`{"userId":"u%d","anonymousId":"a%d","event":"E"}`, random.IntN(5), random.IntN(6))
			if random.IntN(3) == 0 {
				body = fmt.Sprintf(`{"anonymousId":"a%d","event":"E"}`, random.IntN(6))
			}
			b.sendAs("good", "track", body)
		case what < 7:
			b.callAs("admin", "POST", "/v1/profiles/"+name()+"/merge", fmt.Sprintf(`{"with":%q}`, name()))
		case what < 9:
			id := name()
			if status, out := b.call("GET", "/v1/profiles/"+id+"/identity", ""); status == http.StatusOK {
				for _, e := range edgesOf(out) {
					if e["live"] == true {
						b.callAs("admin", "POST", "/v1/profiles/"+id+"/unmerge", fmt.Sprintf(`{"edge":%q}`, e["id"]))
						break
					}
				}
			}
		default:
			b.open()
		}
		if step%5 == 0 {
			b.flush()
			history = append(history, moment{time.Now(), bases()})
			time.Sleep(3 * time.Millisecond)
		}
	}
	b.flush()
	merged := 0
	for i, m := range history {
		for profile, person := range m.people {
			var got string
			err := b.clickhouse.Read.QueryRow(t.Context(), `SELECT argMax(person_id, (valid_from, stamp)) FROM person_map
				WHERE profile_id = ? AND valid_from <= fromUnixTimestamp64Milli(?)`, profile, m.at.UnixMilli()).Scan(&got)
			if err != nil {
				t.Fatal(err)
			}
			if got == "" {
				got = profile
			}
			if got != person {
				t.Errorf("as of moment %d, %s is %s in ClickHouse and was %s in memory", i, profile, got, person)
			}
			if person != profile {
				merged++
			}
		}
	}
	if merged < 20 {
		t.Errorf("only %d profiles were merged at some moment; the test shows little", merged)
	}
	fresh := newStore()
	if _, err := fresh.load(t.Context(), b.postgres, Topic); err != nil {
		t.Fatal(err)
	}
	for profile, person := range bases() {
		id, _ := identity.ParseID(profile)
		if got := fresh.PersonOf(id).String(); got != person {
			t.Errorf("%s is %s in Postgres and %s in memory", profile, got, person)
		}
	}
}
