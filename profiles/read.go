package profiles

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// What the page of one profile shows at most.
const (
	shownEvents    = 50
	shownDecisions = 20
)

// Card is a profile as the API shows it.
type Card struct {
	ProfileID   string           `json:"profileId" doc:"Id of the person"`
	Profiles    []string         `json:"profiles,omitempty" nullable:"false" doc:"The profiles that were joined to this person, where there are several"`
	Identifiers []CardIdentifier `json:"identifiers" nullable:"false"`
	Traits      map[string]any   `json:"traits"`
	Events      uint64           `json:"eventCount" doc:"Messages about the person so far"`
	CreatedAt   time.Time        `json:"createdAt" doc:"Time of the first thing known of the person"`
	UpdatedAt   time.Time        `json:"updatedAt" doc:"When identifiers or traits last changed"`
	LastSeenAt  time.Time        `json:"lastSeenAt" doc:"Time of the latest message about the person"`
}

// CardIdentifier is an identifier with the time from which it is known.
type CardIdentifier struct {
	Namespace string    `json:"namespace"`
	Value     string    `json:"value"`
	FirstSeen time.Time `json:"firstSeen"`
}

// Profile is the single customer view.
type Profile struct {
	Card
	Decisions []Decision     `json:"decisions" doc:"The latest decisions, newest first" nullable:"false"`
	Events    []ProfileEvent `json:"events" doc:"The latest events, newest first" nullable:"false"`
	Segments  []string       `json:"segments" doc:"Keys of the segments that the person is in" nullable:"false"`
	Lineage   []TraitFact    `json:"lineage,omitempty" doc:"With lineage=true: what each source said about each trait, the chosen fact first"`
	// Missing names parts that could not be read, which is not the same as empty.
	Missing []string `json:"missing,omitempty" doc:"Parts that could not be read in time: events, decisions, messages of the lineage"`
}

// Decision is one decision about a profile, as the decisions package tells it.
type Decision struct {
	DecisionID  string              `json:"decisionId"`
	DecidedAt   time.Time           `json:"decidedAt"`
	Decision    string              `json:"decision" doc:"Key of the decision point"`
	ProfileID   string              `json:"profileId"`
	Group       string              `json:"group"`
	Eligible    bool                `json:"eligible"`
	Action      string              `json:"action"`
	Offer       string              `json:"offer"`
	Channel     string              `json:"channel"`
	Creative    string              `json:"creative"`
	Propensity  float64             `json:"propensity"`
	Fallback    bool                `json:"fallback"`
	Policy      string              `json:"policy"`
	Experiments []ExperimentVariant `json:"experiments" nullable:"false"`
}

// ExperimentVariant is the variant of an experiment that a decision counts for.
type ExperimentVariant struct {
	Key     string `json:"key"`
	Variant string `json:"variant"`
}

// Decisions tells the latest decisions about the profiles of one person, newest first.
type Decisions interface {
	About(ctx context.Context, profiles []string, limit int) ([]Decision, error)
}

// ShowDecisions sets where decisions come from. It is called before serving.
func (s *Service) ShowDecisions(d Decisions) { s.decisions = d }

