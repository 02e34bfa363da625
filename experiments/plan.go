package experiments

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
	"quintet/internal/definitions"
)

// Plan holds all experiments, the running ones by decision point, ready to assign
// without a lock, a look-up of definitions or an allocation. It is immutable.
// A nil Plan assigns nobody.
type Plan struct {
	points   map[string][]*Trial
	trials   map[string]*Trial
	holdouts map[string]*assignment.Holdout
}

// Trial is an experiment in the form that assignment reads.
type Trial struct {
	*assignment.Experiment
	Variants []Variant // parallel to the weights
	Point    string    // decision point; empty without one
}

// Assignment says which variant of an experiment applies to a subject.
type Assignment struct {
	Experiment string
	Version    int64 // of the experiment's definition
	Variant    string
	Control    bool
	Policy     json.RawMessage // of the variant; empty when it has none
	// How is how the subject came to the variant, if not by its hash.
	How assignment.Reason
	// Unit is the value that was assigned, where that is not the person.
	Unit string
	// Keep says that the variant is to be kept for the unit from now on.
	Keep          bool
	Index         int // of the variant
	BucketVersion int
}

// Exclusion says why an experiment does not apply to a subject.
type Exclusion struct {
	Experiment string
	Version    int64
	Reason     assignment.Reason
	Unit       string // what would have been assigned, where that is not the person
}

// FlagSource is what experiments need of feature flags, which are built on top of
// them.
type FlagSource interface {
	// Gate decides whether the value of a flag is among some, given as JSON; false when
	// there is no such flag.
	Gate(flag string, values []string) (assignment.Gate, bool)
	// Needs says whether the value of a flag waits for an experiment.
	Needs(flag, experiment string) bool
}

// Sources are the definitions that a plan is made of.
type Sources struct {
	Experiments map[string]definitions.Versioned[Experiment]
	Layers      map[string]definitions.Versioned[Layer]
	Holdouts    map[string]definitions.Versioned[Holdout]
	Flags       FlagSource       // may be nil
	Groups      condition.Groups // that audiences may refer to
}

// Compile makes a plan. What refers to something that is not there, or does not
// parse, assigns nobody.
func Compile(src Sources) *Plan {
	c := compiler{
		Sources: src, layers: layerCompiler{src.Layers, make(map[string]*assignment.Layer)},
		done: make(map[string]*Trial, len(src.Experiments)), holdouts: make(map[string]*assignment.Holdout, len(src.Holdouts)),
	}
	for key, h := range src.Holdouts {
		c.holdouts[key] = CompileHoldout(h)
	}
	p := &Plan{points: make(map[string][]*Trial), trials: c.done, holdouts: c.holdouts}
	for key, d := range src.Experiments {
		t := c.trial(key)
		if d.Value.Status == Running && t.Point != "" {
			p.points[t.Point] = append(p.points[t.Point], t)
		}
	}
	for _, trials := range p.points {
		slices.SortFunc(trials, func(a, b *Trial) int { return cmp.Compare(a.Key, b.Key) })
	}
	return p
}

// compiler makes trials, each after those that it requires.
type compiler struct {
	Sources
	layers   layerCompiler
	done     map[string]*Trial // nil while it is being made
	holdouts map[string]*assignment.Holdout
}

// trial compiles an experiment. It is nil where there is none, and for one that is
// being compiled already, which requires itself.
func (c *compiler) trial(key string) *Trial {
	if t, ok := c.done[key]; ok {
		return t
	}
	v, ok := c.Experiments[key]
	if !ok {
		return nil
	}
	c.done[key] = nil
	t := &Trial{Experiment: assignment.New(c.spec(key, v)), Variants: v.Value.Variants, Point: v.Value.DecisionPoint}
	c.done[key] = t
	return t
}

func (c *compiler) spec(key string, v definitions.Versioned[Experiment]) assignment.Spec {
	e := &v.Value
	spec := assignment.Spec{
		Key: key, Version: v.Version, Running: e.Status == Running, Unit: e.unit(), Salt: e.Salt, Weights: e.Weights(),
		Coverage: e.coverage(), Saved: c.Groups, Sticky: e.Sticky, BucketVersion: e.BucketVersion, MinimumVersion: e.MinBucketVersion,
		Forced: e.forced(), Blocked: e.blocked(),
	}
	for i, variant := range e.Variants {
		if variant.Dropped {
			spec.Dropped = append(spec.Dropped, make([]bool, i-len(spec.Dropped))...)
			spec.Dropped = append(spec.Dropped, true)
		}
	}
	if e.StartAt != nil {
		spec.Start = *e.StartAt
	}
	if e.EndAt != nil {
		spec.End = *e.EndAt
	}
	// Steps that are gated are taken by the service, which raises the coverage.
	if e.Ramp != nil && !e.Ramp.Gated && e.StartedAt != nil {
		for _, step := range e.Ramp.Steps {
			from := e.StartedAt.Add(time.Duration(step.AfterHours * float64(time.Hour)))
			spec.Steps = append(spec.Steps, assignment.Step{From: from, Coverage: step.Coverage})
		}
	}
	hash, known := assignment.ParseHash(e.Hash)
	audience, err := condition.Parse(e.Audience)
	spec.Hash, spec.Audience = hash, audience
	whole := known && err == nil
	for layer, ranges := range byLayer(e.Layers) {
		l := c.layers.layer(layer, 0)
		if l == nil {
			whole = false
			continue
		}
		place := assignment.Place{Layer: l}
		for _, r := range ranges {
			place.Ranges = append(place.Ranges, assignment.Range{From: r.From, To: r.To})
		}
		spec.Places = append(spec.Places, place)
	}
	slices.SortFunc(spec.Places, func(a, b assignment.Place) int { return cmp.Compare(a.Layer.Key, b.Layer.Key) })
	for _, h := range e.Holdouts {
		if compiled := c.holdouts[h]; compiled != nil {
			spec.Holdouts = append(spec.Holdouts, compiled)
		}
	}
	for _, p := range e.Prerequisites {
		spec.Requirements = append(spec.Requirements, c.requirement(p))
	}
	spec.Running = spec.Running && whole
	return spec
}

