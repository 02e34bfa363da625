package growthbook

import (
	"encoding/json"
	"fmt"

	"quintet/experiments/assignment"
)

// Payload is what an SDK loads.
type Payload struct {
	Status            int                         `json:"status,omitempty"`
	Features          map[string]*Feature         `json:"features,omitempty"`
	Experiments       []Experiment                `json:"experiments,omitempty"`
	SavedGroups       map[string][]any            `json:"savedGroups,omitempty"`
	ContextualBandits map[string]ContextualBandit `json:"contextualBandits,omitempty"`
	DateUpdated       string                      `json:"dateUpdated,omitempty"`

	EncryptedFeatures          string `json:"encryptedFeatures,omitempty"`
	EncryptedExperiments       string `json:"encryptedExperiments,omitempty"`
	EncryptedSavedGroups       string `json:"encryptedSavedGroups,omitempty"`
	EncryptedContextualBandits string `json:"encryptedContextualBandits,omitempty"`
}

// Feature is a flag: the value of the first rule that applies, or the default.
type Feature struct {
	DefaultValue json.RawMessage `json:"defaultValue,omitempty"`
	Rules        []Rule          `json:"rules,omitempty"`
}

// Rule forces a value or runs an experiment.
type Rule struct {
	ID                     string            `json:"id,omitempty"`
	Condition              json.RawMessage   `json:"condition,omitempty"`
	ParentConditions       []ParentCondition `json:"parentConditions,omitempty"`
	Coverage               *float64          `json:"coverage,omitempty"`
	Force                  json.RawMessage   `json:"force,omitempty"`
	Variations             []json.RawMessage `json:"variations,omitempty"`
	Key                    string            `json:"key,omitempty"`
	Weights                []float64         `json:"weights,omitempty"`
	Namespace              *Namespace        `json:"namespace,omitempty"`
	HashAttribute          string            `json:"hashAttribute,omitempty"`
	FallbackAttribute      string            `json:"fallbackAttribute,omitempty"`
	HashVersion            int               `json:"hashVersion,omitempty"`
	Range                  *Range            `json:"range,omitempty"`
	Ranges                 []Range           `json:"ranges,omitempty"`
	Meta                   []VariationMeta   `json:"meta,omitempty"`
	Filters                []Filter          `json:"filters,omitempty"`
	Seed                   string            `json:"seed,omitempty"`
	Name                   string            `json:"name,omitempty"`
	Phase                  string            `json:"phase,omitempty"`
	Tracks                 []Track           `json:"tracks,omitempty"`
	BucketVersion          *int              `json:"bucketVersion,omitempty"`
	MinBucketVersion       *int              `json:"minBucketVersion,omitempty"`
	DisableStickyBucketing bool              `json:"disableStickyBucketing,omitempty"`
	ContextualBanditRef    string            `json:"contextualBanditRef,omitempty"`
	ContextualVariations   []json.RawMessage `json:"contextualVariations,omitempty"`
}

// ParentCondition is a flag whose value must fulfil a condition.
type ParentCondition struct {
	ID        string          `json:"id"`
	Condition json.RawMessage `json:"condition"`
	Gate      bool            `json:"gate,omitempty"`
}

// VariationMeta describes a variation. Passthrough keeps its units in the experiment
// and lets the rules after it decide, as a holdout does with those who are not held.
type VariationMeta struct {
	Key         string `json:"key,omitempty"`
	Name        string `json:"name,omitempty"`
	Passthrough bool   `json:"passthrough,omitempty"`
}

// Filter lets in the units whose hash is in one of the ranges.
type Filter struct {
	Attribute   string  `json:"attribute,omitempty"`
	Seed        string  `json:"seed"`
	HashVersion int     `json:"hashVersion,omitempty"`
	Ranges      []Range `json:"ranges"`
}

// Track is an exposure that a client has to report for a rule that was evaluated
// elsewhere.
type Track struct {
	Experiment *Experiment       `json:"experiment"`
	Result     *ExperimentResult `json:"result"`
}

