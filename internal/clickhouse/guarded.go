package clickhouse

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// guardedConns is how many statements of [Database.QueryGuarded] run side by
// side.
const guardedConns = 2

// QueryGuarded runs a statement that somebody wrote who may only read this
// database: it goes through the same lexer, settings and limits as the statements
// of read-only users of the HTTP interface (a minute, 2 million rows, 128 MiB of
// result, 1 GiB of memory). What the fences refuse is an error that says why, a
// *clickhouse.Exception of clickhouse-go or one like it.
func (d *Database) QueryGuarded(ctx context.Context, sql string) (driver.Rows, error) {
	ctx, cancel := context.WithTimeout(ctx, readerTimeout)
	checked, err := d.checkGuarded(ctx, sql)
	if err != nil {
		cancel()
		return nil, err
	}
	rows, err := d.guarded.Query(ctx, checked)
	if err != nil {
		cancel()
		return nil, err
	}
	return &guardedRows{Rows: rows, cancel: cancel}, nil
}

// guardedRows ends the time that its statement has.
type guardedRows struct {
	driver.Rows
	cancel context.CancelFunc
}

// Close gives the connection back.
func (r *guardedRows) Close() error {
	defer r.cancel()
	return r.Rows.Close()
}

// checkGuarded returns the statement as it may be run.
func (d *Database) checkGuarded(ctx context.Context, sql string) (string, error) {
	if len(sql) > interfaceMaxQuery {
		return "", newException(codeSyntax, "the query is longer than %d bytes", interfaceMaxQuery)
	}
	g := &guard{databases: map[string]bool{d.Name: true}, foreign: map[string]bool{}, tableFunctions: map[string]bool{}}
	for _, list := range []struct {
		sql  string
		into map[string]bool
	}{
		{"SELECT name FROM system.databases", g.foreign},
		{"SELECT lower(name) AS name FROM system.table_functions", g.tableFunctions},
	} {
		var rows []struct {
			Name string `ch:"name"`
		}
		if err := d.Read.Select(ctx, &rows, list.sql); err != nil {
			return "", fmt.Errorf("reading what a guarded statement must not touch: %w", err)
		}
		for _, row := range rows {
			list.into[row.Name] = true
		}
	}
	for name := range g.foreign {
		if lower := strings.ToLower(name); name == d.Name || lower == "system" || lower == "information_schema" {
			delete(g.foreign, name)
		}
	}
	return g.check(sql)
}

// connectGuarded opens the pool for guarded statements.
func (e *Engine) connectGuarded(name string) (driver.Conn, error) {
	o := e.poolOptions(name, false)
	o.MaxOpenConns, o.MaxIdleConns = guardedConns, guardedConns
	if e.local != nil {
		o.TransportFunc = func(*http.Transport) (http.RoundTripper, error) {
			return &guardedTransport{engine: e.local}, nil
		}
		return chgo.Open(o)
	}
	settings, err := readerSettings(nil)
	if err != nil {
		return nil, err
	}
	for name, value := range settings {
		if name != "allow_introspection_functions" && name != "allow_ddl" { // not every server lets them be set
			o.Settings[name] = value
		}
	}
	return chgo.Open(o)
}

// guardedTransport runs each statement on a connection of its own that has been
// made read-only, as a connection that is read-only stays so.
type guardedTransport struct{ engine *embedded }

// RoundTrip runs the request's query.
func (t *guardedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return roundTrip(r, func() (*answer, error) {
		q, err := readRequest(r)
		if err != nil {
			return nil, err
		}
		st := &q.statement
		if err := st.compile(q.query, &contextReader{ctx: r.Context(), r: q.body}, t.engine.tempDir, interfaceMaxQuery); err != nil {
			st.release()
			return nil, err
		}
		if st.settings, err = readerSettings(nil); err != nil {
			st.release()
			return nil, err
		}
		st.maxResult = readerMaxBytes
		p := &place{}
		p.hold()
		defer p.done()
		return t.engine.runAlone(r.Context(), st, nil, p)
	})
}
