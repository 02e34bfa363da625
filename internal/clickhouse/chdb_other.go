//go:build !darwin && !linux

package clickhouse

import (
	"fmt"
	"runtime"
	"unsafe"
)

// chdb stands in for libchdb where there is none; nothing of it is reached,
// as loadLibrary always fails.
type chdb struct{}

type nativeResult struct{}

func loadLibrary(string) (*chdb, error) {
	return nil, fmt.Errorf("%w for %s/%s", ErrNoEmbeddedEngine, runtime.GOOS, runtime.GOARCH)
}

func (*chdb) open(string) (unsafe.Pointer, error) { return nil, ErrNoEmbeddedEngine }

func (*chdb) close(unsafe.Pointer) {}

func (*chdb) query(unsafe.Pointer, string, string, map[string]string) (nativeResult, error) {
	return nativeResult{}, ErrNoEmbeddedEngine
}

func (nativeResult) bytes() []byte { return nil }

func (nativeResult) summary() summary { return summary{} }

func (nativeResult) free() {}

func lockedByOther(string) (string, bool) { return "", false }
