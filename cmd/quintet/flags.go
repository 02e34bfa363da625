package main

import (
	"context"
	"maps"

	"quintet/decide"
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
		properties := map[string]any{"flag": r.Flag, "experimentVersion": r.Version, "unit": r.Unit}
		if r.Probability > 0 {
			properties["probability"], properties["leafId"], properties["banditVersion"] = r.Probability, r.Leaf, r.BanditVersion
		}
		list[i] = profiles.Exposure{
			MessageID: r.ID, UserID: r.UserID, AnonymousID: r.AnonymousID, Experiment: r.Experiment, Variant: r.Variant, At: r.At,
			Properties: properties,
		}
	}
	return x.profiles.TakeExposures(ctx, flagSource, list)
}

// flagBandits writes out the policies of decision points; there are none before the
// service of decisions is open.
type flagBandits struct{ decide func() *decide.Service }

// Weights implements [flags.Bandits].
func (b flagBandits) Weights(decisionPoint string, actions []string) (flags.BanditWeights, bool) {
	d := b.decide()
	if d == nil {
		return flags.BanditWeights{}, false
	}
	l, ok := d.Leaves(decisionPoint, actions)
	if !ok {
		return flags.BanditWeights{}, false
	}
	out := flags.BanditWeights{Version: l.ModelVersion, Otherwise: l.Otherwise}
	for _, leaf := range l.Leaves {
		values := maps.Clone(leaf.Profile)
		maps.Copy(values, leaf.Context)
		out.Leaves = append(out.Leaves, flags.BanditLeaf{Values: values, Weights: leaf.Probabilities})
	}
	return out, true
}

// Stamp implements [flags.Bandits].
func (b flagBandits) Stamp(decisionPoint string) string {
	d := b.decide()
	if d == nil {
		return ""
	}
	return d.PolicyStamp(decisionPoint)
}
