package consents

import (
	"reflect"
	"testing"
)

func TestEventsOfDelivery(t *testing.T) {
	t.Parallel()
	mail := []string{"email"}
	for _, c := range []struct {
		name, properties string
		want             Delivery
	}{
		{EventEmailBounced, ``, Delivery{Bounced, mail, ""}},
		{EventEmailBounced, `{"email":" a@example.org ","bounceType":"hard"}`, Delivery{Bounced, mail, "a@example.org"}},
		{EventEmailBounced, `{"recipient":"a@example.org","type":"Permanent"}`, Delivery{Bounced, mail, "a@example.org"}},
		{EventEmailBounced, `{"bounce_type":"Soft"}`, Delivery{}},
		{EventEmailBounced, `{"type":"Transient"}`, Delivery{}},
		{EventEmailBounced, `{"email":7}`, Delivery{Bounced, mail, ""}},
		{EventEmailBounced, `[`, Delivery{}},
		{EventEmailMarkedAsSpam, `{"email":"a@example.org"}`, Delivery{Complained, mail, "a@example.org"}},
		{EventMarkedAsSpam, ``, Delivery{Complained, mail, ""}},
		{EventUnsubscribed, ``, Delivery{Unsubscribed, mail, ""}},
		{EventEmailUnsubscribed, `{"email":"a@example.org"}`, Delivery{Unsubscribed, mail, "a@example.org"}},
		{EventUnsubscribed, `{"channel":"sms","phone":"+491511234567"}`, Delivery{Unsubscribed, []string{"phone"}, "+491511234567"}},
		{EventUnsubscribed, `{"channel":"*"}`, Delivery{Unsubscribed, []string{"email", "phone"}, ""}},
		{EventUnsubscribed, `{"channel":"push"}`, Delivery{}},
		{EventUnsubscribed, `{"topic":"news"}`, Delivery{}},
		{EventUnsubscribed, `{"purpose":"marketing"}`, Delivery{}},
		{EventUnsubscribed, `{"channel":7}`, Delivery{}},
		{EventGiven, `{"purpose":"marketing","channel":"email"}`, Delivery{Resubscribed, mail, ""}},
		{EventGiven, `{"purpose":"marketing"}`, Delivery{}},
		{EventGiven, `{"channel":"email"}`, Delivery{}}, // for which purpose is not said
	} {
		if !Reports(c.name) {
			t.Errorf("%s says nothing", c.name)
		}
		if got := ParseDelivery(c.name, c.properties); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s: %+v, want %+v", c.name, c.properties, got, c.want)
		}
	}
	if Reports("Email Opened") {
		t.Error("an opened mail says something")
	}
}

func FuzzParseDelivery(f *testing.F) {
	f.Add(EventEmailBounced, `{"email":"a@example.org"}`)
	f.Add(EventUnsubscribed, `{"channel":"*"}`)
	f.Fuzz(func(t *testing.T, name, properties string) {
		d := ParseDelivery(name, properties)
		if (d.Refusal == Accepted) != (len(d.Namespaces) == 0) {
			t.Errorf("%+v", d)
		}
	})
}
