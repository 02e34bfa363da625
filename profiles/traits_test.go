package profiles

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"quintet/internal/stream"
	"quintet/profiles/traits"
)

// eventually calls f until it is true.
func (b *bed) eventually(what string, f func() bool) {
	b.t.Helper()
	for range 500 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatalf("%s did not happen", what)
}

// traitsOf are the traits of a profile as the API shows them.
func (b *bed) traitsOf(id string) map[string]any {
	b.t.Helper()
	status, out := b.call("GET", "/v1/profiles/"+id, "")
	if status != 200 {
		b.t.Fatalf("reading %s: %d %v", id, status, out)
	}
	return out["traits"].(map[string]any)
}

// lineageOf is the lineage of one trait: "value source chosen rejected".
func (b *bed) lineageOf(id, trait string) []string {
	b.t.Helper()
	status, out := b.call("GET", "/v1/profiles/"+id+"?lineage=true", "")
	if status != 200 {
		b.t.Fatalf("reading %s: %d %v", id, status, out)
	}
	var list []string
	for _, f := range out["lineage"].([]any) {
		f := f.(map[string]any)
		if f["trait"] == trait {
			rejected, _ := f["rejected"].(string)
			list = append(list, fmt.Sprintf("%v by %v in %v chosen %v %s", f["value"], f["source"], f["messageId"], f["chosen"], rejected))
		}
	}
	return list
}

func (b *bed) must(key, method, path, body string) map[string]any {
	b.t.Helper()
	status, out := b.callAs(key, method, path, body)
	if status >= 300 {
		b.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

func declare(kind traits.Type, rule traits.Survivorship, sources ...string) traits.Declaration {
	return traits.Declaration{Type: kind, Survivorship: rule, Sources: sources}
}

func TestLineageTellsEachSource(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.must("admin", "PUT", "/v1/traits/city", `{"type":"text","survivorship":"trusted","sources":["key-crm"],"personal":true}`)
	b.must("admin", "PUT", "/v1/traits/age", `{"type":"number","min":0}`)
	identify := func(key, message, at, traits string) {
		b.must(key, "POST", "/v1/identify", `{"userId":"u1","messageId":"`+message+`","timestamp":"`+at+`","traits":`+traits+`}`)
	}
	identify("crm", "m1", "2026-01-01T00:00:00Z", `{"city":"Berlin","first_name":"Anna","age":"41"}`)
	identify("good", "m2", "2026-02-01T00:00:00Z", `{"city":"Hamburg","age":"old"}`)
	b.flush()
	if got, want := b.traitsOf("userId:u1"), map[string]any{"city": "Berlin", "firstName": "Anna", "age": 41.0}; !reflect.DeepEqual(got, want) {
		t.Fatalf("traits %v, want %v", got, want)
	}
	check := func(trait string, want ...string) {
		t.Helper()
		if got := b.lineageOf("userId:u1", trait); !reflect.DeepEqual(got, want) {
			t.Errorf("lineage of %s:\n%q, want\n%q", trait, got, want)
		}
	}
	check("city", "Berlin by key-crm in m1 chosen true ", "Hamburg by key-1 in m2 chosen false ")
	check("age", "41 by key-crm in m1 chosen true ", "old by key-1 in m2 chosen false must be of the type number")
	check("firstName", "Anna by key-crm in m1 chosen true ")

	// A changed rule counts for everybody, without any event, and outlives a restart.
	b.must("admin", "PUT", "/v1/traits/city", `{"type":"text"}`)
	b.eventually("choosing again", func() bool { return b.traitsOf("userId:u1")["city"] == "Hamburg" })
	stored := func() (city string) {
		if err := b.postgres.QueryRow(t.Context(), `SELECT traits ->> 'city' FROM profiles`).Scan(&city); err != nil {
			t.Fatal(err)
		}
		return city
	}
	b.eventually("saving what was chosen again", func() bool { return stored() == "Hamburg" })
	b.open()
	check("city", "Hamburg by key-1 in m2 chosen true ", "Berlin by key-crm in m1 chosen false ")
	check("age", "41 by key-crm in m1 chosen true ", "old by key-1 in m2 chosen false must be of the type number")

	// A rule that changed while nothing ran.
	if _, err := b.service.traits.Put(t.Context(), "city", declare("text", "trusted", "key-crm"), "test", 0); err != nil {
		t.Fatal(err)
	}
	b.open()
	if city := b.traitsOf("userId:u1")["city"]; city != "Berlin" {
		t.Errorf("city %v after a restart", city)
	}
	if n := b.service.Store().TraitRejections()["age"]; n != 0 {
		t.Errorf("%d rejections counted although the state came from Postgres", n)
	}
}

func TestTraitsAreEditedByHand(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.must("admin", "PUT", "/v1/traits/age", `{"type":"number"}`)
	b.must("admin", "PUT", "/v1/traits/plan", `{"type":"text","survivorship":"confidence"}`)
	b.must("good", "POST", "/v1/identify", `{"anonymousId":"a1","traits":{"plan":"free"}}`)
	b.must("good", "POST", "/v1/track", `{"event":"Bought","context":{"externalIds":[{"type":"card","id":"c7"}]}}`)
	b.flush()
	if status, _ := b.callAs("good", "PATCH", "/v1/profiles/anonymousId:a1/traits", `{"traits":{"plan":"pro"}}`); status != 403 {
		t.Errorf("editing with the scope ingest: %d", status)
	}
	for _, id := range []string{"anonymousId:a1", "card:c7"} {
		out := b.must("admin", "PATCH", "/v1/profiles/"+id+"/traits", `{"traits":{"plan":"pro","age":"42","Last_Name":"Li"}}`)
		if out["applied"] != true || len(out["lineage"].([]any)) < 3 || out["lineage"].([]any)[0].(map[string]any)["messageId"] != out["messageId"] {
			t.Errorf("%s: %v", id, out)
		}
		if got, want := b.traitsOf(id), map[string]any{"plan": "pro", "age": 42.0, "lastName": "Li"}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: traits %v, want %v", id, got, want)
		}
	}
	// A source that is not so sure does not overwrite what was edited.
	b.must("good", "POST", "/v1/identify", `{"anonymousId":"a1","traits":{"plan":"free again"}}`)
	b.flush()
	if got := b.traitsOf("anonymousId:a1")["plan"]; got != "pro" {
		t.Errorf("plan %v", got)
	}
	for _, tt := range []struct{ body, location string }{
		{`{"traits":{"age":"forty"}}`, "body.traits.age"},
		{`{"traits":{}}`, "body.traits"},
		{`{"traits":{"first_name":"a","firstName":"b"}}`, "body.traits."},
		{`{}`, "body"},
	} {
		status, out := b.callAs("admin", "PATCH", "/v1/profiles/anonymousId:a1/traits", tt.body)
		errs, _ := out["errors"].([]any)
		if status != 422 || len(errs) == 0 || len(errs[0].(map[string]any)["location"].(string)) < len(tt.location) {
			t.Errorf("%s: %d %v", tt.body, status, out)
		}
	}
	if status, _ := b.callAs("admin", "PATCH", "/v1/profiles/userId:nobody/traits", `{"traits":{"a":1}}`); status != 404 {
		t.Errorf("editing nobody: %d", status)
	}
}
