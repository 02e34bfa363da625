// Package feeds reads the files in which shops describe their products: CSV with a
// header, NDJSON, a JSON list, and the XML of the Google Merchant specification (RSS
// 2.0 or Atom). It reads row by row in bounded memory; a row that cannot be read is
// reported with its place and the reason, and the others are read all the same.
package feeds

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Format is how a feed is written.
type Format string

// The formats.
const (
	CSV    Format = "csv"    // a header, then a line per product; comma, semicolon or tab
	NDJSON Format = "ndjson" // an object per line
	JSON   Format = "json"   // a list of objects, or an object with one in items or products
	XML    Format = "xml"    // Google Merchant: the elements item or entry
)

// Formats are all of them.
func Formats() []Format { return []Format{CSV, NDJSON, JSON, XML} }

// MaxRow is the most bytes of one row: a line, a JSON object or an XML element.
const MaxRow = 1 << 20

// Row is one product as the feed has it.
type Row struct {
	// Number counts from 1; for CSV and NDJSON it is the line.
	Number int
	// Values are by name of the column, property or element (without its prefix):
	// texts, numbers (float64), booleans, nil, and lists and objects of those.
	Values map[string]any
	// Reject says why the row cannot be read; it has no values then.
	Reject string
}

// Read calls each for every row, in order. It fails when the whole is not of the
// format, or with the first error of the reader or of each.
func Read(r io.Reader, format Format, each func(Row) error) error {
	switch format {
	case CSV:
		return readCSV(newLines(r), each)
	case NDJSON:
		return readNDJSON(newLines(r), each)
	case JSON:
		return readJSON(r, each)
	case XML:
		return readXML(r, each)
	}
	return fmt.Errorf("unknown format %q, want csv, ndjson, json or xml", string(format))
}

const (
	notUTF8 = "is not UTF-8"
	tooLong = "is longer than 1 MiB"
)

// lines reads lines of which each is at most MaxRow long; of longer ones the rest is
// read and dropped.
type lines struct {
	in     *bufio.Reader
	number int
}

func newLines(r io.Reader) *lines {
	in := bufio.NewReaderSize(r, 64<<10)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte{0xEF, 0xBB, 0xBF}) {
		_, _ = in.Discard(3) // what was peeked is there
	}
	return &lines{in: in}
}

// next is the next line without its end; long lines are not kept.
func (l *lines) next() (text string, long bool, err error) {
	var kept []byte
	some := false
	for {
		part, err := l.in.ReadSlice('\n')
		some = some || len(part) > 0
		if len(kept)+len(part) > MaxRow+2 {
			long, kept = true, nil
		} else if !long {
			kept = append(kept, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", false, err
		}
		if !some {
			return "", false, io.EOF
		}
		l.number++
		text = strings.TrimRight(string(kept), "\r\n")
		return text, long || len(text) > MaxRow, nil
	}
}

// wrongText says what is wrong with a line, or "".
func wrongText(text string, long bool) string {
	switch {
	case long:
		return tooLong
	case !utf8.ValidString(text):
		return notUTF8
	case strings.ContainsRune(text, 0):
		return "has a zero byte"
	}
	return ""
}

// bounded fails when a decoder reads more than a row may have without having come to
// the end of one.
type bounded struct {
	in   io.Reader
	used int64 // since the last row, with what the decoder reads ahead
}

var errLong = errors.New("a row " + tooLong)

func (b *bounded) Read(p []byte) (int, error) {
	if b.used > 2*MaxRow {
		return 0, errLong
	}
	n, err := b.in.Read(p[:min(len(p), 64<<10)])
	b.used += int64(n)
	return n, err
}
