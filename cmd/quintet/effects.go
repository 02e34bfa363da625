package main

import (
	"quintet/models/predict"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// effects lets decisions compare treatments by what models of uplift expect of them for
// a person.
type effects struct {
	predictions *predict.Service
	people      *profiles.Store
}

// Effects implements [decide.Effects].
func (e effects) Effects(model, profileID string, treatments []string, values []float64) bool {
	id, ok := identity.ParseID(profileID)
	if !ok {
		return false
	}
	view, ok := e.people.GetPerson(id)
	if !ok {
		return false
	}
	return e.predictions.Values(model, func(name string) (any, bool) {
		v, there := view.Attributes[name]
		return v, there
	}, treatments, values)
}

// Knows implements [decide.Effects].
func (e effects) Knows(model string) bool { return e.predictions.OfUplift(model) }
