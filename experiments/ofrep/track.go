package ofrep

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"quintet/experiments"
	"quintet/experiments/flags"
	"quintet/internal/api"
	"quintet/internal/problem"
)

// maxShown bounds the flags of one call.
const maxShown = 500

// trackRequest says what a user was shown.
type trackRequest struct {
	Context   map[string]any `json:"context" doc:"As of an evaluation; targetingKey is the user's id"`
	Exposures []shown        `json:"exposures" minItems:"1" maxItems:"500" nullable:"false"`
}

// shown is a flag that was shown.
type shown struct {
	Flag    string `json:"flag" minLength:"1" maxLength:"128" doc:"Key of the flag"`
	Variant string `json:"variant,omitempty" maxLength:"64" doc:"Variant that was shown, as the evaluation named it; the current one unless given"`
}

// trackResponse says how many exposures that makes.
type trackResponse struct {
	Exposures int `json:"exposures" doc:"Exposures of experiments, those that were recorded shortly before included"`
}

// SchemaName is the type's name in the OpenAPI document.
func (trackRequest) SchemaName() string { return "ExposureRequest" }

// SchemaName is the type's name in the OpenAPI document.
func (trackResponse) SchemaName() string { return "ExposureResponse" }

// serveTrack records what a client has shown.
func (s *Service) serveTrack(w http.ResponseWriter, r *http.Request) {
	var in trackRequest
	if err := api.DecodeJSON(r, maxBody, &in); err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	sc := new(scratch)
	n, err := s.track(r, sc, &in)
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	data, err := json.Marshal(trackResponse{n})
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(data) // the client may be gone
}

func (s *Service) track(r *http.Request, sc *scratch, in *trackRequest) (int, error) {
	var bad problem.Invalid
	if n := len(in.Exposures); n == 0 || n > maxShown {
		bad.Add("exposures", fmt.Sprintf("must have 1 to %d entries", maxShown), n)
	}
	if in.Context == nil {
		bad.Add("context", "must be an object", nil)
	} else if f := sc.about(in.Context, s.flags.People()); f != nil {
		bad.Add("context", f.Details, nil)
	} else if sc.subject.Key == "" {
		bad.Add("context.targetingKey", "must be the user's id", nil)
	}
	if len(bad) > 0 {
		return 0, bad
	}
	st, now := s.flags.State(), s.flags.Now()
	for i, one := range in.Exposures {
		var seen []flags.Exposure
		e, ok := st.Evaluate(one.Flag, &sc.subject, now, nil, &seen)
		if !ok {
			bad.Add(fmt.Sprintf("exposures[%d].flag", i), "must be the key of a flag", problem.Clip(one.Flag))
			continue
		}
		if one.Variant != "" && one.Variant != e.Variant {
			// The client shows what it was given before.
			if e.Trial == nil || !slices.ContainsFunc(e.Trial.Variants, func(v experiments.Variant) bool { return v.Key == one.Variant }) {
				bad.Add(fmt.Sprintf("exposures[%d].variant", i), "must be a variant that the flag can have for this user", problem.Clip(one.Variant))
				continue
			}
			for j := range seen {
				if seen[j].Experiment == e.Trial.Key {
					seen[j].Variant = one.Variant
				}
			}
		}
		sc.seen = append(sc.seen, seen...)
	}
	if len(bad) > 0 {
		return 0, bad
	}
	if err := s.flags.Exposures().Record(r.Context(), &sc.subject, sc.seen); err != nil {
		return 0, problem.Unavailable(2e9, "The exposures could not be recorded; send them again.", err)
	}
	return len(sc.seen), nil
}
