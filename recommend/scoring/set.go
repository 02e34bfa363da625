package scoring

import "math/bits"

// Set is a set of items by number, one bit for each. A nil set, where one is asked
// for, means all items; a set that is shorter than the catalogue does not have those
// beyond its end.
type Set []uint64

// NewSet is an empty set for so many items.
func NewSet(items int) Set { return make(Set, (items+63)/64) }

// FullSet is the set of all of so many items.
func FullSet(items int) Set {
	s := NewSet(items)
	for i := range s {
		s[i] = ^uint64(0)
	}
	if rest := items % 64; rest != 0 {
		s[len(s)-1] = 1<<rest - 1
	}
	return s
}

// Has says whether an item is in the set.
func (s Set) Has(item int32) bool {
	word := int(item) >> 6
	return item >= 0 && word < len(s) && s[word]>>(uint(item)&63)&1 != 0
}

// Add puts an item in; one beyond the end is passed over.
func (s Set) Add(item int32) {
	if word := int(item) >> 6; item >= 0 && word < len(s) {
		s[word] |= 1 << (uint(item) & 63)
	}
}

// Remove takes an item out.
func (s Set) Remove(item int32) {
	if word := int(item) >> 6; item >= 0 && word < len(s) {
		s[word] &^= 1 << (uint(item) & 63)
	}
}

// Len is how many items are in the set.
func (s Set) Len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Intersect keeps what is in other too.
func (s Set) Intersect(other Set) {
	for i := range s {
		if i < len(other) {
			s[i] &= other[i]
		} else {
			s[i] = 0
		}
	}
}

// Subtract removes what is in other.
func (s Set) Subtract(other Set) {
	for i := range min(len(s), len(other)) {
		s[i] &^= other[i]
	}
}
