package main

import (
	"context"

	"quintet/decide"
	"quintet/profiles"
)

// profileDecisions shows the decisions of package decide on the pages of
// package profiles, which do not know each other.
type profileDecisions struct{ decide *decide.Service }

// About implements [profiles.Decisions].
func (d profileDecisions) About(ctx context.Context, people []string, limit int) ([]profiles.Decision, error) {
	found, err := d.decide.About(ctx, people, limit)
	if err != nil {
		return nil, err
	}
	out := make([]profiles.Decision, len(found))
	for i, s := range found {
		out[i] = profiles.Decision{
			DecisionID: s.DecisionID, DecidedAt: s.DecidedAt, Decision: s.Decision, ProfileID: s.ProfileID, Group: string(s.Group),
			Eligible: s.Eligible, Action: s.Action, Offer: s.Offer, Channel: s.Channel, Creative: s.Creative,
			Propensity: s.Propensity, Fallback: s.Fallback, Policy: s.Policy, Experiments: make([]profiles.ExperimentVariant, len(s.Experiments)),
		}
		for j, e := range s.Experiments {
			out[i].Experiments[j] = profiles.ExperimentVariant{Key: e.Key, Variant: e.Variant}
		}
	}
	return out, nil
}
