package identity

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNewIDIsTheHashOfTheIdentifier(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("userId\x00u42"))
	id := NewID(Identifier{UserID, "u42"})
	if id != ID(sum[:16]) {
		t.Fatalf("got %x, want %x", id, sum[:16])
	}
	text := id.String()
	if len(text) != 26 || strings.ToLower(text) != text {
		t.Fatalf("text form %q", text)
	}
	back, ok := ParseID(text)
	if !ok || back != id {
		t.Fatalf("%q reads back as %v %v", text, back, ok)
	}
	for _, bad := range []string{"", "u42", text[:25], text + "a", strings.ToUpper(text), strings.Repeat("1", 26), text[:25] + "b"} {
		if got, ok := ParseID(bad); ok && got.String() != bad {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	cases := []struct {
		in   Identifier
		want string
		err  string
	}{
		{Identifier{UserID, "  u42 "}, "u42", ""},
		{Identifier{UserID, "U42"}, "U42", ""},
		{Identifier{UserID, " "}, "", "empty"},
		{Identifier{UserID, strings.Repeat("ж", 256)}, strings.Repeat("ж", 256), ""},
		{Identifier{UserID, strings.Repeat("ж", 257)}, "", "256"},
		{Identifier{UserID, "a\x00b"}, "", "control"},
		{Identifier{UserID, "a\xffb"}, "", "UTF-8"},
		{Identifier{Email, " Anna@Example.ORG"}, "anna@example.org", ""},
		{Identifier{Email, "anna"}, "", "e-mail"},
		{Identifier{Email, "@example.org"}, "", "e-mail"},
		{Identifier{Phone, "+7 (912) 345-67-89"}, "+79123456789", ""},
		{Identifier{Phone, "12"}, "", "digits"},
		{Identifier{Phone, "call me"}, "", "digits"},
		{Identifier{"", "x"}, "", "namespace"},
		{Identifier{"a:b", "x"}, "", "namespace"},
		{Identifier{"card", "0001"}, "0001", ""},
	}
	for _, tc := range cases {
		got, err := Normalise(tc.in)
		if tc.err == "" && (err != nil || got.Value != tc.want) {
			t.Errorf("%v: got %q, %v; want %q", tc.in, got.Value, err, tc.want)
		}
		if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
			t.Errorf("%v: error %v does not say %q", tc.in, err, tc.err)
		}
	}
}

func attach(x *Index, n Names) Resolution {
	out := make([]Resolution, 1)
	x.Attach([]Names{n}, out)
	return out[0]
}

func TestAttach(t *testing.T) {
	t.Parallel()
	user := func(s string) ID { return NewID(Identifier{UserID, s}) }
	anonymous := func(s string) ID { return NewID(Identifier{AnonymousID, s}) }
	mail := Identifier{Email, "a@example.org"}
	cases := map[string]struct {
		calls []Names
		want  []ID
	}{
		"a user keeps one profile":                     {[]Names{{UserID: "u"}, {UserID: "u"}}, []ID{user("u"), user("u")}},
		"a visitor who signs in keeps the profile":     {[]Names{{AnonymousID: "a"}, {UserID: "u", AnonymousID: "a"}, {UserID: "u"}}, []ID{anonymous("a"), anonymous("a"), anonymous("a")}},
		"a browser keeps the profile it had":           {[]Names{{UserID: "u"}, {AnonymousID: "a"}, {UserID: "u", AnonymousID: "a"}, {AnonymousID: "a"}}, []ID{user("u"), anonymous("a"), user("u"), anonymous("a")}},
		"a second user of a browser is somebody else":  {[]Names{{UserID: "u", AnonymousID: "a"}, {UserID: "v", AnonymousID: "a"}, {AnonymousID: "a"}, {UserID: "u"}}, []ID{user("u"), user("v"), user("v"), user("u")}},
		"an e-mail address leads to who had it first":  {[]Names{{UserID: "u", Others: []Identifier{mail}}, {UserID: "v", Others: []Identifier{mail}}, {Others: []Identifier{mail}}}, []ID{user("u"), user("v"), user("u")}},
		"a person known by a card only gets a profile": {[]Names{{Others: []Identifier{{"card", "1"}}}, {Others: []Identifier{{"card", "1"}}}}, []ID{NewID(Identifier{"card", "1"}), NewID(Identifier{"card", "1"})}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := NewIndex()
			for i, call := range tc.calls {
				if got := attach(x, call).Profile; got != tc.want[i] {
					t.Errorf("call %d: profile %v, want %v", i, got, tc.want[i])
				}
			}
		})
	}
}

