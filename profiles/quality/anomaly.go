package quality

import (
	"math"
	"slices"
	"time"
)

// Anomaly says how the last whole hour of a source compares with what usually
// comes in that hour of the week.
type Anomaly struct {
	Hour     time.Time `json:"hour" doc:"Beginning of the last whole hour"`
	Events   uint64    `json:"events"`
	Expected float64   `json:"expected" doc:"Median of the same hour of the week in the weeks before"`
	Z        float64   `json:"z" doc:"Robust distance from it"`
	Weeks    int       `json:"weeks" doc:"How many weeks are behind it"`
	Verdict  string    `json:"verdict" enum:"usual,above,below,unknown" doc:"above and below from a distance of 4; unknown with fewer than 3 weeks"`
}

const (
	// seasonWeeks is how many weeks are compared with, minWeeks how many are needed.
	seasonWeeks, minWeeks = 5, 3
	// unusual is the robust distance from which a volume is an anomaly. Of volumes that
	// are normally distributed 1 of 16,000 is as far.
	unusual = 4
	// madScale makes the median absolute deviation of a normal distribution its
	// standard deviation: 1/Φ⁻¹(3/4).
	madScale = 1.4826
)

// hours is the volume of a source by the beginning of the hour, in Unix seconds.
type hours map[int64]uint64

// first is the first hour with events; 0 without.
func (h hours) first() int64 {
	first := int64(math.MaxInt64)
	for at, n := range h {
		if n > 0 {
			first = min(first, at)
		}
	}
	if first == math.MaxInt64 {
		return 0
	}
	return first
}

const hourSeconds = 3600

// anomaly compares the last whole hour before now. The distance is
//
//	z = (x − median) / max(1.4826·MAD, √median, 1)
//
// over the same hour of the last five weeks: the median and its absolute deviation
// are not moved by single anomalies in the past, and the floor is the deviation of
// counts that come by chance (Poisson), so that small numbers raise no alarm.
func (h hours) anomaly(now time.Time) Anomaly {
	hour := now.Unix()/hourSeconds*hourSeconds - hourSeconds
	a := Anomaly{Hour: time.Unix(hour, 0).UTC(), Events: h[hour], Verdict: "unknown"}
	first := h.first()
	var past []float64
	for week := int64(1); week <= seasonWeeks; week++ {
		if at := hour - week*7*24*hourSeconds; first != 0 && at >= first {
			past = append(past, float64(h[at]))
		}
	}
	if a.Weeks = len(past); a.Weeks < minWeeks {
		return a
	}
	a.Expected = median(past)
	deviations := make([]float64, len(past))
	for i, x := range past {
		deviations[i] = math.Abs(x - a.Expected)
	}
	a.Z = (float64(a.Events) - a.Expected) / max(madScale*median(deviations), math.Sqrt(a.Expected), 1)
	switch {
	case a.Z >= unusual:
		a.Verdict = "above"
	case a.Z <= -unusual:
		a.Verdict = "below"
	default:
		a.Verdict = "usual"
	}
	return a
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

const (
	// silentHistory is how much history is needed to know how long a source is usually
	// silent; before, a day is taken for long.
	silentHistory = 7 * 24 * time.Hour
	silentDefault = 24 * time.Hour
	// silentWindow is how far back is looked.
	silentWindow = 28 * 24 * time.Hour
)

// usualSilence is for how long a source may be silent: the longest time without
// events between two hours with events in the last four weeks, and one hour more,
// as hours are counted whole.
func (h hours) usualSilence(now time.Time) time.Duration {
	since := now.Add(-silentWindow).Unix()
	var active []int64
	for at, n := range h {
		if n > 0 && at >= since {
			active = append(active, at)
		}
	}
	slices.Sort(active)
	if len(active) < 2 || time.Duration(active[len(active)-1]-active[0])*time.Second < silentHistory {
		return silentDefault
	}
	longest := int64(0)
	for i := 1; i < len(active); i++ {
		longest = max(longest, active[i]-active[i-1])
	}
	return time.Duration(longest+hourSeconds) * time.Second
}
