//go:build !unix

package postgres

import (
	"context"
	"runtime"
)

var readOnlyErrors []error

// Embedded is a running embedded server; there is none for this system.
type Embedded struct{}

// StartEmbedded returns an error that says so.
func StartEmbedded(_ context.Context, o EmbeddedOptions) (*Embedded, error) {
	_, err := findBinaries(o.EnginesDir, runtime.GOOS, runtime.GOARCH)
	return nil, err
}

// URL returns "".
func (e *Embedded) URL(string) string { return "" }

// Close does nothing.
func (e *Embedded) Close() error { return nil }

// Scrub does nothing.
func (e *Embedded) Scrub(context.Context, string, []string) error { return nil }
