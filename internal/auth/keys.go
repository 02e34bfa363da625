package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"quintet/internal/api"
	"quintet/internal/problem"
)

const (
	keysChannel = "quintet_api_keys"
	keyPrefix   = "qk_"
	maxKeys     = 10_000
	maxKeyName  = 100
	maxSecret   = 128
)

// Key is an API key without its secret.
type Key struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Scopes     []api.Scope `json:"scopes" enum:"ingest,decide,read,define,approve,flags,admin" nullable:"false"`
	Masked     bool        `json:"masked" doc:"Personal data is shown in part only"`
	Encrypted  bool        `json:"encrypted" doc:"What clients load by the key is encrypted"`
	CreatedAt  time.Time   `json:"createdAt"`
	CreatedBy  string      `json:"createdBy"`
	LastUsedAt *time.Time  `json:"lastUsedAt,omitempty" doc:"About a minute exact"`
	RevokedAt  *time.Time  `json:"revokedAt,omitempty"`
}

// SchemaName is the key's name in the OpenAPI document.
func (Key) SchemaName() string { return "APIKey" }

// cachedKey is a key as requests are checked against it.
type cachedKey struct {
	hash      [sha256.Size]byte
	principal api.Principal
	revoked   bool
	lastUsed  atomic.Int64 // seconds since 1970
	flushed   int64        // what of lastUsed is stored; only the flusher uses it
}

// Lookup is the principal of a key's secret, for callers that send it elsewhere
// than in a header. The error is a 401 problem that says whether the key was revoked.
func (s *Service) Lookup(secret string) (api.Principal, error) {
	id, ok := keyID(secret)
	if !ok {
		return api.Principal{}, problem.Unauthorized("The API key is not valid.")
	}
	k := (*s.keys.Load())[id]
	if k == nil {
		return api.Principal{}, problem.Unauthorized("The API key is not valid.")
	}
	var buffer [maxSecret]byte // on the stack, as every decision comes through here
	hash := sha256.Sum256(buffer[:copy(buffer[:], secret)])
	if subtle.ConstantTimeCompare(hash[:], k.hash[:]) != 1 {
		return api.Principal{}, problem.Unauthorized("The API key is not valid.")
	}
	if k.revoked {
		return api.Principal{}, problem.Unauthorized("The API key has been revoked.")
	}
	if now := s.now().Unix(); k.lastUsed.Load() != now {
		k.lastUsed.Store(now)
	}
	return k.principal, nil
}

// keyID is the id within a secret.
func keyID(secret string) (string, bool) {
	if len(secret) > maxSecret || !strings.HasPrefix(secret, keyPrefix) {
		return "", false
	}
	id, _, ok := strings.Cut(secret[len(keyPrefix):], "_")
	return id, ok
}

// CreateKey makes a key for by and returns its secret, which cannot be had again.
func (s *Service) CreateKey(ctx context.Context, name string, scopes []api.Scope, by string) (string, Key, error) {
	secret, k, _, err := s.createKey(ctx, NewAPIKey{Name: name, Scopes: scopes}, by)
	return secret, k, err
}

// newPayloadKey makes a key of 128 bits, in base64.
func newPayloadKey() string {
	var key [16]byte
	rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}

