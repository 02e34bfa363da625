package api

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed docs/index.html docs/start.js
var docsFiles embed.FS

// docsPolicy lets the page use its own scripts and styles and nothing from
// elsewhere. Swagger UI sets style attributes and has small images in its CSS.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// mountDocs serves the interactive documentation, Swagger UI, from the binary
// itself: the network of many a user reaches no content delivery network.
func mountDocs(router chi.Router) {
	files := map[string]*asset{}
	for _, f := range []struct {
		name, path string
		from       fs.FS
		zipped     bool
	}{
		{"index.html", "docs/index.html", docsFiles, false},
		{"start.js", "docs/start.js", docsFiles, false},
		{"swagger-ui.css", "swagger-ui.css.gz", static.FS, true},
		{"swagger-ui-bundle.js", "swagger-ui-bundle.js.gz", static.FS, true},
		{"favicon-32x32.png", "favicon-32x32.png", static.FS, false},
	} {
		content, err := fs.ReadFile(f.from, f.path)
		switch {
		case err != nil:
			continue // The names are those of embedded files; a test opens each of them.
		case f.zipped:
			files[f.name] = newZippedAsset(f.name, content)
		default:
			files[f.name] = newAsset(f.name, content)
		}
	}
	serve := func(w http.ResponseWriter, r *http.Request, name string) {
		f := files[name]
		if f == nil {
			notFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", docsPolicy)
		f.serve(w, r, "no-cache")
	}
	router.Get("/docs", func(w http.ResponseWriter, r *http.Request) { serve(w, r, "index.html") })
	router.Get("/docs/{file}", func(w http.ResponseWriter, r *http.Request) { serve(w, r, chi.URLParam(r, "file")) })
}
