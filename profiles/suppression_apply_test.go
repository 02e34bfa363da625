package profiles

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quintet/internal/stream"
)

// Bounces, reports of spam and unsubscriptions fill the list, with where and when they
// were said, and consent that is given later takes an unsubscription off it.
func TestEventsSuppressAddresses(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	mail, sms := Contact{Channel: "email", Namespace: "email"}, Contact{Channel: "sms", Namespace: "phone"}
	receipt := mail
	receipt.Service = true
	for i, user := range []string{"bounced", "soft", "spam", "left", "left-sms", "several", "victim"} {
		b.must("good", "POST", "/v1/identify", fmt.Sprintf(`{"userId":%q,"traits":{"email":"%s@example.org","phone":"+4915112345%03d"}}`, user, user, i))
	}
	b.must("good", "POST", "/v1/identify", `{"userId":"several","context":{"externalIds":[{"type":"email","id":"other@example.org"}]}}`)
	b.flush()
	base := time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC()
	event := func(user, name, properties string, after time.Duration) {
		t.Helper()
		b.must("good", "POST", "/v1/track", fmt.Sprintf(`{"userId":%q,"event":%q,"timestamp":%q,"properties":%s}`, user, name, base.Add(after).Format(time.RFC3339Nano), properties))
		b.flush()
	}
	check := func(when, user string, c Contact, want string) {
		t.Helper()
		if got := b.may(user, c); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	event("bounced", "Email Bounced", `{"email":"Bounced@Example.org","bounceType":"hard"}`, 0)
	check("a bounce", "bounced", receipt, RuleSuppressed)
	check("a text after a bounce", "bounced", sms, "")
	entry := b.must("good", "GET", "/v1/suppressions/email:bounced@example.org", "")
	if entry["reason"] != "bounce" || entry["scope"] != "all" || entry["createdBy"] != "key-1" || entry["createdAt"] != base.Format(time.RFC3339Nano) {
		t.Errorf("entry %v", entry)
	}
	event("soft", "Email Bounced", `{"bounceType":"soft"}`, 0)
	check("a passing bounce", "soft", mail, "")
	event("spam", "Email Marked as Spam", `{}`, 0)
	check("spam", "spam", mail, RuleSuppressed)
	check("a receipt after spam", "spam", receipt, "")
	event("several", "Email Bounced", `{}`, 0)
	check("a bounce of one of two", "several", mail, "")
	if n := b.entries("other@example.org", "several@example.org"); n != 0 {
		t.Errorf("%d entries for a bounce that does not say of which address", n)
	}

	event("left", "Unsubscribed", `{}`, 0)
	check("unsubscribed", "left", mail, RuleSuppressed)
	check("a receipt after it", "left", receipt, "")
	check("a text after it", "left", sms, "")
	event("left-sms", "Unsubscribed", `{"channel":"sms"}`, 0)
	check("unsubscribed from texts", "left-sms", sms, RuleSuppressed)
	check("mail after it", "left-sms", mail, "")
	event("left", "Unsubscribed", `{"topic":"weekly"}`, time.Minute)
	event("left", "Consent Given", `{"purpose":"marketing","channel":"email"}`, 2*time.Minute)
	check("subscribed again", "left", mail, "")
	event("left", "Unsubscribed", `{}`, time.Minute) // late
	check("a late unsubscription", "left", mail, "")
	event("spam", "Consent Given", `{"purpose":"marketing","channel":"email"}`, 2*time.Minute)
	check("consent does not undo a complaint", "spam", mail, RuleSuppressed)
	event("left", "Unsubscribed", `{}`, 3*time.Minute)
	check("unsubscribed again", "left", mail, RuleSuppressed)

	// In whichever order: the weightier reason and the wider scope.
	event("spam", "Email Bounced", `{}`, 5*time.Minute)
	event("bounced", "Marked as Spam", `{}`, 5*time.Minute)
	for _, user := range []string{"spam", "bounced"} {
		if e := b.must("good", "GET", "/v1/suppressions/email:"+user+"@example.org", ""); e["reason"] != "complaint" || e["scope"] != "all" {
			t.Errorf("%s: %v", user, e)
		}
	}

	// What was taken off by hand stays off, unless it happens again.
	b.remove("/v1/suppressions/email:bounced@example.org")
	event("bounced", "Email Bounced", `{}`, 10*time.Minute)
	check("a bounce from before it was taken off", "bounced", mail, "")
	event("bounced", "Email Bounced", `{}`, 70*time.Minute) // the future is now
	check("a bounce from after", "bounced", mail, RuleSuppressed)

	// An address of somebody else, from a source that anybody can use.
	event("soft", "Email Bounced", `{"email":"victim@example.org"}`, 0)
	check("a bounce of an address of others", "victim", mail, "")
	b.must("identity", "POST", "/v1/track", `{"userId":"mailer","event":"Email Bounced","properties":{"email":"victim@example.org"}}`)
	b.flush()
	check("from a trusted source", "victim", mail, RuleSuppressed)

	before := b.rows(`SELECT string_agg(concat_ws(' ', value, reason, scope, created_at, created_by, removed), E'\n' ORDER BY value) FROM profile_suppressions`)
	b.open()
	for user, c := range map[string]Contact{"spam": mail, "left-sms": sms, "left": mail, "victim": mail} {
		check("after a restart", user, c, RuleSuppressed)
	}
	if after := b.rows(`SELECT string_agg(concat_ws(' ', value, reason, scope, created_at, created_by, removed), E'\n' ORDER BY value) FROM profile_suppressions`); after != before {
		t.Errorf("a restart changed\n%s\nto\n%s", before, after)
	}
}

func (b *bed) entries(addresses ...string) (n int) {
	b.t.Helper()
	if err := b.postgres.QueryRow(b.t.Context(), `SELECT count(*) FROM profile_suppressions WHERE value = ANY($1) AND NOT removed`, addresses).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bed) rows(query string) (text string) {
	b.t.Helper()
	if err := b.postgres.QueryRow(b.t.Context(), query).Scan(&text); err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(text)
}
