//go:build unix

package clickhouse

import "golang.org/x/sys/unix"

// syncDisks has the operating system write what it holds back.
func syncDisks() { unix.Sync() }
