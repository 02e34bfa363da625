package flags

import (
	"quintet/experiments/assignment"
	"quintet/experiments/condition"
)

// UserUnit is the unit that clients know people by: the identifier userId, the
// targeting key of OpenFeature, the attribute id of GrowthBook.
const UserUnit = "userId"

// AnonymousUnit is the field of the context that names somebody who has no user id yet.
const AnonymousUnit = "anonymousId"

// Known is what is known of a person.
type Known struct {
	// Profile is the id of the profile, or the one that it would get.
	Profile string
	// Traits and Attributes are by name; Attributes are computed.
	Traits, Attributes map[string]any
	// Segments lists the segments that the person is in; nil for none.
	Segments func() []string
	// Identifier is the i-th identifier of the person, counted from 0; nil knows none.
	Identifier func(i int) (namespace, value string, ok bool)
}

// People finds who is meant.
type People interface {
	// Know finds a person by an identifier.
	Know(namespace, value string) Known
}

// Subject is who a flag is evaluated for, with what the client says about them.
type Subject struct {
	// Key is the user's id, empty when the client gives none.
	Key string
	// Context is what the client sends; it goes before what is known.
	Context map[string]any

	people   People
	known    Known
	looked   bool
	segments []string
	listed   bool
}

// NewSubject is a subject whose person is looked up when something needs it.
func NewSubject(key string, context map[string]any, people People) *Subject {
	s := new(Subject)
	s.Reset(key, context, people)
	return s
}

// Reset makes a subject somebody else.
func (s *Subject) Reset(key string, context map[string]any, people People) {
	*s = Subject{Key: key, Context: context, people: people, segments: s.segments[:0]}
}

func (s *Subject) person() *Known {
	if !s.looked {
		s.looked = true
		if s.people != nil && s.Key != "" {
			s.known = s.people.Know(UserUnit, s.Key)
		}
	}
	return &s.known
}

// Profile is the profile of the person, empty without a key.
func (s *Subject) Profile() string { return s.person().Profile }

// Attribute is what the client says, or else a trait or a computed attribute, or the
// segments. What the client sends is also under "context".
func (s *Subject) Attribute(name string) (any, bool) {
	if v, ok := s.Context[name]; ok {
		return v, true
	}
	switch name {
	case "context":
		return s.Context, true
	case "id", UserUnit, "targetingKey":
		if s.Key != "" {
			return s.Key, true
		}
		return nil, false
	}
	p := s.person()
	if v, ok := p.Traits[name]; ok {
		return v, true
	}
	if v, ok := p.Attributes[name]; ok {
		return v, true
	}
	if name == "segments" && p.Segments != nil {
		if !s.listed {
			s.segments, s.listed = p.Segments(), true
		}
		return s.segments, true
	}
	return nil, false
}

// Unit is the value of a unit, as a text.
func (s *Subject) Unit(name string) string {
	switch name {
	case assignment.Person:
		return s.person().Profile
	case UserUnit:
		if s.Key != "" {
			return s.Key
		}
	}
	for _, n := range assignment.UnitNames(name) {
		switch v := s.Context[n].(type) {
		case string:
			if v != "" {
				return v
			}
		case float64:
			if v != 0 { // as the SDKs take it for none
				return condition.FormatNumber(v)
			}
		}
	}
	return ""
}

// Identifier is the i-th identifier: the user's id, then those of the person.
func (s *Subject) Identifier(i int) (namespace, value string, ok bool) {
	if s.Key != "" {
		if i == 0 {
			return UserUnit, s.Key, true
		}
		i--
	}
	p := s.person()
	if p.Identifier == nil {
		return "", "", false
	}
	return p.Identifier(i)
}

// Kept is nothing: flags of a sticky experiment are served by decisions and by clients
// that keep them themselves.
func (s *Subject) Kept(string, string) (assignment.Kept, bool) { return assignment.Kept{}, false }
