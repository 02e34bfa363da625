package profiles

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"quintet/internal/stream"
)

// remove deletes what is under a path.
func (b *bed) remove(path string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodDelete, b.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer admin")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		b.t.Fatalf("deleting %s: %d", path, resp.StatusCode)
	}
}

func TestSuppressedAddresses(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.must("good", "POST", "/v1/identify", `{"userId":"u1","traits":{"email":"anna@example.org"}}`)
	b.must("good", "POST", "/v1/identify", `{"userId":"u2","traits":{"email":"Both@Example.org"},"context":{"externalIds":[{"type":"email","id":"second@example.org"}]}}`)
	b.flush()
	mail := Contact{Channel: "email", Namespace: "email"}
	receipt, shown := mail, Contact{Channel: "banner"}
	receipt.Service = true
	put := func(items string) map[string]any {
		return b.must("admin", "POST", "/v1/suppressions", `{"items":[`+items+`]}`)
	}
	check := func(when, user string, c Contact, want string) {
		t.Helper()
		if got := b.may(user, c); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	check("nobody is on the list", "u1", mail, "")
	if out := put(`{"namespace":"email","value":" Anna@Example.org ","reason":"complaint"},{"namespace":"email","value":"anna@example.org","reason":"complaint","note":"twice"}`); out["added"] != 1.0 || out["refreshed"] != 1.0 {
		t.Errorf("added %v", out)
	}
	check("a complaint", "u1", mail, RuleSuppressed)
	check("a receipt after a complaint", "u1", receipt, "")
	check("what is shown after a complaint", "u1", shown, "")
	put(`{"namespace":"email","value":"anna@example.org","reason":"bounce"}`)
	check("a bounce", "u1", receipt, RuleSuppressed)
	put(`{"namespace":"email","value":"both@example.org","reason":"bounce"}`)
	check("one of two addresses bounced", "u2", mail, "")
	put(`{"namespace":"email","value":"second@example.org","reason":"bounce"}`)
	check("both bounced", "u2", mail, RuleSuppressed)
	put(`{"namespace":"userId","value":"u2","reason":"manual"}`)
	check("the person, on every channel", "u2", shown, RuleSuppressed)

	entry := b.must("good", "GET", "/v1/suppressions/email:ANNA@example.org", "")
	if entry["reason"] != "bounce" || entry["scope"] != "all" || entry["createdBy"] != "user:boss@example.org" {
		t.Errorf("entry %v", entry)
	}
	b.remove("/v1/suppressions/email:anna@example.org")
	check("taken off", "u1", mail, "")
	if status, _ := b.call("GET", "/v1/suppressions/email:anna@example.org", ""); status != 404 {
		t.Errorf("reading what was taken off: %d", status)
	}
	if status, _ := b.callAs("admin", "DELETE", "/v1/suppressions/email:anna@example.org", ""); status != 404 {
		t.Errorf("taking off again: %d", status)
	}

	// An erased address is known by its hash only, in the table as well.
	put(`{"namespace":"email","value":"anna@example.org","reason":"erasure"}`)
	check("erased", "u1", receipt, RuleSuppressed)
	var rows string
	if err := b.postgres.QueryRow(t.Context(), `SELECT string_agg(p::text, ' ') FROM profile_suppressions p`).Scan(&rows); err != nil || strings.Contains(rows, "anna") {
		t.Errorf("the table holds %s, %v", rows, err)
	}
	b.open()
	check("erased, after a restart", "u1", mail, RuleSuppressed)
	check("both bounced, after a restart", "u2", mail, RuleSuppressed)
	// Somebody who is not known under an address that was erased.
	if rule, ok := b.service.Store().MayContact(nil, []Identifier{{Namespace: "email", Value: "Anna@example.org"}}, mail); ok || rule != RuleSuppressed {
		t.Errorf("an unknown person: %q", rule)
	}

	first := b.must("good", "GET", "/v1/suppressions?limit=3", "")
	second := b.must("good", "GET", fmt.Sprintf("/v1/suppressions?limit=3&after=%v", first["next"]), "")
	if len(first["items"].([]any)) != 3 || len(second["items"].([]any)) != 1 || second["next"] != 0.0 || first["total"] != 4.0 {
		t.Errorf("pages %v %v", first, second)
	}
	if out := b.must("good", "GET", "/v1/suppressions?reason=erasure", ""); len(out["items"].([]any)) != 1 {
		t.Errorf("erased: %v", out)
	}
}

// Another process sees a change without being asked.
func TestSuppressionsReachOtherProcesses(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	// Only the list of the other one is looked at.
	store := newStore()
	service := &Service{postgres: b.postgres, store: store, log: b.service.log, now: time.Now}
	if err := service.openSuppressions(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- service.followSuppressions(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	mail := Contact{Channel: "email", Namespace: "email"}
	ids := []Identifier{{Namespace: "email", Value: "a@example.org"}}
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", "/v1/suppressions", `{"items":[{"namespace":"email","value":"a@example.org","reason":"bounce"}]}`, RuleSuppressed},
		{"DELETE", "/v1/suppressions/email:a@example.org", ``, ""},
		{"POST", "/v1/suppressions", `{"items":[{"namespace":"email","value":"a@example.org","reason":"erasure"}]}`, RuleSuppressed},
	} {
		if step.method == "DELETE" {
			b.remove(step.path)
		} else {
			b.must("admin", step.method, step.path, step.body)
		}
		b.eventually(step.method, func() bool { rule, _ := store.MayContact(nil, ids, mail); return rule == step.want })
	}
}

func TestSuppressionsAreCheckedAndBounded(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	for _, tt := range []struct{ body, location string }{
		{`{"items":[]}`, "body.items"},
		{`{"items":[{"namespace":"email","value":"nobody","reason":"bounce"}]}`, "body.items[0].value"},
		{`{"items":[{"namespace":"e mail","value":"a@example.org","reason":"bounce"}]}`, "body.items[0].value"},
		{`{"items":[{"namespace":"email","value":"a@example.org","reason":"dislike"}]}`, "body.items[0].reason"},
	} {
		status, out := b.callAs("admin", "POST", "/v1/suppressions", tt.body)
		errs, _ := out["errors"].([]any)
		if status != 422 || len(errs) == 0 || errs[0].(map[string]any)["location"] != tt.location {
			t.Errorf("%s: %d %v", tt.body, status, out)
		}
	}
	item := func(i int) string {
		return fmt.Sprintf(`{"namespace":"email","value":"person-%d@example.org","reason":"manual"}`, i)
	}
	items := make([]string, 0, MaxSuppressions+1)
	for i := range MaxSuppressions + 1 {
		items = append(items, item(i))
	}
	if status, _ := b.callAs("admin", "POST", "/v1/suppressions", `{"items":[`+strings.Join(items, ",")+`]}`); status != 422 {
		t.Errorf("one too many: %d", status)
	}
	out := b.must("admin", "POST", "/v1/suppressions", `{"items":[`+strings.Join(items[:MaxSuppressions], ",")+`]}`)
	if out["added"] != float64(MaxSuppressions) || b.service.Store().suppressions.size.Load() != MaxSuppressions {
		t.Errorf("added %v", out)
	}
	if status, _ := b.callAs("good", "POST", "/v1/suppressions", `{"items":[`+item(1)+`]}`); status != 403 {
		t.Errorf("suppressing with the scope ingest: %d", status)
	}
}

func BenchmarkMayContact(b *testing.B) {
	store := newStore()
	view := &View{Identifiers: []Identifier{{Namespace: "userId", Value: "u"}, {Namespace: "email", Value: "a@example.org"}}}
	c := Contact{Channel: "email", Namespace: "email", At: time.Now()}
	for _, size := range []int{0, 1_000_000} {
		store.suppressions.plain = map[Identifier]suppressed{}
		for i := range size {
			store.suppressions.plain[Identifier{Namespace: "email", Value: fmt.Sprint(i)}] = suppressed{}
		}
		store.suppressions.size.Store(int64(size))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				store.MayContact(view, nil, c)
			}
		})
	}
}