// createKey also returns the key with which payloads are encrypted, if they are.
func (s *Service) createKey(ctx context.Context, in NewAPIKey, by string) (secret string, key Key, payloadKey string, err error) {
	name, scopes := strings.TrimSpace(in.Name), in.Scopes
	var bad problem.Invalid
	if n := utf8.RuneCountInString(name); n < 1 || n > maxKeyName {
		bad.Add("name", fmt.Sprintf("must be 1 to %d characters", maxKeyName), name)
	}
	if strings.ContainsRune(name, 0) {
		bad.Add("name", "must not contain the character 0", nil)
	}
	if len(scopes) == 0 {
		bad.Add("scopes", "must name at least one of ingest, decide, read, define, approve, flags, admin", nil)
	}
	for i, scope := range scopes {
		if !slices.Contains(api.Scopes(), scope) {
			bad.Add(fmt.Sprintf("scopes[%d]", i), "must be one of ingest, decide, read, define, approve, flags, admin", string(scope))
		}
	}
	if err := bad.Err(); err != nil {
		return "", Key{}, "", err
	}
	if in.Encrypted && !slices.Contains(scopes, api.ScopeFlags) {
		bad.Add("encrypted", "must be left out without the scope flags: nothing else is loaded by a key in a path", in.Encrypted)
		return "", Key{}, "", bad
	}
	payload := ""
	if in.Encrypted {
		payload = newPayloadKey()
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	scopes = slices.Compact(slices.Sorted(slices.Values(scopes)))
	k := Key{
		ID: strings.ToLower(rand.Text())[:12], Name: name, Scopes: scopes, Masked: in.Masked, Encrypted: in.Encrypted,
		CreatedAt: s.now().UTC().Truncate(time.Microsecond), CreatedBy: by,
	}
	secret = keyPrefix + k.ID + "_" + strings.ToLower(rand.Text())
	tag, err := s.pool.Exec(ctx, `INSERT INTO api_keys (id, name, scopes, hash, created_at, created_by, masked, payload_key)
		SELECT $1, $2, $3, $4, $5, $6, $8, $9 WHERE (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL) < $7`,
		k.ID, k.Name, scopeNames(scopes), tokenHash(secret), k.CreatedAt, k.CreatedBy, maxKeys, k.Masked, payload)
	if err != nil {
		return "", Key{}, "", fmt.Errorf("storing the API key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return "", Key{}, "", problem.Conflict(fmt.Sprintf("There are %d API keys, the most there may be; revoke some first.", maxKeys))
	}
	return secret, k, payload, s.changed(ctx)
}

// ListKeys lists all keys, revoked ones too, newest first.
func (s *Service) ListKeys(ctx context.Context) ([]Key, error) { return s.listKeys(ctx, "", -1) }

// listKeys lists at most limit keys that come after the one named; -1 is no limit.
func (s *Service) listKeys(ctx context.Context, after string, limit int) ([]Key, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var most *int
	if limit >= 0 {
		most = &limit
	}
	rows, err := s.pool.Query(ctx, `SELECT id, name, scopes, masked, payload_key <> '', created_at, created_by, last_used_at, revoked_at FROM api_keys
		WHERE $1 = '' OR (created_at, id) < (SELECT created_at, id FROM api_keys WHERE id = $1)
		ORDER BY created_at DESC, id DESC LIMIT $2`, after, most)
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Key, error) {
		var k Key
		var scopes []string
		err := row.Scan(&k.ID, &k.Name, &scopes, &k.Masked, &k.Encrypted, &k.CreatedAt, &k.CreatedBy, &k.LastUsedAt, &k.RevokedAt)
		k.Scopes = toScopes(scopes)
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key for good: in this process before it returns, in others
// within moments. Revoking a key twice changes nothing.
func (s *Service) RevokeKey(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if strings.ContainsRune(id, 0) {
		return problem.NotFound("API key", id)
	}
	tag, err := s.pool.Exec(ctx, `UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1`, id, s.now())
	if err != nil {
		return fmt.Errorf("revoking the API key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return problem.NotFound("API key", id)
	}
	s.revokeCached(id)
	return s.changed(ctx)
}

// revokeCached marks the key in memory before anything else can fail.
func (s *Service) revokeCached(id string) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	keys := *s.keys.Load()
	old := keys[id]
	if old == nil || old.revoked {
		return
	}
	next := maps.Clone(keys)
	next[id] = &cachedKey{hash: old.hash, principal: old.principal, revoked: true}
	s.keys.Store(&next)
}

// changed reads the keys and has other processes read them.
func (s *Service) changed(ctx context.Context) error {
	if err := s.reload(ctx); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, "SELECT pg_notify($1, '')", keysChannel); err != nil {
		// The others poll: they are late and not wrong.
		s.log.Warn("telling other processes about a changed API key", "error", err)
	}
	return nil
}

// reload makes the keys in memory those of the database. Keys that are revoked
// stay for their error; the oldest of them go when they are too many.
func (s *Service) reload(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	rows, err := s.pool.Query(ctx, `SELECT id, name, scopes, masked, payload_key, hash, revoked_at IS NOT NULL, last_used_at FROM api_keys
		ORDER BY revoked_at IS NOT NULL, created_at DESC LIMIT $1`, 2*maxKeys)
	if err != nil {
		return fmt.Errorf("reading API keys: %w", err)
	}
	before := *s.keys.Load()
	next := make(map[string]*cachedKey, len(before))
	var (
		id, name string
		scopes   []string
		hash     []byte
		masked   bool
		payload  string
		revoked  bool
		lastUsed *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &name, &scopes, &masked, &payload, &hash, &revoked, &lastUsed}, func() error {
		if old := before[id]; old != nil && old.revoked == revoked && old.principal.Name == name {
			next[id] = old // keys never change otherwise, and this one knows when it was used
			return nil
		}
		k := &cachedKey{revoked: revoked, principal: api.Principal{ID: id, Name: name, Kind: "key", Scopes: toScopes(scopes), PayloadKey: payload}}
		if copy(k.hash[:], hash) != sha256.Size || len(hash) != sha256.Size {
			return errors.New("a key's hash has the wrong length")
		}
		if masked {
			k.principal.Mask = api.NewMask(personalPartly)
		}
		if lastUsed != nil {
			k.lastUsed.Store(lastUsed.Unix())
			k.flushed = lastUsed.Unix()
		}
		next[id] = k
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading API keys: %w", err)
	}
	s.keys.Store(&next)
	return nil
}

// flushUses stores when keys were last used.
func (s *Service) flushUses(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	var ids []string
	var times []time.Time
	var used []*cachedKey
	for id, k := range *s.keys.Load() {
		if at := k.lastUsed.Load(); at > k.flushed {
			ids, times, used = append(ids, id), append(times, time.Unix(at, 0)), append(used, k)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := s.pool.Exec(ctx, `UPDATE api_keys SET last_used_at = greatest(last_used_at, u.at)
		FROM unnest($1::text[], $2::timestamptz[]) AS u (id, at) WHERE api_keys.id = u.id`, ids, times)
	if err != nil {
		return fmt.Errorf("storing when API keys were used: %w", err)
	}
	for i, k := range used {
		k.flushed = times[i].Unix()
	}
	return nil
}

func scopeNames(scopes []api.Scope) []string {
	names := make([]string, len(scopes))
	for i, scope := range scopes {
		names[i] = string(scope)
	}
	return names
}

func toScopes(names []string) []api.Scope {
	scopes := make([]api.Scope, len(names))
	for i, name := range names {
		scopes[i] = api.Scope(name)
	}
	return scopes
}
