package recommend

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/recommend/interactions"
)

// reasons are all reasons of items, in the order in which they are counted.
var reasons = [...]string{reasonTaste, reasonNext, reasonAlike, reasonTogether, reasonContent, reasonTrending, reasonPopular, reasonFresh, reasonPinned}

// everybodys says whether a reason has nothing to do with the person or the request.
func everybodys(reason string) bool {
	return reason == reasonTrending || reason == reasonPopular || reason == reasonFresh || reason == reasonPinned
}

// served counts the lists that were given since the process started. It is counted
// without waiting for one another.
type served struct {
	mu     sync.RWMutex
	places map[string]*servedPlace // by placement: as many as there are definitions
	shown  atomic.Pointer[shownItems]
}

type servedPlace struct {
	lists, personal, fallback, empty, asked, given atomic.Uint64
	reasons                                        [len(reasons)]atomic.Uint64
}

// shownItems are the items of a build that were in any list.
type shownItems struct {
	of   *snapshot
	bits []atomic.Uint64
}

func (s *served) place(key string) *servedPlace {
	s.mu.RLock()
	p := s.places[key]
	s.mu.RUnlock()
	if p != nil {
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places == nil {
		s.places = make(map[string]*servedPlace)
	}
	if s.places[key] == nil {
		s.places[key] = &servedPlace{}
	}
	return s.places[key]
}

// note counts a list of which limit items were asked for.
func (s *served) note(list *List, ranked []placed, limit int, snap *snapshot) {
	p := s.place(list.Placement)
	p.lists.Add(1)
	p.asked.Add(uint64(limit))
	p.given.Add(uint64(len(ranked)))
	if list.Personal {
		p.personal.Add(1)
	}
	fallback := true
	var counts [len(reasons)]uint64
	for i := range ranked {
		if n := slices.Index(reasons[:], ranked[i].reason); n >= 0 {
			counts[n]++
		}
		fallback = fallback && everybodys(ranked[i].reason)
	}
	for n, count := range counts {
		if count > 0 {
			p.reasons[n].Add(count)
		}
	}
	if fallback {
		p.fallback.Add(1)
	}
	if len(ranked) == 0 {
		p.empty.Add(1)
	}
	if snap == nil {
		return
	}
	shown := s.shown.Load()
	if shown == nil || shown.of != snap {
		// Of two that begin one, the other loses a list: this is a share of thousands.
		shown = &shownItems{of: snap, bits: make([]atomic.Uint64, (snap.bundle.Items.Len()+63)/64)}
		s.shown.Store(shown)
	}
	for i := range ranked {
		n := ranked[i].number
		if n == interactions.Unknown {
			continue
		}
		if word, bit := &shown.bits[n>>6], uint64(1)<<(n&63); word.Load()&bit == 0 {
			word.Or(bit)
		}
	}
}

// ServedPlacement is what became of the lists of a placement.
type ServedPlacement struct {
	Placement string         `json:"placement"`
	Lists     int            `json:"lists"`
	Personal  int            `json:"personal" doc:"Lists for which something was known of the person"`
	FallBack  int            `json:"fallBack" doc:"Lists of which every item is popular, trends, is new or pinned: nothing in them comes from the person or the items that were named"`
	Empty     int            `json:"empty" doc:"Lists without any item"`
	Asked     int            `json:"asked" doc:"Items that were asked for"`
	Given     int            `json:"given" doc:"Items that were given"`
	Reasons   map[string]int `json:"reasons" doc:"Items by reason"`
}

// ServedLists is what this process served.
type ServedLists struct {
	Since      time.Time         `json:"since" doc:"When this process began to count"`
	Placements []ServedPlacement `json:"placements" nullable:"false" doc:"By key"`
	Shown      int               `json:"shown" doc:"Different items of the build in use that were in any list since it is used"`
	Offered    int               `json:"offered" doc:"Items of the catalogue that can be offered now"`
	At         time.Time         `json:"at"`
}

func (s *Service) servedLists() *ServedLists {
	now := s.now()
	out := &ServedLists{Since: s.started.UTC(), Placements: []ServedPlacement{}, At: now.UTC()}
	s.served.mu.RLock()
	defer s.served.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(s.served.places)) {
		p := s.served.places[key]
		of := ServedPlacement{Placement: key, Lists: int(p.lists.Load()), Personal: int(p.personal.Load()), FallBack: int(p.fallback.Load()), Empty: int(p.empty.Load()),
			Asked: int(p.asked.Load()), Given: int(p.given.Load()), Reasons: map[string]int{}}
		for n, reason := range reasons {
			if count := p.reasons[n].Load(); count > 0 {
				of.Reasons[reason] = int(count)
			}
		}
		out.Placements = append(out.Placements, of)
	}
	if shown := s.served.shown.Load(); shown != nil && shown.of == s.current.Load() {
		for i := range shown.bits {
			for word := shown.bits[i].Load(); word != 0; word &= word - 1 {
				out.Shown++
			}
		}
	}
	for _, v := range s.items.Snapshot() {
		if s.offered(&v.Value, now) {
			out.Offered++
		}
	}
	return out
}

func (s *Service) servedRoute(srv *api.Server) {
	type output struct{ Body *ServedLists }
	op := huma.Operation{
		OperationID: "served-recommendations", Method: http.MethodGet, Path: "/v1/recommenders/served", Tags: []string{"Recommendations"},
		Summary: "How well lists were filled, and by what, since this process started", Errors: []int{401, 403},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(srv.API, op, func(context.Context, *struct{}) (*output, error) { return &output{s.servedLists()}, nil })
}
