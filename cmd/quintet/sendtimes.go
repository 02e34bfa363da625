package main

import (
	"time"

	"quintet/models/predict"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// sendTimes lets decisions weigh moments by what models know of a person's day.
type sendTimes struct {
	predictions *predict.Service
	people      *profiles.Store
}

// Weights implements [decide.SendTimes].
func (s sendTimes) Weights(profileID, channel string, zone *time.Location, moments []time.Time, weights []float64) bool {
	var attributes map[string]any
	if id, ok := identity.ParseID(profileID); ok {
		if view, there := s.people.GetPerson(id); there {
			attributes = view.Attributes
		}
	}
	return s.predictions.Weights(func(name string) (string, bool) {
		v, ok := attributes[name].(string)
		return v, ok
	}, channel, zone, moments, weights)
}
