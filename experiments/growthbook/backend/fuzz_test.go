package backend

import "testing"

// Whatever a body is, it makes a request within the bounds or an error.
func FuzzEval(f *testing.F) {
	f.Add(`{"attributes": {"id": "u1"}, "forcedVariations": {"e": 1}, "forcedFeatures": [["f", {"x": 1}]], "url": "https://example.org/?e=1"}`)
	f.Add(`{"attributes": {"id": 5e300}, "forcedFeatures": [[1]]}`)
	f.Fuzz(func(t *testing.T, body string) {
		in, o, user, err := parseEval([]byte(body))
		if err == nil && (in == nil || o == nil || len(user) > maxUserID || len(o.Values) > maxForced) {
			t.Errorf("%+v, %+v, %q", in, o, user)
		}
	})
}
