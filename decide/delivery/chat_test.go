package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"pgregory.net/rapid"

	"quintet/decide/channels"
	"quintet/decide/outbound"
	"quintet/profiles/identity"
)

const chatSecret = "0123456789abcdef"

// bot is a service whose channel telegram is a bot that listens.
func (w *town) bot(t *testing.T) (s *Service, post func(body string) *httptest.ResponseRecorder) {
	t.Helper()
	s = w.process(t, migrated(t), map[string]channels.Config{"telegram": {Driver: channels.DriverTelegram, Telegram: &channels.Telegram{Username: "shop_bot"}}})
	s.drivers["telegram"].secrets = map[string]string{channels.SecretReceipts: chatSecret}
	s.setTrait = func(_ context.Context, profile, trait string, value any) error {
		id, _ := identity.ParseID(profile)
		w.mu.Lock()
		defer w.mu.Unlock()
		view := *w.views[id]
		view.Traits = maps.Clone(view.Traits)
		if view.Traits[trait] = value; value == nil {
			delete(view.Traits, trait)
		}
		w.views[id] = &view
		return nil
	}
	router := chi.NewRouter()
	router.Post("/v1/channels/{key}/updates", s.serveUpdate)
	return s, func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/v1/channels/telegram/updates", strings.NewReader(body))
		r.Header.Set(channels.TelegramSecretHeader, chatSecret)
		out := httptest.NewRecorder()
		router.ServeHTTP(out, r)
		return out
	}
}

func (w *town) said(update, chat int, text string) string {
	quoted, _ := json.Marshal(text) // a string
	text = string(quoted)
	return fmt.Sprintf(`{"update_id":%d,"message":{"message_id":%d,"date":%d,"chat":{"id":%d,"type":"private"},"text":%s}}`, update, 100+update, w.time().Unix(), chat, text)
}

