package profiles

import (
	"quintet/internal/api"
	"quintet/profiles/identity"
)

// personalNamespaces are those whose values name a person or reach one. A userId
// or anonymousId is a pseudonym; a rule of its own can still mask it.
var personalNamespaces = map[string]bool{identity.Email: true, identity.Phone: true, "telegram": true, "card": true}

// personalContext are the members of an event's context that are personal data.
var personalContext = map[string]bool{"ip": true, "traits": true, "externalIds": true, "location": true, "device": true}

// maskProfile hides from a profile what the caller may not see. The lineage is
// masked where it is made.
func (s *Service) maskProfile(m *api.Mask, p *Profile) {
	if m == nil {
		return
	}
	s.maskCard(m, &p.Card)
	personal := s.store.rules.Load().Personal
	for i := range p.Events {
		e := &p.Events[i]
		e.Properties = masked(m, "properties", e.Properties, personal)
		e.Context = masked(m, "context", e.Context, func(name string) bool { return personalContext[name] })
	}
}

func (s *Service) maskCard(m *api.Mask, c *Card) {
	if m == nil {
		return
	}
	kept := c.Identifiers[:0]
	for _, id := range c.Identifiers {
		mode := m.Mode("identifiers", id.Namespace, personalNamespaces[id.Namespace])
		if mode == api.MaskHide {
			continue
		}
		id.Value = mode.Apply(id.Value)
		kept = append(kept, id)
	}
	c.Identifiers = kept
	c.Traits = masked(m, "traits", c.Traits, s.store.rules.Load().Personal)
}

// masked is a copy of members without what the mask hides. A value that is no
// text is masked as its JSON.
func masked(m *api.Mask, group string, members map[string]any, personal func(name string) bool) map[string]any {
	if members == nil {
		return nil
	}
	shown := make(map[string]any, len(members))
	for name, value := range members {
		switch mode := m.Mode(group, name, personal(name)); {
		case mode == api.MaskHide:
		case mode == "" || value == nil:
			shown[name] = value
		default:
			shown[name] = mode.Apply(plain(value))
		}
	}
	return shown
}
