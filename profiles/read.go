package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sort"
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
	ProfileID   string           `json:"profileId"`
	PersonID    string           `json:"personId" doc:"Id of the person, the same as profileId unless profiles were merged"`
	Profiles    []string         `json:"profiles,omitempty" doc:"All profiles of the person, where there are several"`
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
	Lineage   []TraitFact    `json:"lineage,omitempty" doc:"With lineage=true: what each source said about each trait, the chosen fact first"`
	// Missing names parts that could not be read, which is not the same as empty.
	Missing []string `json:"missing,omitempty" doc:"Parts that could not be read in time: events, decisions, messages of the lineage"`
}

// ProfileEvent is one event of a profile.
type ProfileEvent struct {
	MessageID  string         `json:"messageId"`
	Type       string         `json:"type"`
	Event      string         `json:"event"`
	Timestamp  time.Time      `json:"timestamp"`
	ReceivedAt time.Time      `json:"receivedAt"`
	DecisionID string         `json:"decisionId,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
	Context    map[string]any `json:"context,omitempty"`
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

// Decisions tells the latest decisions about a profile, newest first.
type Decisions interface {
	OfProfile(ctx context.Context, profileID string, limit int) ([]Decision, error)
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
	huma.Register(a, get, func(ctx context.Context, in *getInput) (*getOutput, error) {
		p, err := s.Profile(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if in.Lineage {
			s.addLineage(ctx, p)
		}
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
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		out.Body.Items, out.Body.Next, err = s.List(ctx, in.Query, in.After, in.Limit)
		return out, err
	})
}

// find is the profile that a path names: by its id or as "namespace:value".
func (s *Service) find(text string) (identity.ID, error) {
	if decoded, err := url.PathUnescape(text); err == nil {
		text = decoded
	}
	id, ok := identity.ParseID(text)
	if !ok {
		identifier, err := identity.Parse(text)
		if err != nil {
			return id, problem.NotFound("profile", text)
		}
		if id, ok = s.store.index.Find(s.store.normal([]Identifier{identifier})); !ok {
			return id, problem.NotFound("profile", text)
		}
	}
	if _, ok := s.store.Get(id); !ok {
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
	id, err := s.find(text)
	if err != nil {
		return nil, err
	}
	card, ok := s.card(id)
	if !ok {
		return nil, problem.NotFound("profile", text)
	}
	p := &Profile{Card: card, Decisions: []Decision{}, Events: []ProfileEvent{}}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	decisions := make(chan error, 1)
	go func() { decisions <- s.readDecisions(ctx, p) }()
	if err := s.readEvents(ctx, p); err != nil {
		api.Log(ctx).Warn("cannot read the events of a profile", "error", err)
		p.Missing = append(p.Missing, "events")
	}
	if err := <-decisions; err != nil {
		api.Log(ctx).Warn("cannot read the decisions of a profile", "error", err)
		p.Missing = append(p.Missing, "decisions")
	}
	return p, nil
}

// card shows the person to whom a profile belongs, as of all that is known of them.
func (s *Service) card(id identity.ID) (Card, bool) {
	person := s.store.PersonOf(id)
	view, ok := s.store.GetPerson(person)
	if !ok {
		return Card{}, false
	}
	card := Card{
		ProfileID: id.String(), PersonID: view.Person, Identifiers: make([]CardIdentifier, 0, len(view.Identifiers)), Traits: map[string]any{},
		Events: view.Events, CreatedAt: view.CreatedAt, UpdatedAt: view.UpdatedAt, LastSeenAt: view.LastSeenAt,
	}
	members := s.store.Members(person)
	for _, member := range members {
		if len(members) > 1 {
			card.Profiles = append(card.Profiles, member.String())
		}
		card.Identifiers = append(card.Identifiers, s.store.identifiersOf(member)...)
	}
	for name, value := range view.Traits {
		if value != nil {
			card.Traits[name] = value
		}
	}
	return card, true
}

// identifiersOf are the identifiers of one profile. One that has moved to another
// profile is not among them any more.
func (s *Store) identifiersOf(id identity.ID) []CardIdentifier {
	sh := s.shard(id)
	sh.mu.RLock()
	var identifiers []Identifier
	var seen []int64
	if st, ok := sh.people[id]; ok {
		identifiers, seen = st.identifiers, st.firstSeen
	}
	sh.mu.RUnlock()
	var out []CardIdentifier
	for i, identifier := range identifiers {
		if s.index.Owns(id, identifier) {
			out = append(out, CardIdentifier{identifier.Namespace, identifier.Value, instant(seen[i])})
		}
	}
	return out
}

func (s *Service) readDecisions(ctx context.Context, p *Profile) error {
	if s.decisions == nil {
		return nil
	}
	var all []Decision
	for _, id := range p.ids() {
		list, err := s.decisions.OfProfile(ctx, id, shownDecisions)
		if err != nil {
			return err
		}
		all = append(all, list...)
	}
	if len(p.Profiles) > 1 {
		sort.SliceStable(all, func(i, j int) bool { return all[i].DecidedAt.After(all[j].DecidedAt) })
	}
	if all != nil {
		p.Decisions = all[:min(len(all), shownDecisions)]
	}
	return nil
}

// shownProfiles bounds how many profiles of one person events and decisions are
// read of.
const shownProfiles = 50

// ids are the profiles under which things are logged about the person.
func (p *Profile) ids() []string {
	if len(p.Profiles) == 0 {
		return []string{p.ProfileID}
	}
	return p.Profiles[:min(len(p.Profiles), shownProfiles)]
}

func (s *Service) readEvents(ctx context.Context, p *Profile) error {
	rows, err := s.clickhouse.Read.Query(ctx, `SELECT message_id, type, event, timestamp, received_at, decision_id, properties, context
		FROM events WHERE profile_id IN ? ORDER BY timestamp DESC, message_id LIMIT 1 BY event, message_id LIMIT `+strconv.Itoa(shownEvents), p.ids())
	if err != nil {
		return fmt.Errorf("asking for events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e ProfileEvent
		var properties, context string
		if err := rows.Scan(&e.MessageID, &e.Type, &e.Event, &e.Timestamp, &e.ReceivedAt, &e.DecisionID, &properties, &context); err != nil {
			return fmt.Errorf("reading an event: %w", err)
		}
		if err := json.Unmarshal([]byte(properties), &e.Properties); err != nil {
			return fmt.Errorf("reading the properties of event %s: %w", e.MessageID, err)
		}
		if err := json.Unmarshal([]byte(context), &e.Context); err != nil {
			return fmt.Errorf("reading the context of event %s: %w", e.MessageID, err)
		}
		p.Events = append(p.Events, e)
	}
	return rows.Err()
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
