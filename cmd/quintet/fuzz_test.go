package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// Whatever bytes come, the service answers with a result or says what is wrong
// with them.
func FuzzDecide(f *testing.F) { fuzzBodies(f, "/v1/decide", badDecides()) }

func FuzzBatch(f *testing.F) { fuzzBodies(f, "/v1/batch", badEvents()) }

func fuzzBodies(f *testing.F, path string, seeds []badCall) {
	r := openResident(f, residentConfig(f))
	create(f, r.client, hero())
	for _, s := range seeds {
		if len(s.body) < 64<<10 { // longer ones slow the search down
			f.Add([]byte(s.body))
		}
	}
	f.Add([]byte(`{"decision":"hero","user":{"userId":"u","email":"u@example.com"},"context":{"device":"mobile","n":-0,"b":true,"x":null},"limit":3}`))
	f.Add([]byte(`{"batch":[{"type":"identify","userId":"u","traits":{"plan":"paid","age":4e1}},{"type":"alias","previousId":"a","userId":"u"},` +
		`{"type":"track","event":"Order Completed","anonymousId":"a","timestamp":"2026-01-01T00:00:00Z","sentAt":"2026-01-01T00:00:01Z","properties":{"margin":1.5,"products":[{"id":"\u0000"}]}}],"context":{"ip":"1"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.RemoteAddr = "203.0.113.9:4000"
		request.Header.Set("Authorization", "Bearer "+r.key)
		a := serveHere(r, request)
		want := "application/json"
		if a.status != http.StatusOK {
			want = "application/problem+json"
		}
		switch {
		case a.status != http.StatusOK && (a.status < 400 || a.status > 499):
			t.Errorf("status %d: %.500s", a.status, a.body.String())
		case a.header.Get("Content-Type") != want || !json.Valid(a.body.Bytes()):
			t.Errorf("status %d with %s: %.500s", a.status, a.header.Get("Content-Type"), a.body.String())
		}
	})
}
