package profiles

import (
	"fmt"
	"testing"
	"time"

	"quintet/internal/stream"
	"quintet/profiles/consents"
)

// may says by which rule an advertising contact is stopped, "" for none.
func (b *bed) may(user string, c Contact) string {
	b.t.Helper()
	ids := []Identifier{{Namespace: "userId", Value: user}}
	view, _ := b.service.Store().Lookup(ids)
	if c.At.IsZero() {
		c.At = time.Now()
	}
	rule, ok := b.service.Store().MayContact(view, ids, c)
	if ok != (rule == "") {
		b.t.Fatalf("%q and %v", rule, ok)
	}
	return rule
}

func (b *bed) purposes() {
	b.must("admin", "PUT", "/v1/purposes/marketing", `{"title":"Marketing","categories":["Advertising"]}`)
	b.must("admin", "PUT", "/v1/purposes/service", `{"basis":"legitimate-interest","default":"granted"}`)
	b.must("admin", "PUT", "/v1/topics/vip", `{"purpose":"marketing","default":"denied"}`)
}

func TestConsentsAreKeptWithProof(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.purposes()
	b.must("good", "POST", "/v1/identify", `{"userId":"u1","traits":{"email":"anna@example.org"}}`)
	b.flush()
	mail := Contact{Channel: "email", Namespace: "email", Purpose: "marketing", Required: true}
	if rule := b.may("u1", mail); rule != RuleNoConsent {
		t.Errorf("before any statement: %q", rule)
	}
	asked := mail
	asked.Required = false
	if rule := b.may("u1", asked); rule != "" {
		t.Errorf("before any statement, where none is needed: %q", rule)
	}
	out := b.must("good", "POST", "/v1/profiles/userId:u1/consents", `{"statements":[
		{"purpose":"marketing","status":"granted","proof":{"text":"I agree","documentVersion":"3","ip":"10.0.0.1"}},
		{"topic":"vip","channel":"email","status":"granted","at":"2026-01-01T00:00:00Z"}]}`)
	if out["applied"] != true || len(out["messageIds"].([]any)) != 2 {
		t.Fatalf("stated %v", out)
	}
	if rule := b.may("u1", mail); rule != "" {
		t.Errorf("after consent: %q", rule)
	}
	for _, one := range b.must("good", "GET", "/v1/profiles/userId:u1/consents", "")["statements"].([]any) {
		if one.(map[string]any)["messageId"] == "" {
			t.Errorf("right after it was stated: %v", one)
		}
	}
	// Late and older: it does not count. At the same moment: the refusal does.
	b.must("good", "POST", "/v1/track", `{"userId":"u1","event":"Consent Withdrawn","timestamp":"2026-01-01T00:00:00Z","properties":{"purpose":"marketing"}}`)
	b.must("good", "POST", "/v1/track", `{"userId":"u1","event":"Consent Withdrawn","timestamp":"2026-01-01T00:00:00Z","properties":{"purpose":"marketing","channel":"email","topic":"vip"}}`)
	b.flush()
	if rule := b.may("u1", mail); rule != "" {
		t.Errorf("after an older refusal: %q", rule)
	}
	check := func(when string) {
		t.Helper()
		card := b.must("good", "GET", "/v1/profiles/userId:u1/consents", "")
		var said []string
		for _, one := range card["statements"].([]any) {
			s := one.(map[string]any)
			said = append(said, fmt.Sprintf("%v %v %v %v %v", s["purpose"], s["channel"], s["topic"], s["status"], s["proof"]))
			if s["messageId"] == "" || s["source"] != "key-1" {
				t.Errorf("%s: evidence %v", when, s)
			}
		}
		want := []string{
			"marketing * <nil> granted map[documentVersion:3 ip:10.0.0.1 text:I agree]", "marketing * <nil> withdrawn map[]",
			"marketing email vip granted map[]", "marketing email vip withdrawn map[]",
		}
		// A consent without a second confirmation is beside what is final, in either order.
		if len(said) != 4 {
			t.Fatalf("%s: statements %q, want %q", when, said, want)
		}
		for _, w := range want {
			found := false
			for _, s := range said {
				found = found || s == w
			}
			if !found {
				t.Errorf("%s: %q is not among %q", when, w, said)
			}
		}
		states := map[string]string{}
		for _, one := range card["purposes"].([]any) {
			s := one.(map[string]any)
			states[fmt.Sprint(s["purpose"], " ", s["topic"])] = fmt.Sprint(s["status"], " ", s["channels"])
		}
		for key, want := range map[string]string{
			"marketing <nil>": "granted map[email:granted]", "marketing vip": "denied map[email:withdrawn]", "service <nil>": "granted map[email:granted]",
		} {
			if states[key] != want {
				t.Errorf("%s: %s is %q, want %q", when, key, states[key], want)
			}
		}
	}
	check("in memory")
	b.open()
	check("after a restart")
	if rule := b.may("u1", mail); rule != "" {
		t.Errorf("after a restart: %q", rule)
	}

	b.must("good", "POST", "/v1/track", `{"userId":"u1","event":"Email Unsubscribed"}`)
	b.flush()
	if rule := b.may("u1", mail); rule != RuleSuppressed {
		t.Errorf("after unsubscribing: %q", rule)
	}
	b.remove("/v1/suppressions/email:anna@example.org") // the statement stands without the list
	if rule := b.may("u1", mail); rule != RuleNoConsent {
		t.Errorf("after unsubscribing, off the list: %q", rule)
	}
	text := mail
	text.Channel, text.Namespace = "sms", "phone"
	if rule := b.may("u1", text); rule != "" {
		t.Errorf("on another channel: %q", rule)
	}
	receipt := mail
	receipt.Service = true
	if rule := b.may("u1", receipt); rule != "" {
		t.Errorf("a service message: %q", rule)
	}
	var events uint64
	if err := b.clickhouse.Read.QueryRow(t.Context(), `SELECT count() FROM events WHERE event LIKE 'Consent%' OR event = 'Email Unsubscribed'`).Scan(&events); err != nil || events != 5 {
		t.Errorf("%d events, %v", events, err)
	}
}

