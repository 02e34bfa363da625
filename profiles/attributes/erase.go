package attributes

import (
	"context"

	"quintet/profiles"
)

// Erase is part of [profiles.ErasurePart].
func (s *Service) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	s.mu.Lock()
	n := int64(0)
	for _, id := range sub.IDs() {
		if _, there := s.known[id]; there {
			n++
		}
	}
	s.mu.Unlock()
	return map[string]int64{"memory attributes": n}, s.Forget(ctx, sub.IDs()...)
}

// Check is part of [profiles.ErasurePart].
func (s *Service) Check(_ context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	check := profiles.ErasureCheck{Store: "memory", What: "attributes"}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range sub.IDs() {
		_, known := s.known[id]
		if known || s.counters.sums[id] != nil {
			check.Rows++
		}
	}
	return []profiles.ErasureCheck{check}, nil
}
