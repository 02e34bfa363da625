package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestFieldLocation(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"":                    "body",
		"body":                "body",
		"variants[1].weight":  "body.variants[1].weight",
		"[2].event":           "body[2].event",
		"body.a":              "body.a",
		"query.limit":         "query.limit",
		"path.key":            "path.key",
		"header.If-Match":     "header.If-Match",
		"queryable":           "body.queryable",
		"pathology.certainty": "body.pathology.certainty",
	} {
		if got := (Field{Field: field}).Location(); got != want {
			t.Errorf("location of %q is %q, want %q", field, got, want)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	secret := errors.New("password of the database is hunter2")
	cases := []struct {
		name   string
		err    error
		status int
		title  string
		detail string
	}{
		{"problem", NotFound("offer", "x"), 404, "Not Found", `"x"`},
		{"wrapped problem", fmt.Errorf("reading: %w", Conflict("taken")), 409, "Conflict", "taken"},
		{"invalid", Invalid{{Field: "weight", Rule: "must be above 0"}}, 422, "Unprocessable Entity", "body.weight must be above 0"},
		{"wrapped invalid", fmt.Errorf("x: %w", Invalid{{Field: "a", Rule: "r"}, {Field: "b", Rule: "s"}}.Err()), 422, "Unprocessable Entity", "2 fields"},
		{"too large", fmt.Errorf("reading: %w", &http.MaxBytesError{Limit: 9}), 413, "Request Entity Too Large", "9 bytes"},
		{"deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "Service Unavailable", "longer"},
		{"cancelled", context.Canceled, StatusClientClosed, "Client Closed Request", "cancelled"},
		{"other", secret, 500, "Internal Server Error", "our side"},
		{"empty", &Error{}, 500, "Internal Server Error", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := From(c.err).Document("abc")
			if d.Status != c.status || d.Title != c.title || !strings.Contains(d.Detail, c.detail) || d.Instance != "abc" || d.Type != "about:blank" {
				t.Fatalf("got %+v", d)
			}
			encoded, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(encoded), "hunter2") {
				t.Fatalf("the document shows the cause: %s", encoded)
			}
		})
	}
	if From(nil) != nil {
		t.Fatal("no error must be no problem")
	}
	if !errors.Is(From(secret), secret) {
		t.Fatal("the cause is lost for the log")
	}
}

func TestNest(t *testing.T) {
	t.Parallel()
	var inner Invalid
	inner.Add("weight", "must be above 0", -1)
	inner.Add("", "must be an object", nil)
	inner.Add("[3]", "must be a text", nil)
	var outer Invalid
	outer.Nest("variants[0]", fmt.Errorf("checking: %w", inner.Err()))
	outer.Nest("policy", errors.New("is unknown"))
	outer.Nest("ignored", nil)
	want := []string{"variants[0].weight", "variants[0]", "variants[0][3]", "policy"}
	if len(outer) != len(want) {
		t.Fatalf("got %v", outer)
	}
	for i, w := range want {
		if outer[i].Field != w {
			t.Errorf("field %d is %q, want %q", i, outer[i].Field, w)
		}
	}
	if (Invalid{}).Err() != nil {
		t.Error("an empty list must be no error")
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	TooBusy(1200*time.Millisecond, "full").Header(h)
	if h.Get("Retry-After") != "2" {
		t.Errorf("Retry-After is %q, want 2", h.Get("Retry-After"))
	}
	h = http.Header{}
	Unauthorized("no key").Header(h)
	if !strings.HasPrefix(h.Get("WWW-Authenticate"), "Bearer") || h.Get("Retry-After") != "" {
		t.Errorf("headers of a 401: %v", h)
	}
}

// Whatever a caller sends can be echoed: the document is always valid JSON of
// a bounded size.
func TestDocumentIsAlwaysJSON(t *testing.T) {
	t.Parallel()
	awkward := []any{math.NaN(), math.Inf(-1), make(chan int), func() {}, map[string]any{"x": math.NaN()}, strings.Repeat("é", 5000), []byte{0xff}, json.RawMessage("-1e999")}
	rapid.Check(t, func(t *rapid.T) {
		var bad Invalid
		for range rapid.IntRange(0, 150).Draw(t, "n") {
			var value any
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				value = awkward[rapid.IntRange(0, len(awkward)-1).Draw(t, "which")]
			case 1:
				value = rapid.String().Draw(t, "text")
			case 2:
				value = rapid.MapOf(rapid.String(), rapid.Float64()).Draw(t, "map")
			}
			bad.Add(rapid.String().Draw(t, "field"), "must hold", value)
		}
		encoded, err := json.Marshal(bad.Problem().Document("id"))
		if err != nil {
			t.Fatalf("encoding: %v", err)
		}
		var back Document
		if err := json.Unmarshal(encoded, &back); err != nil {
			t.Fatalf("decoding: %v", err)
		}
		if len(encoded) > 200*1024 {
			t.Fatalf("%d bytes", len(encoded))
		}
	})
	if s := Clip(strings.Repeat("é", 5000)); !utf8.ValidString(s) || len(s) > maxValue+4 {
		t.Fatalf("clipped to %d bytes, valid %v", len(s), utf8.ValidString(s))
	}
}
