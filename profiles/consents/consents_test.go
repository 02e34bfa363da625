package consents

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var testRules = &Rules{
	Purposes: map[string]Purpose{
		"marketing": {Basis: BasisConsent, Default: Unknown, Categories: []string{"Advertising"}},
		"checked":   {Basis: BasisConsent, Default: Unknown, DoubleOptIn: true},
		"service":   {Basis: BasisInterest, Default: Granted},
	},
	Topics: map[string]Topic{"news": {Purpose: "marketing", Default: Granted}, "vip": {Purpose: "marketing", Default: Denied}},
}

func grant(purpose, channel, topic string, at int64) Statement {
	return Statement{Key: &Key{purpose, channel, topic}, Status: Granted, Confirmed: true, At: at}
}

func refuse(purpose, channel, topic string, at int64) Statement {
	return Statement{Key: &Key{purpose, channel, topic}, Status: Withdrawn, Confirmed: true, At: at}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	mail := Question{Purpose: "marketing", Channel: "email", Addressed: true, At: 100}
	news, vip, shown, checked := mail, mail, mail, mail
	news.Topic, vip.Topic = "news", "vip"
	shown.Channel, shown.Addressed = "banner", false
	checked.Purpose = "checked"
	unconfirmed := grant("checked", Any, "", 5)
	unconfirmed.Confirmed = false
	confirmed := grant("checked", Any, "", 9)
	short := grant("marketing", Any, "", 5)
	short.Expires = 100
	for _, tt := range []struct {
		name string
		said []Statement
		q    Question
		want Status
	}{
		{"nothing", nil, mail, Unknown},
		{"nothing, where silence is enough", nil, Question{Purpose: "service", Channel: "email", At: 1}, Granted},
		{"nothing about an undeclared purpose", nil, Question{Purpose: "x", At: 1}, Unknown},
		{"given", []Statement{grant("marketing", Any, "", 1)}, mail, Granted},
		{"given for another purpose", []Statement{grant("analytics", Any, "", 1)}, mail, Unknown},
		{"given on another channel", []Statement{grant("marketing", "sms", "", 1)}, mail, Unknown},
		{"given later than asked", []Statement{grant("marketing", Any, "", 101)}, mail, Unknown},
		{"withdrawn", []Statement{grant("marketing", Any, "", 1), refuse("marketing", Any, "", 2)}, mail, Withdrawn},
		{"withdrawn at the same moment", []Statement{grant("marketing", "email", "", 2), refuse("marketing", Any, "", 2)}, mail, Withdrawn},
		{"given again", []Statement{refuse("marketing", Any, "", 1), grant("marketing", Any, "", 2)}, mail, Granted},
		{"given again on this channel", []Statement{refuse("marketing", Any, "", 1), grant("marketing", "email", "", 2)}, mail, Granted},
		{"a wide consent does not lift an unsubscription", []Statement{refuse(Any, "email", "", 1), grant("marketing", Any, "", 2)}, mail, Withdrawn},
		{"a consent for the channel lifts it", []Statement{refuse(Any, "email", "", 1), grant("marketing", "email", "", 2)}, mail, Granted},
		{"unsubscribed from everything where silence is enough", []Statement{refuse(Any, "email", "", 1)}, Question{Purpose: "service", Channel: "email", At: 5}, Withdrawn},
		{"another channel is left alone", []Statement{grant("marketing", Any, "", 1), refuse(Any, "sms", "", 2)}, mail, Granted},
		{"a topic", []Statement{grant("marketing", Any, "", 1)}, news, Granted},
		{"unsubscribed from the topic", []Statement{grant("marketing", Any, "", 1), refuse(Any, "email", "news", 2)}, news, Withdrawn},
		{"unsubscribed from another topic", []Statement{grant("marketing", Any, "", 1), refuse(Any, "email", "vip", 2)}, news, Granted},
		{"a topic to be chosen", []Statement{grant("marketing", Any, "", 1)}, vip, Denied},
		{"a topic that was chosen", []Statement{grant("marketing", Any, "vip", 1)}, vip, Granted},
		{"a topic is no consent to the rest", []Statement{grant("marketing", Any, "vip", 1)}, mail, Unknown},
		{"a topic is chosen after a general refusal", []Statement{refuse("marketing", "email", "", 1), grant("marketing", "email", "vip", 2)}, vip, Granted},
		{"expired", []Statement{short}, mail, Expired},
		{"unconfirmed", []Statement{unconfirmed}, checked, Pending},
		{"confirmed", []Statement{unconfirmed, confirmed}, checked, Granted},
		{"unconfirmed again after it was confirmed", []Statement{{Key: confirmed.Key, Status: Granted, At: 20}, confirmed}, checked, Granted},
		{"refused, then asked again", []Statement{refuse("checked", Any, "", 3), unconfirmed}, checked, Pending},
		{"unconfirmed, then refused", []Statement{unconfirmed, refuse("checked", Any, "", 6)}, checked, Withdrawn},
		{"banner", []Statement{grant("Advertising", Site, "", 1)}, shown, Granted},
		{"banner is not about e-mail", []Statement{grant("Advertising", Site, "", 1)}, mail, Unknown},
		{"banner refuses what is shown", []Statement{grant("marketing", Any, "", 1), refuse("Advertising", Site, "", 2)}, shown, Withdrawn},
		{"banner does not refuse e-mail", []Statement{grant("marketing", Any, "", 1), refuse("Advertising", Site, "", 2)}, mail, Granted},
		{"banner does not lift what was withdrawn", []Statement{refuse("marketing", Any, "", 1), grant("Advertising", Site, "", 2)}, shown, Withdrawn},
		{"banner takes itself back", []Statement{refuse("Advertising", Site, "", 1), grant("Advertising", Site, "", 2)}, shown, Granted},
	} {
		var set Set
		for _, one := range tt.said {
			set, _, _ = set.With(one)
		}
		if got := set.Status(tt.q, testRules); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

var drawStatement = rapid.Custom(func(t *rapid.T) Statement {
	pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	source := pick("source", "s1", "s2")
	s := Statement{
		Key:    &Key{pick("purpose", Any, "marketing", "checked", "Advertising"), pick("channel", Any, "email", "sms", Site), pick("topic", "", "news", "vip")},
		Status: Status(pick("status", "granted", "denied", "withdrawn")), Confirmed: true, At: rapid.Int64Range(1, 9).Draw(t, "at"), Source: &source,
	}
	if s.Status == Granted {
		s.Confirmed = rapid.Bool().Draw(t, "confirmed")
		s.Expires = rapid.SampledFrom([]int64{0, 5, 20}).Draw(t, "expires")
	}
	return s
})

var drawQuestion = rapid.Custom(func(t *rapid.T) Question {
	q := Question{
		Purpose: rapid.SampledFrom([]string{"marketing", "checked", "service"}).Draw(t, "purpose"), Channel: rapid.SampledFrom([]string{"", "email", "sms", "banner"}).Draw(t, "channel"),
		Topic: rapid.SampledFrom([]string{"", "news", "vip"}).Draw(t, "topic"), At: rapid.Int64Range(9, 25).Draw(t, "at"), // never before what is known
	}
	q.Addressed = q.Channel == "email" || q.Channel == "sms"
	return q
})

func setOf(list []Statement) Set {
	var s Set
	for _, one := range list {
		s, _, _ = s.With(one)
	}
	return s
}

// Neither the order of arrival matters nor which of a person's profiles was told.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		said := rapid.SliceOfN(drawStatement, 0, 15).Draw(t, "said")
		one, shuffled := setOf(said), rapid.Permutation(said).Draw(t, "shuffled")
		if other := setOf(shuffled); !reflect.DeepEqual(one, other) {
			t.Fatalf("%v, in another order %v", one, other)
		}
		cut := rapid.IntRange(0, len(said)).Draw(t, "cut")
		if merged := Union(setOf(shuffled[:cut]), setOf(shuffled[cut:])); len(one)+len(merged) > 0 && !reflect.DeepEqual(one, merged) {
			t.Fatalf("%v, of two profiles %v", one, merged)
		}
	})
}

