package experiments

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"quintet/experiments/stats"
	"quintet/internal/problem"
)

// AnalysisMethod is how intervals and the verdict of a report are made.
type AnalysisMethod string

// The methods of analysis.
const (
	// SequentialMethod: always-valid confidence sequences; looking at any time, any
	// number of times, keeps the error rate.
	SequentialMethod AnalysisMethod = "sequential"
	// FixedMethod: one look when the planned number of people is reached.
	FixedMethod AnalysisMethod = "fixed"
	// BayesianMethod: normal posterior with a proper prior.
	BayesianMethod AnalysisMethod = "bayesian"
	// GroupSequentialMethod: a few planned looks, Lan-DeMets spending.
	GroupSequentialMethod AnalysisMethod = "group-sequential"
)

func analysisMethods() []AnalysisMethod {
	return []AnalysisMethod{SequentialMethod, FixedMethod, BayesianMethod, GroupSequentialMethod}
}

// Correction of p-values and intervals for several metrics and variants.
type Correction string

// The corrections. The family is goal metrics times variants; guardrails and
// secondary metrics are outside.
const (
	HolmCorrection Correction = "holm"
	BHCorrection   Correction = "bh"
	NoCorrection   Correction = "none"
)

// Defaults of an analysis.
const (
	defaultAlpha   = 0.05
	defaultNStar   = 10_000
	defaultLooks   = 5
	defaultPriorSD = 0.3
)

// Analysis says how the report of an experiment draws its conclusions. What is
// left out has its default; all of it is fixed once the experiment has started,
// as a method that is chosen after the figures are seen proves nothing.
type Analysis struct {
	Method AnalysisMethod `json:"method,omitempty" enum:"sequential,fixed,bayesian,group-sequential" doc:"How intervals and the verdict are made; sequential unless given"`
	Alpha  float64        `json:"alpha,omitempty" doc:"Probability of a false alarm; 0.05 unless given"`
	// NStar is a number of people over all arms.
	NStar         int64      `json:"nStar,omitempty" minimum:"0" maximum:"1000000000000" doc:"Planned number of people over all arms: where the sequential band is tightest, and where a fixed or group-sequential analysis ends; 10,000 unless given"`
	MinimumEffect float64    `json:"minimumEffect,omitempty" minimum:"0" maximum:"10" doc:"Relative effect that the plan wants to see; 0.1 unless given"`
	Looks         int        `json:"looks,omitempty" minimum:"0" maximum:"50" doc:"Planned looks of a group-sequential analysis, evenly spaced; 5 unless given"`
	Prior         *Prior     `json:"prior,omitempty" doc:"Of a Bayesian analysis, on the relative effect; mean 0, sd 0.3 unless given"`
	Cuped         *Cuped     `json:"cuped,omitempty" doc:"Values from before the experiment that narrow the intervals; the unadjusted figures stay beside"`
	PostStratify  []string   `json:"postStratify,omitempty" maxItems:"3" nullable:"false" doc:"Dimensions whose strata are weighed together again"`
	Correction    Correction `json:"correction,omitempty" enum:"holm,bh,none" doc:"For several goal metrics and variants; holm unless given"`
	Dimensions    []string   `json:"dimensions,omitempty" maxItems:"10" nullable:"false" doc:"Dimensions that the console offers, and that the sample-ratio check looks into"`
}

// Prior is a normal belief about a relative effect.
type Prior struct {
	Mean float64 `json:"mean,omitempty" doc:"Relative: 0.02 is an uplift of 2 %"`
	SD   float64 `json:"sd" doc:"Above 0"`
}

// Cuped names what was known of people before their first exposure.
type Cuped struct {
	Metric     string   `json:"metric,omitempty" maxLength:"64" doc:"Metric whose value before the first exposure is the covariate; each metric's own unless given"`
	Covariates []string `json:"covariates,omitempty" maxItems:"10" nullable:"false" doc:"Numeric traits as covariates"`
	Days       float64  `json:"days,omitempty" minimum:"0" maximum:"366" doc:"Days before the first exposure; 14 unless given"`
}

// GuardrailAction is what a broken guardrail does.
type GuardrailAction string

// The actions of a guardrail.
const (
	// WarnAction shows it in the report.
	WarnAction GuardrailAction = "warn"
	// StopAction ends the experiment.
	StopAction GuardrailAction = "stop"
	// RollBackAction takes the harmful arm out, and ends the experiment when no arm
	// but the control is left.
	RollBackAction GuardrailAction = "rollback"
)

