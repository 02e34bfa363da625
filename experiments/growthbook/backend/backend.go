// Package backend is the server of GrowthBook's SDKs: the payload that they load by a
// client key, plain or encrypted, the stream that tells them of changes, and remote
// evaluation, which keeps rules and values on the server.
//
// The payload holds the flags that an SDK comes to the same value with as the server
// does; remote evaluation has all of them. Errors have the form that the SDKs expect.
package backend

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"quintet/experiments/flags"
	"quintet/experiments/growthbook"
	"quintet/internal/api"
	"quintet/internal/problem"
)

// Keys finds out whose a client key is.
type Keys interface {
	Lookup(secret string) (api.Principal, error)
}

// Deps are what the service is made of.
type Deps struct {
	Logger *slog.Logger
	Flags  *flags.Service
	Keys   Keys
}

// Service answers GrowthBook's SDKs.
type Service struct {
	log     *slog.Logger
	flags   *flags.Service
	keys    Keys
	streams *flags.Streams
	current atomic.Pointer[payloads]
	making  sync.Mutex
}

// Open makes the service.
func Open(d Deps) *Service {
	s := &Service{log: d.Logger, flags: d.Flags, keys: d.Keys}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// payloads are what clients load of one state.
type payloads struct {
	state *flags.State
	plain []byte
	parts *growthbook.Payload

	mu        sync.Mutex
	encrypted map[string][]byte // by payload key
}

// maxEncrypted bounds the encrypted payloads that are kept.
const maxEncrypted = 1000

// Header values of answers.
var (
	jsonType  = []string{"application/json; charset=utf-8"}
	cached    = []string{"public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"}
	notCached = []string{"no-store"}
	enabled   = []string{"enabled"}
	hopeless  = []string{"1"}
)

// Routes registers what the SDKs call.
func (s *Service) Routes(srv *api.Server) {
	s.streams = flags.NewStreams(s.flags, srv)
	open := srv.Router.With(api.AnyOrigin)
	open.Get("/api/features/{clientKey}", s.serveFeatures)
	open.Get("/sub/{clientKey}", s.serveStream)
	open.Post("/api/eval/{clientKey}", s.serveEval)
	for _, path := range []string{"/api/features/{clientKey}", "/sub/{clientKey}", "/api/eval/{clientKey}"} {
		api.Preflight(srv.Router, path)
	}
	document := func(id, method, path, summary string, in, out any) {
		api.Document(srv.API, huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{"GrowthBook"}, Summary: summary, Errors: []int{400},
			Description: "What an SDK of GrowthBook calls. The key in the path is a client key, of the scope flags.",
		}, api.ScopeFlags, in, out)
	}
	document("growthbook-features", http.MethodGet, "/api/features/{clientKey}", "Load the flags that an SDK evaluates", nil, answer{})
	document("growthbook-eval", http.MethodPost, "/api/eval/{clientKey}", "Evaluate all flags for an SDK", evalRequest{}, answer{})
}

// answer is the document of the payload.
type answer struct {
	Status      int            `json:"status"`
	Features    map[string]any `json:"features"`
	DateUpdated string         `json:"dateUpdated"`
}

// SchemaName is the type's name in the OpenAPI document.
func (answer) SchemaName() string { return "GrowthBookPayload" }

// client is who a key in the path belongs to.
func (s *Service) client(r *http.Request) (api.Principal, error) {
	p, err := s.keys.Lookup(chi.URLParam(r, "clientKey"))
	if err != nil {
		return p, err
	}
	if !p.ClientOnly() {
		return p, problem.Forbidden("A key in an address must have the scope flags alone; " + problem.Clip(p.Name) + " has others.")
	}
	return p, nil
}

// fail writes an error as the SDKs read it. What is wrong with a request is a 400; one
// that stays wrong is marked, so that the SDK does not try again.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	status := p.GetStatus()
	h := w.Header()
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		h["X-Unrecoverable"] = hopeless
		status = http.StatusBadRequest
	case status >= 500:
		s.log.Error("answering an SDK", "request", api.RequestID(r.Context()), "error", err)
	case status != http.StatusTooManyRequests:
		status = http.StatusBadRequest
	default:
		p.Header(h)
	}
	detail := p.Detail
	if len(p.Fields) > 0 {
		detail = p.Fields.Error()
	}
	if detail == "" {
		detail = http.StatusText(status)
	}
	data, err := json.Marshal(map[string]any{"status": status, "error": detail})
	if err != nil {
		data = []byte(`{"status":500,"error":"Something went wrong."}`)
	}
	h["Content-Type"], h["Cache-Control"] = jsonType, notCached
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client may be gone
}

func (s *Service) serveFeatures(w http.ResponseWriter, r *http.Request) {
	p, err := s.client(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	data, err := s.payload(p.PayloadKey)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Sse-Support"] = jsonType, cached, enabled
	_, _ = w.Write(data) // the client may be gone
}

func (s *Service) serveStream(w http.ResponseWriter, r *http.Request) {
	p, err := s.client(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.streams.Serve(w, r, true, func(*flags.State) (string, []byte) {
		data, err := s.payload(p.PayloadKey)
		if err != nil {
			s.log.Error("making a payload for a stream", "error", err)
			return "features-updated", []byte("{}")
		}
		return "features", data
	})
}

// payload is what clients load now, encrypted when there is a key for it.
func (s *Service) payload(key string) ([]byte, error) {
	p, err := s.latest()
	if err != nil || key == "" {
		return p.bytes(), err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if data, ok := p.encrypted[key]; ok {
		return data, nil
	}
	hidden := growthbook.Payload{Status: p.parts.Status, DateUpdated: p.parts.DateUpdated}
	for _, part := range []struct {
		value any
		into  *string
	}{
		{p.parts.Features, &hidden.EncryptedFeatures}, {[]growthbook.Experiment{}, &hidden.EncryptedExperiments},
		{map[string][]any{}, &hidden.EncryptedSavedGroups}, {map[string]growthbook.ContextualBandit{}, &hidden.EncryptedContextualBandits},
	} {
		data, err := json.Marshal(part.value)
		if err == nil {
			*part.into, err = growthbook.Encrypt(data, key)
		}
		if err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(struct {
		growthbook.Payload
		Features struct{} `json:"features"`
	}{Payload: hidden})
	if err != nil {
		return nil, err
	}
	if len(p.encrypted) >= maxEncrypted {
		clear(p.encrypted)
	}
	p.encrypted[key] = data
	return data, nil
}

func (p *payloads) bytes() []byte {
	if p == nil {
		return nil
	}
	return p.plain
}

// latest is the payload of the current state.
func (s *Service) latest() (*payloads, error) {
	st := s.flags.State()
	if p := s.current.Load(); p != nil && p.state == st {
		return p, nil
	}
	s.making.Lock()
	defer s.making.Unlock()
	st = s.flags.State()
	if p := s.current.Load(); p != nil && p.state == st {
		return p, nil
	}
	parts, _ := st.Local()
	parts.Status = http.StatusOK
	if parts.Features == nil {
		parts.Features = map[string]*growthbook.Feature{}
	}
	plain, err := json.Marshal(struct {
		*growthbook.Payload
		Features map[string]*growthbook.Feature `json:"features"` // also when there is none
	}{parts, parts.Features})
	if err != nil {
		return nil, err
	}
	p := &payloads{state: st, plain: plain, parts: parts, encrypted: make(map[string][]byte)}
	s.current.Store(p)
	return p, nil
}
