package ofrep

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"quintet/experiments/flags"
	"quintet/internal/api"
	"quintet/internal/flatjson"
)

// Bounds of a context.
const (
	maxFields       = 200
	maxTargetingKey = 256
)

// scratch is the memory of one evaluation, used again by others.
type scratch struct {
	body    []byte
	out     []byte
	fields  map[string]any // of a context, used again
	subject flags.Subject
	seen    []flags.Exposure
}

// read makes the subject of a request's body.
func (sc *scratch) read(r *http.Request, people flags.People) error {
	sc.seen = sc.seen[:0]
	body, err := api.ReadBodyInto(r, maxBody, sc.body)
	sc.body = body
	if err != nil {
		return err
	}
	if fields, ok := sc.parse(string(body)); ok {
		if f := sc.about(fields, people); f != nil {
			return f
		}
		return nil
	}
	var in struct {
		Context *map[string]any `json:"context"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return &failure{status: http.StatusBadRequest, Code: codeParse, Details: "The body must be a JSON object with a context: " + err.Error()}
	}
	if in.Context == nil {
		return &failure{status: http.StatusBadRequest, Code: codeContext, Details: "context must be an object."}
	}
	if f := sc.about(*in.Context, people); f != nil {
		return f
	}
	return nil
}

// parse reads a body with a flat context and nothing else, as most clients send it. A
// fuzz test holds it to what encoding/json reads.
func (sc *scratch) parse(body string) (map[string]any, bool) {
	if sc.fields == nil || len(sc.fields) > maxFields {
		sc.fields = make(map[string]any)
	}
	clear(sc.fields)
	p, seen := flatjson.New(body), false
	ok := p.Object(func(name string) bool {
		if name != "context" || seen {
			return false
		}
		seen = true
		return p.Object(func(name string) bool {
			value, ok := p.Scalar()
			sc.fields[name] = value
			return ok
		})
	})
	return sc.fields, ok && seen && p.End()
}

// about makes the subject of a context.
func (sc *scratch) about(fields map[string]any, people flags.People) *failure {
	if len(fields) > maxFields {
		return &failure{status: http.StatusBadRequest, Code: codeContext, Details: "context must have at most 200 fields."}
	}
	key := ""
	if v, ok := fields["targetingKey"]; ok && v != nil {
		if key, ok = v.(string); !ok || len(key) > maxTargetingKey || !utf8.ValidString(key) {
			return &failure{status: http.StatusBadRequest, Code: codeContext, Details: "context.targetingKey must be a string of at most 256 bytes."}
		}
	}
	sc.subject.Reset(key, fields, people)
	return nil
}
