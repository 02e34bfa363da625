package condition

import "strings"

// Groups are the saved groups that $inGroup and $notInGroup name. A group that is
// not there is empty.
type Groups map[string]*Set

// Set is a list of JSON values in which one is found at once. Nil is empty.
type Set struct {
	texts   map[string]struct{}
	numbers map[float64]struct{}
	null    bool
	yes, no bool
	folded  bool // texts are in lower case, and found without regard to case
}

// NewSet makes a set. Arrays and objects in it are never found, as in JavaScript.
func NewSet(values []any) *Set { return newSet(values, false) }

func newSet(values []any, folded bool) *Set {
	s := &Set{folded: folded}
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			s.null = true
		case bool:
			s.yes, s.no = s.yes || v, s.no || !v
		case string:
			if s.texts == nil {
				s.texts = make(map[string]struct{}, len(values))
			}
			if folded {
				v = strings.ToLower(v)
			}
			s.texts[v] = struct{}{}
		default:
			if n, ok := numeric(v); ok {
				if s.numbers == nil {
					s.numbers = make(map[float64]struct{}, len(values))
				}
				s.numbers[n] = struct{}{}
			}
		}
	}
	return s
}

// Has says whether a value is in the set; of an array, whether one of its elements is.
func (s *Set) Has(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			if s.has(element) {
				return true
			}
		}
		return false
	case []string:
		for _, element := range v {
			if s.hasText(element) {
				return true
			}
		}
		return false
	}
	return s.has(v)
}

func (s *Set) hasText(v string) bool {
	if s == nil || s.texts == nil {
		return false
	}
	if s.folded {
		v = strings.ToLower(v)
	}
	_, ok := s.texts[v]
	return ok
}

func (s *Set) has(v any) bool {
	if s == nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return s.null
	case bool:
		return v && s.yes || !v && s.no
	case string:
		return s.hasText(v)
	}
	n, ok := numeric(v)
	if !ok {
		return false
	}
	_, ok = s.numbers[n]
	return ok
}
