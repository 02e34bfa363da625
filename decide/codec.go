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
// Of a candidate only what follows the beginning that it shares with the one before
// is written: actions are offer, channel and creative, in that order.
//
// A record that has tags, charges or moments ends with them, and is of stagedVersion.
const recordVersion = 4

// One that has values as well ends with these, and is of valuedVersion.
const (
	stagedVersion = 5
	valuedVersion = 6
)

// Older versions, which a stream may still hold.
const (
	plainVersion      = 2 // had its candidates in full
	untargetedVersion = 3 // had neither exclusions nor how somebody came to a variant
)

// Bounds of a list of a record that is read: its elements, and the bytes of a list
// of strings, which can be many more than the record has.
const (
	maxElements = 1 << 16
	maxTexts    = 16 << 20
)

var errDamaged = errors.New("the record is damaged")

// encodeRecord gives the bytes of a record in the stream.
func encodeRecord(r *Record) ([]byte, error) {
	return AppendRecord(make([]byte, 0, 512+32*len(r.Candidates)+9*len(r.FeatureIndex)), r)
}

// AppendRecord appends the bytes of a record in the stream to b. It returns an error
// where a context, traits or audience cannot be written as JSON.
func AppendRecord(b []byte, r *Record) ([]byte, error) {
	w := recordWriter{b}
	version := byte(recordVersion)
	if r.staged() {
		version = stagedVersion
	}
	if len(r.Values) > 0 {
		version = valuedVersion
	}
	w.b = append(w.b, version)
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
	w.fronted(r.Candidates)
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
		w.text(x.How)
		w.text(x.Unit)
	}
	w.length(len(r.Excluded))
	for _, x := range r.Excluded {
		w.text(x.Key)
		w.integer(x.Version)
		w.text(x.Reason)
		w.text(x.Unit)
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
	if err := w.object(r.Audience); err != nil {
		return w.b, fmt.Errorf("encoding what audiences read: %w", err)
	}
	if version >= stagedVersion {
		w.stages(r)
	}
	if version == valuedVersion {
		w.runs(r.Values)
	}
	return w.b, nil
}

// stages writes what limits and moments add. Neighbours among the charges are often
// alike, as an offer on a channel has several creatives.
func (w *recordWriter) stages(r *Record) {
	w.texts(r.Tags)
	w.runs(r.Charges)
	w.length(len(r.Slots))
	for _, at := range r.Slots {
		w.time(at)
	}
	w.floats(r.SlotProbabilities)
}

// runs writes numbers of which neighbours are often alike.
func (w *recordWriter) runs(list []float64) {
	w.length(len(list))
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && math.Float64bits(list[j]) == math.Float64bits(list[i]) {
			j++
		}
		w.length(j - i)
		w.float(list[i])
		i = j
	}
}

// decodeRecord reads what [encodeRecord] wrote.
func decodeRecord(data []byte) (*Record, error) {
	var r row
	if err := r.decode(string(data)); err != nil { // one copy holds all strings
		return nil, err
	}
	r.Candidates = r.candidates.strings()
	for _, object := range []struct {
		text string
		into *map[string]any
	}{{r.context, &r.Context}, {r.traits, &r.Traits}, {r.audience, &r.Audience}} {
		if object.text == "{}" || object.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(object.text), object.into); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	return &r.Record, nil
}

// row is a record as it is stored: candidates and objects are as the stream has them.
type row struct {
	Record
	candidates                texts
	context, traits, audience string
}

// texts is a list of strings as it is encoded, without its length.
type texts struct {
	n       int
	text    string
	fronted bool
}

// strings are the elements.
func (t texts) strings() []string {
	if t.n == 0 {
		return nil
	}
	d := recordReader{text: t.text}
	out := make([]string, t.n)
	for i := range out {
		if t.fronted && i > 0 {
			out[i] = out[i-1][:d.unsigned()] + d.string()
		} else {
			out[i] = d.string()
		}
	}
	return out
}