// A refusal that is the last word on all that is asked is never overruled, and one
// more refusal never permits anything.
func TestRefusalsOnlyForbid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		said := rapid.SliceOfN(drawStatement, 0, 15).Draw(t, "said")
		q := drawQuestion.Draw(t, "question")
		before := setOf(said)
		no := drawStatement.Draw(t, "no")
		no.Status, no.Confirmed, no.Expires = Withdrawn, true, 0
		after, _, _ := before.With(no)
		if before.Status(q, testRules) != Granted && after.Status(q, testRules) == Granted {
			t.Fatalf("a refusal of %+v at %d permits %+v", *no.Key, no.At, q)
		}
		last := refuse(Any, Any, "", q.At)
		if final, _, _ := before.With(last); final.Status(q, testRules) == Granted {
			t.Fatalf("%+v is permitted although everything was refused last", q)
		}
	})
}

func TestSetIsBounded(t *testing.T) {
	t.Parallel()
	var s Set
	full := false
	for i := range int64(MaxStatements) {
		s, _, full = s.With(grant("p"+strings.Repeat("x", int(i%50))+string(rune('a'+i/50)), Any, "", i+1))
	}
	if full || len(s) != MaxStatements {
		t.Fatalf("%d statements, full %v", len(s), full)
	}
	if _, changed, full := s.With(grant("other", Any, "", 999)); changed || !full {
		t.Error("a consent went into a full set")
	}
	next, changed, full := s.With(refuse("other", Any, "", 999))
	if !changed || !full || len(next) != MaxStatements || next.Status(Question{Purpose: "other", At: 1000}, nil) != Withdrawn {
		t.Error("a refusal found no room")
	}
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		event, properties, context string
		want                       Told
		broken                     string
	}{
		{EventGiven, `{"purpose":"marketing"}`, "", Told{Key: Key{"marketing", Any, ""}, Status: Granted}, ""},
		{EventGiven, `{"purpose":"marketing","channel":"email","confirmed":true,"expiresAt":"1970-01-01T00:00:01Z","proof":{"text":"I agree","documentVersion":"3","ip":"10.0.0.1","url":"/x"}}`, "",
			Told{Key: Key{"marketing", "email", ""}, Status: Granted, Confirmed: true, Expires: 1000, Proof: Proof{"I agree", "3", "10.0.0.1", "/x"}}, ""},
		{EventGiven, `{"topic":"news","proof":"ticked"}`, `{"ip":"10.0.0.2"}`, Told{Key: Key{Any, Any, "news"}, Status: Granted, Proof: Proof{Text: "ticked", IP: "10.0.0.2"}}, ""},
		{EventDenied, `{"purpose":"*"}`, "", Told{Key: Key{Any, Any, ""}, Status: Denied, Confirmed: true}, ""},
		{EventUnsubscribed, ``, "", Told{Key: Key{Any, "email", ""}, Status: Withdrawn, Confirmed: true}, ""},
		{EventUnsubscribed, `{"channel":"sms","topic":"news"}`, "", Told{Key: Key{Any, "sms", "news"}, Status: Withdrawn, Confirmed: true}, ""},
		{EventEmailUnsubscribed, `{"channel":"sms","purpose":"marketing"}`, "", Told{Key: Key{"marketing", "email", ""}, Status: Withdrawn, Confirmed: true}, ""},
		{EventGiven, `{}`, "", Told{}, "body.purpose is required"},
		{EventGiven, `{"purpose":"*"}`, "", Told{}, "body.purpose is required"},
		{EventGiven, `{"purpose":7}`, "", Told{}, "body.purpose must be"},
		{EventGiven, `{"purpose":"a b"}`, "", Told{}, "body.purpose must be"},
		{EventDenied, `{"topic":"*"}`, "", Told{}, "body.topic must be"},
		{EventGiven, `{"purpose":"a","expiresAt":"soon"}`, "", Told{}, "body.expiresAt must be"},
		{EventWithdrawn, `{"purpose":"a","expiresAt":"2027-01-01T00:00:00Z"}`, "", Told{}, "body.expiresAt is for"},
		{EventGiven, `{"purpose":"a","proof":7}`, "", Told{}, "body.proof must be"},
		{EventGiven, `{"purpose":"a","proof":{"text":"` + strings.Repeat("x", 2001) + `"}}`, "", Told{}, "body.proof.text must be"},
	} {
		got, err := ParseEvent(tt.event, tt.properties, tt.context)
		if got != tt.want || (err == nil) != (tt.broken == "") || err != nil && !strings.HasPrefix(err.Error(), tt.broken) {
			t.Errorf("%s %s: %+v %v, want %+v %s", tt.event, tt.properties, got, err, tt.want, tt.broken)
		}
	}
}

