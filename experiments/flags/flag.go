package flags

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"quintet/experiments/condition"
	"quintet/internal/problem"
)

// Type is what values a flag has.
type Type string

// The types.
const (
	Boolean Type = "boolean"
	Text    Type = "string"
	Number  Type = "number"
	JSON    Type = "json"
)

// When exposures of a flag's experiments are recorded.
const (
	// AtEvaluation records whoever is given a value of an experiment by the server.
	AtEvaluation = "evaluation"
	// ByTracking records whom the client says to have shown it to.
	ByTracking = "tracking"
)

// Flag is the definition of a feature flag.
type Flag struct {
	Name          string          `json:"name,omitempty" maxLength:"200" doc:"Name shown in the console"`
	Description   string          `json:"description,omitempty" maxLength:"2000" doc:"What it switches"`
	Type          Type            `json:"type" enum:"boolean,string,number,json" doc:"What values it has. Fixed once the flag exists"`
	Default       json.RawMessage `json:"default" doc:"Value of those whom no rule applies to"`
	Enabled       *bool           `json:"enabled,omitempty" doc:"A flag that is switched off has no value: clients take the one in their code. True unless given"`
	StartAt       *time.Time      `json:"startAt,omitempty" doc:"The flag is off before"`
	EndAt         *time.Time      `json:"endAt,omitempty" doc:"The flag is off from then on"`
	Prerequisites []Prerequisite  `json:"prerequisites,omitempty" maxItems:"10" nullable:"false" doc:"Other flags whose values must be right for the rules to apply"`
	Holdouts      []string        `json:"holdouts,omitempty" maxItems:"10" nullable:"false" doc:"Keys of holdouts: who is held out gets the default, who is in the comparison arm no experiment"`
	Rules         []Rule          `json:"rules,omitempty" maxItems:"100" nullable:"false" doc:"The first one that applies gives the value"`
	Exposures     string          `json:"exposures,omitempty" enum:"evaluation,tracking" doc:"Whether exposures are recorded when the server evaluates the flag, which is the default, or only when the client tracks them"`
}

// Prerequisite asks for a value of another flag.
type Prerequisite struct {
	Flag      string          `json:"flag" minLength:"1" maxLength:"64" doc:"Key of a flag"`
	Condition json.RawMessage `json:"condition" doc:"What the value must fulfil: {\"value\": true}"`
}

// Rule gives a value to those whom it is for: its own, or that of their variant in an
// experiment.
type Rule struct {
	Key        string                     `json:"key" minLength:"1" maxLength:"64" doc:"Names the rule within the flag"`
	Name       string                     `json:"name,omitempty" maxLength:"200"`
	Condition  json.RawMessage            `json:"condition,omitempty" doc:"Whom the rule is for, over what the client sends, traits, computed attributes and segments; everybody unless given"`
	StartAt    *time.Time                 `json:"startAt,omitempty" doc:"The rule is not there before"`
	EndAt      *time.Time                 `json:"endAt,omitempty" doc:"The rule is not there from then on"`
	Value      json.RawMessage            `json:"value,omitempty" doc:"The value, without an experiment"`
	Coverage   *float64                   `json:"coverage,omitempty" minimum:"0" maximum:"1" doc:"Share of those whom the rule is for who get the value; all unless given"`
	Unit       string                     `json:"unit,omitempty" maxLength:"64" doc:"By what the share is taken: userId unless given, person, or a field that the client sends"`
	Salt       string                     `json:"salt,omitempty" maxLength:"256" doc:"Seed of the share; the keys of flag and rule unless given"`
	Experiment string                     `json:"experiment,omitempty" maxLength:"64" doc:"Key of an experiment, instead of a value"`
	Bandit     string                     `json:"bandit,omitempty" maxLength:"64" doc:"Key of a decision point whose policy chooses among the actions that have values, instead of a value"`
	Values     map[string]json.RawMessage `json:"values,omitempty" doc:"The value of each variant by its key, where one that is not named has the default; or of each action"`
}

