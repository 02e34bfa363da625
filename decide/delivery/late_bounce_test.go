package delivery

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"quintet/decide/channels"
	"quintet/decide/outbound"
)

// A bounce that comes long after its message is of the address that it went to: nothing
// more goes there, and an address that the person has by then stays in use.
func TestLateBounce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		kind    channels.ReceiptKind
		changed bool
		again   State // of a second message
		named   any   // by the event
	}{
		{"bounced", channels.Bounced, false, Skipped, "u0@example.org"},
		{"bounced after a change of address", channels.Bounced, true, Sent, formerAddress},
		{"a failure that may pass", channels.Failed, false, Sent, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, pool := newTown(1), migrated(t)
			s := w.process(t, pool, map[string]channels.Config{"mail": {Driver: channels.DriverSMTP, SMTP: &channels.SMTP{}}})
			enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel = "mail" }))
			settle(t, s)
			first := steps(t, pool, "k0")[0]
			if State(first.State) != Sent {
				t.Fatalf("%+v", first)
			}
			w.pass(3 * time.Hour)
			if c.changed {
				w.mu.Lock()
				view := *w.views[person(0)]
				view.Traits = map[string]any{"email": "new@example.org", "firstName": "Ada"}
				w.views[person(0)] = &view
				w.mu.Unlock()
			}
			if err := s.Receipt(t.Context(), "mail", channels.Receipt{ID: stepID(&job{delivery: first.ID}), Kind: c.kind, Code: "5.1.1", At: w.time()}); err != nil {
				t.Fatal(err)
			}
			name := map[channels.ReceiptKind]string{channels.Bounced: "Email Bounced", channels.Failed: "Email Failed"}[c.kind]
			if n := w.events(t, s)[name]; n.Properties["email"] != c.named {
				t.Errorf("%s names %v, want %v", name, n.Properties["email"], c.named)
			}
			var evidence []string
			if err := pool.QueryRow(t.Context(), `SELECT COALESCE(array_agg(evidence || ' of ' || delivery), '{}') FROM delivery_dead`).Scan(&evidence); err != nil {
				t.Fatal(err)
			}
			if c.kind == channels.Bounced && (len(evidence) != 1 || evidence[0] != "receipt: 5.1.1 of "+first.ID) || c.kind == channels.Failed && len(evidence) > 0 {
				t.Errorf("the evidence is %q", evidence)
			}
			enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel, m.DecisionID, m.Key = "mail", "d1", "k1" }))
			settle(t, s)
			second := steps(t, pool, "k1")[0]
			if State(second.State) != c.again || c.again == Skipped && second.Reason != ReasonDeadAddress {
				t.Errorf("the next message is %s (%s), want %s", second.State, second.Reason, c.again)
			}
		})
	}
}

// Meta's services confirm the address of receipts by a challenge, which only who has the
// secret gets back.
func TestHandshake(t *testing.T) {
	t.Parallel()
	w, pool := newTown(1), migrated(t)
	receipts := &channels.WebhookReceipts{Header: "X-Hub-Signature-256", ID: "id", Status: "status", Handshake: true}
	config := channels.Config{Driver: channels.DriverWebhook, Webhook: &channels.Webhook{URL: "https://example.org", Receipts: receipts}}
	s := w.process(t, pool, map[string]channels.Config{"whatsapp": config, "sms": {Driver: channels.DriverSMPP, SMPP: &channels.SMPP{}}})
	s.drivers["whatsapp"].secrets = map[string]string{channels.SecretVerify: "s3cret", channels.SecretReceipts: "app"}
	router := chi.NewRouter()
	router.Get("/v1/channels/{key}/receipts", s.serveHandshake)
	for _, c := range []struct {
		channel, mode, token, challenge string
		status                          int
	}{
		{"whatsapp", "subscribe", "s3cret", "1158201444", 200},
		{"whatsapp", "subscribe", "guess", "1158201444", 401},
		{"whatsapp", "subscribe", "", "1158201444", 401},
		{"whatsapp", "unsubscribe", "s3cret", "1158201444", 401},
		{"whatsapp", "subscribe", "s3cret", "", 422},
		{"sms", "subscribe", "s3cret", "1158201444", 401},
		{"nowhere", "subscribe", "s3cret", "1158201444", 401},
	} {
		query := url.Values{"hub.mode": {c.mode}, "hub.verify_token": {c.token}, "hub.challenge": {c.challenge}}
		answer := httptest.NewRecorder()
		router.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/v1/channels/"+c.channel+"/receipts?"+query.Encode(), nil))
		if answer.Code != c.status || c.status == 200 && (answer.Body.String() != c.challenge || answer.Header().Get("Content-Type") != "text/plain; charset=utf-8") {
			t.Errorf("%+v: %d %q", c, answer.Code, answer.Body)
		}
	}
}
