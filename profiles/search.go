package profiles

import (
	"context"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// maxCandidates bounds how many profiles one search considers.
const maxCandidates = 1000

// nameBytes is how much of a name is indexed; see the migration.
const nameBytes = 100

const searchByPrefix = `
(SELECT DISTINCT profile_id FROM profile_identifiers WHERE lower(value) LIKE $1 AND ($2 = '' OR namespace = $2) LIMIT $4)
UNION
(SELECT profile_id FROM profiles WHERE $2 = '' AND traits ? 'name' AND left(lower(traits ->> 'name'), 100) LIKE $3 LIMIT $4)
UNION
(SELECT profile_id FROM profiles WHERE $2 = '' AND traits ? 'firstName' AND left(lower(traits ->> 'firstName'), 100) LIKE $3 LIMIT $4)
UNION
(SELECT profile_id FROM profiles WHERE $2 = '' AND traits ? 'lastName' AND left(lower(traits ->> 'lastName'), 100) LIKE $3 LIMIT $4)`

// search finds profiles by the beginning of an identifier or a name. What memory
// can answer exactly is found even before Postgres has it.
func (s *Service) search(ctx context.Context, query string, after *cursor, limit int) ([]*View, error) {
	found := map[identity.ID]bool{}
	if id, ok := identity.ParseID(query); ok {
		found[id] = true
	}
	namespace, prefix := "", query
	if before, behind, found := strings.Cut(query, ":"); found {
		namespace, prefix = identity.CanonicalNamespace(before), strings.TrimSpace(behind)
	}
	if id, ok := s.find(query); ok {
		found[id] = true
	}
	for _, n := range [...]string{identity.UserID, identity.AnonymousID, identity.Email, identity.Phone} {
		if identifier, err := s.store.index.Normal(Identifier{Namespace: n, Value: query}); err == nil {
			if id, ok := s.store.index.Find([]Identifier{identifier}); ok {
				found[id] = true
			}
		}
	}
	if err := s.searchPostgres(ctx, namespace, strings.ToLower(prefix), found); err != nil {
		return nil, err
	}
	views := make([]*View, 0, len(found))
	people := map[identity.ID]bool{}
	for id := range found {
		id = s.store.PersonOf(id)
		if people[id] {
			continue
		}
		people[id] = true
		v, ok := s.store.GetPerson(id)
		if ok && (after == nil || after.before(cursor{v.LastSeenAt.UnixMilli(), id})) {
			views = append(views, v)
		}
	}
	sort.Slice(views, func(i, j int) bool {
		if !views[i].LastSeenAt.Equal(views[j].LastSeenAt) {
			return views[i].LastSeenAt.After(views[j].LastSeenAt)
		}
		a, _ := identity.ParseID(views[i].ID)
		b, _ := identity.ParseID(views[j].ID)
		return string(a[:]) > string(b[:])
	})
	return views[:min(limit, len(views))], nil
}

func (s *Service) searchPostgres(ctx context.Context, namespace, prefix string, found map[identity.ID]bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	name := prefix
	for len(name) > nameBytes { // never within a character
		name = strings.ToValidUTF8(name[:nameBytes], "")
	}
	rows, err := s.postgres.Query(ctx, searchByPrefix, likePrefix(prefix), namespace, likePrefix(name), maxCandidates)
	if err == nil {
		defer rows.Close()
		for rows.Next() {
			var text string
			if err = rows.Scan(&text); err != nil {
				break
			}
			if id, ok := identity.ParseID(text); ok {
				found[id] = true
			}
		}
		if err == nil {
			err = rows.Err()
		}
	}
	if err != nil {
		return &problem.Error{
			Status: http.StatusServiceUnavailable, Detail: "The search does not answer; try again.", RetryAfter: 2 * time.Second,
			Cause: fmt.Errorf("searching profiles: %w", err),
		}
	}
	return nil
}

// likePrefix is the LIKE pattern of texts that begin with prefix.
func likePrefix(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(prefix) + "%"
}
