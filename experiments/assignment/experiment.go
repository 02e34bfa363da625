package assignment

import (
	"fmt"
	"math"
	"slices"
	"time"

	"quintet/experiments/condition"
)

// Person is the name of the usual unit: the profile.
const Person = "person"

// Subject is the unit that is to be assigned, under all its names, and what is known
// of it at the moment.
type Subject interface {
	condition.Attributes
	// Unit is the value of the unit of a name, empty when there is none.
	Unit(name string) string
	// Identifier is the i-th identifier of the subject, counted from 0; false behind
	// the last one.
	Identifier(i int) (namespace, value string, ok bool)
	// Kept is what a sticky experiment keeps for the unit.
	Kept(experiment, unit string) (Kept, bool)
}

// Kept is a variant that a unit keeps.
type Kept struct {
	Variant int // index
	Version int // bucket version of the experiment when the unit got it
}

// Gate is a prerequisite that something else than an experiment decides.
type Gate func(s Subject, at time.Time) bool

// Reason says how a unit came to its variant, or what keeps it out. Where a layer, a
// holdout or a prerequisite keeps it out, its key follows a colon.
type Reason string

// How a unit came to its variant.
const (
	ByHash   Reason = ""
	ByForce  Reason = "forced"
	ByKeeper Reason = "sticky"
)

// What keeps a unit out of an experiment.
const (
	NotRunning    Reason = "not-running"
	NotStarted    Reason = "not-started"
	Ended         Reason = "ended"
	Blocked       Reason = "blocked"
	NoUnit        Reason = "no-unit"
	BucketVersion Reason = "bucket-version"
	OutOfAudience Reason = "audience"
	OutOfCoverage Reason = "coverage"
	Dropped       Reason = "dropped"
	NoVariant     Reason = "no-variant"
	reasonLayer   Reason = "layer:"
)

// ReasonPrerequisite begins the reason of who lacks a prerequisite; its key follows.
const ReasonPrerequisite = "prerequisite:"

// Result is an assignment.
type Result struct {
	Variant int    // index, −1 when the unit takes no part
	Reason  Reason // how, or why not
	Unit    string // value of the unit; empty when it did not come to that
}

// In says whether the unit takes part.
func (r Result) In() bool { return r.Variant >= 0 }

// Identifier is a unit as people name it.
type Identifier struct{ Namespace, Value string }

// Units maps units to something: by the value of the unit, and by an identifier that
// the subject has.
type Units struct {
	ByValue      map[string]int
	ByIdentifier map[Identifier]int
}

// find looks a subject up.
func (u *Units) find(s Subject, unit string) (int, bool) {
	if unit != "" && len(u.ByValue) > 0 {
		if v, ok := u.ByValue[unit]; ok {
			return v, true
		}
	}
	if len(u.ByIdentifier) == 0 {
		return 0, false
	}
	for i := 0; ; i++ {
		namespace, value, ok := s.Identifier(i)
		if !ok {
			return 0, false
		}
		if v, ok := u.ByIdentifier[Identifier{namespace, value}]; ok {
			return v, true
		}
	}
}

func (u *Units) empty() bool { return len(u.ByValue) == 0 && len(u.ByIdentifier) == 0 }

// Step is a moment from which a coverage holds.
type Step struct {
	From     time.Time
	Coverage float64
}

// Requirement is another experiment, or a gate, that a unit must have passed.
type Requirement struct {
	Key        string
	Experiment *Experiment // nil where Gate decides, and for one that is not there
	Variants   []int       // of the experiment
	Gate       Gate
}

// Place is a part of a layer.
type Place struct {
	Layer  *Layer
	Ranges []Range
}

// Spec is what an experiment is made of. It is expected to be valid.
type Spec struct {
	Key            string
	Version        int64
	Running        bool
	Unit           string // Person unless given
	Hash           Hash
	Salt           string
	Weights        []float64
	Dropped        []bool // parallel to the weights; may be nil
	Coverage       float64
	Steps          []Step // in order of time, each above the one before
	Start, End     time.Time
	Audience       *condition.Condition
	Saved          condition.Groups
	Requirements   []Requirement
	Places         []Place
	Holdouts       []*Holdout
	Forced         Units // to an index of a variant
	Blocked        Units
	Sticky         bool
	BucketVersion  int
	MinimumVersion int
}

// Experiment assigns units. It is immutable.
type Experiment struct {
	Spec
	coverageSalt string
	requirements []requirement
	places       []place
	from, to     int64 // milliseconds since 1970
	targeted     bool  // whether anything but coverage and weights decides
}

