package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	chproto "github.com/ClickHouse/ch-go/proto"
	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// OnceSettings are those of an insert that happens once, however often it is tried: a second insert under
// the same token does nothing, in the views on top of the table as well. The tables that it reaches need
// non_replicated_deduplication_window.
func OnceSettings(token string) chgo.Settings {
	return chgo.Settings{
		"insert_deduplicate":                                 1,
		"insert_deduplication_token":                         token,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		// An import of old data reaches over more months than one insert may have by default.
		"max_partitions_per_insert_block": 0,
		// Otherwise an engine like ReplacingMergeTree merges the rows of each insert row by row, which
		// costs more than writing them. Readers cannot rely on merges anyway.
		"optimize_on_insert": 0,
	}
}

// maxNative bounds the memory in bytes that is kept between inserts.
const maxNative = 64 << 20

// Field is a column of an insert, with its name in the table.
type Field struct {
	Name string
	Column
}

// InsertOnce stores rows under a token, see [OnceSettings]. All columns have the same number of rows, and
// the types of the table's; without rows nothing happens.
func (d *Database) InsertOnce(ctx context.Context, table, token string, fields []Field) error {
	if len(fields) == 0 || fields[0].Rows() == 0 {
		return nil
	}
	rows := fields[0].Rows()
	names := make([]string, len(fields))
	declared := make([]chgo.ColumnNameAndType, len(fields))
	for i, f := range fields {
		if f.Rows() != rows {
			return fmt.Errorf("inserting into %s: column %s has %d rows, and %s has %d", table, f.Name, f.Rows(), fields[0].Name, rows)
		}
		names[i] = quoteIdentifier(f.Name)
		declared[i] = chgo.ColumnNameAndType{Name: f.Name, Type: f.Type()}
	}
	ctx = chgo.Context(ctx, chgo.WithSettings(OnceSettings(token)), chgo.WithColumnNamesAndTypes(declared))
	batch, err := d.Write.PrepareBatch(ctx, "INSERT INTO "+quoteIdentifier(table)+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return fmt.Errorf("preparing an insert into %s: %w", table, err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	if err := d.fill(batch, fields); err != nil {
		return fmt.Errorf("filling an insert into %s: %w", table, err)
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d rows into %s: %w", rows, table, err)
	}
	return nil
}

// fill gives the client's columns their values in the way in which it reads those that a server sends: whole
// columns, where adding rows would cost a conversion for each value.
func (d *Database) fill(batch driver.Batch, fields []Field) error {
	columns := batch.Columns()
	if len(columns) != len(fields) {
		return fmt.Errorf("%d columns instead of %d", len(columns), len(fields))
	}
	d.nativeMu.Lock()
	defer d.nativeMu.Unlock()
	data := d.native[:0]
	for i, f := range fields {
		if got, want := string(columns[i].Type()), f.Type(); got != want {
			return fmt.Errorf("column %s is of type %s, not of %s", f.Name, got, want)
		}
		data = f.native(data)
	}
	if cap(data) <= maxNative {
		d.native = data
	}
	reader := chproto.NewReader(bytes.NewReader(data))
	for i, f := range fields {
		if err := columns[i].Decode(reader, f.Rows()); err != nil {
			return fmt.Errorf("column %s: %w", f.Name, err)
		}
	}
	return nil
}
