package decide

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Limits of request bodies, in bytes.
const (
	maxDecideBody = 64 << 10
	maxBatchBody  = 4 << 20
)

// BatchRequest asks for several decisions at once.
type BatchRequest struct {
	Requests []Request `json:"requests" doc:"At most 500 requests" minItems:"1" maxItems:"500"`
}

// BatchResponse answers them in the same order.
type BatchResponse struct {
	Results []BatchResult `json:"results" nullable:"false"`
}

// BatchResult is a decision, or the problem that its request had.
type BatchResult struct {
	Decision *Response       `json:"decision,omitempty"`
	Problem  json.RawMessage `json:"problem,omitempty" doc:"RFC 9457 problem document"`
}

// Routes registers the routes of this package.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.points, definitions.RouteOptions{Tag: "Decision points", Singular: "decision point"})
	definitions.Routes(srv.API, s.offers, definitions.RouteOptions{Tag: "Offers", Singular: "offer"})
	definitions.Routes(srv.API, s.channels, definitions.RouteOptions{Tag: "Channels", Singular: "channel"})

	s.limitRoutes(srv.API)

	// The two routes of the hot path are plain handlers: they decode and encode
	// without reflection over a schema.
	srv.Router.With(srv.Require(api.ScopeDecide)).Post("/v1/decide", s.serveDecide)
	srv.Router.With(srv.Require(api.ScopeDecide)).Post("/v1/decide/batch", s.serveBatch)
	api.Document(srv.API, huma.Operation{
		OperationID: "decide", Method: http.MethodPost, Path: "/v1/decide", Tags: []string{"Decide"}, Summary: "Decide for one person",
		Description: "Answers after the decision's record is durable. When that fails in time, the default action comes back with fallback set. With the query explain=true nothing is decided: the answer is the record that the decision would have, with its explanation (schema Explained). With a header Idempotency-Key of up to 128 bytes, the same request within ten minutes gets the same answer again, from the same process.",
		Errors:      []int{400, 401, 403, 404, 413, 422},
	}, api.ScopeDecide, Request{}, Response{})
	api.Document(srv.API, huma.Operation{
		OperationID: "decide-batch", Method: http.MethodPost, Path: "/v1/decide/batch", Tags: []string{"Decide"}, Summary: "Decide for several people",
		Errors: []int{400, 401, 403, 413, 422},
	}, api.ScopeDecide, BatchRequest{}, BatchResponse{})

	s.readRoutes(srv.API)
	s.logRoute(srv.API)
	s.importRoutes(srv.API)
	s.reportRoutes(srv.API)
	s.evaluateRoute(srv.API)
}

func (s *Service) serveDecide(w http.ResponseWriter, r *http.Request) {
	sc := s.scratch.Get().(*scratch)
	var err error
	if sc.body, err = decodeRequest(r, sc.body, &sc.req); err == nil && (r.URL.RawQuery != "" || r.Header[idempotencyKey] != nil) {
		req := sc.req
		sc.req = Request{} // its maps may stay with the answer
		s.scratch.Put(sc)
		s.serveSpecial(w, r, &req)
		return
	} else if err == nil {
		err = s.decide(r.Context(), &sc.req, source(r.Context()), sc, &sc.answer)
	}
	if err != nil {
		api.WriteProblem(w, r, err)
	} else {
		sc.out = sc.answer.appendJSON(sc.out[:0])
		write(w, sc.out)
	}
	s.scratch.Put(sc)
}

func (s *Service) serveBatch(w http.ResponseWriter, r *http.Request) {
	var batch BatchRequest
	if err := api.DecodeJSON(r, maxBatchBody, &batch); err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	if n := len(batch.Requests); n == 0 || n > maxBatch {
		var bad problem.Invalid
		bad.Add("requests", "must have 1 to 500 entries", n)
		api.WriteProblem(w, r, bad)
		return
	}
	// Side by side, so that the appends to the stream share their waits.
	out := BatchResponse{Results: make([]BatchResult, len(batch.Requests))}
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(16, len(batch.Requests)) {
		wg.Go(func() {
			for i := range next {
				resp, err := s.Decide(r.Context(), &batch.Requests[i], source(r.Context()))
				if err != nil {
					out.Results[i].Problem = api.ProblemJSON(r, err)
					continue
				}
				out.Results[i].Decision = resp
			}
		})
	}
	for i := range batch.Requests {
		if r.Context().Err() != nil {
			break // nobody is left to read the rest
		}
		next <- i
	}
	close(next)
	wg.Wait()
	writeJSON(w, out)
}

