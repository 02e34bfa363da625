package experiments

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/experiments/assignment"
	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// assignmentRoutes registers /v1/layers, the reading of holdouts and the audit of
// assignments.
func (s *Service) assignmentRoutes(srv *api.Server) {
	definitions.Routes(srv.API, s.layers, definitions.RouteOptions{Tag: "Layers", Singular: "layer"})
	s.holdoutUnitRoute(srv.API)
	s.auditRoute(srv.API)
}

// HoldoutUnit says where a unit is in a holdout.
type HoldoutUnit struct {
	Holdout string        `json:"holdout"`
	Version int64         `json:"version" doc:"Version of the holdout's definition"`
	Asked   string        `json:"asked" doc:"The unit as it was asked for"`
	Unit    string        `json:"unit" doc:"The profile that is hashed"`
	Side    string        `json:"side" enum:"held,comparison,outside" doc:"held: gets nothing of what the holdout covers; comparison: gets what has shipped and is in no experiment; outside: everybody else"`
	Bucket  float64       `json:"bucket" doc:"Number in [0, 1) that the ranges are compared with"`
	Salt    string        `json:"salt"`
	Ranges  HoldoutRanges `json:"ranges"`
}

// HoldoutUnit says where a unit, a profile id or namespace:value, is in a holdout.
func (s *Service) HoldoutUnit(key, unit string) (*HoldoutUnit, error) {
	h := s.Plan().Holdout(key)
	if h == nil {
		return nil, problem.NotFound("holdout", problem.Clip(key))
	}
	var bad problem.Invalid
	if checkUnit(&bad, "path.unit", unit); len(bad) > 0 {
		return nil, bad.Err()
	}
	profile := unit
	if s.person != nil {
		if p, ok := s.person(unit); ok {
			profile = p.Profile
		}
	}
	out := &HoldoutUnit{Holdout: key, Version: h.Version, Asked: unit, Unit: profile, Side: h.Side(profile).String(),
		Bucket: h.Bucket(profile), Salt: h.Salt, Ranges: HoldoutRanges{Held: h.Held}}
	if h.Comparison != (assignment.Range{}) {
		out.Ranges.Comparison = &h.Comparison
	}
	return out, nil
}

func (s *Service) holdoutUnitRoute(a huma.API) {
	type input struct {
		Key  string `path:"key" maxLength:"64"`
		Unit string `path:"unit" maxLength:"512" doc:"Profile id, or namespace:value such as userId:u42"`
	}
	type output struct{ Body *HoldoutUnit }
	op := huma.Operation{
		OperationID: "read-holdout-unit", Method: http.MethodGet, Path: "/v1/holdouts/{key}/units/{unit}",
		Tags: []string{"Holdouts"}, Summary: "Say whether a person is held out",
		Description: "For systems that decide by themselves. Salt and ranges are enough to compute it elsewhere; a person whom nobody knows yet has the profile that they would get.",
		Errors:      []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(_ context.Context, in *input) (*output, error) {
		out, err := s.HoldoutUnit(in.Key, in.Unit)
		if err != nil {
			return nil, err
		}
		return &output{Body: out}, nil
	})
}

func (s *Service) auditRoute(a huma.API) {
	type input struct {
		Key  string    `path:"key" maxLength:"64"`
		Unit string    `query:"unit" required:"true" maxLength:"512" doc:"Profile id, or namespace:value such as userId:u42; of an experiment with another unit its value"`
		At   time.Time `query:"at" doc:"The moment; now unless given"`
	}
	type output struct{ Body *AssignmentAudit }
	op := huma.Operation{
		OperationID: "audit-assignment", Method: http.MethodGet, Path: "/v1/experiments/{key}/assignment",
		Tags: []string{"Experiments"}, Summary: "Say why a unit got its variant",
		Description: "Computed again from the definitions that were valid at the moment, by the code that assigns, step by step, beside what the log has.",
		Errors:      []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	api.Deadline(auditTimeout + 5*time.Second)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		audit, err := s.Audit(ctx, in.Key, in.Unit, in.At)
		if err != nil {
			return nil, err
		}
		return &output{Body: audit}, nil
	})
}
