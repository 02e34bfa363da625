package decide

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
	"quintet/profiles"
)

// boss may do everything.
type boss struct{}

func (boss) Authenticate(*http.Request) (api.Principal, error) {
	return api.Principal{ID: "key-1", Name: "boss", Kind: "key", Scopes: api.Scopes()}, nil
}

// town is a world whose people are real profiles.
type town struct {
	*world
	people *profiles.Service
	routes http.Handler
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{}
	w.world = newWorld(t, worldOptions{change: func(d *Deps) {
		pool := enginetest.Postgres(t)
		if err := postgres.Migrate(t.Context(), pool, definitions.Migrations(), profiles.PostgresMigrations()); err != nil {
			t.Fatal(err)
		}
		defs, err := definitions.Open(t.Context(), pool, d.Logger)
		if err != nil {
			t.Fatal(err)
		}
		w.people, err = profiles.Open(t.Context(), profiles.Deps{Postgres: pool, ClickHouse: d.ClickHouse, Stream: d.Stream, Logger: d.Logger, Definitions: defs})
		if err != nil {
			t.Fatal(err)
		}
		d.People, d.Contacts = w.people.Store(), w.people.Store()
	}})
	srv := api.New(api.Options{Auth: boss{}, Logger: enginetest.Logger(t)})
	w.people.Routes(srv)
	w.routes = srv.Router
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.people.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("running profiles: %v", err)
		}
	})
	return w
}

