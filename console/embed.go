// Package console holds the web console: a TypeScript application in this
// folder whose build, in dist, is embedded in the binary. Without a build dist
// is empty, so that Go code compiles before the console has been built.
package console

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var built embed.FS

// FS returns the built console with index.html at its root; it is empty but
// for a marker file when the console was not built.
func FS() fs.FS {
	files, err := fs.Sub(built, "dist")
	if err != nil {
		return built // Sub fails only on an invalid path, and this one is constant.
	}
	return files
}
