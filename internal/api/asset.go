package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// asset is one static file in memory with its compressed form.
type asset struct {
	name  string
	etag  string
	plain func() ([]byte, error)
	zip   func() []byte
}

// newAsset makes an asset of a file's content.
func newAsset(name string, content []byte) *asset {
	return &asset{
		name: name, etag: etagOf(content),
		plain: func() ([]byte, error) { return content, nil },
		zip:   sync.OnceValue(func() []byte { return compress(name, content) }),
	}
}

// newZippedAsset makes an asset of a file that is stored compressed.
func newZippedAsset(name string, zipped []byte) *asset {
	return &asset{
		name: name, etag: etagOf(zipped),
		plain: sync.OnceValues(func() ([]byte, error) {
			r, err := gzip.NewReader(bytes.NewReader(zipped))
			if err != nil {
				return nil, fmt.Errorf("decompressing %s: %w", name, err)
			}
			return io.ReadAll(r)
		}),
		zip: func() []byte { return zipped },
	}
}

func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// compress is content with gzip, nil for what would not shrink.
func compress(name string, content []byte) []byte {
	switch path.Ext(name) {
	case ".js", ".css", ".html", ".svg", ".json", ".map", ".txt", ".wasm":
	default:
		return nil
	}
	if len(content) < 1024 {
		return nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	// Writing to memory does not fail.
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

// serve answers with the file; cacheControl is sent as it is.
func (a *asset) serve(w http.ResponseWriter, r *http.Request, cacheControl string) {
	h := w.Header()
	h.Set("Cache-Control", cacheControl)
	h.Set("ETag", a.etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == a.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	content := a.zip()
	if content != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
	} else {
		var err error
		if content, err = a.plain(); err != nil {
			WriteProblem(w, r, err)
			return
		}
	}
	kind := mime.TypeByExtension(path.Ext(a.name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", fmt.Sprint(len(content)))
	if r.Method != http.MethodHead {
		// The caller went away when this fails.
		_, _ = w.Write(content)
	}
}
