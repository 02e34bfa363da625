package assignment

// Split sets two groups of units aside from the rest: the first one grows upwards from
// 0, the last one downwards from 1, so that raising their shares only takes units from
// between them.
type Split struct {
	Salt        string
	First, Last Range
}

// Part is one of the three parts of a [Split].
type Part uint8

// The parts.
const (
	Between Part = iota
	First
	Last
)

// Part is the part that a unit is in. A nil split has everybody between.
func (s *Split) Part(unit string) Part {
	if s == nil {
		return Between
	}
	switch b := Bucket(s.Salt, unit); {
	case s.First.Holds(b):
		return First
	case s.Last.Holds(b):
		return Last
	}
	return Between
}
