package implicit

import (
	"fmt"
	"math"

	"quintet/recommend/interactions"
)

// Settings of training. The zero value of a field takes the default that is named
// there.
type Settings struct {
	// Factors is the length of the vectors (64).
	Factors int `json:"factors"`
	// Regularisation holds the vectors short (0.007).
	Regularisation float64 `json:"regularisation"`
	// Exponent says how much more a row with many events is held (1).
	Exponent float64 `json:"exponent"`
	// Unobserved is the weight of a pair without an event beside one with weight 1
	// (0.3).
	Unobserved float64 `json:"unobserved"`
	// Epochs is how often both sides are solved (12).
	Epochs int `json:"epochs"`
	// Block is how many factors are solved for at a time (iALS++, Rendle et al. 2021):
	// all when 0. From 128 factors on, blocks of 32 to 64 are faster.
	Block int `json:"block,omitempty"`
	// Deviation of the first vectors' length (0.1).
	Deviation float64 `json:"deviation"`
	// Seed of the first vectors.
	Seed uint64 `json:"seed"`
	// MaxHistory is how many latest events of a person are folded in (2000).
	MaxHistory int `json:"maxHistory"`
	// Weighting makes the entries of the matrix from events; for those of a person
	// who is folded in it takes the time of the newest for now, when that is later.
	Weighting interactions.Weighting `json:"weighting"`
	// Workers is on how many cores it trains (all). It does not change the result.
	Workers int `json:"-"`
}

func (s Settings) withDefaults() Settings {
	defaultTo(&s.Factors, 64)
	defaultTo(&s.Regularisation, 0.007)
	defaultTo(&s.Exponent, 1)
	defaultTo(&s.Unobserved, 0.3)
	defaultTo(&s.Epochs, 12)
	defaultTo(&s.Deviation, 0.1)
	defaultTo(&s.MaxHistory, 2000)
	return s
}

func defaultTo[T int | float64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Bounds of settings.
const (
	MaxFactors = 1024
	MaxEpochs  = 1000
)

// Validate says what is wrong with settings.
func (s Settings) Validate() error {
	s = s.withDefaults()
	if s.Factors < 1 || s.Factors > MaxFactors {
		return fmt.Errorf("factors must be 1 to %d, got %d", MaxFactors, s.Factors)
	}
	if s.Epochs < 1 || s.Epochs > MaxEpochs {
		return fmt.Errorf("epochs must be 1 to %d, got %d", MaxEpochs, s.Epochs)
	}
	if s.Block < 0 || s.Workers < 0 || s.MaxHistory < 0 {
		return fmt.Errorf("block, workers and history must be at least 0, got %d, %d and %d", s.Block, s.Workers, s.MaxHistory)
	}
	for _, f := range []struct {
		name      string
		value, to float64
	}{
		{"regularisation", s.Regularisation, 1e6}, {"weight of the unobserved", s.Unobserved, 1e6},
		{"exponent", s.Exponent, 10}, {"deviation", s.Deviation, 1e6},
	} {
		if !(f.value > 0) || f.value > f.to || math.IsInf(f.value, 0) {
			return fmt.Errorf("%s must be above 0 and at most %g, got %v", f.name, f.to, f.value)
		}
	}
	return s.Weighting.Validate()
}