// requirement compiles a prerequisite. Without what it refers to nobody meets it.
func (c *compiler) requirement(p Prerequisite) assignment.Requirement {
	if p.Flag != "" {
		r := assignment.Requirement{Key: p.Flag}
		if c.Flags != nil {
			r.Gate, _ = c.Flags.Gate(p.Flag, p.Variants)
		}
		return r
	}
	r := assignment.Requirement{Key: p.Experiment}
	t := c.trial(p.Experiment)
	if t == nil {
		return r
	}
	r.Experiment = t.Experiment
	for i, v := range t.Variants {
		if slices.Contains(p.Variants, v.Key) {
			r.Variants = append(r.Variants, i)
		}
	}
	return r
}

// forced are the units that get a variant by hand.
func (e *Experiment) forced() assignment.Units {
	var u assignment.Units
	for _, f := range e.Forced {
		i := slices.IndexFunc(e.Variants, func(v Variant) bool { return v.Key == f.Variant })
		if i >= 0 {
			addUnit(&u, f.Unit, i)
		}
	}
	return u
}

func (e *Experiment) blocked() assignment.Units {
	var u assignment.Units
	for _, b := range e.Blocked {
		addUnit(&u, b, 0)
	}
	return u
}

// addUnit takes a unit as a value, and where it has the form of one as an identifier.
func addUnit(u *assignment.Units, unit string, v int) {
	if u.ByValue == nil {
		u.ByValue = make(map[string]int)
	}
	u.ByValue[unit] = v
	if namespace, value, ok := strings.Cut(unit, ":"); ok && namespace != "" && value != "" {
		if u.ByIdentifier == nil {
			u.ByIdentifier = make(map[assignment.Identifier]int)
		}
		u.ByIdentifier[assignment.Identifier{Namespace: namespace, Value: value}] = v
	}
}

// At lists the running experiments of a decision point in the order of their keys.
func (p *Plan) At(decisionPoint string) []*Trial {
	if p == nil {
		return nil
	}
	return p.points[decisionPoint]
}

// Trial is the experiment of a key, running or not; nil when there is none.
func (p *Plan) Trial(key string) *Trial {
	if p == nil {
		return nil
	}
	return p.trials[key]
}

// Holdout is the holdout of a key; nil, which holds nobody, when there is none.
func (p *Plan) Holdout(key string) *assignment.Holdout {
	if p == nil {
		return nil
	}
	return p.holdouts[key]
}

// Reads are the attributes that the audiences of the running experiments at a decision
// point read, of the experiments that they require as well; the context, which a
// decision has anyway, is not among them.
func (p *Plan) Reads(decisionPoint string) []string {
	names := make(map[string]bool)
	for _, t := range p.At(decisionPoint) {
		t.EachAttribute(func(name string) { names[name] = true })
	}
	delete(names, "context")
	return slices.Sorted(maps.Keys(names))
}

// Forces says whether a running experiment at the decision point forces a variant on
// the subject.
func (p *Plan) Forces(decisionPoint string, s assignment.Subject) bool {
	for _, t := range p.At(decisionPoint) {
		if t.Forces(s) {
			return true
		}
	}
	return false
}

// Takes says whether an experiment at the decision point has the subject.
func (p *Plan) Takes(decisionPoint string, s assignment.Subject, at time.Time) bool {
	for _, t := range p.At(decisionPoint) {
		if t.Assign(s, at).In() {
			return true
		}
	}
	return false
}

// Assign appends what applies to a subject at a decision point: one assignment, or
// none where no experiment runs or none has the subject. Each experiment that was
// looked at and does not have it is appended to excluded. It is a pure function of
// plan, subject and moment.
func (p *Plan) Assign(decisionPoint string, s assignment.Subject, at time.Time, out []Assignment, excluded []Exclusion) ([]Assignment, []Exclusion) {
	trials := p.At(decisionPoint)
	if len(trials) == 0 {
		return out, excluded
	}
	// One experiment changes a decision. Those that run at one point share nobody; the
	// order of keys settles it should two slip through, after those that force.
	if len(trials) > 1 {
		for _, t := range trials {
			if t.Forces(s) {
				return append(out, t.assignment(t.Assign(s, at))), excluded
			}
		}
	}
	for _, t := range trials {
		r := t.Assign(s, at)
		if r.In() {
			return append(out, t.assignment(r)), excluded
		}
		x := Exclusion{Experiment: t.Key, Version: t.Version, Reason: r.Reason}
		if t.Unit != assignment.Person {
			x.Unit = r.Unit
		}
		excluded = append(excluded, x)
	}
	return out, excluded
}

func (t *Trial) assignment(r assignment.Result) Assignment {
	v := &t.Variants[r.Variant]
	a := Assignment{Experiment: t.Key, Version: t.Version, Variant: v.Key, Control: v.Control, Policy: v.Policy, How: r.Reason,
		Keep: t.Sticky && r.Reason == assignment.ByHash, Index: r.Variant, BucketVersion: t.BucketVersion}
	if t.Unit != assignment.Person {
		a.Unit = r.Unit
	}
	return a
}
