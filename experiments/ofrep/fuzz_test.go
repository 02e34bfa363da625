package ofrep

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// Whatever a body is, it makes a subject or one of the protocol's errors.
func FuzzRequest(f *testing.F) {
	f.Add(`{"context": {"targetingKey": "u1", "country": "at", "age": 5, "tags": ["a"]}}`)
	f.Add(`{"context": {"targetingKey": 5}}`)
	f.Add(`{"context": `)
	f.Fuzz(func(t *testing.T, body string) {
		sc := new(scratch)
		err := sc.read(httptest.NewRequest("POST", "/", strings.NewReader(body)), nil)
		if err == nil && len(sc.subject.Key) > maxTargetingKey {
			t.Errorf("a key of %d bytes", len(sc.subject.Key))
		}
		var plain struct{ Context map[string]any }
		if fields, ok := sc.parse(body); ok && (json.Unmarshal([]byte(body), &plain) != nil || !reflect.DeepEqual(fields, plain.Context)) {
			t.Errorf("%s is read as %v and not as %v", body, fields, plain.Context)
		}
		sc.subject.Unit("person")
		sc.subject.Attribute("context")
	})
}
