package profiles

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

const (
	shownDecisions = 20
	shownEvents    = 50
	readTimeout    = 10 * time.Second
	maxQuery       = 100
)

// Profile is the single customer view.
type Profile struct {
	ProfileID   string            `json:"profileId"`
	Identifiers []KnownIdentifier `json:"identifiers" nullable:"false"`
	Traits      map[string]any    `json:"traits"`
	CreatedAt   time.Time         `json:"createdAt" doc:"Time of the first thing known of the person"`
	UpdatedAt   time.Time         `json:"updatedAt" doc:"When identifiers or traits last changed"`
	LastSeenAt  time.Time         `json:"lastSeenAt"`
	EventCount  uint64            `json:"eventCount"`
	Decisions   []Decision        `json:"decisions" doc:"The last ones, newest first" nullable:"false"`
	Events      []Event           `json:"events" doc:"The last ones, newest first" nullable:"false"`
}

// KnownIdentifier is an identifier of a profile.
type KnownIdentifier struct {
	Namespace string    `json:"namespace"`
	Value     string    `json:"value"`
	FirstSeen time.Time `json:"firstSeen"`
}

// Decision is a decision about a person, as another package keeps it.
type Decision struct {
	DecisionID string    `json:"decisionId"`
	DecidedAt  time.Time `json:"decidedAt"`
	Decision   string    `json:"decision" doc:"Key of the decision point"`
	Group      string    `json:"group"`
	Eligible   bool      `json:"eligible"`
	Action     string    `json:"action"`
	Propensity float64   `json:"propensity"`
	Policy     string    `json:"policy"`
	Fallback   bool      `json:"fallback"`
}

// Event is something that a person did, or that happened to them.
type Event struct {
	MessageID  string         `json:"messageId"`
	Type       string         `json:"type"`
	Event      string         `json:"event"`
	Timestamp  time.Time      `json:"timestamp"`
	ReceivedAt time.Time      `json:"receivedAt"`
	DecisionID string         `json:"decisionId,omitempty"`
	Properties map[string]any `json:"properties"`
	Context    map[string]any `json:"context"`
}

// Summary is a profile in a list.
type Summary struct {
	ProfileID   string            `json:"profileId"`
	Identifiers []KnownIdentifier `json:"identifiers" nullable:"false"`
	Traits      map[string]any    `json:"traits"`
	LastSeenAt  time.Time         `json:"lastSeenAt"`
	EventCount  uint64            `json:"eventCount"`
}

