package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// Engine is a ClickHouse, embedded or external.
type Engine struct {
	local   *embedded     // nil when external
	options *chgo.Options // address and credentials; external only

	mu        sync.Mutex
	admin     *Database
	databases map[string]*Database
	closed    bool
}

// OpenEmbedded starts the ClickHouse in libchdb on a data directory. A process
// has one at a time: a second one, and a second process on the same directory,
// get an error that wraps [ErrInUse]. The context bounds the start.
func OpenEmbedded(ctx context.Context, o EmbeddedOptions) (*Engine, error) {
	local, err := openEmbedded(o)
	if err != nil {
		return nil, err
	}
	return start(ctx, &Engine{local: local})
}

// OpenExternal connects to a ClickHouse server:
// clickhouse://user:password@host:9000/db speaks the native protocol (with
// ?secure=true over TLS), http:// and https:// the HTTP one. Further
// parameters of the address are those of clickhouse-go's DSN.
func OpenExternal(ctx context.Context, address string) (*Engine, error) {
	options, err := parseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("connecting to ClickHouse: %w", err)
	}
	return start(ctx, &Engine{options: options})
}

func start(ctx context.Context, e *Engine) (*Engine, error) {
	e.databases = map[string]*Database{}
	admin, err := e.connect("")
	if err == nil {
		e.admin = admin
		err = e.Ping(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to ClickHouse: %w", err), e.Close())
	}
	return e, nil
}

func parseAddress(address string) (*chgo.Options, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address is not a URL") // the cause would show the password
	}
	switch u.Scheme {
	case "clickhouse", "tcp", "http":
	case "https":
		q := u.Query()
		q.Set("secure", "true")
		u.RawQuery = q.Encode()
	default:
		return nil, fmt.Errorf("the address must begin with clickhouse://, http:// or https://, not %q", u.Scheme+"://")
	}
	return chgo.ParseDSN(u.String())
}

// databaseName is what a database may be called here: a plain identifier, so
// that it needs no quoting anywhere.
var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

func checkDatabaseName(name string) error {
	if !databaseName.MatchString(name) {
		return fmt.Errorf("database name %q must be a letter or underscore followed by at most 62 letters, digits or underscores", name)
	}
	if strings.EqualFold(name, "system") || strings.EqualFold(name, "information_schema") {
		return fmt.Errorf("database name %q is ClickHouse's own", name)
	}
	return nil
}

// Database returns the database with the given name and creates it when it is
// missing. The same name gives the same value.
func (e *Engine) Database(ctx context.Context, name string) (*Database, error) {
	if err := checkDatabaseName(name); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if d, ok := e.databases[name]; ok {
		return d, nil
	}
	if err := e.admin.Read.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quoteIdentifier(name)); err != nil {
		return nil, fmt.Errorf("creating ClickHouse database %s: %w", name, err)
	}
	d, err := e.connect(name)
	if err != nil {
		return nil, fmt.Errorf("opening ClickHouse database %s: %w", name, err)
	}
	e.databases[name] = d
	return d, nil
}

// DropDatabase removes a database with all that is in it, when it exists.
func (e *Engine) DropDatabase(ctx context.Context, name string) error {
	if err := checkDatabaseName(name); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if d, ok := e.databases[name]; ok {
		delete(e.databases, name)
		if err := d.close(); err != nil {
			return fmt.Errorf("closing ClickHouse database %s: %w", name, err)
		}
	}
	if err := e.admin.Read.Exec(ctx, "DROP DATABASE IF EXISTS "+quoteIdentifier(name)+" SYNC"); err != nil {
		return fmt.Errorf("dropping ClickHouse database %s: %w", name, err)
	}
	return nil
}

// Ping runs the smallest query on a reading connection.
func (e *Engine) Ping(ctx context.Context) error {
	if _, err := e.admin.Texts(ctx, "SELECT 'pong'", nil); err != nil {
		return fmt.Errorf("pinging ClickHouse: %w", err)
	}
	return nil
}

// Embedded reports whether the engine runs in this process.
func (e *Engine) Embedded() bool { return e.local != nil }

// Close ends all connections. An embedded engine first waits, within a bound,
// for the queries that run, and cancels those that take longer. Closing again
// does nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	var errs []error
	if e.local != nil {
		errs = append(errs, e.local.close())
	}
	for _, d := range e.databases {
		errs = append(errs, d.close())
	}
	if e.admin != nil {
		errs = append(errs, e.admin.close())
	}
	return errors.Join(errs...)
}

// connect opens the pools of a database. Nothing is sent yet.
func (e *Engine) connect(name string) (*Database, error) {
	d := &Database{Name: name, readOptions: e.poolOptions(name, false), writeOptions: e.poolOptions(name, true)}
	var err error
	if d.Read, err = chgo.Open(d.readOptions); err != nil {
		return nil, err
	}
	if d.Write, err = chgo.Open(d.writeOptions); err != nil {
		return nil, errors.Join(err, d.Read.Close())
	}
	if d.guarded, err = e.connectGuarded(name); err != nil {
		return nil, errors.Join(err, d.Read.Close(), d.Write.Close())
	}
	if e.local != nil {
		d.direct = e.local.readers
	}
	return d, nil
}

// Sizes of clickhouse-go's pools. For the embedded engine they only bound how
// many callers hold a batch or a result; queries queue for a session.
const (
	readConns  = 32
	writeConns = 16
)

// poolOptions are clickhouse-go's for one of the two pools of a database.
func (e *Engine) poolOptions(database string, write bool) *chgo.Options {
	o := &chgo.Options{Settings: chgo.Settings{}}
	if e.local != nil {
		sessions := e.local.readers
		if write {
			sessions = e.local.writer
		}
		o.Protocol = chgo.HTTP
		o.Addr = []string{"embedded"}
		o.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return &transport{pool: sessions}, nil }
	} else {
		*o = *e.options
		o.Settings = chgo.Settings{}
		for name, value := range e.options.Settings {
			o.Settings[name] = value
		}
	}
	if database != "" {
		o.Auth.Database = database
	}
	o.Settings["session_timezone"] = "UTC"
	o.MaxOpenConns, o.MaxIdleConns = readConns, readConns
	if write {
		o.MaxOpenConns, o.MaxIdleConns = writeConns, writeConns
		// An insert is acknowledged when its rows are in the table, and a
		// repeated one is recognised in the views that hang on it too.
		o.Settings["async_insert"] = 0
		o.Settings["deduplicate_blocks_in_dependent_materialized_views"] = 1
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 30 * time.Second
	}
	return o
}
