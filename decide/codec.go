package decide

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// recordVersion is the first byte of a record in the stream. A record is written
// by every decision and read by the sink soon after, so its form is binary: as
// JSON the numbers alone would cost more than the decision.
//
// Layout after the version: integers are varints, a string is its length and its
// bytes, a list is its length and its elements, a float is its eight bytes,
// little endian, so that it comes back bit for bit. Context and traits are JSON.
const recordVersion = 2

// maxElements bounds a list of a record that is read.
const maxElements = 1 << 16

var errDamaged = errors.New("the record is damaged")

// encodeRecord gives the bytes of a record in the stream.
func encodeRecord(r *Record) ([]byte, error) {
	return appendRecord(make([]byte, 0, 512+32*len(r.Candidates)+9*len(r.FeatureIndex)), r)
}

// appendRecord is [encodeRecord] into the space behind b.
func appendRecord(b []byte, r *Record) ([]byte, error) {
	w := recordWriter{b}
	w.b = append(w.b, recordVersion)
	w.text(r.DecisionID)
	w.time(r.DecidedAt)
	w.text(r.Decision)
	w.integer(r.PointVersion)
	w.text(r.Class)
	w.text(r.ProfileID)
	w.text(string(r.Group))
	w.flag(r.Eligible)
	w.texts(r.Reasons)
	w.text(r.Action)
	w.text(r.Offer)
	w.text(r.Channel)
	w.text(r.Creative)
	w.texts(r.Items)
	w.time(r.SendAt)
	w.float(r.ContactCost)
	w.float(r.Propensity)
	w.float(r.Propensities.What)
	w.float(r.Propensities.Where)
	w.float(r.Propensities.When)
	w.float(r.Propensities.How)
	w.text(r.Policy)
	w.integer(r.ModelVersion)
	w.float(r.Draw)
	w.texts(r.Candidates)
	w.floats(r.Probabilities)
	w.length(len(r.Removed))
	for _, x := range r.Removed {
		w.text(x.Action)
		w.text(x.Rule)
	}
	w.length(len(r.FeatureIndex))
	for _, x := range r.FeatureIndex {
		w.b = binary.AppendUvarint(w.b, uint64(x))
	}
	w.floats(r.FeatureValue)
	w.length(len(r.Experiments))
	for _, x := range r.Experiments {
		w.text(x.Key)
		w.text(x.Variant)
		w.integer(x.Version)
	}
	w.flag(r.Fallback)
	w.text(r.FallbackReason)
	w.text(r.Source)
	if err := w.object(r.Context); err != nil {
		return w.b, fmt.Errorf("encoding the context: %w", err)
	}
	if err := w.object(r.Traits); err != nil {
		return w.b, fmt.Errorf("encoding the traits: %w", err)
	}
	return w.b, nil
}

