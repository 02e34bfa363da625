package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// Session says who is signed in to the console.
type Session struct {
	User struct {
		Name  string `json:"name"`
		Email string `json:"email"`
		Role  string `json:"role" enum:"admin,viewer"`
	} `json:"user"`
	HasPassword bool `json:"hasPassword" doc:"Whether signing in by password is possible"`
}

// Credentials sign in to the console.
type Credentials struct {
	Email    string `json:"email" maxLength:"256"`
	Password string `json:"password" maxLength:"256"`
}

// NewPassword replaces the password of whoever is signed in.
type NewPassword struct {
	Password string `json:"password" minLength:"12" maxLength:"72"`
}

// Routes registers signing in and out, and the management of keys.
func (s *Service) Routes(srv *api.Server) {
	srv.Router.Get("/auth/link/{token}", s.serveLink)
	srv.Router.Post("/auth/login", s.serveLogin)
	srv.Router.Post("/auth/logout", s.serveLogout)
	document(srv.API)
	s.sessionRoutes(srv)
	s.keyRoutes(srv.API)
}

// document describes the routes that are plain handlers, as they set cookies
// before anybody is signed in.
func document(a huma.API) {
	for _, d := range []struct {
		op  huma.Operation
		out any
	}{
		{huma.Operation{OperationID: "login", Method: http.MethodPost, Path: "/auth/login", Tags: []string{"Access"}, Summary: "Sign in by password"}, Session{}},
		{huma.Operation{OperationID: "logout", Method: http.MethodPost, Path: "/auth/logout", Tags: []string{"Access"}, Summary: "Sign out"}, nil},
	} {
		var in any
		if d.op.OperationID == "login" {
			in = Credentials{}
		}
		if d.out == nil {
			d.op.Responses = map[string]*huma.Response{"204": {Description: "Signed out"}}
		}
		api.Document(a, d.op, api.ScopeRead, in, d.out)
		api.Public(a.OpenAPI().Paths[d.op.Path].Post)
		a.OpenAPI().Paths[d.op.Path].Post.Description = ""
	}
}

