package growthbook

import (
	"encoding/json"
	"strings"

	"quintet/experiments/assignment"
	"quintet/experiments/condition"
)

// Context is who asks, and from where.
type Context struct {
	Attributes       condition.Map
	URL              string
	ForcedVariations map[string]int
	ForcedFeatures   map[string]json.RawMessage
	// Disabled keeps the context out of all experiments.
	Disabled bool
	// QA lets it into experiments by force only.
	QA bool
	// Sticky are the stored assignments by "attribute||value", to which new ones are
	// added; nil is without sticky buckets.
	Sticky map[string]*StickyDocument
	// Encoding is what of a text is hashed.
	Encoding assignment.Encoding
}

// StickyDocument keeps what one value of an attribute was assigned to.
type StickyDocument struct {
	AttributeName  string            `json:"attributeName"`
	AttributeValue string            `json:"attributeValue"`
	Assignments    map[string]string `json:"assignments"` // "experiment__version" to the key of a variation
}

// Result is the value of a feature and how it came about.
type Result struct {
	Value            json.RawMessage   `json:"value"`
	On               bool              `json:"on"`
	Off              bool              `json:"off"`
	Source           string            `json:"source"`
	RuleID           string            `json:"ruleId"`
	Experiment       *Experiment       `json:"experiment,omitempty"`
	ExperimentResult *ExperimentResult `json:"experimentResult,omitempty"`
}

// Sources of a [Result].
const (
	SourceUnknown   = "unknownFeature"
	SourceDefault   = "defaultValue"
	SourceForce     = "force"
	SourceOverride  = "override"
	SourceTrial     = "experiment"
	SourceParent    = "prerequisite"
	SourceRecursion = "cyclicPrerequisite"
)

// ExperimentResult is where a context is in an experiment.
type ExperimentResult struct {
	Key              string          `json:"key"`
	FeatureID        *string         `json:"featureId"`
	InExperiment     bool            `json:"inExperiment"`
	HashUsed         bool            `json:"hashUsed"`
	VariationID      int             `json:"variationId"`
	Value            json.RawMessage `json:"value"`
	HashAttribute    string          `json:"hashAttribute"`
	HashValue        any             `json:"hashValue"`
	StickyBucketUsed bool            `json:"stickyBucketUsed"`
	Name             string          `json:"name,omitempty"`
	Bucket           *float64        `json:"bucket,omitempty"`
	Passthrough      bool            `json:"passthrough,omitempty"`
	LeafID           *int            `json:"leafId,omitempty"`
	VariationWeights []float64       `json:"variationWeights,omitempty"`
	BanditVersion    *int64          `json:"banditVersion,omitempty"`
}

// hashAttribute is the attribute that is hashed, and its value; "" when there is none.
func (c *Context) hashAttribute(name, fallback string) (string, any) {
	if name == "" {
		name = "id"
	}
	value := c.attribute(name)
	if !present(value) && fallback != "" {
		if other := c.attribute(fallback); present(other) {
			return fallback, other
		}
	}
	if !present(value) {
		value = ""
	}
	return name, value
}

// attribute is the value of a name, or of names with a dot between.
func (c *Context) attribute(name string) any {
	if v, ok := c.Attributes[name]; ok {
		return v
	}
	var current any = map[string]any(c.Attributes)
	for _, part := range strings.Split(name, ".") {
		inner, ok := current.(map[string]any)
		if !ok {
			return nil
		}
		current = inner[part]
	}
	return current
}

// present says whether a value can be hashed.
func present(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0
	}
	return true
}

// hash is the bucket of a value; false for a version that there is not.
func (c *Context) hash(seed string, value any, version int) (float64, bool) {
	return c.Encoding.FNV(seed, condition.Text(value), version)
}

// stickyText is a value as it is part of the key of a sticky document.
func stickyText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}
