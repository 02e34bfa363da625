package channels

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/SherClockHolmes/webpush-go"
)

// webPushDriver sends by RFC 8030, encrypted by RFC 8291, identified by RFC 8292.
type webPushDriver struct {
	config  *WebPush
	private string
	client  *http.Client
}

func openWebPush(c *WebPush, private string) (*webPushDriver, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(private, "="))
	if err != nil {
		return nil, errors.New("the VAPID key must be base64url")
	}
	key, err := ecdh.P256().NewPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("the VAPID key: %w", err)
	}
	public, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(c.PublicKey, "="))
	if err != nil || !bytes.Equal(public, key.PublicKey().Bytes()) {
		return nil, errors.New("the VAPID public key does not belong to the private key")
	}
	return &webPushDriver{config: c, private: private, client: newHTTPClient()}, nil
}

// Notification is what the service worker of a page gets as JSON.
type Notification struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Body  string `json:"body"`
	URL   string `json:"url,omitempty"`
	Image string `json:"image,omitempty"`
}

// Send implements [Driver].
func (d *webPushDriver) Send(ctx context.Context, m *Outgoing) (string, error) {
	var sub webpush.Subscription
	if err := json.Unmarshal([]byte(m.To), &sub); err != nil || sub.Endpoint == "" {
		return "", failure(Dead, "the address is no web push subscription")
	}
	body, err := json.Marshal(Notification{ID: m.ID, Title: m.Subject, Body: m.Text, URL: m.URL, Image: m.Image})
	if err != nil {
		return "", failure(Permanent, "encoding the notification: %w", err)
	}
	ttl := 24 * time.Hour
	if !m.Expires.IsZero() {
		ttl = max(time.Until(m.Expires), 0)
	}
	wire := new(recordingClient)
	wire.client, wire.ctx = d.client, ctx
	answer, err := webpush.SendNotificationWithContext(ctx, body, &sub, &webpush.Options{
		HTTPClient: wire, Subscriber: strings.TrimPrefix(d.config.Subject, "mailto:"), TTL: int(ttl.Seconds()),
		VAPIDPublicKey: d.config.PublicKey, VAPIDPrivateKey: d.private,
	})
	if err != nil {
		if wire.err != nil {
			return "", wire.err
		}
		return "", failure(Permanent, "encrypting the notification: %w", err)
	}
	_ = answer.Body.Close() // it is in memory
	if wire.status == http.StatusGone || wire.status == http.StatusNotFound {
		return "", failure(Dead, "the subscription has ended: status %d", wire.status)
	}
	if f := statusFailure(wire.status, wire.header, wire.body); f != nil {
		return "", f
	}
	return wire.header.Get("Location"), nil
}

// recordingClient makes the call of the library by [post].
type recordingClient struct {
	client *http.Client
	ctx    context.Context //nolint:containedctx // of the one call that it is made for
	status int
	header http.Header
	body   []byte
	err    error
}

// Do implements webpush.HTTPClient.
func (c *recordingClient) Do(r *http.Request) (*http.Response, error) {
	c.status, c.header, c.body, c.err = post(c.ctx, c.client, r)
	if c.err != nil {
		return nil, c.err
	}
	return &http.Response{StatusCode: c.status, Header: c.header, Body: io.NopCloser(bytes.NewReader(c.body)), Request: r}, nil
}

// Check implements [Driver]. There is no account to sign in to: the keys were checked.
func (d *webPushDriver) Check(context.Context) error { return nil }

// Close implements [Driver].
func (d *webPushDriver) Close() error {
	d.client.CloseIdleConnections()
	return nil
}