func (s *Service) readRoutes(a huma.API) {
	type getInput struct {
		ID string `path:"id" maxLength:"400" doc:"Profile id, or namespace:value such as userId:u42"`
	}
	type getOutput struct{ Body Profile }
	get := huma.Operation{OperationID: "get-profile", Method: http.MethodGet, Path: "/v1/profiles/{id}", Tags: []string{"Profiles"},
		Summary: "Read the single customer view", Errors: []int{401, 403, 404}}
	api.Require(api.ScopeRead)(&get)
	huma.Register(a, get, func(ctx context.Context, in *getInput) (*getOutput, error) {
		p, err := s.Read(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &getOutput{Body: *p}, nil
	})

	type listInput struct {
		Query string `query:"query" maxLength:"100" doc:"Beginning of an identifier or of a name"`
		After string `query:"after" maxLength:"100" doc:"The next of the page before"`
		Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type listOutput struct {
		Body struct {
			Items []Summary `json:"items" nullable:"false"`
			Next  string    `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	list := huma.Operation{OperationID: "list-profiles", Method: http.MethodGet, Path: "/v1/profiles", Tags: []string{"Profiles"},
		Summary: "List or search profiles", Description: "Without a query the most recently seen come first; a search has one page.", Errors: []int{401, 403, 422}}
	api.Require(api.ScopeRead)(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		out.Body.Items, out.Body.Next, err = s.list(ctx, in.Query, in.After, in.Limit)
		return out, err
	})
}

// Read returns a profile by its id or by "namespace:value".
func (s *Service) Read(ctx context.Context, name string) (*Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	id, ok := s.find(name)
	if !ok {
		return nil, problem.NotFound("profile", problem.Clip(name))
	}
	view, first, ok := s.store.whole(id)
	if !ok {
		return nil, problem.NotFound("profile", problem.Clip(name))
	}
	p := &Profile{
		ProfileID: view.ID, Traits: orEmpty(view.Traits), CreatedAt: view.CreatedAt, UpdatedAt: view.UpdatedAt,
		LastSeenAt: view.LastSeenAt, EventCount: view.Events, Identifiers: known(view, first),
	}
	var err error
	if p.Decisions, err = s.decisions(ctx, view.ID, shownDecisions); err != nil {
		return nil, fmt.Errorf("reading the decisions of profile %s: %w", view.ID, err)
	}
	if p.Decisions == nil {
		p.Decisions = []Decision{}
	}
	if p.Events, err = s.lastEvents(ctx, view.ID); err != nil {
		return nil, fmt.Errorf("reading the events of profile %s: %w", view.ID, err)
	}
	return p, nil
}

func (s *Service) find(name string) (identity.ID, bool) {
	if id, ok := identity.ParseID(name); ok {
		return id, true
	}
	i, err := identity.Parse(name)
	if err != nil {
		return identity.ID{}, false
	}
	return s.store.index.Find(normal([]Identifier{i}))
}

// whole is [Store.Get] with the times at which identifiers were first seen.
func (s *Store) whole(id identity.ID) (*View, []time.Time, bool) {
	sh := s.shard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	st, ok := sh.people[id]
	if !ok {
		return nil, nil, false
	}
	first := make([]time.Time, len(st.firstSeen))
	for i, t := range st.firstSeen {
		first[i] = instant(t)
	}
	return st.view(), first, true
}

func known(v *View, first []time.Time) []KnownIdentifier {
	out := make([]KnownIdentifier, len(v.Identifiers))
	for i, id := range v.Identifiers {
		out[i] = KnownIdentifier{Namespace: id.Namespace, Value: id.Value}
		if i < len(first) {
			out[i].FirstSeen = first[i]
		}
	}
	return out
}

func (s *Service) lastEvents(ctx context.Context, id string) ([]Event, error) {
	rows, err := s.clickhouse.Read.Query(ctx, `SELECT message_id, type, event, timestamp, received_at, decision_id, properties, context FROM events
		WHERE profile_id = ? ORDER BY timestamp DESC, message_id LIMIT 1 BY message_id LIMIT ?`, id, shownEvents)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Event{}
	for rows.Next() {
		var e Event
		var properties, context string
		if err := rows.Scan(&e.MessageID, &e.Type, &e.Event, &e.Timestamp, &e.ReceivedAt, &e.DecisionID, &properties, &context); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(properties), &e.Properties); err != nil {
			return nil, fmt.Errorf("reading the properties of event %s: %w", e.MessageID, err)
		}
		if err := json.Unmarshal([]byte(context), &e.Context); err != nil {
			return nil, fmt.Errorf("reading the context of event %s: %w", e.MessageID, err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

func (s *Service) list(ctx context.Context, query, after string, limit int) ([]Summary, string, error) {
	if query = strings.TrimSpace(query); query != "" {
		found, err := s.search(ctx, query, limit)
		return found, "", err
	}
	var from *cursor
	if after != "" {
		c, ok := parseCursor(after)
		if !ok {
			var bad problem.Invalid
			bad.Add("query.after", "must be the next of an earlier page", problem.Clip(after))
			return nil, "", bad
		}
		from = &c
	}
	views := s.store.recent(from, limit)
	out := make([]Summary, 0, len(views))
	for _, v := range views {
		out = append(out, summary(v))
	}
	next := ""
	if len(views) == limit {
		last := views[len(views)-1]
		id, _ := identity.ParseID(last.ID)
		next = cursor{last.LastSeenAt.UnixMilli(), id}.String()
	}
	return out, next, nil
}

func summary(v *View) Summary {
	return Summary{ProfileID: v.ID, Identifiers: known(v, nil), Traits: orEmpty(v.Traits), LastSeenAt: v.LastSeenAt, EventCount: v.Events}
}

// search finds profiles by the beginning of an identifier or a name.
func (s *Service) search(ctx context.Context, query string, limit int) ([]Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out := []Summary{}
	if id, ok := s.find(query); ok {
		if v, ok := s.store.Get(id); ok {
			return append(out, summary(v)), nil
		}
	}
	if len(query) > maxQuery {
		query = query[:maxQuery]
	}
	pattern := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(query)) + "%"
	rows, err := s.postgres.Query(ctx, `
		(SELECT profile_id FROM profile_identifiers WHERE lower(value) LIKE $1 LIMIT $2) UNION
		(SELECT profile_id FROM profiles WHERE traits ? 'name' AND left(lower(traits ->> 'name'), 100) LIKE $1 LIMIT $2) UNION
		(SELECT profile_id FROM profiles WHERE traits ? 'firstName' AND left(lower(traits ->> 'firstName'), 100) LIKE $1 LIMIT $2) UNION
		(SELECT profile_id FROM profiles WHERE traits ? 'lastName' AND left(lower(traits ->> 'lastName'), 100) LIKE $1 LIMIT $2)
		LIMIT $2`, pattern, limit)
	if err != nil {
		return nil, fmt.Errorf("searching profiles: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("searching profiles: %w", err)
		}
		id, _ := identity.ParseID(text)
		if v, ok := s.store.Get(id); ok {
			out = append(out, summary(v))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("searching profiles: %w", err)
	}
	return out, nil
}

// String is the cursor as a caller passes it back.
func (c cursor) String() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.seen))
	return base64.RawURLEncoding.EncodeToString(append(b, c.id[:]...))
}

func parseCursor(text string) (c cursor, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 8+len(c.id) {
		return c, false
	}
	c.seen = int64(binary.BigEndian.Uint64(b))
	copy(c.id[:], b[8:])
	return c, true
}