// Bounds of a definition.
const (
	maxRules         = 100
	maxPrerequisites = 10
	maxHoldouts      = 10
	maxKey           = 64
	maxSalt          = 256
	maxValue         = 64 << 10
	maxValues        = 100
	maxName          = 200
	maxText          = 2000
)

func (f *Flag) enabled() bool { return f.Enabled == nil || *f.Enabled }

func (f *Flag) normalise(key string) {
	if f.Enabled == nil {
		f.Enabled = new(true)
	}
	if f.Exposures == "" {
		f.Exposures = AtEvaluation
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		if r.Experiment == "" && (r.Coverage != nil || r.Bandit != "") {
			if r.Unit == "" {
				r.Unit = UserUnit
			}
			if r.Salt == "" {
				r.Salt = key + "/" + r.Key
			}
		}
	}
}

// validate checks a definition by itself.
func (f *Flag) validate(key string) problem.Invalid {
	var bad problem.Invalid
	checkText(&bad, "name", f.Name, maxName)
	checkText(&bad, "description", f.Description, maxText)
	if !slices.Contains([]Type{Boolean, Text, Number, JSON}, f.Type) {
		bad.Add("type", "must be boolean, string, number or json", f.Type)
		return bad
	}
	f.Type.check(&bad, "default", f.Default)
	checkPeriod(&bad, "endAt", f.StartAt, f.EndAt)
	if f.Exposures != AtEvaluation && f.Exposures != ByTracking {
		bad.Add("exposures", "must be evaluation or tracking", f.Exposures)
	}
	if len(f.Prerequisites) > maxPrerequisites {
		bad.Add("prerequisites", fmt.Sprintf("must have at most %d entries", maxPrerequisites), len(f.Prerequisites))
	}
	for i, p := range f.Prerequisites {
		at := func(field string) string { return fmt.Sprintf("prerequisites[%d].%s", i, field) }
		if p.Flag == key || p.Flag == "" || len(p.Flag) > maxKey {
			bad.Add(at("flag"), "must be the key of another flag", p.Flag)
		}
		if len(bytes.TrimSpace(p.Condition)) == 0 {
			bad.Add(at("condition"), `must be given: {"value": true}`, nil)
		}
		checkCondition(&bad, at("condition"), p.Condition)
	}
	if len(f.Holdouts) > maxHoldouts {
		bad.Add("holdouts", fmt.Sprintf("must have at most %d entries", maxHoldouts), len(f.Holdouts))
	}
	for i, h := range f.Holdouts {
		if first := slices.Index(f.Holdouts, h); first < i {
			bad.Add(fmt.Sprintf("holdouts[%d]", i), fmt.Sprintf("must differ from holdouts[%d]", first), h)
		}
	}
	if len(f.Rules) > maxRules {
		bad.Add("rules", fmt.Sprintf("must have at most %d entries", maxRules), len(f.Rules))
		return bad
	}
	for i := range f.Rules {
		var inRule problem.Invalid
		f.Rules[i].validate(f.Type, &inRule)
		if first := slices.IndexFunc(f.Rules, func(r Rule) bool { return r.Key == f.Rules[i].Key }); first < i {
			inRule.Add("key", fmt.Sprintf("must differ from rules[%d].key", first), f.Rules[i].Key)
		}
		bad.Nest(fmt.Sprintf("rules[%d]", i), inRule.Err())
	}
	return bad
}

