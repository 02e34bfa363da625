package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/oklog/ulid/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/consents"
	"quintet/profiles/identity"
	"quintet/profiles/tracking"
)

// maxStated is how many statements one call may make.
const maxStated = 100

// StatementBody is one statement about consent.
type StatementBody struct {
	Purpose   string          `json:"purpose,omitempty" doc:"Key of a purpose; with a topic alone, that of the topic; * withdraws every purpose" maxLength:"64"`
	Channel   string          `json:"channel,omitempty" doc:"Key of a channel; every channel when absent" maxLength:"64"`
	Topic     string          `json:"topic,omitempty" doc:"Key of a topic; all when absent" maxLength:"64"`
	Status    consents.Status `json:"status" enum:"granted,denied,withdrawn"`
	Confirmed bool            `json:"confirmed,omitempty" doc:"granted: whether the person confirmed it a second time (double opt-in)"`
	At        *time.Time      `json:"at,omitempty" doc:"When it was said; now when absent"`
	ExpiresAt *time.Time      `json:"expiresAt,omitempty" doc:"granted: when it ends"`
	Proof     *consents.Proof `json:"proof,omitempty"`
}

// ConsentCard is what a person consented to, and what follows of it now.
type ConsentCard struct {
	ProfileID  string            `json:"profileId"`
	Purposes   []ConsentState    `json:"purposes" nullable:"false" doc:"What holds now, by purpose and topic"`
	Statements []ConsentEvidence `json:"statements" nullable:"false" doc:"The latest statement about each purpose, channel and topic"`
}

// ConsentState is what holds for one purpose, or one topic of it.
type ConsentState struct {
	Purpose  string                     `json:"purpose"`
	Topic    string                     `json:"topic,omitempty"`
	Title    string                     `json:"title,omitempty"`
	Basis    consents.Basis             `json:"basis,omitempty"`
	Status   consents.Status            `json:"status" enum:"granted,denied,withdrawn,pending,expired,unknown" doc:"For the use of data and where a channel is not named below"`
	Channels map[string]consents.Status `json:"channels" nullable:"false" doc:"For each channel about which something was said"`
}

// ConsentEvidence is one statement with its proof.
type ConsentEvidence struct {
	Purpose   string          `json:"purpose" doc:"* for every purpose"`
	Channel   string          `json:"channel" doc:"* for every channel, site for a consent banner"`
	Topic     string          `json:"topic,omitempty"`
	Status    consents.Status `json:"status" enum:"granted,denied,withdrawn"`
	Confirmed bool            `json:"confirmed"`
	Time      time.Time       `json:"time"`
	ExpiresAt *time.Time      `json:"expiresAt,omitempty"`
	Source    string          `json:"source"`
	MessageID string          `json:"messageId"`
	Proof     consents.Proof  `json:"proof"`
}

func (s *Service) consentRoutes(a huma.API) {
	if s.purposes == nil {
		return
	}
	definitions.Routes(a, s.purposes, definitions.RouteOptions{Tag: "Purposes", Singular: "purpose"})
	definitions.Routes(a, s.topics, definitions.RouteOptions{Tag: "Topics", Singular: "topic"})
	type readInput struct {
		ID string `path:"id" doc:"Profile id, or namespace:value such as userId:u42" maxLength:"600"`
	}
	type output struct{ Body *ConsentCard }
	get := huma.Operation{
		OperationID: "get-profile-consents", Method: http.MethodGet, Path: "/v1/profiles/{id}/consents", Tags: []string{"Profiles"},
		Summary: "Read what a person consented to, with the proof", Errors: []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&get)
	api.Personal(&get)
	huma.Register(a, get, func(ctx context.Context, in *readInput) (*output, error) {
		id, err := s.named(in.ID)
		if err != nil {
			return nil, err
		}
		card, err := s.consentCard(ctx, id)
		return &output{card}, err
	})
	type sayInput struct {
		ID   string `path:"id" doc:"Profile id, or namespace:value such as userId:u42" maxLength:"600"`
		Body struct {
			Statements []StatementBody `json:"statements" minItems:"1" maxItems:"100" nullable:"false"`
		}
	}
	type sayOutput struct{ Body ConsentsStated }
	handler := func(ctx context.Context, in *sayInput) (*sayOutput, error) {
		out, err := s.StateConsents(ctx, in.ID, in.Body.Statements)
		if err != nil {
			return nil, err
		}
		return &sayOutput{*out}, nil
	}
	for method, id := range map[string]string{http.MethodPost: "post-profile-consents", http.MethodPut: "put-profile-consents"} {
		op := huma.Operation{
			OperationID: id, Method: method, Path: "/v1/profiles/{id}/consents", Tags: []string{"Profiles"},
			Summary:     "State what a person consents to or refuses",
			Description: "Each statement is an event in the stream; what was stated about anything else stays. Answers after they are durable. POST and PUT do the same.",
			Errors:      []int{400, 401, 403, 404, 409, 413, 422, 429, 503},
		}
		api.Require(api.ScopeIngest)(&op)
		huma.Register(a, op, handler)
	}
}

