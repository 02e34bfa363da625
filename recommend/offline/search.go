package offline

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Parameter is a setting that is searched for.
type Parameter struct {
	Name string `json:"name"`
	// From and To bound it.
	From float64 `json:"from"`
	To   float64 `json:"to"`
	// Logarithmic searches orders of magnitude instead of values.
	Logarithmic bool `json:"logarithmic,omitempty"`
	// Whole numbers only.
	Whole bool `json:"whole,omitempty"`
}

// at gives the value at a place within 0 and 1.
func (p Parameter) at(place float64) float64 {
	value := p.From + place*(p.To-p.From)
	if p.Logarithmic {
		value = p.From * math.Pow(p.To/p.From, place)
	}
	if p.Whole {
		value = math.Round(value)
	}
	return min(p.To, max(p.From, value))
}

// Trial is one set of values and what it came to.
type Trial struct {
	Values map[string]float64 `json:"values"`
	Value  float64            `json:"value"`
	Report *Report            `json:"report,omitempty"`
	// Error says why there is no value, for example that training did not converge.
	Error string `json:"error,omitempty"`
}

// Search tries settings: the first half of the trials spread evenly over the space (a
// Halton sequence, shifted by the seed; Bergstra and Bengio 2012 on why not a grid),
// the second half ever nearer to the best so far. The trials come back with the best
// by measure at k first. It ends early with the context, which is an error only when
// nothing succeeded.
func Search(ctx context.Context, space []Parameter, trials int, seed uint64, measure string, k int, try func(ctx context.Context, values map[string]float64) (*Report, error)) ([]Trial, error) {
	for _, p := range space {
		if !(p.From <= p.To) || p.Logarithmic && !(p.From > 0) || math.IsInf(p.To-p.From, 0) {
			return nil, fmt.Errorf("the bounds of %s, %v to %v, are none", p.Name, p.From, p.To)
		}
	}
	if trials < 1 || trials > 10_000 || len(space) == 0 || len(space) > len(primes) {
		return nil, fmt.Errorf("a search makes 1 to 10000 trials over 1 to %d parameters, got %d over %d", len(primes), trials, len(space))
	}
	rng := rand.New(rand.NewPCG(seed, 0x5ea7c4))
	shift := make([]float64, len(space))
	for i := range shift {
		shift[i] = rng.Float64()
	}
	var out []Trial
	var best []float64
	bestValue := math.Inf(-1)
	for n := range trials {
		place := make([]float64, len(space))
		for i := range space {
			if spread := (trials + 1) / 2; n < spread || best == nil {
				place[i] = math.Mod(halton(n+1, primes[i])+shift[i], 1)
			} else {
				width := 0.25 * math.Pow(0.2, float64(n-spread)/float64(max(1, trials-spread)))
				place[i] = min(1, max(0, best[i]+width*rng.NormFloat64()))
			}
		}
		trial := Trial{Values: make(map[string]float64)}
		for i, p := range space {
			trial.Values[p.Name] = p.at(place[i])
		}
		report, err := try(ctx, trial.Values)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			trial.Error, trial.Value = err.Error(), math.Inf(-1)
		} else if trial.Report, trial.Value = report, report.Value(measure, k); trial.Value > bestValue {
			best, bestValue = place, trial.Value
		}
		out = append(out, trial)
	}
	if best == nil {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("searching for settings: %w", err)
		}
		return out, fmt.Errorf("searching for settings: none of %d trials gave a %s: %s", len(out), measure, out[len(out)-1].Error)
	}
	slices.SortStableFunc(out, func(a, b Trial) int { return cmp.Compare(b.Value, a.Value) })
	return out, nil
}

var primes = []int{2, 3, 5, 7, 11, 13, 17, 19}

// halton is the n-th number of the van der Corput sequence of a base.
func halton(n, base int) float64 {
	out, step := 0.0, 1.0
	for ; n > 0; n /= base {
		step /= float64(base)
		out += step * float64(n%base)
	}
	return out
}
