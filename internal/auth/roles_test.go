package auth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"quintet/internal/api"
	"quintet/internal/auth"
	"quintet/internal/definitions"
	"quintet/internal/enginetest"
	"quintet/internal/postgres"
)

// office is a server whose roles can be defined, with an administrator's key.
type office struct {
	*world
	key string
}

func openOffice(t *testing.T) *office {
	t.Helper()
	pool := enginetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), pool, auth.Migrations(), definitions.Migrations()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, pool: pool}
	w.auth = w.another()
	store, err := definitions.Open(t.Context(), pool, enginetest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.auth.UseRoles(store); err != nil {
		t.Fatal(err)
	}
	w.srv = api.New(api.Options{Logger: enginetest.Logger(t), Auth: w.auth})
	w.auth.Routes(w.srv)
	secret, _ := w.key(api.ScopeAdmin)
	return &office{w, secret}
}

// call sends a request with the administrator's key, or with a cookie.
func (o *office) call(method, path, body string, cookie *http.Cookie) *httptest.ResponseRecorder {
	o.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if cookie != nil {
		r.AddCookie(cookie)
	} else {
		r.Header.Set("X-API-Key", o.key)
	}
	rec := httptest.NewRecorder()
	o.srv.Router.ServeHTTP(rec, r)
	return rec
}

