package scenarios

import (
	"encoding/json"
	"fmt"

	"quintet/experiments/condition"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// person is what conditions read of somebody on their way.
type person struct {
	view     *profiles.View
	segments Segments
	entry    map[string]any
	last     map[string]any
}

// Attribute implements [condition.Attributes].
func (p person) Attribute(name string) (any, bool) {
	switch name {
	case "segments":
		return p.segments.OfProfile(p.view.ID), true
	case "entry":
		return p.entry, true
	case "last":
		return p.last, true
	}
	if v, ok := p.view.Attributes[name]; ok {
		return v, true
	}
	v, ok := p.view.Traits[name]
	return v, ok
}

// maxParsed bounds the conditions that are kept parsed.
const maxParsed = 5000

// condition parses a condition once.
func (s *Service) condition(source json.RawMessage) (*condition.Condition, error) {
	if len(source) == 0 {
		return nil, nil
	}
	if c, ok := s.parsed.Load(string(source)); ok {
		return c.(*condition.Condition), nil
	}
	c, err := condition.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("reading a condition of a scenario: %w", err)
	}
	n := 0
	s.parsed.Range(func(any, any) bool { n++; return n < maxParsed })
	if n >= maxParsed {
		s.parsed.Clear()
	}
	s.parsed.Store(string(source), c)
	return c, nil
}

// find is the person of an id, by any of their profiles.
func (s *Service) find(text string) (*profiles.View, bool) {
	id, ok := identity.ParseID(text)
	if !ok {
		return nil, false
	}
	return s.people.GetPerson(id)
}
