package channels

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"quintet/internal/problem"
)

// Webhook is an HTTP call by which another service sends. Texts of the address, the
// headers and the body may have {{to}}, {{id}}, {{subject}}, {{text}}, {{html}},
// {{url}}, {{image}}, {{locale}} and, not in the body, {{secret.token}}. They are put
// into the texts of the JSON after it was read, so that nothing that a message says
// changes its shape.
type Webhook struct {
	URL     string            `json:"url" maxLength:"1000"`
	Headers map[string]string `json:"headers,omitempty"`
	// Body is sent as JSON, or as a form where Form says so.
	Body any  `json:"body" doc:"The request: JSON whose texts may have {{to}}, {{text}} and so on"`
	Form bool `json:"form,omitempty" doc:"Send the body, an object of texts, as a form"`
	// DigitsOnly strips the plus sign of phone numbers.
	DigitsOnly bool `json:"digitsOnly,omitempty" doc:"Write phone numbers without the plus sign"`
	// Idempotent says that the service drops an id that it knows.
	Idempotent bool              `json:"idempotent,omitempty" doc:"The service drops a second request with the same {{id}}, so that one without an answer may be sent again"`
	Signature  *RequestSignature `json:"signature,omitempty"`
	ID         string            `json:"id,omitempty" maxLength:"200" doc:"Where the answer has the provider's id, as in messages.0.id"`
	// Success is a condition on the answer of services that answer 200 to everything.
	Success *AnswerField `json:"success,omitempty" doc:"What the answer must say beside the status"`
	// DeadCodes are values of Code.
	Code      string           `json:"code,omitempty" maxLength:"200" doc:"Where the answer has a code of the error"`
	DeadCodes []string         `json:"deadCodes,omitempty" doc:"Codes of addresses that do not exist any more"`
	BusyCodes []string         `json:"busyCodes,omitempty" doc:"Codes after which it is tried again"`
	Check     string           `json:"check,omitempty" maxLength:"1000" doc:"Address that answers 2xx to a GET with the same headers when the credentials are right"`
	Receipts  *WebhookReceipts `json:"receipts,omitempty"`
}

// RequestSignature signs requests: hex of HMAC-SHA256 of time, a dot and the body.
type RequestSignature struct {
	Header     string `json:"header" maxLength:"100" doc:"Header of the signature, as sha256=HEX"`
	TimeHeader string `json:"timeHeader" maxLength:"100" doc:"Header of the time in seconds, which is signed as well"`
}

// AnswerField is a place of an answer and the text that must be there.
type AnswerField struct {
	At    string `json:"at" maxLength:"200"`
	Value string `json:"value" maxLength:"200"`
}

// WebhookReceipts says how the service tells what became of a message.
type WebhookReceipts struct {
	Header string `json:"header" maxLength:"100" doc:"Header of the HMAC-SHA256 of the body in hex, with or without sha256= before it"`
	// List is where the receipts are; a * in it stands for every element of an array.
	List   string                 `json:"list,omitempty" maxLength:"200" doc:"Where the receipts are, as in entry.*.changes.*.value.statuses.*; the whole body when absent"`
	ID     string                 `json:"id" maxLength:"200" doc:"Where a receipt has the provider's id"`
	Status string                 `json:"status" maxLength:"200"`
	Map    map[string]ReceiptKind `json:"map" doc:"What a status means; others are skipped"`
	Time   string                 `json:"time,omitempty" maxLength:"200" doc:"Where it has the time in seconds or milliseconds; when it came, when absent"`
	Code   string                 `json:"code,omitempty" maxLength:"200" doc:"Where a receipt has the code of a failure"`
	// DeadCodes are codes of failures after which the address is used no more.
	DeadCodes []string `json:"deadCodes,omitempty" maxItems:"100" doc:"Codes of failures that say that the address does not exist"`
	// Handshake answers the GET by which Meta's services confirm the address.
	Handshake bool `json:"handshake,omitempty" doc:"Answer the GET with hub.challenge by which Meta's services confirm the address; hub.verify_token must be the secret verify"`
}

