package decide

import (
	"math"
	"slices"

	"quintet/models/offpolicy"
)

// calibrationBins is how many bins of as many decisions each calibration is shown in.
const calibrationBins = 10

// bins are the decisions in the order of what was expected of them, in tenths.
func bins(log offpolicy.Log) []Bin {
	sorted := slices.Clone(log)
	slices.SortFunc(sorted, func(a, b offpolicy.Decision) int {
		switch {
		case a.Expected < b.Expected:
			return -1
		case a.Expected > b.Expected:
			return 1
		}
		return 0
	})
	out := []Bin{}
	for k := range calibrationBins {
		part := sorted[k*len(sorted)/calibrationBins : (k+1)*len(sorted)/calibrationBins]
		if len(part) == 0 {
			continue
		}
		n := float64(len(part))
		b := Bin{Decisions: len(part)}
		var squares float64
		for i := range part {
			b.Expected += part[i].Expected / n
			b.Observed += part[i].Reward / n
		}
		for i := range part {
			squares += (part[i].Reward - b.Observed) * (part[i].Reward - b.Observed)
		}
		if n > 1 {
			b.Error = math.Sqrt(squares / (n - 1) / n)
		}
		out = append(out, b)
	}
	return out
}
