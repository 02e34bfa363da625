package api

import (
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// consolePolicy lets the console run its own scripts only. Its component and chart
// libraries set styles at run time; images of items may be anywhere on https.
const consolePolicy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; " +
	"font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// reserved are the beginnings of paths that are the API's: an unknown path there
// is a 404 problem and never the console.
var reserved = []string{"/v1/", "/auth/", "/api/", "/sub/", "/ofrep/", "/docs/", "/healthz", "/readyz", "/metrics", "/openapi"}

// MountConsole serves the files of the web console at every path that is no route:
// the file of that name, else index.html to a browser that asks for a page, so
// that the console's own addresses can be opened directly. Files in assets have a
// hash in their names and are cached for good. When index.html is missing the
// page says how to build the console.
func (s *Server) MountConsole(files fs.FS) {
	assets := map[string]*asset{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		assets["/"+name] = newAsset(name, content)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logger.Error("reading the console's files", "error", err)
	}
	index := assets["/index.html"]
	if index == nil {
		index = newAsset("index.html", []byte(unbuilt))
	}
	s.Router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || isReserved(r.URL.Path) {
			notFound(w, r)
			return
		}
		h := w.Header()
		if file := assets[r.URL.Path]; file != nil && r.URL.Path != "/index.html" {
			h.Set("Content-Security-Policy", consolePolicy)
			cache := "no-cache"
			if strings.HasPrefix(r.URL.Path, "/assets/") {
				cache = "public, max-age=31536000, immutable"
			}
			file.serve(w, r, cache)
			return
		}
		if r.URL.Path != "/" && r.URL.Path != "/index.html" && (!strings.Contains(r.Header.Get("Accept"), "text/html") || strings.HasPrefix(r.URL.Path, "/assets/")) {
			notFound(w, r)
			return
		}
		h.Set("Content-Security-Policy", consolePolicy)
		index.serve(w, r, "no-cache")
	})
}

func isReserved(p string) bool {
	for _, prefix := range reserved {
		if strings.HasPrefix(p, prefix) || p == strings.TrimSuffix(prefix, "/") {
			return true
		}
	}
	return false
}

const unbuilt = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8" /><title>Quintet</title></head>
  <body>
    <h1>The console has not been built</h1>
    <p>Run <code>make console</code> and start Quintet again. The API works without it: see <a href="/docs">the documentation</a>.</p>
  </body>
</html>
`