// ConsentsStated says what became of statements.
type ConsentsStated struct {
	ProfileID  string   `json:"profileId"`
	MessageIDs []string `json:"messageIds" nullable:"false" doc:"Of the events that carry the statements"`
	Applied    bool     `json:"applied" doc:"False while they are durable but not in the profile yet"`
}

// StateConsents puts statements of a person into the stream, and returns when they are
// durable and as a rule in the profile.
func (s *Service) StateConsents(ctx context.Context, text string, list []StatementBody) (*ConsentsStated, error) {
	id, err := s.named(text)
	if err != nil {
		return nil, err
	}
	var bad problem.Invalid
	if len(list) > maxStated {
		bad.Add("statements", fmt.Sprintf("must be at most %d", maxStated), len(list))
		return nil, bad
	}
	bodies := make([]map[string]any, len(list))
	out := &ConsentsStated{ProfileID: id.String()}
	for i := range list {
		body, err := s.consentEvent(&list[i])
		if err != nil {
			bad.Nest(fmt.Sprintf("statements[%d]", i), err)
			continue
		}
		message := ulid.Make().String()
		body["messageId"] = message
		bodies[i], out.MessageIDs = body, append(out.MessageIDs, message)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if err := s.say(ctx, id, tracking.Track, bodies...); err != nil {
		return nil, err
	}
	out.Applied = s.settled(ctx)
	return out, nil
}

// consentEvent is the event that carries a statement.
func (s *Service) consentEvent(b *StatementBody) (map[string]any, error) {
	var bad problem.Invalid
	name := consents.EventGiven
	switch b.Status {
	case consents.Denied:
		name = consents.EventDenied
	case consents.Withdrawn:
		name = consents.EventWithdrawn
	}
	if b.Topic != "" {
		topic, ok := s.topics.Get(b.Topic)
		switch {
		case !ok:
			bad.Add("topic", "must be the key of a topic", b.Topic)
		case b.Purpose == "":
			b.Purpose = topic.Value.Purpose
		}
	}
	if _, ok := s.purposes.Get(b.Purpose); !ok && b.Purpose != "" && b.Purpose != consents.Any {
		bad.Add("purpose", "must be the key of a purpose", b.Purpose)
	}
	properties := map[string]any{}
	for field, value := range map[string]string{"purpose": b.Purpose, "channel": b.Channel, "topic": b.Topic} {
		if value != "" {
			properties[field] = value
		}
	}
	if b.Confirmed {
		properties["confirmed"] = true
	}
	if b.ExpiresAt != nil {
		properties["expiresAt"] = b.ExpiresAt
	}
	if b.Proof != nil {
		properties["proof"] = b.Proof
	}
	encoded, err := json.Marshal(properties)
	if err != nil {
		bad.Add("expiresAt", "must be a time that JSON can hold", nil)
	} else if _, err := consents.ParseEvent(name, string(encoded), ""); err != nil && len(bad) == 0 {
		return nil, err
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	body := map[string]any{"event": name, "properties": properties}
	if b.At != nil {
		if b.At.Before(tracking.Earliest) {
			return nil, problem.Invalid{{Field: "at", Rule: "must not be before " + tracking.Earliest.Format(time.DateOnly), Value: b.At}}
		}
		body["timestamp"] = b.At
	}
	return body, nil
}

// consentCard reads what holds from memory and the proofs from Postgres.
func (s *Service) consentCard(ctx context.Context, id identity.ID) (*ConsentCard, error) {
	view, ok := s.store.GetPerson(id)
	if !ok {
		return nil, problem.NotFound("profile", id.String())
	}
	card := &ConsentCard{ProfileID: view.ID, Purposes: s.consentStates(view.Consents), Statements: []ConsentEvidence{}}
	members := s.store.Members(s.store.PersonOf(id))
	proofs, err := s.readProofs(ctx, members)
	if err == nil && slices.ContainsFunc(view.Consents, func(one consents.Statement) bool { return proofs[keyOf(&one)].messageID == "" }) {
		// What was stated a moment ago is on its way to Postgres.
		saving, cancel := context.WithTimeout(ctx, editPatience)
		_ = s.projector.waitFor(saving, s.projector.reached()) // else the rest is shown
		cancel()
		proofs, err = s.readProofs(ctx, members)
	}
	if err != nil {
		return nil, err
	}
	mask := api.MaskFrom(ctx)
	for i := range view.Consents {
		one := &view.Consents[i]
		e := ConsentEvidence{
			Purpose: one.Key.Purpose, Channel: one.Key.Channel, Topic: one.Key.Topic, Status: one.Status, Confirmed: one.Confirmed,
			Time: instant(one.At), Source: *one.Source,
		}
		if one.Expires != 0 {
			until := instant(one.Expires)
			e.ExpiresAt = &until
		}
		p := proofs[keyOf(one)]
		e.MessageID, e.Proof = p.messageID, p.proof
		if e.Proof.IP != "" {
			e.Proof.IP = mask.Mode("context", "ip", true).Apply(e.Proof.IP)
		}
		card.Statements = append(card.Statements, e)
	}
	return card, nil
}

// consentStates is what holds now, for each purpose and each topic.
func (s *Service) consentStates(set consents.Set) []ConsentState {
	rules := s.store.consentRules.Load()
	now := s.now().UnixMilli()
	var channels []string
	for i := range set {
		if c := set[i].Key.Channel; c != consents.Any && c != consents.Site && !slices.Contains(channels, c) {
			channels = append(channels, c)
		}
	}
	states := []ConsentState{}
	add := func(state ConsentState) {
		q := consents.Question{Purpose: state.Purpose, Topic: state.Topic, At: now}
		state.Status, state.Channels = set.Status(q, rules), map[string]consents.Status{}
		for _, c := range channels {
			q.Channel, q.Addressed = c, true
			state.Channels[c] = set.Status(q, rules)
		}
		states = append(states, state)
	}
	for key := range rules.Purposes {
		add(ConsentState{Purpose: key, Title: rules.Purposes[key].Title, Basis: rules.Purposes[key].Basis})
	}
	for key, topic := range rules.Topics {
		add(ConsentState{Purpose: topic.Purpose, Topic: key, Title: topic.Title, Basis: rules.Purposes[topic.Purpose].Basis})
	}
	slices.SortFunc(states, func(a, b ConsentState) int {
		return slices.Compare([]string{a.Purpose, a.Topic}, []string{b.Purpose, b.Topic})
	})
	return states
}

type proofKey struct {
	key       consents.Key
	confirmed bool
	at        int64
}

func keyOf(s *consents.Statement) proofKey { return proofKey{*s.Key, s.Confirmed, s.At} }

type storedProof struct {
	messageID string
	proof     consents.Proof
}

// readProofs reads what Postgres keeps beside the statements.
func (s *Service) readProofs(ctx context.Context, members []identity.ID) (map[proofKey]storedProof, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ids := make([]string, len(members))
	for i, id := range members {
		ids[i] = id.String()
	}
	rows, err := s.postgres.Query(ctx, `SELECT purpose, channel, topic, confirmed, stated_at, message_id, proof::text FROM profile_consents
		WHERE profile_id = ANY($1) LIMIT 10000`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading the proofs of consents: %w", err)
	}
	defer rows.Close()
	found := map[proofKey]storedProof{}
	for rows.Next() {
		var k proofKey
		var at time.Time
		var p storedProof
		var text string
		if err := rows.Scan(&k.key.Purpose, &k.key.Channel, &k.key.Topic, &k.confirmed, &at, &p.messageID, &text); err != nil {
			return nil, fmt.Errorf("reading the proof of a consent: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &p.proof); err != nil {
			return nil, fmt.Errorf("decoding the proof of a consent: %w", err)
		}
		k.at = at.UnixMilli()
		found[k] = p
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the proofs of consents: %w", err)
	}
	return found, nil
}
