package recommend

import (
	"fmt"

	"quintet/internal/api"
	"quintet/internal/definitions"
)

// Service is the catalogue in memory.
type Service struct {
	items *definitions.Collection[Item]
}

// Open loads the catalogue.
func Open(store *definitions.Store) (*Service, error) {
	items, err := definitions.NewCollection(store, "items", ValidateItem)
	if err != nil {
		return nil, fmt.Errorf("loading items: %w", err)
	}
	return &Service{items: items}, nil
}

// Items are the items by key.
func (s *Service) Items() *definitions.Collection[Item] { return s.items }

// InStock says whether an item can be offered: it is in the catalogue and not
// sold out.
func (s *Service) InStock(key string) bool {
	v, ok := s.items.Get(key)
	return ok && (v.Value.Stock == nil || *v.Value.Stock > 0)
}

// Routes registers /v1/items.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.items, definitions.RouteOptions{Tag: "Items", Singular: "item", ItemKeys: true})
}
