package auth

import (
	"context"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// SessionUser is the user of a session.
type SessionUser struct {
	Name  string `json:"name"`
	Email string `json:"email" doc:"What the user signs in with; admin for the first one"`
	Role  string `json:"role"`
}

// Session says who is signed in.
type Session struct {
	User        SessionUser `json:"user"`
	HasPassword bool        `json:"hasPassword" doc:"False until the user has set one; then links are the only way in"`
	Scopes      []api.Scope `json:"scopes" nullable:"false" doc:"What the user may do by the role; admin stands for all of it"`
	Masked      bool        `json:"masked" doc:"Personal data is hidden from the user, as a whole or in part"`
}

type sessionOutput struct {
	SetCookie string `header:"Set-Cookie" hidden:"true"`
	Body      Session
}

type emptyOutput struct {
	SetCookie string `header:"Set-Cookie" hidden:"true"`
}

// LoginBody is a name with its password.
type LoginBody struct {
	Email    string `json:"email" minLength:"1" maxLength:"256"`
	Password string `json:"password" minLength:"1" maxLength:"800"`
}

// PasswordBody is a password to be set.
type PasswordBody struct {
	Password string `json:"password" doc:"10 to 200 characters"`
	Current  string `json:"current,omitempty" maxLength:"800" doc:"The password so far; not needed in a session that began with a login link"`
}

// NewAPIKey is a key to be created.
type NewAPIKey struct {
	Name      string      `json:"name" minLength:"1" maxLength:"100"`
	Scopes    []api.Scope `json:"scopes" minItems:"1" maxItems:"10" enum:"ingest,decide,read,define,approve,flags,admin" nullable:"false"`
	Masked    bool        `json:"masked,omitempty" doc:"Show the key's holder personal data in part only: a•••@example.org"`
	Encrypted bool        `json:"encrypted,omitempty" doc:"Encrypt what clients load by the key, which needs the scope flags"`
}

// CreatedAPIKey is a new key with its secret.
type CreatedAPIKey struct {
	Secret string `json:"secret" doc:"Shown this once"`
	// DecryptionKey is for those whom the payload is meant for.
	DecryptionKey string `json:"decryptionKey,omitempty" doc:"With encrypted: what clients decrypt with, AES-128 in base64. Shown this once"`
	Key           Key    `json:"key"`
}

// APIKeyList is a page of keys.
type APIKeyList struct {
	Items []Key  `json:"items" nullable:"false"`
	Next  string `json:"next" doc:"Pass as after to read on; empty at the end"`
}

// LoginLinkBody is a link to sign in with.
type LoginLinkBody struct {
	URL       string    `json:"url" doc:"Works once"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Routes registers signing in and out under /auth, and keys, users,
// roles and login links under /v1.
func (s *Service) Routes(srv *api.Server) {
	srv.Router.Get(linkPath+"{token}", s.serveLink)
	s.sessionRoutes(srv.API)
	s.keyRoutes(srv.API)
	s.userRoutes(srv.API)
	s.roleRoutes(srv.API)
}

func (s *Service) sessionRoutes(a huma.API) {
	const tag = "Access"
	login := huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/auth/login", Tags: []string{tag}, Summary: "Sign in with a password",
		Description: "The answer sets the session's cookie.", Errors: []int{400, 401, 403, 429}, MaxBodyBytes: 8 << 10,
	}
	api.Public(&login)
	huma.Register(a, login, func(ctx context.Context, in *struct{ Body LoginBody }) (*sessionOutput, error) {
		r := api.HTTPRequest(ctx)
		if err := s.checkOrigin(r); err != nil {
			return nil, err
		}
		u, err := s.login(ctx, in.Body.Email, in.Body.Password, clientAddress(r))
		if err != nil {
			return nil, err
		}
		c, err := s.startSession(ctx, r, u, false)
		if err != nil {
			return nil, err
		}
		return &sessionOutput{SetCookie: c.String(), Body: s.describe(u)}, nil
	})

	logout := huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: "/auth/logout", Tags: []string{tag}, Summary: "Sign out",
		DefaultStatus: http.StatusNoContent, Errors: []int{403},
	}
	api.Public(&logout)
	huma.Register(a, logout, func(ctx context.Context, _ *struct{}) (*emptyOutput, error) {
		r := api.HTTPRequest(ctx)
		if err := s.checkOrigin(r); err != nil {
			return nil, err
		}
		if token, ok := sessionToken(r); ok {
			if err := s.endSession(ctx, token); err != nil {
				return nil, err
			}
		}
		return &emptyOutput{SetCookie: cookie(r, "", -1).String()}, nil
	})

	who := huma.Operation{
		OperationID: "session", Method: http.MethodGet, Path: "/auth/session", Tags: []string{tag}, Summary: "Who is signed in", Errors: []int{401, 403},
	}
	api.Require()(&who)
	huma.Register(a, who, func(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
		current, err := s.current(ctx)
		if err != nil {
			return nil, err
		}
		return &sessionOutput{Body: s.describe(&current.user)}, nil
	})

	password := huma.Operation{
		OperationID: "password", Method: http.MethodPut, Path: "/auth/session", Tags: []string{tag}, Summary: "Set the password of who is signed in",
		Description: "Ends the user's other sessions.", DefaultStatus: http.StatusNoContent, Errors: []int{400, 401, 403, 422, 429}, MaxBodyBytes: 8 << 10,
	}
	api.Require()(&password)
	huma.Register(a, password, func(ctx context.Context, in *struct{ Body PasswordBody }) (*emptyOutput, error) {
		return nil, s.changePassword(ctx, in.Body)
	})

	link := huma.Operation{
		OperationID: "create-login-link", Method: http.MethodPost, Path: "/v1/login-links", Tags: []string{tag}, Summary: "Make a login link",
		Description: "The link signs in the caller, or the first administrator when the caller is an API key. It works once within 15 minutes.",
		Errors:      []int{401, 403}, DefaultStatus: http.StatusCreated,
	}
	api.Require(api.ScopeAdmin)(&link)
	huma.Register(a, link, func(ctx context.Context, _ *struct{}) (*struct{ Body LoginLinkBody }, error) {
		user := ""
		if p, _ := api.PrincipalFrom(ctx); p.Kind == "user" {
			user = p.ID
		}
		url, expires, err := s.loginLink(ctx, baseURL(api.HTTPRequest(ctx)), user)
		if err != nil {
			return nil, err
		}
		return &struct{ Body LoginLinkBody }{LoginLinkBody{URL: url, ExpiresAt: expires}}, nil
	})
}

// current is the session of a request that has been let in.
func (s *Service) current(ctx context.Context) (*session, error) {
	token, ok := sessionToken(api.HTTPRequest(ctx))
	if p, _ := api.PrincipalFrom(ctx); !ok || p.Kind != "user" {
		return nil, problem.Forbidden("This is for console sessions; an API key has none.")
	}
	return s.session(ctx, token)
}

func (s *Service) changePassword(ctx context.Context, body PasswordBody) error {
	current, err := s.current(ctx)
	if err != nil {
		return err
	}
	u := &current.user
	if u.password != nil && !current.byLink {
		wait := s.attempts.take(s.now(), map[string]allowance{"change " + u.id: perPair})
		if wait > 0 {
			return problem.TooBusy(wait, "There were too many attempts to change the password.")
		}
		matches, err := s.passwordMatches(ctx, body.Current, string(u.password))
		if err != nil {
			return unavailable("checking a password", err)
		}
		if !matches {
			return problem.Invalid{{Field: "current", Rule: "must be the password so far"}}
		}
		s.attempts.forgive("change " + u.id)
	}
	if err := checkPassword(body.Password, "password", u); err != nil {
		return err
	}
	return s.setPassword(ctx, u, body.Password, current.hash)
}

func (s *Service) keyRoutes(a huma.API) {
	const tag = "API keys"
	type listInput struct {
		After string `query:"after" maxLength:"64" doc:"The next of the page before"`
		Limit int    `query:"limit" default:"100" minimum:"1" maximum:"200"`
	}
	type listOutput struct{ Body APIKeyList }
	list := huma.Operation{
		OperationID: "list-keys", Method: http.MethodGet, Path: "/v1/api-keys", Tags: []string{tag}, Summary: "List API keys, newest first",
		Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeAdmin)(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		if strings.ContainsRune(in.After, 0) {
			return nil, problem.Invalid{{Field: "query.after", Rule: "must be the id of a key"}}
		}
		keys, err := s.listKeys(ctx, in.After, in.Limit+1)
		if err != nil {
			return nil, err
		}
		out := &listOutput{Body: APIKeyList{Items: keys}}
		if len(keys) > in.Limit {
			out.Body.Items, out.Body.Next = keys[:in.Limit], keys[in.Limit-1].ID
		}
		return out, nil
	})

	type createOutput struct{ Body CreatedAPIKey }
	create := huma.Operation{
		OperationID: "create-key", Method: http.MethodPost, Path: "/v1/api-keys", Tags: []string{tag}, Summary: "Create an API key",
		DefaultStatus: http.StatusCreated, Errors: []int{400, 401, 403, 409, 422}, MaxBodyBytes: 8 << 10,
	}
	api.Require(api.ScopeAdmin)(&create)
	huma.Register(a, create, func(ctx context.Context, in *struct{ Body NewAPIKey }) (*createOutput, error) {
		secret, k, payloadKey, err := s.createKey(ctx, in.Body, api.By(ctx))
		if err != nil {
			return nil, err
		}
		return &createOutput{Body: CreatedAPIKey{Secret: secret, Key: k, DecryptionKey: payloadKey}}, nil
	})

	revoke := huma.Operation{
		OperationID: "revoke-key", Method: http.MethodDelete, Path: "/v1/api-keys/{id}", Tags: []string{tag}, Summary: "Revoke an API key",
		Description: "It stops working at once.", DefaultStatus: http.StatusNoContent, Errors: []int{401, 403, 404},
	}
	api.Require(api.ScopeAdmin)(&revoke)
	huma.Register(a, revoke, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"64"`
	}) (*struct{}, error) {
		return nil, s.RevokeKey(ctx, in.ID)
	})
}

