// Package engines starts the three engines that everything rests on: Postgres,
// ClickHouse and NATS JetStream. Each is embedded unless a setting names a
// server, and the rest of the service cannot tell the difference.
//
// What embedded engines keep is in one data directory, which one process has at
// a time:
//
//	lock                   held by the process
//	postgres/              see package postgres
//	clickhouse/            see package clickhouse
//	stream/                see package stream
//	clickhouse-reader.env  SQL user of the embedded ClickHouse (mode 0600)
package engines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"quintet/internal/clickhouse"
	"quintet/internal/config"
	"quintet/internal/engines/dirlock"
	"quintet/internal/postgres"
	"quintet/internal/stream"
)

const (
	// poolSize is the most connections to Postgres that one process opens.
	poolSize = 16
	// healthDeadline bounds Health.
	healthDeadline = 2 * time.Second
	// poolPatience is how long Close waits for connections to Postgres that are
	// still in use.
	poolPatience = 5 * time.Second
)

// Engines are the running engines.
type Engines struct {
	Postgres         *pgxpool.Pool
	ClickHouse       *clickhouse.Database
	ClickHouseEngine *clickhouse.Engine
	Stream           *stream.Stream

	dataDir  string
	lock     *dirlock.Lock
	embedded *postgres.Embedded
	closing  sync.Once
	closed   error
}

// Start starts or connects to the engines side by side. With any of them
// embedded it takes the data directory for this process alone, and returns a
// [*dirlock.HeldError] when another process has it. The error matches
// postgres.ErrNotInstalled or clickhouse.ErrNoEmbeddedEngine when an embedded
// engine is wanted and missing. ctx bounds the start only.
func Start(ctx context.Context, cfg config.Config, log *slog.Logger) (*Engines, error) {
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("finding the data directory: %w", err)
	}
	e := &Engines{dataDir: dir}
	if cfg.PostgresURL == "" || cfg.ClickHouseURL == "" || cfg.NATSURL == "" {
		if err := makeDataDir(dir); err != nil {
			return nil, err
		}
		if e.lock, err = dirlock.Acquire(dir); err != nil {
			return nil, err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.startPostgres(ctx, cfg, log) })
	group.Go(func() error { return e.startClickHouse(ctx, cfg, log) })
	group.Go(func() error { return e.startStream(ctx, cfg, log) })
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// makeDataDir creates the data directory, closed to others. Under root others may
// pass it, but not list it: the embedded Postgres runs as another account then.
func makeDataDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	err := os.MkdirAll(dir, mode)
	if err == nil {
		err = os.Chmod(dir, mode) // the umask may have taken what was asked for
	}
	if err != nil {
		return fmt.Errorf("creating the data directory: %w", err)
	}
	return nil
}

func (e *Engines) startPostgres(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	url := cfg.PostgresURL
	if url == "" {
		e.embedded, err = postgres.StartEmbedded(ctx, postgres.EmbeddedOptions{
			EnginesDir: cfg.EnginesDir, DataDir: filepath.Join(e.dataDir, "postgres"), Logger: log,
		})
		if err != nil {
			return err
		}
		url = e.embedded.URL(postgres.DefaultDatabase)
	}
	e.Postgres, err = postgres.OpenPool(ctx, url, poolSize)
	return err
}

func (e *Engines) startClickHouse(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if cfg.ClickHouseURL != "" {
		e.ClickHouseEngine, err = clickhouse.OpenExternal(ctx, cfg.ClickHouseURL)
	} else {
		var library string
		if library, err = clickhouse.LibraryPath(cfg.EnginesDir); err != nil {
			return err
		}
		e.ClickHouseEngine, err = clickhouse.OpenEmbedded(ctx, clickhouse.EmbeddedOptions{
			LibraryPath: library, DataDir: filepath.Join(e.dataDir, "clickhouse"), Logger: log,
		})
	}
	if err != nil {
		return fmt.Errorf("starting ClickHouse: %w", err)
	}
	e.ClickHouse, err = e.ClickHouseEngine.Database(ctx, cfg.ClickHouseDatabase)
	return err
}

func (e *Engines) startStream(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	e.Stream, err = stream.Open(ctx, stream.Options{
		DataDir: filepath.Join(e.dataDir, "stream"), URL: cfg.NATSURL, MaxBytes: cfg.StreamMaxBytes,
		SyncAlways: cfg.StreamSync, Replicas: cfg.StreamReplicas, Logger: log,
	})
	if err != nil {
		return fmt.Errorf("starting the stream: %w", err)
	}
	return nil
}

// ScrubPostgres sees to it that the files of an embedded Postgres do not hold what was
// deleted from the tables, see [postgres.Embedded.Scrub], and reports true. The tables of
// a server elsewhere are vacuumed; its log and its backups are for its operator.
func (e *Engines) ScrubPostgres(ctx context.Context, tables []string) (bytes bool, err error) {
	if e.embedded != nil {
		return true, e.embedded.Scrub(ctx, postgres.DefaultDatabase, tables)
	}
	for _, table := range tables {
		if _, err := e.Postgres.Exec(ctx, "VACUUM (ANALYZE) "+pgx.Identifier{table}.Sanitize()); err != nil {
			return false, fmt.Errorf("vacuuming the table %s: %w", table, err)
		}
	}
	return false, nil
}

// Health asks every engine, with a deadline of two seconds, and returns what
// each of "postgres", "clickhouse" and "stream" answers: nil when it works.
func (e *Engines) Health(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, healthDeadline)
	defer cancel()
	out := make(map[string]error, 3)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, ping := range map[string]func(context.Context) error{
		"postgres": e.Postgres.Ping, "clickhouse": e.ClickHouseEngine.Ping, "stream": e.Stream.Ping,
	} {
		wg.Go(func() {
			err := ping(ctx)
			mu.Lock()
			defer mu.Unlock()
			out[name] = err
		})
	}
	wg.Wait()
	return out
}

// Close stops the engines: the stream first, as nothing may enter any more, then
// the two stores side by side. It is bounded by about half a minute. Further
// calls return what the first one did.
func (e *Engines) Close() error {
	e.closing.Do(func() {
		var errs []error
		if e.Stream != nil {
			errs = append(errs, e.Stream.Close())
		}
		clickhouseClosed := make(chan error, 1)
		go func() {
			if e.ClickHouseEngine == nil {
				clickhouseClosed <- nil
				return
			}
			clickhouseClosed <- e.ClickHouseEngine.Close()
		}()
		errs = append(errs, e.closePostgres(), <-clickhouseClosed, e.lock.Release())
		e.closed = errors.Join(errs...)
	})
	return e.closed
}

// closePostgres closes the pool and then the server. The pool waits for whoever
// holds a connection without a bound of its own; stopping the server, or the end
// of the process, frees those.
func (e *Engines) closePostgres() error {
	var errs []error
	if e.Postgres != nil {
		closed := make(chan struct{})
		go func() {
			e.Postgres.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(poolPatience):
			errs = append(errs, fmt.Errorf("closing the connections to postgres: %d are still in use after %s", e.Postgres.Stat().AcquiredConns(), poolPatience))
		}
	}
	if e.embedded != nil {
		errs = append(errs, e.embedded.Close())
	}
	return errors.Join(errs...)
}
