package auth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/api"
	"quintet/internal/auth"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// world is a server with the routes of the package on a fresh database.
type world struct {
	t    testing.TB
	pool *pgxpool.Pool
	auth *auth.Service
	srv  *api.Server
}

func open(t testing.TB) *world {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, auth.Migrations()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, pool: pool}
	w.auth = w.another()
	w.srv = api.New(api.Options{Logger: enginetest.Logger(t), Auth: w.auth})
	w.auth.Routes(w.srv)
	return w
}

// another is a second process on the same database.
func (w *world) another() *auth.Service {
	w.t.Helper()
	s, err := auth.Open(w.t.Context(), w.pool, enginetest.Logger(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) key(scopes ...api.Scope) (secret string, k auth.Key) {
	w.t.Helper()
	secret, k, err := w.auth.CreateKey(w.t.Context(), "k", scopes, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return secret, k
}

type answer struct {
	status int
	body   map[string]any
	header http.Header
	cookie *http.Cookie
}

// session is the header that continues a session which an answer began.
func (a answer) session() string { return a.cookie.Name + "=" + a.cookie.Value }

// call makes a request from another machine; header holds names and values in turn.
func (w *world) call(method, path, body string, header ...string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://quintet.test"+path, strings.NewReader(body))
	r.RemoteAddr = "203.0.113.7:1234"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "from" {
			r.RemoteAddr = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.srv.Router.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.body)
	for _, c := range rec.Result().Cookies() {
		a.cookie = c
	}
	return a
}

// signIn is a session that began with a link.
func (w *world) signIn(header ...string) answer {
	w.t.Helper()
	link, err := w.auth.LoginLink(w.t.Context(), "http://quintet.test/")
	if err != nil {
		w.t.Fatal(err)
	}
	path, ok := strings.CutPrefix(link, "http://quintet.test/auth/link/")
	if !ok {
		w.t.Fatalf("the link is %s", link)
	}
	in := w.call("GET", "/auth/link/"+path, "", header...)
	if in.status != http.StatusSeeOther || in.cookie == nil || in.header.Get("Location") != "/" {
		w.t.Fatalf("signing in: %d, cookie %v", in.status, in.cookie)
	}
	return in
}

func eventually(t *testing.T, within time.Duration, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !reached(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

func TestNothingIsOpenByAccident(t *testing.T) {
	t.Parallel()
	w := open(t)
	if found := api.Unguarded(w.srv.Router); len(found) > 0 {
		t.Errorf("routes that answer without credentials: %v", found)
	}
}

// Characters that Postgres refuses are the caller's mistake and no failure.
func TestOddInputIsNoFailure(t *testing.T) {
	t.Parallel()
	w := open(t)
	admin, _ := w.key(api.ScopeAdmin)
	long := strings.Repeat("x", 10_000)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/auth/login", `{"email":"a\u0000b","password":"x"}`, 401},
		{"POST", "/auth/login", `{"email":"admin","password":"a\u0000b"}`, 401},
		{"POST", "/auth/login", `{"email":"` + long[:5000] + `","password":"x"}`, 422},
		{"POST", "/auth/login", `{"email":1}`, 422},
		{"POST", "/auth/login", `{"email":`, 400},
		{"POST", "/v1/api-keys", `{"name":"a\u0000b","scopes":["read"]}`, 422},
		{"POST", "/v1/api-keys", `{"name":"  ","scopes":["read"]}`, 422},
		{"POST", "/v1/api-keys", `{"name":"x","scopes":["root"]}`, 422},
		{"POST", "/v1/api-keys", `{"name":"x","scopes":[]}`, 422},
		{"POST", "/v1/api-keys", `{"name":"x","scopes":["read"],"secret":"mine"}`, 422},
		{"DELETE", "/v1/api-keys/a%00b", "", 404},
		{"DELETE", "/v1/api-keys/none", "", 404},
		{"GET", "/v1/api-keys?after=a%00b", "", 422},
		{"GET", "/v1/api-keys?limit=1000", "", 422},
		{"GET", "/auth/link/a%00b", "", 410},
		{"GET", "/auth/link/" + long, "", 410},
	} {
		if a := w.call(c.method, c.path, c.body, "X-Api-Key", admin); a.status != c.status {
			t.Errorf("%s %.40s %.60s: %d %v, want %d", c.method, c.path, c.body, a.status, a.body, c.status)
		}
	}
	if a := w.call("GET", "/v1/api-keys", "", "Cookie", "quintet_session="+"a%00b"); a.status != 401 {
		t.Errorf("a token with odd characters: %d", a.status)
	}
}
