package learners

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Predictor is all that scoring needs: how tables are encoded, the model, and the
// calibration of its probabilities.
type Predictor struct {
	Schema      *Schema
	Model       Model
	Calibration *Calibration // nil: as the model says
}

// Predict scores the rows of a table.
func (p *Predictor) Predict(t *Table) ([]float64, error) {
	m, err := p.Schema.Encode(t)
	if err != nil {
		return nil, err
	}
	out := make([]float64, t.Rows())
	p.Model.Predict(m, out)
	if p.Calibration != nil {
		parallel(len(out), func(_, from, to int) {
			for i := from; i < to; i++ {
				out[i] = p.Calibration.Apply(out[i])
			}
		})
	}
	return out, nil
}

// Reasons gives what moved the score of one row most, strongest first, at most n.
func (p *Predictor) Reasons(t *Table, row, n int) ([]Reason, error) {
	one := t.Take([]int{row})
	m, err := p.Schema.Encode(one)
	if err != nil {
		return nil, err
	}
	x := make([]float32, len(m.Columns))
	m.Row(0, x)
	contributions := make([]float64, len(x))
	p.Model.Explain(x, contributions)
	effects := make([]float64, len(p.Schema.Fields))
	for j, o := range p.Schema.Origins() {
		effects[o] += contributions[j]
	}
	var reasons []Reason
	for f, effect := range effects {
		if effect == 0 {
			continue
		}
		reasons = append(reasons, Reason{Column: p.Schema.Fields[f].Name, Value: valueOf(one, p.Schema.Fields[f].Name), Effect: effect})
	}
	sortedBy(reasons, func(r Reason) float64 { return math.Abs(r.Effect) })
	return reasons[:min(n, len(reasons))], nil
}

func valueOf(t *Table, name string) string {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Name != name {
			continue
		}
		if c.Categorical() {
			return c.Categories[0]
		}
		if v := c.Numbers[0]; v == v {
			return strconv.FormatFloat(float64(v), 'g', 6, 32)
		}
	}
	return ""
}

// The form of an artefact: a magic word, the length and the SHA-256 of what follows, then
// JSON, so that it can be read without this package.
var magic = []byte("QTNMODEL1\n")

type artefact struct {
	Kind        string       `json:"kind"`
	Schema      *Schema      `json:"schema"`
	Linear      *Linear      `json:"linear,omitempty"`
	Forest      *Forest      `json:"forest,omitempty"`
	Calibration *Calibration `json:"calibration,omitempty"`
}

// Seal puts a magic word, the length and a checksum before the JSON of v.
func Seal(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding a model: %w", err)
	}
	sum := sha256.Sum256(body)
	out := append([]byte(nil), magic...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(body)))
	out = append(out, sum[:]...)
	return append(out, body...), nil
}

// Unseal checks what [Seal] wrote and decodes it into v. It gives [ErrArtefact] for bytes
// that are cut, changed, or of something else.
func Unseal(data []byte, v any) error {
	head := len(magic) + 8 + sha256.Size
	if len(data) < head || !bytes.HasPrefix(data, magic) {
		return fmt.Errorf("%w: it does not begin as one", ErrArtefact)
	}
	body := data[head:]
	if n := binary.LittleEndian.Uint64(data[len(magic):]); n != uint64(len(body)) {
		return fmt.Errorf("%w: it has %d bytes of %d", ErrArtefact, len(body), n)
	}
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], data[len(magic)+8:head]) {
		return fmt.Errorf("%w: its checksum differs", ErrArtefact)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrArtefact, err)
	}
	return nil
}

// MarshalBinary makes the artefact of the predictor. Models of golearn have none.
func (p *Predictor) MarshalBinary() ([]byte, error) {
	a := artefact{Schema: p.Schema, Calibration: p.Calibration}
	switch m := p.Model.(type) {
	case *Linear:
		a.Kind, a.Linear = "linear", m
	case *Forest:
		a.Kind, a.Forest = "forest", m
	default:
		return nil, fmt.Errorf("a model of %T cannot be kept", p.Model)
	}
	return Seal(a)
}

// UnmarshalBinary reads an artefact and checks that scoring with it can go nowhere it
// should not. It gives [ErrArtefact] otherwise and leaves the predictor as it was.
func (p *Predictor) UnmarshalBinary(data []byte) error {
	var a artefact
	if err := Unseal(data, &a); err != nil {
		return err
	}
	if a.Schema == nil || len(a.Schema.Fields) == 0 {
		return fmt.Errorf("%w: it has no columns", ErrArtefact)
	}
	for _, f := range a.Schema.Fields {
		if f.Levels != nil && len(f.Levels) == 0 {
			return fmt.Errorf("%w: column %q has no categories", ErrArtefact, f.Name)
		}
	}
	columns := len(a.Schema.Names())
	if err := a.Calibration.check(); err != nil {
		return err
	}
	out := Predictor{Schema: a.Schema, Calibration: a.Calibration}
	switch {
	case a.Kind == "linear" && a.Linear != nil:
		l := a.Linear
		if len(l.Weights) != columns || len(l.Means) != columns || len(l.Scales) != columns {
			return fmt.Errorf("%w: %d weights for %d columns", ErrArtefact, len(l.Weights), columns)
		}
		for _, s := range l.Scales {
			if s <= 0 {
				return fmt.Errorf("%w: a scale of %v", ErrArtefact, s)
			}
		}
		out.Model = l
	case a.Kind == "forest" && a.Forest != nil:
		if err := a.Forest.Check(columns); err != nil {
			return err
		}
		out.Model = a.Forest
	default:
		return fmt.Errorf("%w: a model of kind %q", ErrArtefact, a.Kind)
	}
	*p = out
	return nil
}