func (r *Rule) validate(t Type, bad *problem.Invalid) {
	if r.Key == "" || len(r.Key) > maxKey || !utf8.ValidString(r.Key) {
		bad.Add("key", fmt.Sprintf("must have 1 to %d characters", maxKey), r.Key)
	}
	checkText(bad, "name", r.Name, maxName)
	checkCondition(bad, "condition", r.Condition)
	checkPeriod(bad, "endAt", r.StartAt, r.EndAt)
	if r.Experiment != "" && r.Bandit != "" {
		bad.Add("bandit", "must be left out with an experiment", r.Bandit)
	}
	if r.Bandit != "" {
		r.validateBandit(t, bad)
		return
	}
	if r.Experiment == "" {
		t.check(bad, "value", r.Value)
		if len(r.Values) > 0 {
			bad.Add("values", "must be left out without an experiment", nil)
		}
		if c := r.Coverage; c != nil && !(*c >= 0 && *c <= 1) {
			bad.Add("coverage", "must be between 0 and 1", *c)
		}
		if len(r.Salt) > maxSalt || !utf8.ValidString(r.Salt) {
			bad.Add("salt", fmt.Sprintf("must be UTF-8 text of at most %d bytes", maxSalt), len(r.Salt))
		}
		if len(r.Unit) > maxKey {
			bad.Add("unit", fmt.Sprintf("must have at most %d characters", maxKey), r.Unit)
		}
		return
	}
	for field, given := range map[string]bool{"value": len(r.Value) > 0, "coverage": r.Coverage != nil, "unit": r.Unit != "", "salt": r.Salt != ""} {
		if given {
			bad.Add(field, "must be left out: the experiment has its own", nil)
		}
	}
	if n := len(r.Values); n == 0 || n > maxValues {
		bad.Add("values", fmt.Sprintf("must have the values of 1 to %d variants", maxValues), n)
	}
	for variant, v := range r.Values {
		t.check(bad, problem.Join("values", variant), v)
	}
}

func (r *Rule) validateBandit(t Type, bad *problem.Invalid) {
	for field, given := range map[string]bool{"value": len(r.Value) > 0, "coverage": r.Coverage != nil} {
		if given {
			bad.Add(field, "must be left out with a bandit", nil)
		}
	}
	if len(r.Salt) > maxSalt || !utf8.ValidString(r.Salt) {
		bad.Add("salt", fmt.Sprintf("must be UTF-8 text of at most %d bytes", maxSalt), len(r.Salt))
	}
	if n := len(r.Values); n < 2 || n > maxValues {
		bad.Add("values", fmt.Sprintf("must have the values of 2 to %d actions", maxValues), n)
	}
	for action, v := range r.Values {
		t.check(bad, problem.Join("values", "["+action+"]"), v)
	}
}

// check says whether a value is of the type.
func (t Type) check(bad *problem.Invalid, field string, value json.RawMessage) {
	value = bytes.TrimSpace(value)
	if len(value) > maxValue {
		bad.Add(field, fmt.Sprintf("must have at most %d bytes", maxValue), len(value))
		return
	}
	var v any
	if len(value) == 0 || json.Unmarshal(value, &v) != nil {
		bad.Add(field, "must be given: "+t.rule(), nil)
		return
	}
	ok := false
	switch t {
	case Boolean:
		_, ok = v.(bool)
	case Text:
		_, ok = v.(string)
	case Number:
		n, number := v.(float64)
		ok = number && !math.IsInf(n, 0)
	case JSON:
		switch v.(type) {
		case map[string]any, []any:
			ok = true
		}
	}
	if !ok {
		bad.Add(field, "must be "+t.rule(), v)
	}
}

func (t Type) rule() string {
	switch t {
	case Boolean:
		return "true or false"
	case Text:
		return "a string"
	case Number:
		return "a number"
	}
	return "an object or an array"
}

func checkCondition(bad *problem.Invalid, field string, source json.RawMessage) {
	if _, err := condition.Parse(source); err != nil {
		bad.Nest(field, err)
	}
}

func checkPeriod(bad *problem.Invalid, field string, from, to *time.Time) {
	if from != nil && to != nil && !to.After(*from) {
		bad.Add(field, "must be after startAt", to)
	}
}

func checkText(bad *problem.Invalid, field, text string, limit int) {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > limit {
		bad.Add(field, fmt.Sprintf("must be UTF-8 text of at most %d characters", limit), utf8.RuneCountInString(text))
	}
}

// keep refuses changes that would break clients which know the flag.
func (f *Flag) keep(was *Flag, bad *problem.Invalid) {
	if f.Type != was.Type {
		bad.Add("type", "cannot change: clients read the flag as "+string(was.Type)+"; make a flag of another key", f.Type)
	}
}
