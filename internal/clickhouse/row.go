package clickhouse

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Row reads one value after another from a row in RowBinary format, as the function formatRowNoNewline
// writes it. A table that is asked for a few whole rows at a time keeps them so in one column: each column
// that a query names costs it about as much as fifty rows of one. After the first fault it gives zero
// values; Close tells of it.
type Row struct {
	text string
	at   int
	bad  bool
}

// ReadRow reads the row from text, of which its strings are parts.
func ReadRow(text string) Row { return Row{text: text} }

func (r *Row) take(n uint64) string {
	if r.bad || n > uint64(len(r.text)-r.at) {
		r.bad = true
		return ""
	}
	s := r.text[r.at : r.at+int(n)]
	r.at += int(n)
	return s
}

func (r *Row) length() uint64 {
	v := uint64(0)
	for shift := 0; shift < 64; shift += 7 {
		b := r.take(1)
		if r.bad {
			return 0
		}
		v |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *Row) fixed() uint64 {
	s := r.take(8)
	if r.bad {
		return 0
	}
	return binary.LittleEndian.Uint64([]byte(s))
}

// Text reads a String or a LowCardinality(String).
func (r *Row) Text() string { return r.take(r.length()) }

// Flag reads a Bool.
func (r *Row) Flag() bool {
	s := r.take(1)
	return !r.bad && s[0] != 0
}

// Float reads a Float64.
func (r *Row) Float() float64 { return math.Float64frombits(r.fixed()) }

// Unsigned reads a UInt64.
func (r *Row) Unsigned() uint64 { return r.fixed() }

// Milliseconds reads a DateTime64(3), in UTC.
func (r *Row) Milliseconds() time.Time { return time.UnixMilli(int64(r.fixed())).UTC() }

// List reads the length of an Array, whose elements of at least size bytes each follow.
func (r *Row) List(size int) int {
	n := r.length()
	if n > uint64(len(r.text)-r.at)/uint64(max(size, 1)) {
		r.bad = true
		return 0
	}
	return int(n)
}

// Texts reads an Array(String) or an Array(LowCardinality(String)).
func (r *Row) Texts() []string {
	list := make([]string, r.List(1))
	for i := range list {
		list[i] = r.Text()
	}
	return list
}

// Close says whether the row was read whole and to its end.
func (r *Row) Close() error {
	if r.bad || r.at != len(r.text) {
		return fmt.Errorf("a row of %d bytes has another form than its reader expects at byte %d", len(r.text), r.at)
	}
	return nil
}
