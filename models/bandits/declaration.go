package bandits

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// Limits of a declaration. A posterior holds d(d+1)/2 numbers per action, so the
// dimension is what bounds memory and the time of a build.
const (
	MaxDimension       = 1024
	MaxFields          = 128
	MaxCrosses         = 64
	MaxCrossFields     = 3
	MaxValues          = 1000
	MaxEdges           = 256
	MaxNameLength      = 128
	MaxClamp           = 100     // standard deviations
	MaxDeclarationSize = 1 << 20 // bytes of JSON
)

// Source says whose attribute a field reads.
type Source string

// Sources of a field.
const (
	SourceProfile Source = "profile" // the person: traits and computed attributes
	SourceContext Source = "context" // the request: device, time, page
	SourceAction  Source = "action"  // the candidate: discount, channel, tone
)

// Kind says how a field becomes features.
type Kind string

// Kinds of a field.
const (
	KindNumeric     Kind = "numeric"
	KindCategorical Kind = "categorical"
	KindCyclic      Kind = "cyclic"
)

// Declaration describes an encoder as data. The order of its fields fixes the
// layout, so a changed declaration is another encoder: see [Declaration.Fingerprint].
type Declaration struct {
	// Fields are encoded each into its own block of features.
	Fields []Field `json:"fields"`
	// Crosses lists products of two or three fields, by name: one feature for
	// every combination of their features.
	Crosses [][]string `json:"crosses,omitempty"`
}

// Field declares one attribute and its encoding.
//
// A numeric field has either Edges or Mean and SD. n edges make n+1 one-hot
// buckets, bucket i holding Edges[i-1] <= x < Edges[i]; Mean and SD make one
// feature (x-Mean)/SD, clamped to ±Clamp. A categorical field has either Values,
// one feature each and one for every other value, or Hash, that many features
// shared by all values. A cyclic field is the sine and cosine of 2πx/Period.
// Every kind has one more feature for a missing value, so that "unknown" is
// learned and never mistaken for zero.
type Field struct {
	// Name identifies the field within the declaration.
	Name string `json:"name"`
	// Source is whose attribute is read.
	Source Source `json:"source"`
	// Attribute is the attribute's name at the source; Name if empty.
	Attribute string `json:"attribute,omitempty"`
	// Kind is how the value is encoded.
	Kind Kind `json:"kind"`

	Edges []float64 `json:"edges,omitempty"`
	Mean  *float64  `json:"mean,omitempty"`
	SD    *float64  `json:"sd,omitempty"`
	// Clamp bounds a standardised value, in standard deviations; 3 if zero.
	Clamp float64 `json:"clamp,omitempty"`

	Values []string `json:"values,omitempty"`
	Hash   int      `json:"hash,omitempty"`

	// Period of a cyclic field in the value's own unit; 24 (hours) if zero.
	Period float64 `json:"period,omitempty"`
}

// DeclarationError says which part of a declaration breaks which rule.
type DeclarationError struct {
	Field string // for example fields[2].edges, crosses[0]
	Name  string // the field's name where it has one
	Rule  string // what must hold
}

// Error implements error.
func (e *DeclarationError) Error() string {
	if e.Name == "" {
		return "feature declaration: " + e.Field + ": " + e.Rule
	}
	return fmt.Sprintf("feature declaration: %s (field %q): %s", e.Field, e.Name, e.Rule)
}

