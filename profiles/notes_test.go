package profiles

import (
	"testing"
	"time"

	"quintet/internal/stream"
	"quintet/profiles/identity"
)

func TestNotesReachClickHouseAndAreNoSignOfLife(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.call("POST", "/v1/track", `{"userId":"u1","event":"Viewed","timestamp":"2026-01-02T03:04:05Z"}`)
	b.flush()
	id := identity.NewID(Identifier{Namespace: identity.UserID, Value: "u1"})
	before, ok := b.service.Store().Get(id)
	if !ok {
		t.Fatal("no profile")
	}
	n := Note{Profile: id, Event: "Lifecycle Changed", MessageID: "note-1", Time: time.Now(), Properties: map[string]any{"from": "repeat", "to": "loyal", "decisionId": "d1"}}
	for range 2 {
		if err := b.service.WriteNotes(t.Context(), []Note{n}); err != nil {
			t.Fatal(err)
		}
	}
	b.flush()
	after, _ := b.service.Store().Get(id)
	if !after.LastSeenAt.Equal(before.LastSeenAt) || after.Events != before.Events {
		t.Errorf("a note moved the sight from %v to %v and the events from %d to %d", before.LastSeenAt, after.LastSeenAt, before.Events, after.Events)
	}
	var count uint64
	var to, source, decision string
	if err := b.clickhouse.Read.QueryRow(t.Context(), `SELECT count(), any(JSONExtractString(properties, 'to')), any(source), any(decision_id) FROM events FINAL
		WHERE event = 'Lifecycle Changed' AND profile_id = ?`, id.String()).Scan(&count, &to, &source, &decision); err != nil {
		t.Fatal(err)
	}
	if count != 1 || to != "loyal" || source != NoteSource || decision != "d1" {
		t.Errorf("%d notes to %q from %q of decision %q", count, to, source, decision)
	}
	// What came by a link of a message or from a provider counts all the same.
	b.call("POST", "/v1/track", `{"userId":"u1","event":"Consent Given","timestamp":"2026-01-02T03:04:05Z","properties":{"purpose":"news","confirmed":true}}`)
	b.call("POST", "/v1/identify", `{"userId":"u1","timestamp":"2026-01-02T03:04:05Z","traits":{"email":"a@example.org"}}`)
	b.flush()
	ids := []Identifier{{Namespace: identity.UserID, Value: "u1"}}
	may := func(channel, namespace string) string {
		view, _ := b.service.Store().Get(id)
		rule, _ := b.service.Store().MayContact(view, ids, Contact{Channel: channel, Namespace: namespace, Purpose: "news", At: time.Now().Add(time.Minute)})
		return rule
	}
	if rule := may("push", "device") + may("email", "email"); rule != "" {
		t.Fatalf("a contact is refused by %s", rule)
	}
	before, _ = b.service.Store().Get(id)
	if err := b.service.WriteNotes(t.Context(), []Note{
		{Profile: id, Event: "Unsubscribed", MessageID: "note-2", Time: time.Now(), Properties: map[string]any{"channel": "push"}},
		{Profile: id, Event: "Email Bounced", MessageID: "note-3", Time: time.Now(), Properties: map[string]any{"bounceType": "hard", "email": "a@example.org"}},
	}); err != nil {
		t.Fatal(err)
	}
	b.flush()
	b.eventually("the address is suppressed", func() bool { return may("email", "email") == RuleSuppressed })
	if rule := may("push", "device"); rule != RuleNoConsent {
		t.Errorf("who unsubscribed by a link is kept from the channel by %q", rule)
	}
	if after, _ = b.service.Store().Get(id); !after.LastSeenAt.Equal(before.LastSeenAt) || after.Events != before.Events {
		t.Error("that was a sign of life")
	}
	if b.service.Stored() < 3 {
		t.Errorf("ClickHouse is at %d", b.service.Stored())
	}
}
