package clickhouse

import (
	"context"
	"fmt"
	"strings"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// Texts runs a query whose result is one column of type String, with the values of its
// parameters, {name:String} in the text. It is for what
// somebody waits for and what is short: the embedded engine is asked without
// clickhouse-go in between, which takes longer than such a query itself.
func (d *Database) Texts(ctx context.Context, query string, parameters map[string]string) ([]string, error) {
	escaped := make(map[string]string, len(parameters))
	for name, value := range parameters {
		escaped[name] = parameterEscapes.Replace(value)
	}
	if d.direct == nil {
		return d.textsByClient(ctx, query, escaped)
	}
	a, err := d.direct.run(ctx, &statement{sql: query, database: d.Name, format: "RowBinary", params: escaped})
	if err != nil {
		return nil, err
	}
	var list []string
	for row := ReadRow(string(a.body)); row.at < len(row.text); {
		list = append(list, row.Text())
		if row.bad {
			return nil, row.Close()
		}
	}
	return list, nil
}

func (d *Database) textsByClient(ctx context.Context, query string, parameters map[string]string) ([]string, error) {
	rows, err := d.Read.Query(chgo.Context(ctx, chgo.WithParameters(parameters)), query)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("reading a text: %w", err)
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

// Parameters are escaped as in tab-separated values.
var parameterEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\b", `\b`, "\f", `\f`, "\x00", `\0`)
