package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quintet/internal/auth"
)

func TestLoginLinkWorksOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	link, err := w.auth.LoginLink(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if a := w.call("HEAD", link, ""); a.cookie != nil || a.status != 204 {
		t.Fatalf("looking at a link: %d, cookie %v", a.status, a.cookie)
	}
	var in atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if a := w.call("GET", link, ""); a.status == http.StatusSeeOther {
				in.Add(1)
			} else if a.status != http.StatusGone || a.cookie != nil {
				t.Errorf("a used link: %d, cookie %v", a.status, a.cookie)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 {
		t.Errorf("a link signed in %d times", in.Load())
	}
	if a := w.call("GET", link, "", "Accept", "text/html"); !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || a.status != 410 {
		t.Errorf("a used link in a browser: %d %v", a.status, a.header)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := open(t)
	var offset atomic.Int64
	w.auth.SetClock(func() time.Time { return time.Now().Add(time.Duration(offset.Load())) })
	late := func(d time.Duration) { offset.Add(int64(d)) }

	link, err := w.auth.LoginLink(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	late(16 * time.Minute)
	if a := w.call("GET", link, ""); a.status != 410 {
		t.Errorf("a link after 16 minutes: %d", a.status)
	}
	session := w.signIn().session()
	// Used every 11 hours a session goes on, up to 30 days.
	used := time.Duration(0)
	for ; used < 29*24*time.Hour; used += 11 * time.Hour {
		late(11 * time.Hour)
		if a := w.call("GET", "/auth/session", "", "Cookie", session); a.status != 200 {
			t.Fatalf("after %s in use: %d", used, a.status)
		}
	}
	late(11 * time.Hour)
	w.call("GET", "/auth/session", "", "Cookie", session)
	late(11 * time.Hour)
	w.call("GET", "/auth/session", "", "Cookie", session)
	late(11 * time.Hour)
	if a := w.call("GET", "/auth/session", "", "Cookie", session); a.status != 401 {
		t.Errorf("after more than 30 days: %d", a.status)
	}
	idle := w.signIn().session()
	late(12*time.Hour + time.Minute)
	if a := w.call("GET", "/auth/session", "", "Cookie", idle); a.status != 401 {
		t.Errorf("unused for more than 12 hours: %d", a.status)
	}
	if err := w.auth.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := w.pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM login_links)").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d expired rows are left, %v", left, err)
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, c := range []struct {
		proto, name string
		secure      bool
	}{{"http", "quintet_session", false}, {"https", "__Host-quintet_session", true}} {
		got := w.signIn("X-Forwarded-Proto", c.proto).cookie
		if got.Name != c.name || got.Secure != c.secure || !got.HttpOnly || got.SameSite != http.SameSiteStrictMode || got.Path != "/" || got.Domain != "" {
			t.Errorf("over %s: %+v", c.proto, got)
		}
		if a := w.call("GET", "/auth/session", "", "Cookie", got.Name+"="+got.Value); a.status != 200 {
			t.Errorf("over %s the session does not work: %d", c.proto, a.status)
		}
	}
}

// A browser that another site controls cannot use the session.
func TestOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	w := open(t)
	session := w.signIn().session()
	const key = `{"name":"x","scopes":["read"]}`
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"another site":         {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a sibling host":       {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"another origin":       {[]string{"Origin", "http://evil.test"}, 403},
		"no origin":            {[]string{"Origin", "null"}, 403},
		"the console":          {[]string{"Sec-Fetch-Site", "same-origin"}, 201},
		"the console's origin": {[]string{"Origin", "http://quintet.test"}, 201},
		"no browser":           {nil, 201},
	} {
		if a := w.call("POST", "/v1/api-keys", key, append(c.header, "Cookie", session)...); a.status != c.status {
			t.Errorf("%s: %d %v, want %d", name, a.status, a.body, c.status)
		}
	}
	if a := w.call("GET", "/v1/api-keys", "", "Cookie", session, "Sec-Fetch-Site", "cross-site"); a.status != 200 {
		t.Errorf("reading changes nothing and CORS hides the answer: %d", a.status)
	}
	for _, path := range []string{"/auth/login", "/auth/logout"} {
		if a := w.call("POST", path, `{"email":"admin","password":"x"}`, "Sec-Fetch-Site", "cross-site"); a.status != 403 {
			t.Errorf("%s from another site: %d", path, a.status)
		}
	}
	// A key is no cookie: a browser does not send it by itself.
	if a := w.call("POST", "/v1/login-links", "", "Cookie", session); a.status != 201 || !strings.HasPrefix(a.body["url"].(string), "http://quintet.test/auth/link/") {
		t.Errorf("a login link: %d %v", a.status, a.body)
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	w := open(t)
	byLink := w.signIn().session()
	if a := w.call("GET", "/auth/session", "", "Cookie", byLink); a.status != 200 || a.body["hasPassword"] != false ||
		a.body["user"].(map[string]any)["email"] != "admin" {
		t.Fatalf("session: %d %v", a.status, a.body)
	}
	for _, bad := range []string{"", "short", "admin", "aaaaaaaaaaaaaaaa", strings.Repeat("long ", 100)} {
		if a := w.call("PUT", "/auth/session", `{"password":"`+bad+`"}`, "Cookie", byLink); a.status != 422 {
			t.Errorf("the password %.20q: %d", bad, a.status)
		}
	}
	other := w.signIn().session()
	const first, second = "correct horse battery", "staple é correct horse"
	if a := w.call("PUT", "/auth/session", `{"password":"`+first+`"}`, "Cookie", byLink); a.status != 204 {
		t.Fatalf("setting a password: %d %v", a.status, a.body)
	}
	if a := w.call("GET", "/auth/session", "", "Cookie", other); a.status != 401 {
		t.Errorf("another session lives on after a new password: %d", a.status)
	}
	if a := w.call("GET", "/auth/session", "", "Cookie", byLink); a.status != 200 || a.body["hasPassword"] != true {
		t.Errorf("the own session: %d %v", a.status, a.body)
	}
	in := w.call("POST", "/auth/login", `{"email":" Admin ","password":"`+first+`"}`)
	if in.status != 200 || in.cookie == nil || in.body["hasPassword"] != true {
		t.Fatalf("signing in: %d %v", in.status, in.body)
	}
	session := in.session()
	for body, status := range map[string]int{
		`{"password":"` + second + `"}`:                                     422,
		`{"password":"` + second + `","current":"wrong"}`:                   422,
		`{"password":"` + second + `","current":"` + first + `"}`:           204,
		`{"password":"` + second + `","current":"` + first + `","extra":1}`: 422,
	} {
		if status == 204 {
			continue // after the others
		}
		if a := w.call("PUT", "/auth/session", body, "Cookie", session); a.status != status {
			t.Errorf("%s: %d %v, want %d", body, a.status, a.body, status)
		}
	}
	if a := w.call("PUT", "/auth/session", `{"password":"`+second+`","current":"`+first+`"}`, "Cookie", session); a.status != 204 {
		t.Fatalf("changing the password: %d %v", a.status, a.body)
	}
	if a := w.call("POST", "/auth/login", `{"email":"admin","password":"`+first+`"}`); a.status != 401 || a.cookie != nil {
		t.Errorf("the old password: %d", a.status)
	}
	if a := w.call("POST", "/auth/logout", "", "Cookie", session); a.status != 204 || a.cookie == nil || a.cookie.MaxAge >= 0 {
		t.Errorf("signing out: %d, cookie %v", a.status, a.cookie)
	}
	if a := w.call("GET", "/auth/session", "", "Cookie", session); a.status != 401 {
		t.Errorf("a session goes on after signing out: %d", a.status)
	}
}

func TestSigningInIsLimited(t *testing.T) {
	t.Parallel()
	w := open(t)
	now := time.Now()
	var offset atomic.Int64
	w.auth.SetClock(func() time.Time { return now.Add(time.Duration(offset.Load())) })
	const wrong, password = `{"email":"admin","password":"wrong"}`, "correct horse battery"
	session := w.signIn().session()
	if a := w.call("PUT", "/auth/session", `{"password":"`+password+`"}`, "Cookie", session); a.status != 204 {
		t.Fatalf("setting a password: %d", a.status)
	}
	for i := range 5 {
		if a := w.call("POST", "/auth/login", wrong); a.status != 401 {
			t.Fatalf("attempt %d: %d", i, a.status)
		}
	}
	right := `{"email":"admin","password":"` + password + `"}`
	if a := w.call("POST", "/auth/login", right); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Fatalf("attempt 6, with the right password: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	if a := w.call("POST", "/auth/login", right, "from", "198.51.100.1:99"); a.status != 200 {
		t.Errorf("from another address: %d", a.status)
	}
	offset.Store(int64(31 * time.Second))
	if a := w.call("POST", "/auth/login", right); a.status != 200 {
		t.Errorf("after a pause: %d", a.status)
	}
	for i := range 5 { // success gave all attempts back
		if a := w.call("POST", "/auth/login", wrong); a.status != 401 {
			t.Errorf("attempt %d after a success: %d", i, a.status)
		}
	}
	limited := 0
	for range 40 {
		if a := w.call("GET", "/auth/link/guess", ""); a.status == 429 {
			limited++
		}
	}
	if limited != 20-1 && limited != 20 { // the link of signIn came from the same address
		t.Errorf("%d of 40 guessed links were refused", limited)
	}
}

func TestStoredPasswords(t *testing.T) {
	t.Parallel()
	w := open(t)
	ctx := t.Context()
	hash, err := w.auth.HashPassword(ctx, "correct horse battery")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("hash %q, %v", hash, err)
	}
	again, err := w.auth.HashPassword(ctx, "correct horse battery")
	if err != nil || again == hash {
		t.Error("two hashes of one password are alike: they have no salt")
	}
	for _, c := range []struct {
		password, stored string
		matches, fails   bool
	}{
		{"correct horse battery", hash, true, false},
		{"correct horse batterz", hash, false, false},
		{"", hash, false, false},
		{"anything", auth.AbsentPassword, false, false},
		// The hash that the reference implementation's command line prints:
		// echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -e
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", true, false},
		{"x", "$2a$10$abc", false, true},
		{"x", "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", false, true},
		{"x", "", false, true},
	} {
		matches, err := w.auth.PasswordMatches(ctx, c.password, c.stored)
		if matches != c.matches || (err != nil) != c.fails {
			t.Errorf("%q with %.40q: %v, %v", c.password, c.stored, matches, err)
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ remote, forwarded, want string }{
		{"203.0.113.7:1", "", "203.0.113.7"},
		{"203.0.113.7:1", "198.51.100.1", "203.0.113.7"}, // not a proxy of ours: it may say anything
		{"127.0.0.1:1", "", "127.0.0.1"},
		{"127.0.0.1:1", "10.9.9.9, 198.51.100.1", "198.51.100.1"},
		{"[::1]:1", "nonsense", "::/64"},
		{"[2001:db8::1:2:3:4]:1", "", "2001:db8::/64"},
		{"odd", "", "odd"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := auth.ClientAddress(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