func (s *Service) serveLink(w http.ResponseWriter, r *http.Request) {
	if !s.logins.allow(r) {
		api.WriteProblem(w, r, problem.TooBusy(time.Minute, "Too many attempts to sign in."))
		return
	}
	userID, err := s.useLink(r.Context(), chi.URLParam(r, "token"))
	if err == nil {
		err = s.open(r.Context(), w, r, userID)
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Service) serveLogin(w http.ResponseWriter, r *http.Request) {
	if err := s.origin.Check(r); err != nil {
		api.WriteProblem(w, r, problem.Forbidden("The request comes from another site: "+err.Error()+"."))
		return
	}
	if !s.logins.allow(r) {
		api.WriteProblem(w, r, problem.TooBusy(time.Minute, "Too many attempts to sign in."))
		return
	}
	var c Credentials
	if err := api.DecodeJSON(r, 4<<10, &c, api.RefuseUnknown()); err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	userID, err := s.checkPassword(r.Context(), c.Email, c.Password)
	if err == nil {
		err = s.open(r.Context(), w, r, userID)
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	session, err := s.describe(r.Context(), userID)
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(session) // the cookie is what counts
}

func (s *Service) serveLogout(w http.ResponseWriter, r *http.Request) {
	if err := s.origin.Check(r); err != nil {
		api.WriteProblem(w, r, problem.Forbidden("The request comes from another site: "+err.Error()+"."))
		return
	}
	if err := s.end(r.Context(), w, r); err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) describe(ctx context.Context, userID string) (*Session, error) {
	u, err := s.find(ctx, "id = $1", userID)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, problem.NotFound("user", userID)
	}
	out := &Session{HasPassword: u.password != nil}
	out.User.Name, out.User.Email, out.User.Role = u.name, u.email, u.role
	return out, nil
}

func (s *Service) sessionRoutes(srv *api.Server) {
	get := huma.Operation{OperationID: "get-session", Method: http.MethodGet, Path: "/auth/session", Tags: []string{"Access"},
		Summary: "Who is signed in", Errors: []int{401, 403}}
	api.Require()(&get)
	type output struct{ Body Session }
	huma.Register(srv.API, get, func(ctx context.Context, _ *struct{}) (*output, error) {
		p, err := person(ctx)
		if err != nil {
			return nil, err
		}
		session, err := s.describe(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		return &output{Body: *session}, nil
	})

	type input struct {
		Cookie http.Cookie `cookie:"quintet_session"`
		Body   NewPassword
	}
	put := huma.Operation{OperationID: "set-password", Method: http.MethodPut, Path: "/auth/session", Tags: []string{"Access"},
		Summary: "Set the password of whoever is signed in", Description: "Ends all other sessions.", Errors: []int{401, 403, 422}}
	api.Require()(&put)
	huma.Register(srv.API, put, func(ctx context.Context, in *input) (*struct{}, error) {
		p, err := person(ctx)
		if err != nil {
			return nil, err
		}
		return nil, s.setPassword(ctx, p.ID, in.Body.Password, hash(in.Cookie.Value))
	})
}

// person is the principal of a console session.
func person(ctx context.Context) (api.Principal, error) {
	p, ok := api.PrincipalFrom(ctx)
	if !ok || p.Kind != "user" {
		return p, problem.Forbidden("This is for console sessions; an API key has none.")
	}
	return p, nil
}

func (s *Service) keyRoutes(a huma.API) {
	type listOutput struct {
		Body struct {
			Items []Key `json:"items" nullable:"false"`
		}
	}
	operation := func(id, method, path, summary string, errors ...int) huma.Operation {
		op := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"Access"}, Summary: summary, Errors: append([]int{401, 403}, errors...)}
		api.Require(api.ScopeAdmin)(&op)
		return op
	}
	huma.Register(a, operation("list-api-keys", http.MethodGet, "/v1/api-keys", "List API keys"), func(ctx context.Context, _ *struct{}) (*listOutput, error) {
		keys, err := s.ListKeys(ctx)
		if err != nil {
			return nil, err
		}
		out := new(listOutput)
		out.Body.Items = keys
		return out, nil
	})
	type createInput struct {
		Body struct {
			Name   string      `json:"name" minLength:"1" maxLength:"100"`
			Scopes []api.Scope `json:"scopes" minItems:"1" maxItems:"4" nullable:"false" doc:"ingest, decide, read, admin"`
		}
	}
	type createOutput struct {
		Body struct {
			Secret string `json:"secret" doc:"Shown this once"`
			Key    Key    `json:"key"`
		}
	}
	create := operation("create-api-key", http.MethodPost, "/v1/api-keys", "Create an API key", 409, 422)
	create.DefaultStatus = http.StatusCreated
	huma.Register(a, create, func(ctx context.Context, in *createInput) (*createOutput, error) {
		secret, key, err := s.CreateKey(ctx, in.Body.Name, in.Body.Scopes, api.By(ctx))
		if err != nil {
			return nil, err
		}
		out := new(createOutput)
		out.Body.Secret, out.Body.Key = secret, key
		return out, nil
	})
	type revokeInput struct {
		ID string `path:"id" maxLength:"64"`
	}
	huma.Register(a, operation("revoke-api-key", http.MethodDelete, "/v1/api-keys/{id}", "Revoke an API key; it stops working at once", 404),
		func(ctx context.Context, in *revokeInput) (*struct{}, error) { return nil, s.RevokeKey(ctx, in.ID) })

	type linkOutput struct {
		Body struct {
			URL string `json:"url" doc:"Path to open on the console's address; signs in once, within 15 minutes"`
		}
	}
	huma.Register(a, operation("create-login-link", http.MethodPost, "/v1/login-links", "Create a link that signs an administrator in once"),
		func(ctx context.Context, _ *struct{}) (*linkOutput, error) {
			link, err := s.LoginLink(ctx, "")
			if err != nil {
				return nil, err
			}
			out := new(linkOutput)
			out.Body.URL = link
			return out, nil
		})
}
