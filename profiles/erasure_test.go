package profiles

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quintet/internal/stream"
	"quintet/profiles/identity"
)

// Rejects keep that a row was rejected, and nothing of what it held.
func TestRejectsLoseTheContentOfErasedPeople(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rejects.csv")
	was := "line,row,reason,content\n2,1,total must be a number,\"o-1,anna-42,much\"\n3,2,total must be a number,\"o-2,boris-7,\"\"much\"\"\"\n"
	if err := os.WriteFile(path, []byte(was), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := dropRows(path, []string{"nobody-at-all"}); n != 0 || err != nil {
		t.Errorf("%d rows of nobody, %v", n, err)
	}
	if text, _ := os.ReadFile(path); string(text) != was {
		t.Errorf("the file changed: %s", text)
	}
	if n, err := dropRows(path, []string{"anna-42"}); n != 1 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[1], "|") != "2|1|erased|" || rows[2][3] != `o-2,boris-7,"much"` {
		t.Errorf("%v, %v", rows, err)
	}
}

// Records about the person are found by profile, identifier or entry; others are not.
func TestRecordsOfAPersonAreFound(t *testing.T) {
	t.Parallel()
	anna, boris := identity.NewID(Identifier{Namespace: identity.UserID, Value: "anna-42"}), identity.NewID(Identifier{Namespace: identity.UserID, Value: "boris-7"})
	device := Identifier{Namespace: identity.AnonymousID, Value: "device-1"}
	sub := &ErasureSubject{Profiles: []ErasedProfile{newErasedProfile(anna)}, Identifiers: []Identifier{
		{Namespace: identity.UserID, Value: "anna-42"}, device, {Namespace: identity.Email, Value: "anna@example.org"},
	}}
	record := func(entries []identity.Entry, items ...item) []byte {
		var e encoder
		e.begin(recordHeader{received: 1, source: "key"})
		for i := range items {
			e.add(&items[i])
		}
		e.tell(entries)
		return append([]byte(nil), e.bytes()...)
	}
	other := item{profile: boris, messageID: "m", userID: "boris-7", event: "Seen", properties: `{"friend":"x"}`}
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"somebody else":                        {record(nil, other), false},
		"nothing":                              {record(nil), false},
		"the profile":                          {record(nil, other, item{profile: anna, messageID: "m"}), true},
		"the userId":                           {record(nil, item{profile: boris, messageID: "m", userID: "anna-42"}), true},
		"the device":                           {record(nil, item{profile: boris, messageID: "m", anonymousID: "device-1"}), true},
		"a link":                               {record(nil, item{profile: boris, messageID: "m", links: []Identifier{{Namespace: identity.Email, Value: "anna@example.org"}}}), true},
		"an edge":                              {record([]identity.Entry{identity.NewMerge(boris, anna, 1, 1)}), true},
		"a shared device":                      {record([]identity.Entry{{Kind: identity.Share, A: identity.NewID(device), B: boris}}), true},
		"an edge of others":                    {record([]identity.Entry{identity.NewMerge(boris, identity.NewID(Identifier{Namespace: "x", Value: "y"}), 1, 1)}), false},
		"what is unreadable, with the address": {[]byte("\xffgarbage anna@example.org"), true},
		"what is unreadable, without":          {[]byte("\xffgarbage"), false},
	} {
		if got := newRecordSearch(sub).in(c.data); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Messages of erased people are refused one by one with status 200, by whichever of their
// identifiers, in whichever spelling; others of the same call are stored.
func TestMessagesOfErasedPeopleAreRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.must("admin", "POST", "/v1/suppressions", `{"items":[
		{"namespace":"userId","value":"anna","reason":"erasure"},{"namespace":"anonymousId","value":"d1","reason":"erasure"},
		{"namespace":"email","value":"anna@example.org","reason":"erasure"},{"namespace":"userId","value":"clara","reason":"manual"}]}`)
	for name, c := range map[string]struct {
		body, field string
		accepted    float64
	}{
		"userId":          {`{"batch":[{"type":"track","event":"a","userId":"anna"},{"type":"track","event":"a","userId":"boris"}]}`, "userId", 1},
		"device":          {`{"batch":[{"type":"track","event":"a","anonymousId":"d1"}]}`, "anonymousId", 0},
		"address":         {`{"batch":[{"type":"identify","userId":"new","traits":{"email":" Anna@Example.ORG "}}]}`, "context.externalIds", 0},
		"former id":       {`{"batch":[{"type":"alias","userId":"new","previousId":"anna"}]}`, "previousId", 0},
		"only suppressed": {`{"batch":[{"type":"track","event":"a","userId":"clara"}]}`, "", 1},
	} {
		status, out := b.call("POST", "/v1/batch", c.body)
		rejected := out["rejected"].([]any)
		if status != 200 || out["accepted"] != c.accepted || (len(rejected) == 1) != (c.field != "") {
			t.Errorf("%s: %d %v", name, status, out)
			continue
		}
		if c.field == "" {
			continue
		}
		one := rejected[0].(map[string]any)["errors"].([]any)[0].(map[string]any)
		if !strings.HasSuffix(one["location"].(string), c.field) || !strings.HasPrefix(one["message"].(string), "erased:") {
			t.Errorf("%s: %v", name, one)
		}
	}
	b.flush()
	if n := b.service.store.Len(); n != 2 { // boris and clara
		t.Errorf("%d profiles", n)
	}
	// Who takes the erasure back lets them in again.
	if removed, err := b.service.Unsuppress(t.Context(), Identifier{Namespace: identity.UserID, Value: "anna"}, "test"); err != nil || !removed {
		t.Errorf("taking an erasure back: %v, %v", removed, err)
	}
	if _, out := b.call("POST", "/v1/batch", `{"batch":[{"type":"track","event":"a","userId":"anna"}]}`); out["accepted"] != 1.0 {
		t.Errorf("after it was taken back: %v", out)
	}
}

// Who signs in elsewhere after the erasure was asked for is erased with what that added.
func TestErasureGrowsWithThePerson(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.call("POST", "/v1/identify", `{"userId":"anna","traits":{"email":"anna@example.org"}}`)
	b.call("POST", "/v1/track", `{"anonymousId":"d1","event":"Seen"}`)
	b.flush()
	e := OpenEraser(EraserDeps{Profiles: b.service})
	anna, _ := b.service.find("userId:anna")
	sub := e.subjectOf(anna, EraseKeepingResults)
	if len(sub.Profiles) != 1 || len(sub.Identifiers) != 2 || e.grow(sub) {
		t.Fatalf("%+v", sub)
	}
	b.call("POST", "/v1/track", `{"userId":"anna","anonymousId":"d1","event":"Signed In"}`)
	b.flush()
	before := sub.Profiles[0].Replacement
	if !e.grow(sub) || len(sub.Profiles) != 2 || len(sub.Identifiers) != 3 || e.grow(sub) || sub.Profiles[0].Replacement != before {
		t.Errorf("%+v", sub)
	}
}
