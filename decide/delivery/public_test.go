package delivery

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"quintet/decide"
	"quintet/decide/channels"
	"quintet/decide/outbound"
	"quintet/profiles"
)

const reader = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"

func (s *Service) visited(t *testing.T, method, path, agent string) *httptest.ResponseRecorder {
	t.Helper()
	router := chi.NewRouter()
	router.Get("/r/{token}", s.serveLink)
	router.Get("/o/{token}", s.serveOpen)
	router.Get("/u/{token}", s.serveUnsubscribe)
	router.Post("/u/{token}", s.serveUnsubscribe)
	router.Post("/v1/channels/{key}/receipts", s.serveReceipts)
	r := httptest.NewRequest(method, path, strings.NewReader("List-Unsubscribe=One-Click"))
	r.Header.Set("User-Agent", agent)
	w := httptest.NewRecorder()
	router.ServeHTTP(w, r)
	return w
}

func (w *town) events(t *testing.T, s *Service) map[string]profiles.Note {
	t.Helper()
	if err := s.relayNotes(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := map[string]profiles.Note{}
	for _, n := range w.notes {
		out[n.Event] = n
	}
	return out
}

// A mail leads through links that tell of the visit, with the decision; what machines do
// does not count, and one call unsubscribes.
func TestTracking(t *testing.T) {
	t.Parallel()
	w, pool := newTown(1), migrated(t)
	s := w.process(t, pool, map[string]channels.Config{"mail": {Driver: channels.DriverSMTP, SMTP: &channels.SMTP{}}})
	enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel = "mail" }))
	settle(t, s)
	id := stepID(&job{delivery: steps(t, pool, "k0")[0].ID})
	out := w.text[id]
	if out.To != "u0@example.org" || out.Subject != "Hello Ada" || strings.Contains(out.HTML, "shop.example.org/sale") || !strings.Contains(out.HTML, out.Unsubscribe) {
		t.Fatalf("%+v", out)
	}
	path := func(kind string) string {
		_, rest, found := strings.Cut(out.HTML, `"https://shop.example/`+kind+"/")
		token, _, _ := strings.Cut(rest, `"`)
		if !found {
			t.Fatalf("no %s in %s", kind, out.HTML)
		}
		return "/" + kind + "/" + token
	}
	// At once, by a machine, and by a call that shows nothing.
	s.visited(t, http.MethodGet, path("o"), reader)
	w.pass(time.Minute)
	s.visited(t, http.MethodGet, path("o"), "Mozilla/5.0")
	s.visited(t, http.MethodGet, path("r"), "Barracuda Sentinel")
	if _, opened := w.events(t, s)["Email Opened"]; opened {
		t.Error("a machine's open counts")
	}
	for range 2 {
		if got := s.visited(t, http.MethodGet, path("r"), reader); got.Code != http.StatusFound || got.Header().Get("Location") != "https://shop.example.org/sale?a=1&b=2" {
			t.Errorf("%d %v", got.Code, got.Header())
		}
		s.visited(t, http.MethodGet, path("o"), reader)
	}
	events := w.events(t, s)
	if n := events["Email Link Clicked"]; n.Properties["decisionId"] != "d0" || n.Properties["url"] != "https://shop.example.org/sale?a=1&b=2" || n.Profile != person(0) {
		t.Errorf("%+v", n)
	}
	if _, opened := events["Email Opened"]; !opened || len(w.notes) != 3 {
		t.Errorf("%v", events)
	}
	if got := s.visited(t, http.MethodGet, path("u"), reader); got.Code != http.StatusOK || len(w.events(t, s)) != 3 {
		t.Errorf("looking at the page: %d", got.Code)
	}
	if got := s.visited(t, http.MethodPost, path("u"), "mail program"); got.Code != http.StatusOK {
		t.Errorf("%d", got.Code)
	}
	if n := w.events(t, s)["Unsubscribed"]; n.Properties["channel"] != "email" {
		t.Errorf("%+v", n)
	}
	// A token of one kind is none of another, and nobody makes one up.
	for _, path := range []string{strings.Replace(path("o"), "/o/", "/r/", 1), "/r/x", "/u/" + strings.Repeat("A", 40), path("r")[:len(path("r"))-2] + "AA"} {
		if got := s.visited(t, http.MethodGet, path, reader); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	if got := s.visited(t, http.MethodPost, "/v1/channels/mail/receipts", reader); got.Code != http.StatusUnauthorized {
		t.Errorf("receipts of nobody: %d", got.Code)
	}
}

