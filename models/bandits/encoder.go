package bandits

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
)

// Attributes gives values by name. Values are what encoding/json gives
// (float64, string, bool, json.Number, nil) or Go's integers.
type Attributes interface {
	Attribute(name string) (value any, ok bool)
}

// AttributeMap is Attributes held in a map.
type AttributeMap map[string]any

// Attribute implements [Attributes].
func (m AttributeMap) Attribute(name string) (any, bool) {
	v, ok := m[name]
	return v, ok
}

// ValueError says which field could not be encoded and why.
type ValueError struct {
	Field     string // name of the declared field
	Source    Source
	Attribute string
	Rule      string
}

// Error implements error.
func (e *ValueError) Error() string {
	return fmt.Sprintf("encoding field %q (%s attribute %q): %s", e.Field, e.Source, e.Attribute, e.Rule)
}

// Encoder turns attributes into feature vectors as its [Declaration] says. It is
// immutable and safe for concurrent use.
//
// Layout: feature 0 is the intercept, always 1; then the fields of profile and
// context and their crosses; then the fields of the action and every cross that
// touches one. So the part that all candidates of a decision share is encoded
// once ([Encoder.EncodeShared]) and each candidate only adds its own
// ([Encoder.EncodeAction]).
//
// A missing value (absent, null, an empty string, or of a type that the kind
// cannot read, such as text for a number or a list) sets the field's "missing" feature.
// A number that is not finite is an error. Text that is not among a field's
// values sets its "other" feature.
type Encoder struct {
	declaration Declaration
	fingerprint string
	dimension   int
	maxActive   int

	sharedBlocks  []block
	sharedCrosses []cross
	actionBlocks  []block
	actionCrosses []cross
}

// block is a field with its place in the vector.
type block struct {
	Field
	offset, width uint32
	values        map[string]uint32
}

// cross is a product of blocks with its place in the vector.
type cross struct {
	offset uint32
	parts  []span
}

// span is the place of a block: features [offset, offset+width).
type span struct{ offset, width uint32 }

// NewEncoder compiles a declaration. It returns a [*DeclarationError] for an
// invalid one.
func NewEncoder(d Declaration) (*Encoder, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	e := &Encoder{declaration: d, fingerprint: d.Fingerprint(), maxActive: 1}
	next := uint32(1)
	spans := make(map[string]span, len(d.Fields))
	isAction := make(map[string]bool)
	place := func(action bool) []block {
		var out []block
		for _, f := range d.Fields {
			if (f.Source == SourceAction) != action {
				continue
			}
			b := newBlock(f, next)
			next += b.width
			spans[f.Name] = span{b.offset, b.width}
			isAction[f.Name] = action
			e.maxActive += b.maxActive()
			out = append(out, b)
		}
		return out
	}
	active := make(map[string]int, len(d.Fields))
	for _, f := range d.Fields {
		b := newBlock(f, 0)
		active[f.Name] = b.maxActive()
	}
	placeCrosses := func(action bool) []cross {
		var out []cross
		for _, names := range d.Crosses {
			touches := false
			for _, n := range names {
				touches = touches || fieldSource(d, n) == SourceAction
			}
			if touches != action {
				continue
			}
			c := cross{offset: next}
			width, most := uint32(1), 1
			for _, n := range names {
				c.parts = append(c.parts, spans[n])
				width *= spans[n].width
				most *= active[n]
			}
			next += width
			e.maxActive += most
			out = append(out, c)
		}
		return out
	}
	e.sharedBlocks = place(false)
	e.sharedCrosses = placeCrosses(false)
	e.actionBlocks = place(true)
	e.actionCrosses = placeCrosses(true)
	e.dimension = int(next)
	return e, nil
}

func fieldSource(d Declaration, name string) Source {
	for _, f := range d.Fields {
		if f.Name == name {
			return f.Source
		}
	}
	return ""
}

