package experiments

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/experiments/assignment"
	"quintet/internal/problem"
)

// PersonUnit is the unit of an experiment that names none: the profile.
const PersonUnit = "person"

// Names of hashes in definitions.
const (
	XXHash         = "xxh64"
	GrowthBookHash = "growthbook"
)

// Targeting says who may take part in an experiment and by what they are assigned,
// beside its salt, coverage and weights.
type Targeting struct {
	Unit             string          `json:"unit,omitempty" maxLength:"64" doc:"What is assigned: person (unless given), device, session, account, or the name of an identifier's namespace or of a field of the context. Fixed once the experiment has started"`
	Hash             string          `json:"hash,omitempty" enum:"xxh64,growthbook,growthbook-utf16" doc:"xxh64 unless given; growthbook assigns as GrowthBook's SDKs do by themselves, growthbook-utf16 as the one for JavaScript does with what is not ASCII. Fixed once the experiment has started"`
	Audience         json.RawMessage `json:"audience,omitempty" doc:"Condition that a unit must fulfil, over traits, computed attributes, segments and context.*"`
	Prerequisites    []Prerequisite  `json:"prerequisites,omitempty" maxItems:"10" nullable:"false" doc:"Experiments or flags of which the unit must have given variants"`
	Layers           []LayerRange    `json:"layers,omitempty" maxItems:"20" nullable:"false" doc:"Parts of layers; the unit must be in one of the ranges of every layer that is named. Once the experiment has started the ranges can only grow"`
	Holdouts         []string        `json:"holdouts,omitempty" maxItems:"10" nullable:"false" doc:"Keys of the named holdouts whose people take no part"`
	Forced           []Forced        `json:"forced,omitempty" maxItems:"1000" nullable:"false" doc:"Units that get a variant whatever else holds; they count in no report"`
	Blocked          []string        `json:"blocked,omitempty" maxItems:"1000" nullable:"false" doc:"Units that never take part: a profile id, namespace:value or the value of the unit"`
	BucketVersion    int             `json:"bucketVersion,omitempty" minimum:"0" maximum:"1000000" doc:"Raised to forget the variants that were kept by sticky"`
	MinBucketVersion int             `json:"minBucketVersion,omitempty" minimum:"0" maximum:"1000000" doc:"Units whose kept variant is of an earlier version take no part any more"`
	Sticky           bool            `json:"sticky,omitempty" doc:"Keep the variant that a unit got first, whatever changes later; the weights may then change"`
}

// Prerequisite asks for variants of another experiment, or of a flag.
type Prerequisite struct {
	Experiment string   `json:"experiment,omitempty" maxLength:"64" doc:"Key of an experiment"`
	Flag       string   `json:"flag,omitempty" maxLength:"64" doc:"Key of a flag, instead of an experiment"`
	Variants   []string `json:"variants" minItems:"1" maxItems:"100" nullable:"false" doc:"Variants of which the unit must have one; of a flag its values as JSON"`
}

// LayerRange is a part of a layer.
type LayerRange struct {
	Layer string  `json:"layer" minLength:"1" maxLength:"64" doc:"Key of the layer"`
	From  float64 `json:"from" minimum:"0" maximum:"1"`
	To    float64 `json:"to" minimum:"0" maximum:"1" doc:"The end is outside of the range"`
}

// Forced gives a unit a variant.
type Forced struct {
	Unit    string `json:"unit" minLength:"1" maxLength:"512" doc:"A profile id, namespace:value or the value of the unit"`
	Variant string `json:"variant" minLength:"1" maxLength:"64"`
}

// Limits of targeting.
const (
	maxUnitName      = 64
	maxUnit          = 512
	maxAudience      = 16 << 10
	maxPrerequisites = 10
	maxLayerRanges   = 20
	maxHoldouts      = 10
	maxUnitList      = 1000
	maxBucketVersion = 1_000_000
)

// unit is the name of the unit that is assigned.
func (t *Targeting) unit() string {
	if t.Unit == "" {
		return PersonUnit
	}
	return t.Unit
}

func (t *Targeting) hash() string {
	if t.Hash == "" {
		return XXHash
	}
	return t.Hash
}

// validateTargeting checks the targeting by itself; what it refers to is checked by
// the service.
func (e *Experiment) validateTargeting(bad *problem.Invalid) {
	t := &e.Targeting
	checkUnitName(bad, "unit", t.Unit)
	checkHash(bad, "hash", t.Hash)
	t.validateAudience(bad)
	t.validatePrerequisites(bad)
	checkLayerRanges(bad, "layers", t.Layers)
	checkKeyList(bad, "holdouts", t.Holdouts, maxHoldouts)
	e.validateUnits(bad)
	for _, f := range [...]struct {
		name  string
		value int
	}{{"bucketVersion", t.BucketVersion}, {"minBucketVersion", t.MinBucketVersion}} {
		if f.value < 0 || f.value > maxBucketVersion {
			bad.Add(f.name, fmt.Sprintf("must be 0 to %d", maxBucketVersion), f.value)
		}
	}
	if t.MinBucketVersion > t.BucketVersion {
		bad.Add("minBucketVersion", "must be at most bucketVersion", t.MinBucketVersion)
	}
	e.validateDropped(bad)
}

