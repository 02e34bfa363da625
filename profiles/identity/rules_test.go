package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// settle attaches one message after the other and gives the last resolution.
func settle(x *Index, messages ...Names) Resolution {
	var r Resolution
	for i := range messages {
		messages[i].Evidence = fmt.Sprint("m", i)
		r = attach(x, messages[i])
	}
	return r
}

func samePeople(x *Index, a, b Identifier) bool {
	pa, oka := x.Find([]Identifier{a})
	pb, okb := x.Find([]Identifier{b})
	return oka && okb && x.merges.PersonOf(pa) == x.merges.PersonOf(pb)
}

func TestWhoJoinsWhom(t *testing.T) {
	t.Parallel()
	mail, phone, card := Identifier{Email, "a@x.org"}, Identifier{Phone, "+79123456789"}, Identifier{Card, "7"}
	user, other, browser := Identifier{UserID, "u"}, Identifier{UserID, "v"}, Identifier{AnonymousID, "a"}
	others := func(ids ...Identifier) []Identifier { return ids }
	cases := map[string]struct {
		messages []Names
		a, b     Identifier
		joined   bool
		rule     string // of the last message's entry
	}{
		"a browser that signs in": {
			[]Names{{UserID: "u"}, {AnonymousID: "a"}, {UserID: "u", AnonymousID: "a"}}, user, browser, true, SignInRule},
		"a browser with an address, from nowhere": {
			[]Names{{UserID: "u"}, {AnonymousID: "a", Others: others(mail)}, {UserID: "u", AnonymousID: "a"}}, user, mail, false, ""},
		"a browser with an address, from a server": {
			[]Names{{UserID: "u"}, {AnonymousID: "a", Others: others(mail)}, {UserID: "u", AnonymousID: "a", Trusted: true}}, user, mail, true, SignInRule},
		"an address of two, from a browser": {
			[]Names{{Others: others(mail)}, {UserID: "u", Others: others(mail)}}, user, mail, false, ""},
		"an address of two, from a server": {
			[]Names{{Others: others(mail)}, {UserID: "u", Others: others(mail), Trusted: true}}, user, mail, true, Email},
		"a phone of two": {
			[]Names{{Others: others(phone)}, {UserID: "u", Others: others(phone), Trusted: true}}, user, phone, true, Phone},
		"a card of two": {
			[]Names{{Others: others(card)}, {UserID: "u", Others: others(card), Trusted: true}}, user, card, true, Card},
		"a custom id joins nobody known": {
			[]Names{{Others: others(Identifier{"crm", "1"})}, {UserID: "u", Others: others(Identifier{"crm", "1"}), Trusted: true}}, user, Identifier{"crm", "1"}, false, ""},
		"two users stay two, whatever they share": {
			[]Names{{UserID: "u", Others: others(mail)}, {UserID: "v", Others: others(mail), Trusted: true}}, user, other, false, ""},
		"an alias of two users, from a browser": {
			[]Names{{UserID: "u"}, {UserID: "v"}, {UserID: "v", Previous: "u"}}, user, other, false, ""},
		"an alias of two users, from a server": {
			[]Names{{UserID: "u"}, {UserID: "v"}, {UserID: "v", Previous: "u", Trusted: true}}, user, other, true, AliasRule},
		"an alias of a browser": {
			[]Names{{AnonymousID: "a"}, {UserID: "u"}, {UserID: "u", Previous: "a"}}, user, browser, true, AliasRule},
		"an alias of what nobody knows": {
			[]Names{{UserID: "u"}, {UserID: "u", Previous: "a"}}, user, browser, true, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := NewIndex()
			r := settle(x, tc.messages...)
			if got := samePeople(x, tc.a, tc.b); got != tc.joined {
				t.Errorf("joined: %v, want %v", got, tc.joined)
			}
			rule := ""
			if len(r.Entries) > 0 {
				rule = r.Entries[0].Rule
				if want := fmt.Sprint("m", len(tc.messages)-1); r.Entries[0].Evidence != want {
					t.Errorf("the evidence is %q, want %q", r.Entries[0].Evidence, want)
				}
			}
			if rule != tc.rule {
				t.Errorf("rule %q, want %q", rule, tc.rule)
			}
		})
	}
}