func newBlock(f Field, offset uint32) block {
	if f.Attribute == "" {
		f.Attribute = f.Name
	}
	if f.Kind == KindNumeric && f.Clamp == 0 {
		f.Clamp = 3
	}
	if f.Kind == KindCyclic && f.Period == 0 {
		f.Period = 24
	}
	b := block{Field: f, offset: offset, width: uint32(f.width())}
	if len(f.Values) > 0 {
		b.values = make(map[string]uint32, len(f.Values))
		for i, v := range f.Values {
			b.values[v] = uint32(i)
		}
	}
	return b
}

// Dimension is the length of the vector, fixed by the declaration.
func (e *Encoder) Dimension() int { return e.dimension }

// MaxActive is the largest number of active features that a vector can have.
func (e *Encoder) MaxActive() int { return e.maxActive }

// Fingerprint identifies the encoder; see [Declaration.Fingerprint].
func (e *Encoder) Fingerprint() string { return e.fingerprint }

// Declaration returns what the encoder was made of.
func (e *Encoder) Declaration() Declaration { return e.declaration }

// UsesAction says whether vectors depend on the action's attributes. Where they
// do not, one vector serves all candidates of a decision.
func (e *Encoder) UsesAction() bool { return len(e.actionBlocks) > 0 }

// Encode writes the whole vector of one candidate into out, whose memory is
// reused. Any of the sources may be nil, which is "everything missing".
func (e *Encoder) Encode(profile, context, action Attributes, out *Vector) error {
	if err := e.EncodeShared(profile, context, out); err != nil {
		return err
	}
	return e.appendAction(action, out)
}

// EncodeShared writes the features that do not depend on the action into out.
func (e *Encoder) EncodeShared(profile, context Attributes, out *Vector) error {
	out.Reset()
	out.append(0, 1)
	for i := range e.sharedBlocks {
		b := &e.sharedBlocks[i]
		from := profile
		if b.Source == SourceContext {
			from = context
		}
		if err := b.encode(from, out); err != nil {
			return err
		}
	}
	crossInto(e.sharedCrosses, out)
	return nil
}

// EncodeAction writes the vector of one candidate into out: shared, as written
// by [Encoder.EncodeShared], and the features that depend on the action.
func (e *Encoder) EncodeAction(shared Vector, action Attributes, out *Vector) error {
	out.Indices = append(out.Indices[:0], shared.Indices...)
	out.Values = append(out.Values[:0], shared.Values...)
	return e.appendAction(action, out)
}

func (e *Encoder) appendAction(action Attributes, out *Vector) error {
	for i := range e.actionBlocks {
		if err := e.actionBlocks[i].encode(action, out); err != nil {
			return err
		}
	}
	crossInto(e.actionCrosses, out)
	return nil
}

// encode appends the features of one field. The last feature of every block is
// the one for "missing".
func (b *block) encode(from Attributes, out *Vector) error {
	var value any
	if from != nil {
		value, _ = from.Attribute(b.Attribute)
	}
	missing := b.offset + b.width - 1
	x, isNumber := number(value)
	if isNumber && !finite(x) {
		return &ValueError{Field: b.Name, Source: b.Source, Attribute: b.Attribute, Rule: "must be a finite number"}
	}
	switch {
	case b.Kind == KindCategorical:
		b.encodeCategory(value, x, isNumber, out)
	case !isNumber:
		out.append(missing, 1)
	case b.Kind == KindCyclic:
		angle := 2 * math.Pi * math.Mod(x, b.Period) / b.Period
		sin, cos := math.Sincos(angle)
		out.append(b.offset, sin)
		out.append(b.offset+1, cos)
	case len(b.Edges) > 0:
		// The number of edges at or below x is the bucket.
		bucket := sort.Search(len(b.Edges), func(i int) bool { return b.Edges[i] > x })
		out.append(b.offset+uint32(bucket), 1)
	default:
		z := (x - *b.Mean) / *b.SD
		out.append(b.offset, math.Max(-b.Clamp, math.Min(b.Clamp, z)))
	}
	return nil
}

