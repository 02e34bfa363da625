package flags

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/experiments/condition"
)

// Reason says how a flag came to its value, in the words of OpenFeature.
type Reason string

// The reasons.
const (
	// Static is the same value for everybody.
	Static Reason = "STATIC"
	// TargetingMatch is the value of a rule whose condition is met.
	TargetingMatch Reason = "TARGETING_MATCH"
	// Split is a value that was drawn: by a share or by an experiment.
	Split Reason = "SPLIT"
	// Off is a flag that is switched off.
	Off Reason = "DISABLED"
	// Fallback is the default of a flag with rules of which none applies. The protocol
	// has no word of its own for it.
	Fallback Reason = "UNKNOWN"
)

// Evaluation is the value of a flag for a subject.
type Evaluation struct {
	Flag    string
	Version int64
	// Value is JSON of the flag's type; nil when the flag is off, and the client is to
	// take the one in its code.
	Value   json.RawMessage
	Reason  Reason
	Variant string // of the experiment, or the key of the rule
	Rule    string
	// Trial is the experiment that gave the value, nil without one.
	Trial    *experiments.Trial
	Assigned assignment.Result

	plain  any
	answer []byte
	values []value // of the experiment's variants
}

// Values is the value that the flag has for a variant of the experiment.
func (e *Evaluation) Values(variant int) json.RawMessage { return e.values[variant].raw }

// Exposure says that a subject was given something by an experiment or a holdout.
type Exposure struct {
	Experiment string
	Variant    string
	Version    int64  // of the experiment
	Unit       string // value that was assigned
	Flag       string
	Tracked    bool // the client reports it
	// Probability, Leaf and BanditVersion are of a bandit's choice; Probability is 0
	// for all else.
	Probability   float64
	Leaf          int
	BanditVersion int64
}

// Overrides are what a client forces, as when somebody tries a page out.
type Overrides struct {
	Values     map[string]json.RawMessage // by flag
	Variations map[string]int             // index of a variant by experiment
}

// maxDepth bounds how many flags may wait for one another.
const maxDepth = 20

// Evaluate gives the value of a flag, false when there is no such flag. The exposures
// that it makes are appended to seen, which may be nil for none.
func (st *State) Evaluate(key string, s assignment.Subject, at time.Time, o *Overrides, seen *[]Exposure) (Evaluation, bool) {
	return st.evaluate(key, s, at, o, seen, 0)
}

func (st *State) evaluate(key string, s assignment.Subject, at time.Time, o *Overrides, seen *[]Exposure, depth int) (Evaluation, bool) {
	f := st.flags[key]
	if f == nil {
		return Evaluation{Flag: key}, false
	}
	e := Evaluation{Flag: key, Version: f.version, Reason: Fallback}
	if o != nil {
		if v, ok := o.Values[key]; ok {
			forced := compileValue(v)
			e.Value, e.plain, e.Reason = forced.raw, forced.plain, Static
			return e, true
		}
	}
	if f.off || f.circular || depth > maxDepth {
		e.Reason, e.answer = Off, f.offAnswer
		return e, true
	}
	e.take(&f.def)
	e.answer = f.defAnswer
	if len(f.rules) == 0 {
		e.Reason = Static
		return e, true
	}
	for i := range f.parents {
		p := &f.parents[i]
		of, ok := st.evaluate(p.flag, s, at, o, seen, depth+1)
		if !ok || !p.condition.Matches(condition.Map{"value": of.plain}, nil) {
			return e, true
		}
	}
	trials := true
	if len(f.holdouts) > 0 {
		switch f.side(s, seen) {
		case assignment.Held:
			return e, true
		case assignment.Comparison:
			trials = false
		}
	}
	for i := range f.rules {
		if r := &f.rules[i]; (trials || r.experiment == "" && r.point == "") && r.condition.Matches(s, nil) && r.apply(f, &e, s, at, o, seen) {
			return e, true
		}
	}
	return e, true
}

func (e *Evaluation) take(v *value) { e.Value, e.plain = v.raw, v.plain }

