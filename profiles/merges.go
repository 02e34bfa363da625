package profiles

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// LoggedEntry is an entry of the log of identity as the API shows it.
type LoggedEntry struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind" enum:"merge,unmerge,use,share" doc:"merge joins two profiles, unmerge tells them apart; use and share: a device that several people use"`
	Profiles []string  `json:"profiles" nullable:"false" doc:"The two profiles; of use and share the profile"`
	Rule     string    `json:"rule" doc:"Why: sign-in, alias, manual, or the namespace of the identifier that the two have in common"`
	Explicit bool      `json:"explicit" doc:"Somebody decided, rather than a rule"`
	Evidence string    `json:"evidence,omitempty" doc:"messageId of the message that was the reason"`
	Source   string    `json:"source,omitempty" doc:"API key that sent it"`
	By       string    `json:"by,omitempty" doc:"Who decided"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
	Live     bool      `json:"live" doc:"The edge holds: it was not revoked"`
}

// PersonIdentity says of which profiles a person is made, and why.
type PersonIdentity struct {
	PersonID string         `json:"personId"`
	Profiles []BaseIdentity `json:"profiles" nullable:"false"`
	Edges    []LoggedEntry  `json:"edges" nullable:"false" doc:"Newest first, revoked ones and those that revoked them included; at most 1000"`
}

// BaseIdentity is one profile of a person.
type BaseIdentity struct {
	ProfileID   string           `json:"profileId"`
	CreatedAt   time.Time        `json:"createdAt"`
	LastSeenAt  time.Time        `json:"lastSeenAt"`
	Events      uint64           `json:"eventCount"`
	Identifiers []CardIdentifier `json:"identifiers" nullable:"false"`
}

// maxEdges bounds the edges shown of one person.
const maxEdges = 1000

// merge joins the people of two profiles on somebody's word.
func (s *Service) merge(ctx context.Context, id, with, reason string) (*PersonIdentity, error) {
	a, err := s.existing("profile", id)
	if err != nil {
		return nil, err
	}
	b, ok := s.find(with)
	if ok {
		_, ok = s.store.Get(b)
	}
	if !ok {
		return nil, problem.Invalid{{Field: "body.with", Rule: "must be a profile, by its id or namespace:value", Value: problem.Clip(with)}}
	}
	switch err := s.store.index.MayUnite(a, b); {
	case errors.Is(err, identity.ErrSamePerson):
		return nil, &problem.Error{Status: http.StatusConflict, Detail: "The two profiles are one person already."}
	case err != nil:
		return nil, &problem.Error{Status: http.StatusConflict, Detail: "The two cannot be joined: " + err.Error() + "."}
	}
	now := s.now().UnixMilli()
	e := identity.NewMerge(a, b, s.store.since(a, now), s.store.since(b, now))
	e.Explicit = true
	if err := s.decideIdentity(ctx, []identity.Entry{e}, reason); err != nil {
		return nil, err
	}
	return s.identityOf(ctx, a)
}

// unmerge revokes one edge, or all edges of one profile.
func (s *Service) unmerge(ctx context.Context, id, edge, profile, reason string) (*PersonIdentity, error) {
	a, err := s.existing("profile", id)
	if err != nil {
		return nil, err
	}
	if (edge == "") == (profile == "") {
		return nil, problem.Invalid{{Field: "body", Rule: "must have either edge or profile"}}
	}
	live := s.store.merges.Edges(a)
	var entries []identity.Entry
	if edge != "" {
		pair, err := s.edgeBetween(ctx, edge)
		if err != nil {
			return nil, err
		}
		for _, one := range live {
			if one == pair {
				entries = append(entries, identity.NewUnmerge(one[0], one[1]))
			}
		}
		if len(entries) == 0 {
			return nil, &problem.Error{Status: http.StatusConflict, Detail: "This edge does not hold the person together: it was revoked, or is another person's."}
		}
	} else {
		out, ok := s.find(profile)
		if !ok {
			return nil, problem.Invalid{{Field: "body.profile", Rule: "must be a profile of the person", Value: problem.Clip(profile)}}
		}
		for _, one := range live {
			if one[0] == out || one[1] == out {
				entries = append(entries, identity.NewUnmerge(one[0], one[1]))
			}
		}
		if len(entries) == 0 {
			return nil, &problem.Error{Status: http.StatusConflict, Detail: "The profile is not joined to this person."}
		}
	}
	if err := s.decideIdentity(ctx, entries, reason); err != nil {
		return nil, err
	}
	return s.identityOf(ctx, a)
}

// existing is a profile that is there.
func (s *Service) existing(what, text string) (identity.ID, error) {
	id, ok := s.find(unescaped(text))
	if ok {
		_, ok = s.store.Get(id)
	}
	if !ok {
		return id, problem.NotFound(what, text)
	}
	return id, nil
}

// edgeBetween are the profiles of a merge in the log.
func (s *Service) edgeBetween(ctx context.Context, entry string) ([2]identity.ID, error) {
	var a, b string
	err := s.postgres.QueryRow(ctx, `SELECT a, b FROM identity_edges WHERE entry_id = $1 AND kind = 'merge' LIMIT 1`, entry).Scan(&a, &b)
	if errors.Is(err, pgx.ErrNoRows) {
		return [2]identity.ID{}, problem.Invalid{{Field: "body.edge", Rule: "must be the id of an edge", Value: problem.Clip(entry)}}
	}
	if err != nil {
		return [2]identity.ID{}, logUnavailable(err)
	}
	var pair [2]identity.ID
	pair[0], _ = identity.ParseID(a)
	pair[1], _ = identity.ParseID(b)
	return pair, nil
}

func logUnavailable(err error) error {
	return &problem.Error{
		Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second, Detail: "The log of identity does not answer; try again.",
		Cause: fmt.Errorf("reading the log of identity: %w", err),
	}
}

// decideIdentity appends what somebody decided to the stream and waits until
// Postgres has it. Once it is in the stream it counts, even when waiting fails.
func (s *Service) decideIdentity(ctx context.Context, entries []identity.Entry, reason string) error {
	side := s.store.Enter()
	defer s.store.Leave(side)
	for i := range entries {
		if s.store.Erased([]Identifier{profileIdentifier(entries[i].A), profileIdentifier(entries[i].B)}) {
			return problem.Conflict("One of the two was erased.")
		}
	}
	by, source := api.By(ctx), ""
	if p, ok := api.PrincipalFrom(ctx); ok {
		source = p.ID
	}
	h := recordHeader{received: s.now().UnixMilli(), stamp: s.store.index.NextStamp(), source: source}
	for i := range entries {
		e := &entries[i]
		e.Stamp, e.Rule, e.Explicit, e.By, e.Reason = h.stamp, identity.ManualRule, true, by, reason
		if e.Kind != identity.Merge {
			e.SinceA, e.SinceB = h.received, h.received
		}
	}
	var enc encoder
	enc.begin(h)
	enc.tell(entries)
	sequence, err := s.topic.Publish(ctx, enc.bytes())
	if err != nil {
		return publishProblem(err)
	}
	for i := range entries {
		s.store.index.Record(&entries[i])
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.projector.waitFor(waiting, sequence); err != nil {
		api.Log(ctx).Warn("a decision about identity is durable but not in Postgres yet", "error", err)
	}
	return nil
}

// identityOf says of what the person is made to whom a profile belongs.
func (s *Service) identityOf(ctx context.Context, id identity.ID) (*PersonIdentity, error) {
	person := s.store.PersonOf(id)
	members := s.store.Members(person)
	out := &PersonIdentity{PersonID: person.String(), Profiles: []BaseIdentity{}, Edges: []LoggedEntry{}}
	ids := make([]string, len(members))
	for i, member := range members {
		ids[i] = member.String()
		card, ok := s.profileCard(member)
		if !ok {
			card = Card{ProfileID: ids[i], Identifiers: []CardIdentifier{}} // known by its edges only, so far
		}
		out.Profiles = append(out.Profiles, BaseIdentity{ids[i], card.CreatedAt, card.LastSeenAt, card.Events, card.Identifiers})
	}
	live := map[[2]string]bool{}
	for _, e := range s.store.merges.Edges(person) {
		live[[2]string{e[0].String(), e[1].String()}] = true
	}
	var err error
	out.Edges, err = s.readEntries(ctx, func(e *LoggedEntry, pair [2]string) { e.Live = e.Kind == "merge" && live[pair] },
		`WHERE kind IN ('merge', 'unmerge') AND (a = ANY($1) OR b = ANY($1)) ORDER BY position DESC LIMIT $2`, ids, maxEdges)
	if err != nil {
		return nil, err
	}
	// Of the edges between a pair that holds, those before its last un-merge do not.
	revoked := map[[2]string]bool{}
	for i := range out.Edges {
		e := &out.Edges[i]
		pair := [2]string{e.Profiles[0], e.Profiles[1]}
		if e.Kind == identity.Unmerge.String() {
			revoked[pair] = true
		}
		e.Live = e.Live && !revoked[pair]
	}
	return out, nil
}

// mergeLog is a page of the log, newest first, before a position.
func (s *Service) mergeLog(ctx context.Context, before int64, limit int) (entries []LoggedEntry, next int64, err error) {
	var positions []int64
	rows, err := s.postgres.Query(ctx, `SELECT position FROM identity_edges WHERE kind <> 'use' AND ($1 = 0 OR position < $1) ORDER BY position DESC LIMIT $2`, before, limit+1)
	if err == nil {
		positions, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	if err != nil {
		return nil, 0, logUnavailable(err)
	}
	if len(positions) > limit {
		positions = positions[:limit]
		next = positions[limit-1]
	}
	entries, err = s.readEntries(ctx, func(e *LoggedEntry, pair [2]string) {
		a, _ := identity.ParseID(pair[0])
		b, _ := identity.ParseID(pair[1])
		e.Live = e.Kind == "merge" && s.store.merges.Joined(a, b)
	}, `WHERE position = ANY($1) ORDER BY position DESC LIMIT $2`, positions, limit)
	return entries, next, err
}

// readEntries reads entries of the log; live fills in which still hold.
func (s *Service) readEntries(ctx context.Context, live func(*LoggedEntry, [2]string), where string, arguments ...any) ([]LoggedEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out := []LoggedEntry{}
	rows, err := s.postgres.Query(ctx, `SELECT entry_id, kind, a, b, rule, explicit, evidence, source, decided_by, reason, valid_from FROM identity_edges `+where, arguments...)
	if err != nil {
		return nil, logUnavailable(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e LoggedEntry
		var a, b string
		if err := rows.Scan(&e.ID, &e.Kind, &a, &b, &e.Rule, &e.Explicit, &e.Evidence, &e.Source, &e.By, &e.Reason, &e.At); err != nil {
			return nil, logUnavailable(err)
		}
		e.At = e.At.UTC()
		if e.Profiles = []string{a, b}; e.Kind == "use" || e.Kind == "share" {
			e.Profiles = []string{b}
		}
		live(&e, [2]string{a, b})
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, logUnavailable(err)
	}
	return out, nil
}