// ParseDeclaration reads a declaration from JSON and validates it. Unknown
// members are refused: a misspelt "edges" must not silently become another model.
func ParseDeclaration(data []byte) (Declaration, error) {
	var d Declaration
	if len(data) > MaxDeclarationSize {
		return d, &DeclarationError{Field: "declaration", Rule: fmt.Sprintf("must not exceed %d bytes", MaxDeclarationSize)}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Declaration{}, fmt.Errorf("reading feature declaration: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Declaration{}, &DeclarationError{Field: "declaration", Rule: "must be one JSON object with nothing after it"}
	}
	if err := d.Validate(); err != nil {
		return Declaration{}, err
	}
	return d, nil
}

// Fingerprint identifies the encoder that the declaration describes: a model
// trained on one encoder must not score vectors of another.
func (d Declaration) Fingerprint() string {
	// Marshalling structs of plain values cannot fail once Validate has refused
	// numbers that are not finite; an invalid declaration has no fingerprint.
	data, err := json.Marshal(d)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// Validate reports the first rule that the declaration breaks, as a
// [*DeclarationError] naming the field.
func (d Declaration) Validate() error {
	if len(d.Fields) > MaxFields {
		return &DeclarationError{Field: "fields", Rule: fmt.Sprintf("must not hold more than %d", MaxFields)}
	}
	if len(d.Crosses) > MaxCrosses {
		return &DeclarationError{Field: "crosses", Rule: fmt.Sprintf("must not hold more than %d", MaxCrosses)}
	}
	widths := make(map[string]int, len(d.Fields))
	total := 1 // the intercept
	for i, f := range d.Fields {
		at := fmt.Sprintf("fields[%d]", i)
		if err := f.validate(at); err != nil {
			return err
		}
		if _, seen := widths[f.Name]; seen {
			return &DeclarationError{Field: at + ".name", Name: f.Name, Rule: "must be unique"}
		}
		widths[f.Name] = f.width()
		total += f.width()
	}
	crossed := make(map[string]bool, len(d.Crosses))
	for i, names := range d.Crosses {
		at := fmt.Sprintf("crosses[%d]", i)
		width, err := crossWidth(at, names, widths)
		if err != nil {
			return err
		}
		key := fmt.Sprintf("%q", names)
		if crossed[key] {
			return &DeclarationError{Field: at, Rule: "must not repeat an earlier cross"}
		}
		crossed[key] = true
		total += width
		if total > MaxDimension {
			break
		}
	}
	if total > MaxDimension {
		return &DeclarationError{Field: "declaration", Rule: fmt.Sprintf(
			"must not need more than %d features in all; use fewer values, a smaller hash or fewer crosses", MaxDimension)}
	}
	return nil
}

func crossWidth(at string, names []string, widths map[string]int) (int, error) {
	if len(names) < 2 || len(names) > MaxCrossFields {
		return 0, &DeclarationError{Field: at, Rule: fmt.Sprintf("must name 2 to %d fields", MaxCrossFields)}
	}
	width := 1
	for j, name := range names {
		w, ok := widths[name]
		if !ok {
			return 0, &DeclarationError{Field: fmt.Sprintf("%s[%d]", at, j), Name: name, Rule: "must name a declared field"}
		}
		for _, other := range names[:j] {
			if other == name {
				return 0, &DeclarationError{Field: fmt.Sprintf("%s[%d]", at, j), Name: name, Rule: "must not repeat a field"}
			}
		}
		width *= w
	}
	return width, nil
}

func (f Field) validate(at string) error {
	fail := func(member, rule string) error {
		return &DeclarationError{Field: at + "." + member, Name: f.Name, Rule: rule}
	}
	switch {
	case f.Name == "":
		return fail("name", "must not be empty")
	case len(f.Name) > MaxNameLength:
		return &DeclarationError{Field: at + ".name", Rule: fmt.Sprintf("must not exceed %d bytes", MaxNameLength)}
	case len(f.Attribute) > MaxNameLength:
		return fail("attribute", fmt.Sprintf("must not exceed %d bytes", MaxNameLength))
	case f.Source != SourceProfile && f.Source != SourceContext && f.Source != SourceAction:
		return fail("source", "must be one of profile, context, action")
	}
	if f.Kind != KindNumeric && (f.Edges != nil || f.Mean != nil || f.SD != nil || f.Clamp != 0) {
		return fail("kind", "must be numeric where edges, mean, sd or clamp are given")
	}
	if f.Kind != KindCategorical && (f.Values != nil || f.Hash != 0) {
		return fail("kind", "must be categorical where values or hash are given")
	}
	if f.Kind != KindCyclic && f.Period != 0 {
		return fail("kind", "must be cyclic where period is given")
	}
	switch f.Kind {
	case KindNumeric:
		return f.validateNumeric(fail)
	case KindCategorical:
		return f.validateCategorical(fail)
	case KindCyclic:
		if !finite(f.Period) || f.Period < 0 {
			return fail("period", "must be a positive number")
		}
		return nil
	default:
		return fail("kind", "must be one of numeric, categorical, cyclic")
	}
}

func (f Field) validateNumeric(fail func(member, rule string) error) error {
	if len(f.Edges) > 0 {
		if f.Mean != nil || f.SD != nil || f.Clamp != 0 {
			return fail("edges", "must not be combined with mean, sd or clamp")
		}
		if len(f.Edges) > MaxEdges {
			return fail("edges", fmt.Sprintf("must not hold more than %d", MaxEdges))
		}
		for i, e := range f.Edges {
			if !finite(e) {
				return fail(fmt.Sprintf("edges[%d]", i), "must be finite")
			}
			if i > 0 && e <= f.Edges[i-1] {
				return fail(fmt.Sprintf("edges[%d]", i), "must be larger than the edge before it")
			}
		}
		return nil
	}
	switch {
	case f.Mean == nil && f.SD == nil:
		return fail("edges", "must be given, or else mean and sd")
	case f.Mean == nil || !finite(*f.Mean):
		return fail("mean", "must be a finite number where sd is given")
	case f.SD == nil || !finite(*f.SD) || *f.SD <= 0:
		return fail("sd", "must be a positive number")
	case !(f.Clamp >= 0 && f.Clamp <= MaxClamp):
		return fail("clamp", fmt.Sprintf("must be a positive number up to %d", MaxClamp))
	}
	return nil
}

func (f Field) validateCategorical(fail func(member, rule string) error) error {
	if f.Hash != 0 {
		switch {
		case len(f.Values) > 0:
			return fail("hash", "must not be combined with values")
		case f.Hash < 1 || f.Hash >= MaxDimension:
			return fail("hash", fmt.Sprintf("must be from 1 to %d", MaxDimension-1))
		}
		return nil
	}
	if len(f.Values) == 0 {
		return fail("values", "must be given, or else hash")
	}
	if len(f.Values) > MaxValues {
		return fail("values", fmt.Sprintf("must not hold more than %d", MaxValues))
	}
	seen := make(map[string]bool, len(f.Values))
	for i, v := range f.Values {
		at := fmt.Sprintf("values[%d]", i)
		switch {
		case v == "":
			return fail(at, "must not be empty (an empty value is a missing one)")
		case len(v) > MaxNameLength:
			return fail(at, fmt.Sprintf("must not exceed %d bytes", MaxNameLength))
		case seen[v]:
			return fail(at, "must not repeat an earlier value")
		}
		seen[v] = true
	}
	return nil
}

// width is the number of features of the field, the one for "missing" included.
func (f Field) width() int {
	switch {
	case f.Kind == KindNumeric && len(f.Edges) > 0:
		return len(f.Edges) + 2
	case f.Kind == KindNumeric:
		return 2
	case f.Kind == KindCategorical && f.Hash > 0:
		return f.Hash + 1
	case f.Kind == KindCategorical:
		return len(f.Values) + 2
	default:
		return 3
	}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
