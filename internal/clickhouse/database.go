package clickhouse

import (
	"database/sql"
	"errors"
	"sync"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Database is one database of an engine. It is safe for concurrent use.
type Database struct {
	Name string
	// Read runs queries and changes of the schema.
	Read driver.Conn
	// Write is for inserts: it has its own connection to the engine, so that
	// reports do not delay them.
	Write driver.Conn

	guarded driver.Conn // of QueryGuarded
	direct  *pool       // of the embedded engine, see Texts

	readOptions, writeOptions *chgo.Options
	sqlMu                     sync.Mutex
	sql                       *sql.DB

	nativeMu sync.Mutex
	native   []byte // of the columns of the last insert, to be used again
}

// SQL returns a database/sql handle on the reading connections. It belongs to
// the Database, which closes it.
func (d *Database) SQL() *sql.DB {
	d.sqlMu.Lock()
	defer d.sqlMu.Unlock()
	if d.sql == nil {
		options := *d.readOptions
		// OpenDB insists on having these set on the handle.
		options.MaxOpenConns, options.MaxIdleConns, options.ConnMaxLifetime = 0, 0, 0
		d.sql = chgo.OpenDB(&options)
		d.sql.SetMaxOpenConns(readConns)
		d.sql.SetMaxIdleConns(2)
	}
	return d.sql
}

func (d *Database) close() error {
	d.sqlMu.Lock()
	defer d.sqlMu.Unlock()
	errs := []error{d.Read.Close(), d.Write.Close()}
	if d.guarded != nil {
		errs = append(errs, d.guarded.Close())
	}
	if d.sql != nil {
		errs = append(errs, d.sql.Close())
	}
	return errors.Join(errs...)
}
