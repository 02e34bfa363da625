package problem

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// maxViolations bounds the broken rules that one document lists.
const maxViolations = 100

// maxValue bounds a value that is echoed to the caller, in bytes.
const maxValue = 200

// Document is the JSON of a problem as RFC 9457 has it.
type Document struct {
	Type     string      `json:"type" doc:"URI of the kind of problem; about:blank when the status says it all"`
	Title    string      `json:"title" doc:"Short summary, the same for every problem of its kind"`
	Status   int         `json:"status" doc:"HTTP status"`
	Detail   string      `json:"detail,omitempty" doc:"What happened in this case"`
	Instance string      `json:"instance,omitempty" doc:"Id of the request, as in the X-Request-Id header and the log"`
	Errors   []Violation `json:"errors,omitempty" nullable:"false" doc:"Each rule that the request broke"`
}

// Violation is one broken rule in a [Document].
type Violation struct {
	Location string `json:"location" doc:"Where: body.variants[1].weight, query.limit, path.key"`
	Message  string `json:"message" doc:"The rule"`
	Value    any    `json:"value,omitempty" doc:"What was sent, shortened"`
}

// Document is the problem as the caller sees it; instance names the request.
func (e *Error) Document(instance string) *Document {
	d := &Document{
		Type: "about:blank", Title: e.title(), Status: e.GetStatus(), Detail: e.Detail, Instance: instance,
		Errors: e.Fields.Violations(),
	}
	return d
}

// Violations lists the broken rules as the caller sees them: at most 100, with
// values that are short and that JSON can hold.
func (i Invalid) Violations() []Violation {
	if len(i) == 0 {
		return nil
	}
	list := make([]Violation, 0, min(len(i), maxViolations))
	for _, f := range i[:min(len(i), maxViolations)] {
		list = append(list, Violation{Location: Clip(f.Location()), Message: f.Rule, Value: echo(f.Value)})
	}
	return list
}

// ContentType makes huma send the problem's own media type.
func (d *Document) ContentType(string) string { return ContentType }

// ContentType makes huma send the problem's own media type.
func (e *Error) ContentType(string) string { return ContentType }

// ContentType makes huma send the problem's own media type.
func (i Invalid) ContentType(string) string { return ContentType }

// GetStatus is the HTTP status of the answer.
func (d *Document) GetStatus() int { return d.Status }

// Error is the detail, so that a document can travel as an error.
func (d *Document) Error() string { return d.Detail }

// RetrySeconds is d as the value of a Retry-After header: whole seconds, rounded
// up, empty when d is not above zero.
func RetrySeconds(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// Header writes the headers that belong to the problem.
func (e *Error) Header(h http.Header) {
	if s := RetrySeconds(e.RetryAfter); s != "" {
		h.Set("Retry-After", s)
	}
	if e.GetStatus() == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="quintet"`)
	}
}

// Clip shortens a text that came from outside to 200 bytes at a character's
// end, so that an error stays readable.
func Clip(s string) string {
	if len(s) <= maxValue {
		return s
	}
	cut := maxValue
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// echo is a value that is safe to show: short, and something JSON can hold.
func echo(value any) any {
	switch v := value.(type) {
	case nil, bool, int, int32, int64, uint64:
		return v
	case string:
		return Clip(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return v
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return Clip(fmt.Sprint(value))
	}
	// A number that the caller wrote may be JSON and yet too large for whoever reads the answer.
	var readable any
	if len(encoded) <= maxValue && json.Unmarshal(encoded, &readable) == nil {
		return json.RawMessage(encoded)
	}
	return Clip(string(encoded))
}
