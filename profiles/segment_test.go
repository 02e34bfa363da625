package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"quintet/profiles/consents"
	"quintet/profiles/identity"
)

const spenders = `{"rule":{"event":"Order Completed","aggregate":{"function":"sum","property":"revenue","op":"gte","value":100}}}`

func TestASegmentReactsToAnEventWithinASecond(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.track("early", "Order Completed", `{"revenue":120}`)
	b.track("anna", "Order Completed", `{"revenue":60}`)
	b.put("spenders", spenders)
	b.put("calm-spenders", `{"rule":{"all":[{"segment":"spenders"},{"not":{"trait":"angry","op":"eq","value":true}}]}}`)
	if !b.in("early", "spenders")() || !b.in("early", "calm-spenders")() || b.in("anna", "spenders")() {
		t.Fatal("the members at the beginning are wrong")
	}
	sent := time.Now()
	b.track("anna", "Order Completed", `{"revenue":50}`)
	b.eventually("anna is in spenders", 5*time.Second, b.in("anna", "spenders"))
	reaction := time.Since(sent)
	if reaction > time.Second {
		t.Errorf("the segment took %s", reaction)
	}
	b.eventually("anna is in calm-spenders", time.Second, b.in("anna", "calm-spenders"))
	t.Logf("from sending the event to membership: %s", reaction)

	b.ok("POST", "/v1/identify", `{"userId":"anna","traits":{"angry":true}}`)
	b.eventually("anna left calm-spenders", time.Second, b.out("anna", "calm-spenders"))
	if got := b.membership("anna", "calm-spenders"); got != "+change -change" {
		t.Errorf("the history is %q", got)
	}
	if got := b.membership("early", "spenders"); got != "+rule" {
		t.Errorf("the history of who was in from the beginning is %q", got)
	}
	if n := b.count(`SELECT count() FROM events FINAL WHERE event = 'Segment Entered' AND profile_id = ? AND JSONExtractString(properties, 'segment') = 'spenders'`, b.id("anna")); n != 1 {
		t.Errorf("%d events tell that anna entered", n)
	}
	if n := b.count(`SELECT count() FROM events FINAL WHERE event = 'Segment Entered' AND profile_id = ?`, b.id("early")); n != 0 {
		t.Errorf("%d events tell of somebody who was in from the beginning", n)
	}

	answer := b.ok("GET", "/v1/segments/spenders/count", "")
	if answer["members"] != 2.0 || answer["ready"] != true || answer["people"] != 2.0 {
		t.Errorf("count: %v", answer)
	}
	first := b.ok("GET", "/v1/segments/spenders/members?limit=1", "")
	second := b.ok("GET", "/v1/segments/spenders/members?limit=1&after="+first["next"].(string), "")
	a, z := first["items"].([]any)[0].(map[string]any)["profileId"], second["items"].([]any)[0].(map[string]any)["profileId"]
	if a == z || second["next"] != "" {
		t.Errorf("the pages have %v and %v, then %v", a, z, second["next"])
	}
	if in := b.ok("GET", "/v1/profiles/userId:early", "")["segments"]; fmt.Sprint(in) != "[calm-spenders spenders]" {
		t.Errorf("the profile is in %v", in)
	}
}

func TestMembersOutliveARestart(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.put("spenders", spenders)
	b.track("anna", "Order Completed", `{"revenue":60}`)
	b.track("anna", "Order Completed", `{"revenue":50}`)
	b.track("boris", "Order Completed", `{"revenue":60}`)
	b.eventually("anna is in", 5*time.Second, b.in("anna", "spenders"))
	b.flush()
	b.start()
	if _, err := b.segments.waitReady(t.Context(), "spenders"); err != nil {
		t.Fatal(err)
	}
	if !b.in("anna", "spenders")() || !b.out("boris", "spenders")() {
		t.Error("the members are not those of before")
	}
	// What happened before the restart counts for what comes after it.
	b.track("boris", "Order Completed", `{"revenue":50}`)
	b.eventually("boris is in", 5*time.Second, b.in("boris", "spenders"))
	if got := b.membership("anna", "spenders"); got != "+change" {
		t.Errorf("the history of anna is %q: a restart is no change", got)
	}
	if got := b.membership("boris", "spenders"); got != "+change" {
		t.Errorf("the history of boris is %q", got)
	}

	// A new rule makes its changes without events.
	b.put("spenders", strings.Replace(spenders, "100", "1000", 1))
	if b.in("anna", "spenders")() {
		t.Error("anna is in by the old rule")
	}
	if got := b.membership("anna", "spenders"); got != "+change -rule" {
		t.Errorf("the history of anna is %q", got)
	}
	if err := b.segments.definitions.Delete(t.Context(), "spenders", "test"); err != nil {
		t.Fatal(err)
	}
	b.eventually("anna was taken leave of", 5*time.Second, func() bool { return b.segments.members.count(1) == 0 && len(b.segments.plan.Load().keys) == 0 })
	b.put("spenders", spenders)
	if got := b.membership("anna", "spenders"); got != "+change -rule +rule" {
		t.Errorf("the history of anna is %q", got)
	}
}

