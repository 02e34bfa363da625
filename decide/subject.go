package decide

import (
	"quintet/experiments/assignment"
	"quintet/profiles"
)

// subject is the person of a decision as experiments see them. It lives in the scratch
// of the decision and allocates nothing, but for a list of segments when an audience
// asks for it.
type subject struct {
	profile  string
	ids      []profiles.Identifier // of the request
	view     *profiles.View        // nil for a stranger
	context  map[string]any
	segments func(profileID string) []string
	keeper   *keeper

	listed  bool // whether the segments were asked for
	members any  // []string
}

// Unit implements [assignment.Subject].
func (s *subject) Unit(name string) string {
	if name == assignment.Person {
		return s.profile
	}
	for _, n := range assignment.UnitNames(name) {
		if n == "" {
			break
		}
		for i := range s.ids {
			if s.ids[i].Namespace == n {
				return s.ids[i].Value
			}
		}
		if v, ok := s.context[n].(string); ok && v != "" {
			return v
		}
	}
	if name == assignment.Device || name == assignment.Session || s.view == nil {
		return "" // that of this moment, or none
	}
	for _, n := range assignment.UnitNames(name) {
		if n == "" {
			break
		}
		for i := range s.view.Identifiers {
			if s.view.Identifiers[i].Namespace == n {
				return s.view.Identifiers[i].Value
			}
		}
		if v, ok := s.view.Traits[n].(string); ok && v != "" {
			return v
		}
	}
	return ""
}

// Identifier implements [assignment.Subject]: those of the request, then those of the
// profile.
func (s *subject) Identifier(i int) (namespace, value string, ok bool) {
	if i < len(s.ids) {
		return s.ids[i].Namespace, s.ids[i].Value, true
	}
	if i -= len(s.ids); s.view != nil && i < len(s.view.Identifiers) {
		return s.view.Identifiers[i].Namespace, s.view.Identifiers[i].Value, true
	}
	return "", "", false
}

// Names of attributes that are not of the profile.
const (
	attributeContext  = "context"
	attributeSegments = "segments"
)

// Attribute is what an audience reads: the context, the segments, then computed
// attributes, then traits.
func (s *subject) Attribute(name string) (any, bool) {
	switch name {
	case attributeContext:
		return s.context, true
	case attributeSegments:
		return s.inSegments(), true
	}
	if s.view == nil {
		return nil, false
	}
	if v, ok := s.view.Attributes[name]; ok {
		return v, true
	}
	v, ok := s.view.Traits[name]
	return v, ok
}

func (s *subject) inSegments() any {
	if !s.listed {
		list := []string{}
		if s.segments != nil {
			list = s.segments(s.profile)
		}
		s.listed, s.members = true, list
	}
	return s.members
}

// Kept implements [assignment.Subject].
func (s *subject) Kept(experiment, unit string) (assignment.Kept, bool) {
	return s.keeper.get(experiment, unit)
}

// audienceRead copies what the audiences at the point read, for the record, into a map
// that is empty or nil.
func audienceRead(p *point, s *subject, out map[string]any) map[string]any {
	for _, name := range p.audience {
		v, ok := s.Attribute(name)
		if !ok {
			continue
		}
		if out == nil {
			out = make(map[string]any, len(p.audience))
		}
		out[name] = v
	}
	return out
}

// past is the person of a record as experiments saw them.
type past struct {
	rec   *Record
	ids   []assignment.Identifier
	kept  map[string]assignment.Kept // by experiment
	units map[string]string          // by the name of the unit
}

// Unit implements [assignment.Subject].
func (p *past) Unit(name string) string {
	if name == assignment.Person {
		return p.rec.ProfileID
	}
	return p.units[name]
}

// Identifier implements [assignment.Subject].
func (p *past) Identifier(i int) (namespace, value string, ok bool) {
	if i < len(p.ids) {
		return p.ids[i].Namespace, p.ids[i].Value, true
	}
	return "", "", false
}

// Attribute implements [assignment.Subject].
func (p *past) Attribute(name string) (any, bool) {
	if name == attributeContext {
		return p.rec.Context, true
	}
	v, ok := p.rec.Audience[name]
	return v, ok
}

// Kept implements [assignment.Subject].
func (p *past) Kept(experiment, _ string) (assignment.Kept, bool) {
	k, ok := p.kept[experiment]
	return k, ok
}
