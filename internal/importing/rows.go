package importing

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"
)

// Format is how the rows of a file are written.
type Format string

// The formats that can be read.
const (
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// MaxLine bounds one row, in bytes.
const MaxLine = 1 << 20

// maxShown bounds what a reject repeats of its row, in bytes.
const maxShown = 10_000

// Row is one record of a file.
type Row struct {
	// Number counts records from 1, Line the lines of the file: they differ where
	// there is a header or a record of several lines.
	Number, Line int64
	columns      map[string]int // of a CSV file
	cells        []string
	object       map[string]any // of a line of NDJSON, or a row of Parquet
	raw          string
}

// Lookup returns the value of a column or, in NDJSON and Parquet, of a path with dots.
// Nothing, null and an empty cell are all absent.
func (r *Row) Lookup(path string) (any, bool) {
	if r.object == nil {
		i, ok := r.columns[path]
		if !ok || i >= len(r.cells) || r.cells[i] == "" {
			return nil, false
		}
		return r.cells[i], true
	}
	v, there := r.find(path)
	return v, there && v != nil
}

// find looks for a path in a line of NDJSON; null is there.
func (r *Row) find(path string) (any, bool) {
	if v, ok := r.object[path]; ok {
		return v, true
	}
	var value any = r.object
	for name := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[name]; !ok {
			return nil, false
		}
	}
	return value, true
}

// Text is the row as it is in the file, shortened.
func (r *Row) Text() string {
	if len(r.raw) > maxShown {
		return strings.ToValidUTF8(r.raw[:maxShown], "") + "…"
	}
	return r.raw
}

// BadRow is a row that cannot be read; the rows behind it can.
type BadRow struct {
	Row    Row
	Reason string
}

// Error says which line is bad and why.
func (b *BadRow) Error() string { return fmt.Sprintf("line %d: %s", b.Row.Line, b.Reason) }

// File is an open file of rows.
type File struct {
	// Columns are the names in the header of a CSV file.
	Columns []string

	close func() error
	next  func() (*Row, error)
	count int64
}

// ReadOptions say how a file is written.
type ReadOptions struct {
	Format    Format
	Delimiter rune   // of CSV, a comma when zero
	Encoding  string // an IANA or web name; UTF-8 when empty
}

// OpenFile opens the file with the path.
func OpenFile(path string, o ReadOptions) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := rowsOf(file, o)
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	f.close = file.Close
	return f, nil
}

func rowsOf(file *os.File, o ReadOptions) (*File, error) {
	if o.Format != Parquet {
		return readRows(file, o)
	}
	about, err := file.Stat()
	if err != nil {
		return nil, err
	}
	rows, err := openParquet(file, about.Size())
	if err != nil {
		return nil, err
	}
	return &File{next: rows.next}, nil
}

// readRows reads rows from any source.
func readRows(from io.Reader, o ReadOptions) (*File, error) {
	in := bufio.NewReaderSize(from, 64<<10)
	mark, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(mark, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3) // they are in the buffer
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		if o.Encoding == "" {
			return nil, errors.New("the file is UTF-16: save it as UTF-8, or set encoding: utf-16le or utf-16be in the mapping")
		}
	}
	if o.Encoding != "" && !strings.EqualFold(o.Encoding, "utf-8") {
		e, err := htmlindex.Get(o.Encoding)
		if err != nil {
			return nil, fmt.Errorf("encoding %q is not known: use a name such as windows-1251", o.Encoding)
		}
		in = bufio.NewReaderSize(transform.NewReader(in, e.NewDecoder()), 64<<10)
		if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) { // of UTF-16
			_, _ = in.Discard(3) // as above
		}
	}
	lines := &lineReader{in: in}
	f := &File{close: func() error { return nil }}
	if o.Format == NDJSON {
		f.next = ndjsonRows{lines}.next
		return f, nil
	}
	rows := &csvRows{in: lines, comma: o.Delimiter}
	if rows.comma == 0 {
		rows.comma = ','
	}
	if f.Columns, err = rows.open(); err != nil {
		return nil, err
	}
	f.next = rows.next
	return f, nil
}

// Next returns the next row, a [*BadRow] for one that cannot be read, and io.EOF
// at the end. Any other error ends the file.
func (f *File) Next() (*Row, error) {
	row, err := f.next()
	var bad *BadRow
	switch {
	case errors.As(err, &bad):
		f.count++
		bad.Row.Number = f.count
	case err == nil:
		f.count++
		row.Number = f.count
	}
	return row, err
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// Survey is what is known of a file before anything is sent.
type Survey struct {
	Hash    string // SHA-256, hexadecimal
	Rows    int64  // good and bad ones
	Columns []string
	// Absent are those of the paths that were asked for which no row of an NDJSON
	// file has.
	Absent []string
}

// Look reads the whole file once: its hash, by which it is recognised, the number
// of its rows, and which of the paths it has.
func Look(path string, o ReadOptions, paths []string) (Survey, error) {
	var s Survey
	file, err := os.Open(path)
	if err != nil {
		return s, err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return s, fmt.Errorf("reading %s: %w", path, err)
	}
	s.Hash = hex.EncodeToString(hash.Sum(nil))
	f, err := OpenFile(path, o)
	if err != nil {
		return s, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	s.Columns = f.Columns
	if o.Format != CSV {
		s.Absent = append(s.Absent, paths...)
	}
	for {
		row, err := f.Next()
		var bad *BadRow
		if errors.Is(err, io.EOF) {
			if s.Rows == 0 {
				s.Absent = nil // an empty file has nothing and lacks nothing
			}
			return s, nil
		}
		if err != nil && !errors.As(err, &bad) {
			return s, fmt.Errorf("reading %s behind row %d: %w", path, s.Rows, err)
		}
		s.Rows++
		for i := 0; err == nil && i < len(s.Absent); {
			if _, there := row.find(s.Absent[i]); there {
				s.Absent = append(s.Absent[:i], s.Absent[i+1:]...)
			} else {
				i++
			}
		}
	}
}