func TestBannerOfSegment(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.purposes()
	page := func(at string, granted bool) {
		b.must("good", "POST", "/v1/page", fmt.Sprintf(`{"userId":"u1","timestamp":"2026-01-01T00:%s:00Z","context":{"consent":{"categoryPreferences":{"Advertising":%v}}}}`, at, granted))
		b.flush()
	}
	shown := Contact{Channel: "banner", Purpose: "marketing", Required: true}
	mail := Contact{Channel: "email", Namespace: "email", Purpose: "marketing", Required: true}
	page("01", true)
	if rule := b.may("u1", shown); rule != "" {
		t.Errorf("after accepting: %q", rule)
	}
	if rule := b.may("u1", mail); rule != RuleNoConsent {
		t.Errorf("e-mail after accepting the banner: %q", rule)
	}
	page("03", false)
	page("02", true) // late
	if rule := b.may("u1", shown); rule != RuleNoConsent {
		t.Errorf("after refusing: %q", rule)
	}
	page("04", true)
	if rule := b.may("u1", shown); rule != "" {
		t.Errorf("after accepting again: %q", rule)
	}
}

func TestConsentsOfAMergedPerson(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.purposes()
	b.must("good", "POST", "/v1/track", `{"userId":"u1","event":"Consent Given","timestamp":"2026-01-01T00:00:00Z","properties":{"purpose":"marketing"}}`)
	b.must("good", "POST", "/v1/track", `{"userId":"u2","event":"Consent Withdrawn","timestamp":"2026-01-02T00:00:00Z","properties":{"purpose":"marketing"}}`)
	b.flush()
	first, _ := b.service.Store().Lookup([]Identifier{{Namespace: "userId", Value: "u1"}})
	second, _ := b.service.Store().Lookup([]Identifier{{Namespace: "userId", Value: "u2"}})
	q := consents.Question{Purpose: "marketing", Channel: "email", At: time.Now().UnixMilli()}
	rules := b.service.Store().ConsentRules()
	if got := first.Consents.Status(q, rules); got != consents.Granted {
		t.Fatalf("the first is %s", got)
	}
	for _, list := range []consents.Set{consents.Union(first.Consents, second.Consents), consents.Union(second.Consents, first.Consents)} {
		if got := list.Status(q, rules); got != consents.Withdrawn {
			t.Errorf("both together are %s", got)
		}
	}
}

func TestStatementsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.purposes()
	b.must("good", "POST", "/v1/identify", `{"userId":"u1"}`)
	b.flush()
	for _, tt := range []struct{ statement, location string }{
		{`{"status":"granted"}`, "body.statements[0].purpose"},
		{`{"status":"granted","purpose":"*"}`, "body.statements[0].purpose"},
		{`{"status":"granted","purpose":"none"}`, "body.statements[0].purpose"},
		{`{"status":"granted","topic":"none"}`, "body.statements[0].topic"},
		{`{"status":"maybe","purpose":"marketing"}`, "body.statements[0].status"},
		{`{"status":"granted","purpose":"marketing","channel":"a b"}`, "body.statements[0].channel"},
		{`{"status":"denied","purpose":"marketing","expiresAt":"2027-01-01T00:00:00Z"}`, "body.statements[0].expiresAt"},
		{`{"status":"denied","purpose":"marketing","at":"1970-01-01T00:00:00Z"}`, "body.statements[0].at"},
	} {
		status, out := b.call("POST", "/v1/profiles/userId:u1/consents", `{"statements":[`+tt.statement+`]}`)
		errs, _ := out["errors"].([]any)
		if status != 422 || len(errs) == 0 || errs[0].(map[string]any)["location"] != tt.location {
			t.Errorf("%s: %d %v", tt.statement, status, out)
		}
	}
	if status, _ := b.callAs("reader", "POST", "/v1/profiles/userId:u1/consents", `{"statements":[{"status":"denied","purpose":"marketing"}]}`); status != 403 {
		t.Errorf("stating with the scope read: %d", status)
	}
	if status, _ := b.callAs("admin", "PUT", "/v1/topics/x", `{"purpose":"none"}`); status != 422 {
		t.Errorf("a topic of no purpose: %d", status)
	}
}
