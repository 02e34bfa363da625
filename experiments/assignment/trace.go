package assignment

import (
	"fmt"
	"time"
)

// TraceStep is one thing that an assignment looked at.
type TraceStep struct {
	Check  string   `json:"check" doc:"unit, status, forced, blocked, schedule, holdout, sticky, prerequisite, audience, layer, coverage, variant or dropped"`
	Passed bool     `json:"passed" doc:"False for the step that kept the unit out"`
	Detail string   `json:"detail" doc:"In words"`
	Key    string   `json:"key,omitempty" doc:"Of the layer, the holdout or the prerequisite"`
	Hash   string   `json:"hash,omitempty" doc:"How the bucket was computed"`
	Salt   string   `json:"salt,omitempty" doc:"What it was computed with"`
	Unit   string   `json:"unit,omitempty" doc:"Of what it was computed"`
	Bucket *float64 `json:"bucket,omitempty" doc:"The number in [0, 1) that was compared"`
	Ranges []Range  `json:"ranges,omitempty" nullable:"false" doc:"What it was compared with"`
}

// Trace is the way to an assignment, step by step. It is written by the same code
// that assigns; a nil one is not written.
type Trace struct {
	Steps []TraceStep
}

// Trace assigns and tells every step.
func (e *Experiment) Trace(s Subject, at time.Time) (Result, []TraceStep) {
	t := new(Trace)
	r := e.assign(s, at, t)
	return r, t.Steps
}

func (t *Trace) unit(e *Experiment, unit string) {
	if t == nil {
		return
	}
	step := TraceStep{Check: "unit", Passed: unit != "", Unit: unit, Detail: "the unit is " + e.Unit}
	if unit == "" {
		step.Detail = "the subject has no unit " + e.Unit
	}
	t.Steps = append(t.Steps, step)
}

func (t *Trace) pass(check, detail string) {
	if t != nil {
		t.Steps = append(t.Steps, TraceStep{Check: check, Passed: true, Detail: detail})
	}
}

// out is the result of a unit that takes no part.
func (t *Trace) out(unit string, reason Reason, check, detail string) Result {
	if t != nil {
		t.Steps = append(t.Steps, TraceStep{Check: check, Detail: detail})
	}
	return Result{Variant: -1, Reason: reason, Unit: unit}
}

func (t *Trace) in(r Result, check, detail string) Result {
	t.pass(check, detail)
	return r
}

func (t *Trace) bucket(check string, passed bool, key, detail string, h Hash, salt, unit string, b float64, ranges ...Range) {
	t.Steps = append(t.Steps, TraceStep{Check: check, Passed: passed, Detail: detail, Key: key,
		Hash: h.String(), Salt: salt, Unit: unit, Bucket: &b, Ranges: ranges})
}

func (t *Trace) holdout(h *Holdout, unit string, side Side) {
	if t == nil {
		return
	}
	detail := map[Side]string{
		Outside:    "the unit is outside of the holdout",
		Held:       "the unit is held out",
		Comparison: "the unit is in the comparison arm, which gets what has shipped and no experiment",
	}[side]
	t.bucket("holdout", side == Outside, h.Key, detail, XXH64, h.Salt, unit, h.Bucket(unit), h.Held, h.Comparison)
}

func (t *Trace) layer(p *place, unit string, inside bool) {
	if t == nil {
		return
	}
	for l := p.layer; l.Parent != nil; l = l.Parent {
		b := l.Parent.Hash.Bucket(l.Parent.Salt, unit)
		detail := fmt.Sprintf("the unit is in the part of layer %s that layer %s has", l.Parent.Key, l.Key)
		if !l.Part.Holds(b) {
			detail = fmt.Sprintf("the unit is outside of the part of layer %s that layer %s has", l.Parent.Key, l.Key)
		}
		t.bucket("layer", l.Part.Holds(b), l.Parent.Key, detail, l.Parent.Hash, l.Parent.Salt, unit, b, l.Part)
		if !l.Part.Holds(b) {
			return
		}
	}
	detail := "the unit is in the experiment's part of the layer"
	if !inside {
		detail = "the unit is outside of the experiment's part of the layer"
	}
	t.bucket("layer", inside, p.layer.Key, detail, p.layer.Hash, p.layer.Salt, unit, p.layer.Hash.Bucket(p.layer.Salt, unit), p.ranges...)
}

func (t *Trace) required(r *requirement, got Result, ok bool) {
	if t == nil {
		return
	}
	detail := fmt.Sprintf("the unit has a required variant of %s", r.Key)
	if !got.In() {
		detail = fmt.Sprintf("the unit takes no part in %s: %s", r.Key, got.Reason)
	} else if !ok {
		detail = fmt.Sprintf("the unit has variant %d of %s, which is not among the required ones", got.Variant, r.Key)
	}
	t.Steps = append(t.Steps, TraceStep{Check: "prerequisite", Passed: ok, Key: r.Key, Detail: detail})
}

func (t *Trace) gate(key string, ok bool) {
	if t != nil {
		t.Steps = append(t.Steps, TraceStep{Check: "prerequisite", Passed: ok, Key: key, Detail: "decided by the flag"})
	}
}

func (t *Trace) coverage(salt, unit string, b, coverage float64) {
	if t == nil {
		return
	}
	detail := fmt.Sprintf("the unit is within the coverage of %g", coverage)
	if b >= coverage {
		detail = fmt.Sprintf("the unit is outside of the coverage of %g", coverage)
	}
	t.bucket("coverage", b < coverage, "", detail, XXH64, salt, unit, b, Range{0, coverage})
}

func (t *Trace) variant(e *Experiment, unit string, b float64, v int, at time.Time) {
	if t == nil {
		return
	}
	ranges := WeightedRanges(e.Weights)
	if e.Hash != XXH64 {
		ranges = BucketRanges(len(e.Weights), e.CoverageAt(at), e.Weights)
	}
	detail := fmt.Sprintf("the bucket falls on variant %d, counted from 0", v)
	if v < 0 {
		detail = "the bucket falls on no variant"
	}
	t.bucket("variant", v >= 0, "", detail, e.Hash, e.Salt, unit, b, ranges...)
}

// Trace finds the side of a unit and tells how.
func (h *Holdout) Trace(unit string) (Side, TraceStep) {
	side := h.Side(unit)
	t := new(Trace)
	t.holdout(h, unit, side)
	return side, t.Steps[0]
}

// Trace finds the part of a unit and tells how.
func (s *Split) Trace(unit string) (Part, TraceStep) {
	part := s.Part(unit)
	t := new(Trace)
	detail := map[Part]string{
		Between: "the unit is in neither of the groups that are set aside",
		First:   "the unit is in the random group",
		Last:    "the unit is in the business-as-usual group",
	}[part]
	t.bucket("group", part == Between, "", detail, XXH64, s.Salt, unit, Bucket(s.Salt, unit), s.First, s.Last)
	return part, t.Steps[0]
}
