package main

import (
	"context"

	"quintet/decide"
	"quintet/profiles"
)

// profileDecisions shows the decisions of package decide on the pages of
// package profiles, which do not know each other.
type profileDecisions struct{ decide *decide.Service }

// OfProfile implements [profiles.Decisions].
func (d profileDecisions) OfProfile(ctx context.Context, profileID string, limit int) ([]profiles.Decision, error) {
	found, err := d.decide.List(ctx, decide.Filter{ProfileID: profileID, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]profiles.Decision, len(found))
	for i, r := range found {
		out[i] = profiles.Decision{
			DecisionID: r.DecisionID, DecidedAt: r.DecidedAt, Decision: r.Decision, ProfileID: r.ProfileID, Group: string(r.Group),
			Eligible: r.Eligible, Action: r.Action, Offer: r.Offer, Channel: r.Channel, Creative: r.Creative,
			Propensity: r.Propensity, Fallback: r.Fallback, Policy: r.Policy, Experiments: make([]profiles.ExperimentVariant, len(r.Experiments)),
		}
		for j, e := range r.Experiments {
			out[i].Experiments[j] = profiles.ExperimentVariant{Key: e.Key, Variant: e.Variant}
		}
	}
	return out, nil
}
