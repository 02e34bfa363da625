package profiles

import (
	"context"
	"fmt"

	"quintet/internal/definitions"
	"quintet/profiles/identity"
)

// identityRulesKey is the key of the one definition of rules of identity.
const identityRulesKey = "current"

// openIdentityRules loads the rules of identity. Without a store of definitions the
// default ones hold.
func (s *Service) openIdentityRules(store *definitions.Store) error {
	if store == nil {
		return nil
	}
	rules, err := definitions.NewCollection(store, "identity-rules", func(_ context.Context, _ string, r *identity.Rules) error {
		r.Normalise()
		return r.Validate().Err()
	})
	if err != nil {
		return fmt.Errorf("loading the rules of identity: %w", err)
	}
	s.identityRules = rules
	if v, ok := rules.Get(identityRulesKey); ok {
		s.store.index.SetRules(v.Value, func(func(identity.Attached) bool) {}) // nothing is loaded yet
	}
	rules.OnChange(func() { s.store.index.SetRules(s.currentIdentityRules().Rules, s.store.attached) })
	return nil
}

// countIdentifiers makes limits within a period count what was there before the
// service started.
func (s *Service) countIdentifiers() {
	if s.identityRules == nil {
		return
	}
	if v, ok := s.identityRules.Get(identityRulesKey); ok {
		s.store.index.SetRules(v.Value, s.store.attached)
	}
}

func (s *Service) currentIdentityRules() IdentityRules {
	v, ok := s.identityRules.Get(identityRulesKey)
	if !ok {
		return IdentityRules{Rules: identity.DefaultRules()}
	}
	return IdentityRules{Rules: v.Value, Version: v.Version, UpdatedAt: &v.UpdatedAt, UpdatedBy: v.UpdatedBy}
}

// attached gives the identifiers of all profiles.
func (s *Store) attached(yield func(identity.Attached) bool) {
	var found []identity.Attached
	for i := range s.shards {
		sh := &s.shards[i]
		found = found[:0]
		sh.mu.RLock()
		for id, st := range sh.people {
			for j, identifier := range st.identifiers {
				found = append(found, identity.Attached{Profile: id, Identifier: identifier, Since: st.firstSeen[j]})
			}
		}
		sh.mu.RUnlock()
		for _, one := range found {
			if s.index.Owns(one.Profile, one.Identifier) && !yield(one) {
				return
			}
		}
	}
}
