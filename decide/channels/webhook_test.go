package channels

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/internal/problem"
)

// preset is a shipped configuration that calls a server of the test.
func preset(t *testing.T, key, base string) Config {
	t.Helper()
	list, err := Presets()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(p Preset) bool { return p.Key == key })
	c := list[i].Config
	_, rest, _ := strings.Cut(strings.TrimPrefix(c.Webhook.URL, "https://"), "/")
	c.Webhook.URL = base + "/" + strings.Replace(rest, "PHONE_NUMBER_ID", "42", 1)
	c.Webhook.Check = ""
	if err := c.Validate(map[string]string{SecretToken: "tok", SecretReceipts: "app", SecretVerify: "own"}); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return c
}

// What the shipped configurations send has the shape and credentials that the services
// document, whatever the text says.
func TestPresets(t *testing.T) {
	t.Parallel()
	const text = `Hi "Ada" {{to}} \ {`
	for key, c := range map[string]struct {
		path, header, value, answer, id, dead, busy string
		want                                        any
		receipt                                     string
	}{
		"whatsapp-cloud": {
			"/v21.0/42/messages", "Authorization", "Bearer tok", `{"messages":[{"id":"wamid.1"}]}`, "wamid.1", `{"error":{"code":131026}}`, `{"error":{"code":130429}}`,
			map[string]any{"messaging_product": "whatsapp", "recipient_type": "individual", "to": "491700000001", "type": "template", "biz_opaque_callback_data": "id-0", "template": map[string]any{
				"name": "TEMPLATE", "language": map[string]any{"code": "de"}, "components": []any{map[string]any{"type": "body", "parameters": []any{map[string]any{"type": "text", "text": text}}}}}},
			`{"entry":[{"changes":[{"value":{"statuses":[{"id":"wamid.1","status":"read","timestamp":"1795418219"},{"id":"wamid.2","status":"sent"}]}}]}]}`,
		},
		"viber": {
			"/pa/send_message", "X-Viber-Auth-Token", "tok", `{"status":0,"message_token":5741311803571721087}`, "5741311803571721087", `{"status":6}`, `{"status":12}`,
			map[string]any{"receiver": "+491700000001", "min_api_version": 1.0, "sender": map[string]any{"name": "SENDER"}, "tracking_data": "id-0", "type": "text", "text": text},
			`{"event":"seen","timestamp":1795418219000,"message_token":5741311803571721087}`,
		},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			answer, status := c.answer, http.StatusOK
			var got any
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != c.path || r.Header.Get(c.header) != c.value || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
				}
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
					t.Error(err)
				}
				w.WriteHeader(status)
				fmt.Fprint(w, answer)
			}))
			defer srv.Close()
			config := preset(t, key, srv.URL)
			d, err := Open(&config, map[string]string{SecretToken: "tok"})
			if err != nil {
				t.Fatal(err)
			}
			m := &Outgoing{ID: "id-0", To: "+491700000001", Content: Content{Text: text, Locale: "de"}}
			id, err := d.Send(t.Context(), m)
			if err != nil || id != c.id || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q, %v: %v", id, err, got)
			}
			answer = c.dead
			_, err = d.Send(t.Context(), m)
			wantKind(t, err, Dead)
			answer = c.busy
			_, err = d.Send(t.Context(), m)
			wantKind(t, err, Temporary)

			h := http.Header{}
			h.Set(config.Webhook.Receipts.Header, "sha256="+Sign("app", c.receipt))
			list, err := config.Webhook.Receipts.Read("app", h, []byte(c.receipt), time.Unix(1795418300, 0))
			if err != nil || len(list) != 1 || list[0].ProviderID != c.id || list[0].Kind != Opened || list[0].At.Unix() != 1795418219 {
				t.Errorf("%+v, %v", list, err)
			}
			if key == "whatsapp-cloud" { // why a message failed says whether the address exists
				for code, want := range map[string]ReceiptKind{"131026": Bounced, "131047": Failed} {
					body := `{"entry":[{"changes":[{"value":{"statuses":[{"id":"wamid.1","status":"failed","errors":[{"code":` + code + `}]}]}}]}]}`
					h.Set(config.Webhook.Receipts.Header, "sha256="+Sign("app", body))
					if list, err := config.Webhook.Receipts.Read("app", h, []byte(body), time.Now()); err != nil || len(list) != 1 || list[0].Kind != want || list[0].Code != code {
						t.Errorf("%s: %+v, %v", code, list, err)
					}
				}
			}
			if _, err := config.Webhook.Receipts.Read("other", h, []byte(c.receipt), time.Now()); err == nil {
				t.Error("receipts signed by somebody else are taken")
			}
		})
	}
}