// What was told apart is not joined again by what is said again.
func TestEvidenceDoesNotJoinWhatWasToldApart(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	r := settle(x, Names{UserID: "u"}, Names{AnonymousID: "a"}, Names{UserID: "u", AnonymousID: "a"})
	e := NewUnmerge(r.Entries[0].A, r.Entries[0].B)
	e.Stamp, e.Explicit = x.NextStamp(), true
	x.Record(&e)
	if r := settle(x, Names{UserID: "u", AnonymousID: "a"}); len(r.Entries) > 0 || r.Demoted != 1 {
		t.Errorf("the same evidence: %+v", r)
	}
	if samePeople(x, Identifier{UserID, "u"}, Identifier{AnonymousID, "a"}) {
		t.Error("they are one person again")
	}
	if err := x.MayUnite(e.A, e.B); err != nil {
		t.Errorf("somebody's word: %v", err)
	}
}

// The device that many people use belongs to nobody from some user on.
func TestSharedDevice(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	var kinds []string
	for i := range 6 {
		user := fmt.Sprint("u", i)
		settle(x, Names{UserID: user})
		r := settle(x, Names{UserID: user, AnonymousID: "tv"})
		for _, e := range r.Entries {
			kinds = append(kinds, e.Kind.String())
		}
		attached := i < DefaultRules().SharedDeviceUsers
		if r.AnonymousID != attached {
			t.Errorf("user %d: attached %v, want %v", i, r.AnonymousID, attached)
		}
	}
	if got := strings.Join(kinds, " "); got != "use use use use share" {
		t.Errorf("the log has %q", got)
	}
	r := settle(x, Names{AnonymousID: "tv"})
	if c := x.person(r.Profile); c.known() || !r.AnonymousID {
		t.Errorf("the shared device is a known person: %+v", r)
	}
	// Somebody new begins a profile of their own on it.
	if r := settle(x, Names{UserID: "new", AnonymousID: "tv"}); r.Profile != NewID(Identifier{UserID, "new"}) {
		t.Errorf("a new user got profile %v", r.Profile)
	}
	// So says the log to who reads it.
	y := NewIndex()
	device := NewID(Identifier{AnonymousID, "tv"})
	y.Set(Identifier{AnonymousID, "tv"}, NewID(Identifier{UserID, "u2"}), 1)
	y.Record(&Entry{Kind: Share, A: device, B: sharedProfile(device), Stamp: 2})
	if id, ok := y.Find([]Identifier{{AnonymousID, "tv"}}); !ok || id != sharedProfile(device) {
		t.Errorf("read from the log, the device is %v", id)
	}
}

func TestBlockedValues(t *testing.T) {
	t.Parallel()
	rules := DefaultRules()
	rules.Blocked = append(rules.Blocked, "qa-*", "*@internal.example")
	rules.Namespaces[0].Blocked = []string{"Guest"}
	x := NewIndex()
	x.SetRules(rules, func(func(Attached) bool) {})
	for _, id := range []Identifier{
		{UserID, "0"}, {UserID, "00000000-0000-0000-0000-000000000000"}, {UserID, "-1"}, {UserID, "NULL"}, {UserID, "undefined"}, {UserID, "guest"},
		{AnonymousID, "anonymous"}, {AnonymousID, "-"}, {Email, "test@example.com"}, {Email, "bob@internal.example"}, {"crm", "QA-17"}, {"crm", "None"},
	} {
		n := Names{Others: []Identifier{id}}
		switch id.Namespace {
		case UserID:
			n = Names{UserID: id.Value}
		case AnonymousID:
			n = Names{AnonymousID: id.Value}
		}
		if r := settle(x, n); r.Profile != (ID{}) || r.Blocked != 1 || r.UserID || r.AnonymousID || len(r.Others) > 0 {
			t.Errorf("%v: %+v", id, r)
		}
		if _, found := x.Find([]Identifier{id}); found {
			t.Errorf("%v is found", id)
		}
		// The others of the message count.
		n.Others = append(n.Others, Identifier{Card, "9"})
		if r := settle(x, n); r.Profile != NewID(Identifier{Card, "9"}) {
			t.Errorf("%v with a card: %+v", id, r)
		}
	}
	if r := settle(x, Names{AnonymousID: "guest"}); r.Blocked != 0 {
		t.Error("a value that is blocked in another namespace is blocked")
	}
}

