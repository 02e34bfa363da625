package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"quintet/internal/problem"
)

// Scope is something that a caller may be allowed to do.
type Scope string

// The scopes. Admin implies all others.
const (
	// ScopeIngest sends events, profiles and decisions made elsewhere.
	ScopeIngest Scope = "ingest"
	// ScopeDecide asks for decisions.
	ScopeDecide Scope = "decide"
	// ScopeDefine changes definitions: experiments, offers, segments.
	ScopeDefine Scope = "define"
	// ScopeApprove approves experiments that somebody else has edited last.
	ScopeApprove Scope = "approve"
	// ScopeAdmin also manages keys, users and roles, and erases people.
	ScopeAdmin Scope = "admin"
	// ScopeFlags evaluates flags and loads them. A key with this scope alone is a
	// client key: it may be in a browser or an app, where everybody can read it.
	ScopeFlags Scope = "flags"
	// ScopeIdentity joins people and tells them apart. Messages that a key with this
	// scope sends may join two known people: it is for servers, never for browsers.
	ScopeIdentity Scope = "identity"
	// ScopeRead reads profiles, decisions, definitions and reports.
	ScopeRead Scope = "read"
)

// Scopes lists every scope.
func Scopes() []Scope {
	return []Scope{ScopeIngest, ScopeDecide, ScopeRead, ScopeDefine, ScopeApprove, ScopeIdentity, ScopeFlags, ScopeAdmin}
}

// Principal is who makes a request.
type Principal struct {
	// ID is the id of the key or user.
	ID string
	// Name is the name of the key or the e-mail address of the user.
	Name string
	// Kind is "key" or "user".
	Kind string
	// Scopes is what the caller may do; it is not to be modified.
	Scopes []Scope
	// Mask hides personal data from the caller; nil shows everything.
	Mask *Mask
	// PayloadKey is the key, in base64, with which what clients load by a client key is
	// encrypted; empty when it is not.
	PayloadKey string
	// NeedsApproval keeps a user from starting experiments that nobody else has
	// approved.
	NeedsApproval bool
}

// Has says whether the principal may do what the scope names.
func (p *Principal) Has(scope Scope) bool {
	for _, s := range p.Scopes {
		if s == scope || s == ScopeAdmin {
			return true
		}
	}
	return false
}

// ClientOnly says whether the principal is a client key: one that may evaluate flags
// and nothing else, so that it may be in an address, where logs see it.
func (p *Principal) ClientOnly() bool {
	return p.Kind == "key" && len(p.Scopes) == 1 && p.Scopes[0] == ScopeFlags
}

// String names the principal in a history: "key:01ab…" or "user:admin".
func (p *Principal) String() string {
	if p.Kind == "user" {
		return p.Kind + ":" + p.Name
	}
	return p.Kind + ":" + p.ID
}

// Authenticator finds out who makes a request. Its error is a
// [*problem.Error], 401 unless it says otherwise.
type Authenticator interface {
	Authenticate(r *http.Request) (Principal, error)
}

// PrincipalFrom is who makes the request that ctx belongs to; false on routes
// that are open to everybody.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	rc := requestFrom(ctx)
	if rc == nil || rc.principal.Kind == "" {
		return Principal{}, false
	}
	return rc.principal, true
}

// By names the principal of ctx for a history, "anonymous" without one.
func By(ctx context.Context) string {
	p, ok := PrincipalFrom(ctx)
	if !ok {
		return "anonymous"
	}
	return p.String()
}

// MaskFrom is the mask of who makes the request that ctx belongs to.
func MaskFrom(ctx context.Context) *Mask {
	p, _ := PrincipalFrom(ctx)
	return p.Mask
}

const (
	scopesKey = "quintet.scopes"
	publicKey = "quintet.public"
)

// Require lets callers who have one of the scopes use the operation, and
// documents it. Without scopes any principal may. An operation with neither
// Require nor [Public] needs the admin scope.
func Require(scopes ...Scope) func(*huma.Operation) {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return func(op *huma.Operation) {
		setMetadata(op, scopesKey, scopes)
		op.Security = []map[string][]string{{"apiKey": names}, {"session": {}}}
		note := "Needs an API key or a console session."
		if len(names) > 0 {
			note = "Needs the scope " + strings.Join(names, " or ") + "."
		}
		if op.Description != "" {
			note = op.Description + "\n\n" + note
		}
		op.Description = note
	}
}

// Public opens the operation to callers without credentials.
func Public(op *huma.Operation) {
	setMetadata(op, publicKey, true)
	op.Security = []map[string][]string{}
}

func setMetadata(op *huma.Operation, key string, value any) {
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	op.Metadata[key] = value
}

// authorise checks the caller of r against the scopes and keeps the principal
// in the request's context, which the returned request carries.
func authorise(auth Authenticator, r *http.Request, scopes []Scope) (*http.Request, error) {
	p, err := auth.Authenticate(r)
	if err != nil {
		return r, err
	}
	if len(scopes) > 0 && !slices.ContainsFunc(scopes, p.Has) {
		names := make([]string, len(scopes))
		for i, s := range scopes {
			names[i] = string(s)
		}
		return r, problem.Forbidden("The " + p.Kind + " " + problem.Clip(p.Name) + " lacks the scope " + strings.Join(names, " or ") + ".")
	}
	rc := requestFrom(r.Context())
	if rc == nil {
		rc = &requestContext{Context: r.Context()}
		r = r.WithContext(rc)
	}
	rc.principal = p
	return r, nil
}

// RequireHTTP lets callers who have the scope use a route that is not a huma
// operation.
func RequireHTTP(auth Authenticator, scope Scope) func(http.Handler) http.Handler {
	scopes := []Scope{scope}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r, err := authorise(auth, r, scopes)
			if err != nil {
				WriteProblem(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Require is [RequireHTTP] with the server's own authenticator.
func (s *Server) Require(scope Scope) func(http.Handler) http.Handler {
	return RequireHTTP(s.auth, scope)
}

// enforce is the huma middleware behind [Require], [Deadline] and [Personal].
func (s *Server) enforce(ctx huma.Context, next func(huma.Context)) {
	audit := s.audited(ctx, ctx.Operation())
	if audit == nil {
		s.admit(ctx, next)
		return
	}
	answered := false
	defer func() { audit(answered) }()
	s.admit(ctx, next)
	answered = true
}

func (s *Server) admit(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	r, w := humachi.Unwrap(ctx)
	if d, ok := op.Metadata[deadlineKey].(time.Duration); ok {
		limitRequest(r, d)
	}
	if op.Metadata[publicKey] != nil {
		next(ctx)
		return
	}
	scopes, ok := op.Metadata[scopesKey].([]Scope)
	if !ok {
		scopes = []Scope{ScopeAdmin}
	}
	authorised, err := authorise(s.auth, r, scopes)
	if err != nil {
		WriteProblem(w, r, err)
		return
	}
	if authorised != r {
		ctx = huma.WithContext(ctx, authorised.Context())
	}
	next(ctx)
}
