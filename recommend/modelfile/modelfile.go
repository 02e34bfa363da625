// Package modelfile writes models as plain bytes and reads them back in milliseconds:
// a header, the settings as JSON, and arrays under names, all little-endian, with a
// checksum over everything. A file from another version or a damaged one is an error,
// never a model that is slightly wrong.
package modelfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

const (
	magic   = "QMODEL"
	version = 1
)

// The types of arrays.
const (
	typeFloat32 = iota + 1
	typeFloat64
	typeInt32
	typeInt64
	typeStrings
	typeBytes
)

var table = crc32.MakeTable(crc32.Castagnoli)

// Writer gathers a model.
type Writer struct{ data []byte }

// NewWriter begins a model of a kind ("ials", "ease" …) with settings that JSON can
// hold.
func NewWriter(kind string, settings any) *Writer {
	w := &Writer{data: append([]byte(magic), version, 0)}
	w.data = append(binary.LittleEndian.AppendUint32(w.data, uint32(len(kind))), kind...)
	text, err := json.Marshal(settings)
	if err != nil {
		// Settings are structs of numbers and strings: this is a mistake in the program.
		panic(fmt.Sprintf("modelfile: encoding the settings of %q: %v", kind, err))
	}
	w.data = append(binary.LittleEndian.AppendUint32(w.data, uint32(len(text))), text...)
	return w
}

func (w *Writer) section(name string, kind byte, count int) {
	w.data = append(binary.LittleEndian.AppendUint32(w.data, uint32(len(name))), name...)
	w.data = append(w.data, kind)
	w.data = binary.LittleEndian.AppendUint64(w.data, uint64(count))
}

// Float32s adds an array.
func (w *Writer) Float32s(name string, values []float32) {
	w.section(name, typeFloat32, len(values))
	for _, v := range values {
		w.data = binary.LittleEndian.AppendUint32(w.data, math.Float32bits(v))
	}
}

// Float64s adds an array.
func (w *Writer) Float64s(name string, values []float64) {
	w.section(name, typeFloat64, len(values))
	for _, v := range values {
		w.data = binary.LittleEndian.AppendUint64(w.data, math.Float64bits(v))
	}
}

// Int32s adds an array.
func (w *Writer) Int32s(name string, values []int32) {
	w.section(name, typeInt32, len(values))
	for _, v := range values {
		w.data = binary.LittleEndian.AppendUint32(w.data, uint32(v))
	}
}

// Ints adds an array of 64 bits each.
func (w *Writer) Ints(name string, values []int) {
	w.section(name, typeInt64, len(values))
	for _, v := range values {
		w.data = binary.LittleEndian.AppendUint64(w.data, uint64(v))
	}
}

// Strings adds an array of texts.
func (w *Writer) Strings(name string, values []string) {
	w.section(name, typeStrings, len(values))
	for _, v := range values {
		w.data = append(binary.LittleEndian.AppendUint32(w.data, uint32(len(v))), v...)
	}
}

// Bytes adds bytes, for example another model.
func (w *Writer) Bytes(name string, value []byte) {
	w.section(name, typeBytes, len(value))
	w.data = append(w.data, value...)
}

// Finish gives the model.
func (w *Writer) Finish() []byte {
	return binary.LittleEndian.AppendUint32(w.data, crc32.Checksum(w.data, table))
}

// ErrDamaged is what reading gives for bytes that are no model, or not a whole one.
var ErrDamaged = errors.New("the model is damaged")

// Reader reads a model. The first error stays, so that it is asked for once, at the
// end, by Err.
type Reader struct {
	kind     string
	settings []byte
	sections map[string]section
	err      error
}

type section struct {
	kind  byte
	count int
	data  []byte
}