func (t *Targeting) validateAudience(bad *problem.Invalid) {
	switch {
	case len(t.Audience) == 0:
	case len(t.Audience) > maxAudience:
		bad.Add("audience", fmt.Sprintf("must have at most %d bytes", maxAudience), len(t.Audience))
	case !json.Valid(t.Audience):
		bad.Add("audience", "must be JSON", string(t.Audience))
	}
}

func (t *Targeting) validatePrerequisites(bad *problem.Invalid) {
	if len(t.Prerequisites) > maxPrerequisites {
		bad.Add("prerequisites", fmt.Sprintf("must have at most %d entries", maxPrerequisites), len(t.Prerequisites))
	}
	for i, p := range t.Prerequisites {
		at := func(field string) string { return fmt.Sprintf("prerequisites[%d].%s", i, field) }
		switch {
		case (p.Experiment == "") == (p.Flag == ""):
			bad.Add(at("experiment"), "must be given, or a flag, and not both", p.Experiment)
		case slices.ContainsFunc(t.Prerequisites[:i], func(o Prerequisite) bool { return o.Experiment == p.Experiment && o.Flag == p.Flag }):
			bad.Add(at("experiment"), "must be given once: put all variants into one entry", p.Experiment+p.Flag)
		}
		if len(p.Variants) < 1 || len(p.Variants) > MaxVariants {
			bad.Add(at("variants"), fmt.Sprintf("must be 1 to %d", MaxVariants), len(p.Variants))
		}
		for j, v := range p.Variants {
			if first := slices.Index(p.Variants, v); first < j {
				bad.Add(at(fmt.Sprintf("variants[%d]", j)), fmt.Sprintf("must differ from variants[%d]", first), v)
			}
		}
	}
}

// validateUnits checks who is forced and blocked.
func (e *Experiment) validateUnits(bad *problem.Invalid) {
	t := &e.Targeting
	if len(t.Forced) > maxUnitList {
		bad.Add("forced", fmt.Sprintf("must have at most %d entries", maxUnitList), len(t.Forced))
		return
	}
	if len(t.Blocked) > maxUnitList {
		bad.Add("blocked", fmt.Sprintf("must have at most %d entries", maxUnitList), len(t.Blocked))
		return
	}
	seen := make(map[string]string, len(t.Forced)+len(t.Blocked))
	unit := func(at, unit string) {
		checkUnit(bad, at, unit)
		if first, ok := seen[unit]; ok {
			bad.Add(at, "must not be in "+first+" as well", unit)
			return
		}
		seen[unit] = at
	}
	for i, f := range t.Forced {
		unit(fmt.Sprintf("forced[%d].unit", i), f.Unit)
		if !slices.ContainsFunc(e.Variants, func(v Variant) bool { return v.Key == f.Variant }) {
			bad.Add(fmt.Sprintf("forced[%d].variant", i), "must be the key of a variant", f.Variant)
		}
	}
	for i, b := range t.Blocked {
		unit(fmt.Sprintf("blocked[%d]", i), b)
	}
}

// validateDropped checks that something is left to compare.
func (e *Experiment) validateDropped(bad *problem.Invalid) {
	left := 0
	for i, v := range e.Variants {
		switch {
		case !v.Dropped:
			left++
		case v.Control:
			bad.Add(fmt.Sprintf("variants[%d].dropped", i), "must be false for the control: the others are compared with it", true)
		}
	}
	if len(e.Variants) >= MinVariants && left < MinVariants {
		bad.Add("variants", fmt.Sprintf("must keep %d that are not dropped; stop the experiment instead", MinVariants), left)
	}
}

// keepTargeting refuses changes of a started experiment that would assign people
// anew.
func (e *Experiment) keepTargeting(was *Experiment, bad *problem.Invalid) {
	const rule = "cannot change once the experiment has started; copy the experiment to a new key"
	now, before := &e.Targeting, &was.Targeting
	if now.unit() != before.unit() {
		bad.Add("unit", rule, now.Unit)
	}
	if now.hash() != before.hash() {
		bad.Add("hash", rule, now.Hash)
	}
	if now.Sticky != before.Sticky {
		bad.Add("sticky", rule, now.Sticky)
	}
	if now.BucketVersion < before.BucketVersion {
		bad.Add("bucketVersion", "cannot fall", now.BucketVersion)
	}
	if !now.Sticky {
		// With sticky, who is in stays in.
		if !sameJSON(now.Audience, before.Audience) {
			bad.Add("audience", rule, string(now.Audience))
		}
		if !reflect.DeepEqual(now.Prerequisites, before.Prerequisites) && len(now.Prerequisites)+len(before.Prerequisites) > 0 {
			bad.Add("prerequisites", rule, nil)
		}
		if !slices.Equal(now.Holdouts, before.Holdouts) {
			bad.Add("holdouts", rule, now.Holdouts)
		}
	}
	keepLayers(now.Layers, before.Layers, bad)
}

