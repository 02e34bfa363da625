package profiles

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// Limits of the suppression list.
const (
	// MaxSuppressions is how many addresses one call may suppress.
	MaxSuppressions     = 10_000
	maxSuppressed       = 10_000_000
	maxSuppressionBytes = 8 << 20
	maxNote             = 500
)

// SuppressionBody is an address that nothing is to be sent to.
type SuppressionBody struct {
	Namespace string `json:"namespace" doc:"email, phone or any other namespace; userId suppresses a person on every channel" minLength:"1" maxLength:"64"`
	Value     string `json:"value" minLength:"1" maxLength:"256"`
	Reason    Reason `json:"reason" enum:"bounce,complaint,manual,unsubscribe,erasure" doc:"erasure keeps only a keyed hash of the address"`
	Scope     Scope  `json:"scope,omitempty" enum:"all,advertising" doc:"all stops service messages too; when absent: all for bounce and erasure, else advertising"`
	Note      string `json:"note,omitempty" maxLength:"500"`
}

// SuppressionEntry is an address on the list.
type SuppressionEntry struct {
	Namespace string    `json:"namespace"`
	Value     string    `json:"value,omitempty" doc:"Empty for an address that was erased"`
	Reason    Reason    `json:"reason" enum:"bounce,complaint,manual,unsubscribe,erasure"`
	Scope     Scope     `json:"scope" enum:"all,advertising"`
	Note      string    `json:"note,omitempty"`
	CreatedAt time.Time `json:"createdAt" doc:"When it was put on the list; by an event, when that happened"`
	CreatedBy string    `json:"createdBy" doc:"Who did it: user: or key: with an id; by an event, its source"`
}

func (s *Service) suppressionRoutes(a huma.API) {
	operation := func(id, method, path, summary string, scope api.Scope, errors ...int) huma.Operation {
		op := huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{"Suppressions"}, Summary: summary,
			Errors: append([]int{401, 403, 422}, errors...), MaxBodyBytes: maxSuppressionBytes,
		}
		api.Require(scope)(&op)
		return op
	}
	type addInput struct {
		Body struct {
			Items []SuppressionBody `json:"items" minItems:"1" maxItems:"10000" nullable:"false"`
		}
	}
	type addOutput struct {
		Body struct {
			Added     int `json:"added" doc:"Addresses that were not on the list"`
			Refreshed int `json:"refreshed" doc:"Addresses that were, or came twice; what was said last counts"`
		}
	}
	huma.Register(a, operation("add-suppressions", http.MethodPost, "/v1/suppressions", "Send nothing to addresses, all or none", api.ScopeDefine, 400, 409, 413),
		func(ctx context.Context, in *addInput) (*addOutput, error) {
			list, err := s.checkSuppressions(in.Body.Items)
			if err != nil {
				return nil, err
			}
			out := new(addOutput)
			if out.Body.Added, err = s.Suppress(ctx, list, api.By(ctx)); err != nil {
				return nil, err
			}
			out.Body.Refreshed = len(list) - out.Body.Added
			return out, nil
		})

	type listInput struct {
		Reason string `query:"reason" enum:"bounce,complaint,manual,unsubscribe,erasure" doc:"Only those of this reason"`
		After  int64  `query:"after" minimum:"0" doc:"The next of the page before"`
		Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
	}
	type listOutput struct {
		Body struct {
			Items []SuppressionEntry `json:"items" nullable:"false"`
			Next  int64              `json:"next" doc:"Pass as after to read on; 0 at the end"`
			Total int64              `json:"total" doc:"Addresses on the list, of every reason"`
		}
	}
	list := operation("list-suppressions", http.MethodGet, "/v1/suppressions", "List suppressed addresses, the latest first", api.ScopeRead)
	api.Personal(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		out.Body.Items, out.Body.Next, err = s.listSuppressions(ctx, in.Reason, in.After, in.Limit)
		out.Body.Total = s.store.suppressions.size.Load()
		return out, err
	})

	type oneInput struct {
		Address string `path:"address" doc:"namespace:value, such as email:anna@example.org" maxLength:"600"`
	}
	type oneOutput struct{ Body *SuppressionEntry }
	get := operation("get-suppression", http.MethodGet, "/v1/suppressions/{address}", "Say whether an address is suppressed, and why", api.ScopeRead, 404)
	api.Personal(&get)
	huma.Register(a, get, func(ctx context.Context, in *oneInput) (*oneOutput, error) {
		id, err := s.address(in.Address)
		if err != nil {
			return nil, err
		}
		sum := s.store.suppressions.hash(id)
		found, _, err := s.readSuppressions(ctx, `hash = $1`, 1, sum[:])
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, problem.NotFound("suppressed address", in.Address)
		}
		return &oneOutput{&found[0]}, nil
	})
	huma.Register(a, operation("delete-suppression", http.MethodDelete, "/v1/suppressions/{address}", "Take an address off the list", api.ScopeDefine, 404),
		func(ctx context.Context, in *oneInput) (*struct{}, error) {
			id, err := s.address(in.Address)
			if err != nil {
				return nil, err
			}
			removed, err := s.Unsuppress(ctx, id, api.By(ctx))
			if err == nil && !removed {
				err = problem.NotFound("suppressed address", in.Address)
			}
			return nil, err
		})
}

