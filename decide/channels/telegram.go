package channels

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// telegramDriver calls the Bot API, https://core.telegram.org/bots/api.
type telegramDriver struct {
	base   string
	client *http.Client
}

func openTelegram(c *Telegram, token string) *telegramDriver {
	base := strings.TrimSuffix(c.Endpoint, "/")
	if base == "" {
		base = "https://api.telegram.org"
	}
	return &telegramDriver{base: base + "/bot" + token + "/", client: newHTTPClient()}
}

type telegramAnswer struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int `json:"retry_after"`
	} `json:"parameters"`
}

func (d *telegramDriver) call(ctx context.Context, method string, in any) (json.RawMessage, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, failure(Permanent, "encoding the message: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+method, bytes.NewReader(body))
	if err != nil {
		return nil, failure(Permanent, "the address of the Bot API is none")
	}
	r.Header.Set("Content-Type", "application/json")
	status, header, answer, err := post(ctx, d.client, r)
	if err != nil {
		return nil, err
	}
	var a telegramAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		if f := statusFailure(status, header, answer); f != nil {
			return nil, f
		}
		return nil, failure(Uncertain, "the answer is no JSON: %w", err)
	}
	if a.OK {
		return a.Result, nil
	}
	code := a.ErrorCode
	if code == 0 {
		code = status
	}
	switch words := strings.ToLower(a.Description); {
	case code == http.StatusTooManyRequests:
		return nil, &Failure{Kind: Temporary, RetryAfter: time.Duration(a.Parameters.RetryAfter) * time.Second, Err: failure(Temporary, "%s", a.Description).Err}
	case code == http.StatusForbidden, strings.Contains(words, "chat not found"), strings.Contains(words, "user is deactivated"):
		return nil, failure(Dead, "%s", a.Description) // blocked the bot, or is gone
	case code == http.StatusUnauthorized, code == http.StatusNotFound:
		return nil, failure(Credentials, "%s", a.Description)
	case code >= 500:
		return nil, failure(Temporary, "%s", a.Description)
	}
	return nil, failure(Permanent, "%s", a.Description)
}

// Send implements [Driver].
func (d *telegramDriver) Send(ctx context.Context, m *Outgoing) (string, error) {
	text := m.Text
	if m.URL != "" && !strings.Contains(text, m.URL) {
		text += "\n" + m.URL
	}
	in := map[string]any{"chat_id": m.To, "text": strings.TrimSpace(text)}
	if n, err := strconv.ParseInt(m.To, 10, 64); err == nil {
		in["chat_id"] = n
	}
	result, err := d.call(ctx, "sendMessage", in)
	if err != nil {
		return "", err
	}
	var sent struct {
		MessageID json.Number `json:"message_id"`
	}
	_ = json.Unmarshal(result, &sent) // without an id there are no receipts
	return m.To + "/" + sent.MessageID.String(), nil
}

// Check implements [Driver].
func (d *telegramDriver) Check(ctx context.Context) error {
	_, err := d.call(ctx, "getMe", struct{}{})
	return err
}

// Close implements [Driver].
func (d *telegramDriver) Close() error {
	d.client.CloseIdleConnections()
	return nil
}
