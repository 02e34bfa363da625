// Package engines starts the three engines that everything rests on: Postgres,
// ClickHouse and NATS JetStream. Each is embedded unless a setting names a
// server, and the rest of the service cannot tell the difference.
package engines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"quintet/internal/clickhouse"
	"quintet/internal/config"
	"quintet/internal/engines/dirlock"
	"quintet/internal/postgres"
	"quintet/internal/stream"
)

// poolSize is the most connections to Postgres that one process opens.
const poolSize = 16

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
// [*dirlock.HeldError] when another process has it.
func Start(ctx context.Context, cfg config.Config, log *slog.Logger) (e *Engines, err error) {
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("finding the data directory: %w", err)
	}
	e = &Engines{dataDir: dir}
	if cfg.PostgresURL == "" || cfg.ClickHouseURL == "" || cfg.NATSURL == "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("creating the data directory: %w", err)
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

func (e *Engines) startPostgres(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	url := cfg.PostgresURL
	if url == "" {
		e.embedded, err = postgres.StartEmbedded(ctx, postgres.EmbeddedOptions{
			EnginesDir: cfg.EnginesDir, DataDir: filepath.Join(e.dataDir, "postgres"), Logger: log,
		})
		if err != nil {
			return fmt.Errorf("starting the embedded Postgres: %w", err)
		}
		url = e.embedded.URL(postgres.DefaultDatabase)
	}
	if e.Postgres, err = postgres.OpenPool(ctx, url, poolSize); err != nil {
		return fmt.Errorf("connecting to Postgres: %w", err)
	}
	return nil
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
	if e.ClickHouse, err = e.ClickHouseEngine.Database(ctx, cfg.ClickHouseDatabase); err != nil {
		return fmt.Errorf("opening the ClickHouse database %s: %w", cfg.ClickHouseDatabase, err)
	}
	return nil
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

// Health asks every engine, with a deadline of two seconds, and returns what
// each of them answers: nil when it works.
func (e *Engines) Health(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
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
// the stores. Further calls return what the first one did.
func (e *Engines) Close() error {
	e.closing.Do(func() {
		var errs []error
		if e.Stream != nil {
			errs = append(errs, e.Stream.Close())
		}
		if e.ClickHouseEngine != nil {
			errs = append(errs, e.ClickHouseEngine.Close())
		}
		if e.Postgres != nil {
			e.Postgres.Close()
		}
		if e.embedded != nil {
			errs = append(errs, e.embedded.Close())
		}
		if e.lock != nil {
			errs = append(errs, e.lock.Release())
		}
		e.closed = errors.Join(errs...)
	})
	return e.closed
}
