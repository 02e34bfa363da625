package experiments

import "quintet/internal/problem"

// UniversalHoldout is the key of the holdout definition that every advertising
// decision obeys.
const UniversalHoldout = "universal"

// Holdout is the universal control group: a fixed share of people that no
// advertising decision reaches. Its salt is its own, so that it is independent
// of every experiment; raising the share only adds people.
type Holdout struct {
	Share float64 `json:"share" minimum:"0" exclusiveMaximum:"1" doc:"Share of all people that no advertising decision reaches"`
	Salt  string  `json:"salt,omitempty" maxLength:"256" doc:"Seed of who is held out; universal-holdout unless given. A change picks other people"`
}

// Holds says whether the unit is held out.
func (h Holdout) Holds(unit string) bool {
	return h.Share > 0 && Bucket(h.Salt, unit) < h.Share
}

// defaultHoldoutShare is what a new installation holds out.
const defaultHoldoutShare = 0.05

func (h *Holdout) normalise() {
	if h.Salt == "" {
		h.Salt = UniversalExperiment
	}
}

func (h *Holdout) validate() problem.Invalid {
	var bad problem.Invalid
	if !(h.Share >= 0 && h.Share < 1) {
		bad.Add("share", "must be at least 0 and below 1", number(h.Share))
	}
	checkSalt(&bad, "salt", h.Salt)
	return bad
}
