package profiles

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"quintet/internal/api"
	"quintet/profiles/tracking"
)

// rudderHeaders are sent by RudderStack's clients and by no others.
var rudderHeaders = [...]string{"Anonymousid", "Rs-Nodecount", "Rs-Targetnode", "Rs-Useragent"}

// limitsOf are the limits that the client of a call knows. Segment's and
// RudderStack's use the same paths; RudderStack's are told by their headers, and
// by the form type that its client for Node.js gives to JSON.
func limitsOf(r *http.Request) tracking.Limits {
	for _, name := range rudderHeaders {
		if len(r.Header[name]) > 0 {
			return tracking.Large
		}
	}
	if kind := r.Header["Content-Type"]; len(kind) > 0 && strings.HasPrefix(kind[0], "application/x-www-form-urlencoded") {
		return tracking.Large
	}
	return tracking.Usual
}

// rudderRoutes are the paths of RudderStack's gateway that Segment's API does not
// have.
func (s *Service) rudderRoutes(srv *api.Server) {
	batch := trackingCollector(tracking.Batch)
	batch.limits = large
	s.collect(srv, http.MethodPost, "/v1/import", batch)

	// What a page sends while it is left cannot have headers of its own.
	beacon := batch
	beacon.key = keyInQuery
	s.collect(srv, http.MethodPost, "/beacon/v1/batch", beacon)

	for _, kind := range []tracking.Type{tracking.Track, tracking.Page} {
		s.collect(srv, http.MethodGet, "/pixel/v1/"+kind.String(), pixelCollector(kind, ""))
	}
	srv.Router.With(api.AnyOrigin).Get("/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"server": "UP", "appType": "GATEWAY"})
	})
	version := srv.API.OpenAPI().Info.Version
	srv.Router.With(api.AnyOrigin).Get("/version", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"Version": version})
	})
}

// keyInQuery is the key in the address of a call that cannot carry it elsewhere.
func keyInQuery(r *http.Request) string {
	// Parsed again rather than kept: this is no hot path.
	return r.URL.Query().Get("writeKey")
}

// maxQuery bounds what of an address is read as a message, in bytes.
const maxQuery = 16 << 10

// pixelCollector is an image whose address is a message. data names a parameter
// with a JSON object in base64 that the others are put into, "" for none.
func pixelCollector(kind tracking.Type, data string) collector {
	return collector{
		limits: usual,
		read: func(r *http.Request, _ int64) (string, error) {
			values, err := queryOf(r)
			if err != nil {
				return "", err
			}
			base := ""
			if data != "" && values.Has(data) {
				if base, err = fromBase64("query."+data, values.Get(data)); err != nil {
					return "", err
				}
				values.Del(data)
			}
			values.Del("writeKey")
			return tracking.FromQuery(values, base)
		},
		parse: func(c *tracking.Call, text string, received time.Time, limits tracking.Limits) error {
			return c.ParseWithin(text, kind, received, limits)
		},
		key:    keyInQuery,
		answer: func(w http.ResponseWriter, o outcome) { writePixel(w) },
	}
}

func queryOf(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, fieldProblem("query", "must not be longer than 16384 bytes")
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fieldProblem("query", "must be parameters of an address: "+err.Error())
	}
	return values, nil
}

// pixel is a transparent image of one pixel.
var pixel = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

func writePixel(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "image/gif")
	_, _ = w.Write(pixel) // a caller who went away cannot be told
}
