//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"quintet/internal/engines/dirlock"
)

const (
	startDeadline  = 2 * time.Minute // includes replaying up to max_wal_size after a crash
	portAttempts   = 5
	readyInterval  = 10 * time.Millisecond
	connectTimeout = 5 * time.Second

	// A server that ends without having been told to is started again after this,
	// doubled for each failure in a row.
	restartDelay    = 200 * time.Millisecond
	maxRestartDelay = 30 * time.Second
)

// errPortTaken says that somebody took the chosen port before the server could.
var errPortTaken = errors.New("the chosen port is taken")

// Embedded is a running embedded server.
type Embedded struct {
	cluster   cluster
	binaries  binaries
	id        identity
	ephemeral bool
	logger    *slog.Logger
	port      int
	lock      *dirlock.Lock

	closeOnce sync.Once
	closing   chan struct{} // closed when Close is called
	stopped   chan error    // what stopping the server returned; one value
	closeErr  error
}

// StartEmbedded starts Postgres on o.DataDir, making the cluster, the role that the
// service uses and its database at first, and returns when it answers queries. A server
// that a killed process left running there is stopped before; what it had committed is
// kept.
//
// The error matches ErrNotInstalled when the binaries are missing, and is a
// *dirlock.HeldError when another process uses the directory. ctx bounds the start only.
func StartEmbedded(ctx context.Context, o EmbeddedOptions) (*Embedded, error) {
	e, err := startEmbedded(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("starting embedded postgres: %w", err)
	}
	return e, nil
}

func startEmbedded(ctx context.Context, o EmbeddedOptions) (_ *Embedded, err error) {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	b, err := findBinaries(o.EnginesDir, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("finding the data directory: %w", err)
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	e := &Embedded{
		cluster: cluster{dir: dir}, ephemeral: o.Ephemeral, logger: o.Logger,
		closing: make(chan struct{}), stopped: make(chan error, 1),
	}
	if e.logger == nil {
		e.logger = slog.Default()
	}
	e.logger = e.logger.With("engine", "postgres")
	if e.lock, err = dirlock.Acquire(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.lock.Release())
		}
	}()
	if err := e.prepare(ctx, b); err != nil {
		return nil, err
	}
	p, err := e.startOnFreePort(ctx)
	if err != nil {
		return nil, err
	}
	go e.supervise(p)
	if err := e.ensureDatabase(ctx); err != nil {
		return nil, errors.Join(err, e.stopServer())
	}
	return e, nil
}

// prepare does what comes before starting the server: libraries, passwords, the account,
// left-over processes, the cluster.
func (e *Embedded) prepare(ctx context.Context, b binaries) (err error) {
	c := &e.cluster
	if e.binaries, err = b.linkLibraries(c.libDir()); err != nil {
		return err
	}
	if c.password, err = readOrMakePassword(filepath.Join(c.dir, "password")); err != nil {
		return err
	}
	if c.superuserPassword, err = readOrMakePassword(filepath.Join(c.dir, "superuser-password")); err != nil {
		return err
	}
	if e.id, err = chooseIdentity(c.dataDir()); err != nil {
		return err
	}
	if err := e.id.allowRunning(b.initdb(), b.postgres()); err != nil {
		return err
	}
	native := filepath.Join(b.root, "native")
	e.id, err = e.id.reachability(
		place{c.dir, 0o1}, place{b.initdb(), 0o5}, place{b.postgres(), 0o5},
		place{filepath.Join(native, "lib", "postgresql"), 0o5}, place{filepath.Join(native, "share", "postgresql"), 0o5},
	)
	if err != nil {
		return err
	}
	exists, err := c.exists()
	if err != nil {
		return err
	}
	if !exists {
		return c.initialise(ctx, e.binaries, e.id, e.ephemeral, e.logger)
	}
	if err := e.clearOrphans(ctx); err != nil {
		return err
	}
	if owner, _, _, err := ownerOf(c.dataDir()); err != nil || owner == e.id.uid {
		return err
	}
	return e.id.give(c.dataDir())
}

// clearOrphans makes the cluster free to be started.
func (e *Embedded) clearOrphans(ctx context.Context) error {
	stopped, err := stopOrphans(ctx, e.cluster.dataDir(), e.id)
	if err != nil {
		return err
	}
	if stopped > 0 {
		e.logger.Info("stopped a server that a killed process had left running", "processes", stopped)
	}
	return clearStalePID(e.cluster.dataDir())
}

// startOnFreePort starts the server on a port that the system picks. Between picking and
// using it somebody else may take it, so there is more than one attempt.
func (e *Embedded) startOnFreePort(ctx context.Context) (*process, error) {
	for attempt := 1; ; attempt++ {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		p, err := e.launch(ctx, port)
		if err == nil {
			e.port = port
			return p, nil
		}
		if attempt == portAttempts || !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("finding a free port: got the address %s", listener.Addr())
	}
	return address.Port, nil
}

// launch starts the server and waits until it answers.
func (e *Embedded) launch(ctx context.Context, port int) (*process, error) {
	log := newServerLog(e.logger)
	// An interrupt is Postgres's fast shutdown: it finishes what is needed for a start
	// without recovery. What is thrown away anyway may stop at once.
	deathSignal := syscall.SIGINT
	if e.ephemeral {
		deathSignal = syscall.SIGQUIT
	}
	p, err := startProcess(e.binaries, e.id, e.binaries.postgres(), e.cluster.serverArguments(port, e.ephemeral), deathSignal, log)
	if err != nil {
		return nil, err
	}
	if err := e.awaitReady(ctx, p, port); err != nil {
		if p.running() {
			return nil, errors.Join(err, e.stop(p))
		}
		if log.contains("could not bind") {
			return nil, fmt.Errorf("%w: %w", errPortTaken, p.endReason(log))
		}
		return nil, fmt.Errorf("the server did not start: %w", p.endReason(log))
	}
	return p, nil
}

