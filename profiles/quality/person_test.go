package quality

import (
	"fmt"
	"strings"
	"testing"

	"quintet/profiles"
	"quintet/profiles/identity"
)

func TestErasureReachesTheQuarantine(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.Call("POST", "/v1/track", `{"userId":"planted-user","messageId":"1"}`)
	b.Call("POST", "/v1/track", `{"userId":"17","messageId":"2"}`)
	b.Call("POST", "/v1/track", `{"userId":"170","messageId":"3"}`)
	b.Call("POST", "/v1/track", `{"userId":"17","messageId":"4","event":{"planted":"planted-user"}}`)
	// As senders write: in capitals, with separators, escaped, as a number, in a list.
	for i, body := range []string{
		`{"userId":7,"email":"Planted.Mail@Leaves.EXAMPLE"}`, `{"userId":7,"traits":{"phone":"+7 (916) 555-01-99"}}`, `{"userId":7,"traits":{"phone":"8 916 555 01 99"}}`,
		`{"userId":7,"name":"\u0430\u043d\u043d\u0430-\u0438"}`, `{"userId":7,"ids":["planted-user-7"]}`, // others next:
		`{"userId":7,"phone":"+7 916 555 01 98"}`, `{"userId":7,"list":[5,1,0,9165550,199]}`, `{"userId":7,"email":"planted.mai@leaves.example"}`,
	} {
		b.Call("POST", "/v1/track", strings.Replace(body, "{", fmt.Sprintf(`{"event":"A","messageId":"w%d",`, i), 1))
	}
	sub := &profiles.ErasureSubject{Identifiers: []profiles.Identifier{
		{Namespace: identity.UserID, Value: "planted-user"}, {Namespace: identity.UserID, Value: "17"}, {Namespace: identity.Email, Value: "planted.mail@leaves.example"},
		{Namespace: identity.Phone, Value: "+79165550199"}, {Namespace: "crm", Value: "анна-и"},
	}}
	exported := 0
	if err := b.service.EachQuarantined(t.Context(), sub, func(item any) error {
		exported++
		if i := item.(*Quarantined); len(i.Body) == 0 {
			t.Errorf("%s is shown without its body", i.ID)
		}
		return nil
	}); err != nil || exported != 8 {
		t.Errorf("%d items are about the person, want 8, %v", exported, err)
	}
	counts, err := b.service.Erase(t.Context(), sub)
	if err != nil || counts["postgres quarantine"] != 8 {
		t.Fatalf("erased are %v, %v", counts, err)
	}
	// A second time, as after a kill: the table is named all the same, so that it is written anew.
	if again, err := b.service.Erase(t.Context(), sub); err != nil {
		t.Fatal(err)
	} else if n, named := again["postgres quarantine"]; n != 0 || !named {
		t.Errorf("erased again: %v", again)
	}
	checks, err := b.service.Check(t.Context(), sub)
	if err != nil || len(checks) != 1 || checks[0].Rows != 0 {
		t.Fatalf("left are %v, %v", checks, err)
	}
	if n := b.rows(`SELECT count(*) FROM quarantine`); n != 4 {
		t.Errorf("%d are left, want those of others", n)
	}
}

// Nothing of somebody who was erased is kept, whichever identifier tells who it is.
func TestNothingOfTheErasedIsKept(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	var gone []profiles.Suppression
	for _, i := range []profiles.Identifier{{Namespace: identity.UserID, Value: "12345"}, {Namespace: identity.Card, Value: "5512-77"}, {Namespace: "crm", Value: "c-9"}, {Namespace: identity.Phone, Value: "+79165550199"}} {
		gone = append(gone, profiles.Suppression{Identifier: i, Reason: profiles.ReasonErasure})
	}
	if _, err := b.Profiles.Suppress(t.Context(), gone, "test"); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"userId":12345,"messageId":"1"}`, `{"messageId":"2","context":{"externalIds":[{"type":"card","id":"5512-77"}]}}`,
		`{"messageId":"3","context":{"externalIds":[{"type":"crm","id":"c-9"}]}}`, `{"messageId":"4","traits":{"phone":"+7 916 555-01-99"}}`,
		`{"messageId":"5","context":{"externalIds":[{"type":"crm","id":"c-10"}]}}`,
	} {
		b.Call("POST", "/v1/track", body)
	}
	b.flush()
	if n, mine := b.rows(`SELECT count(*) FROM quarantine`), b.rows(`SELECT count(*) FROM quarantine WHERE message_id = '5'`); n != 1 || mine != 1 {
		t.Errorf("%d items are kept, and %d of somebody else", n, mine)
	}
}