// decode reads what [encodeRecord] wrote. The strings of the row are parts of data,
// and lists that the row has from a record before are used again.
func (r *row) decode(data string) error {
	if data == "" || data[0] < plainVersion || data[0] > valuedVersion {
		return fmt.Errorf("%w: it is not of a version from %d to %d", errDamaged, plainVersion, valuedVersion)
	}
	targeted := data[0] > untargetedVersion
	d := recordReader{text: data, at: 1}
	r.DecisionID = d.string()
	r.DecidedAt = d.time()
	r.Decision = d.string()
	r.PointVersion = d.integer()
	r.Class = d.string()
	r.ProfileID = d.string()
	r.Group = Group(d.string())
	r.Eligible = d.flag()
	r.Reasons = d.strings(r.Reasons)
	r.Action = d.string()
	r.Offer = d.string()
	r.Channel = d.string()
	r.Creative = d.string()
	r.Items = d.strings(r.Items)
	r.SendAt = d.time()
	r.ContactCost = d.float()
	r.Propensity = d.float()
	r.Propensities = Propensities{What: d.float(), Where: d.float(), When: d.float(), How: d.float()}
	r.Policy = d.string()
	r.ModelVersion = d.integer()
	r.Draw = d.float()
	r.candidates = d.texts(data[0] != plainVersion)
	r.Probabilities = d.floats(r.Probabilities)
	r.Removed = sized(r.Removed, d.length(2))
	for i := range r.Removed {
		r.Removed[i] = Removal{Action: d.string(), Rule: d.string()}
	}
	r.FeatureIndex = sized(r.FeatureIndex, d.length(1))
	for i := range r.FeatureIndex {
		index := d.unsigned()
		d.bad = d.bad || index > math.MaxUint32
		r.FeatureIndex[i] = uint32(index)
	}
	r.FeatureValue = d.floats(r.FeatureValue)
	r.Experiments = sized(r.Experiments, d.length(3))
	for i := range r.Experiments {
		r.Experiments[i] = Enrolment{Key: d.string(), Variant: d.string(), Version: d.integer()}
		if targeted {
			r.Experiments[i].How, r.Experiments[i].Unit = d.string(), d.string()
		}
	}
	r.Excluded = r.Excluded[:0]
	if n := d.optional(targeted, 4); n > 0 {
		r.Excluded = sized(r.Excluded, n)
		for i := range r.Excluded {
			r.Excluded[i] = Exclusion{Key: d.string(), Version: d.integer(), Reason: d.string(), Unit: d.string()}
		}
	}
	r.Fallback = d.flag()
	r.FallbackReason = d.string()
	r.Source = d.string()
	r.context, r.traits, r.audience = d.string(), d.string(), "{}"
	if targeted {
		r.audience = d.string()
	}
	r.Tags, r.Charges, r.Slots, r.SlotProbabilities = r.Tags[:0], r.Charges[:0], r.Slots[:0], r.SlotProbabilities[:0]
	r.Values = r.Values[:0]
	if data[0] >= stagedVersion {
		d.stages(&r.Record)
	}
	if data[0] == valuedVersion {
		r.Values = d.runs(r.Values)
	}
	parallel := r.candidates.n == len(r.Probabilities) && len(r.FeatureIndex) == len(r.FeatureValue) &&
		(len(r.Charges) == 0 || len(r.Charges) == r.candidates.n) && (len(r.Values) == 0 || len(r.Values) == r.candidates.n) && len(r.Slots) == len(r.SlotProbabilities)
	if d.bad || d.at != len(d.text) || !parallel {
		return fmt.Errorf("%w at byte %d of %d", errDamaged, d.at, len(d.text))
	}
	return nil
}

// stages reads what limits and moments add.
func (d *recordReader) stages(r *Record) {
	r.Tags = d.strings(r.Tags)
	r.Charges = d.runs(r.Charges)
	r.Slots = sized(r.Slots, d.length(1))
	for i := range r.Slots {
		r.Slots[i] = d.time()
	}
	r.SlotProbabilities = d.floats(r.SlotProbabilities)
}

// runs reads numbers into the space behind an empty list.
func (d *recordReader) runs(list []float64) []float64 {
	n := d.unsigned()
	if n > maxElements {
		d.bad = true
		return list
	}
	for left := int(n); left > 0 && !d.bad; {
		run, v := int(min(d.unsigned(), maxElements)), d.float()
		if run == 0 || run > left {
			d.bad = true
			return list
		}
		for range run {
			list = append(list, v)
		}
		left -= run
	}
	return list
}

// sized is a list of n elements, the given one when it has room. The elements are
// to be written by the caller.
func sized[T any](list []T, n int) []T {
	if n <= cap(list) {
		return list[:n]
	}
	return make([]T, n)
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

// fronted writes a list in which neighbours begin alike.
func (w *recordWriter) fronted(list []string) {
	w.length(len(list))
	for i, s := range list {
		if i > 0 {
			same := 0
			for before := list[i-1]; same < len(s) && same < len(before) && s[same] == before[same]; {
				same++
			}
			w.length(same)
			s = s[same:]
		}
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

// optional is a length that is there under a condition, else 0.
func (d *recordReader) optional(there bool, size int) int {
	if !there {
		return 0
	}
	return d.length(size)
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

func (d *recordReader) strings(list []string) []string {
	list = sized(list, d.length(1))
	for i := range list {
		list[i] = d.string()
	}
	return list
}

// texts passes over a list of strings.
func (d *recordReader) texts(fronted bool) texts {
	t := texts{n: d.length(1), fronted: fronted}
	start := d.at
	before, whole := 0, 0
	for i := range t.n {
		same := uint64(0)
		if fronted && i > 0 {
			same = d.unsigned()
		}
		n := d.unsigned()
		if d.bad || same > uint64(before) || n > uint64(len(d.text)-d.at) {
			d.bad = true
			return texts{}
		}
		d.at += int(n)
		before = int(same + n)
		if whole += before; whole > maxTexts {
			d.bad = true
			return texts{}
		}
	}
	t.text = d.text[start:d.at]
	return t
}

func (d *recordReader) float() float64 {
	if d.bad || len(d.text)-d.at < 8 {
		d.bad = true
		return 0
	}
	t := d.text[d.at : d.at+8]
	v := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
		uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
	d.at += 8
	return math.Float64frombits(v)
}

func (d *recordReader) floats(list []float64) []float64 {
	list = sized(list, d.length(8))
	for i := range list {
		list[i] = d.float()
	}
	return list
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
