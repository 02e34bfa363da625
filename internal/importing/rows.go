package importing

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"
)

// Format is how the rows of a file are written.
type Format string

// The formats that can be read.
const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
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
	object       map[string]any // of a line of NDJSON
	raw          string
}

// Lookup returns the value of a column or, in NDJSON, of a path with dots.
// Nothing, null and an empty cell are all absent.
func (r *Row) Lookup(path string) (any, bool) {
	if r.object == nil {
		i, ok := r.columns[path]
		if !ok || i >= len(r.cells) || r.cells[i] == "" {
			return nil, false
		}
		return r.cells[i], true
	}
	if v, ok := r.object[path]; ok {
		return v, v != nil
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
	return value, value != nil
}

// Text is the row as it is in the file, shortened.
func (r *Row) Text() string {
	text := r.raw
	if r.object == nil {
		var b strings.Builder
		w := csv.NewWriter(&b)
		_ = w.Write(r.cells) // a strings.Builder takes everything
		w.Flush()
		text = strings.TrimSuffix(b.String(), "\n")
	}
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
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

	file  *os.File
	next  func() (*Row, error)
	bytes *countingReader
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
	f := &File{file: file, bytes: &countingReader{from: file}}
	if err := f.begin(o); err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return f, nil
}

func (f *File) begin(o ReadOptions) error {
	in := bufio.NewReaderSize(f.bytes, 64<<10)
	mark, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(mark, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3) // they are in the buffer
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		if o.Encoding == "" {
			return errors.New("the file is UTF-16: save it as UTF-8, or set encoding: utf-16le or utf-16be in the mapping")
		}
	}
	var text io.Reader = in
	if o.Encoding != "" && !strings.EqualFold(o.Encoding, "utf-8") {
		e, err := htmlindex.Get(o.Encoding)
		if err != nil {
			return fmt.Errorf("encoding %q is not known: use a name such as windows-1251", o.Encoding)
		}
		text = transform.NewReader(in, e.NewDecoder())
	}
	if o.Format == NDJSON {
		f.next = ndjsonRows(text)
		return nil
	}
	return f.beginCSV(text, o.Delimiter)
}

func (f *File) beginCSV(text io.Reader, delimiter rune) error {
	bounded := &boundedReader{from: text, left: MaxLine + 64<<10}
	in := csv.NewReader(bounded)
	if delimiter != 0 {
		in.Comma = delimiter
	}
	in.ReuseRecord = false
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty: a header with the names of the columns is expected")
	}
	if err != nil {
		return fmt.Errorf("reading the header: %w", err)
	}
	columns := make(map[string]int, len(header))
	for i, name := range header {
		if !utf8.ValidString(name) {
			return errors.New("the header is not UTF-8: set encoding in the mapping, such as windows-1251")
		}
		name = strings.TrimSpace(name)
		if _, twice := columns[name]; twice {
			return fmt.Errorf("the header has the column %q twice", name)
		}
		columns[name], header[i] = i, name
	}
	f.Columns = header
	f.next = func() (*Row, error) {
		bounded.left = MaxLine + 64<<10
		cells, err := in.Read()
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			if cells == nil {
				cells = []string{}
			}
			return nil, &BadRow{Row{Line: int64(bad.StartLine), cells: cells}, "not a row of CSV: " + bad.Err.Error()}
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		row := &Row{Line: int64(line), columns: columns, cells: cells}
		size := 0
		for _, cell := range cells {
			size += len(cell) + 1
			if !utf8.ValidString(cell) {
				return nil, &BadRow{*row, "not UTF-8: set encoding in the mapping, such as windows-1251"}
			}
		}
		if size > MaxLine {
			return nil, &BadRow{*row, fmt.Sprintf("longer than %d bytes", MaxLine)}
		}
		return row, nil
	}
	return nil
}

func ndjsonRows(text io.Reader) func() (*Row, error) {
	in := bufio.NewReaderSize(text, 64<<10)
	line := int64(0)
	return func() (*Row, error) {
		for {
			raw, tooLong, err := readLine(in)
			if err != nil {
				return nil, err
			}
			line++
			row := Row{Line: line, raw: string(raw), object: map[string]any{}}
			if tooLong {
				return nil, &BadRow{row, fmt.Sprintf("longer than %d bytes", MaxLine)}
			}
			if len(bytes.TrimSpace(raw)) == 0 {
				continue
			}
			if !utf8.Valid(raw) {
				return nil, &BadRow{row, "not UTF-8: set encoding in the mapping, such as windows-1251"}
			}
			decoder := json.NewDecoder(bytes.NewReader(raw))
			decoder.UseNumber() // an id of 20 digits must stay what it is
			if err := decoder.Decode(&row.object); err != nil || row.object == nil {
				row.object = map[string]any{}
				return nil, &BadRow{row, "not a JSON object"}
			}
			if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
				return nil, &BadRow{row, "more than one JSON value in the line"}
			}
			return &row, nil
		}
	}
}

// readLine reads one line without its end; of a line over the limit only the
// beginning is kept.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) <= MaxLine+1 {
			line = append(line, part...)
		} else {
			tooLong = true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(line) > 0 || tooLong):
			return line, tooLong, nil
		case err != nil:
			return nil, false, err
		}
		return bytes.TrimRight(line, "\r\n"), tooLong, nil
	}
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

// Offset is how much of the file has been read, in bytes.
func (f *File) Offset() int64 { return f.bytes.count }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

type countingReader struct {
	from  io.Reader
	count int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.count += int64(n)
	return n, err
}

// errRecordTooLong ends a CSV file: behind an open quotation mark nobody knows
// where the next row begins.
var errRecordTooLong = fmt.Errorf("a row is longer than %d bytes; a quotation mark may not be closed", MaxLine)

// boundedReader fails when more is read for one record than it may have.
type boundedReader struct {
	from io.Reader
	left int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRecordTooLong
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// Survey is what is known of a file before anything is sent.
type Survey struct {
	Hash    string // SHA-256, hexadecimal
	Size    int64  // bytes
	Rows    int64  // good and bad ones
	Columns []string
}

// Look reads the whole file once: its hash, by which it is recognised, and the
// number of its rows.
func Look(path string, o ReadOptions) (Survey, error) {
	var s Survey
	file, err := os.Open(path)
	if err != nil {
		return s, err
	}
	hash := sha256.New()
	s.Size, err = io.Copy(hash, file)
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
	for {
		_, err := f.Next()
		var bad *BadRow
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil && !errors.As(err, &bad) {
			return s, fmt.Errorf("reading %s behind row %d: %w", path, s.Rows, err)
		}
		s.Rows++
	}
}
