package auth

import "slices"

// KeyIDs are the ids of the API keys with a name, revoked ones included, in
// order.
func (s *Service) KeyIDs(name string) []string {
	var ids []string
	for id, k := range *s.keys.Load() {
		if k.principal.Name == name {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// KeyName is the name of the API key with the id, "" when there is none.
func (s *Service) KeyName(id string) string {
	if k := (*s.keys.Load())[id]; k != nil {
		return k.principal.Name
	}
	return ""
}