// add makes a user of a role and signs the user in.
func (o *office) add(email, role string) (auth.User, *http.Cookie) {
	o.t.Helper()
	var u auth.User
	rec := o.call("POST", "/v1/users", `{"email":"`+email+`","name":"N","role":"`+role+`"}`, nil)
	if err := json.Unmarshal(rec.Body.Bytes(), &u); err != nil || rec.Code != http.StatusCreated {
		o.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	var link auth.LoginLinkBody
	rec = o.call("POST", "/v1/users/"+u.ID+"/login-links", "", nil)
	if err := json.Unmarshal(rec.Body.Bytes(), &link); err != nil || rec.Code != http.StatusCreated {
		o.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	rec = o.call("GET", strings.TrimPrefix(link.URL, "http://example.com"), "", nil)
	if cookies := rec.Result().Cookies(); rec.Code == http.StatusSeeOther && len(cookies) == 1 {
		return u, cookies[0]
	}
	o.t.Fatalf("%d %s", rec.Code, rec.Body)
	return u, nil
}

func TestUsersAndRoles(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	if rec := o.call("PUT", "/v1/roles/marketing", `{"title":"Marketing","scopes":["read","define"],"masks":[{"field":"traits.salary","mode":"hide"}]}`, nil); rec.Code != http.StatusOK && rec.Code != http.StatusCreated {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	cases := []struct {
		role   string
		scopes []api.Scope
		field  [2]string
		mode   api.MaskMode
	}{
		{"admin", []api.Scope{api.ScopeAdmin}, [2]string{"traits", "email"}, ""},
		{"manager", []api.Scope{api.ScopeRead, api.ScopeDefine, api.ScopeApprove}, [2]string{"traits", "email"}, api.MaskPartial},
		{"support", []api.Scope{api.ScopeRead, api.ScopeIngest}, [2]string{"traits", "email"}, ""},
		{"viewer", []api.Scope{api.ScopeRead}, [2]string{"traits", "email"}, api.MaskHide},
		{"marketing", []api.Scope{api.ScopeRead, api.ScopeDefine}, [2]string{"traits", "salary"}, api.MaskHide},
	}
	for _, tc := range cases {
		_, cookie := o.add(tc.role+"@example.org", tc.role)
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(cookie)
		p, err := o.auth.Authenticate(r)
		if err != nil || !slices.Equal(p.Scopes, tc.scopes) || p.Mask.Mode(tc.field[0], tc.field[1], tc.field[1] == "email") != tc.mode {
			t.Errorf("%s: %+v %v", tc.role, p, err)
		}
		// Nobody but administrators manages users and roles.
		want := http.StatusForbidden
		if tc.role == "admin" {
			want = http.StatusOK
		}
		for _, path := range []string{"/v1/users", "/v1/roles", "/v1/users/roles"} {
			if rec := o.call("GET", path, "", cookie); rec.Code != want {
				t.Errorf("%s reads %s: %d", tc.role, path, rec.Code)
			}
		}
	}
	rec := o.call("GET", "/v1/users/roles", "", nil)
	if !strings.Contains(rec.Body.String(), `"key":"marketing","builtIn":false`) || !strings.Contains(rec.Body.String(), `"key":"viewer","builtIn":true`) {
		t.Errorf("roles: %s", rec.Body)
	}
	// A role that is gone lets nobody do anything.
	_, cookie := o.add("late@example.org", "marketing")
	if rec := o.call("DELETE", "/v1/roles/marketing", "", nil); rec.Code != http.StatusNoContent {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(cookie)
	if p, err := o.auth.Authenticate(r); err != nil || len(p.Scopes) != 0 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestUsersBadInput(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	u, cookie := o.add("anna@example.org", "manager")
	var list struct{ Items []auth.User }
	if err := json.Unmarshal(o.call("GET", "/v1/users", "", nil).Body.Bytes(), &list); err != nil || len(list.Items) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	first := list.Items[0]
	if first.Role != "admin" {
		first = list.Items[1]
	}
	cases := []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/v1/users", `{"email":"Anna@example.org","name":"N","role":"viewer"}`, 409, "already"},
		{"POST", "/v1/users", `{"email":"b@example.org","name":"N","role":"king"}`, 422, "body.role"},
		{"POST", "/v1/users", `{"email":"b c","name":"N","role":"viewer"}`, 422, "body.email"},
		{"POST", "/v1/users", `{"email":"b@example.org","name":"a\u0000b","role":"viewer"}`, 422, "body.name"},
		{"PATCH", "/v1/users/" + u.ID, `{"role":"king"}`, 422, "body.role"},
		{"PATCH", "/v1/users/none", `{"role":"viewer"}`, 404, "none"},
		{"PATCH", "/v1/users/" + first.ID, `{"role":"viewer"}`, 409, "last administrator"},
		{"DELETE", "/v1/users/" + first.ID, "", 409, "last administrator"},
		{"POST", "/v1/users/none/login-links", "", 404, "none"},
		{"PUT", "/v1/roles/admin", `{"title":"A","scopes":["read"]}`, 422, "must not be admin"},
		{"PUT", "/v1/roles/x", `{"title":"A","scopes":["fly"]}`, 422, "scopes[0]"},
		{"PUT", "/v1/roles/x", `{"title":"A","scopes":["read"],"masks":[{"field":"shoes.size","mode":"hide"}]}`, 422, "masks[0].field"},
		{"PUT", "/v1/roles/x", `{"title":"A","scopes":["read"],"masks":[{"field":"personal","mode":"blur"}]}`, 422, "masks[0].mode"},
		{"PATCH", "/v1/users/" + u.ID, `{"role":"admin"}`, 200, `"admin"`},
		{"PATCH", "/v1/users/" + first.ID, `{"role":"viewer"}`, 200, `"viewer"`}, // there is another now
		{"DELETE", "/v1/users/" + first.ID, "", 204, ""},
	}
	for _, tc := range cases {
		if rec := o.call(tc.method, tc.path, tc.body, nil); rec.Code != tc.status || !strings.Contains(rec.Body.String(), tc.says) {
			t.Errorf("%s %s %s: %d %s", tc.method, tc.path, tc.body, rec.Code, rec.Body)
		}
	}
	if rec := o.call("GET", "/auth/session", "", cookie); rec.Code != http.StatusOK {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := o.call("DELETE", "/v1/users/"+u.ID, "", nil); rec.Code != http.StatusConflict {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestMaskedKey(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	var made auth.CreatedAPIKey
	rec := o.call("POST", "/v1/api-keys", `{"name":"analysts","scopes":["read"],"masked":true}`, nil)
	if err := json.Unmarshal(rec.Body.Bytes(), &made); err != nil || !made.Key.Masked {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	for name, service := range map[string]*auth.Service{"this process": o.auth, "another": o.another()} {
		if p, err := service.Lookup(made.Secret); err != nil || p.Mask.Mode("traits", "email", true) != api.MaskPartial {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	if p, err := o.auth.Lookup(o.key); err != nil || p.Mask != nil {
		t.Errorf("%+v %v", p, err)
	}
}

func TestSessionSaysWhatItMay(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	cases := []struct {
		role   string
		scopes []api.Scope
		masked bool
	}{
		{"viewer", []api.Scope{api.ScopeRead}, true},
		{"marketing", []api.Scope{api.ScopeRead, api.ScopeIngest}, false},
	}
	if rec := o.call("PUT", "/v1/roles/marketing", `{"title":"M","scopes":["read","ingest"]}`, nil); rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	for _, tc := range cases {
		_, cookie := o.add(tc.role+"-may@example.org", tc.role)
		var got auth.Session
		rec := o.call("GET", "/auth/session", "", cookie)
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || !slices.Equal(got.Scopes, tc.scopes) || got.Masked != tc.masked {
			t.Errorf("%s: %d %s %v", tc.role, rec.Code, rec.Body, err)
		}
	}
	// A role that is gone leaves a session that may do nothing, and says so.
	_, cookie := o.add("gone@example.org", "marketing")
	o.call("DELETE", "/v1/roles/marketing", "", nil)
	if rec := o.call("GET", "/auth/session", "", cookie); !strings.Contains(rec.Body.String(), `"scopes":[]`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// A role may ask for a second person, which goes with whoever has it.
func TestRolesThatNeedApproval(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	for role, needs := range map[string]bool{"junior": true, "senior": false} {
		body := fmt.Sprintf(`{"title":"x","scopes":["define","approve"],"needsApproval":%t}`, needs)
		if rec := o.call("PUT", "/v1/roles/"+role, body, nil); rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		_, cookie := o.add(role+"@example.org", role)
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(cookie)
		p, err := o.auth.Authenticate(r)
		if err != nil || p.NeedsApproval != needs || !p.Has(api.ScopeApprove) || p.Has(api.ScopeRead) {
			t.Errorf("%s: %+v, %v", role, p, err)
		}
	}
}
