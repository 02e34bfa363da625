package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/api"
	"quintet/internal/problem"
)

const (
	callTimeout     = 5 * time.Second
	refreshInterval = 3 * time.Second // how soon other processes see a new or revoked key
	cleanInterval   = 10 * time.Minute
)

// Service keeps keys, users and sessions. It implements [api.Authenticator].
type Service struct {
	pool   *pgxpool.Pool
	log    *slog.Logger
	keys   atomic.Pointer[map[digest]api.Principal]
	origin *http.CrossOriginProtection
	logins *limiter
	now    func() time.Time

	refreshing sync.Mutex
	usedMu     sync.Mutex
	used       map[string]time.Time // by key id, since the last write
}

// digest is the SHA-256 of a secret. The secrets are 128 random bits or more, so
// that a plain hash cannot be guessed backwards.
type digest = [sha256.Size]byte

func hash(secret string) digest { return sha256.Sum256([]byte(secret)) }

// Open loads the keys and creates the first user, "admin", where there is none.
func Open(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) (*Service, error) {
	if log == nil {
		log = slog.Default()
	}
	s := &Service{pool: pool, log: log, origin: http.NewCrossOriginProtection(), logins: newLimiter(), now: time.Now, used: make(map[string]time.Time)}
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, `INSERT INTO users (id, email, name, role)
		SELECT $1, 'admin', 'Administrator', 'admin' WHERE NOT EXISTS (SELECT FROM users) ON CONFLICT DO NOTHING`, newID()); err != nil {
		return nil, fmt.Errorf("creating the first user: %w", err)
	}
	return s, nil
}

// Run follows the keys that other processes create and revoke, and clears away
// what has expired, until the context ends.
func (s *Service) Run(ctx context.Context) error {
	refresh, clean := time.NewTicker(refreshInterval), time.NewTicker(cleanInterval)
	defer refresh.Stop()
	defer clean.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-refresh.C:
			err = errors.Join(s.refresh(ctx), s.noteUse(ctx))
		case <-clean.C:
			err = s.clean(ctx)
		}
		if err != nil && ctx.Err() == nil {
			// The keys in memory stay valid: an outage of Postgres must not stop decisions.
			s.log.Warn("keeping keys and sessions up to date", "error", err)
		}
	}
}

func (s *Service) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, table := range []string{"sessions", "login_links"} {
		if _, err := s.pool.Exec(ctx, "DELETE FROM "+table+" WHERE expires_at < $1", s.now()); err != nil {
			return fmt.Errorf("clearing expired %s: %w", table, err)
		}
	}
	return nil
}

// Authenticate implements [api.Authenticator]: a key in a header, else a console
// session in a cookie.
func (s *Service) Authenticate(r *http.Request) (api.Principal, error) {
	if secret, ok := secretOf(r); ok {
		return s.Lookup(secret)
	}
	return s.session(r)
}

// newID is a short random identifier of a key or user.
func newID() string { return rand.Text()[:12] }

// newSecret is 130 random bits in base 32.
func newSecret() string { return rand.Text() }

func unauthorized(detail string) error { return problem.Unauthorized(detail) }
