package models

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"quintet/models/bandits"
)

// DefaultHalfLifeDays is how many days it takes until a decision counts half,
// where nothing else is said.
const DefaultHalfLifeDays = 30

// Spec says what is to be learned for a decision point. What belongs to the
// policy and not to the model (the scale of the posterior's deviation, the
// exploration floor) is not part of it.
type Spec struct {
	// DecisionPoint is its key.
	DecisionPoint string `json:"decisionPoint"`
	// Candidate is the key of the candidate policy that it is for; empty for the
	// policy that decides.
	Candidate string `json:"candidate,omitempty"`
	// Encoder declares the features that its decisions carry.
	Encoder bandits.Declaration `json:"encoder"`
	// Since is the first version of the decision point whose decisions carry
	// features of this encoder; older ones are left out, as the same position
	// meant something else then. 0 means all.
	Since int64 `json:"since,omitempty"`
	// Objective is what a decision is rewarded for.
	Objective Objective `json:"objective"`
	// HalfLifeDays is the age at which a decision counts half; 30 if zero.
	HalfLifeDays float64 `json:"halfLifeDays,omitempty"`
	// PriorWeight is how many decisions' worth of what the other actions taught
	// an action starts from; the default of bandits.Options if zero.
	PriorWeight float64 `json:"priorWeight,omitempty"`
	// WindowDays is how far back it looks; as far as the half-life reaches if zero.
	WindowDays float64 `json:"windowDays,omitempty"`
	// CorrectDelays counts a young decision for the share of its reward that has
	// usually come by its age.
	CorrectDelays bool `json:"correctDelays,omitempty"`
	// LargestWeight counts a decision by one over its probability, up to this; 0
	// counts all alike.
	LargestWeight float64 `json:"largestWeight,omitempty"`
	// Still switches off what is learned between builds.
	Still bool `json:"still,omitempty"`
}

// Limits of what a spec asks for.
const (
	maxHalfLifeDays  = 3650
	maxWindowDays    = 3650
	maxLargestWeight = 1000
)

// errNothingToLearn is why a spec without terms is not built.
var errNothingToLearn = errors.New("the objective has no terms")

// compile checks the spec and makes the encoder of it.
func (s *Spec) compile() (*bandits.Encoder, error) {
	if s.DecisionPoint == "" {
		return nil, errors.New("the decision point has no key")
	}
	// Validate fills in defaults, and the terms may be shared with a definition.
	s.Objective.Terms = slices.Clone(s.Objective.Terms)
	if err := s.Objective.Validate(); err != nil {
		return nil, fmt.Errorf("objective: %w", err)
	}
	if len(s.Objective.Terms) == 0 {
		return nil, errNothingToLearn
	}
	if s.HalfLifeDays == 0 {
		s.HalfLifeDays = DefaultHalfLifeDays
	}
	switch {
	case !(s.HalfLifeDays > 0 && s.HalfLifeDays <= maxHalfLifeDays):
		return nil, fmt.Errorf("halfLifeDays must be above 0 and at most %d, not %g", maxHalfLifeDays, s.HalfLifeDays)
	case !(s.WindowDays >= 0 && s.WindowDays <= maxWindowDays):
		return nil, fmt.Errorf("windowDays must be from 0 to %d, not %g", maxWindowDays, s.WindowDays)
	case s.LargestWeight != 0 && !(s.LargestWeight >= 1 && s.LargestWeight <= maxLargestWeight):
		return nil, fmt.Errorf("largestWeight must be 0 or from 1 to %d, not %g", maxLargestWeight, s.LargestWeight)
	}
	encoder, err := bandits.NewEncoder(s.Encoder)
	if err != nil {
		return nil, err
	}
	if err := s.options(encoder).Validate(); err != nil {
		return nil, err
	}
	return encoder, nil
}

func (s *Spec) options(encoder *bandits.Encoder) bandits.Options {
	return bandits.Options{
		Dimension: encoder.Dimension(), Fingerprint: encoder.Fingerprint(),
		HalfLife: s.HalfLifeDays, PseudoDecisions: s.PriorWeight,
	}
}

// fingerprint identifies everything that the spec asks for: a model of another
// spec is out of date however little data has come.
func (s *Spec) fingerprint() (string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encoding the specification: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16]), nil
}
