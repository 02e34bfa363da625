package channels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

const (
	fcmEndpoint = "https://fcm.googleapis.com"
	fcmScope    = "https://www.googleapis.com/auth/firebase.messaging"
)

// fcmDriver calls the HTTP v1 API of Firebase Cloud Messaging.
type fcmDriver struct {
	url    string
	client *http.Client
	tokens oauth2.TokenSource
}

// fcmAccount is the JSON of a service account.
type fcmAccount struct {
	ClientEmail  string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
	TokenURI     string `json:"token_uri"`
}

func openFCM(c *FCM, account string) (*fcmDriver, error) {
	var a fcmAccount
	if err := json.Unmarshal([]byte(account), &a); err != nil || a.ClientEmail == "" || a.PrivateKey == "" {
		return nil, fmt.Errorf("the account must be the JSON of a service account with client_email and private_key")
	}
	if a.TokenURI == "" {
		a.TokenURI = "https://oauth2.googleapis.com/token"
	}
	base := strings.TrimSuffix(c.Endpoint, "/")
	if base == "" {
		base = fcmEndpoint
	}
	client := newHTTPClient()
	config := &jwt.Config{Email: a.ClientEmail, PrivateKey: []byte(a.PrivateKey), PrivateKeyID: a.PrivateKeyID, Scopes: []string{fcmScope}, TokenURL: a.TokenURI}
	tokens := oauth2.ReuseTokenSource(nil, config.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, client)))
	return &fcmDriver{url: base + "/v1/projects/" + url.PathEscape(c.ProjectID) + "/messages:send", client: client, tokens: tokens}, nil
}

func (d *fcmDriver) send(ctx context.Context, message map[string]any, dry bool) (string, error) {
	token, err := d.tokens.Token()
	if err != nil {
		if r, ok := asRetrieve(err); ok && r.Response != nil && r.Response.StatusCode < 500 {
			return "", failure(Credentials, "getting an access token: %s", clip(string(r.Body), 300))
		}
		return "", failure(Temporary, "getting an access token: %w", withoutURL(err))
	}
	body, err := json.Marshal(map[string]any{"message": message, "validate_only": dry})
	if err != nil {
		return "", failure(Permanent, "encoding the message: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return "", failure(Permanent, "the address of the service: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	token.SetAuthHeader(r)
	status, header, answer, err := post(ctx, d.client, r)
	if err != nil {
		return "", err
	}
	if status == http.StatusOK {
		var sent struct {
			Name string `json:"name"`
		}
		_ = json.Unmarshal(answer, &sent) // without a name there are no receipts
		return sent.Name, nil
	}
	return "", fcmFailure(status, header, answer)
}

// fcmFailure reads the error codes of the v1 API.
func fcmFailure(status int, header http.Header, answer []byte) *Failure {
	var e struct {
		Error struct {
			Status  string `json:"status"`
			Message string `json:"message"`
			Details []struct {
				ErrorCode       string `json:"errorCode"`
				FieldViolations []struct {
					Field string `json:"field"`
				} `json:"fieldViolations"`
			} `json:"details"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer, &e) // the status says enough without
	for _, detail := range e.Error.Details {
		switch detail.ErrorCode {
		case "UNREGISTERED":
			return failure(Dead, "%s: %s", detail.ErrorCode, e.Error.Message)
		case "SENDER_ID_MISMATCH": // 403 of a token of another project, and not of the account
			return failure(Permanent, "%s: %s", detail.ErrorCode, e.Error.Message)
		}
		for _, v := range detail.FieldViolations {
			if status == http.StatusBadRequest && v.Field == "message.token" {
				return failure(Dead, "%s: %s", e.Error.Status, e.Error.Message) // never was a token
			}
		}
	}
	// Without details too it is the token that is not found. An answer that is none of the
	// service's, as of a wrong address, says nothing about tokens.
	if status == http.StatusGone || status == http.StatusNotFound && e.Error.Status == "NOT_FOUND" {
		return failure(Dead, "status %d: %s", status, e.Error.Message)
	}
	return statusFailure(status, header, answer)
}

// Send implements [Driver].
func (d *fcmDriver) Send(ctx context.Context, m *Outgoing) (string, error) {
	note := map[string]any{"title": m.Subject, "body": m.Text}
	if m.Image != "" {
		note["image"] = m.Image
	}
	ttl := 24 * time.Hour
	if !m.Expires.IsZero() {
		ttl = max(time.Until(m.Expires), 0)
	}
	return d.send(ctx, map[string]any{
		"token": m.To, "notification": note, "data": map[string]string{"id": m.ID, "url": m.URL},
		"android": map[string]any{"ttl": fmt.Sprintf("%ds", int(ttl.Seconds()))},
	}, false)
}

// Check implements [Driver]: it has the service validate a message to a topic, which is
// not sent.
func (d *fcmDriver) Check(ctx context.Context) error {
	_, err := d.send(ctx, map[string]any{"topic": "quintet-check", "notification": map[string]any{"title": "Check"}}, true)
	return err
}

// Close implements [Driver].
func (d *fcmDriver) Close() error {
	d.client.CloseIdleConnections()
	return nil
}

func asRetrieve(err error) (*oauth2.RetrieveError, bool) {
	var r *oauth2.RetrieveError
	ok := errors.As(err, &r)
	return r, ok
}
