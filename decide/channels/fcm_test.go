package channels

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// A server that stands for Google's verifies the signature of the account, the token that
// it gave out and the shape of the message, by the documentation of the v1 API.
func TestFCM(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := 200, `{"name":"projects/shop/messages/1"}`
	var got struct {
		Message struct {
			Token        string
			Notification struct{ Title, Body string }
			Data         map[string]string
		}
		ValidateOnly bool `json:"validate_only"`
	}
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(r.FormValue("assertion"), claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(srv.URL+"/token"), jwt.WithIssuer("push@shop.example"))
		if err != nil || claims["scope"] != fcmScope {
			t.Errorf("%v: %v", err, claims)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"given","token_type":"Bearer","expires_in":3600}`)
	})
	mux.HandleFunc("POST /v1/projects/shop/messages:send", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer given" {
			t.Errorf("%v", r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	})
	account, err := json.Marshal(map[string]string{"client_email": "push@shop.example", "token_uri": srv.URL + "/token", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Driver: DriverFCM, FCM: &FCM{ProjectID: "shop", Endpoint: srv.URL}}
	secrets := map[string]string{SecretAccount: string(account)}
	if err := config.Validate(secrets); err != nil {
		t.Fatal(err)
	}
	d, err := Open(&config, secrets)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(t.Context()); err != nil || !got.ValidateOnly {
		t.Errorf("%v, %+v", err, got)
	}
	m := &Outgoing{ID: "a-0", To: "device", Content: Content{Subject: "Hi", Text: "there", URL: "https://shop.example/r/1"}}
	if id, err := d.Send(t.Context(), m); err != nil || id != "projects/shop/messages/1" || got.Message.Token != "device" || got.Message.Notification.Title != "Hi" || got.Message.Data["id"] != "a-0" {
		t.Errorf("%q, %v, %+v", id, err, got)
	}
	status, answer = 404, `{"error":{"code":404,"message":"Requested entity was not found.","details":[{"errorCode":"UNREGISTERED"}]}}`
	_, err = d.Send(t.Context(), m)
	wantKind(t, err, Dead)
	for _, c := range []struct {
		status int
		answer string
		want   FailureKind
	}{
		{404, `{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}`, Dead},
		{410, ``, Dead},
		{400, `{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.token"}]}]}}`, Dead},
		{400, `{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"errorCode":"INVALID_ARGUMENT"}]}}`, Permanent},
		{403, `{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"errorCode":"SENDER_ID_MISMATCH"}]}}`, Permanent},
		{403, `{"error":{"code":403,"status":"PERMISSION_DENIED"}}`, Credentials},
		{404, `<h1>no such page</h1>`, Permanent},
		{503, `{"error":{"status":"UNAVAILABLE"}}`, Temporary},
	} {
		status, answer = c.status, c.answer
		_, err = d.Send(t.Context(), m)
		wantKind(t, err, c.want)
	}
	status, answer = 429, `{"error":{"details":[{"errorCode":"QUOTA_EXCEEDED"}]}}`
	_, err = d.Send(t.Context(), m)
	wantKind(t, err, Temporary)
}
