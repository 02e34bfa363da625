package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// EmbeddedOptions say where the embedded engine is and where it keeps its data.
type EmbeddedOptions struct {
	LibraryPath string       // libchdb, see [LibraryPath]
	DataDir     string       // created when missing; one process at a time
	Readers     int          // queries that run side by side; 8 when zero
	Logger      *slog.Logger // slog.Default() when nil
}

const (
	// What the service does in the background takes up to half of these.
	defaultReaders = 8
	maxReaders     = 64
	// closePatience is how long Close waits for running queries, and then
	// again for those that it cancelled.
	closePatience = 10 * time.Second
	// maxInsertBytes bounds the rows of one INSERT.
	maxInsertBytes = 1 << 30
)

// ErrInUse says that the data directory already has an engine on it.
var ErrInUse = errors.New("the ClickHouse data is in use")

// ErrClosed is returned by an engine that was closed.
var ErrClosed = errors.New("the ClickHouse engine is closed")

// process holds what libchdb itself keeps once per process: the loaded library
// and the one directory that can be open.
var process struct {
	mu      sync.Mutex
	lib     *chdb
	libPath string
	openDir string
}

// embedded is libchdb with its connections.
type embedded struct {
	lib     *chdb
	dir     string // data
	tempDir string // rows of inserts, where memory files are missing
	log     *slog.Logger

	readers *pool
	writer  *pool

	controlMu sync.Mutex
	control   *session // cancels queries of the others

	stateMu sync.Mutex
	closed  bool
	running sync.WaitGroup
	lastTag atomic.Uint64

	patience time.Duration // of close, see closePatience
}

func openEmbedded(o EmbeddedOptions) (_ *embedded, err error) {
	if o.Readers == 0 {
		o.Readers = defaultReaders
	}
	if o.Readers < 1 || o.Readers > maxReaders {
		return nil, fmt.Errorf("opening the embedded ClickHouse: readers must be 1 to %d, not %d", maxReaders, o.Readers)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("opening the embedded ClickHouse: %w", err)
	}
	e := &embedded{dir: dir, tempDir: filepath.Join(dir, "tmp"), log: o.Logger, patience: closePatience}
	// The library starts its background tasks only where it finds metadata;
	// without them a DROP ... SYNC waits for ever and dropped data stays on disk.
	for _, sub := range []string{e.tempDir, filepath.Join(dir, "metadata")} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, fmt.Errorf("opening the embedded ClickHouse: %w", err)
		}
	}
	if err := writeServerConfig(dir); err != nil {
		return nil, fmt.Errorf("opening the embedded ClickHouse: %w", err)
	}
	if err := e.claim(o.LibraryPath); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.disconnect()
		}
	}()
	if e.control, err = openSession(e.lib, dir); err != nil {
		return nil, fmt.Errorf("opening the embedded ClickHouse in %s: %w", dir, err)
	}
	base := map[string]string{
		// Figures must not depend on the machine's time zone.
		"session_timezone":   "UTC",
		"max_query_size":     strconv.Itoa(maxStatementBytes),
		"max_result_bytes":   strconv.Itoa(1 << 30),
		"max_execution_time": "3600",
		// Threads that only format rows cost a short query a third of its time.
		"output_format_parallel_formatting": "0",
		// Reports and the building of models stand behind what answers requests.
		"os_thread_priority": "5",
	}
	if e.readers, err = newPool(e, o.Readers, base); err != nil {
		return nil, fmt.Errorf("opening the embedded ClickHouse in %s: %w", dir, err)
	}
	// An insert is in no hurry: one thread, behind those that answer requests.
	behind := maps.Clone(base)
	behind["max_threads"], behind["max_insert_threads"], behind["os_thread_priority"] = "1", "1", "10"
	if e.writer, err = newPool(e, 1, behind); err != nil {
		return nil, fmt.Errorf("opening the embedded ClickHouse in %s: %w", dir, err)
	}
	return e, nil
}

