package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/segments"
)

// Kinds of segments.
const (
	// DynamicSegment is a rule: who fulfils it is in.
	DynamicSegment = "dynamic"
	// StaticSegment is a list of people.
	StaticSegment = "static"
)

// Limits of segments.
const (
	maxSegments      = 1000
	maxSegmentName   = 200  // characters
	maxSegmentAbout  = 2000 // characters of a description
	maxSegmentMember = 10_000
)

// Segment is a named group of people.
type Segment struct {
	Name        string `json:"name,omitempty" doc:"For people; the key when absent" maxLength:"200"`
	Description string `json:"description,omitempty" maxLength:"2000"`
	Kind        string `json:"kind,omitempty" enum:"dynamic,static" doc:"dynamic: whoever fulfils the rule; static: a list. dynamic when absent"`
	// Rule is described in package segments.
	Rule json.RawMessage `json:"rule,omitempty" doc:"Who is in a dynamic segment; the rule that made a list, if one did"`
	// Frozen says where a list came from.
	Frozen *Frozen `json:"frozen,omitempty" doc:"Of a list that was made of another segment"`
}

// Frozen says of which segment, and when, a list was made.
type Frozen struct {
	Segment string    `json:"segment" doc:"Key of the segment" maxLength:"64"`
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Members int       `json:"members" doc:"People who were in it then"`
}

// checkSegment is the validator of segments.
func (s *Segments) checkSegment(_ context.Context, key string, v *Segment) error {
	var bad problem.Invalid
	if utf8.RuneCountInString(v.Name) > maxSegmentName {
		bad.Add("name", fmt.Sprintf("must be at most %d characters", maxSegmentName), v.Name)
	}
	if utf8.RuneCountInString(v.Description) > maxSegmentAbout {
		bad.Add("description", fmt.Sprintf("must be at most %d characters", maxSegmentAbout), nil)
	}
	if v.Kind == "" {
		v.Kind = DynamicSegment
	}
	if string(v.Rule) == "null" {
		v.Rule = nil
	}
	switch {
	case v.Kind != DynamicSegment && v.Kind != StaticSegment:
		bad.Add("kind", "must be dynamic or static", v.Kind)
	case v.Kind == DynamicSegment && len(v.Rule) == 0:
		bad.Add("rule", "must be there: a dynamic segment is its rule", nil)
	case v.Kind == DynamicSegment && v.Frozen != nil:
		bad.Add("frozen", "must be absent: only a list is frozen", nil)
	}
	snapshot := s.definitions.Snapshot()
	if _, there := snapshot[key]; !there && len(snapshot) >= maxSegments {
		bad.Add("key", fmt.Sprintf("must not be new: there are %d segments already", maxSegments), key)
	}
	if len(v.Rule) > 0 {
		rule, err := segments.Parse("rule", v.Rule)
		bad.Nest("", err)
		if err == nil && v.Kind == DynamicSegment {
			bad.Nest("", checkReferences(key, rule, snapshot))
		}
	}
	return bad.Err()
}

// checkReferences refuses segments that do not exist, and a rule that would
// come back to its own segment.
func checkReferences(key string, rule *segments.Rule, all map[string]definitions.Versioned[Segment]) error {
	var bad problem.Invalid
	for _, r := range rule.Reads().Segments {
		if _, there := all[r.Key]; !there && r.Key != key {
			bad.Add(r.Path, "must be the key of a segment", r.Key)
		}
		way := segments.Cycle(key, r.Key, func(at string) []string { return references(all[at].Value) })
		if way != "" {
			bad.Add(r.Path, "must not make the segment refer to itself: "+way, r.Key)
		}
	}
	return bad.Err()
}

// references are the segments that a dynamic segment refers to.
func references(v Segment) []string {
	if v.Kind == StaticSegment {
		return nil
	}
	rule, err := segments.Parse("rule", v.Rule)
	if err != nil {
		return nil
	}
	var keys []string
	for _, r := range rule.Reads().Segments {
		keys = append(keys, r.Key)
	}
	return keys
}
