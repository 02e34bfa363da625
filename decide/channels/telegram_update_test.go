package channels

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseUpdate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_418_300, 0)
	message := func(chat, text string) string {
		return `{"update_id":7,"message":{"message_id":9,"date":1795418219,"from":{"id":42,"is_bot":false},"chat":` + chat + `,"text":` + text + `}}`
	}
	const private = `{"id":42,"type":"private"}`
	member := func(status string) string {
		return `{"update_id":7,"my_chat_member":{"date":1795418219,"chat":` + private + `,"new_chat_member":{"status":"` + status + `"}}}`
	}
	at := time.Unix(1_795_418_219, 0)
	for name, c := range map[string]struct {
		body string
		want Update
		ok   bool
	}{
		"deep link":      {message(private, `"/start abc-_1"`), Update{7, UpdateStart, "42", "abc-_1", "/start abc-_1", "", at}, true},
		"start alone":    {message(private, `"/start"`), Update{7, UpdateStart, "42", "", "/start", "", at}, true},
		"named bot":      {message(private, `"/Stop@shop_bot"`), Update{7, UpdateStop, "42", "", "/Stop@shop_bot", "", at}, true},
		"words":          {message(private, `"stop it /stop"`), Update{7, UpdateText, "42", "", "stop it /stop", "", at}, true},
		"another word":   {message(private, `"/stopped"`), Update{7, UpdateText, "42", "", "/stopped", "", at}, true},
		"a group":        {message(`{"id":-42,"type":"group"}`, `"/stop"`), Update{ID: 7}, false},
		"a bot":          {`{"update_id":7,"message":{"from":{"is_bot":true},"chat":` + private + `,"text":"x"}}`, Update{ID: 7}, false},
		"blocked":        {member("kicked"), Update{7, UpdateBlocked, "42", "", "", "", at}, true},
		"let in again":   {member("member"), Update{7, UpdateUnblocked, "42", "", "", "", at}, true},
		"something else": {`{"update_id":7,"poll":{}}`, Update{ID: 7}, false},
		"a reply": {`{"update_id":7,"message":{"message_id":9,"date":1795418219,"chat":` + private + `,"caption":"yes","reply_to_message":{"message_id":3}}}`,
			Update{7, UpdateText, "42", "", "yes", "42/3", at}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := ParseUpdate([]byte(c.body), now)
			if err != nil || ok != c.ok || ok && !got.At.Equal(c.want.At) {
				t.Fatalf("%+v, %v, %v", got, ok, err)
			}
			if got.At = c.want.At; ok && got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
	for _, body := range []string{"", "{}", "[]", `{"update_id":"7"}`, `{"update_id":1.5}`} {
		if _, _, err := ParseUpdate([]byte(body), now); err == nil {
			t.Errorf("%q is an update", body)
		}
	}
}

func FuzzParseUpdate(f *testing.F) {
	f.Add([]byte(`{"update_id":7,"message":{"date":1,"chat":{"id":42,"type":"private"},"text":"/start x","reply_to_message":{"message_id":3}}}`))
	f.Add([]byte(`{"update_id":7,"my_chat_member":{"chat":{"id":42,"type":"private"},"new_chat_member":{"status":"kicked"}}}`))
	now := time.Now()
	f.Fuzz(func(t *testing.T, body []byte) {
		u, ok, err := ParseUpdate(body, now)
		if ok && (err != nil || u.Kind == "" || u.Chat == "" || u.Chat == "0" || u.At.After(now) || !utf8.ValidString(u.Text) || u.Kind != UpdateStart && u.Payload != "") {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

// The webhook is asked for with the secret, and for what is read only.
func TestTelegramListen(t *testing.T) {
	t.Parallel()
	var got struct {
		URL     string   `json:"url"`
		Secret  string   `json:"secret_token"`
		Allowed []string `json:"allowed_updates"`
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bot1:a/setWebhook" {
			t.Errorf("%s", r.URL)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(`{"ok":true,"result":true}`))
	}))
	defer srv.Close()
	d := openTelegram(&Telegram{Endpoint: srv.URL}, "1:a")
	if err := d.Listen(t.Context(), "https://shop.example/v1/channels/telegram/updates", "0123456789abcdef"); err != nil || got.Secret != "0123456789abcdef" || len(got.Allowed) != 2 || got.URL != "https://shop.example/v1/channels/telegram/updates" {
		t.Errorf("%v, %+v", err, got)
	}
	for secret, right := range map[string]bool{"": true, "0123456789abcdef": true, "short": false, "0123456789abcde!": false} {
		config := Config{Driver: DriverTelegram, Telegram: &Telegram{Username: "shop_bot"}}
		if err := config.Validate(map[string]string{SecretToken: "1:a", SecretReceipts: secret}); (err == nil) != right {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