func TestSignedWebhook(t *testing.T) {
	t.Parallel()
	status, hang := 200, false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Sig") != "sha256="+Sign("key", r.Header.Get("X-Time")+"."+string(body)) {
			t.Errorf("the signature does not hold: %v", r.Header)
		}
		if string(body) != "text=a%26b%3Dc&to=%2B49" || r.URL.Query().Get("ref") != "i&d" || r.Header.Get("X-Ref") != "i&d" {
			t.Errorf("%s %s", r.URL, body)
		}
		if hang {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
			return
		}
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(status)
	}))
	defer srv.Close()
	config := Config{Driver: DriverWebhook, Webhook: &Webhook{URL: srv.URL + "/send?ref={{id}}", Headers: map[string]string{"X-Ref": "{{id}}"}, Form: true,
		Body: map[string]any{"to": "{{to}}", "text": "{{text}}"}, Signature: &RequestSignature{Header: "X-Sig", TimeHeader: "X-Time"}}}
	secrets := map[string]string{SecretSigning: "key"}
	if err := config.Validate(secrets); err != nil {
		t.Fatal(err)
	}
	d, err := Open(&config, secrets)
	if err != nil {
		t.Fatal(err)
	}
	m := &Outgoing{ID: "i&d", To: "+49", Content: Content{Text: "a&b=c"}}
	if _, err := d.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for code, kind := range map[int]FailureKind{429: Temporary, 500: Temporary, 401: Credentials, 400: Permanent, 302: Permanent} {
		status = code
		_, err := d.Send(t.Context(), m)
		wantKind(t, err, kind)
		if code == 429 && FailureOf(err).RetryAfter != 9*time.Second {
			t.Errorf("retry after %v", FailureOf(err).RetryAfter)
		}
	}
	hang = true
	_, err = d.Send(t.Context(), m)
	wantKind(t, err, Uncertain)
	config.Webhook.Idempotent = true
	_, err = d.Send(t.Context(), m)
	wantKind(t, err, Temporary)
	srv.Close()
	config.Webhook.Idempotent = false
	_, err = d.Send(t.Context(), m)
	wantKind(t, err, Temporary) // nobody was there to take it
}

func TestRefusedConfigurations(t *testing.T) {
	t.Parallel()
	web := func(change func(*Webhook)) Config {
		w := &Webhook{URL: "https://a.example/send", Body: map[string]any{"to": "{{to}}"}}
		change(w)
		return Config{Driver: DriverWebhook, Webhook: w}
	}
	for field, c := range map[string]Config{
		"driver":             {Driver: "pigeon"},
		"smtp":               {Driver: DriverSMTP},
		"webhook":            {Driver: DriverTelegram, Webhook: &Webhook{}},
		"webhook.body.to":    web(func(w *Webhook) { w.Body = map[string]any{"to": "{{too}}"} }),
		"webhook.body.token": web(func(w *Webhook) { w.Body = map[string]any{"token": "{{secret.token}}"} }),
		"webhook.url":        web(func(w *Webhook) { w.URL = "http://a.example/send" }),
		"webhook.receipts.map.ok": web(func(w *Webhook) {
			w.Receipts = &WebhookReceipts{Header: "x", ID: "id", Status: "s", Map: map[string]ReceiptKind{"ok": "fine"}}
		}),
		"secrets.signing":          web(func(w *Webhook) { w.Signature = &RequestSignature{Header: "x", TimeHeader: "y"} }),
		"smtp.tls":                 {Driver: DriverSMTP, SMTP: &SMTP{Host: "mail.example", Port: 25, TLS: "none", From: "a@b.example"}},
		"smtp.from":                {Driver: DriverSMTP, SMTP: &SMTP{Host: "mail.example", Port: 25, From: "nobody"}},
		"cascade.steps":            {Driver: DriverCascade, Cascade: &CascadeConfig{Steps: []CascadeStep{{Channel: "a"}}}},
		"cascade.steps[0].wait":    {Driver: DriverCascade, Cascade: &CascadeConfig{Steps: []CascadeStep{{Channel: "a"}, {Channel: "b"}}}},
		"cascade.steps[1].channel": {Driver: DriverCascade, Cascade: &CascadeConfig{Steps: []CascadeStep{{Channel: "a", Wait: "4h"}, {Channel: "a"}}}},
		"quietHours.to":            {Driver: DriverTelegram, QuietHours: &QuietHours{From: "09:00", To: "09:00"}},
		"quietHours.zone":          {Driver: DriverTelegram, QuietHours: &QuietHours{From: "21:00", To: "09:00", Zone: "Mars/Base"}},
		"secrets.token":            {Driver: DriverTelegram},
	} {
		var bad problem.Invalid
		err := c.Validate(nil)
		if !errors.As(err, &bad) || !slices.ContainsFunc(bad, func(f problem.Field) bool { return f.Field == field }) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

// Nothing goes out in quiet hours, on the days on which clocks are changed as well, and
// the wait is no longer than it has to be.
func TestQuietHours(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []QuietHours{{From: "21:00", To: "09:00"}, {From: "01:00", To: "02:30"}, {From: "00:00", To: "03:00"}} {
			for _, day := range []time.Time{time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 6, 0, 0, 0, time.UTC)} {
				for m := range 48 * 4 {
					at := day.Add(time.Duration(m) * 15 * time.Minute)
					next := q.Next(at, zone)
					if next.Before(at) || q.Quiet(next, zone) {
						t.Fatalf("%s %+v: %s waits until %s", name, q, at.In(zone), next.In(zone))
					}
					if next.After(at) && !q.Quiet(next.Add(-time.Minute), zone) {
						t.Fatalf("%s %+v: %s waits for longer than it has to, until %s", name, q, at.In(zone), next.In(zone))
					}
				}
			}
		}
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/keys/credentials.key"
	s, err := LoadSeal(path)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := s.Close("mail", map[string]string{"password": "open sesame"})
	if err != nil || strings.Contains(string(closed), "sesame") {
		t.Fatalf("%q, %v", closed, err)
	}
	again, err := LoadSeal(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open("mail", closed); err != nil || got["password"] != "open sesame" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := again.Open("sms", closed); err == nil {
		t.Error("the secrets of another channel open")
	}
	closed[len(closed)-1]++
	if _, err := again.Open("mail", closed); err == nil {
		t.Error("changed secrets open")
	}
}
