package auth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/api"
	"quintet/internal/auth"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

type world struct {
	t    *testing.T
	pool *pgxpool.Pool
	auth *auth.Service
	srv  *api.Server
}

func open(t *testing.T) *world {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, auth.Migrations()); err != nil {
		t.Fatal(err)
	}
	s, err := auth.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: s, BodyLimit: 1 << 20})
	s.Routes(srv)
	return &world{t, pool, s, srv}
}

type answer struct {
	status int
	body   map[string]any
	header http.Header
	cookie *http.Cookie
}

func (w *world) call(method, path, body string, header ...string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://quintet.test"+path, strings.NewReader(body))
	r.RemoteAddr = "203.0.113.7:1234"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.srv.Router.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.body)
	for _, c := range rec.Result().Cookies() {
		if c.Name == "quintet_session" {
			a.cookie = c
		}
	}
	return a
}

func TestKeysArriveInManyWays(t *testing.T) {
	t.Parallel()
	w := open(t)
	secret, key, err := w.auth.CreateKey(t.Context(), "k", []api.Scope{api.ScopeAdmin}, "test")
	if err != nil {
		t.Fatal(err)
	}
	basic := httptest.NewRequest("GET", "/", nil)
	basic.SetBasicAuth(secret, "")
	for name, header := range map[string][]string{
		"bearer": {"Authorization", "Bearer " + secret}, "lower-case bearer": {"Authorization", "bearer " + secret},
		"basic": {"Authorization", basic.Header.Get("Authorization")}, "api key": {"X-API-Key", secret}, "write key": {"X-Write-Key", secret},
	} {
		if a := w.call("GET", "/v1/api-keys", "", header...); a.status != 200 {
			t.Errorf("%s: %d %v", name, a.status, a.body)
		}
	}
	for name, header := range map[string][]string{
		"none": nil, "wrong": {"Authorization", "Bearer " + secret + "x"}, "empty": {"Authorization", "Bearer "}, "scheme": {"Authorization", "Digest x"},
	} {
		if a := w.call("GET", "/v1/api-keys", "", header...); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d, WWW-Authenticate %q", name, a.status, a.header.Get("WWW-Authenticate"))
		}
	}
	if err := w.auth.RevokeKey(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	if a := w.call("GET", "/v1/api-keys", "", "X-API-Key", secret); a.status != 401 {
		t.Errorf("a revoked key still works: %d", a.status)
	}
	var stored int
	if err := w.pool.QueryRow(t.Context(), "SELECT count(*) FROM api_keys WHERE hash = $1 OR name = $2", []byte(secret), secret).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("the secret itself is stored %d times, %v", stored, err)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	w := open(t)
	secret, _, err := w.auth.CreateKey(t.Context(), "k", []api.Scope{api.ScopeRead}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if a := w.call("GET", "/v1/api-keys", "", "X-API-Key", secret); a.status != 403 || !strings.Contains(a.body["detail"].(string), "admin") {
		t.Errorf("reading keys with the scope read: %d %v", a.status, a.body)
	}
	admin, _, _ := w.auth.CreateKey(t.Context(), "a", []api.Scope{api.ScopeAdmin}, "test")
	for _, body := range []string{`{"name":"","scopes":["read"]}`, `{"name":"x","scopes":[]}`, `{"name":"x","scopes":["root"]}`} {
		if a := w.call("POST", "/v1/api-keys", body, "X-API-Key", admin, "Content-Type", "application/json"); a.status != 422 {
			t.Errorf("%s: %d", body, a.status)
		}
	}
	a := w.call("POST", "/v1/api-keys", `{"name":"x","scopes":["decide"]}`, "X-API-Key", admin, "Content-Type", "application/json")
	made, _ := a.body["secret"].(string)
	if p, err := w.auth.Lookup(made); a.status != 201 || err != nil || !p.Has(api.ScopeDecide) || p.Has(api.ScopeRead) {
		t.Errorf("created key: %d %v %v", a.status, p, err)
	}
}

func TestConsoleSession(t *testing.T) {
	t.Parallel()
	w := open(t)
	link, err := w.auth.LoginLink(t.Context(), "http://quintet.test/")
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(link, "http://quintet.test")
	in := w.call("GET", path, "")
	if in.status != 303 || in.cookie == nil || !in.cookie.HttpOnly || in.cookie.SameSite != http.SameSiteStrictMode {
		t.Fatalf("login link: %d, cookie %+v", in.status, in.cookie)
	}
	if again := w.call("GET", path, ""); again.status != 401 {
		t.Errorf("a login link works twice: %d", again.status)
	}
	cookie := "quintet_session=" + in.cookie.Value
	if a := w.call("GET", "/auth/session", "", "Cookie", cookie); a.status != 200 || a.body["hasPassword"] != false {
		t.Errorf("session: %d %v", a.status, a.body)
	}
	const password = `{"password":"correct horse battery"}`
	for name, header := range map[string][]string{
		"another site":   {"Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"},
		"another origin": {"Cookie", cookie, "Origin", "http://evil.test", "Content-Type", "application/json"},
	} {
		if a := w.call("PUT", "/auth/session", password, header...); a.status != 403 {
			t.Errorf("a change from %s: %d", name, a.status)
		}
	}
	same := []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"}
	if a := w.call("PUT", "/auth/session", `{"password":"short"}`, same...); a.status != 422 {
		t.Errorf("a short password: %d", a.status)
	}
	other := w.call("POST", "/auth/login", `{"email":"admin","password":"wrong"}`)
	if other.status != 401 {
		t.Errorf("a wrong password: %d", other.status)
	}
	if a := w.call("PUT", "/auth/session", password, same...); a.status != 204 {
		t.Fatalf("setting the password: %d %v", a.status, a.body)
	}
	byPassword := w.call("POST", "/auth/login", `{"email":"Admin","password":"correct horse battery"}`)
	if byPassword.status != 200 || byPassword.cookie == nil {
		t.Fatalf("signing in by password: %d %v", byPassword.status, byPassword.body)
	}
	if a := w.call("POST", "/auth/logout", "", "Cookie", cookie); a.status != 204 {
		t.Errorf("signing out: %d", a.status)
	}
	if a := w.call("GET", "/auth/session", "", "Cookie", cookie); a.status != 401 {
		t.Errorf("a session goes on after signing out: %d", a.status)
	}
	if a := w.call("GET", "/auth/session", "", "Cookie", "quintet_session="+byPassword.cookie.Value); a.status != 200 {
		t.Errorf("the other session: %d", a.status)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := open(t)
	link, err := w.auth.LoginLink(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.pool.Exec(t.Context(), "UPDATE login_links SET expires_at = now() - interval '1 second'"); err != nil {
		t.Fatal(err)
	}
	if a := w.call("GET", link, ""); a.status != 401 {
		t.Errorf("an expired link: %d", a.status)
	}
	fresh, _ := w.auth.LoginLink(t.Context(), "")
	in := w.call("GET", fresh, "")
	if _, err := w.pool.Exec(t.Context(), "UPDATE sessions SET expires_at = now() - interval '1 second'"); err != nil {
		t.Fatal(err)
	}
	if a := w.call("GET", "/auth/session", "", "Cookie", "quintet_session="+in.cookie.Value); a.status != 401 {
		t.Errorf("an expired session: %d", a.status)
	}
}

func TestSigningInIsLimited(t *testing.T) {
	t.Parallel()
	w := open(t)
	limited := 0
	for range 15 {
		if a := w.call("GET", "/auth/link/guess", ""); a.status == 429 && a.header.Get("Retry-After") != "" {
			limited++
		}
	}
	if limited < 4 {
		t.Errorf("%d of 15 attempts in a moment were refused, want at least 4", limited)
	}
}

// The secure attribute follows the scheme that the browser sees.
func TestCookieIsSecureBehindHTTPS(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, proto := range []string{"http", "https"} {
		link, err := w.auth.LoginLink(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if in := w.call("GET", link, "", "X-Forwarded-Proto", proto); in.cookie == nil || in.cookie.Secure != (proto == "https") {
			t.Errorf("over %s: cookie %+v", proto, in.cookie)
		}
	}
}

func TestNothingIsOpenByAccident(t *testing.T) {
	t.Parallel()
	w := open(t)
	if open := api.Unguarded(w.srv.Router); len(open) > 0 {
		t.Errorf("routes that answer without credentials: %v", open)
	}
}
