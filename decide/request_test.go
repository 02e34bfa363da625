package decide

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles"
)

func TestValidateRequest(t *testing.T) {
	t.Parallel()
	crowded := make(map[string]string)
	for i := range maxIdentifiers + 1 {
		crowded[fmt.Sprint("ns", i)] = "x"
	}
	wide := make(map[string]any)
	for i := range maxContextFields + 1 {
		wide[fmt.Sprint(i)] = i
	}
	someone := map[string]string{"userId": "u1"}
	for _, tt := range []struct {
		name string
		req  Request
		want []string
	}{
		{"good", Request{Decision: "hero", User: someone, Context: map[string]any{"a": "x", "b": 1.5, "c": true, "d": nil}, Limit: 50}, nil},
		{"empty", Request{}, []string{"decision", "user"}},
		{"too many identifiers", Request{Decision: "hero", User: crowded}, []string{"user"}},
		{"empty namespace", Request{Decision: "hero", User: map[string]string{"": "x"}}, []string{"user"}},
		{"long namespace", Request{Decision: "hero", User: map[string]string{strings.Repeat("n", 65): "x"}}, []string{"user"}},
		{"empty and long identifiers", Request{Decision: "hero", User: map[string]string{"userId": "", "email": strings.Repeat("x", 10000)}}, []string{"user.email", "user.userId"}},
		{"identifier that is not text", Request{Decision: "hero", User: map[string]string{"userId": "\xff"}}, []string{"user.userId"}},
		{"context too wide", Request{Decision: "hero", User: someone, Context: wide}, []string{"context"}},
		{"context names", Request{Decision: "hero", User: someone, Context: map[string]any{"": 1.0}}, []string{"context"}},
		{"context values", Request{Decision: "hero", User: someone, Context: map[string]any{
			"nan": math.NaN(), "inf": math.Inf(-1), "list": []any{}, "object": map[string]any{}, "long": strings.Repeat("x", maxContextString+1), "bytes": "\xff",
		}}, []string{"context.bytes", "context.inf", "context.list", "context.long", "context.nan", "context.object"}},
		{"limit below", Request{Decision: "hero", User: someone, Limit: -1}, []string{"limit"}},
		{"limit above", Request{Decision: "hero", User: someone, Limit: 51}, []string{"limit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.req.validate()
			wantFields(t, err, tt.want...)
		})
	}
}

func TestIdentifiersAreInTheOrderOfTheirStrength(t *testing.T) {
	t.Parallel()
	req := Request{Decision: "hero", User: map[string]string{"anonymousId": "a", "crm": "c", "email": "e", "phone": "p", "userId": "u", "app": "d"}}
	want := []string{"userId", "email", "phone", "app", "crm", "anonymousId"}
	for range 20 { // maps have no order
		ids, err := req.validate()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range ids {
			got = append(got, id.Namespace)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("order %v, want %v", got, want)
		}
	}
}

// A request that is accepted can be recorded and read again as it was.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"decision":"hero","user":{"userId":"u1"},"context":{"device":"mobile","n":1e308},"limit":3}`,
		`{"decision":"hero","user":{"userId":"\ud800"}}`, `{"user":{"":""},"context":{"a":[1]}}`, `{"limit":-1}`, `[]`, `{"context":{"x":1e999}}`, `{"context":{"x":-0}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var req Request
		if err := api.UnmarshalJSON(body, &req); err != nil {
			return
		}
		ids, err := req.validate()
		if err != nil {
			var bad problem.Invalid
			if !errors.As(err, &bad) {
				t.Errorf("error %v names no field", err)
			}
			return
		}
		if len(ids) == 0 || len(ids) > maxIdentifiers || profiles.NewID(ids[0]) == "" {
			t.Fatalf("accepted with the identifiers %v", ids)
		}
		rec := &Record{DecisionID: "x", Decision: req.Decision, Context: req.Context}
		data, err := encodeRecord(rec)
		if err != nil {
			t.Fatalf("accepted but cannot be recorded: %v", err)
		}
		back, err := decodeRecord(data)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(req.Context)
		got, _ := json.Marshal(back.Context)
		if len(req.Context) > 0 && string(got) != string(want) {
			t.Errorf("context %s came back as %s", want, got)
		}
	})
}
