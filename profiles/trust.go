package profiles

import (
	"context"

	"quintet/internal/api"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

type trustKey struct{}

// withTrust marks what comes in with the context as sent by a source of our own
// on the server's side, such as an import or a webhook with a secret.
func withTrust(ctx context.Context) context.Context { return context.WithValue(ctx, trustKey{}, true) }

// trustedSource reports whether the source has proved who it is, so that it may
// join two known people. A key in a header with the scope identity has. One in a
// body, or in a browser, can be read by everybody who opens the page.
func trustedSource(ctx context.Context) bool {
	if trusted, said := ctx.Value(trustKey{}).(bool); said {
		return trusted
	}
	p, ok := api.PrincipalFrom(ctx)
	return ok && p.Has(api.ScopeIdentity)
}

// namesOf are the identifiers of a message in the form in which they are stored.
func (s *Service) namesOf(m *tracking.Message, trusted bool) identity.Names {
	n := identity.Names{UserID: m.UserID, AnonymousID: m.AnonymousID, Others: m.Others, Trusted: trusted, Evidence: m.MessageID}
	if m.Type == tracking.Alias {
		n.Previous, n.AnonymousID = m.AnonymousID, ""
	}
	for i := range n.Others {
		if n.Others[i].Namespace != identity.Phone {
			continue
		}
		if normal, err := s.store.index.Normal(n.Others[i]); err == nil {
			n.Others[i] = normal
		}
	}
	return n
}

// date fills in since when the profiles of new edges are known.
func (s *Service) date(entries []identity.Entry, received int64) {
	for i := range entries {
		if e := &entries[i]; e.Kind == identity.Merge {
			e.SinceA, e.SinceB = s.store.since(e.A, received), s.store.since(e.B, received)
		} else {
			e.SinceA, e.SinceB = received, received
		}
	}
}

// countRefused counts identifiers that were not attached.
func (s *Service) countRefused(r *identity.Resolution) {
	if r.Blocked > 0 {
		s.metrics.blocked.Add(float64(r.Blocked))
	}
	if r.Demoted > 0 {
		s.metrics.demoted.Add(float64(r.Demoted))
	}
}