func (s *Service) describe(u *user) Session {
	p := s.principal(u)
	return Session{
		User:        SessionUser{Name: u.name, Email: u.email, Role: u.role},
		HasPassword: u.password != nil,
		Scopes:      append([]api.Scope{}, p.Scopes...), // never null
		Masked:      p.Mask != nil,
	}
}

// serveLink signs in by a login link and goes on to the console.
func (s *Service) serveLink(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		// A program that only looks must not use the link up.
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if wait := s.attempts.take(s.now(), map[string]allowance{"link " + clientAddress(r): perAddress}); wait > 0 {
		api.WriteProblem(w, r, problem.TooBusy(wait, "There were too many attempts to sign in."))
		return
	}
	u, err := s.useLink(r.Context(), chi.URLParam(r, "token"))
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	if u == nil {
		refuseLink(w, r)
		return
	}
	c, err := s.startSession(r.Context(), r, u, true)
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

var refused = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Quintet</title></head>
  <body>
    <h1>This link does not work any more</h1>
    <p>A login link works once, within 15 minutes. Run <code>quintet login</code> to get another, or <a href="/">sign in with your password</a>.</p>
  </body>
</html>
`))

func refuseLink(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		api.WriteProblem(w, r, &problem.Error{Status: http.StatusGone, Detail: "The login link was used before or has expired."})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(http.StatusGone)
	_ = refused.Execute(w, nil) // the caller went away when this fails
}

// clientAddress is the address that guesses are counted for: the peer's, or the
// one that a proxy on this machine names. An IPv6 network of 64 bits counts as one.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return problem.Clip(host)
	}
	if address.Unmap().IsLoopback() {
		hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
		if named, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
			address = named
		}
	}
	address = address.Unmap()
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}
