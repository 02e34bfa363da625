package profiles

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// postHogRoutes take what PostHog's clients send. There are no feature flags
// behind /flags and /decide: decisions are asked for at /v1/decide.
func (s *Service) postHogRoutes(srv *api.Server) {
	c := collector{
		limits: large,
		read:   readPostHog,
		parse: func(c *tracking.Call, text string, received time.Time, _ tracking.Limits) error {
			return c.ParsePostHog(text, received)
		},
		answer: writePostHog,
	}
	for _, path := range []string{"/batch", "/capture", "/e", "/i/v0/e"} {
		s.collect(srv, http.MethodPost, path, c)
		s.collect(srv, http.MethodPost, path+"/", c)
	}
	for _, path := range []string{"/flags", "/flags/", "/decide", "/decide/"} {
		srv.Router.With(api.AnyOrigin).Post(path, s.serveFlags)
		api.Preflight(srv.Router, path)
	}
}

// readPostHog is the JSON of a call, however its client packs it: as it is, as
// gzip that only the address tells of, or as the form field data in base64.
func readPostHog(r *http.Request, limit int64) (string, error) {
	body, err := api.ReadBody(r, limit)
	if err != nil {
		return "", err
	}
	if len(body) > 2 && body[0] == 0x1f && body[1] == 0x8b {
		if body, err = unzip(body, limit); err != nil {
			return "", err
		}
	}
	text := string(body)
	data, isForm := strings.CutPrefix(text, "data=")
	if !isForm {
		return text, nil
	}
	data, _, _ = strings.Cut(data, "&")
	if data, err = url.QueryUnescape(data); err != nil {
		return "", fieldProblem("data", "must be encoded as a form is")
	}
	if strings.HasPrefix(data, "{") || strings.HasPrefix(data, "[") {
		return data, nil
	}
	return fromBase64("data", data)
}

func unzip(body []byte, limit int64) ([]byte, error) {
	in, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, problem.BadRequest("The body is not whole and valid gzip.")
	}
	out, err := io.ReadAll(io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return nil, problem.BadRequest("The body is not whole and valid gzip.")
	case int64(len(out)) > limit:
		return nil, problem.TooLarge(limit)
	}
	return out, nil
}

// fromBase64 decodes either alphabet, padded or not.
func fromBase64(field, text string) (string, error) {
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(text), "=")
	out, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return "", fieldProblem(field, "must be base64")
	}
	return string(out), nil
}

func fieldProblem(field, rule string) error { return problem.Invalid{{Field: field, Rule: rule}} }

// writePostHog answers as PostHog does and adds what became of the events.
func writePostHog(w http.ResponseWriter, o outcome) {
	writeJSON(w, struct {
		Status int `json:"status"`
		IngestResult
	}{1, o.result()})
}

// serveFlags says that no flag is set.
func (s *Service) serveFlags(w http.ResponseWriter, r *http.Request) {
	text, err := readPostHog(r, tracking.MaxBody)
	var asked struct {
		Token  string `json:"token"`
		APIKey string `json:"api_key"`
	}
	if err == nil {
		if json.Unmarshal([]byte(text), &asked) != nil && text != "" {
			err = problem.BadRequest("The body must be a JSON object with token or api_key.")
		}
	}
	if err == nil {
		_, err = s.principal(asked.Token + asked.APIKey)
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	writeJSON(w, map[string]any{
		"flags": map[string]any{}, "featureFlags": map[string]any{}, "featureFlagPayloads": map[string]any{},
		"errorsWhileComputingFlags": false, "quotaLimited": []string{}, "supportedCompression": []string{"gzip", "gzip-js"},
		"sessionRecording": false, "config": map[string]any{},
	})
}

// settleOnce decides about traits that count only where the person has none of
// that name: those that the person has are left out.
func (s *Service) settleOnce(messages []tracking.Message) {
	for i := range messages {
		m := &messages[i]
		if m.Once == "" {
			continue
		}
		var once, own map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal([]byte(m.Once), &once), json.Unmarshal([]byte(objectText(m.Traits)), &own)); err != nil {
			continue // the parser let both through, so that this cannot happen
		}
		ids := append([]identity.Identifier(nil), m.Others...)
		if m.UserID != "" {
			ids = append(ids, identity.Identifier{Namespace: identity.UserID, Value: m.UserID})
		}
		if m.AnonymousID != "" {
			ids = append(ids, identity.Identifier{Namespace: identity.AnonymousID, Value: m.AnonymousID})
		}
		known := map[string]any{}
		if v, ok := s.store.Lookup(ids); ok {
			known = v.Traits
		}
		for name, value := range once {
			_, has := known[name]
			if _, set := own[name]; !has && !set {
				own[name] = value
			}
		}
		if traits, err := json.Marshal(own); err == nil {
			m.Traits = string(traits)
		}
	}
}