func TestAttachIsBounded(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	for i := range 200 {
		r := attach(x, Names{UserID: "u", AnonymousID: fmt.Sprintf("a%d", i)})
		if !r.UserID || r.AnonymousID != (i < 64) {
			t.Fatalf("call %d: %+v", i, r)
		}
		if r.Profile != NewID(Identifier{UserID, "u"}) {
			t.Fatalf("call %d went to another profile", i)
		}
	}
	if identifiers, profiles := x.Len(); identifiers != 65 || profiles != 1 {
		t.Fatalf("%d identifiers, %d profiles", identifiers, profiles)
	}
}

type decided struct {
	identifier Identifier
	profile    ID
	stamp      int64
}

func record(n Names, r Resolution, stamp int64) []decided {
	var d []decided
	if r.UserID {
		d = append(d, decided{Identifier{UserID, n.UserID}, r.Profile, stamp})
	}
	if r.AnonymousID {
		d = append(d, decided{Identifier{AnonymousID, n.AnonymousID}, r.Profile, stamp})
	}
	for _, other := range r.Others {
		d = append(d, decided{other, r.Profile, stamp})
	}
	return d
}

// What was decided can be rebuilt from the records in any order, and a lookup
// agrees with what attaching would do.
func TestIndexIsRebuiltFromItsRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := NewIndex()
		var log []decided
		names := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Names {
			n := Names{
				UserID:      rapid.SampledFrom([]string{"", "u1", "u2", "u3"}).Draw(t, "user"),
				AnonymousID: rapid.SampledFrom([]string{"", "a1", "a2", "a3"}).Draw(t, "anonymous"),
			}
			if n.UserID == "" && n.AnonymousID == "" || rapid.Bool().Draw(t, "mail") {
				n.Others = []Identifier{{Email, rapid.SampledFrom([]string{"x@y", "z@y"}).Draw(t, "address")}}
			}
			return n
		}), 1, 40).Draw(t, "calls")
		for _, n := range names {
			var ids []Identifier
			if n.UserID != "" {
				ids = append(ids, Identifier{UserID, n.UserID})
			}
			if n.AnonymousID != "" {
				ids = append(ids, Identifier{AnonymousID, n.AnonymousID})
			}
			ids = append(ids, n.Others...)
			expected := x.Resolve(ids)
			out := make([]Resolution, 1)
			stamp := x.Attach([]Names{n}, out)
			if out[0].Profile != expected {
				t.Fatalf("%+v: attached to %v, looked up as %v", n, out[0].Profile, expected)
			}
			log = append(log, record(n, out[0], stamp)...)
		}
		shuffled := rapid.Permutation(log).Draw(t, "order")
		y := NewIndex()
		for _, d := range shuffled {
			y.Set(d.identifier, d.profile, d.stamp)
		}
		for id, l := range x.links {
			if y.links[id].profile != l.profile {
				t.Fatalf("identifier %v: rebuilt as %v, was %v", id, y.links[id].profile, l.profile)
			}
		}
		if len(y.links) != len(x.links) {
			t.Fatalf("%d links rebuilt of %d", len(y.links), len(x.links))
		}
		for id, p := range x.people {
			if p != y.people[id] {
				t.Fatalf("profile %v: %d identifiers rebuilt of %d", id, y.people[id], p)
			}
		}
	})
}

func BenchmarkAttach(b *testing.B) {
	x := NewIndex()
	names := make([]Names, 100)
	out := make([]Resolution, 100)
	for i := range names {
		names[i] = Names{UserID: fmt.Sprintf("user-%d", i), AnonymousID: fmt.Sprintf("anonymous-%d", i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		x.Attach(names, out)
	}
}
