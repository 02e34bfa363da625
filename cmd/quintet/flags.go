package main

import (
	"context"

	"quintet/experiments/flags"
	"quintet/profiles"
)

// flagSource is the source of the exposures that evaluated flags make.
const flagSource = "flags"

// flagPeople tells package flags what package profiles knows of somebody.
type flagPeople struct {
	store    *profiles.Store
	segments func(profile string) []string
}

// Know implements [flags.People].
func (p flagPeople) Know(namespace, value string) flags.Known {
	ids := []profiles.Identifier{{Namespace: namespace, Value: value}}
	view, ok := p.store.Lookup(ids)
	if !ok {
		return flags.Known{Profile: p.store.Resolve(ids)}
	}
	return flags.Known{
		Profile: view.ID, Traits: view.Traits, Attributes: view.Attributes,
		Segments: func() []string { return p.segments(view.ID) },
		Identifier: func(i int) (string, string, bool) {
			if i >= len(view.Identifiers) {
				return "", "", false
			}
			return view.Identifiers[i].Namespace, view.Identifiers[i].Value, true
		},
	}
}

// flagExposures writes exposures of flags as the events that a client would send.
type flagExposures struct{ profiles *profiles.Service }

// RecordExposures implements [flags.Recorder].
func (x flagExposures) RecordExposures(ctx context.Context, records []flags.Record) error {
	list := make([]profiles.Exposure, len(records))
	for i, r := range records {
		list[i] = profiles.Exposure{
			MessageID: r.ID, UserID: r.UserID, AnonymousID: r.AnonymousID, Experiment: r.Experiment, Variant: r.Variant, At: r.At,
			Properties: map[string]any{"flag": r.Flag, "experimentVersion": r.Version, "unit": r.Unit},
		}
	}
	return x.profiles.TakeExposures(ctx, flagSource, list)
}
