package main

import (
	"maps"

	"quintet/experiments"
	"quintet/experiments/assignment"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// personFacts finds a person by profile id or namespace:value, with what audiences
// read of them now. A stranger has the profile that the identifier would get.
func (a *app) personFacts(unit string) (experiments.PersonFacts, bool) {
	store := a.profiles.Store()
	var view *profiles.View
	var known bool
	facts := experiments.PersonFacts{Profile: unit, Attributes: map[string]any{}}
	if id, ok := identity.ParseID(unit); ok {
		view, known = store.Get(id)
	} else {
		identifier, err := identity.Parse(unit)
		if err != nil {
			return facts, false
		}
		ids := []profiles.Identifier{identifier}
		facts.Profile = store.Resolve(ids)
		facts.Identifiers = append(facts.Identifiers, assignment.Identifier{Namespace: identifier.Namespace, Value: identifier.Value})
		view, known = store.Lookup(ids)
	}
	if !known {
		return facts, true
	}
	facts.Profile = view.ID
	for _, id := range view.Identifiers {
		facts.Identifiers = append(facts.Identifiers, assignment.Identifier{Namespace: id.Namespace, Value: id.Value})
	}
	maps.Copy(facts.Attributes, view.Traits)
	maps.Copy(facts.Attributes, view.Attributes)
	facts.Attributes["segments"] = a.segments.OfProfile(view.ID)
	return facts, true
}
