//go:build !unix

package clickhouse

// syncDisks does nothing where there is no embedded engine.
func syncDisks() {}
