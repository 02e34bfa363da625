package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/api"
	"quintet/internal/auth"
	"quintet/internal/problem"
)

func TestKeysArriveInManyWays(t *testing.T) {
	t.Parallel()
	w := open(t)
	secret, key := w.key(api.ScopeAdmin)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(secret+":"))
	for name, header := range map[string][]string{
		"bearer": {"Authorization", "Bearer " + secret}, "lower-case bearer": {"Authorization", "bearer  " + secret},
		"basic": {"Authorization", basic}, "api key": {"X-API-Key", secret}, "write key": {"X-Write-Key", secret},
	} {
		if a := w.call("GET", "/v1/api-keys", "", header...); a.status != 200 {
			t.Errorf("%s: %d %v", name, a.status, a.body)
		}
	}
	session := w.signIn()
	for name, header := range map[string][]string{
		"none": nil, "wrong": {"Authorization", "Bearer " + secret + "x"}, "another secret of the id": {"X-API-Key", "qk_" + key.ID + "_aaaaaaaa"},
		"empty": {"Authorization", "Bearer "}, "scheme": {"Authorization", "Digest x"}, "no base64": {"Authorization", "Basic !!!"},
		"id only": {"X-API-Key", "qk_" + key.ID}, "too long": {"X-API-Key", secret + strings.Repeat("x", 5000)},
		"a wrong key beside a good session": {"X-API-Key", "qk_a_b", "Cookie", session.session()},
	} {
		if a := w.call("GET", "/v1/api-keys", "", header...); a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: %d, WWW-Authenticate %q", name, a.status, a.header.Get("WWW-Authenticate"))
		}
	}
}

// Each scope opens what asks for it and nothing else; admin opens everything.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, needed := range api.Scopes() {
		w.srv.Router.With(w.srv.Require(needed)).Get("/needs/"+string(needed), func(rw http.ResponseWriter, r *http.Request) {
			p, ok := api.PrincipalFrom(r.Context())
			if !ok || p.Kind != "key" || p.Name != "k" || api.By(r.Context()) != "key:"+p.ID {
				t.Errorf("principal %+v, %v", p, ok)
			}
			rw.WriteHeader(http.StatusNoContent)
		})
	}
	for _, scope := range api.Scopes() {
		secret, _ := w.key(scope)
		for _, needed := range api.Scopes() {
			want := http.StatusForbidden
			if scope == needed || scope == api.ScopeAdmin {
				want = http.StatusNoContent
			}
			a := w.call("GET", "/needs/"+string(needed), "", "X-Api-Key", secret)
			if a.status != want {
				t.Errorf("scope %s at a route that needs %s: %d, want %d", scope, needed, a.status, want)
			}
			if detail, _ := a.body["detail"].(string); want == http.StatusForbidden && !strings.Contains(detail, string(needed)) {
				t.Errorf("the 403 does not name the scope %s: %q", needed, detail)
			}
		}
	}
	several, _ := w.key(api.ScopeIngest, api.ScopeDecide, api.ScopeIngest)
	for needed, want := range map[api.Scope]int{api.ScopeIngest: 204, api.ScopeDecide: 204, api.ScopeRead: 403, api.ScopeAdmin: 403} {
		if a := w.call("GET", "/needs/"+string(needed), "", "X-Api-Key", several); a.status != want {
			t.Errorf("two scopes at %s: %d, want %d", needed, a.status, want)
		}
	}
}

func TestKeysByTheAPI(t *testing.T) {
	t.Parallel()
	w := open(t)
	admin, adminKey := w.key(api.ScopeAdmin)
	made := w.call("POST", "/v1/api-keys", `{"name":"shop","scopes":["decide","ingest"]}`, "X-Api-Key", admin)
	secret, _ := made.body["secret"].(string)
	key, _ := made.body["key"].(map[string]any)
	if made.status != 201 || key["name"] != "shop" || key["createdBy"] != "key:"+adminKey.ID {
		t.Fatalf("creating a key: %d %v", made.status, made.body)
	}
	if p, err := w.auth.Lookup(secret); err != nil || !p.Has(api.ScopeDecide) || p.Has(api.ScopeRead) {
		t.Fatalf("the new key: %+v, %v", p, err)
	}
	list := w.call("GET", "/v1/api-keys?limit=1", "", "X-Api-Key", admin)
	items, _ := list.body["items"].([]any)
	next, _ := list.body["next"].(string)
	if len(items) != 1 || next == "" || items[0].(map[string]any)["id"] != key["id"] {
		t.Fatalf("the first page: %v", list.body)
	}
	for _, k := range items[0].(map[string]any) {
		if k == secret {
			t.Error("the list shows the secret")
		}
	}
	rest := w.call("GET", "/v1/api-keys?after="+next, "", "X-Api-Key", admin)
	if items, _ := rest.body["items"].([]any); len(items) != 1 || rest.body["next"] != "" || items[0].(map[string]any)["id"] != adminKey.ID {
		t.Fatalf("the second page: %v", rest.body)
	}
	for range 2 {
		if a := w.call("DELETE", "/v1/api-keys/"+key["id"].(string), "", "X-Api-Key", admin); a.status != 204 {
			t.Fatalf("revoking: %d %v", a.status, a.body)
		}
	}
	a := w.call("GET", "/v1/api-keys", "", "X-Api-Key", secret)
	if detail, _ := a.body["detail"].(string); a.status != 401 || !strings.Contains(detail, "revoked") {
		t.Errorf("a revoked key: %d %v", a.status, a.body)
	}
}