// keepLayers lets ranges grow only, in the same layers.
func keepLayers(now, before []LayerRange, bad *problem.Invalid) {
	const rule = "can only grow once the experiment has started: people would leave it"
	a, b := byLayer(now), byLayer(before)
	for layer := range a {
		if _, ok := b[layer]; !ok {
			bad.Add("layers", "cannot name another layer once the experiment has started: people would leave it", layer)
		}
	}
	for layer, ranges := range b {
		if _, ok := a[layer]; !ok {
			bad.Add("layers", "cannot leave a layer once the experiment has started: it would meet the others in it", layer)
			continue
		}
		for _, r := range ranges {
			if !covers(a[layer], r) {
				bad.Add("layers", rule, layer)
				break
			}
		}
	}
}

func byLayer(list []LayerRange) map[string][]LayerRange {
	out := make(map[string][]LayerRange, len(list))
	for _, r := range list {
		out[r.Layer] = append(out[r.Layer], r)
	}
	return out
}

// covers says whether ranges that do not overlap hold all of r.
func covers(ranges []LayerRange, r LayerRange) bool {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b LayerRange) int { return cmp.Compare(a.From, b.From) })
	at := r.From
	for _, have := range ranges {
		if have.From <= at && at < have.To {
			at = have.To
		}
	}
	return at >= r.To
}

// checkLayerRanges checks ranges within one definition.
func checkLayerRanges(bad *problem.Invalid, field string, list []LayerRange) {
	if len(list) > maxLayerRanges {
		bad.Add(field, fmt.Sprintf("must have at most %d entries", maxLayerRanges), len(list))
		return
	}
	for i, r := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if r.Layer == "" || len(r.Layer) > maxKeyLength {
			bad.Add(at+".layer", "must be the key of a layer", r.Layer)
		}
		if !checkRange(bad, at, r.From, r.To) {
			continue
		}
		for j, o := range list[:i] {
			if o.Layer == r.Layer && r.From < o.To && o.From < r.To {
				bad.Add(at, fmt.Sprintf("must not overlap %s[%d]", field, j), fmt.Sprintf("%g to %g", r.From, r.To))
			}
		}
	}
}

// checkRange checks a half-open part of [0, 1].
func checkRange(bad *problem.Invalid, at string, from, to float64) bool {
	n := len(*bad)
	if !(from >= 0 && from < 1) {
		bad.Add(at+".from", "must be at least 0 and below 1", number(from))
	}
	switch {
	case !(to > 0 && to <= 1):
		bad.Add(at+".to", "must be above 0 and at most 1", number(to))
	case !math.IsNaN(from) && to <= from:
		bad.Add(at+".to", "must be above from", number(to))
	}
	return len(*bad) == n
}

func checkUnitName(bad *problem.Invalid, field, name string) {
	if len(name) > maxUnitName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' }) {
		bad.Add(field, fmt.Sprintf("must be person or the name of an identifier or of a field of the context: 1 to %d bytes without spaces and colons", maxUnitName), name)
	}
}

func checkHash(bad *problem.Invalid, field, hash string) {
	if _, ok := assignment.ParseHash(hash); !ok {
		bad.Add(field, "must be xxh64, growthbook or growthbook-utf16", hash)
	}
}

func checkUnit(bad *problem.Invalid, field, unit string) {
	if unit == "" || len(unit) > maxUnit || !utf8.ValidString(unit) || strings.ContainsRune(unit, 0) {
		bad.Add(field, fmt.Sprintf("must be UTF-8 text of 1 to %d bytes without a zero byte", maxUnit), len(unit))
	}
}

// checkKeyList checks a list of different keys.
func checkKeyList(bad *problem.Invalid, field string, keys []string, limit int) {
	if len(keys) > limit {
		bad.Add(field, fmt.Sprintf("must have at most %d entries", limit), len(keys))
		return
	}
	for i, k := range keys {
		at := fmt.Sprintf("%s[%d]", field, i)
		if k == "" || len(k) > maxKeyLength {
			bad.Add(at, fmt.Sprintf("must be a key of 1 to %d characters", maxKeyLength), k)
		}
		if first := slices.Index(keys, k); first < i {
			bad.Add(at, fmt.Sprintf("must differ from %s[%d]", field, first), k)
		}
	}
}