var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z.]+)\s*\}\}`)

var webhookVariables = []string{"to", "id", "subject", "text", "html", "url", "image", "locale"}

func (w *Webhook) texts(f func(field, text string, secret bool)) {
	f("webhook.url", w.URL, true)
	for k, v := range w.Headers {
		f("webhook.headers."+k, v, true)
	}
	var walk func(field string, v any)
	walk = func(field string, v any) {
		switch v := v.(type) {
		case string:
			f(field, v, false)
		case []any:
			for i, x := range v {
				walk(fmt.Sprintf("%s[%d]", field, i), x)
			}
		case map[string]any:
			for k, x := range v {
				walk(field+"."+k, x)
			}
		}
	}
	walk("webhook.body", w.Body)
}

func (w *Webhook) usesToken() (used bool) {
	w.texts(func(_, text string, _ bool) {
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			used = used || m[1] == "secret.token"
		}
	})
	return used
}

func (w *Webhook) validate(bad *problem.Invalid) {
	checkURL(bad, "webhook.url", placeholder.ReplaceAllString(w.URL, "x"))
	checkURL(bad, "webhook.check", placeholder.ReplaceAllString(w.Check, "x"))
	if w.URL == "" {
		bad.Add("webhook.url", "is required", nil)
	}
	if u, err := url.Parse(placeholder.ReplaceAllString(w.URL, "x")); err == nil && strings.Contains(strings.SplitN(strings.TrimPrefix(strings.TrimPrefix(w.URL, "https://"), "http://"), "/", 2)[0], "{{") {
		bad.Add("webhook.url", "must name its host without placeholders", u.Host)
	}
	if len(w.Headers) > 20 {
		bad.Add("webhook.headers", "must have at most 20 entries", len(w.Headers))
	}
	for k, v := range w.Headers {
		if k == "" || strings.ContainsAny(k+v, "\r\n\x00 ") && strings.ContainsAny(k, "\r\n\x00 :") || strings.ContainsAny(v, "\r\n\x00") {
			bad.Add("webhook.headers", "must have names and values of one line", problem.Clip(k))
		}
	}
	form, isObject := w.Body.(map[string]any)
	if w.Body == nil {
		bad.Add("webhook.body", "is required", nil)
	}
	if w.Form {
		if !isObject {
			bad.Add("webhook.body", "must be an object of texts, as it is sent as a form", nil)
		}
		for k, v := range form {
			if _, ok := v.(string); !ok {
				bad.Add("webhook.body."+problem.Clip(k), "must be a text, as the body is sent as a form", nil)
			}
		}
	}
	w.texts(func(field, text string, secret bool) {
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			if m[1] == "secret.token" && secret || slices.Contains(webhookVariables, m[1]) {
				continue
			}
			bad.Add(field, "has an unknown variable: known are "+strings.Join(webhookVariables, ", ")+" and, in the address and headers, secret.token", m[0])
		}
	})
	if s := w.Signature; s != nil {
		needText(bad, "webhook.signature.header", s.Header, 100)
		needText(bad, "webhook.signature.timeHeader", s.TimeHeader, 100)
	}
	if r := w.Receipts; r != nil {
		needText(bad, "webhook.receipts.header", r.Header, 100)
		needText(bad, "webhook.receipts.id", r.ID, 200)
		needText(bad, "webhook.receipts.status", r.Status, 200)
		for status, kind := range r.Map {
			if !slices.Contains([]ReceiptKind{Delivered, Opened, Clicked, Replied, Failed, Bounced, Complained}, kind) {
				bad.Add("webhook.receipts.map."+problem.Clip(status), "must be delivered, opened, clicked, replied, failed, bounced or complained", string(kind))
			}
		}
	}
}

type webhookDriver struct {
	config  *Webhook
	secrets map[string]string
	client  *http.Client
	now     func() time.Time
}

func openWebhook(w *Webhook, secrets map[string]string) *webhookDriver {
	return &webhookDriver{config: w, secrets: secrets, client: newHTTPClient(), now: time.Now}
}

func fill(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string { return values[placeholder.FindStringSubmatch(m)[1]] })
}

func fillTree(v any, values map[string]string) any {
	switch v := v.(type) {
	case string:
		return fill(v, values)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fillTree(v[i], values)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = fillTree(v[k], values)
		}
		return out
	}
	return v
}

func (d *webhookDriver) values(m *Outgoing) map[string]string {
	to := m.To
	if d.config.DigitsOnly {
		to = strings.TrimPrefix(to, "+")
	}
	return map[string]string{"to": to, "id": m.ID, "subject": m.Subject, "text": m.Text, "html": m.HTML, "url": m.URL, "image": m.Image, "locale": m.Locale}
}

func (d *webhookDriver) request(ctx context.Context, m *Outgoing) (*http.Request, error) {
	values := d.values(m)
	var body []byte
	kind := "application/json"
	if d.config.Form {
		form := url.Values{}
		for k, v := range d.config.Body.(map[string]any) {
			text, _ := v.(string) // validated
			form.Set(k, fill(text, values))
		}
		body, kind = []byte(form.Encode()), "application/x-www-form-urlencoded"
	} else {
		var err error
		if body, err = json.Marshal(fillTree(d.config.Body, values)); err != nil {
			return nil, failure(Permanent, "encoding the request: %w", err)
		}
	}
	escaped := make(map[string]string, len(values)+1)
	for k, v := range values {
		escaped[k] = url.QueryEscape(v)
	}
	escaped["secret.token"] = d.secrets[SecretToken]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, fill(d.config.URL, escaped), bytes.NewReader(body))
	if err != nil {
		return nil, failure(Permanent, "the address of the service is none")
	}
	r.Header.Set("Content-Type", kind)
	d.headers(r, values)
	if s := d.config.Signature; s != nil {
		at := strconv.FormatInt(d.now().Unix(), 10)
		r.Header.Set(s.TimeHeader, at)
		r.Header.Set(s.Header, "sha256="+Sign(d.secrets[SecretSigning], at+"."+string(body)))
	}
	return r, nil
}

func (d *webhookDriver) headers(r *http.Request, values map[string]string) {
	lines := make(map[string]string, len(values)+1)
	for k, v := range values {
		lines[k] = oneLine(v)
	}
	lines["secret.token"] = d.secrets[SecretToken]
	for k, v := range d.config.Headers {
		r.Header.Set(k, fill(v, lines))
	}
}

// Sign is the hex of HMAC-SHA256.
func Sign(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// Send implements [Driver].
func (d *webhookDriver) Send(ctx context.Context, m *Outgoing) (string, error) {
	r, err := d.request(ctx, m)
	if err != nil {
		return "", err
	}
	status, header, body, err := post(ctx, d.client, r)
	if err != nil {
		f := FailureOf(err)
		if f.Kind == Uncertain && d.config.Idempotent {
			f.Kind = Temporary
		}
		return "", f
	}
	var answer any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // ids can be longer than a float64 holds
	_ = decoder.Decode(&answer)
	if code := first(answer, d.config.Code); code != "" {
		switch {
		case slices.Contains(d.config.DeadCodes, code):
			return "", failure(Dead, "code %s", code)
		case slices.Contains(d.config.BusyCodes, code):
			return "", &Failure{Kind: Temporary, RetryAfter: retryAfter(header), Err: fmt.Errorf("code %s", code)}
		}
	}
	if f := statusFailure(status, header, body); f != nil {
		return "", f
	}
	if s := d.config.Success; s != nil && first(answer, s.At) != s.Value {
		return "", failure(Permanent, "the answer has %q at %s, not %q: %s", first(answer, s.At), s.At, s.Value, clip(string(body), 300))
	}
	return first(answer, d.config.ID), nil
}

// Check implements [Driver].
func (d *webhookDriver) Check(ctx context.Context) error {
	if d.config.Check == "" {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fill(d.config.Check, map[string]string{"secret.token": d.secrets[SecretToken]}), nil)
	if err != nil {
		return failure(Permanent, "the address to check is none")
	}
	d.headers(r, map[string]string{})
	status, header, body, err := post(ctx, d.client, r)
	if err != nil {
		return err
	}
	if f := statusFailure(status, header, body); f != nil {
		return f
	}
	return nil
}

// Close implements [Driver].
func (d *webhookDriver) Close() error {
	d.client.CloseIdleConnections()
	return nil
}

// at is every value at a place such as entry.*.id.
func at(v any, path string) []any {
	if path == "" {
		return []any{v}
	}
	step, rest, _ := strings.Cut(path, ".")
	switch v := v.(type) {
	case map[string]any:
		if inner, ok := v[step]; ok {
			return at(inner, rest)
		}
	case []any:
		if step == "*" {
			var out []any
			for _, x := range v {
				out = append(out, at(x, rest)...)
			}
			return out
		}
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
			return at(v[i], rest)
		}
	}
	return nil
}

// first is the text or number at a place, "" where there is none.
func first(v any, path string) string {
	if path == "" {
		return ""
	}
	for _, x := range at(v, path) {
		switch x := x.(type) {
		case string:
			return x
		case json.Number:
			return x.String()
		case bool:
			return strconv.FormatBool(x)
		}
	}
	return ""
}

// maxReceipts bounds the receipts of one call.
const maxReceipts = 1000

// Read checks the signature of a call with receipts and reads them. The error is a
// problem for the caller.
func (r *WebhookReceipts) Read(secret string, h http.Header, body []byte, now time.Time) ([]Receipt, error) {
	given := strings.TrimPrefix(strings.ToLower(h.Get(r.Header)), "sha256=")
	if secret == "" || !hmac.Equal([]byte(given), []byte(Sign(secret, string(body)))) {
		return nil, problem.Unauthorized("The header " + r.Header + " is not the signature of the body.")
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return nil, problem.BadRequest("The body must be JSON.")
	}
	var out []Receipt
	for _, x := range at(tree, r.List) {
		kind, known := r.Map[first(x, r.Status)]
		id := first(x, r.ID)
		if !known || id == "" {
			continue
		}
		if len(out) == maxReceipts {
			return nil, problem.BadRequest("The body must have at most 1000 receipts.")
		}
		code := first(x, r.Code)
		if kind == Failed && code != "" && slices.Contains(r.DeadCodes, code) {
			kind = Bounced
		}
		if code == "" {
			code = first(x, r.Status)
		}
		out = append(out, Receipt{ProviderID: id, Kind: kind, Code: clip(code, 64), At: receiptTime(first(x, r.Time), now)})
	}
	return out, nil
}

// Confirm gives the answer to the GET by which the service confirms the address of its
// receipts: the challenge of who knows the secret.
func (r *WebhookReceipts) Confirm(secret string, query url.Values) (challenge string, err error) {
	challenge = query.Get("hub.challenge")
	given := query.Get("hub.verify_token")
	if !r.Handshake || secret == "" || query.Get("hub.mode") != "subscribe" || subtle.ConstantTimeCompare([]byte(given), []byte(secret)) != 1 {
		return "", problem.Unauthorized("The channel is not set up to be confirmed so, or hub.verify_token is not its secret.")
	}
	if challenge == "" || len(challenge) > 200 {
		return "", problem.Invalid{{Field: "query.hub.challenge", Rule: "must have 1 to 200 bytes", Value: len(challenge)}}
	}
	return challenge, nil
}

func receiptTime(text string, now time.Time) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return now
	}
	t := time.Unix(n, 0)
	if n > 1e11 {
		t = time.UnixMilli(n)
	}
	if t.After(now) || now.Sub(t) > 60*24*time.Hour {
		return now
	}
	return t
}