// What must not be sent at the moment of sending is not, with the rule; a dead address
// is not used again.
func TestLookedAtAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world   func(*town)
		message func(*outbound.Message)
		reason  string
	}{
		"consent withdrawn":  {func(w *town) { w.refused["sms"] = profiles.RuleNoConsent }, nil, profiles.RuleNoConsent},
		"suppressed":         {func(w *town) { w.refused["sms"] = profiles.RuleSuppressed }, nil, profiles.RuleSuppressed},
		"gone":               {func(w *town) { delete(w.views, person(0)) }, nil, ReasonGone},
		"no address":         {func(w *town) { w.views[person(0)].Identifiers = nil }, nil, ReasonUnreachable},
		"closed channel":     {func(w *town) { w.inactive["sms"] = true }, nil, ReasonInactive},
		"no such template":   {nil, func(m *outbound.Message) { m.Offer = "autumn" }, ReasonNoTemplate},
		"no room in a cap":   {func(w *town) { w.full = true }, nil, "cap:weekly"},
		"no driver":          {nil, func(m *outbound.Message) { m.Channel = "pigeon" }, ReasonNoDriver},
		"never a quiet end":  {func(w *town) { w.quiet["sms"] = time.Time{} }, nil, ReasonQuiet},
		"too late":           {nil, func(m *outbound.Message) { m.ExpiresAt = m.SendAt }, ReasonExpired},
		"a driver in a loop": {nil, func(m *outbound.Message) { m.Channel = "both2" }, ReasonNoDriver},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, pool := newTown(1), migrated(t)
			if c.world != nil {
				c.world(w)
			}
			s := w.process(t, pool, three())
			m := w.message(0)
			if c.message != nil {
				c.message(&m)
			}
			enqueue(t, s, m)
			settle(t, s)
			if list := steps(t, pool, "k0"); len(list) != 1 || list[0].State != string(Skipped) || list[0].Reason != c.reason || w.sent() != 0 {
				t.Errorf("%+v", list)
			}
			if w.releases["d0"] == 0 {
				t.Error("the contact is not given back")
			}
		})
	}
}

func TestQuietHoursAndRetries(t *testing.T) {
	t.Parallel()
	w, pool := newTown(2), migrated(t)
	w.now = time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC) // clocks go forward in this night
	for _, v := range w.views {
		v.Traits["timezone"] = "Europe/Berlin"
	}
	quiet := sms
	quiet.QuietHours = &channels.QuietHours{From: "21:00", To: "09:00"}
	s := w.process(t, pool, map[string]channels.Config{"sms": quiet})
	enqueue(t, s, w.message(0), w.message(1, func(m *outbound.Message) { m.Class, m.Basis = decide.ClassService, outbound.BasisService }))
	settle(t, s)
	if w.sent() != 1 || steps(t, pool, "k1")[0].State != string(Sent) {
		t.Fatal("a service message waits, or advertising does not")
	}
	w.pass(8*time.Hour + 59*time.Minute) // 08:59 in Berlin, in summer time
	settle(t, s)
	if w.sent() != 1 {
		t.Fatal("sent in quiet hours")
	}
	tries := 0
	w.answer = func(string, *channels.Outgoing) error {
		if tries++; tries < 3 {
			return &channels.Failure{Kind: channels.Temporary, RetryAfter: time.Minute, Err: http.ErrServerClosed}
		}
		return nil
	}
	w.pass(time.Minute)
	settle(t, s)
	settle(t, s)
	if tries != 1 {
		t.Fatalf("%d attempts, want one and then a pause", tries)
	}
	for range 5 {
		w.pass(time.Minute)
		settle(t, s)
	}
	if tries != 3 || w.sent() != 2 {
		t.Errorf("%d attempts, %d sent", tries, w.sent())
	}
	if at := w.postponed["d0"]; len(at) != 2 || !at[0].Before(at[1]) {
		t.Errorf("the contact was put off to %v", at)
	}
	// Quiet hours that are defined for the channel hold a message too that was planned for
	// a moment in them, as one is whose campaign names a time of day.
	w.answer, w.quiet["sms"] = nil, w.now.Add(time.Hour)
	enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Key = "held" }))
	settle(t, s)
	w.pass(59 * time.Minute)
	settle(t, s)
	if got := steps(t, pool, "held")[0]; got.State != string(Queued) {
		t.Errorf("in quiet hours it is %+v", got)
	}
	w.pass(time.Minute)
	settle(t, s)
	if got := steps(t, pool, "held")[0]; got.State != string(Sent) {
		t.Errorf("behind quiet hours it is %+v", got)
	}
	// An address that is dead is not tried again.
	w.answer = answers("sms", channels.Dead)
	for i, key := range []string{"a", "b"} {
		enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Key = key }))
		w.pass(time.Duration(i) * time.Second)
		settle(t, s)
	}
	if a, b := steps(t, pool, "a")[0], steps(t, pool, "b")[0]; a.State != string(Failed) || b.State != string(Skipped) || b.Reason != ReasonDeadAddress {
		t.Errorf("%+v, %+v", a, b)
	}
}
