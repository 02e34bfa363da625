package assignment

// Layer divides units so that experiments in different parts of it never share one.
// A layer within a part of another one is a nested domain: only the units of that
// part are in it, and it divides them anew.
type Layer struct {
	Key    string
	Salt   string
	Hash   Hash
	Parent *Layer // nil for everybody
	Part   Range  // of the parent
}

// Bucket is where a unit is in the layer; false when it is outside of the part of the
// parent.
func (l *Layer) Bucket(unit string) (float64, bool) {
	for p := l; p.Parent != nil; p = p.Parent {
		if !p.Part.Holds(p.Parent.Hash.Bucket(p.Parent.Salt, unit)) {
			return 0, false
		}
	}
	return l.Hash.Bucket(l.Salt, unit), true
}

// place is the part of a layer that an experiment has.
type place struct {
	layer  *Layer
	ranges []Range
	reason Reason // when a unit is elsewhere
}

func (p *place) holds(unit string) bool {
	b, ok := p.layer.Bucket(unit)
	return ok && Choose(b, p.ranges) >= 0
}
