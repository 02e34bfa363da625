package assignment

// Side says on which side of a holdout a unit is.
type Side uint8

// The sides.
const (
	// Outside is everybody else: treated, and in experiments.
	Outside Side = iota
	// Held gets nothing of what the holdout covers.
	Held
	// Comparison gets what has shipped, and is in no experiment: of the same size as
	// Held and measured against it.
	Comparison
)

// String is the name of the side in the API.
func (s Side) String() string {
	switch s {
	case Held:
		return "held"
	case Comparison:
		return "comparison"
	}
	return "outside"
}

// Holdout keeps a fixed share of units away from something, and another one of the
// same size in nothing but what has shipped. The held range begins at 0 and grows
// upwards, the other one ends at 1 and grows downwards, so that nobody who is in one
// of them leaves it, or gets into the other, when the share grows.
type Holdout struct {
	Key        string
	Version    int64 // of the definition
	Salt       string
	Held       Range
	Comparison Range // empty where there is none
	// Exposure and ComparisonExposure are the keys of the experiments as which the
	// holdout is reported: held against everybody else, and against the other arm.
	Exposure           string
	ComparisonExposure string

	reason, aside Reason
}

// NewHoldout completes a holdout.
func NewHoldout(h Holdout) *Holdout {
	h.reason, h.aside = Reason("holdout:"+h.Key), Reason("comparison:"+h.Key)
	return &h
}

// Bucket is where a unit is.
func (h *Holdout) Bucket(unit string) float64 { return Bucket(h.Salt, unit) }

// Side is where a unit is. A nil holdout has everybody outside.
func (h *Holdout) Side(unit string) Side {
	if h == nil || h.Held.To <= 0 && h.Comparison.To <= 0 {
		return Outside
	}
	switch b := h.Bucket(unit); {
	case h.Held.Holds(b):
		return Held
	case h.Comparison.Holds(b):
		return Comparison
	}
	return Outside
}

// Reason is why a unit on a side takes no part in what the holdout covers; empty
// outside.
func (h *Holdout) Reason(s Side) Reason {
	switch s {
	case Held:
		return h.reason
	case Comparison:
		return h.aside
	}
	return ""
}
