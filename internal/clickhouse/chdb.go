//go:build darwin || linux

package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// chdb is libchdb's C interface, bound without cgo. Pointers are the library's
// own and stay opaque here.
type chdb struct {
	connect        func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn      func(conn unsafe.Pointer)
	queryWithArgs  func(conn unsafe.Pointer, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	resultBuffer   func(result unsafe.Pointer) unsafe.Pointer
	resultLength   func(result unsafe.Pointer) uintptr
	resultError    func(result unsafe.Pointer) string
	rowsRead       func(result unsafe.Pointer) uint64
	bytesRead      func(result unsafe.Pointer) uint64
	rowsWritten    func(result unsafe.Pointer) uint64
	bytesWritten   func(result unsafe.Pointer) uint64
	destroyResult  func(result unsafe.Pointer)
	enableHandlers func(enabled int32)
	signals        *signalGuard
}

// loadLibrary loads libchdb from path and switches its signal handlers off.
func loadLibrary(path string) (*chdb, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("loading libchdb: %w", err)
	}
	lib := &chdb{}
	for name, target := range map[string]any{
		"chdb_connect":                     &lib.connect,
		"chdb_close_conn":                  &lib.closeConn,
		"chdb_query_with_params_n":         &lib.queryWithArgs,
		"chdb_result_buffer":               &lib.resultBuffer,
		"chdb_result_length":               &lib.resultLength,
		"chdb_result_error":                &lib.resultError,
		"chdb_result_storage_rows_read":    &lib.rowsRead,
		"chdb_result_storage_bytes_read":   &lib.bytesRead,
		"chdb_result_rows_written":         &lib.rowsWritten,
		"chdb_result_bytes_written":        &lib.bytesWritten,
		"chdb_destroy_query_result":        &lib.destroyResult,
		"chdb_set_signal_handlers_enabled": &lib.enableHandlers,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("loading libchdb: %w", err)
		}
		purego.RegisterFunc(target, symbol)
	}
	if lib.signals, err = newSignalGuard(); err != nil {
		return nil, fmt.Errorf("loading libchdb: %w", err)
	}
	lib.signals.keep(func() { lib.enableHandlers(0) })
	return lib, nil
}

// lockedByOther reports whether another process holds the data in dir, and what
// ClickHouse wrote about that process.
func lockedByOther(dir string) (string, bool) {
	path := filepath.Join(dir, "status")
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return "", false
	}
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return "", true
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first), true
}

// errNoConnection is what libchdb tells when it cannot open a path: nothing.
// Its own message goes to standard error.
var errNoConnection = errors.New("libchdb refused to open it (its own message is on standard error)")

// open starts a connection to the data in dir. The first one of the process
// starts the engine.
func (lib *chdb) open(dir string) (unsafe.Pointer, error) {
	argv := []*byte{
		cString("clickhouse"),
		cString("--path=" + dir),
		// Otherwise it would take a config.xml that happens to be in the
		// working directory or the home of the user.
		cString("--config-file=" + filepath.Join(dir, "config.xml")),
		nil,
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	for _, arg := range argv[:len(argv)-1] {
		pins.Pin(arg)
	}
	pins.Pin(&argv[0])
	var conn unsafe.Pointer
	lib.signals.keep(func() { conn = lib.connect(int32(len(argv)-1), unsafe.Pointer(&argv[0])) })
	if conn == nil || *(*unsafe.Pointer)(conn) == nil {
		return nil, errNoConnection
	}
	return conn, nil
}

// close ends a connection. With the last one, the engine stops.
func (lib *chdb) close(conn unsafe.Pointer) { lib.closeConn(conn) }

// nativeResult is the outcome of one query, in the library's memory until
// free is called.
type nativeResult struct {
	lib    *chdb
	handle unsafe.Pointer
}

// query runs one statement. params fill its {name:Type} placeholders.
func (lib *chdb) query(conn unsafe.Pointer, sql, format string, params map[string]string) (nativeResult, error) {
	var pins runtime.Pinner
	defer pins.Unpin()
	bytesOf := func(s string) unsafe.Pointer {
		b := cString(s)
		pins.Pin(b)
		return unsafe.Pointer(b)
	}
	var names, nameLens, values, valueLens unsafe.Pointer
	if n := len(params); n > 0 {
		columns := [2][]unsafe.Pointer{make([]unsafe.Pointer, 0, n), make([]unsafe.Pointer, 0, n)}
		lengths := [2][]uintptr{make([]uintptr, 0, n), make([]uintptr, 0, n)}
		for name, value := range params {
			for i, s := range [2]string{name, value} {
				columns[i] = append(columns[i], bytesOf(s))
				lengths[i] = append(lengths[i], uintptr(len(s)))
			}
		}
		for i := range columns {
			pins.Pin(&columns[i][0])
			pins.Pin(&lengths[i][0])
		}
		names, values = unsafe.Pointer(&columns[0][0]), unsafe.Pointer(&columns[1][0])
		nameLens, valueLens = unsafe.Pointer(&lengths[0][0]), unsafe.Pointer(&lengths[1][0])
	}
	handle := lib.queryWithArgs(*(*unsafe.Pointer)(conn), bytesOf(sql), uintptr(len(sql)),
		bytesOf(format), uintptr(len(format)), names, nameLens, values, valueLens, uintptr(len(params)))
	if handle == nil {
		return nativeResult{}, errors.New("libchdb gave no result")
	}
	r := nativeResult{lib: lib, handle: handle}
	if text := lib.resultError(handle); text != "" {
		r.free()
		return nativeResult{}, parseException(text)
	}
	return r, nil
}

// bytes is the output of the query. It is the library's memory: it must not be
// used after free.
func (r nativeResult) bytes() []byte {
	n := r.lib.resultLength(r.handle)
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(r.lib.resultBuffer(r.handle)), n)
}

// summary tells how much the query read and wrote.
func (r nativeResult) summary() summary {
	return summary{
		readRows: r.lib.rowsRead(r.handle), readBytes: r.lib.bytesRead(r.handle),
		writtenRows: r.lib.rowsWritten(r.handle), writtenBytes: r.lib.bytesWritten(r.handle),
	}
}

func (r nativeResult) free() { r.lib.destroyResult(r.handle) }

// cString copies s into memory that ends with a zero byte.
func cString(s string) *byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0]
}