// side is where the subject is in the flag's holdouts: in the first that has it.
func (f *flag) side(s assignment.Subject, seen *[]Exposure) assignment.Side {
	person := s.Unit(assignment.Person)
	if person == "" {
		return assignment.Outside
	}
	for _, h := range f.holdouts {
		side := h.Side(person)
		if seen != nil {
			variant := experiments.TreatedVariant
			if side == assignment.Held {
				variant = experiments.HoldoutVariant
			}
			*seen = append(*seen, Exposure{Experiment: h.Exposure, Variant: variant, Version: h.Version, Unit: person, Flag: f.key, Tracked: f.tracked})
		}
		if side != assignment.Outside {
			return side
		}
	}
	return assignment.Outside
}

// apply gives the rule's value to the subject, if the rule has one for it.
func (r *rule) apply(f *flag, e *Evaluation, s assignment.Subject, at time.Time, o *Overrides, seen *[]Exposure) bool {
	if r.point != "" {
		return r.choose(f, e, s, seen)
	}
	if r.experiment == "" {
		if r.shared {
			unit := s.Unit(r.unit)
			if unit == "" || assignment.GrowthBook.Bucket(r.salt, unit) >= r.share {
				return false
			}
		}
		e.take(&r.value)
		e.Reason, e.Rule, e.Variant, e.answer = r.reason(), r.key, r.key, r.answers[0]
		return true
	}
	if r.trial == nil {
		return false
	}
	var got assignment.Result
	if v, ok := o.variation(r.experiment); ok && v >= 0 && v < len(r.values) {
		got = assignment.Result{Variant: v, Reason: assignment.ByForce}
	} else {
		got = r.trial.Assign(s, at)
	}
	if !got.In() {
		return false
	}
	e.take(&r.values[got.Variant])
	e.Reason, e.Rule, e.Trial, e.Assigned = Split, r.key, r.trial, got
	e.Variant, e.answer, e.values = r.trial.Variants[got.Variant].Key, r.answers[got.Variant], r.values
	if seen != nil && got.Reason != assignment.ByForce && !exposed(*seen, r.trial, f.tracked) {
		*seen = append(*seen, Exposure{
			Experiment: r.experiment, Variant: e.Variant, Version: r.trial.Version, Unit: got.Unit, Flag: f.key, Tracked: f.tracked,
		})
	}
	return true
}

// choose gives the subject the value of the action that a bandit draws for it.
func (r *rule) choose(f *flag, e *Evaluation, s assignment.Subject, seen *[]Exposure) bool {
	b := r.bandit
	if b == nil {
		return false
	}
	action, probability, leaf := b.draw(s, r.unit, r.salt)
	if action < 0 {
		return false
	}
	e.take(&r.values[action])
	e.Reason, e.Rule, e.Variant, e.answer = Split, r.key, b.actions[action], r.answers[action]
	if seen != nil {
		*seen = append(*seen, Exposure{
			Experiment: b.key, Variant: e.Variant, Version: b.version, Unit: s.Unit(r.unit), Flag: f.key, Tracked: f.tracked,
			Probability: probability, Leaf: leaf, BanditVersion: b.version,
		})
	}
	return true
}

// looked is how far back an exposure is looked for: many flags may share one
// experiment, few have many.
const looked = 8

// exposed says whether an experiment exposed the subject by another flag already.
func exposed(seen []Exposure, t *experiments.Trial, tracked bool) bool {
	for i := len(seen) - 1; i >= max(0, len(seen)-looked); i-- {
		if seen[i].Experiment == t.Key && seen[i].Tracked == tracked {
			return true
		}
	}
	return false
}

func (o *Overrides) variation(experiment string) (int, bool) {
	if o == nil {
		return 0, false
	}
	v, ok := o.Variations[experiment]
	return v, ok
}

// among says whether a value is one of some.
func (e *Evaluation) among(values []any) bool {
	return e.Value != nil && slices.ContainsFunc(values, func(v any) bool { return reflect.DeepEqual(v, e.plain) })
}
