package bandits

import "slices"

// Place is one position of a slate.
type Place struct {
	// Index of the candidate that stands there.
	Index int
	// Propensity is the probability that it stands there given what stands before it. The
	// propensities of all places multiply to that of the slate.
	Propensity float64
}

// Slate draws different candidates for k places, one after the other, and appends them to
// places: each from the distribution over those that are left, in the proportions of Q
// (Plackett, The Analysis of Permutations, 1975). So each place's propensity is exact, and
// as a candidate that is left has at least what the floor gives it, so is its support.
// uniform is asked for a number in [0, 1) for each place, which must be independent, as
// [Uniform] is for different domains. Where fewer candidates than places have a probability
// above zero, there are fewer places.
func (d Distribution) Slate(k int, uniform func(place int) float64, places []Place) []Place {
	first := len(places)
	for place := range min(k, len(d.Q)) {
		left, count := d.left(places[first:])
		if !(left > 0) {
			break
		}
		u, cumulative := float64(uniform(place)*left), 0.0
		chosen := -1
		for i, q := range d.Q {
			if !(q > 0) || stands(places[first:], i) {
				continue
			}
			cumulative += q
			chosen = i // the last one where rounding leaves u above all
			if u < cumulative {
				break
			}
		}
		propensity := d.Q[chosen] / left
		if count == 1 {
			propensity = 1
		}
		places = append(places, Place{Index: chosen, Propensity: propensity})
	}
	return places
}

// SlatePropensities are the propensities that another distribution over the same candidates
// gives the places of a slate, for its evaluation; 0 where a candidate could not stand.
func (d Distribution) SlatePropensities(slate []Place, out []float64) []float64 {
	for i, place := range slate {
		left, count := d.left(slate[:i])
		switch {
		case !(left > 0) || !(d.Q[place.Index] > 0) || stands(slate[:i], place.Index):
			out = append(out, 0)
		case count == 1:
			out = append(out, 1)
		default:
			out = append(out, d.Q[place.Index]/left)
		}
	}
	return out
}

// left is the probability of the candidates that do not stand yet, and how many can.
func (d Distribution) left(before []Place) (sum float64, count int) {
	for i, q := range d.Q {
		if q > 0 && !stands(before, i) {
			sum += q
			count++
		}
	}
	return sum, count
}

func stands(places []Place, index int) bool {
	return slices.ContainsFunc(places, func(p Place) bool { return p.Index == index })
}