// awaitReady waits until the superuser can connect.
func (e *Embedded) awaitReady(ctx context.Context, p *process, port int) error {
	address := e.address(superuser, e.cluster.superuserPassword, superuser, port)
	for {
		err := probe(ctx, address)
		if err == nil {
			return nil
		}
		if code := sqlState(err); code == "28P01" || code == "28000" {
			// Either our passwords are not the cluster's, or another Postgres is on
			// the port, and then ours is about to end.
			if p.waitFor(time.Second) {
				return err
			}
			return fmt.Errorf("the password file of %s is not the one that its cluster was made with: %w", e.cluster.dir, err)
		}
		select {
		case <-p.done:
			return err
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w (last: %w)", ctx.Err(), err)
		case <-time.After(readyInterval):
		}
	}
}

// probe connects and disconnects.
func probe(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	connection, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	return connection.Close(ctx)
}

func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// supervise owns the process: it starts the server again when it ends by itself (killed
// for want of memory, say), and stops it when Close asks.
func (e *Embedded) supervise(p *process) {
	delay := restartDelay
	for {
		select {
		case <-e.closing:
			e.stopped <- e.stop(p)
			return
		case <-p.done:
		}
		e.logger.Error("the server ended unexpectedly: starting it again", "reason", p.err)
		for {
			select {
			case <-e.closing:
				e.stopped <- nil
				return
			case <-time.After(delay):
			}
			next, err := e.relaunch()
			if err == nil {
				p, delay = next, restartDelay
				break
			}
			delay = min(2*delay, maxRestartDelay)
			e.logger.Error("the server cannot be started again", "error", err, "retryIn", delay)
		}
	}
}

// relaunch starts the server again on its port, so that pools find it.
func (e *Embedded) relaunch() (*process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	go func() {
		select {
		case <-e.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := e.clearOrphans(ctx); err != nil {
		return nil, err
	}
	return e.launch(ctx, e.port)
}

// stop ends the server, harder with each step.
func (e *Embedded) stop(p *process) error {
	steps := []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, fastStop}, {syscall.SIGQUIT, immediateStop}, {syscall.SIGKILL, killStop}}
	if e.ephemeral {
		steps = steps[1:]
	}
	for i, step := range steps {
		if i > 0 {
			e.logger.Warn("the server takes long to stop", "signal", step.signal)
		}
		if err := p.kill(step.signal); err != nil && p.running() {
			return fmt.Errorf("stopping the server: %w", err)
		}
		if p.waitFor(step.wait) {
			return nil
		}
	}
	return fmt.Errorf("stopping the server: process %d does not end", p.pid)
}

// ensureDatabase makes the service's role and its database, if they are not there.
func (e *Embedded) ensureDatabase(ctx context.Context) error {
	if probe(ctx, e.URL(DefaultDatabase)) == nil {
		return nil
	}
	connection, err := pgx.Connect(ctx, e.address(superuser, e.cluster.superuserPassword, superuser, e.port))
	if err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	defer func() { _ = connection.Close(ctx) }()
	verb := "CREATE"
	var exists bool
	if err := connection.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, applicationRole).Scan(&exists); err != nil {
		return fmt.Errorf("making the role %s: %w", applicationRole, err)
	}
	if exists {
		verb = "ALTER"
	}
	// No superuser: SQL cannot reach files or programs through this role.
	var statement string
	if err := connection.QueryRow(ctx, `SELECT format('%s ROLE %I LOGIN CREATEDB PASSWORD %L', $1::text, $2::text, $3::text)`,
		verb, applicationRole, e.cluster.password).Scan(&statement); err != nil {
		return fmt.Errorf("making the role %s: %w", applicationRole, err)
	}
	if _, err := connection.Exec(ctx, statement); err != nil {
		return fmt.Errorf("making the role %s: %w", applicationRole, err)
	}
	if err := connection.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, DefaultDatabase).Scan(&exists); err != nil {
		return fmt.Errorf("making the database %s: %w", DefaultDatabase, err)
	}
	if exists {
		return nil
	}
	name, owner := pgx.Identifier{DefaultDatabase}.Sanitize(), pgx.Identifier{applicationRole}.Sanitize()
	if _, err := connection.Exec(ctx, "CREATE DATABASE "+name+" OWNER "+owner); err != nil {
		return fmt.Errorf("making the database %s: %w", DefaultDatabase, err)
	}
	return nil
}

// URL returns the connection string of a database for the service's role, password
// included. The role may create databases; DefaultDatabase is there from the start.
func (e *Embedded) URL(database string) string {
	return e.address(applicationRole, e.cluster.password, database, e.port)
}

func (e *Embedded) address(role, password, database string, port int) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Close stops the server, ending open connections, within half a minute. Closing twice
// is the same as once.
func (e *Embedded) Close() error {
	e.closeOnce.Do(func() {
		e.closeErr = errors.Join(e.stopServer(), e.lock.Release())
		if e.closeErr != nil {
			e.closeErr = fmt.Errorf("closing embedded postgres: %w", e.closeErr)
		}
	})
	return e.closeErr
}

// stopServer has supervise stop the server. It is called once.
func (e *Embedded) stopServer() error {
	close(e.closing)
	return <-e.stopped
}
