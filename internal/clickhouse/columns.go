package clickhouse

import (
	"encoding/binary"
	"math"
	"strings"
)

// Column is the values of one column on their way into a table, already in the form in which ClickHouse
// takes them: a row costs a few appends, and the client hands whole columns over. The type of each kind of
// column must be that of the table's, see [Database.Insert].
type Column interface {
	// Type is the column's type in ClickHouse.
	Type() string
	// Rows is the number of values so far.
	Rows() int
	// Reset forgets the values and keeps the memory.
	Reset()
	// native appends the values in Native format, without the column's header.
	native(b []byte) []byte
}

// Strings is a column of type String.
type Strings struct {
	data []byte
	rows int
}

// Add appends a value, which is copied.
func (c *Strings) Add(v string) {
	c.data = append(binary.AppendUvarint(c.data, uint64(len(v))), v...)
	c.rows++
}

// Type is String.
func (c *Strings) Type() string { return "String" }

// Rows is the number of values.
func (c *Strings) Rows() int { return c.rows }

// Reset forgets the values.
func (c *Strings) Reset() { c.data, c.rows = c.data[:0], 0 }

func (c *Strings) native(b []byte) []byte { return append(b, c.data...) }

// number is what a column of numbers can hold.
type number interface{ uint32 | uint64 | float64 }

// Numbers is a column of type UInt32, UInt64 or Float64, by its element.
type Numbers[T number] struct{ values []T }

// Add appends values.
func (c *Numbers[T]) Add(v ...T) { c.values = append(c.values, v...) }

// Type follows the element.
func (c *Numbers[T]) Type() string {
	switch any(*new(T)).(type) {
	case uint32:
		return "UInt32"
	case float64:
		return "Float64"
	}
	return "UInt64"
}

// Rows is the number of values.
func (c *Numbers[T]) Rows() int { return len(c.values) }

// Reset forgets the values.
func (c *Numbers[T]) Reset() { c.values = c.values[:0] }

func (c *Numbers[T]) native(b []byte) []byte {
	switch values := any(c.values).(type) {
	case []uint32:
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	case []uint64:
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	case []float64:
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

// Times is a column of type DateTime64(3, 'UTC').
type Times struct{ milliseconds Numbers[uint64] }

// Add appends a time in milliseconds since 1970.
func (c *Times) Add(milliseconds int64) { c.milliseconds.Add(uint64(milliseconds)) }

// Type is DateTime64(3, 'UTC').
func (c *Times) Type() string { return "DateTime64(3, 'UTC')" }

// Rows is the number of values.
func (c *Times) Rows() int { return c.milliseconds.Rows() }

// Reset forgets the values.
func (c *Times) Reset() { c.milliseconds.Reset() }

func (c *Times) native(b []byte) []byte { return c.milliseconds.native(b) }

// Flags is a column of type Bool.
type Flags struct{ values []byte }

// Add appends a value.
func (c *Flags) Add(v bool) {
	if v {
		c.values = append(c.values, 1)
		return
	}
	c.values = append(c.values, 0)
}

// Type is Bool.
func (c *Flags) Type() string { return "Bool" }

// Rows is the number of values.
func (c *Flags) Rows() int { return len(c.values) }

// Reset forgets the values.
func (c *Flags) Reset() { c.values = c.values[:0] }

func (c *Flags) native(b []byte) []byte { return append(b, c.values...) }

// Names is a column of type LowCardinality(String): each value is kept once, and rows refer to it.
type Names struct {
	known map[string]uint32
	texts []string // by key
	keys  []uint32
	last  uint32 // the key that was last looked up
}

// Add appends a value, which is copied when it is new.
func (c *Names) Add(v string) { c.keys = append(c.keys, c.key(v)) }

// Refer appends values by their keys, see [Names.Keys].
func (c *Names) Refer(keys []uint32) { c.keys = append(c.keys, keys...) }

// Keys are the numbers by which the column refers to values, for values that come again together,
// until the column is reset.
func (c *Names) Keys(values []string) []uint32 {
	keys := make([]uint32, len(values))
	for i, v := range values {
		keys[i] = c.key(v)
	}
	return keys
}

func (c *Names) key(v string) uint32 {
	if c.known == nil {
		// The first entry of a dictionary is the type's default.
		c.known, c.texts = map[string]uint32{"": 0}, []string{""}
	}
	if v == c.texts[c.last] {
		return c.last
	}
	key, ok := c.known[v]
	if !ok {
		v = strings.Clone(v)
		key = uint32(len(c.texts))
		c.known[v] = key
		c.texts = append(c.texts, v)
	}
	c.last = key
	return key
}

// Type is LowCardinality(String).
func (c *Names) Type() string { return "LowCardinality(String)" }

// Rows is the number of values.
func (c *Names) Rows() int { return len(c.keys) }

// Reset forgets the values and their keys.
func (c *Names) Reset() { *c = Names{keys: c.keys[:0]} }

const (
	// additionalKeys says that the dictionary comes with the block, needsUpdate that it replaces the one
	// before it. The low byte is the width of the keys: 0 for 8 bits, 1 for 16, 2 for 32.
	additionalKeys = 1 << 9
	needsUpdate    = 1 << 10
)

func (c *Names) native(b []byte) []byte {
	if len(c.keys) == 0 {
		return b
	}
	entries := len(c.texts)
	width := uint64(2)
	switch {
	case entries <= math.MaxUint8:
		width = 0
	case entries <= math.MaxUint16:
		width = 1
	}
	b = binary.LittleEndian.AppendUint64(b, additionalKeys|needsUpdate|width)
	b = binary.LittleEndian.AppendUint64(b, uint64(entries))
	for _, text := range c.texts {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(c.keys)))
	switch width {
	case 0:
		for _, key := range c.keys {
			b = append(b, byte(key))
		}
	case 1:
		for _, key := range c.keys {
			b = binary.LittleEndian.AppendUint16(b, uint16(key))
		}
	default:
		for _, key := range c.keys {
			b = binary.LittleEndian.AppendUint32(b, key)
		}
	}
	return b
}

// Lists is a column of arrays. A row is what was added to Elements since the row before: call End behind
// each.
type Lists[T any, C interface {
	*T
	Column
}] struct {
	Elements T
	ends     []uint64
}

type (
	// StringLists is a column of type Array(String).
	StringLists = Lists[Strings, *Strings]
	// NameLists is a column of type Array(LowCardinality(String)).
	NameLists = Lists[Names, *Names]
	// NumberLists is a column of arrays of numbers.
	NumberLists[T number] = Lists[Numbers[T], *Numbers[T]]
)

func (c *Lists[T, C]) elements() C { return &c.Elements }

// End closes a row.
func (c *Lists[T, C]) End() { c.ends = append(c.ends, uint64(c.elements().Rows())) }

// Type is Array of the elements' type.
func (c *Lists[T, C]) Type() string { return "Array(" + c.elements().Type() + ")" }

// Rows is the number of arrays.
func (c *Lists[T, C]) Rows() int { return len(c.ends) }

// Reset forgets the arrays.
func (c *Lists[T, C]) Reset() {
	c.ends = c.ends[:0]
	c.elements().Reset()
}

func (c *Lists[T, C]) native(b []byte) []byte {
	for _, end := range c.ends {
		b = binary.LittleEndian.AppendUint64(b, end)
	}
	return c.elements().native(b)
}
