package baskets

import (
	"fmt"
	"slices"

	"quintet/recommend/modelfile"
)

// Encode gives the model as bytes.
func (m *Model) Encode() []byte {
	w := modelfile.NewWriter(Kind, m.settings)
	write(w, "together", m.together)
	write(w, "after", m.after)
	return w.Finish()
}

func write(w *modelfile.Writer, name string, pairs [][]Pair) {
	start := []int{0}
	var numbers []int32
	var shares []float32
	for _, row := range pairs {
		for _, p := range row {
			numbers, shares = append(numbers, p.Item, p.Count), append(shares, p.Lift, p.Confidence, p.Direction)
		}
		start = append(start, len(numbers)/2)
	}
	w.Ints(name+" start", start)
	w.Int32s(name+" numbers", numbers)
	w.Float32s(name+" shares", shares)
}

// Decode makes a model from what Encode gave.
func Decode(r *modelfile.Reader) (*Model, error) {
	var settings Settings
	r.Settings(&settings)
	together, err := read(r, "together")
	if err != nil {
		return nil, fmt.Errorf("reading baskets: %w", err)
	}
	after, err := read(r, "after")
	if err != nil {
		return nil, fmt.Errorf("reading baskets: %w", err)
	}
	if len(together) != len(after) || settings.Validate() != nil {
		return nil, fmt.Errorf("reading baskets: %w: its parts do not fit", modelfile.ErrDamaged)
	}
	return newModel(settings, together, after), nil
}

func read(r *modelfile.Reader, name string) ([][]Pair, error) {
	start, numbers := r.Ints(name+" start", -1), r.Int32s(name+" numbers", -1)
	shares := r.Float32s(name+" shares", len(numbers)/2*3)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(start) == 0 || start[0] != 0 || !slices.IsSorted(start) || 2*start[len(start)-1] != len(numbers) {
		return nil, fmt.Errorf("%w: the rows of pairs do not fit", modelfile.ErrDamaged)
	}
	out := make([][]Pair, len(start)-1)
	for i := range out {
		for n := start[i]; n < start[i+1]; n++ {
			p := Pair{numbers[2*n], numbers[2*n+1], shares[3*n], shares[3*n+1], shares[3*n+2]}
			if p.Item < 0 || int(p.Item) >= len(out) {
				return nil, fmt.Errorf("%w: a pair has item %d of %d", modelfile.ErrDamaged, p.Item, len(out))
			}
			out[i] = append(out[i], p)
		}
	}
	return out, nil
}
