package auth

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Role is what users with it may do and which personal data they see.
type Role struct {
	Title  string         `json:"title" maxLength:"100"`
	Scopes []api.Scope    `json:"scopes" minItems:"1" maxItems:"10" enum:"ingest,decide,read,define,approve,flags,admin" nullable:"false"`
	Masks  []api.MaskRule `json:"masks,omitempty" maxItems:"200" doc:"Personal data that is not shown in full; without any, everything is"`
	// NeedsApproval asks for a second person.
	NeedsApproval bool `json:"needsApproval,omitempty" doc:"Experiments that users with this role start must have been approved by somebody else, who has the scope approve"`
}

var (
	personalPartly = []api.MaskRule{{Field: "personal", Mode: api.MaskPartial}}
	personalHidden = []api.MaskRule{{Field: "personal", Mode: api.MaskHide}}
)

// builtIn are the roles that every installation has. A definition of the same key
// replaces one, admin excepted.
var builtIn = map[string]Role{
	roleAdmin: {Title: "Administrator", Scopes: []api.Scope{api.ScopeAdmin}},
	"manager": {Title: "Growth manager", Scopes: []api.Scope{api.ScopeRead, api.ScopeDefine, api.ScopeApprove}, Masks: personalPartly},
	"support": {Title: "Customer support", Scopes: []api.Scope{api.ScopeRead, api.ScopeIngest}},
	"analyst": {Title: "Analyst", Scopes: []api.Scope{api.ScopeRead}, Masks: personalPartly},
	"viewer":  {Title: "Viewer", Scopes: []api.Scope{api.ScopeRead}, Masks: personalHidden},
}

// maskGroups are the parts of a profile that a mask rule may name.
var maskGroups = []string{"identifiers", "traits", "properties", "context"}

func checkRole(_ context.Context, key string, r *Role) error {
	var bad problem.Invalid
	if key == roleAdmin {
		bad.Add("key", "must not be admin, the role that may do everything", nil)
	}
	if len(r.Scopes) == 0 {
		bad.Add("scopes", "must name at least one scope", nil)
	}
	for i, scope := range r.Scopes {
		if !slices.Contains(api.Scopes(), scope) {
			bad.Add(fmt.Sprintf("scopes[%d]", i), "must be one of ingest, decide, read, define, approve, flags, admin", string(scope))
		}
	}
	for i, m := range r.Masks {
		group, name, found := strings.Cut(m.Field, ".")
		if m.Field != "personal" && (!found || name == "" || !slices.Contains(maskGroups, group)) {
			bad.Add(fmt.Sprintf("masks[%d].field", i), "must be personal, or identifiers., traits., properties. or context. with a name or *", m.Field)
		}
		if !slices.Contains([]api.MaskMode{api.MaskPartial, api.MaskHash, api.MaskHide}, m.Mode) {
			bad.Add(fmt.Sprintf("masks[%d].mode", i), "must be partial, hash or hide", string(m.Mode))
		}
	}
	return bad.Err()
}

// UseRoles lets definitions add roles to the built-in ones. It is called before
// serving.
func (s *Service) UseRoles(store *definitions.Store) error {
	roles, err := definitions.NewCollection(store, "roles", checkRole)
	if err != nil {
		return fmt.Errorf("opening roles: %w", err)
	}
	s.roles = roles
	return nil
}

// role finds a role by its key.
func (s *Service) role(key string) (Role, bool) {
	if s.roles != nil && key != roleAdmin {
		if defined, ok := s.roles.Get(key); ok {
			return defined.Value, true
		}
	}
	r, ok := builtIn[key]
	return r, ok
}

// principal is what a signed-in user may do. A role that is gone lets nobody do
// anything.
func (s *Service) principal(u *user) api.Principal {
	p := api.Principal{ID: u.id, Name: u.email, Kind: "user"}
	if r, ok := s.role(u.role); ok {
		p.Scopes, p.Mask, p.NeedsApproval = r.Scopes, api.NewMask(r.Masks), r.NeedsApproval
	}
	return p
}

// NamedRole is a role with its key.
type NamedRole struct {
	Key     string `json:"key"`
	BuiltIn bool   `json:"builtIn" doc:"False: somebody has defined it, perhaps in the place of a built-in one"`
	Role
}

func (s *Service) roleRoutes(a huma.API) {
	if s.roles != nil {
		definitions.Routes(a, s.roles, definitions.RouteOptions{Tag: "Roles", Singular: "role", Admin: true})
	}
	op := huma.Operation{
		OperationID: "list-all-roles", Method: http.MethodGet, Path: "/v1/users/roles", Tags: []string{"Users"},
		Summary: "List the roles that a user can have, built-in ones included", Errors: []int{401, 403},
	}
	api.Require(api.ScopeAdmin)(&op)
	type output struct {
		Body struct {
			Items []NamedRole `json:"items" nullable:"false"`
		}
	}
	huma.Register(a, op, func(context.Context, *struct{}) (*output, error) {
		out := new(output)
		keys := slices.Collect(maps.Keys(builtIn))
		if s.roles != nil {
			keys = append(keys, slices.Collect(maps.Keys(s.roles.Snapshot()))...)
		}
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			r, _ := s.role(key)
			defined := false
			if s.roles != nil {
				_, defined = s.roles.Get(key)
			}
			out.Body.Items = append(out.Body.Items, NamedRole{key, !defined, r})
		}
		return out, nil
	})
}