func (s *Service) readRoutes(a huma.API) {
	type getInput struct {
		ID      string `path:"id" doc:"Profile id, or namespace:value such as userId:u42 or email:anna@example.org" maxLength:"600"`
		Lineage bool   `query:"lineage" doc:"Whether to tell where each trait comes from"`
	}
	type getOutput struct{ Body *Profile }
	get := huma.Operation{
		OperationID: "get-profile", Method: http.MethodGet, Path: "/v1/profiles/{id}", Tags: []string{"Profiles"},
		Summary: "Read one profile with its latest events and decisions", Errors: []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&get)
	api.Personal(&get)
	huma.Register(a, get, func(ctx context.Context, in *getInput) (*getOutput, error) {
		p, err := s.Profile(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if in.Lineage {
			s.addLineage(ctx, p)
		}
		s.maskProfile(api.MaskFrom(ctx), p)
		return &getOutput{p}, nil
	})

	type listInput struct {
		Query string `query:"query" doc:"Beginning of an identifier, or of the trait name, firstName or lastName; namespace:value narrows it down" maxLength:"256"`
		After string `query:"after" doc:"The next of the page before" maxLength:"64"`
		Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type listOutput struct {
		Body struct {
			Items []Card `json:"items" nullable:"false"`
			Next  string `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	list := huma.Operation{
		OperationID: "list-profiles", Method: http.MethodGet, Path: "/v1/profiles", Tags: []string{"Profiles"},
		Summary: "Find profiles, the most recently seen first", Errors: []int{401, 403, 422, 503},
	}
	api.Require(api.ScopeRead)(&list)
	api.Personal(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		out.Body.Items, out.Body.Next, err = s.List(ctx, in.Query, in.After, in.Limit)
		for i := range out.Body.Items {
			s.maskCard(api.MaskFrom(ctx), &out.Body.Items[i])
		}
		return out, err
	})
}

// named is the profile that a path names: by its id or as "namespace:value".
func (s *Service) named(text string) (identity.ID, error) {
	if decoded, err := url.PathUnescape(text); err == nil {
		text = decoded
	}
	id, ok := s.find(text)
	if ok {
		_, ok = s.store.GetPerson(id)
	}
	if !ok {
		return id, problem.NotFound("profile", text)
	}
	return id, nil
}

// addLineage tells where the traits of a profile come from.
func (s *Service) addLineage(ctx context.Context, p *Profile) {
	id, _ := identity.ParseID(p.ProfileID)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var err error
	if p.Lineage, err = s.lineage(ctx, id); err != nil {
		api.Log(ctx).Warn("cannot read the messages behind traits", "error", err)
		p.Missing = append(p.Missing, "messages of the lineage")
	}
}

// Profile reads one profile by its id or by "namespace:value". Where events or
// decisions cannot be read in time, the answer says so and has the rest.
func (s *Service) Profile(ctx context.Context, text string) (*Profile, error) {
	id, err := s.named(text)
	if err != nil {
		return nil, err
	}
	card, ok := s.card(id)
	if !ok {
		return nil, problem.NotFound("profile", text)
	}
	p := &Profile{Card: card, Decisions: []Decision{}, Segments: []string{}}
	if s.segments != nil {
		p.Segments = s.segments.Of(s.store.PersonOf(id))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	decisions := make(chan error, 1)
	go func() { decisions <- s.readDecisions(ctx, p) }()
	if p.Events, err = s.latestEvents(ctx, p.members(), p.Card.Events, shownEvents); err != nil {
		api.Log(ctx).Warn("cannot read the events of a profile", "error", err)
		p.Missing = append(p.Missing, "events")
	}
	if err := <-decisions; err != nil {
		api.Log(ctx).Warn("cannot read the decisions of a profile", "error", err)
		p.Missing = append(p.Missing, "decisions")
	}
	return p, nil
}

// profileCard shows one profile, as if it were a person of its own.
func (s *Service) profileCard(id identity.ID) (Card, bool) {
	sh := s.store.shard(id)
	sh.mu.RLock()
	st, ok := sh.people[id]
	if !ok {
		sh.mu.RUnlock()
		return Card{}, false
	}
	view, seen := st.view(), st.firstSeen
	sh.mu.RUnlock()
	card := Card{
		ProfileID: view.ID, Identifiers: make([]CardIdentifier, 0, len(view.Identifiers)), Traits: map[string]any{},
		Events: view.Events, CreatedAt: view.CreatedAt, UpdatedAt: view.UpdatedAt, LastSeenAt: view.LastSeenAt,
	}
	for i, identifier := range view.Identifiers {
		// One that has moved to another person is not shown here any more.
		if s.store.index.Owns(id, identifier) {
			card.Identifiers = append(card.Identifiers, CardIdentifier{identifier.Namespace, identifier.Value, instant(seen[i])})
		}
	}
	for name, value := range view.Traits {
		if value != nil {
			card.Traits[name] = value
		}
	}
	return card, true
}

func (s *Service) readDecisions(ctx context.Context, p *Profile) error {
	if s.decisions == nil {
		return nil
	}
	list, err := s.decisions.About(ctx, p.members(), shownDecisions)
	if err != nil {
		return err
	}
	p.Decisions = append(p.Decisions, list...)
	return nil
}

// List returns up to limit profiles, the most recently seen first, and the
// cursor of the next page, "" at the end. query is the beginning of an
// identifier or of a name, "" for everybody.
func (s *Service) List(ctx context.Context, query, after string, limit int) ([]Card, string, error) {
	start, err := parseCursor(after)
	if err != nil {
		return nil, "", err
	}
	var views []*View
	if query = strings.TrimSpace(query); query == "" {
		views = s.store.recent(start, limit+1)
	} else if views, err = s.search(ctx, query, start, limit+1); err != nil {
		return nil, "", err
	}
	next := ""
	if len(views) > limit {
		views = views[:limit]
		last := views[limit-1]
		next = strconv.FormatInt(last.LastSeenAt.UnixMilli(), 10) + "." + last.ID
	}
	cards := make([]Card, 0, len(views))
	for _, v := range views {
		id, _ := identity.ParseID(v.ID)
		if card, ok := s.card(id); ok {
			cards = append(cards, card)
		}
	}
	return cards, next, nil
}

func parseCursor(text string) (*cursor, error) {
	if text == "" {
		return nil, nil
	}
	seen, id, _ := strings.Cut(text, ".")
	c := new(cursor)
	var err error
	var ok bool
	if c.seen, err = strconv.ParseInt(seen, 10, 64); err == nil {
		c.id, ok = identity.ParseID(id)
	}
	if !ok {
		return nil, problem.Invalid{{Field: "query.after", Rule: "must be the next of an earlier page", Value: text}}
	}
	return c, nil
}
