package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/problem"
)

// WriteProblem answers with the problem document of err, see [problem.From],
// and logs the cause of a 5xx. It does nothing when the answer has begun.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	if p == nil {
		p = &problem.Error{}
	}
	rc := requestFrom(r.Context())
	logProblem(rc, r, p)
	if rc != nil && rc.writer.status != 0 {
		return
	}
	h := w.Header()
	if p.GetStatus() == http.StatusRequestEntityTooLarge {
		drain(rc, r.Header.Get("Expect"))
		h.Set("Connection", "close")
	}
	body := ProblemJSON(r, p)
	p.Header(h)
	h.Set("Content-Type", problem.ContentType)
	h["Cache-Control"] = noStore
	h.Del("ETag")
	h.Del("Content-Length")
	w.WriteHeader(p.GetStatus())
	if r.Method != http.MethodHead {
		// The caller went away when this fails; there is nobody left to tell.
		_, _ = w.Write(body)
	}
}

// ProblemJSON is the problem document of err as a value inside an answer, such as
// the failed part of a batch.
func ProblemJSON(r *http.Request, err error) json.RawMessage {
	p := problem.From(err)
	if p == nil {
		return nil
	}
	body, encodeErr := json.Marshal(p.Document(RequestID(r.Context())))
	if encodeErr != nil {
		// A document holds only texts, numbers and values that were checked; this answer keeps the form all the same.
		return json.RawMessage(`{"type":"about:blank","title":"Internal Server Error","status":500}`)
	}
	return body
}

func logProblem(rc *requestContext, r *http.Request, p *problem.Error) {
	if p.GetStatus() < 500 || p.Cause == nil && p.GetStatus() != http.StatusServiceUnavailable || rc == nil || rc.logger == nil {
		return
	}
	level := slog.LevelError
	if p.GetStatus() == http.StatusServiceUnavailable {
		level = slog.LevelWarn
	}
	rc.logger.Log(rc.Context, level, "request failed", "request", rc.id, "method", r.Method, "path", r.URL.Path,
		"status", p.GetStatus(), "detail", p.Detail, "cause", p.Cause)
}

// huma makes its own errors through two package variables, and that is the only
// way to give them another form. They are set once, before any API exists, to
// functions without state.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(status, message, errs).Document("")
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := humaProblem(status, message, errs)
		rc := requestFrom(ctx.Context())
		if rc == nil {
			return p.Document("")
		}
		if p.GetStatus() >= 500 && rc.logger != nil {
			u := ctx.URL()
			logProblem(rc, &http.Request{Method: ctx.Method(), URL: &u}, p)
		}
		h := rc.writer.Header()
		if p.GetStatus() == http.StatusRequestEntityTooLarge {
			drain(rc, ctx.Header("Expect"))
			h.Set("Connection", "close")
		}
		p.Header(h)
		return p.Document(rc.id)
	}
}

// humaProblem is the problem for a failure that huma found (a parameter or body
// that does not fit its schema) or an error that a handler returned.
func humaProblem(status int, message string, errs []error) *problem.Error {
	p := &problem.Error{Status: status, Detail: sentence(message)}
	for _, err := range errs {
		var known *problem.Error
		var invalid problem.Invalid
		var tooLarge *http.MaxBytesError
		var detail huma.ErrorDetailer
		switch {
		case err == nil:
		case errors.As(err, &known):
			return known
		case errors.As(err, &invalid):
			p.Fields = append(p.Fields, invalid...)
		case errors.As(err, &tooLarge):
			return problem.From(err)
		case errors.As(err, &detail):
			d := detail.ErrorDetail()
			if body, ok := d.Value.(string); ok && d.Location == "body" && status < 500 {
				return explainBody(status, body, d.Message)
			}
			p.Fields = append(p.Fields, schemaField(d))
		case status >= 500 && message == "cannot read request body":
			return problem.From(bodyError(err))
		case status >= 500:
			return problem.From(err)
		default:
			p.Fields.Add("", err.Error(), nil)
		}
	}
	if status == http.StatusRequestEntityTooLarge && len(p.Fields) == 0 {
		p.Fields.Add("body", strings.TrimPrefix(message, "request body "), nil)
	}
	if message == "validation failed" && len(p.Fields) > 0 {
		p.Detail = p.Fields.Problem().Detail
	}
	return p
}

// schemaField says what huma's validation found in the words of the other rules.
func schemaField(d *huma.ErrorDetail) problem.Field {
	f := problem.Field{Field: d.Location, Rule: d.Message, Value: d.Value}
	if rest, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		if name, ok := strings.CutSuffix(rest, " to be present"); ok {
			return problem.Field{Field: problem.Join(d.Location, name), Rule: "is required"}
		}
	}
	if rest, ok := strings.CutPrefix(d.Message, "expected "); ok {
		f.Rule = "must be " + rest
	}
	if d.Message == "unexpected property" {
		f.Rule, f.Value = "is not a known field", nil
	}
	return f
}

// explainBody is the problem of a body that huma could not decode; huma hands
// over the whole body, which is read once more to find the place.
func explainBody(status int, body, message string) *problem.Error {
	if status == http.StatusUnsupportedMediaType {
		return &problem.Error{
			Status: status, Detail: "The body must be JSON, sent as application/json.",
			Fields: problem.Invalid{{Field: "header.Content-Type", Rule: "must be application/json"}},
		}
	}
	var value any
	if err := UnmarshalJSON([]byte(body), &value); err != nil {
		return problem.From(err)
	}
	return problem.Invalid{{Field: "body", Rule: message}}.Problem()
}

// sentence gives a message of huma's the form of the other details.
func sentence(message string) string {
	if message == "" {
		return ""
	}
	if last := message[len(message)-1]; last != '.' {
		message += "."
	}
	return strings.ToUpper(message[:1]) + message[1:]
}

// toDocument is a huma transformer: a handler's problem becomes the document
// with the id of the request.
func toDocument(ctx huma.Context, _ string, v any) (any, error) {
	var p *problem.Error
	switch e := v.(type) {
	case *problem.Error:
		p = e
	case problem.Invalid:
		p = e.Problem()
	default:
		return v, nil
	}
	rc := requestFrom(ctx.Context())
	if rc == nil {
		return p.Document(""), nil
	}
	u := ctx.URL()
	logProblem(rc, &http.Request{Method: ctx.Method(), URL: &u}, p)
	p.Header(rc.writer.Header())
	return p.Document(rc.id), nil
}