// encodeCategory appends one feature: the value's own or hashed one, the one
// for other values or the one for a missing value. A number counts as its
// shortest decimal text, so that 3, 3.0 and "3" are one value.
func (b *block) encodeCategory(value any, x float64, isNumber bool, out *Vector) {
	missing := b.offset + b.width - 1
	if truth, ok := value.(bool); ok {
		value, isNumber = strconv.FormatBool(truth), false
	}
	if isNumber {
		var room [32]byte
		// Looking up string(bytes) in a map does not allocate, a variable would.
		digits := appendNumber(room[:0], x)
		if b.Hash > 0 {
			out.append(b.offset+hashSlot(b.Name, digits, b.Hash), 1)
			return
		}
		slot, known := b.values[string(digits)]
		out.append(b.categorySlot(slot, known), 1)
		return
	}
	text, _ := value.(string)
	switch {
	case text == "":
		out.append(missing, 1)
	case b.Hash > 0:
		out.append(b.offset+hashSlot(b.Name, text, b.Hash), 1)
	default:
		slot, known := b.values[text]
		out.append(b.categorySlot(slot, known), 1)
	}
}

// categorySlot is the feature of a declared value, or the one for all others,
// which stands before the one for "missing".
func (b *block) categorySlot(slot uint32, known bool) uint32 {
	if known {
		return b.offset + slot
	}
	return b.offset + b.width - 2
}

func appendNumber(dst []byte, x float64) []byte {
	if math.Abs(x) < 1e15 {
		return strconv.AppendFloat(dst, x, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, x, 'g', -1, 64)
}

func (b *block) maxActive() int {
	if b.Kind == KindCyclic {
		return 2
	}
	return 1
}

// hashSlot maps a value to one of n slots: FNV-1a over field and value, mixed
// (the finaliser of MurmurHash3) because FNV's high bits avalanche poorly. It is
// part of the layout of stored models and must never change.
func hashSlot[T string | []byte](field string, value T, n int) uint32 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for i := range len(field) {
		h = (h ^ uint64(field[i])) * prime
	}
	h *= prime // a zero byte: field and value do not run into each other
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * prime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	return uint32(h % uint64(n))
}

// crossInto appends the products of already encoded blocks. A block's active
// features are contiguous in the vector, since blocks are encoded in order.
func crossInto(crosses []cross, out *Vector) {
	for _, c := range crosses {
		from, to := [MaxCrossFields]int{}, [MaxCrossFields]int{}
		for p, s := range c.parts {
			from[p], to[p] = out.within(s)
		}
		for i := from[0]; i < to[0]; i++ {
			at0 := out.Indices[i] - c.parts[0].offset
			for j := from[1]; j < to[1]; j++ {
				at := at0*c.parts[1].width + out.Indices[j] - c.parts[1].offset
				product := float64(out.Values[i] * out.Values[j])
				if len(c.parts) == 2 {
					out.append(c.offset+at, product)
					continue
				}
				for k := from[2]; k < to[2]; k++ {
					out.append(c.offset+at*c.parts[2].width+out.Indices[k]-c.parts[2].offset,
						float64(product*out.Values[k]))
				}
			}
		}
	}
}

// within returns the range of positions whose indices lie in the span.
func (v *Vector) within(s span) (from, to int) {
	for from < len(v.Indices) && v.Indices[from] < s.offset {
		from++
	}
	for to = from; to < len(v.Indices) && v.Indices[to] < s.offset+s.width; to++ {
	}
	return from, to
}

// number reads a numeric value; ok is false for anything that is not one.
func number(value any) (x float64, ok bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case int32:
		return float64(v), true
	case uint64:
		return float64(v), true
	case uint32:
		return float64(v), true
	case float32:
		return float64(v), true
	case json.Number:
		x, err := strconv.ParseFloat(string(v), 64)
		// Out of range is reported as infinite, so that it is refused by name.
		if err != nil && !math.IsInf(x, 0) {
			return 0, false
		}
		return x, true
	default:
		return 0, false
	}
}

// Shared returns the part of a vector that does not depend on the action, as
// [Encoder.EncodeShared] wrote it. It shares v's memory.
func (e *Encoder) Shared(v Vector) Vector {
	if len(e.actionBlocks) == 0 {
		return v
	}
	n := 0
	for n < len(v.Indices) && v.Indices[n] < e.actionBlocks[0].offset {
		n++
	}
	return Vector{Indices: v.Indices[:n:n], Values: v.Values[:n:n]}
}
