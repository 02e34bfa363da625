package flags

import (
	"encoding/json"
)

// answer is an evaluation as the OpenFeature remote evaluation protocol has it. What a
// flag can come to is known when it is compiled, and so are its answers.
type answer struct {
	Key      string          `json:"key"`
	Value    json.RawMessage `json:"value,omitempty"`
	Reason   Reason          `json:"reason"`
	Variant  string          `json:"variant,omitempty"`
	Metadata metadata        `json:"metadata"`
}

// metadata says what an answer comes from.
type metadata struct {
	FlagVersion       int64  `json:"flagVersion"`
	Rule              string `json:"rule,omitempty"`
	Experiment        string `json:"experiment,omitempty"`
	ExperimentVersion int64  `json:"experimentVersion,omitempty"`
	DecisionPoint     string `json:"decisionPoint,omitempty"`
	BanditVersion     int64  `json:"banditVersion,omitempty"`
}

// Answer is the evaluation as the OpenFeature remote evaluation protocol has it.
func (e *Evaluation) Answer() []byte {
	if e.answer != nil {
		return e.answer
	}
	a := answer{Key: e.Flag, Value: e.Value, Reason: e.Reason, Variant: e.Variant, Metadata: metadata{FlagVersion: e.Version, Rule: e.Rule}}
	if e.Trial != nil {
		a.Metadata.Experiment, a.Metadata.ExperimentVersion = e.Trial.Key, e.Trial.Version
	}
	return a.encode()
}

func (a *answer) encode() []byte {
	data, err := json.Marshal(a)
	if err != nil {
		return nil // the value was compacted before, so that it is JSON
	}
	return data
}

// prepare makes the answers of a flag.
func (f *flag) prepare() {
	one := func(v *value, reason Reason) []byte {
		a := answer{Key: f.key, Reason: reason, Metadata: metadata{FlagVersion: f.version}}
		if v != nil {
			a.Value = v.raw
		}
		return a.encode()
	}
	f.offAnswer = one(nil, Off)
	f.defAnswer = one(&f.def, Fallback)
	if len(f.rules) == 0 {
		f.defAnswer = one(&f.def, Static)
	}
	for i := range f.rules {
		r := &f.rules[i]
		a := answer{Key: f.key, Value: r.value.raw, Reason: r.reason(), Variant: r.key, Metadata: metadata{FlagVersion: f.version, Rule: r.key}}
		if r.bandit != nil {
			a.Metadata.DecisionPoint, a.Metadata.BanditVersion = r.point, r.bandit.version
			for j, action := range r.bandit.actions {
				a.Value, a.Variant = r.values[j].raw, action
				r.answers = append(r.answers, a.encode())
			}
			continue
		}
		if r.experiment == "" {
			r.answers = [][]byte{a.encode()}
			continue
		}
		if r.trial == nil {
			continue
		}
		a.Metadata.Experiment, a.Metadata.ExperimentVersion = r.trial.Key, r.trial.Version
		for j, v := range r.trial.Variants {
			a.Value, a.Variant = r.values[j].raw, v.Key
			r.answers = append(r.answers, a.encode())
		}
	}
}

// reason is why those get the rule's value who get it.
func (r *rule) reason() Reason {
	switch {
	case r.experiment != "" || r.shared || r.point != "":
		return Split
	case r.condition != nil:
		return TargetingMatch
	}
	return Static
}
