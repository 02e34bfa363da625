package experiments

import "context"

// table adds up what a request asks for.
func (s *Service) table(ctx context.Context, r SumsRequest) (*SumsTable, error) {
	return s.Sums(ctx, r)
}