type requirement struct {
	Requirement
	reason Reason
}

// New compiles an experiment.
func New(spec Spec) *Experiment {
	if spec.Unit == "" {
		spec.Unit = Person
	}
	e := &Experiment{Spec: spec, coverageSalt: CoverageSalt(spec.Salt), from: math.MinInt64, to: math.MaxInt64}
	if !spec.Start.IsZero() {
		e.from = spec.Start.UnixMilli()
	}
	if !spec.End.IsZero() {
		e.to = spec.End.UnixMilli()
	}
	for _, r := range spec.Requirements {
		e.requirements = append(e.requirements, requirement{r, Reason(ReasonPrerequisite + r.Key)})
	}
	for _, p := range spec.Places {
		e.places = append(e.places, place{p.Layer, p.Ranges, reasonLayer + Reason(p.Layer.Key)})
	}
	e.targeted = !spec.Forced.empty() || !spec.Blocked.empty() || len(spec.Holdouts) > 0 || len(e.requirements) > 0 ||
		len(e.places) > 0 || spec.Audience != nil || spec.Sticky
	return e
}

// CoverageSalt seeds who takes part. It differs from the salt of the variants, so
// that widening the coverage brings in new units without moving anyone between
// variants.
func CoverageSalt(salt string) string { return salt + "/coverage" }

// CoverageAt is the share of units that take part at a moment.
func (e *Experiment) CoverageAt(at time.Time) float64 {
	coverage := e.Coverage
	for i := range e.Steps {
		if at.Before(e.Steps[i].From) {
			break
		}
		coverage = max(coverage, e.Steps[i].Coverage)
	}
	return coverage
}

// Ranges are the variants' ranges at a moment, as GrowthBook's payload states them:
// those of dropped variants are empty. They hold for the hashes of GrowthBook, where
// one bucket decides about coverage and variant.
func (e *Experiment) Ranges(at time.Time) []Range {
	ranges := BucketRanges(len(e.Weights), e.CoverageAt(at), e.Weights)
	for i := range ranges {
		if e.dropped(i) {
			ranges[i].To = ranges[i].From
		}
	}
	return ranges
}

func (e *Experiment) dropped(i int) bool { return i < len(e.Dropped) && e.Dropped[i] }

// Assign gives the variant of a subject at a moment. It is a pure function of the
// experiment, the subject and the moment.
func (e *Experiment) Assign(s Subject, at time.Time) Result { return e.assign(s, at, nil) }

// Forces says whether the subject is forced into a variant, whatever else holds.
func (e *Experiment) Forces(s Subject) bool {
	if !e.Running || e.Forced.empty() {
		return false
	}
	_, ok := e.Forced.find(s, s.Unit(e.Unit))
	return ok
}

// assign is [Experiment.Assign]; a trace is told of every step.
func (e *Experiment) assign(s Subject, at time.Time, t *Trace) Result {
	unit := s.Unit(e.Unit)
	t.unit(e, unit)
	if !e.Running {
		return t.out(unit, NotRunning, "status", "the experiment is not running")
	}
	t.pass("status", "the experiment is running")
	if e.targeted {
		if !e.Forced.empty() {
			if v, ok := e.Forced.find(s, unit); ok {
				return t.in(Result{Variant: v, Reason: ByForce, Unit: unit}, "forced", "the unit is forced into this variant, whatever else holds")
			}
			t.pass("forced", "the unit is not forced")
		}
		if !e.Blocked.empty() {
			if _, ok := e.Blocked.find(s, unit); ok {
				return t.out(unit, Blocked, "blocked", "the unit is blocked")
			}
			t.pass("blocked", "the unit is not blocked")
		}
	}
	if now := at.UnixMilli(); now < e.from {
		return t.out(unit, NotStarted, "schedule", "the experiment starts later")
	} else if now >= e.to {
		return t.out(unit, Ended, "schedule", "the experiment ended before")
	}
	t.pass("schedule", "the experiment has started and has not ended")
	if unit == "" {
		return t.out(unit, NoUnit, "unit", "the subject has no such unit")
	}
	if e.targeted {
		if r, done := e.target(s, unit, at, t); done {
			return r
		}
	}
	return e.draw(unit, at, t)
}

