package decide

import "time"

// Record is one decision as it is kept in the log: everything that is needed
// to explain it, to learn from it and to compute it again.
type Record struct {
	DecisionID   string       `json:"decisionId"`
	DecidedAt    time.Time    `json:"decidedAt"`
	Decision     string       `json:"decision" doc:"Key of the decision point"`
	PointVersion int64        `json:"pointVersion" doc:"Version of the decision point's definition"`
	Class        string       `json:"class" doc:"Message class"`
	ProfileID    string       `json:"profileId"`
	Group        Group        `json:"group"`
	Eligible     bool         `json:"eligible"`
	Reasons      []string     `json:"reasons" nullable:"false"`
	Action       string       `json:"action" doc:"offer/channel/creative, none, or empty when not eligible"`
	Offer        string       `json:"offer"`
	Channel      string       `json:"channel"`
	Creative     string       `json:"creative"`
	Items        []string     `json:"items" doc:"Items of the answer" nullable:"false"`
	SendAt       time.Time    `json:"sendAt"`
	ContactCost  float64      `json:"contactCost"`
	Propensity   float64      `json:"propensity"`
	Propensities Propensities `json:"propensities"`
	Policy       string       `json:"policy" doc:"Kind of policy that chose"`
	ModelVersion int64        `json:"modelVersion" doc:"0 when no model was used"`
	Draw         float64      `json:"draw" doc:"Uniform number derived from the decision id"`

	// Candidates and Probabilities are parallel: the eligible actions, in the
	// order of the cumulative distribution, and the probability of each.
	Candidates    []string  `json:"candidates" nullable:"false"`
	Probabilities []float64 `json:"probabilities" nullable:"false"`

	Removed []Removal `json:"removed" nullable:"false"`

	// FeatureIndex and FeatureValue are the encoded features, sparse.
	FeatureIndex []uint32  `json:"featureIndex" nullable:"false"`
	FeatureValue []float64 `json:"featureValue" nullable:"false"`

	Experiments []Enrolment `json:"experiments" nullable:"false"`
	// Excluded are the running experiments of the point that do not have the person.
	Excluded       []Exclusion    `json:"excluded" nullable:"false" doc:"Running experiments that do not have the person, with what keeps them out"`
	Fallback       bool           `json:"fallback"`
	FallbackReason string         `json:"fallbackReason,omitempty"`
	Source         string         `json:"source" doc:"Id of the API key that asked"`
	Context        map[string]any `json:"context" doc:"Context of the request"`
	Traits         map[string]any `json:"traits" doc:"Traits of the profile that the decision read"`
	// Tags are those of the offer, which caps count by.
	Tags []string `json:"tags,omitempty" doc:"Tags of the offer as they were"`
	// Charges are parallel to Candidates, and empty when nothing was charged.
	Charges []float64 `json:"charges,omitempty" doc:"What costs, fatigue and the prices of budgets took off the value of each candidate"`
	// Values are parallel to Candidates, and empty where the policy did not compare by them
	// or knew none.
	Values []float64 `json:"values,omitempty" doc:"What a predictive model or the recommender expected of each candidate, before charges"`
	// Slots and SlotProbabilities are parallel: the moments of which that of sending was drawn.
	Slots             []time.Time    `json:"slots,omitempty" doc:"Moments of which that of sending was drawn"`
	SlotProbabilities []float64      `json:"slotProbabilities,omitempty"`
	Audience          map[string]any `json:"audience,omitempty" doc:"What the audiences of experiments read of the profile: traits, computed attributes and segments"`
}

// Exclusion is an experiment that does not have the person.
type Exclusion struct {
	Key     string `json:"key"`
	Version int64  `json:"version" doc:"Version of the experiment's definition"`
	Reason  string `json:"reason" doc:"What keeps the person out, such as audience, coverage, layer:checkout, holdout:team or group:random"`
	Unit    string `json:"unit,omitempty" doc:"What was assigned, where that is not the profile"`
}

// parallel says whether the lists that belong together are of the same length.
func (r *Record) parallel() bool {
	return len(r.Candidates) == len(r.Probabilities) && len(r.FeatureIndex) == len(r.FeatureValue) &&
		(len(r.Charges) == 0 || len(r.Charges) == len(r.Candidates)) && (len(r.Values) == 0 || len(r.Values) == len(r.Candidates)) && len(r.Slots) == len(r.SlotProbabilities)
}

// staged says whether the record has anything of what limits and moments add.
func (r *Record) staged() bool { return len(r.Tags)+len(r.Charges)+len(r.Slots) > 0 }

// Removal is an action that a rule took out of the candidates.
type Removal struct {
	Action string `json:"action"`
	Rule   string `json:"rule"`
}