// A chat becomes a person's by a deep link, and what is said there is theirs.
func TestChat(t *testing.T) {
	t.Parallel()
	w := newTown(2)
	s, post := w.bot(t)
	trait := func(i int) string {
		view, _ := w.GetPerson(person(i))
		return traitText(view.Traits["telegramChatId"])
	}
	start := func(update, chat, i int) string {
		t.Helper()
		return post(w.said(update, chat, "/start "+s.chatLink("telegram", person(i), w.time().Add(time.Hour)))).Body.String()
	}
	if got := start(1, 77, 0); trait(0) != "77" || !strings.Contains(got, `"method":"sendMessage"`) || !strings.Contains(got, `"chat_id":77`) {
		t.Fatalf("%q: %s", trait(0), got)
	}
	enqueue(t, s, w.message(0, func(m *outbound.Message) { m.Channel = "telegram" }))
	settle(t, s)
	first := steps(t, s.pool, "k0")[0]
	w.pass(time.Minute)
	// An answer is an event each time, and a reply to the message once, however often it is told.
	for range 2 {
		if got := post(w.said(2, 77, "Is it \x00 still on?")); got.Code != http.StatusOK {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
	}
	post(w.said(3, 77, "Hello?"))
	events := w.events(t, s)
	if n := events["Message Replied"]; n.Profile != person(0) || n.Properties["decisionId"] != "d0" || n.Properties["text"] != "Is it  still on?" || n.Properties["deliveryId"] != first.ID {
		t.Errorf("%+v", n)
	}
	received := 0
	for _, n := range w.notes {
		if n.Event == "Message Received" {
			received++
		}
	}
	if received != 2 {
		t.Errorf("%d messages were received, want 2", received)
	}
	// The same chat of another person is no more the first one's.
	start(4, 77, 1)
	if trait(0) != "" || trait(1) != "77" {
		t.Errorf("the chat is of %q and %q", trait(0), trait(1))
	}
	if got := post(w.said(5, 77, "/stop")).Body.String(); !strings.Contains(got, saidStopped) {
		t.Errorf("%s", got)
	}
	if n := w.events(t, s)["Unsubscribed"]; n.Profile != person(1) || n.Properties["channel"] != "telegram" {
		t.Errorf("%+v", n)
	}
	// Who blocks the bot gets nothing, until they start it again.
	if got := post(fmt.Sprintf(`{"update_id":6,"my_chat_member":{"date":%d,"chat":{"id":77,"type":"private"},"new_chat_member":{"status":"kicked"}}}`, w.time().Unix())); got.Code != http.StatusOK {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	send := func(key string) stepRow {
		enqueue(t, s, w.message(1, func(m *outbound.Message) { m.Key, m.Channel = key, "telegram" }))
		settle(t, s)
		return steps(t, s.pool, key)[0]
	}
	if got := send("blocked"); got.Reason != ReasonDeadAddress {
		t.Errorf("to who blocked the bot: %+v", got)
	}
	start(7, 77, 1)
	if got := send("again"); State(got.State) != Sent {
		t.Errorf("to who started it again: %+v", got)
	}
}

// What nobody gave out links nothing, and who does not know the secret says nothing.
func TestChatRefusals(t *testing.T) {
	t.Parallel()
	w := newTown(1)
	s, post := w.bot(t)
	before := traitText(w.views[person(0)].Traits["telegramChatId"])
	until := w.time().Add(time.Hour)
	for i, payload := range []string{"", "x", s.chatLink("telegram", person(0), w.time().Add(-time.Second)), s.chatLink("other", person(0), until), s.chatLink("telegram", person(0), until) + "A"} {
		if got := post(w.said(i, 77, "/start "+payload)); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "open the link") {
			t.Errorf("%q: %d %s", payload, got.Code, got.Body)
		}
	}
	if now := traitText(w.views[person(0)].Traits["telegramChatId"]); now != before {
		t.Errorf("the chat is %q", now)
	}
	for _, text := range []string{"hi", "/stop"} {
		if got := post(w.said(9, 78, text)); got.Code != http.StatusOK {
			t.Errorf("%d", got.Code)
		}
	}
	if events := w.events(t, s); len(events) != 0 {
		t.Errorf("of a stranger: %v", events)
	}
	if got := post("{}"); got.Code != http.StatusBadRequest {
		t.Errorf("no update: %d", got.Code)
	}
	for _, secret := range []string{"", "fedcba9876543210"} {
		s.drivers["telegram"].secrets[channels.SecretReceipts] = secret
		if got := post(w.said(10, 77, "hi")); got.Code != http.StatusUnauthorized {
			t.Errorf("with another secret: %d", got.Code)
		}
	}
}

// A token is of one message, step, kind and link, and a chat link of one profile and
// channel: changed anywhere, it is of none.
func TestTokensOfOthers(t *testing.T) {
	t.Parallel()
	seal, err := channels.NewSeal(make([]byte, channels.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{seal: seal, now: time.Now}
	kinds := []byte{kindLink, kindOpen, kindUnsubscribe}
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	changed := func(t *rapid.T, token string) string {
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		other := alphabet[rapid.IntRange(0, len(alphabet)-1).Draw(t, "letter")]
		return token[:at] + string(other) + token[at+1:]
	}
	rapid.Check(t, func(t *rapid.T) {
		id, step, n := newID(), rapid.IntRange(0, 9).Draw(t, "step"), rapid.IntRange(0, maxLinks).Draw(t, "n")
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		token := s.token(id, step, kind, n)
		if d, st, m, ok := s.readToken(token, kind); !ok || d != id || st != step || m != n {
			t.Fatalf("%s %d %d %v", d, st, m, ok)
		}
		if other := changed(t, token); other != token {
			for _, k := range kinds {
				if d, _, _, ok := s.readToken(other, k); ok {
					t.Fatalf("%s is of %s", other, d)
				}
			}
		}
		// The MAC of one message on the body of another.
		second := s.token(newID(), step, kind, n)
		if cut := len(token) * tokenBody / (tokenBody + tokenMAC); second[:cut] != token[:cut] {
			if _, _, _, ok := s.readToken(second[:cut]+token[cut:], kind); ok {
				t.Fatal("the MAC of another message is taken")
			}
		}
		link := s.chatLink("a", person(n), time.Now().Add(time.Hour))
		if got, ok := s.readChatLink("a", link); !ok || got != person(n) {
			t.Fatalf("%v, %v", got, ok)
		}
		if _, ok := s.readChatLink("b", link); ok {
			t.Fatal("a link is of another channel")
		}
		if other := changed(t, link); other != link {
			if _, ok := s.readChatLink("a", other); ok {
				t.Fatalf("%s is taken", other)
			}
		}
		if _, _, _, ok := s.readToken(link, kind); ok || strings.ContainsAny(link, "=+/") || len(link) > 64 {
			t.Fatalf("%s", link)
		}
	})
}