// checkSuppressions brings addresses to their normal form.
func (s *Service) checkSuppressions(items []SuppressionBody) ([]Suppression, error) {
	if have := s.store.suppressions.size.Load(); have+int64(len(items)) > maxSuppressed {
		return nil, problem.Conflict(fmt.Sprintf("There are %d suppressed addresses; at most %d may be.", have, maxSuppressed))
	}
	var bad problem.Invalid
	list := make([]Suppression, len(items))
	for i, item := range items {
		id, err := s.store.index.Normal(Identifier{Namespace: item.Namespace, Value: item.Value})
		if err != nil {
			bad.Add(fmt.Sprintf("items[%d].value", i), err.Error(), item.Value)
		}
		if utf8.RuneCountInString(item.Note) > maxNote {
			bad.Add(fmt.Sprintf("items[%d].note", i), fmt.Sprintf("must be at most %d characters long", maxNote), nil)
		}
		list[i] = Suppression{Identifier: id, Reason: item.Reason, Scope: item.Scope, Note: item.Note}
	}
	return list, bad.Err()
}

func (s *Service) address(text string) (Identifier, error) {
	if decoded, err := url.PathUnescape(text); err == nil {
		text = decoded
	}
	id, err := identity.Parse(text)
	if err == nil {
		id, err = s.store.index.Normal(id)
	}
	if err != nil {
		return id, problem.Invalid{{Field: "path.address", Rule: err.Error(), Value: text}}
	}
	return id, nil
}

func (s *Service) listSuppressions(ctx context.Context, reason string, after int64, limit int) (items []SuppressionEntry, next int64, err error) {
	items, changes, err := s.readSuppressions(ctx, `($1 = '' OR reason = $1) AND ($2 = 0 OR change < $2)`, limit+1, reason, after)
	if err == nil && len(items) > limit {
		items, next = items[:limit], changes[limit-1]
	}
	return items, next, err
}

// readSuppressions reads what is on the list, the latest first, masked for the
// caller.
func (s *Service) readSuppressions(ctx context.Context, where string, limit int, args ...any) ([]SuppressionEntry, []int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rows, err := s.postgres.Query(ctx, fmt.Sprintf(`SELECT namespace, coalesce(value, ''), reason, scope, note, created_at, created_by, change
		FROM profile_suppressions WHERE NOT removed AND (%s) ORDER BY change DESC LIMIT %d`, where, limit), args...)
	if err != nil {
		return nil, nil, fmt.Errorf("reading suppressed addresses: %w", err)
	}
	defer rows.Close()
	mask := api.MaskFrom(ctx)
	items, changes := []SuppressionEntry{}, []int64{}
	for rows.Next() {
		var e SuppressionEntry
		var change int64
		if err := rows.Scan(&e.Namespace, &e.Value, &e.Reason, &e.Scope, &e.Note, &e.CreatedAt, &e.CreatedBy, &change); err != nil {
			return nil, nil, fmt.Errorf("reading a suppressed address: %w", err)
		}
		if e.Value != "" {
			e.Value = mask.Mode("identifiers", e.Namespace, true).Apply(e.Value)
		}
		e.CreatedAt = e.CreatedAt.UTC()
		items, changes = append(items, e), append(changes, change)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("reading suppressed addresses: %w", err)
	}
	return items, changes, nil
}