// What no longer fits is left out, the least trusted first; the message counts.
func TestLimitsLeaveOutTheLeast(t *testing.T) {
	t.Parallel()
	rules := DefaultRules()
	rules.Namespaces = []NamespaceRule{
		{Namespace: UserID, Limit: 1, Unique: true}, {Namespace: Card, Limit: 1, Joins: true}, {Namespace: Email, Limit: 2, Joins: true},
		{Namespace: "crm", Limit: 1, Period: Week},
	}
	rules.Normalise()
	if err := rules.Validate().Err(); err != nil {
		t.Fatal(err)
	}
	x := NewIndex()
	x.SetRules(rules, func(func(Attached) bool) {})
	mail := func(i int) Identifier { return Identifier{Email, fmt.Sprintf("%d@x.org", i)} }
	r := settle(x, Names{UserID: "u", Others: []Identifier{mail(1), {Card, "1"}, mail(2), mail(3)}})
	if r.Demoted != 1 || len(r.Others) != 3 || r.Others[0].Namespace != Card {
		t.Errorf("the first message: %+v", r)
	}
	// Somebody with one card and one address: the card, which comes first, would be a second one.
	settle(x, Names{Others: []Identifier{{Card, "2"}, mail(9)}})
	r = settle(x, Names{UserID: "u", Others: []Identifier{{Card, "2"}}, Trusted: true})
	if r.Demoted != 1 || len(r.Entries) > 0 || !r.UserID {
		t.Errorf("a second card: %+v", r)
	}
	settle(x, Names{UserID: "w", Others: []Identifier{{"crm", "1"}}})
	if r := settle(x, Names{UserID: "w", Others: []Identifier{{"crm", "2"}}}); r.Demoted != 1 {
		t.Errorf("a second crm within a week: %+v", r)
	}
	// Rules may change; what is there counts, within the period.
	month := time.Now().Add(-30 * 24 * time.Hour).UnixMilli()
	x.SetRules(rules, func(yield func(Attached) bool) {
		yield(Attached{NewID(Identifier{UserID, "w"}), Identifier{UserID, "w"}, month})
		yield(Attached{NewID(Identifier{UserID, "w"}), Identifier{"crm", "1"}, month})
	})
	if r := settle(x, Names{UserID: "w", Others: []Identifier{{"crm", "2"}}}); r.Demoted != 0 || len(r.Others) != 1 {
		t.Errorf("a second crm after a month: %+v", r)
	}
}

func TestMergesAreBounded(t *testing.T) {
	t.Parallel()
	rules := DefaultRules()
	for i := range rules.Namespaces {
		rules.Namespaces[i].Limit = 250
	}
	x := NewIndex()
	x.SetRules(rules, func(func(Attached) bool) {})
	settle(x, Names{UserID: "u"})
	merged := 0
	for i := range MaxMerges + 10 {
		anonymous := fmt.Sprint("browser-", i)
		settle(x, Names{AnonymousID: anonymous})
		r := settle(x, Names{UserID: "u", AnonymousID: anonymous})
		merged += len(r.Entries)
	}
	if merged != MaxMerges {
		t.Errorf("%d merges, want %d", merged, MaxMerges)
	}
	settle(x, Names{UserID: "v"})
	if err := x.MayUnite(NewID(Identifier{UserID, "u"}), NewID(Identifier{UserID, "v"})); !errors.Is(err, ErrBound) {
		t.Errorf("one more by hand: %v", err)
	}
}

// A message that did not become durable joins nobody, and says it again.
func TestWithdrawnEntriesAreSaidAgain(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	r := settle(x, Names{UserID: "u"}, Names{AnonymousID: "a"}, Names{UserID: "u", AnonymousID: "a"})
	x.Withdraw(r.Entries)
	if samePeople(x, Identifier{UserID, "u"}, Identifier{AnonymousID, "a"}) {
		t.Error("they are one person, which nobody else will know")
	}
	if r := settle(x, Names{UserID: "u", AnonymousID: "a"}); len(r.Entries) != 1 {
		t.Errorf("the second attempt: %+v", r)
	}
	// So with a device that has one user too many.
	var last Names
	for i := range DefaultRules().SharedDeviceUsers + 1 {
		last = Names{UserID: fmt.Sprint("u", i), AnonymousID: "tv"}
		settle(x, Names{UserID: last.UserID})
		r = settle(x, last)
	}
	first := len(r.Entries)
	x.Withdraw(r.Entries)
	r = settle(x, last)
	if n := len(r.Entries); first != 2 || n != 2 || r.Entries[1].Kind != Share {
		t.Errorf("first %d entries, then %+v", first, r.Entries)
	}
}