func (w *town) call(t *testing.T, method, path, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer boss")
	out := httptest.NewRecorder()
	w.routes.ServeHTTP(out, r)
	if out.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, out.Code, out.Body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.people.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestConsentAndSuppressionRemoveActions(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.call(t, "PUT", "/v1/purposes/marketing", `{}`)
	for key, c := range map[string]Channel{
		"onsite": {Active: true}, "email": {Active: true, Requires: "email", Purpose: "marketing", RequiresConsent: true},
		"sms": {Active: true, Requires: "phone", Purpose: "marketing"},
	} {
		if _, err := w.channels.Put(t.Context(), key, c, "test", 0); err != nil {
			t.Fatal(err)
		}
	}
	point := func(class string) DecisionPoint {
		return hero(func(p *DecisionPoint) {
			p.Class, p.Offers, p.Channels, p.Features = class, []string{"spring"}, []string{"onsite", "email", "sms"}, nil
			p.Creatives = []Creative{{Key: "a"}, {Key: "b"}}
		})
	}
	w.put(t, "hero", point(ClassAdvertising))
	w.put(t, "receipt", point(ClassService))
	w.call(t, "POST", "/v1/identify", `{"userId":"u1","traits":{"email":"u1@example.org","phone":"+4915112345678"}}`)
	check := func(when, decision string, want ...string) {
		t.Helper()
		resp, rec := w.ask(t, Request{Decision: decision, User: map[string]string{"userId": "u1"}})
		var channels []string
		for _, id := range rec.Candidates {
			if channel := strings.Split(id+"//", "/")[1]; channel != "" && !slices.Contains(channels, channel) {
				channels = append(channels, channel)
			}
		}
		for _, r := range rec.Removed {
			if one := strings.Split(r.Action, "/")[1] + ":" + r.Rule; !slices.Contains(channels, one) {
				channels = append(channels, one)
			}
		}
		if !slices.Equal(channels, want) {
			t.Errorf("%s: %v, want %v", when, channels, want)
		}
		replay, err := w.Replay(t.Context(), rec)
		if err != nil || !replay.Agrees {
			t.Errorf("%s: the replay of %s says %v, %v", when, resp.DecisionID, replay.Differences, err)
		}
		for _, r := range rec.Removed {
			if words := strings.Join(explain(rec), " "); !strings.Contains(words, ruleWords[r.Rule]) {
				t.Errorf("%s: %q does not explain %s", when, words, r.Rule)
			}
		}
	}
	all := []string{"onsite", "email", "sms"}
	check("nothing was said", "hero", "onsite", "sms", "email:no-consent")
	check("nothing was said", "receipt", all...)
	w.call(t, "POST", "/v1/profiles/userId:u1/consents", `{"statements":[{"purpose":"marketing","status":"granted"}]}`)
	check("consent", "hero", all...)
	w.call(t, "POST", "/v1/track", `{"userId":"u1","event":"Unsubscribed","properties":{"channel":"sms"}}`)
	check("unsubscribed on one channel", "hero", "onsite", "email", "sms:suppressed")
	w.call(t, "POST", "/v1/track", `{"userId":"u1","event":"Email Bounced","properties":{"bounceType":"hard"}}`)
	check("a bounce that an event tells of", "receipt", "onsite", "sms", "email:suppressed")
	w.call(t, "DELETE", "/v1/suppressions/email:u1@example.org", ``)
	w.call(t, "POST", "/v1/track", `{"userId":"u1","event":"Email Marked as Spam"}`)
	check("spam that an event tells of", "hero", "onsite", "email:suppressed", "sms:suppressed")
	check("spam that an event tells of", "receipt", all...)
	w.call(t, "DELETE", "/v1/suppressions/email:u1@example.org", ``)
	w.call(t, "DELETE", "/v1/suppressions/phone:+4915112345678", ``)
	check("both off the list", "hero", "onsite", "email", "sms:no-consent")
	w.call(t, "POST", "/v1/suppressions", `{"items":[{"namespace":"email","value":"u1@example.org","reason":"complaint"}]}`)
	check("a complaint", "hero", "onsite", "email:suppressed", "sms:no-consent")
	check("a complaint", "receipt", all...)
	w.call(t, "POST", "/v1/suppressions", `{"items":[{"namespace":"email","value":"u1@example.org","reason":"bounce"}]}`)
	check("a bounce", "receipt", "onsite", "sms", "email:suppressed")
	w.call(t, "POST", "/v1/suppressions", `{"items":[{"namespace":"userId","value":"u1","reason":"manual"}]}`)
	check("the person", "hero", "onsite:suppressed", "email:suppressed", "sms:suppressed")
}

func TestChannelsSayWhatNeedsConsent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		c    Channel
		good bool
	}{
		{Channel{Purpose: "marketing", RequiresConsent: true}, true}, {Channel{Purpose: "marketing"}, true}, {Channel{}, true},
		{Channel{RequiresConsent: true}, false}, {Channel{Purpose: strings.Repeat("x", 65)}, false},
	} {
		if err := ValidateChannel(t.Context(), "email", &tt.c); (err == nil) != tt.good {
			t.Errorf("%+v: %v", tt.c, err)
		}
	}
	for _, tt := range []struct {
		c    Channel
		want string
	}{
		{Channel{Kind: "email"}, "email"}, {Channel{Kind: "sms", Requires: "phone"}, "phone"}, {Channel{Kind: "SMS"}, "phone"}, {Channel{Kind: "onsite"}, ""},
		{Channel{Kind: "banner", Requires: "userId"}, ""}, {Channel{Kind: "post", Requires: "address"}, "address"}, {Channel{Kind: "push"}, "device"},
	} {
		if got := tt.c.addresses(); got != tt.want {
			t.Errorf("%+v sends to %q, want %q", tt.c, got, tt.want)
		}
	}
}

// A channel for no purpose and an empty list cost a decision nothing to speak of.
func TestNothingIsLookedAtWithoutNeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true, change: func(d *Deps) { d.Contacts = asked{t} }})
	w.put(t, "hero", hero())
	for i := range 10 {
		w.ask(t, Request{Decision: "hero", User: w.person(i)})
	}
}

// asked fails when it is.
type asked struct{ t *testing.T }

func (a asked) MayContact(*profiles.View, []profiles.Identifier, profiles.Contact) (string, bool) {
	a.t.Error("consent was asked for")
	return "", true
}

func (asked) Suppressing() bool { return false }
