package interactions

import (
	"fmt"
	"math"
)

// Unknown is the number of an id that a vocabulary does not have.
const Unknown int32 = -1

// Vocabulary numbers ids from 0 in the order in which they were added. Adding is for
// one goroutine; reading is for many once nothing is added any more.
type Vocabulary struct {
	ids     []string
	numbers map[string]int32
}

// NewVocabulary numbers ids. An id that is empty or repeated is an error.
func NewVocabulary(ids []string) (*Vocabulary, error) {
	v := &Vocabulary{ids: make([]string, 0, len(ids)), numbers: make(map[string]int32, len(ids))}
	for i, id := range ids {
		n, err := v.Add(id)
		if err != nil {
			return nil, err
		}
		if int(n) != i {
			return nil, fmt.Errorf("id %q is given twice", id)
		}
	}
	return v, nil
}

// Add numbers an id, or finds the number that it has.
func (v *Vocabulary) Add(id string) (int32, error) {
	if n, ok := v.numbers[id]; ok {
		return n, nil
	}
	if id == "" {
		return Unknown, fmt.Errorf("an id is empty")
	}
	if len(v.ids) == math.MaxInt32 {
		return Unknown, fmt.Errorf("there are more than %d ids", math.MaxInt32)
	}
	if v.numbers == nil {
		v.numbers = make(map[string]int32)
	}
	n := int32(len(v.ids))
	v.ids = append(v.ids, id)
	v.numbers[id] = n
	return n, nil
}

// Number is that of an id, or Unknown.
func (v *Vocabulary) Number(id string) int32 {
	if n, ok := v.numbers[id]; ok {
		return n
	}
	return Unknown
}

// ID is that of a number below Len.
func (v *Vocabulary) ID(n int32) string { return v.ids[n] }

// IDs are all ids by number. They must not be changed.
func (v *Vocabulary) IDs() []string { return v.ids }

// Len is how many ids there are.
func (v *Vocabulary) Len() int { return len(v.ids) }
