package ofrep

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"quintet/experiments/flags"
	"quintet/internal/api"
	"quintet/internal/problem"
)

// Bounds of requests.
const (
	maxBody = 64 << 10
	maxKey  = 128
	// maxUnderWay is how many evaluations may be under way at once.
	maxUnderWay = 2048
	// inactivity is when a client that heard nothing of a stream asks anew, in seconds.
	inactivity = 120
)

// Keys finds out whose a key is that a stream's path names.
type Keys interface {
	Lookup(secret string) (api.Principal, error)
}

// Deps are what the service is made of.
type Deps struct {
	Logger *slog.Logger
	Flags  *flags.Service
	Keys   Keys
}

// Service evaluates flags for clients.
type Service struct {
	log     *slog.Logger
	flags   *flags.Service
	keys    Keys
	streams *flags.Streams
	scratch sync.Pool
	running atomic.Int64
}

// Open makes the service.
func Open(d Deps) *Service {
	s := &Service{log: d.Logger, flags: d.Flags, keys: d.Keys}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.scratch.New = func() any { return new(scratch) }
	return s
}

// Routes registers the routes of the protocol, and /ofrep/v1/track.
func (s *Service) Routes(srv *api.Server) {
	s.streams = flags.NewStreams(s.flags, srv)
	guarded := srv.Router.With(api.AnyOrigin, srv.Require(api.ScopeFlags))
	guarded.Post("/ofrep/v1/evaluate/flags/{key}", s.serveOne)
	guarded.Post("/ofrep/v1/evaluate/flags", s.serveAll)
	guarded.Post("/ofrep/v1/track", s.serveTrack)
	srv.Router.With(api.AnyOrigin).Get("/ofrep/v1/stream/{clientKey}", s.serveStream)
	for _, path := range []string{"/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags", "/ofrep/v1/track", "/ofrep/v1/stream/{clientKey}"} {
		api.Preflight(srv.Router, path)
	}
	document := func(id, path, summary, description string, in, out any) {
		api.Document(srv.API, huma.Operation{
			OperationID: id, Method: http.MethodPost, Path: path, Tags: []string{"OpenFeature"}, Summary: summary, Description: description,
			Errors: []int{400, 401, 403, 404, 429},
		}, api.ScopeFlags, in, out)
	}
	document("evaluate-flag", "/ofrep/v1/evaluate/flags/{key}", "Evaluate one flag", "The OpenFeature remote evaluation protocol, version 0.3.", request{}, evaluation{})
	document("evaluate-flags", "/ofrep/v1/evaluate/flags", "Evaluate all flags", "Answers 304 when If-None-Match has the ETag of what would come.", request{}, bulk{})
	document("track-exposures", "/ofrep/v1/track", "Tell what was shown", "For flags whose exposures are tracked, and for clients that keep values.", trackRequest{}, trackResponse{})
}

// The documents of the protocol, as the OpenAPI description has them.
type (
	request struct {
		Context map[string]any `json:"context" doc:"targetingKey is the user's id; all else is for conditions"`
	}
	evaluation struct {
		Key      string          `json:"key"`
		Value    json.RawMessage `json:"value,omitempty" doc:"Absent when the flag is off: the client takes the value in its code"`
		Reason   string          `json:"reason" enum:"STATIC,TARGETING_MATCH,SPLIT,DISABLED,UNKNOWN"`
		Variant  string          `json:"variant,omitempty"`
		Metadata map[string]any  `json:"metadata,omitempty"`
	}
	bulk struct {
		Flags        []evaluation   `json:"flags" nullable:"false"`
		Metadata     map[string]any `json:"metadata,omitempty"`
		EventStreams []eventStream  `json:"eventStreams,omitempty" nullable:"false"`
	}
	eventStream struct {
		Type               string   `json:"type"`
		Endpoint           endpoint `json:"endpoint"`
		InactivityDelaySec int      `json:"inactivityDelaySec"`
	}
	endpoint struct {
		RequestURI string `json:"requestUri"`
	}
)

// SchemaName is the type's name in the OpenAPI document.
func (request) SchemaName() string { return "FlagRequest" }

// SchemaName is the type's name in the OpenAPI document.
func (evaluation) SchemaName() string { return "FlagEvaluation" }

// SchemaName is the type's name in the OpenAPI document.
func (bulk) SchemaName() string { return "FlagEvaluations" }

// failure is an error in the protocol's form.
type failure struct {
	status  int
	Key     string `json:"key,omitempty"`
	Code    string `json:"errorCode,omitempty"`
	Details string `json:"errorDetails,omitempty"`
}

func (f *failure) Error() string { return f.Code + ": " + f.Details }

// The protocol's codes.
const (
	codeParse   = "PARSE_ERROR"
	codeKey     = "TARGETING_KEY_MISSING"
	codeContext = "INVALID_CONTEXT"
	codeMissing = "FLAG_NOT_FOUND"
	codeGeneral = "GENERAL"
)