// Guardrail is a metric that an arm must not make worse than by the margin. It is
// watched with an always-valid sequence, so that watching costs no error rate.
type Guardrail struct {
	Metric string          `json:"metric" minLength:"1" maxLength:"64" doc:"Key of the metric"`
	Margin float64         `json:"margin,omitempty" minimum:"0" maximum:"1" doc:"Non-inferiority margin: the relative loss that is borne, 0.02 for 2 % of the control; 0 bears none"`
	Action GuardrailAction `json:"action,omitempty" enum:"warn,stop,rollback" doc:"Once the loss is shown to be larger than the margin; warn unless given"`
}

const (
	maxGuardrails  = 20
	maxLooks       = 50
	maxNStar       = 1_000_000_000_000
	maxDimensions  = 10
	maxStrata      = 3
	maxCovariates  = 10
	maxPreDays     = 366
	defaultPreDays = 14
)

// analysis is the experiment's analysis with what it leaves out filled in.
func (e *Experiment) analysis() Analysis {
	var a Analysis
	if e.Analysis != nil {
		a = *e.Analysis
	}
	if a.Method == "" {
		a.Method = SequentialMethod
	}
	if a.Alpha == 0 {
		a.Alpha = defaultAlpha
	}
	if a.NStar == 0 {
		a.NStar = defaultNStar
	}
	if a.MinimumEffect == 0 {
		a.MinimumEffect = stats.DefaultEffect
	}
	if a.Looks == 0 {
		a.Looks = defaultLooks
	}
	if a.Prior == nil {
		a.Prior = &Prior{SD: defaultPriorSD}
	}
	if a.Correction == "" {
		a.Correction = HolmCorrection
	}
	if a.Cuped != nil && a.Cuped.Days == 0 {
		c := *a.Cuped
		c.Days = defaultPreDays
		a.Cuped = &c
	}
	return a
}

func (e *Experiment) validateAnalysis(bad *problem.Invalid) {
	if len(e.Secondary) > maxMetrics {
		bad.Add("secondary", fmt.Sprintf("must have at most %d entries", maxMetrics), len(e.Secondary))
	}
	for i, m := range e.Secondary {
		at := fmt.Sprintf("secondary[%d]", i)
		if first := slices.Index(e.Secondary, m); first < i {
			bad.Add(at, fmt.Sprintf("must differ from secondary[%d]", first), m)
		} else if slices.Contains(e.Metrics, m) {
			bad.Add(at, "must not be among metrics as well", m)
		}
	}
	if len(e.Guardrails) > maxGuardrails {
		bad.Add("guardrails", fmt.Sprintf("must have at most %d entries", maxGuardrails), len(e.Guardrails))
	}
	for i, g := range e.Guardrails {
		at := func(field string) string { return fmt.Sprintf("guardrails[%d].%s", i, field) }
		if first := slices.IndexFunc(e.Guardrails, func(o Guardrail) bool { return o.Metric == g.Metric }); first < i {
			bad.Add(at("metric"), fmt.Sprintf("must differ from guardrails[%d].metric", first), g.Metric)
		}
		if !(g.Margin >= 0 && g.Margin < 1) {
			bad.Add(at("margin"), "must be at least 0 and below 1", number(g.Margin))
		}
		if !slices.Contains([]GuardrailAction{"", WarnAction, StopAction, RollBackAction}, g.Action) {
			bad.Add(at("action"), "must be warn, stop or rollback", g.Action)
		}
	}
	if e.Analysis != nil {
		e.Analysis.validate(bad)
	}
}

