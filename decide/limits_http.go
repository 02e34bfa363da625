package decide

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"quintet/decide/budgets"
	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// BudgetStanding is how a budget stands in this process.
type BudgetStanding struct {
	Key string `json:"key"`
	budgets.Standing
}

func (s *Service) limitRoutes(a huma.API) {
	definitions.Routes(a, s.caps, definitions.RouteOptions{Tag: "Caps", Singular: "cap"})
	definitions.Routes(a, s.quiet, definitions.RouteOptions{Tag: "Quiet hours", Singular: "quiet period"})
	definitions.Routes(a, s.budgets, definitions.RouteOptions{Tag: "Budgets", Singular: "budget"})

	s.codeRoutes(a)

	type standings struct {
		Body struct {
			Contacts int              `json:"contacts" doc:"Contacts that caps count, of everybody"`
			Budgets  []BudgetStanding `json:"budgets" nullable:"false"`
		}
	}
	op := huma.Operation{
		OperationID: "limits-standing", Method: http.MethodGet, Path: "/v1/limits", Tags: []string{"Budgets"},
		Summary: "What is reserved and spent under caps and budgets, and the prices that pace them", Errors: []int{401, 403},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(context.Context, *struct{}) (*standings, error) {
		out := new(standings)
		out.Body.Contacts, out.Body.Budgets = s.contactsHeld.Size(), []BudgetStanding{}
		for _, key := range slices.Sorted(maps.Keys(s.budgets.Snapshot())) {
			out.Body.Budgets = append(out.Body.Budgets, BudgetStanding{key, s.spending.Standing(key)})
		}
		return out, nil
	})

	type input struct {
		ID string `path:"id" minLength:"26" maxLength:"26" doc:"Decision id"`
	}
	for _, move := range []struct {
		id, path, summary, description string
		do                             func(context.Context, string) error
	}{
		{"commit-contact", "/v1/decisions/{id}/commit", "Ask whether the message of a decision may be sent now", "For those who send by themselves. A conflict says that a cap has no room left at this moment.", s.Commit},
		{"release-contact", "/v1/decisions/{id}/release", "Give back what a decision reserved", "For those who send by themselves, and did not.", s.Release},
	} {
		op := huma.Operation{
			OperationID: move.id, Method: http.MethodPost, Path: move.path, Tags: []string{"Decisions"}, DefaultStatus: http.StatusNoContent,
			Summary: move.summary, Description: move.description, Errors: []int{401, 403, 409, 422},
		}
		api.Require(api.ScopeDecide)(&op)
		huma.Register(a, op, func(ctx context.Context, in *input) (*struct{}, error) {
			return nil, asConflict(move.do(ctx, in.ID))
		})
	}
}

// asConflict makes a refusal by a cap one that clients see.
func asConflict(err error) error {
	var refused *CapError
	if errors.As(err, &refused) {
		return problem.Conflict("The message must not be sent: " + refused.Error() + ".")
	}
	return err
}
