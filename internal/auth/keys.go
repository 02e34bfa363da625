package auth

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/api"
	"quintet/internal/problem"
)

const (
	keyPrefix  = "qk_"
	maxKeyName = 100
	maxKeys    = 1000 // that are not revoked
)

// Key is an API key without its secret.
type Key struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Scopes     []api.Scope `json:"scopes" nullable:"false"`
	CreatedAt  time.Time   `json:"createdAt"`
	CreatedBy  string      `json:"createdBy"`
	LastUsedAt *time.Time  `json:"lastUsedAt,omitempty" doc:"To within a few seconds"`
	RevokedAt  *time.Time  `json:"revokedAt,omitempty"`
}

// CreateKey makes a key. The secret is returned this once; it is not stored.
func (s *Service) CreateKey(ctx context.Context, name string, scopes []api.Scope, by string) (secret string, k Key, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := checkKey(name, scopes); err != nil {
		return "", Key{}, err
	}
	k = Key{ID: newID(), Name: name, Scopes: slices.Compact(slices.Sorted(slices.Values(scopes))), CreatedBy: by}
	secret = keyPrefix + k.ID + "_" + newSecret()
	sum := hash(secret)
	err = s.pool.QueryRow(ctx, `INSERT INTO api_keys (id, name, hash, scopes, created_by)
		SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL) < $6 RETURNING created_at`,
		k.ID, k.Name, sum[:], k.Scopes, by, maxKeys).Scan(&k.CreatedAt)
	if err == pgx.ErrNoRows { //nolint:errorlint // pgx returns it bare
		return "", Key{}, problem.Conflict(fmt.Sprintf("There are %d keys; revoke one first.", maxKeys))
	}
	if err != nil {
		return "", Key{}, fmt.Errorf("storing the key: %w", err)
	}
	return secret, k, s.refresh(ctx)
}

func checkKey(name string, scopes []api.Scope) error {
	var bad problem.Invalid
	if name = strings.TrimSpace(name); name == "" || len(name) > maxKeyName {
		bad.Add("name", fmt.Sprintf("must have 1 to %d bytes", maxKeyName), problem.Clip(name))
	}
	if len(scopes) == 0 {
		bad.Add("scopes", "must name at least one of ingest, decide, read, admin", nil)
	}
	for i, scope := range scopes {
		if !slices.Contains(api.Scopes(), scope) {
			bad.Add(fmt.Sprintf("scopes[%d]", i), "must be ingest, decide, read or admin", scope)
		}
	}
	return bad.Err()
}

// ListKeys lists all keys, the newest first, revoked ones too; at most 2,000.
func (s *Service) ListKeys(ctx context.Context) ([]Key, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, `SELECT id, name, scopes, created_at, created_by, last_used_at, revoked_at FROM api_keys
		ORDER BY revoked_at IS NOT NULL, created_at DESC LIMIT 2000`)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key for good.
func (s *Service) RevokeKey(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	tag, err := s.pool.Exec(ctx, "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1", id)
	if err != nil {
		return fmt.Errorf("revoking the key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return problem.NotFound("API key", problem.Clip(id))
	}
	return s.refresh(ctx)
}

// Lookup finds the principal of a key's secret. It reads memory only.
func (s *Service) Lookup(secret string) (api.Principal, error) {
	if !strings.HasPrefix(secret, keyPrefix) || len(secret) > 100 {
		return api.Principal{}, unauthorized("The API key is not valid.")
	}
	p, ok := (*s.keys.Load())[hash(secret)]
	if !ok {
		return api.Principal{}, unauthorized("The API key is not valid or has been revoked.")
	}
	s.markUsed(p.ID)
	return p, nil
}

// markUsed remembers that a key was used; once in a while is enough.
func (s *Service) markUsed(id string) {
	if !s.usedMu.TryLock() {
		return // another call is noting a use at this moment
	}
	if _, noted := s.used[id]; !noted {
		s.used[id] = s.now()
	}
	s.usedMu.Unlock()
}

func (s *Service) noteUse(ctx context.Context) error {
	s.usedMu.Lock()
	used := s.used
	s.used = make(map[string]time.Time, len(used))
	s.usedMu.Unlock()
	if len(used) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.pool.Exec(ctx, "UPDATE api_keys SET last_used_at = now() WHERE id = ANY($1)", slices.Collect(maps.Keys(used)))
	if err != nil {
		return fmt.Errorf("noting the use of keys: %w", err)
	}
	return nil
}

// refresh reads the valid keys into memory.
func (s *Service) refresh(ctx context.Context) error {
	// One at a time, so that an older read never replaces a newer one.
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, "SELECT id, name, hash, scopes FROM api_keys WHERE revoked_at IS NULL")
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	keys := make(map[digest]api.Principal)
	var id, name string
	var sum []byte
	var scopes []api.Scope
	if _, err := pgx.ForEachRow(rows, []any{&id, &name, &sum, &scopes}, func() error {
		if len(sum) == len(digest{}) {
			keys[digest(sum)] = api.Principal{ID: id, Name: name, Kind: "key", Scopes: slices.Clone(scopes)}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	s.keys.Store(&keys)
	return nil
}

// secretOf finds a key in the places where clients put it.
func secretOf(r *http.Request) (string, bool) {
	if h := r.Header["Authorization"]; len(h) > 0 {
		if scheme, rest, ok := strings.Cut(h[0], " "); ok && strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(rest), true
		}
		if name, _, ok := r.BasicAuth(); ok {
			return name, true
		}
		return "", true // a header that says nothing must not fall through to a cookie
	}
	for _, name := range [...]string{"X-Api-Key", "X-Write-Key"} {
		if h := r.Header[name]; len(h) > 0 {
			return h[0], true
		}
	}
	return "", false
}