func (a *Analysis) validate(bad *problem.Invalid) {
	if a.Method != "" && !slices.Contains(analysisMethods(), a.Method) {
		bad.Add("analysis.method", "must be sequential, fixed, bayesian or group-sequential", a.Method)
	}
	if a.Alpha != 0 && !(a.Alpha >= 1e-6 && a.Alpha <= 0.5) {
		bad.Add("analysis.alpha", "must be between 0.000001 and 0.5", number(a.Alpha))
	}
	if a.NStar < 0 || a.NStar > maxNStar || (a.NStar > 0 && a.NStar < 2) {
		bad.Add("analysis.nStar", fmt.Sprintf("must be 2 to %d people", int64(maxNStar)), a.NStar)
	}
	if a.MinimumEffect != 0 && !(a.MinimumEffect >= 1e-6 && a.MinimumEffect <= 10) {
		bad.Add("analysis.minimumEffect", "must be above 0 and at most 10", number(a.MinimumEffect))
	}
	if a.Looks < 0 || a.Looks > maxLooks {
		bad.Add("analysis.looks", fmt.Sprintf("must be 1 to %d", maxLooks), a.Looks)
	}
	if p := a.Prior; p != nil {
		if !(math.Abs(p.Mean) <= 100) {
			bad.Add("analysis.prior.mean", "must be between -100 and 100", number(p.Mean))
		}
		if !(p.SD >= 1e-6 && p.SD <= 100) {
			bad.Add("analysis.prior.sd", "must be above 0 and at most 100: a flat prior gives no risk", number(p.SD))
		}
	}
	if !slices.Contains([]Correction{"", HolmCorrection, BHCorrection, NoCorrection}, a.Correction) {
		bad.Add("analysis.correction", "must be holm, bh or none", a.Correction)
	}
	checkDimensions(bad, "analysis.postStratify", a.PostStratify, maxStrata)
	checkDimensions(bad, "analysis.dimensions", a.Dimensions, maxDimensions)
	if c := a.Cuped; c != nil {
		if !(c.Days >= 0 && c.Days <= maxPreDays) {
			bad.Add("analysis.cuped.days", fmt.Sprintf("must be 0 to %d", maxPreDays), number(c.Days))
		}
		checkNames(bad, "analysis.cuped.covariates", c.Covariates, maxCovariates)
		if c.Metric != "" && len(c.Covariates) > 0 {
			bad.Add("analysis.cuped.metric", "must be empty where covariates are given", c.Metric)
		}
	}
}

// adjustedBy names the covariates and strata of an analysis.
func (a *Analysis) adjustedBy() string {
	var parts []string
	if c := a.Cuped; c != nil {
		switch {
		case len(c.Covariates) > 0:
			parts = append(parts, strings.Join(c.Covariates, ", "))
		case c.Metric != "":
			parts = append(parts, fmt.Sprintf("%s in the %g days before", c.Metric, c.Days))
		default:
			parts = append(parts, fmt.Sprintf("the metric itself in the %g days before", c.Days))
		}
	}
	for _, d := range a.PostStratify {
		parts = append(parts, "strata of "+d)
	}
	return strings.Join(parts, "; ")
}

// pairTuning is N* of the two arms that are compared, of a plan for all arms.
// It does not depend on the weights, which may change where assignment is sticky.
func (a *Analysis) pairTuning(variants int) float64 {
	return float64(a.NStar) * 2 / float64(max(variants, 2))
}

// keepAnalysis refuses another way of drawing conclusions once figures may have
// been seen. The dimensions are for looking only and may change.
func (e *Experiment) keepAnalysis(was *Experiment, bad *problem.Invalid) {
	const rule = "cannot change once the experiment has started: conclusions drawn in a way that was chosen afterwards prove nothing"
	now, before := e.analysis(), was.analysis()
	for _, f := range []struct {
		name        string
		now, before any
	}{
		{"method", now.Method, before.Method}, {"alpha", now.Alpha, before.Alpha}, {"nStar", now.NStar, before.NStar}, {"minimumEffect", now.MinimumEffect, before.MinimumEffect},
		{"looks", now.Looks, before.Looks}, {"prior", now.Prior, before.Prior}, {"cuped", now.Cuped, before.Cuped},
		{"postStratify", now.PostStratify, before.PostStratify}, {"correction", now.Correction, before.Correction},
	} {
		if !reflect.DeepEqual(f.now, f.before) {
			bad.Add("analysis."+f.name, rule, f.now)
		}
	}
}

// checkDimensions checks a list of different dimensions.
func checkDimensions(bad *problem.Invalid, field string, names []string, limit int) {
	checkNames(bad, field, names, limit)
	for i, n := range names {
		if err := CheckDimension(n); err != nil && i < limit {
			bad.Add(fmt.Sprintf("%s[%d]", field, i), err.Error(), n)
		}
	}
}

// checkNames checks a list of different names of dimensions or traits.
func checkNames(bad *problem.Invalid, field string, names []string, limit int) {
	if len(names) > limit {
		bad.Add(field, fmt.Sprintf("must have at most %d entries", limit), len(names))
		return
	}
	for i, n := range names {
		at := fmt.Sprintf("%s[%d]", field, i)
		checkEvent(bad, at, n)
		if first := slices.Index(names, n); first < i {
			bad.Add(at, fmt.Sprintf("must differ from %s[%d]", field, first), n)
		}
	}
}
