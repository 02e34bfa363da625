package backend

import (
	"encoding/json"
	"fmt"
	"net/http"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/experiments/flags"
	"quintet/experiments/growthbook"
	"quintet/internal/api"
	"quintet/internal/problem"
)

// Bounds of a request.
const (
	maxBody       = 256 << 10
	maxAttributes = 500
	maxForced     = 1000
	maxURL        = 8 << 10
	maxUserID     = 256
)

// evalRequest is what an SDK sends to have all flags evaluated.
type evalRequest struct {
	Attributes       map[string]any    `json:"attributes" doc:"id is the user's id"`
	ForcedVariations map[string]int    `json:"forcedVariations,omitempty" doc:"Index of a variant by experiment"`
	ForcedFeatures   []json.RawMessage `json:"forcedFeatures,omitempty" nullable:"false" doc:"Pairs of a flag and a value"`
	URL              string            `json:"url,omitempty"`
}

// SchemaName is the type's name in the OpenAPI document.
func (evalRequest) SchemaName() string { return "GrowthBookEvalRequest" }

// evaluated is a flag that was evaluated: its value, and what the client reports when
// it uses it.
type evaluated struct {
	DefaultValue json.RawMessage   `json:"defaultValue"`
	Rules        []growthbook.Rule `json:"rules,omitempty"`
}

func (s *Service) serveEval(w http.ResponseWriter, r *http.Request) {
	if _, err := s.client(r); err != nil {
		s.fail(w, r, err)
		return
	}
	body, err := api.ReadBody(r, maxBody)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	data, err := s.eval(r, body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Sse-Support"] = jsonType, notCached, enabled
	_, _ = w.Write(data) // the client may be gone
}

// parseEval reads and checks a request.
func parseEval(body []byte) (*evalRequest, *flags.Overrides, string, error) {
	in := new(evalRequest)
	if err := json.Unmarshal(body, in); err != nil {
		return nil, nil, "", problem.BadRequest("The body must be a JSON object with attributes: " + err.Error())
	}
	var bad problem.Invalid
	if len(in.Attributes) > maxAttributes {
		bad.Add("attributes", fmt.Sprintf("must have at most %d fields", maxAttributes), len(in.Attributes))
	}
	if len(in.ForcedVariations) > maxForced {
		bad.Add("forcedVariations", fmt.Sprintf("must have at most %d entries", maxForced), len(in.ForcedVariations))
	}
	if len(in.ForcedFeatures) > maxForced {
		bad.Add("forcedFeatures", fmt.Sprintf("must have at most %d entries", maxForced), len(in.ForcedFeatures))
	}
	if len(in.URL) > maxURL {
		bad.Add("url", fmt.Sprintf("must have at most %d bytes", maxURL), len(in.URL))
	}
	user := ""
	switch id := in.Attributes[flags.IDAttribute].(type) {
	case string:
		user = id
	case float64:
		user = condition.FormatNumber(id)
	case nil:
	default:
		bad.Add("attributes.id", "must be a string or a number", nil)
	}
	if len(user) > maxUserID {
		bad.Add("attributes.id", fmt.Sprintf("must have at most %d bytes", maxUserID), len(user))
	}
	if len(bad) > 0 {
		return nil, nil, "", bad
	}
	o := &flags.Overrides{Variations: in.ForcedVariations, Values: make(map[string]json.RawMessage, len(in.ForcedFeatures))}
	for i, raw := range in.ForcedFeatures {
		var pair []json.RawMessage
		var key string
		if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &key) != nil {
			bad.Add(fmt.Sprintf("forcedFeatures[%d]", i), "must be a pair of a flag and a value", nil)
			return nil, nil, "", bad
		}
		o.Values[key] = pair[1]
	}
	return in, o, user, nil
}

// eval evaluates all flags for a client.
func (s *Service) eval(r *http.Request, body []byte) ([]byte, error) {
	in, o, user, err := parseEval(body)
	if err != nil {
		return nil, err
	}
	st, now := s.flags.State(), s.flags.Now()
	fromURL(st, in.URL, o)
	subject := flags.NewSubject(user, in.Attributes, s.flags.People())
	out := make(map[string]evaluated, len(st.Keys()))
	var seen []flags.Exposure
	for _, key := range st.Keys() {
		e, _ := st.Evaluate(key, subject, now, o, &seen)
		if e.Value == nil {
			continue // off: the client has the value in its code
		}
		f := evaluated{DefaultValue: e.Value}
		if e.Trial != nil && e.Assigned.Reason != assignment.ByForce {
			f.Rules = []growthbook.Rule{{ID: e.Rule, Force: e.Value, Tracks: []growthbook.Track{track(&e, key, user)}}}
		}
		out[key] = f
	}
	kept := seen[:0]
	for _, e := range seen {
		if !e.Tracked {
			kept = append(kept, e)
		}
	}
	if err := s.flags.Exposures().Record(r.Context(), subject, kept); err != nil {
		s.log.Warn("exposures of flags were not recorded", "request", api.RequestID(r.Context()), "error", err)
	}
	return json.Marshal(struct {
		Status      int                  `json:"status"`
		Features    map[string]evaluated `json:"features"`
		DateUpdated string               `json:"dateUpdated"`
	}{http.StatusOK, out, st.At().UTC().Format("2006-01-02T15:04:05Z07:00")})
}

// fromURL takes over the variants that the page's address forces.
func fromURL(st *flags.State, page string, o *flags.Overrides) {
	if page == "" {
		return
	}
	for key, variants := range st.Trials() {
		if v, ok := growthbook.QueryStringOverride(key, page, variants); ok {
			if o.Variations == nil {
				o.Variations = make(map[string]int)
			}
			o.Variations[key] = v
		}
	}
}

// track is what the client reports of an experiment.
func track(e *flags.Evaluation, flag, user string) growthbook.Track {
	t := e.Trial
	x := &growthbook.Experiment{Key: t.Key, Seed: t.Salt, HashVersion: 2, HashAttribute: flags.Attribute(t.Unit), Weights: t.Weights}
	for i, v := range t.Variants {
		x.Variations = append(x.Variations, e.Values(i))
		x.Meta = append(x.Meta, growthbook.VariationMeta{Key: v.Key, Name: v.Name})
	}
	unit := e.Assigned.Unit
	if unit == "" {
		unit = user
	}
	return growthbook.Track{Experiment: x, Result: &growthbook.ExperimentResult{
		Key: e.Variant, FeatureID: &flag, InExperiment: true, HashUsed: true, VariationID: e.Assigned.Variant, Value: e.Value,
		HashAttribute: flags.Attribute(t.Unit), HashValue: unit, Name: t.Variants[e.Assigned.Variant].Name,
	}}
}