// decodeRecord reads what [encodeRecord] wrote.
func decodeRecord(data []byte) (*Record, error) {
	r := new(Record)
	context, traits, err := decodeRow(data, r)
	if err != nil {
		return nil, err
	}
	for _, object := range []struct {
		text string
		into *map[string]any
	}{{context, &r.Context}, {traits, &r.Traits}} {
		if object.text == "{}" {
			continue
		}
		if err := json.Unmarshal([]byte(object.text), object.into); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	return r, nil
}

// decodeRow is [decodeRecord] that leaves context and traits as JSON.
func decodeRow(data []byte, r *Record) (context, traits string, err error) {
	if len(data) == 0 || data[0] != recordVersion {
		return "", "", fmt.Errorf("%w: it is not of version %d", errDamaged, recordVersion)
	}
	// One copy holds all strings.
	d := recordReader{text: string(data), at: 1}
	r.DecisionID = d.string()
	r.DecidedAt = d.time()
	r.Decision = d.string()
	r.PointVersion = d.integer()
	r.Class = d.string()
	r.ProfileID = d.string()
	r.Group = Group(d.string())
	r.Eligible = d.flag()
	r.Reasons = d.strings()
	r.Action = d.string()
	r.Offer = d.string()
	r.Channel = d.string()
	r.Creative = d.string()
	r.Items = d.strings()
	r.SendAt = d.time()
	r.ContactCost = d.float()
	r.Propensity = d.float()
	r.Propensities = Propensities{What: d.float(), Where: d.float(), When: d.float(), How: d.float()}
	r.Policy = d.string()
	r.ModelVersion = d.integer()
	r.Draw = d.float()
	r.Candidates = d.strings()
	r.Probabilities = d.floats()
	if n := d.length(2); n > 0 {
		r.Removed = make([]Removal, n)
		for i := range r.Removed {
			r.Removed[i] = Removal{Action: d.string(), Rule: d.string()}
		}
	}
	if n := d.length(1); n > 0 {
		r.FeatureIndex = make([]uint32, n)
		for i := range r.FeatureIndex {
			index := d.unsigned()
			d.bad = d.bad || index > math.MaxUint32
			r.FeatureIndex[i] = uint32(index)
		}
	}
	r.FeatureValue = d.floats()
	if n := d.length(3); n > 0 {
		r.Experiments = make([]Enrolment, n)
		for i := range r.Experiments {
			r.Experiments[i] = Enrolment{Key: d.string(), Variant: d.string(), Version: d.integer()}
		}
	}
	r.Fallback = d.flag()
	r.FallbackReason = d.string()
	r.Source = d.string()
	context, traits = d.string(), d.string()
	if d.bad || d.at != len(d.text) || !r.parallel() {
		return "", "", fmt.Errorf("%w at byte %d of %d", errDamaged, d.at, len(d.text))
	}
	return context, traits, nil
}

type recordWriter struct{ b []byte }

func (w *recordWriter) length(n int) { w.b = binary.AppendUvarint(w.b, uint64(n)) }

func (w *recordWriter) integer(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *recordWriter) text(s string) {
	w.length(len(s))
	w.b = append(w.b, s...)
}

// object writes a text of JSON.
func (w *recordWriter) object(m map[string]any) error {
	start := len(w.b)
	var err error
	if w.b, err = appendObject(w.b, m); err != nil {
		return err
	}
	// The length comes first, and is known last.
	var length [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(length[:], uint64(len(w.b)-start))
	w.b = append(w.b, length[:size]...)
	copy(w.b[start+size:], w.b[start:])
	copy(w.b[start:], length[:size])
	return nil
}

func (w *recordWriter) texts(list []string) {
	w.length(len(list))
	for _, s := range list {
		w.text(s)
	}
}

func (w *recordWriter) float(x float64) {
	w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(x))
}

func (w *recordWriter) floats(list []float64) {
	w.length(len(list))
	for _, x := range list {
		w.float(x)
	}
}

func (w *recordWriter) flag(v bool) {
	if v {
		w.b = append(w.b, 1)
		return
	}
	w.b = append(w.b, 0)
}

// time is written in milliseconds, as ClickHouse keeps it; zero is the zero time.
func (w *recordWriter) time(t time.Time) {
	if t.IsZero() {
		w.integer(math.MinInt64)
		return
	}
	w.integer(t.UnixMilli())
}

// recordReader reads what recordWriter wrote. After the first fault it is bad and
// gives zero values.
type recordReader struct {
	text string
	at   int
	bad  bool
}

func (d *recordReader) unsigned() uint64 {
	var v uint64
	for shift := uint(0); shift < 64 && d.at < len(d.text) && !d.bad; shift += 7 {
		b := d.text[d.at]
		d.at++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	d.bad = true
	return 0
}

func (d *recordReader) integer() int64 {
	v := d.unsigned()
	return int64(v>>1) ^ -int64(v&1)
}

// length reads the length of a list whose elements take at least size bytes each,
// so that a damaged one cannot ask for more memory than the record has.
func (d *recordReader) length(size int) int {
	n := d.unsigned()
	if n > maxElements || int(n)*size > len(d.text)-d.at {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *recordReader) string() string {
	n := d.unsigned()
	if d.bad || n > uint64(len(d.text)-d.at) {
		d.bad = true
		return ""
	}
	s := d.text[d.at : d.at+int(n)]
	d.at += int(n)
	return s
}

func (d *recordReader) strings() []string {
	n := d.length(1)
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = d.string()
	}
	return out
}

func (d *recordReader) float() float64 {
	if d.bad || len(d.text)-d.at < 8 {
		d.bad = true
		return 0
	}
	var v uint64
	for i := range 8 {
		v |= uint64(d.text[d.at+i]) << (8 * i)
	}
	d.at += 8
	return math.Float64frombits(v)
}

func (d *recordReader) floats() []float64 {
	n := d.length(8)
	if n == 0 {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = d.float()
	}
	return out
}

func (d *recordReader) flag() bool {
	if d.bad || d.at >= len(d.text) {
		d.bad = true
		return false
	}
	d.at++
	return d.text[d.at-1] == 1
}

func (d *recordReader) time() time.Time {
	v := d.integer()
	if v == math.MinInt64 || d.bad {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}