// ContextualBandit holds the weights of a bandit by context.
type ContextualBandit struct {
	BanditVersion *int64          `json:"banditVersion,omitempty"`
	Contexts      []BanditContext `json:"contexts"`
}

// BanditContext is a leaf: the weights of those who fulfil the condition.
type BanditContext struct {
	LeafID    int             `json:"leafId"`
	Condition json.RawMessage `json:"condition"`
	Weights   []float64       `json:"weights"`
}

// LeafWeights are what the assignment in a bandit was drawn with.
type LeafWeights struct {
	LeafID           int       `json:"leafId"`
	VariationWeights []float64 `json:"variationWeights"`
	BanditVersion    *int64    `json:"banditVersion,omitempty"`
}

// Experiment is an experiment in the form that SDKs run.
type Experiment struct {
	Key                    string            `json:"key"`
	Variations             []json.RawMessage `json:"variations"`
	Ranges                 []Range           `json:"ranges,omitempty"`
	Meta                   []VariationMeta   `json:"meta,omitempty"`
	Filters                []Filter          `json:"filters,omitempty"`
	Seed                   string            `json:"seed,omitempty"`
	Name                   string            `json:"name,omitempty"`
	Phase                  string            `json:"phase,omitempty"`
	URLPatterns            []URLPattern      `json:"urlPatterns,omitempty"`
	Weights                []float64         `json:"weights,omitempty"`
	Condition              json.RawMessage   `json:"condition,omitempty"`
	ParentConditions       []ParentCondition `json:"parentConditions,omitempty"`
	Coverage               *float64          `json:"coverage,omitempty"`
	Namespace              *Namespace        `json:"namespace,omitempty"`
	Force                  *int              `json:"force,omitempty"`
	HashAttribute          string            `json:"hashAttribute,omitempty"`
	FallbackAttribute      string            `json:"fallbackAttribute,omitempty"`
	HashVersion            int               `json:"hashVersion,omitempty"`
	DisableStickyBucketing bool              `json:"disableStickyBucketing,omitempty"`
	BucketVersion          *int              `json:"bucketVersion,omitempty"`
	MinBucketVersion       *int              `json:"minBucketVersion,omitempty"`
	Active                 *bool             `json:"active,omitempty"`
	Status                 string            `json:"status,omitempty"`
	PersistQueryString     bool              `json:"persistQueryString,omitempty"`
	ContextualBandit       *LeafWeights      `json:"contextualBandit,omitempty"`
	// Groups are of an early version of the SDKs: nobody is in one.
	Groups []string `json:"groups,omitempty"`
}

// URLPattern says on which pages an experiment runs.
type URLPattern struct {
	Include *bool  `json:"include,omitempty"`
	Type    string `json:"type"` // simple or regex
	Pattern string `json:"pattern"`
}

// Range is a half-open part of [0, 1), written [from, to].
type Range assignment.Range

// Holds says whether a bucket is in the range.
func (r Range) Holds(bucket float64) bool { return assignment.Range(r).Holds(bucket) }

// MarshalJSON writes [from, to].
func (r Range) MarshalJSON() ([]byte, error) { return json.Marshal([2]float64{r.From, r.To}) }

// UnmarshalJSON reads [from, to].
func (r *Range) UnmarshalJSON(data []byte) error {
	var pair []float64
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a range is two numbers and not %d", len(pair))
	}
	r.From, r.To = pair[0], pair[1]
	return nil
}

// Namespace is a part of a space that experiments share, written [name, from, to].
type Namespace struct {
	Name  string
	Range Range
}

// MarshalJSON writes [name, from, to].
func (n Namespace) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{n.Name, n.Range.From, n.Range.To})
}

// UnmarshalJSON reads [name, from, to].
func (n *Namespace) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("a namespace is a name and two numbers and not %d values", len(parts))
	}
	for i, into := range []any{&n.Name, &n.Range.From, &n.Range.To} {
		if err := json.Unmarshal(parts[i], into); err != nil {
			return fmt.Errorf("value %d of a namespace: %w", i+1, err)
		}
	}
	return nil
}