func TestForgottenProfilesBeginAnew(t *testing.T) {
	t.Parallel()
	x := NewIndex()
	mail := Identifier{Email, "a@x.org"}
	settle(x, Names{UserID: "u", Others: []Identifier{mail}}, Names{AnonymousID: "a"}, Names{UserID: "u", AnonymousID: "a"})
	user := NewID(Identifier{UserID, "u"})
	x.Forget(user, []Identifier{{UserID, "u"}, mail, {AnonymousID, "a"}})
	if _, found := x.Find([]Identifier{mail}); found {
		t.Error("the address is found")
	}
	if _, found := x.Find([]Identifier{{AnonymousID, "a"}}); !found {
		t.Error("the identifier of another profile is gone")
	}
	if r := settle(x, Names{Others: []Identifier{mail}}); r.Profile != NewID(mail) {
		t.Errorf("the address leads to %v", r.Profile)
	}
	if n := x.merges.Surplus(); n != 0 {
		t.Errorf("%d profiles are still merged", n)
	}
}

func TestInternationalPhones(t *testing.T) {
	t.Parallel()
	cases := []struct{ region, in, want string }{
		{"", "8 (912) 345-67-89", "89123456789"},
		{"", "+7 912 345-67-89", "+79123456789"},
		{"", "+44 (0)20 7946 0018", "+442079460018"},
		{"RU", "8 (912) 345-67-89", "+79123456789"},
		{"DE", "030 901820", "+4930901820"},
		{"US", "(650) 253-0000", "+16502530000"},
		{"US", "+7 912 345-67-89", "+79123456789"},
		{"DE", "12345", "+4912345"},
		{"DE", "+99912345678", "+99912345678"}, // no country
	}
	for _, tc := range cases {
		x := NewIndex()
		rules := DefaultRules()
		rules.PhoneRegion = tc.region
		x.SetRules(rules, func(func(Attached) bool) {})
		got, err := x.Normal(Identifier{Phone, tc.in})
		if err != nil || got.Value != tc.want {
			t.Errorf("%s in %q: %q, %v; want %q", tc.in, tc.region, got.Value, err, tc.want)
		}
	}
	// A number that was stored before the region was set is found in its new form.
	x := NewIndex()
	rules := DefaultRules()
	rules.PhoneRegion = "RU"
	x.SetRules(rules, func(func(Attached) bool) {})
	x.Set(Identifier{Phone, "89123456789"}, profile(1), 1)
	x.Alias(Identifier{Phone, "+79123456789"}, profile(1), 1)
	if id, ok := x.Find([]Identifier{{Phone, "+79123456789"}}); !ok || id != profile(1) {
		t.Error("the old number is not found")
	}
}

func TestRulesAreChecked(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Rules){
		"namespaces[0].namespace": func(r *Rules) { r.Namespaces[0].Namespace = "a b" },
		"namespaces[1].namespace": func(r *Rules) { r.Namespaces[1].Namespace = UserID },
		"namespaces[0].limit":     func(r *Rules) { r.Namespaces[0].Limit = 0 },
		"namespaces[2].limit":     func(r *Rules) { r.Namespaces[2].Limit = 251 },
		"namespaces[0].period":    func(r *Rules) { r.Namespaces[0].Period = "day" },
		"namespaces": func(r *Rules) {
			for i := range ownSlots + 1 {
				r.Namespaces = append(r.Namespaces, NamespaceRule{Namespace: fmt.Sprint("own", i), Limit: 1})
			}
		},
		"blocked[0]":               func(r *Rules) { r.Blocked = []string{"**"} },
		"blocked[1]":               func(r *Rules) { r.Blocked = []string{"a", "a*b"} },
		"blocked":                  func(r *Rules) { r.Blocked = make([]string, 1001) },
		"namespaces[0].blocked[0]": func(r *Rules) { r.Namespaces[0].Blocked = []string{""} },
		"sharedDeviceUsers":        func(r *Rules) { r.SharedDeviceUsers = 101 },
		"phoneRegion":              func(r *Rules) { r.PhoneRegion = "XX" },
	} {
		r := DefaultRules()
		change(&r)
		r.Normalise()
		bad := r.Validate()
		if len(bad) == 0 || bad[0].Field != want {
			t.Errorf("%s: %v", want, bad)
		}
	}
	r := DefaultRules()
	r.Normalise()
	if bad := r.Validate(); len(bad) > 0 {
		t.Errorf("the default rules: %v", bad)
	}
}

func TestNamespacesHaveOneSpelling(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"userId:7": "userId:7", "USERID:7": "userId:7", "user_id: 7 ": "userId:7", "Email:A@X.org": "email:a@x.org", " phone :+7 912 3456789": "phone:+79123456789",
		"Telegram:5": "telegram:5", "CRM:5": "CRM:5",
	} {
		if got, err := Parse(in); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v; want %q", in, got, err, want)
		}
	}
}
