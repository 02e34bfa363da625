package profiles

import (
	"encoding/binary"
	"fmt"
	"math"

	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// recordVersion is the first byte of a stream message. Version 1 has no entries
// of identity; it is read as before.
const recordVersion = 2

// maxRecord is the size that one stream message aims at, in bytes. It is passed
// by at most one message of the tracking API.
const maxRecord = 512 << 10

// flags of an item.
const (
	flagUser      = 1 << iota // the userId belongs to the profile
	flagAnonymous             // the anonymousId does
	flagFresh                 // one of the links is new or moved
	flagTrusted               // the source has proved who it is
	flagAgain                 // it was refused when it was received
)

// item is one message with its profile, as it lies in the stream and goes from
// there to both stores.
type item struct {
	profile     identity.ID
	kind        tracking.Type
	flags       byte
	time        int64 // Unix milliseconds
	index       uint32
	messageID   string
	userID      string
	anonymousID string
	event       string
	decisionID  string
	links       []identity.Identifier // further identifiers that belong to the profile
	numbers     []tracking.Number
	properties  string
	traits      string
	context     string
}

// recordHeader is what the items of one stream message share.
type recordHeader struct {
	received int64 // Unix milliseconds
	stamp    int64 // of the decisions about identity
	source   string
	items    int
	version  byte // as read; it is not looked at when writing
}

// encoder writes stream messages. The number of items is written last, into a
// place of fixed width, as it is known only then.
//
// Layout, all integers little endian or varints:
//
//	version byte, items uint32, received varint, stamp varint, source
//	per item: profile 16 bytes, kind byte, flags byte, age varint (received −
//	time), index uvarint, six strings, links, numbers, three strings
//	entries of the log of identity: their number, and each with kind byte, flags
//	byte, two profiles of 16 bytes, since varint (received − since) of both, four
//	strings
//
// A string is its length as uvarint and its bytes; JSON is written as it is, so
// that nothing downstream has to encode it again.
type encoder struct {
	buffer   []byte
	items    int
	received int64
	entries  []identity.Entry
	size     int // of the entries in bytes, roughly
}

func (e *encoder) begin(h recordHeader) {
	e.items, e.received, e.size = 0, h.received, 0
	clear(e.entries)
	e.entries = e.entries[:0]
	b := append(e.buffer[:0], recordVersion, 0, 0, 0, 0)
	b = binary.AppendVarint(b, h.received)
	b = binary.AppendVarint(b, h.stamp)
	e.buffer = appendString(b, h.source)
}

func (e *encoder) add(it *item) {
	e.items++
	b := append(e.buffer, it.profile[:]...)
	b = append(b, byte(it.kind), it.flags)
	b = binary.AppendVarint(b, e.received-it.time)
	b = binary.AppendUvarint(b, uint64(it.index))
	b = appendString(b, it.messageID)
	b = appendString(b, it.userID)
	b = appendString(b, it.anonymousID)
	b = appendString(b, it.event)
	b = appendString(b, it.decisionID)
	b = binary.AppendUvarint(b, uint64(len(it.links)))
	for _, link := range it.links {
		b = appendString(b, link.Namespace)
		b = appendString(b, link.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(it.numbers)))
	for _, n := range it.numbers {
		b = appendString(b, n.Path)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(n.Value))
	}
	b = appendString(b, it.properties)
	b = appendString(b, it.traits)
	e.buffer = appendString(b, it.context)
}

// tell adds entries to the log of identity. They count after all items of the
// record.
func (e *encoder) tell(entries []identity.Entry) {
	for i := range entries {
		one := &entries[i]
		e.size += 64 + len(one.Rule) + len(one.Evidence) + len(one.By) + len(one.Reason)
		e.entries = append(e.entries, *one)
	}
}

// bytes is the finished message; it is valid until the next begin. It is called
// once.
func (e *encoder) bytes() []byte {
	binary.LittleEndian.PutUint32(e.buffer[1:], uint32(e.items))
	b := binary.AppendUvarint(e.buffer, uint64(len(e.entries)))
	for i := range e.entries {
		one := &e.entries[i]
		explicit := byte(0)
		if one.Explicit {
			explicit = 1
		}
		b = append(b, byte(one.Kind), explicit)
		b = append(b, one.A[:]...)
		b = append(b, one.B[:]...)
		b = binary.AppendVarint(b, e.received-one.SinceA)
		b = binary.AppendVarint(b, e.received-one.SinceB)
		b = appendString(b, one.Rule)
		b = appendString(b, one.Evidence)
		b = appendString(b, one.By)
		b = appendString(b, one.Reason)
	}
	e.buffer = b
	return b
}

