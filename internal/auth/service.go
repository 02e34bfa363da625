// Package auth says who makes a request: a service with an API key or a person
// with a console session.
//
// A key has scopes and a secret of the form qk_<id>_<random>, which is shown once
// and kept as its SHA-256 hash; the random part has 130 bits, so that a slow hash
// would add nothing. All keys are in memory ([Service.Authenticate] asks no
// database for them). A revocation works at once in this process, and in the others
// as soon as they are notified, within five seconds if the notification is lost.
//
// A person signs in by a link that works once within 15 minutes, or by password
// (argon2id). The session lies in Postgres under the hash of its token; the browser
// has the token in a cookie that scripts cannot read and other sites cannot send.
// Requests of other origins that would change something are refused.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/postgres"
	"quintet/internal/problem"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the tables of this package.
func Migrations() postgres.MigrationSet {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		sub = files // the path is a constant of this file
	}
	return postgres.MigrationSet{Name: "auth", Files: sub}
}

const (
	pollInterval  = 5 * time.Second
	flushInterval = time.Minute
	purgeInterval = time.Hour
	callTimeout   = 10 * time.Second
)

// Service knows keys, users and sessions. It implements [api.Authenticator].
type Service struct {
	pool *pgxpool.Pool
	log  *slog.Logger

	reloading sync.Mutex // one reload at a time, in the order of what they read
	keys      atomic.Pointer[map[string]*cachedKey]

	roles *definitions.Collection[Role] // nil: built-in ones only

	crossOrigin *http.CrossOriginProtection
	attempts    *limiter
	hashing     chan struct{}
	now         func() time.Time
}

var _ api.Authenticator = (*Service)(nil)

// Open loads the keys of a database that has [Migrations]. A database without
// users gets the user "admin", who signs in by [Service.LoginLink].
func Open(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) (*Service, error) {
	if log == nil {
		log = slog.Default()
	}
	s := &Service{
		pool: pool, log: log, crossOrigin: http.NewCrossOriginProtection(), now: time.Now,
		attempts: newLimiter(), hashing: make(chan struct{}, maxHashing),
	}
	s.keys.Store(&map[string]*cachedKey{})
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.reload(ctx); err != nil {
		return nil, err
	}
	if err := s.createFirstUser(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Run follows the keys that other processes create and revoke, notes when keys
// were used and removes what has expired, until the context ends.
func (s *Service) Run(ctx context.Context) error {
	var background sync.WaitGroup
	background.Go(func() { s.every(ctx, flushInterval, "noting when keys were used", s.flushUses) })
	background.Go(func() { s.every(ctx, purgeInterval, "removing expired sessions", s.purge) })
	err := postgres.Watch(ctx, s.pool, keysChannel, pollInterval, s.log, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return s.reload(ctx)
	})
	background.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if flushErr := s.flushUses(end); flushErr != nil {
		s.log.Debug("noting when keys were used", "error", flushErr)
	}
	return err
}

func (s *Service) every(ctx context.Context, interval time.Duration, what string, do func(context.Context) error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		call, cancel := context.WithTimeout(ctx, callTimeout)
		err := do(call)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.Warn(what, "error", err)
		}
	}
}

// Authenticate finds the key or session of a request: an Authorization header
// (Bearer, or Basic with the key as user name), X-API-Key, X-Write-Key, or the
// session's cookie. A request with several is judged by the first.
func (s *Service) Authenticate(r *http.Request) (api.Principal, error) {
	secret, given := credentials(r)
	if given {
		return s.Lookup(secret)
	}
	token, ok := sessionToken(r)
	if !ok {
		return api.Principal{}, problem.Unauthorized("The request needs an API key (Authorization: Bearer …) or a console session.")
	}
	if err := s.checkOrigin(r); err != nil {
		return api.Principal{}, err
	}
	session, err := s.session(r.Context(), token)
	if err != nil {
		return api.Principal{}, err
	}
	return s.principal(&session.user), nil
}

// checkOrigin refuses what another site has a browser send.
func (s *Service) checkOrigin(r *http.Request) error {
	if err := s.crossOrigin.Check(r); err != nil {
		return &problem.Error{
			Status: http.StatusForbidden, Title: "Cross-origin request",
			Detail: "A console session cannot be used from another site; services use an API key.", Cause: err,
		}
	}
	return nil
}

// credentials is the secret of a key that the request carries in a header.
func credentials(r *http.Request) (string, bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, value, _ := strings.Cut(header, " ")
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(scheme, "Bearer"):
			return value, true
		case strings.EqualFold(scheme, "Basic"):
			decoded, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return "", true
			}
			user, _, _ := strings.Cut(string(decoded), ":")
			return user, true
		}
		return "", true
	}
	for _, name := range [...]string{"X-Api-Key", "X-Write-Key"} {
		if value := r.Header.Get(name); value != "" {
			return wholeKey(value), true
		}
	}
	return "", false
}

// wholeKey is the key in a header of clients that only know keys of the form
// "id:secret": what follows the colon is one of ours, or its second half.
func wholeKey(value string) string {
	id, secret, two := strings.Cut(value, ":")
	switch {
	case !two:
		return value
	case strings.HasPrefix(secret, keyPrefix):
		return secret
	case strings.HasPrefix(id, keyPrefix):
		return id + "_" + secret
	}
	return keyPrefix + id + "_" + secret
}

// newToken is a secret of 260 bits for links and sessions.
func newToken() string { return rand.Text() + rand.Text() }

// tokenHash is what of a token is stored.
func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// unavailable is the answer while Postgres does not answer.
func unavailable(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return problem.Unavailable(time.Second, "Signing in is not possible at the moment.", fmt.Errorf("%s: %w", doing, err))
}
