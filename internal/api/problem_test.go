package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Both kinds of routes answer bad input alike: status, document, named field.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	for _, c := range []struct {
		name, body string
		status     int
		locations  []string // one of them must be first
	}{
		{"fine", `{"name":"x","context":{"a":[1,{"b":null}]}}`, 200, nil},
		{"no JSON", `{"name":`, 400, []string{"body.name"}},
		{"another syntax", `<xml/>`, 400, []string{"body"}},
		{"two values", `{"name":"x"} {}`, 400, []string{"body"}},
		{"empty", ``, 400, []string{"body", ""}},
		{"blank", "  \n", 400, []string{"body"}},
		{"no UTF-8", "{\"name\":\"\xff\"}", 400, []string{"body.name"}},
		{"NaN", `{"name":"x","context":{"a":[1,NaN]}}`, 400, []string{"body.context.a[1]"}},
		{"too large a number", `{"name":"x","context":{"a":[1,{"b":1e999}]}}`, 422, []string{"body.context.a[1].b"}},
		{"too large a float", `{"name":"x","parts":[{"weight":1},{"weight":-1e999}]}`, 422, []string{"body.parts[1].weight"}},
		{"another type", `{"name":7}`, 422, []string{"body.name"}},
		{"text for a number", `{"name":"x","weight":"0.5"}`, 422, []string{"body.weight"}},
		{"fraction for a whole number", `{"name":"x","count":0.5}`, 422, []string{"body.count"}},
		{"no array", `{"name":"x","parts":{}}`, 422, []string{"body.parts"}},
		{"no object", `[]`, 422, []string{"body"}},
		{"no time", `{"name":"x","at":"yesterday"}`, 422, []string{"body.at"}},
		{"unknown field", `{"name":"x","parts":[{"weight":1,"wieght":2}]}`, 422, []string{"body.parts[0].wieght"}},
		{"too deep", `{"name":"x","context":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100) + `}`, 422, []string{"body"}},
		{"too long", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, 413, []string{"body"}},
		{"not found", `{"name":"missing"}`, 404, nil},
		{"invalid", `{"name":"invalid","weight":-3}`, 422, []string{"body.parts[1].weight"}},
		{"busy", `{"name":"busy"}`, 429, nil},
		{"broken", `{"name":"broken"}`, 500, nil},
		{"late", `{"name":"late"}`, 503, nil},
		{"panic", `{"name":"panic"}`, 500, nil},
	} {
		for _, route := range []string{"/v1/huma/k", "/v1/plain/k"} {
			t.Run(c.name+route, func(t *testing.T) {
				t.Parallel()
				a := ask(t, s, "PUT", route, strings.NewReader(c.body), "Authorization", "Bearer decide")
				if a.status != c.status {
					t.Fatalf("%d %s, want %d", a.status, a.body, c.status)
				}
				if len(c.locations) > 0 {
					got := append(a.locations(), "")[0]
					if !slices.Contains(c.locations, got) {
						t.Errorf("the first location is %q of %q, want %q", got, a.locations(), c.locations)
					}
				}
				if strings.Contains(a.body, "hunter2") {
					t.Errorf("the answer shows internals: %s", a.body)
				}
				if len(a.body) > 5000 {
					t.Errorf("the answer has %d bytes", len(a.body))
				}
				wait := map[int]string{429: "2", 503: "1"}[c.status]
				if got := a.header.Get("Retry-After"); got != wait {
					t.Errorf("Retry-After is %q, want %q", got, wait)
				}
			})
		}
	}
}

func TestSyntaxErrorsHaveAPlace(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	body := "{\n  \"name\": \"é\",\n  \"parts\": [{\"weight\": 1}, {\"weight\": é}]\n}"
	for _, route := range []string{"/v1/huma/k", "/v1/plain/k"} {
		a := ask(t, s, "PUT", route, strings.NewReader(body), "Authorization", "Bearer decide")
		if a.status != 400 || !strings.Contains(a.problem.Detail, "line 3, column 39") || a.problem.Errors[0].Location != "body.parts[1].weight" {
			t.Errorf("%s: %d %s", route, a.status, a.body)
		}
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	a := ask(t, s, "PUT", "/v1/huma/"+strings.Repeat("k", 20)+"?page=99", strings.NewReader(`{"name":"x"}`), "Authorization", "Bearer decide")
	if got := a.locations(); a.status != 422 || !slices.Equal(got, []string{"path.key", "query.page"}) {
		t.Errorf("%d %v", a.status, a.body)
	}
	a = ask(t, s, "PUT", "/v1/huma/k?page=x", strings.NewReader(`{}`), "Authorization", "Bearer decide")
	if got := a.locations(); a.status != 422 || !slices.Equal(got, []string{"query.page", "body.name"}) {
		t.Errorf("%d %v", a.status, a.body)
	}
	a = ask(t, s, "PUT", "/v1/huma/k", strings.NewReader(`name=x`), "Authorization", "Bearer decide", "Content-Type", "application/x-www-form-urlencoded")
	if got := a.locations(); a.status != 415 || !slices.Equal(got, []string{"header.Content-Type"}) {
		t.Errorf("a form: %d %v", a.status, a.body)
	}
}

func TestRouterProblems(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	if a := ask(t, s, "GET", "/v1/nothing", nil); a.status != 404 || !strings.Contains(a.problem.Detail, "/v1/nothing") {
		t.Errorf("an unknown route: %d %s", a.status, a.body)
	}
	a := ask(t, s, "DELETE", "/v1/plain/k", nil)
	if allow := a.header.Values("Allow"); a.status != 405 || !slices.Equal(allow, []string{"PUT"}) {
		t.Errorf("a wrong method: %d, Allow %v", a.status, allow)
	}
	if a := ask(t, s, "HEAD", "/healthz", nil); a.status != 200 {
		t.Errorf("HEAD of a GET route: %d %q", a.status, a.body)
	}
	if a := ask(t, s, "BREW", "/v1/plain/k", nil); a.status != 405 {
		t.Errorf("a method that is none: %d", a.status)
	}
}

func TestGzipBodies(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	zip := func(content string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, content)
		_ = w.Close()
		return b.Bytes()
	}
	whole := zip(`{"name":"x"}`)
	for name, c := range map[string]struct {
		body     []byte
		encoding string
		status   int
	}{
		"gzip":     {whole, "gzip", 200},
		"cut":      {whole[:len(whole)-6], "gzip", 400},
		"none":     {[]byte(`{"name":"x"}`), "gzip", 400},
		"identity": {[]byte(`{"name":"x"}`), "identity", 200},
		"another":  {whole, "br", 415},
		"two":      {whole, "gzip, gzip", 415},
		"bomb":     {zip(`{"name":"` + strings.Repeat("x", 64<<20) + `"}`), "gzip", 413},
	} {
		for _, route := range []string{"/v1/huma/k", "/v1/plain/k"} {
			a := ask(t, s, "PUT", route, bytes.NewReader(c.body), "Authorization", "Bearer decide", "Content-Encoding", c.encoding)
			if a.status != c.status {
				t.Errorf("%s at %s: %d %s, want %d", name, route, a.status, a.body, c.status)
			}
		}
	}
}

func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	s := withWidgets(t)
	for _, route := range []string{"/v1/huma/k", "/v1/plain/k"} {
		body := io.MultiReader(strings.NewReader(`{"name":`), iotest.ErrReader(io.ErrUnexpectedEOF))
		if a := ask(t, s, "PUT", route, body, "Authorization", "Bearer decide"); a.status != 400 {
			t.Errorf("%s: a body that breaks off: %d %s", route, a.status, a.body)
		}
	}
}

// A caller that sends 5 MB in one go gets to read why it was refused.
func TestLargeBodiesOverTheNetwork(t *testing.T) {
	t.Parallel()
	address, stop := serve(t, withWidgets(t), 10*time.Second)
	large := strings.Repeat("x", 5<<20)
	for _, route := range []string{"/v1/huma/k", "/v1/plain/k", "/v1/unknown"} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = strings.NewReader(`{"name":"` + large + `"}`)
			if chunked {
				body = io.MultiReader(body)
			}
			r, err := http.NewRequest("PUT", address+route, body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer decide")
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Errorf("%s, chunked %v: %v", route, chunked, err)
				continue
			}
			want := 413
			if route == "/v1/unknown" && chunked {
				want = 404 // nobody read so far
			}
			if a := read(t, response); a.status != want {
				t.Errorf("%s, chunked %v: %d", route, chunked, a.status)
			}
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestHumaNeedsADeclaration(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	huma.Get(s.API, "/v1/forgotten", func(ctx ctxType, _ *struct{}) (*struct{}, error) { return nil, nil })
	for token, status := range map[string]int{"": 401, "Bearer read": 403, "Bearer admin": 204} {
		if a := ask(t, s, "GET", "/v1/forgotten", nil, "Authorization", token); a.status != status {
			t.Errorf("%q: %d, want %d", token, a.status, status)
		}
	}
}