// length is about the size of the finished message in bytes.
func (e *encoder) length() int { return len(e.buffer) + e.size }

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decoder reads a stream message. Strings are parts of one copy of it.
type decoder struct {
	text  string
	bytes []byte
	at    int
	err   error
}

func decodeRecord(data []byte, h *recordHeader) (*decoder, error) {
	if len(data) < 5 {
		return nil, fmt.Errorf("a record of %d bytes is cut off", len(data))
	}
	if data[0] == 0 || data[0] > recordVersion {
		return nil, fmt.Errorf("the record has version %d; this program reads versions 1 to %d", data[0], recordVersion)
	}
	h.version = data[0]
	d := &decoder{text: string(data), bytes: data, at: 5}
	h.items = int(binary.LittleEndian.Uint32(data[1:]))
	h.received = d.varint()
	h.stamp = d.varint()
	h.source = d.string()
	return d, d.err
}

// next reads one item; its slices are used again by the next call.
func (d *decoder) next(h *recordHeader, it *item) error {
	if d.err == nil && len(d.bytes)-d.at < len(it.profile)+2 {
		d.fail("an item is cut off")
	}
	if d.err != nil {
		return d.err
	}
	d.at += copy(it.profile[:], d.bytes[d.at:])
	it.kind, it.flags = tracking.Type(d.bytes[d.at]), d.bytes[d.at+1]
	d.at += 2
	it.time = h.received - d.varint()
	it.index = uint32(d.uvarint())
	it.messageID = d.string()
	it.userID = d.string()
	it.anonymousID = d.string()
	it.event = d.string()
	it.decisionID = d.string()
	it.links = it.links[:0]
	for range d.count() {
		it.links = append(it.links, identity.Identifier{Namespace: d.string(), Value: d.string()})
	}
	it.numbers = it.numbers[:0]
	for range d.count() {
		it.numbers = append(it.numbers, tracking.Number{Path: d.string(), Value: d.float()})
	}
	it.properties = d.string()
	it.traits = d.string()
	it.context = d.string()
	return d.err
}

// entries reads the entries of identity, which are behind the items. The items
// have been read.
func (d *decoder) entries(h *recordHeader, into []identity.Entry) ([]identity.Entry, error) {
	into = into[:0]
	if h.version < 2 || d.err != nil {
		return into, d.err
	}
	for range d.count() {
		e := identity.Entry{Stamp: h.stamp}
		if len(d.bytes)-d.at < 2+2*len(e.A) {
			d.fail("an entry of identity is cut off")
			break
		}
		e.Kind, e.Explicit = identity.EntryKind(d.bytes[d.at]), d.bytes[d.at+1]&1 != 0
		d.at += 2
		d.at += copy(e.A[:], d.bytes[d.at:])
		d.at += copy(e.B[:], d.bytes[d.at:])
		e.SinceA, e.SinceB = h.received-d.varint(), h.received-d.varint()
		e.Rule, e.Evidence, e.By, e.Reason = d.string(), d.string(), d.string(), d.string()
		if d.err != nil {
			break
		}
		into = append(into, e)
	}
	return into, d.err
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("the record is damaged at byte %d of %d: %s", d.at, len(d.bytes), what)
		d.at = len(d.bytes)
	}
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.bytes[d.at:])
	if n <= 0 {
		d.fail("a number is cut off")
		return 0
	}
	d.at += n
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.bytes[d.at:])
	if n <= 0 {
		d.fail("a number is cut off")
		return 0
	}
	d.at += n
	return v
}

// count is a number of elements of two bytes or more each, so that a damaged
// one cannot ask for more memory than the record itself has.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.bytes)-d.at)/2 {
		d.fail("a list is longer than the record")
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.bytes)-d.at) {
		d.fail("a string is cut off")
		return ""
	}
	s := d.text[d.at : d.at+int(n)]
	d.at += int(n)
	return s
}

func (d *decoder) float() float64 {
	if len(d.bytes)-d.at < 8 {
		d.fail("a number is cut off")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.bytes[d.at:]))
	d.at += 8
	return v
}