// claim loads the library and takes the directory for this process.
func (e *embedded) claim(path string) error {
	process.mu.Lock()
	defer process.mu.Unlock()
	if process.openDir != "" {
		return fmt.Errorf("opening the embedded ClickHouse in %s: %w: libchdb opens one directory per process, and this one has %s open", e.dir, ErrInUse, process.openDir)
	}
	if process.lib == nil {
		lib, err := loadLibrary(path)
		if err != nil {
			return fmt.Errorf("opening the embedded ClickHouse: %w", err)
		}
		process.lib, process.libPath = lib, path
	} else if process.libPath != path {
		return fmt.Errorf("opening the embedded ClickHouse: this process has already loaded %s", process.libPath)
	}
	if owner, locked := lockedByOther(e.dir); locked {
		return fmt.Errorf("opening the embedded ClickHouse in %s: %w by another process (%s): stop it, or give this one a data directory of its own", e.dir, ErrInUse, owner)
	}
	process.openDir = e.dir
	e.lib = process.lib
	return nil
}

// enter counts a query in, so that Close waits for it.
func (e *embedded) enter() error {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.running.Add(1)
	return nil
}

func (e *embedded) leave() { e.running.Done() }

// execute runs the statement on the session under settings; put takes the session back
// afterwards.
func (e *embedded) execute(ctx context.Context, st *statement, s *session, settings map[string]string, put func(*session)) (*answer, error) {
	tag := fmt.Sprintf("/*q%d*/ ", e.lastTag.Add(1))
	type outcome struct {
		answer *answer
		err    error
	}
	var cancelled atomic.Bool
	ended := make(chan outcome, 1)
	finished := make(chan struct{})
	go func() {
		defer e.leave()
		defer close(finished)
		var o outcome
		if o.err = s.prepare(st.database, settings); o.err == nil && !cancelled.Load() {
			o.answer, o.err = s.run(st, tag)
		}
		// A query that is killed as it ends can leave its result on the connection,
		// where the next question would get it as its answer.
		s.stale = s.stale || cancelled.Load() || o.err != nil
		st.release()
		put(s)
		ended <- o
	}()
	select {
	case o := <-ended:
		return o.answer, o.err
	case <-ctx.Done():
		cancelled.Store(true)
		go e.cancel(tag, finished)
		return nil, ctx.Err()
	}
}

// cancel kills the query that carries the tag, until it is gone: it may not
// have started when the first attempt is made.
func (e *embedded) cancel(tag string, finished <-chan struct{}) {
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		select {
		case <-finished:
			return
		case <-time.After(wait):
		}
		if err := e.kill("startsWith(query, " + quoteString(tag) + ")"); err != nil {
			e.log.Warn("cancelling a ClickHouse query", "error", err)
		}
	}
}

func (e *embedded) kill(where string) error {
	e.controlMu.Lock()
	defer e.controlMu.Unlock()
	if e.control == nil {
		return nil
	}
	return e.control.exec("KILL QUERY WHERE " + where + " ASYNC")
}

// withDeadline lowers max_execution_time to what the caller can wait for.
func withDeadline(settings map[string]string, left time.Duration) map[string]string {
	seconds := executionSeconds(left)
	if asked, err := strconv.ParseFloat(settings["max_execution_time"], 64); err == nil && asked > 0 {
		seconds = min(seconds, executionSeconds(time.Duration(asked*float64(time.Second))))
	}
	return settingsFor(settings, &statement{settings: map[string]string{"max_execution_time": strconv.Itoa(seconds)}})
}

// close waits for running queries, cancels those that take too long, and stops
// the engine. The process may then open another directory.
func (e *embedded) close() error {
	e.stateMu.Lock()
	if e.closed {
		e.stateMu.Unlock()
		return nil
	}
	e.closed = true
	e.stateMu.Unlock()
	if !e.drained(e.patience) {
		e.log.Warn("cancelling ClickHouse queries that still run")
		if err := e.kill("startsWith(query, '/*q')"); err != nil {
			e.log.Warn("cancelling ClickHouse queries", "error", err)
		}
		if !e.drained(e.patience) {
			return errors.New("closing the embedded ClickHouse: queries still run; its data stays open until the process ends")
		}
	}
	e.disconnect()
	return nil
}

// drained waits for the running queries, as long as patience lasts.
func (e *embedded) drained(patience time.Duration) bool {
	done := make(chan struct{})
	go func() {
		e.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(patience):
		return false
	}
}

func (e *embedded) disconnect() {
	for _, p := range []*pool{e.readers, e.writer} {
		if p != nil {
			p.close()
		}
	}
	e.controlMu.Lock()
	if e.control != nil {
		e.control.close()
		e.control = nil
	}
	e.controlMu.Unlock()
	process.mu.Lock()
	process.openDir = ""
	process.mu.Unlock()
}
