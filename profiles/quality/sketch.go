package quality

import (
	"math"
	"math/bits"
)

// sketchBits is the logarithm of the number of registers of a sketch. With 1,024
// the standard error is 1.04/√1024 = 3.3 % (Flajolet et al., HyperLogLog, 2007).
const sketchBits = 10

const registers = 1 << sketchBits

// sketch estimates how many different values there were. Sketches are merged by
// the greater of each register, which ClickHouse does with maxMap.
type sketch map[uint16]uint8

// ranks are the registers of a sketch that is being made.
type ranks [registers]uint8

// add adds a value by its hash.
func (r *ranks) add(hash uint64) {
	at := hash >> (64 - sketchBits)
	r[at] = max(r[at], uint8(min(bits.LeadingZeros64(hash<<sketchBits), 64-sketchBits)+1))
}

// sketch is the registers that are set; of nil none are.
func (r *ranks) sketch() sketch {
	s := sketch{}
	if r != nil {
		for at, rank := range r {
			if rank > 0 {
				s[uint16(at)] = rank
			}
		}
	}
	return s
}

// estimate is the number of different values, by linear counting as long as many
// registers are empty.
func (s sketch) estimate() float64 {
	if len(s) == 0 {
		return 0
	}
	const m = float64(registers)
	empty := m - float64(len(s))
	sum := empty
	for _, rank := range s {
		sum += math.Ldexp(1, -int(rank))
	}
	raw := 0.7213 / (1 + 1.079/m) * m * m / sum
	if raw <= 2.5*m && empty > 0 {
		return m * math.Log(m/empty)
	}
	return raw
}