// target applies everything but coverage and weights.
func (e *Experiment) target(s Subject, unit string, at time.Time, t *Trace) (Result, bool) {
	person := unit
	if len(e.Holdouts) > 0 && e.Unit != Person {
		person = s.Unit(Person)
	}
	for _, h := range e.Holdouts {
		side := h.Side(person)
		t.holdout(h, person, side)
		if side != Outside {
			return Result{Variant: -1, Reason: h.Reason(side), Unit: unit}, true
		}
	}
	if e.Sticky {
		if r, done := e.kept(s, unit, t); done {
			return r, true
		}
	}
	for i := range e.requirements {
		r := &e.requirements[i]
		if !r.met(s, at, t) {
			return t.out(unit, r.reason, "prerequisite", "the unit has none of the variants that are required of "+r.Key), true
		}
	}
	if e.Audience != nil {
		if !e.Audience.Matches(s, e.Saved) {
			return t.out(unit, OutOfAudience, "audience", "the unit does not match the audience"), true
		}
		t.pass("audience", "the unit matches the audience")
	}
	for i := range e.places {
		p := &e.places[i]
		inside := p.holds(unit)
		t.layer(p, unit, inside)
		if !inside {
			return Result{Variant: -1, Reason: p.reason, Unit: unit}, true
		}
	}
	return Result{}, false
}

// kept is the variant that the unit keeps.
func (e *Experiment) kept(s Subject, unit string, t *Trace) (Result, bool) {
	kept, ok := s.Kept(e.Key, unit)
	switch {
	case !ok:
		t.pass("sticky", "nothing is kept for the unit")
		return Result{}, false
	case kept.Version < e.MinimumVersion:
		return t.out(unit, BucketVersion, "sticky", "the kept variant is of a bucket version that takes no part any more"), true
	case kept.Version != e.BucketVersion || kept.Variant < 0 || kept.Variant >= len(e.Weights):
		t.pass("sticky", "the kept variant is of another bucket version")
		return Result{}, false
	case e.dropped(kept.Variant):
		return t.out(unit, Dropped, "sticky", "the kept variant was dropped"), true
	}
	return t.in(Result{Variant: kept.Variant, Reason: ByKeeper, Unit: unit}, "sticky", "the unit keeps the variant that it got first"), true
}

func (r *requirement) met(s Subject, at time.Time, t *Trace) bool {
	if r.Gate != nil {
		ok := r.Gate(s, at)
		t.gate(r.Key, ok)
		return ok
	}
	if r.Experiment == nil {
		return false
	}
	got := r.Experiment.assign(s, at, nil)
	ok := got.In() && slices.Contains(r.Variants, got.Variant)
	t.required(r, got, ok)
	return ok
}

// draw applies coverage and weights.
func (e *Experiment) draw(unit string, at time.Time, t *Trace) Result {
	coverage := e.Coverage
	if len(e.Steps) > 0 {
		coverage = e.CoverageAt(at)
	}
	var v int
	if e.Hash == XXH64 {
		if coverage < 1 {
			b := Bucket(e.coverageSalt, unit)
			covered := b < coverage
			t.coverage(e.coverageSalt, unit, b, coverage)
			if !covered {
				return Result{Variant: -1, Reason: OutOfCoverage, Unit: unit}
			}
		}
		b := Bucket(e.Salt, unit)
		v = Weighted(b, e.Weights)
		t.variant(e, unit, b, v, at)
	} else {
		b := e.Hash.Bucket(e.Salt, unit)
		if v = e.share(b, coverage); v < 0 {
			t.variant(e, unit, b, v, at)
			return Result{Variant: -1, Reason: OutOfCoverage, Unit: unit}
		}
		t.variant(e, unit, b, v, at)
	}
	switch {
	case v < 0:
		return Result{Variant: -1, Reason: NoVariant, Unit: unit}
	case e.dropped(v):
		return t.out(unit, Dropped, "dropped", "the variant was dropped, and its units left the experiment")
	}
	return Result{Variant: v, Unit: unit}
}

// share is [Choose] of [BucketRanges] without making the ranges.
func (e *Experiment) share(bucket, coverage float64) int {
	coverage = min(max(coverage, 0), 1)
	var start float64
	for i, w := range e.Weights {
		if bucket >= start && bucket < start+coverage*w {
			return i
		}
		start += w
	}
	return -1
}

// String names the experiment, for logs.
func (e *Experiment) String() string { return fmt.Sprintf("%s@%d", e.Key, e.Version) }

// EachAttribute calls f for the names of all attributes that are read of a subject, by
// the experiment and by those that it requires; perhaps more than once for one.
func (e *Experiment) EachAttribute(f func(name string)) {
	for _, name := range e.Audience.Names() {
		f(name)
	}
	for i := range e.requirements {
		if r := e.requirements[i].Experiment; r != nil {
			r.EachAttribute(f)
		}
	}
}