func TestParseBanner(t *testing.T) {
	t.Parallel()
	got, left := ParseBanner(`{"consent":{"categoryPreferences":{"Advertising":true,"Analytics":false,"a b":true,"x":"yes"}}}`)
	want := []Told{
		{Key: Key{"Advertising", Site, ""}, Status: Granted}, {Key: Key{"Analytics", Site, ""}, Status: Denied, Confirmed: true},
	}
	if !reflect.DeepEqual(got, want) || left != 2 {
		t.Errorf("%+v and %d left out", got, left)
	}
	if got, left := ParseBanner(`{"consent":"categoryPreferences"}`); len(got) != 0 || left != 1 {
		t.Errorf("%v %d", got, left)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(EventGiven, `{"purpose":"marketing","channel":"email","proof":{"text":"x"}}`, `{"ip":"10.0.0.1","consent":{"categoryPreferences":{"a":true}}}`)
	f.Add(EventUnsubscribed, `{"topic":"news"}`, ``)
	f.Fuzz(func(t *testing.T, name, properties, context string) {
		told, err := ParseEvent(name, properties, context)
		if err == nil {
			if told.Key.Purpose == "" || told.Key.Channel == "" || told.Status == "" {
				t.Errorf("%+v of %q", told, properties)
			}
			if told.Status == Granted && told.Key.Purpose == Any && told.Key.Topic == "" {
				t.Errorf("consent for everything of %q", properties)
			}
		}
		banner, _ := ParseBanner(context)
		for _, one := range banner {
			if !ValidName(one.Key.Purpose) || one.Key.Channel != Site {
				t.Errorf("%+v of %q", one, context)
			}
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		p     Purpose
		field string
	}{
		{"empty", Purpose{}, ""},
		{"basis", Purpose{Basis: "wish"}, "basis"},
		{"default", Purpose{Default: "yes"}, "default"},
		{"silence", Purpose{Basis: BasisConsent, Default: Granted}, "default"},
		{"interest", Purpose{Basis: BasisInterest, Default: Granted}, ""},
		{"double", Purpose{Basis: BasisContract, DoubleOptIn: true}, "doubleOptIn"},
		{"category", Purpose{Categories: []string{""}}, "categories[0]"},
		{"twice", Purpose{Categories: []string{"a", "a"}}, "categories[1]"},
	} {
		err := ValidatePurpose(t.Context(), "p", &tt.p)
		if (err == nil) != (tt.field == "") || err != nil && !strings.HasPrefix(err.Error(), "body."+tt.field+" ") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	check := ValidateTopic(func(p string) bool { return p == "marketing" })
	if err := check(t.Context(), "news", &Topic{Purpose: "marketing"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []Topic{{Purpose: "x"}, {Purpose: "marketing", Default: "unknown"}} {
		if check(t.Context(), "news", &bad) == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
