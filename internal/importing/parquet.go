package importing

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

const (
	// parquetRows is how many rows are decoded at a time.
	parquetRows = 64
	// maxGroupBytes bounds one row group before compression, as a part of it has to
	// be in memory to be read.
	maxGroupBytes = 1 << 30
)

// parquetFile reads the rows of a Parquet file as if they were lines of NDJSON:
// groups are objects, times are texts in ISO 8601.
type parquetFile struct {
	schema *parquet.Schema
	reader *parquet.GenericReader[any]
	buffer []any
	rows   []any
	number int64
	failed error
}

// openParquet opens a file. A damaged one may panic in the library, which is an
// error here.
func openParquet(in io.ReaderAt, size int64) (p *parquetFile, err error) {
	defer recovered(&err)
	file, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("the file is no Parquet: %w", err)
	}
	for i, g := range file.Metadata().RowGroups {
		if g.TotalByteSize < 0 || g.TotalByteSize > maxGroupBytes || g.NumRows < 0 {
			return nil, fmt.Errorf("row group %d has %d bytes; at most %d can be read: write smaller row groups", i, g.TotalByteSize, maxGroupBytes)
		}
	}
	return &parquetFile{schema: file.Schema(), reader: parquet.NewGenericReader[any](file), buffer: make([]any, parquetRows)}, nil
}

// recovered makes an error of a panic.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the file is damaged: %v", p)
	}
}

func (p *parquetFile) next() (*Row, error) {
	if len(p.rows) == 0 {
		if p.failed != nil {
			return nil, p.failed
		}
		if err := p.fill(); err != nil {
			return nil, err
		}
	}
	value := p.rows[0]
	p.rows = p.rows[1:]
	p.number++
	row := &Row{Line: p.number, object: map[string]any{}}
	object, _ := plain(p.schema, value).(map[string]any)
	raw, err := json.Marshal(object)
	switch {
	case err != nil:
		return nil, &BadRow{*row, "cannot be written as JSON: " + err.Error()}
	case len(raw) > MaxLine:
		row.raw = string(raw[:maxShown])
		return nil, &BadRow{*row, fmt.Sprintf("longer than %d bytes as JSON", MaxLine)}
	}
	if row.raw = string(raw); object != nil {
		row.object = object
	}
	return row, nil
}

// fill decodes the next rows.
func (p *parquetFile) fill() (err error) {
	defer recovered(&err)
	for range 100 { // a reader that makes no progress is broken
		clear(p.buffer)
		n, err := p.reader.Read(p.buffer)
		p.rows = p.buffer[:n]
		if err != nil {
			if !errors.Is(err, io.EOF) {
				err = fmt.Errorf("reading Parquet: %w", err)
			}
			p.failed = err
		}
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errors.New("reading Parquet: the file does not go on")
}

// plain brings a value to the types of JSON, by the type of its column. What is
// no number (NaN) and no text becomes nothing or base64.
func plain(node parquet.Node, value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case map[string]any:
		fields := map[string]parquet.Node{}
		if node != nil && !node.Leaf() {
			for _, f := range node.Fields() {
				fields[f.Name()] = f
			}
		}
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[name] = plain(fields[name], inner)
		}
		return out
	case []any:
		element := elementOf(node)
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = plain(element, inner)
		}
		return out
	case float64:
		return plainFloat(v, 64)
	case float32:
		return plainFloat(float64(v), 32)
	case int64:
		return plainInteger(node, v)
	case int32:
		return plainInteger(node, int64(v))
	case []byte:
		return plainText(string(v))
	case string:
		return plainText(v)
	case bool:
		return v
	}
	return fmt.Sprint(value)
}

// elementOf is the node of a list's elements, of which there are several ways to
// write one.
func elementOf(node parquet.Node) parquet.Node {
	if node == nil || node.Leaf() {
		return node
	}
	if _, isList := logicalOf(node).(*format.ListType); !isList {
		return node
	}
	for range 2 {
		fields := node.Fields()
		if len(fields) != 1 {
			break
		}
		if node = fields[0]; node.Leaf() {
			break
		}
	}
	return node
}

func plainFloat(v float64, size int) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return json.Number(strconv.FormatFloat(v, 'g', -1, size))
}

func plainText(s string) any {
	if utf8.ValidString(s) {
		return s
	}
	return base64.StdEncoding.EncodeToString([]byte(s))
}

// plainInteger shows what an integer stands for.
func plainInteger(node parquet.Node, v int64) any {
	switch logical := logicalOf(node).(type) {
	case *format.DateType:
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(max(min(v, 3_000_000), -1_000_000))).Format(time.DateOnly)
	case *format.TimestampType:
		return timeOf(logical.Unit, v).Format(time.RFC3339Nano)
	case *format.IntType:
		if !logical.IsSigned && logical.BitWidth < 64 {
			return json.Number(strconv.FormatUint(uint64(uint32(v)), 10))
		}
		if !logical.IsSigned {
			return json.Number(strconv.FormatUint(uint64(v), 10))
		}
	}
	return json.Number(strconv.FormatInt(v, 10))
}

// logicalOf is what a column stands for, nil when the file does not say.
func logicalOf(node parquet.Node) format.LogicalTypeValue {
	if node == nil {
		return nil
	}
	if t := node.Type().LogicalType(); t != nil {
		return t.Value
	}
	return nil
}

func timeOf(unit format.TimeUnit, v int64) time.Time {
	switch unit.Value.(type) {
	case *format.NanoSeconds:
		return time.Unix(0, v).UTC()
	case *format.MicroSeconds:
		return time.UnixMicro(v).UTC()
	}
	return time.UnixMilli(v).UTC()
}