// Open checks the bytes of a model. They must not change while the reader is used.
func Open(data []byte) (*Reader, error) {
	if len(data) < len(magic)+2+4 || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it does not begin as a model", ErrDamaged)
	}
	if v := data[len(magic)]; v != version {
		return nil, fmt.Errorf("the model is of version %d, this program reads %d", v, version)
	}
	body := data[:len(data)-4]
	if crc32.Checksum(body, table) != binary.LittleEndian.Uint32(data[len(data)-4:]) {
		return nil, fmt.Errorf("%w: the checksum differs", ErrDamaged)
	}
	c := cursor{data: body[len(magic)+2:]}
	r := &Reader{sections: make(map[string]section)}
	r.kind = string(c.take(int(c.uint32())))
	r.settings = c.take(int(c.uint32()))
	for len(c.data) > 0 && !c.short {
		name := string(c.take(int(c.uint32())))
		kind := c.take(1)
		count := c.uint64()
		if c.short || count > uint64(len(c.data)) {
			c.short = true
			break
		}
		s := section{kind: kind[0], count: int(count)}
		switch s.kind {
		case typeFloat32, typeInt32:
			s.data = c.take(4 * s.count)
		case typeFloat64, typeInt64:
			s.data = c.take(8 * s.count)
		case typeBytes:
			s.data = c.take(s.count)
		case typeStrings:
			all := c.data
			for range s.count {
				c.take(int(c.uint32()))
			}
			s.data = all[:len(all)-len(c.data)]
		default:
			return nil, fmt.Errorf("%w: %q is of type %d", ErrDamaged, name, s.kind)
		}
		r.sections[name] = s
	}
	if c.short {
		return nil, fmt.Errorf("%w: it ends early", ErrDamaged)
	}
	return r, nil
}

// Kind is that of the model.
func (r *Reader) Kind() string { return r.kind }

// Settings reads the settings.
func (r *Reader) Settings(into any) {
	if err := json.Unmarshal(r.settings, into); err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: reading the settings: %w", ErrDamaged, err)
	}
}

// Err is the first thing that was wrong.
func (r *Reader) Err() error { return r.err }

// find gives the section of a name; count below 0 is any.
func (r *Reader) find(name string, kind byte, count int) (section, bool) {
	s, ok := r.sections[name]
	switch {
	case r.err != nil:
	case !ok:
		r.err = fmt.Errorf("%w: %q is missing", ErrDamaged, name)
	case s.kind != kind:
		r.err = fmt.Errorf("%w: %q has another type", ErrDamaged, name)
	case count >= 0 && s.count != count:
		r.err = fmt.Errorf("%w: %q has %d values instead of %d", ErrDamaged, name, s.count, count)
	}
	return s, r.err == nil
}

// Float32s reads an array of count values, of any length when count is negative.
func (r *Reader) Float32s(name string, count int) []float32 {
	s, ok := r.find(name, typeFloat32, count)
	if !ok {
		return nil
	}
	out := make([]float32, s.count)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(s.data[4*i:]))
	}
	return out
}

// Float64s reads an array of count values, of any length when count is negative.
func (r *Reader) Float64s(name string, count int) []float64 {
	s, ok := r.find(name, typeFloat64, count)
	if !ok {
		return nil
	}
	out := make([]float64, s.count)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(s.data[8*i:]))
	}
	return out
}

// Int32s reads an array of count values, of any length when count is negative.
func (r *Reader) Int32s(name string, count int) []int32 {
	s, ok := r.find(name, typeInt32, count)
	if !ok {
		return nil
	}
	out := make([]int32, s.count)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(s.data[4*i:]))
	}
	return out
}

// Ints reads an array of count values, of any length when count is negative.
func (r *Reader) Ints(name string, count int) []int {
	s, ok := r.find(name, typeInt64, count)
	if !ok {
		return nil
	}
	out := make([]int, s.count)
	for i := range out {
		out[i] = int(binary.LittleEndian.Uint64(s.data[8*i:]))
	}
	return out
}

// Strings reads an array of texts, of any length when count is negative.
func (r *Reader) Strings(name string, count int) []string {
	s, ok := r.find(name, typeStrings, count)
	if !ok {
		return nil
	}
	out := make([]string, s.count)
	c := cursor{data: s.data}
	for i := range out {
		out[i] = string(c.take(int(c.uint32())))
	}
	return out
}

// Bytes reads bytes. They are those that Open was given.
func (r *Reader) Bytes(name string) []byte {
	s, ok := r.find(name, typeBytes, -1)
	if !ok {
		return nil
	}
	return s.data
}

// cursor goes through bytes and notes when there are too few.
type cursor struct {
	data  []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.data) {
		c.short, c.data = true, nil
		return nil
	}
	out := c.data[:n:n]
	c.data = c.data[n:]
	return out
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