func (s *Service) fail(w http.ResponseWriter, r *http.Request, key string, err error) {
	var f *failure
	if !errors.As(err, &f) {
		p := problem.From(err)
		f = &failure{status: p.GetStatus(), Code: codeGeneral, Details: p.Detail}
		switch {
		case f.status == http.StatusRequestEntityTooLarge || f.status == http.StatusRequestTimeout:
			f.status, f.Code = http.StatusBadRequest, codeParse
		case f.status >= 500:
			s.log.Error("evaluating flags", "request", api.RequestID(r.Context()), "error", err)
			f = &failure{status: http.StatusInternalServerError, Details: "Something went wrong on our side."}
		}
		p.Header(w.Header())
	}
	out := *f
	if out.status != http.StatusInternalServerError {
		out.Key = key
	}
	data, err := json.Marshal(out)
	if err != nil {
		data = []byte("{}")
	}
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(f.status)
	_, _ = w.Write(data) // the client may be gone
}

// enter counts an evaluation, and refuses one too many.
func (s *Service) enter() error {
	if s.running.Add(1) > maxUnderWay {
		s.running.Add(-1)
		return problem.TooBusy(1e9, "Too many evaluations are under way.")
	}
	return nil
}

func (s *Service) leave() { s.running.Add(-1) }

var jsonType = []string{"application/json"}

func (s *Service) serveOne(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	if err := s.enter(); err != nil {
		s.fail(w, r, key, err)
		return
	}
	defer s.leave()
	sc := s.scratch.Get().(*scratch)
	defer s.scratch.Put(sc)
	if err := sc.read(r, s.flags.People()); err != nil {
		s.fail(w, r, key, err)
		return
	}
	st := s.flags.State()
	if len(key) > maxKey || !st.Has(key) {
		s.fail(w, r, problem.Clip(key), &failure{status: http.StatusNotFound, Code: codeMissing, Details: "There is no flag of this key."})
		return
	}
	if sc.subject.Key == "" && st.Keyed(key) {
		s.fail(w, r, key, &failure{status: http.StatusBadRequest, Code: codeKey, Details: "The flag depends on who asks: context.targetingKey must be the user's id."})
		return
	}
	e, _ := st.Evaluate(key, &sc.subject, s.flags.Now(), nil, &sc.seen)
	s.record(r, sc)
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(e.Answer()) // the client may be gone
}

func (s *Service) serveAll(w http.ResponseWriter, r *http.Request) {
	if err := s.enter(); err != nil {
		s.fail(w, r, "", err)
		return
	}
	defer s.leave()
	sc := s.scratch.Get().(*scratch)
	defer s.scratch.Put(sc)
	if err := sc.read(r, s.flags.People()); err != nil {
		s.fail(w, r, "", err)
		return
	}
	st, now := s.flags.State(), s.flags.Now()
	b := append(sc.out[:0], `{"flags":[`...)
	for i, key := range st.Keys() {
		if i > 0 {
			b = append(b, ',')
		}
		if sc.subject.Key == "" && st.Keyed(key) {
			b = append(append(append(b, `{"key":"`...), key...), `","errorCode":"TARGETING_KEY_MISSING"}`...)
			continue
		}
		e, _ := st.Evaluate(key, &sc.subject, now, nil, &sc.seen)
		b = append(b, e.Answer()...)
	}
	b = append(append(append(b, `],"metadata":{"version":"`...), st.Tag()...), `"}`...)
	if secret := streamKey(r); secret != "" {
		b = append(append(append(b, `,"eventStreams":[{"type":"sse","endpoint":{"requestUri":"/ofrep/v1/stream/`...), secret...), `"},"inactivityDelaySec":`...)
		b = append(strconv.AppendInt(b, inactivity, 10), `}]`...)
	}
	b = append(b, '}')
	sc.out = b
	s.record(r, sc)
	tag := `"` + strconv.FormatUint(xxhash.Sum64(b), 36) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	_, _ = w.Write(b) // the client may be gone
}

// matches says whether an If-None-Match header has the tag.
func matches(header, tag string) bool {
	for header != "" {
		var one string
		one, header, _ = strings.Cut(header, ",")
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}

// streamKey is the key of the request, which the stream's path takes: an EventSource
// sends no headers.
func streamKey(r *http.Request) string {
	if p, ok := api.PrincipalFrom(r.Context()); !ok || !p.ClientOnly() {
		return ""
	}
	secret := r.Header.Get("X-API-Key")
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		secret = strings.TrimSpace(token)
	}
	for i := range len(secret) {
		if c := secret[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return ""
		}
	}
	return secret
}

// record keeps what was given to whom. That it could not be kept is no reason to leave
// the client without a value: it is counted, and comes again with the next evaluation.
func (s *Service) record(r *http.Request, sc *scratch) {
	kept := sc.seen[:0]
	for _, e := range sc.seen {
		if !e.Tracked {
			kept = append(kept, e)
		}
	}
	if err := s.flags.Exposures().Record(r.Context(), &sc.subject, kept); err != nil {
		s.log.Warn("exposures of flags were not recorded", "request", api.RequestID(r.Context()), "error", err)
	}
}

// serveStream tells a client when to evaluate anew.
func (s *Service) serveStream(w http.ResponseWriter, r *http.Request) {
	p, err := s.keys.Lookup(chi.URLParam(r, "clientKey"))
	if err == nil && !p.ClientOnly() {
		err = problem.Forbidden("A key in an address must have the scope flags alone; " + problem.Clip(p.Name) + " has others.")
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	s.streams.Serve(w, r, false, func(st *flags.State) (string, []byte) {
		return "", []byte(`{"type":"refetchEvaluation","etag":"` + st.Tag() + `","lastModified":` + strconv.FormatInt(st.At().Unix(), 10) + `}`)
	})
}