func TestTimeAloneEndsAMembership(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.put("lately", `{"rule":{"event":"Visited","window":{"last":"30d"}}}`)
	b.track("anna", "Visited", `{}`)
	b.eventually("anna is in", 5*time.Second, b.in("anna", "lately"))
	b.at(func() time.Time { return time.Now().Add(30*24*time.Hour + time.Second) })
	b.eventually("the window has run out", 5*time.Second, b.out("anna", "lately"))
	if got := b.membership("anna", "lately"); got != "+change -change" {
		t.Errorf("the history is %q", got)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.put("spenders", spenders)
	b.track("anna", "Order Completed", `{"revenue":160}`)
	b.track("boris", "Order Completed", `{"revenue":16}`)
	b.eventually("anna is in", 5*time.Second, b.in("anna", "spenders"))
	frozen := b.ok("POST", "/v1/segments/spenders/freeze", `{"key":"spenders-now","name":"Spenders as they were"}`)
	if frozen["kind"] != "static" || frozen["frozen"].(map[string]any)["members"] != 1.0 || frozen["rule"] == nil {
		t.Errorf("the frozen segment is %v", frozen)
	}
	b.track("boris", "Order Completed", `{"revenue":116}`)
	b.eventually("boris is in spenders", 5*time.Second, b.in("boris", "spenders"))
	if _, err := b.segments.waitReady(t.Context(), "spenders-now"); err != nil {
		t.Fatal(err)
	}
	if !b.in("anna", "spenders-now")() || b.in("boris", "spenders-now")() {
		t.Error("the frozen list has changed")
	}
	if status, answer := b.call("POST", "/v1/segments/spenders/freeze", `{"key":"spenders-now"}`); status != 422 {
		t.Errorf("freezing under a taken key answered %d %v", status, answer)
	}

	b.put("guests", `{"kind":"static","name":"Guests"}`)
	b.put("guest-spenders", `{"rule":{"all":[{"segment":"guests"},{"segment":"spenders"}]}}`)
	answer := b.ok("POST", "/v1/segments/guests/members", fmt.Sprintf(`{"ids":["userId:boris",%q,"userId:nobody"]}`, b.id("anna")))
	if answer["changed"] != 2.0 || answer["members"] != 2.0 || fmt.Sprint(answer["unknown"]) != "[userId:nobody]" {
		t.Errorf("enlisting answered %v", answer)
	}
	b.eventually("boris is a guest who spends", time.Second, b.in("boris", "guest-spenders"))
	answer = b.ok("DELETE", "/v1/segments/guests/members", `{"ids":["userId:boris"]}`)
	if answer["changed"] != 1.0 || answer["members"] != 1.0 {
		t.Errorf("taking off answered %v", answer)
	}
	b.eventually("boris is no guest", time.Second, b.out("boris", "guest-spenders"))
	if status, _ := b.call("POST", "/v1/segments/spenders/members", `{"ids":["userId:boris"]}`); status != 409 {
		t.Errorf("putting people into a dynamic segment answered %d", status)
	}
	b.flush()
	b.start()
	if _, err := b.segments.waitReady(t.Context(), "guests"); err != nil {
		t.Fatal(err)
	}
	if !b.in("anna", "guests")() || b.in("boris", "guests")() {
		t.Error("the list is not what it was before the restart")
	}
}

func TestRefusedSegments(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.put("a", `{"rule":{"trait":"x","op":"exists"}}`)
	b.put("b", `{"rule":{"segment":"a"}}`)
	b.put("c", `{"rule":{"any":[{"trait":"y","op":"exists"},{"segment":"b"}]}}`)
	for _, c := range []struct{ name, key, body, location, message string }{
		{"itself", "d", `{"rule":{"segment":"d"}}`, "body.rule.segment", "must not make the segment refer to itself: d → d"},
		{"itself through others", "a", `{"rule":{"all":[{"not":{"segment":"c"}}]}}`, "body.rule.all[0].not.segment", "must not make the segment refer to itself: a → c → b → a"},
		{"nothing", "d", `{"rule":{"segment":"zzz"}}`, "body.rule.segment", "must be the key of a segment"},
		{"no rule", "d", `{}`, "body.rule", "must be there"},
		{"unknown kind", "d", `{"kind":"magic"}`, "body.kind", ""},
		{"bad op", "d", `{"rule":{"all":[{"trait":"x","op":"exists"},{"any":[{"trait":"x","op":"like","value":1}]}]}}`, "body.rule.all[1].any[0].op", "must be one of exists"},
	} {
		status, answer := b.call("PUT", "/v1/segments/"+c.key, c.body)
		text, _ := json.Marshal(answer)
		found := false
		list, _ := answer["errors"].([]any)
		for _, e := range list {
			e := e.(map[string]any)
			found = found || e["location"] == c.location && strings.Contains(e["message"].(string), c.message)
		}
		if status != 422 || !found {
			t.Errorf("%s answered %d %s, want %s %q", c.name, status, text, c.location, c.message)
		}
	}
}

func TestMergedPeopleAreOneMember(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.put("spenders", spenders)
	b.ok("POST", "/v1/track", `{"anonymousId":"browser","event":"Order Completed","properties":{"revenue":60}}`)
	b.track("anna", "Order Completed", `{"revenue":60}`)
	b.flush()
	if b.in("anna", "spenders")() {
		t.Fatal("anna is in before she is known to be both")
	}
	b.ok("POST", "/v1/alias", `{"previousId":"browser","userId":"anna"}`)
	b.ok("POST", "/v1/identify", `{"anonymousId":"browser","userId":"anna"}`)
	anonymous := NewID(Identifier{Namespace: "anonymousId", Value: "browser"})
	b.flush()
	if a, z := b.person(anonymous), b.person(b.id("anna")); a != z {
		t.Skipf("the service did not merge %s and %s", a, z)
	}
	b.eventually("anna is in with both orders", 5*time.Second, b.in("anna", "spenders"))
	if !b.segments.InSegment(anonymous, "spenders") {
		t.Error("the other profile of the same person is not in")
	}
	if n := b.segments.Count("spenders"); n != 1 {
		t.Errorf("there are %d members", n)
	}
	// Everybody is in the table once, and SQL says the same.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := b.segments.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	b.eventually("the table has one person", 10*time.Second, func() bool { return b.count(`SELECT count() FROM people FINAL`) == 1 })
	b.eventually("the map of people is in ClickHouse", 10*time.Second, func() bool { return b.count(`SELECT count() FROM person_map`) > 0 })
	got, err := b.segments.Estimate(t.Context(), json.RawMessage(`{"event":"Order Completed","times":{"exactly":2}}`), []string{"spenders"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "clickhouse" || got.Size != 1 || got.People != 1 || got.Overlaps[0].Size != 1 {
		t.Errorf("the estimate is %+v", got)
	}
}

func TestThePeopleTableFollowsMemory(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.ok("POST", "/v1/identify", `{"userId":"anna","traits":{"age":31,"email":"anna@example.org","vip":true,"tags":["a",5,false],"born":"1990-02-28","address":{"city":"Oslo"},"gone":null}}`)
	row := func(expression string) string {
		var text string
		if err := b.clickhouse.Read.QueryRow(t.Context(), `SELECT toString(`+expression+`) FROM people FINAL WHERE person_id = ?`, b.id("anna")).Scan(&text); err != nil {
			return err.Error()
		}
		return text
	}
	b.eventually("anna is in the table", 10*time.Second, func() bool { return row("trait_numbers['age']") == "31" })
	for expression, want := range map[string]string{
		"trait_names": "['address','address.city','age','born','email','tags','vip']", "trait_texts['address.city']": "Oslo", "trait_flags['vip']": "true",
		"trait_dates['born']": "1990-02-28 00:00:00.000", "trait_lists['tags']": "['ta','n5','bfalse']", "event_count": "1", "identifiers['userId']": "['anna']",
	} {
		if got := row(expression); got != want {
			t.Errorf("%s is %s, want %s", expression, got, want)
		}
	}
	// What changes while nobody writes the table is found at the next start.
	b.stop()
	if err := b.clickhouse.Write.Exec(t.Context(), `TRUNCATE TABLE people`); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.eventually("anna is in the table again", 10*time.Second, func() bool { return row("trait_numbers['age']") == "31" })
}

func TestASegmentTooLargeForMemoryIsAskedOfClickHouse(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	for i := range 5 {
		b.track(fmt.Sprintf("u%d", i), "Order Completed", `{"revenue":160}`)
	}
	b.flush()
	b.segments.histories.limit = 3
	b.put("spenders", spenders)
	b.eventually("everybody is in", 10*time.Second, func() bool { return b.segments.Count("spenders") == 5 })
	if answer := b.ok("GET", "/v1/segments/spenders/count", ""); answer["asked"] != true {
		t.Errorf("the count says %v", answer)
	}
	b.track("late", "Order Completed", `{"revenue":160}`)
	b.eventually("whoever comes later is in too", 10*time.Second, b.in("late", "spenders"))
}

func TestSegmentsOfConsents(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	declare := func(key string, p consents.Purpose) {
		if _, err := b.service.purposes.Put(t.Context(), key, p, "test", 0); err != nil {
			t.Fatal(err)
		}
	}
	declare("marketing", consents.Purpose{Title: "Marketing"})
	b.put("mail", `{"rule":{"consent":{"purpose":"marketing","channel":"email"}}}`)
	b.put("refused", `{"rule":{"consent":{"purpose":"marketing","channel":"email","status":"withdrawn"}}}`)
	b.track("anna", "Visited", `{}`)
	b.track("boris", "Visited", `{}`)
	b.flush()
	soon := time.Now().Add(time.Hour)
	b.ok("POST", "/v1/profiles/userId:anna/consents", fmt.Sprintf(`{"statements":[{"purpose":"marketing","status":"granted","expiresAt":%q}]}`, soon.Format(time.RFC3339)))
	b.eventually("anna consents to mail", 5*time.Second, b.in("anna", "mail"))
	b.ok("POST", "/v1/profiles/userId:boris/consents", `{"statements":[{"purpose":"marketing","channel":"email","status":"withdrawn"}]}`)
	b.eventually("boris refused", 5*time.Second, b.in("boris", "refused"))
	// The table says the same as memory.
	ask := func(status string) int {
		got, err := b.segments.Estimate(t.Context(), json.RawMessage(`{"all":[{"consent":{"purpose":"marketing","channel":"email","status":"`+status+`"}},{"event":"Visited"}]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Method != "clickhouse" {
			t.Fatalf("the method is %s", got.Method)
		}
		return got.Size
	}
	b.eventually("the table has anna's consent", 10*time.Second, func() bool { return ask("granted") == 1 })
	b.eventually("the table has the refusal", 10*time.Second, func() bool { return ask("withdrawn") == 1 })
	if b.in("boris", "mail")() || b.in("anna", "refused")() {
		t.Error("the consents are mixed up")
	}
	b.at(func() time.Time { return soon.Add(time.Minute) })
	b.eventually("anna's consent has expired", 5*time.Second, b.out("anna", "mail"))
	// A purpose that holds without a statement concerns everybody at once.
	b.at(time.Now)
	declare("service", consents.Purpose{Basis: consents.BasisInterest, Default: consents.Granted})
	b.put("served", `{"rule":{"consent":{"purpose":"service"}}}`)
	if !b.in("anna", "served")() || !b.in("boris", "served")() {
		t.Error("a purpose that holds by default does not hold")
	}
}

func TestErasedPeopleLeaveNoTrace(t *testing.T) {
	t.Parallel()
	b := newSegmentBed(t)
	b.put("spenders", spenders)
	b.track("anna", "Order Completed", `{"revenue":160}`)
	b.track("boris", "Order Completed", `{"revenue":160}`)
	b.eventually("both are in", 5*time.Second, func() bool { return b.in("anna", "spenders")() && b.in("boris", "spenders")() })
	b.flush()
	b.eventually("both are in the table", 10*time.Second, func() bool { return b.count(`SELECT count() FROM people FINAL`) == 2 })
	anna, _ := identity.ParseID(b.id("anna"))
	for range 2 {
		if err := b.segments.Erase(t.Context(), []identity.ID{anna}); err != nil {
			t.Fatal(err)
		}
	}
	if b.in("anna", "spenders")() || b.segments.Count("spenders") != 1 || b.segments.histories.total.Load() != 1 || len(b.segments.histories.copyOf([]identity.ID{anna}, 1)) != 0 {
		t.Error("memory still has something of anna")
	}
	for _, table := range []string{"people", "segment_membership"} {
		if n := b.count(`SELECT count() FROM `+table+` WHERE person_id = ?`, b.id("anna")); n != 0 {
			t.Errorf("%s has %d rows of anna", table, n)
		}
		if n := b.count(`SELECT count() FROM `+table+` WHERE person_id = ?`, b.id("boris")); n == 0 {
			t.Errorf("%s has lost boris", table)
		}
	}
}