// What is stored does not let anybody in.
func TestNoSecretIsStored(t *testing.T) {
	t.Parallel()
	w := open(t)
	secret, _ := w.key(api.ScopeRead)
	link, err := w.auth.LoginLink(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	session := w.signIn()
	const password = "correct horse battery"
	if a := w.call("PUT", "/auth/session", `{"password":"`+password+`"}`, "Cookie", session.session()); a.status != 204 {
		t.Fatalf("setting a password: %d %v", a.status, a.body)
	}
	secrets := []string{secret, secret[strings.LastIndex(secret, "_")+1:], strings.TrimPrefix(link, "/auth/link/"), session.cookie.Value, password}
	for _, table := range []string{"api_keys", "users", "login_links", "sessions"} {
		rows, err := w.pool.Query(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		content, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
			values, err := row.Values()
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					values[i] = string(b)
				}
			}
			return fmt.Sprint(values...), err
		})
		if err != nil || len(content) == 0 {
			t.Fatalf("%s: %d rows, %v", table, len(content), err)
		}
		for _, s := range secrets {
			if strings.Contains(strings.Join(content, "\n"), s) {
				t.Errorf("table %s holds a secret", table)
			}
		}
	}
}

// Keys that one process creates and revokes are known to another at once.
func TestAnotherProcessFollows(t *testing.T) {
	t.Parallel()
	w := open(t)
	other := w.another()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	secret, key := w.key(api.ScopeRead)
	eventually(t, 5*time.Second, "a new key", func() bool { _, err := other.Lookup(secret); return err == nil })
	if err := w.auth.RevokeKey(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.auth.Lookup(secret); err == nil {
		t.Error("a revoked key still works in the process that revoked it")
	}
	revoked := time.Now()
	eventually(t, 5*time.Second, "a revocation", func() bool { _, err := other.Lookup(secret); return err != nil })
	t.Logf("the other process refused the key %s after its revocation", time.Since(revoked))
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
	if _, err := w.another().Lookup(secret); err == nil {
		t.Error("a revoked key works after a restart")
	}
}

func TestUsesAreNoted(t *testing.T) {
	t.Parallel()
	w := open(t)
	secret, key := w.key(api.ScopeRead)
	at := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	w.auth.SetClock(func() time.Time { return at })
	if _, err := w.auth.Lookup(secret); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second has nothing to store
		if err := w.auth.FlushUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := w.auth.ListKeys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].ID != key.ID || keys[0].LastUsedAt == nil || !keys[0].LastUsedAt.Equal(at) {
		t.Errorf("keys %+v, %v", keys, err)
	}
}

// Services go on while Postgres is away; people cannot sign in and are told so.
func TestKeysWorkWithoutPostgres(t *testing.T) {
	t.Parallel()
	w := open(t)
	secret, _ := w.key(api.ScopeRead)
	session := w.signIn()
	w.pool.Close()
	if _, err := w.auth.Lookup(secret); err != nil {
		t.Errorf("a key without Postgres: %v", err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(session.cookie)
	_, err := w.auth.Authenticate(r)
	if p := problem.From(err); p == nil || p.Status != http.StatusServiceUnavailable || p.RetryAfter == 0 {
		t.Errorf("a session without Postgres: %v", err)
	}
}

func TestLookupIsQuick(t *testing.T) {
	w := open(t)
	secret, _ := w.key(api.ScopeDecide)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := w.auth.Lookup(secret); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("looking a key up allocates %.0f times", n)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	w := open(b)
	secret, _ := w.key(api.ScopeDecide)
	r := httptest.NewRequest("POST", "/v1/decide", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.auth.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzCredentials(f *testing.F) {
	for _, seed := range []string{"", "Bearer x", "Basic cWtfYV9iOg==", "basic ", "Digest a", "Bearer qk__", "Bearer qk_" + strings.Repeat("a", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}, "Cookie": {"quintet_session=" + header}}}
		secret, given := auth.Credentials(r)
		if given != (header != "") {
			t.Errorf("a header %q counts as given: %v", header, given)
		}
		if slices.Contains([]string{"bearer", "basic"}, strings.ToLower(header)) && secret != "" {
			t.Errorf("a scheme alone gives the secret %q", secret)
		}
	})
}
