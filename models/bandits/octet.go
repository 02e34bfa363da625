package bandits

import "math"

// laneCount is the number of actions that stand beside each other in a octet: as
// many numbers as a cache line holds.
const laneCount = 8

// lanes holds one number for each action of a octet.
type lanes [laneCount]float64

// octet holds the posteriors of eight actions side by side, so that those of one
// pair of features, which a decision reads together, share a cache line.
type octet struct {
	mean       []lanes // μ, by feature
	covariance []lanes // Λ⁻¹, packed lower triangle
	noise      lanes   // σ²
	decisions  lanes
}

// register says in which lane an action stands. Workspaces hold on to it, so it
// does not lead to the numbers.
type register struct {
	lane  map[string]int32
	prior int32 // for an action without data
}

func newOctet(dimension int) octet {
	return octet{mean: make([]lanes, dimension), covariance: make([]lanes, PackedLen(dimension))}
}

func (b *octet) set(lane int, a *Arm) {
	for i, x := range a.Mean {
		b.mean[i][lane] = x
	}
	for i, x := range a.Covariance {
		b.covariance[i][lane] = x
	}
	b.noise[lane], b.decisions[lane] = a.Noise, a.Decisions
}

// get copies a lane into an arm, whose slices have the right lengths.
func (b *octet) get(lane int, a *Arm) {
	for i := range a.Mean {
		a.Mean[i] = b.mean[i][lane]
	}
	for i := range a.Covariance {
		a.Covariance[i] = b.covariance[i][lane]
	}
	a.Noise, a.Decisions = b.noise[lane], b.decisions[lane]
}

// score is [Arm.Score] for all lanes, to the same bits. x must be valid for the
// dimension.
func (b *octet) score(x Vector, mean, sd *lanes) {
	ones := true
	for _, v := range x.Values {
		ones = ones && v == 1
	}
	var pairs, squares lanes
	if ones {
		b.addPairs(x.Indices, &pairs)
	} else {
		b.weighPairs(x, &pairs)
	}
	*mean = lanes{}
	for i, ix := range x.Indices {
		v, diagonal, mu := x.Values[i], &b.covariance[PackedLen(int(ix))+int(ix)], &b.mean[ix]
		square := float64(v * v)
		for l := range laneCount {
			squares[l] += float64(square * diagonal[l])
			mean[l] += float64(v * mu[l])
		}
	}
	for l := range laneCount {
		sd[l] = deviation(b.noise[l], squares[l]+float64(2*pairs[l]))
	}
}

// weighPairs sums x_i x_j Λ⁻¹_ij over all j < i.
func (b *octet) weighPairs(x Vector, out *lanes) {
	var d0, d1, d2, d3, d4, d5, d6, d7 float64
	values := x.Values[:len(x.Indices)]
	for i, ix := range x.Indices {
		row := b.covariance[PackedLen(int(ix)):][:ix]
		v := values[i]
		for j, jx := range x.Indices[:i] {
			w, c := float64(v*values[j]), &row[jx]
			d0 += float64(w * c[0])
			d1 += float64(w * c[1])
			d2 += float64(w * c[2])
			d3 += float64(w * c[3])
			d4 += float64(w * c[4])
			d5 += float64(w * c[5])
			d6 += float64(w * c[6])
			d7 += float64(w * c[7])
		}
	}
	*out = lanes{d0, d1, d2, d3, d4, d5, d6, d7}
}

// addPairs is weighPairs where all values are 1, as one-hot encoding gives.
func (b *octet) addPairs(indices []uint32, out *lanes) {
	var d0, d1, d2, d3, d4, d5, d6, d7 float64
	for i, ix := range indices {
		row := b.covariance[PackedLen(int(ix)):][:ix]
		for _, jx := range indices[:i] {
			c := &row[jx]
			d0 += c[0]
			d1 += c[1]
			d2 += c[2]
			d3 += c[3]
			d4 += c[4]
			d5 += c[5]
			d6 += c[6]
			d7 += c[7]
		}
	}
	*out = lanes{d0, d1, d2, d3, d4, d5, d6, d7}
}

// deviation is σ√quad. Rounding may leave a tiny negative number where the variance
// is zero.
func deviation(noise, quad float64) float64 {
	if quad < 0 {
		quad = 0
	}
	return math.Sqrt(float64(noise * quad))
}