func source(ctx context.Context) string {
	p, _ := api.PrincipalFrom(ctx)
	return p.ID
}

func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encoding the answer failed", http.StatusInternalServerError)
		return
	}
	write(w, body)
}

// jsonType is shared by all answers; net/http does not change it.
var jsonType = []string{"application/json"}

// selfMeasured is how long an answer may be for net/http to tell its length itself.
const selfMeasured = 2 << 10

func write(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	if len(body) > selfMeasured {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	_, _ = w.Write(body) // the client may be gone; the decision stands
}

// Explained is a record with its explanation and its replay.
type Explained struct {
	Record      Detail       `json:"record"`
	Explanation []string     `json:"explanation" doc:"Why the decision came out as it did, in plain words" nullable:"false"`
	Replay      ReplayResult `json:"replay"`
	// Arbitration is where the contact competed with others for the room under a cap.
	Arbitration []Displacement `json:"arbitration,omitempty" nullable:"false" doc:"Contacts that gave way to this one, or the one to which it gave way"`
}

// Detail is a record as it is shown: with the candidates' scores and with
// features by name.
type Detail struct {
	Record
	Candidates []Scored       `json:"candidates" nullable:"false"`
	Features   []namedFeature `json:"features" nullable:"false"`
}

// Scored is a candidate with its probability and, where a model was used, the
// posterior mean and standard deviation of its reward.
type Scored struct {
	Action      string   `json:"action"`
	Probability float64  `json:"probability"`
	Mean        *float64 `json:"mean,omitempty"`
	SD          *float64 `json:"sd,omitempty"`
}

// Summary is a decision in a list.
type Summary struct {
	DecisionID  string         `json:"decisionId"`
	DecidedAt   time.Time      `json:"decidedAt"`
	Decision    string         `json:"decision"`
	ProfileID   string         `json:"profileId"`
	Group       Group          `json:"group"`
	Eligible    bool           `json:"eligible"`
	Action      string         `json:"action"`
	Offer       string         `json:"offer"`
	Channel     string         `json:"channel"`
	Creative    string         `json:"creative"`
	Propensity  float64        `json:"propensity"`
	Policy      string         `json:"policy"`
	Fallback    bool           `json:"fallback"`
	Experiments []Enrolment    `json:"experiments" nullable:"false"`
	Context     map[string]any `json:"context,omitempty"`
}

// Summarise is the list form of a record.
func Summarise(r *Record) Summary {
	return Summary{
		DecisionID: r.DecisionID, DecidedAt: r.DecidedAt, Decision: r.Decision, ProfileID: r.ProfileID, Group: r.Group,
		Eligible: r.Eligible, Action: r.Action, Offer: r.Offer, Channel: r.Channel, Creative: r.Creative,
		Propensity: r.Propensity, Policy: r.Policy, Fallback: r.Fallback, Experiments: orEmpty(r.Experiments), Context: r.Context,
	}
}

func (s *Service) readRoutes(a huma.API) {
	type getInput struct {
		ID string `path:"id" doc:"Decision id"`
	}
	type getOutput struct{ Body Explained }
	get := huma.Operation{
		OperationID: "get-decision", Method: http.MethodGet, Path: "/v1/decisions/{id}", Tags: []string{"Decisions"},
		Summary: "Read, explain and replay a decision", Errors: []int{401, 403, 404},
	}
	api.Require(api.ScopeRead)(&get)
	huma.Register(a, get, func(ctx context.Context, in *getInput) (*getOutput, error) {
		out, err := s.Explain(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &getOutput{Body: *out}, nil
	})

	type listInput struct {
		Limit     int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
		Decision  string `query:"decisionPoint" doc:"Key of a decision point"`
		ProfileID string `query:"profileId" doc:"Id of a profile"`
		Before    string `query:"before" doc:"Decisions older than this id; the next of the page before"`
	}
	type listOutput struct {
		Body struct {
			Items []Summary `json:"items" nullable:"false"`
			Next  string    `json:"next" doc:"Pass as before to read on; empty at the end"`
		}
	}
	list := huma.Operation{
		OperationID: "list-decisions", Method: http.MethodGet, Path: "/v1/decisions", Tags: []string{"Decisions"},
		Summary: "List decisions, newest first", Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeRead)(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		found, err := s.List(ctx, Filter{Decision: in.Decision, ProfileID: in.ProfileID, Before: in.Before, Limit: in.Limit})
		if err != nil {
			return nil, err
		}
		out := new(listOutput)
		out.Body.Items = make([]Summary, len(found))
		for i, rec := range found {
			out.Body.Items[i] = Summarise(rec)
		}
		if len(found) == in.Limit {
			out.Body.Next = found[len(found)-1].DecisionID
		}
		return out, nil
	})
}

func (s *Service) logRoute(a huma.API) {
	type input struct {
		Decision string `query:"decisionPoint" required:"true" doc:"Key of a decision point"`
		After    string `query:"after" doc:"Decisions younger than this id; the next of the page before"`
		Limit    int    `query:"limit" default:"500" minimum:"1" maximum:"2000"`
	}
	type output struct {
		Body struct {
			Items []*Record `json:"items" nullable:"false"`
			Next  string    `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	op := huma.Operation{
		OperationID: "read-decision-log", Method: http.MethodGet, Path: "/v1/decisions/log", Tags: []string{"Decisions"},
		Summary: "Read whole records of a decision point, oldest first", Description: "Holds what has reached ClickHouse.",
		Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		found, err := s.Log(ctx, in.Decision, in.After, in.Limit)
		if err != nil {
			return nil, err
		}
		out := new(output)
		out.Body.Items = orEmpty(found)
		if len(found) == in.Limit {
			out.Body.Next = found[len(found)-1].DecisionID
		}
		return out, nil
	})
}

// Explain reads a decision, tells why it came out so and replays it.
func (s *Service) Explain(ctx context.Context, id string) (*Explained, error) {
	rec, err := s.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	replay, err := s.Replay(ctx, rec)
	if err != nil {
		s.log.Warn("replaying a decision", "decisionId", id, "error", err)
		replay = ReplayResult{Differences: []string{err.Error()}}
	}
	out := &Explained{Record: s.detail(ctx, rec), Explanation: explain(rec), Replay: replay}
	if out.Arbitration, err = s.displacements(ctx, id); err != nil {
		return nil, err
	}
	out.Explanation = append(out.Explanation, explainDisplacements(id, out.Arbitration)...)
	return out, nil
}

// detail adds names and scores to a record.
func (s *Service) detail(ctx context.Context, rec *Record) Detail {
	d := Detail{Record: *rec, Candidates: make([]Scored, len(rec.Candidates)), Features: []namedFeature{}}
	for i, id := range rec.Candidates {
		d.Candidates[i] = Scored{Action: id, Probability: rec.Probabilities[i]}
	}
	d.Record.Reasons, d.Record.Items = orEmpty(rec.Reasons), orEmpty(rec.Items)
	d.Record.Removed, d.Record.Experiments, d.Record.Excluded = orEmpty(rec.Removed), orEmpty(rec.Experiments), orEmpty(rec.Excluded)
	d.Record.Probabilities, d.FeatureIndex, d.FeatureValue = orEmpty(rec.Probabilities), orEmpty(rec.FeatureIndex), orEmpty(rec.FeatureValue)
	if d.Record.Context == nil {
		d.Record.Context = map[string]any{}
	}
	if d.Record.Traits == nil {
		d.Record.Traits = map[string]any{}
	}
	if rec.Policy == policyExternal {
		return d
	}
	if v, err := s.points.AtVersion(ctx, rec.Decision, rec.PointVersion); err == nil {
		if p, err := compilePoint(v, nil, nil); err == nil {
			d.Features = nameFeatures(p.encoder, rec)
		}
	}
	if rec.ModelVersion > 0 {
		if snapshot, err := s.models.AtVersion(ctx, rec.Decision, rec.ModelVersion); err == nil {
			scores(snapshot, rec, d.Candidates)
		}
	}
	return d
}

// orEmpty makes a list that JSON shows as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
