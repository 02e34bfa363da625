package decide

// Offer is the current definition of an offer.
func (s *Service) Offer(key string) (Offer, bool) {
	v, ok := s.offers.Get(key)
	return v.Value, ok
}
