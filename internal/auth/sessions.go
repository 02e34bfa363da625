package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
)

const (
	// sessionTime is how long a session lasts from its last use.
	sessionTime = 12 * time.Hour
	// maxSessionTime is how long it lasts at most.
	maxSessionTime = 30 * 24 * time.Hour
	// extendAfter is how much of sessionTime has to pass before a use is written down.
	extendAfter = 5 * time.Minute

	cookieName       = "quintet_session"
	secureCookieName = "__Host-quintet_session"
)

// session is a user who is signed in.
type session struct {
	user   user
	hash   []byte
	byLink bool
}

// sessionToken is the token in a request's cookie.
func sessionToken(r *http.Request) (string, bool) {
	if r.Header["Cookie"] == nil {
		return "", false
	}
	for _, name := range [...]string{secureCookieName, cookieName} {
		if c, err := r.Cookie(name); err == nil && c.Value != "" && len(c.Value) <= maxSecret {
			return c.Value, true
		}
	}
	return "", false
}

// startSession signs a user in and returns the cookie of the session.
func (s *Service) startSession(ctx context.Context, r *http.Request, u *user, byLink bool) (*http.Cookie, error) {
	token := newToken()
	now := s.now()
	_, err := s.pool.Exec(ctx, `INSERT INTO sessions (hash, user_id, by_link, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		tokenHash(token), u.id, byLink, now, now.Add(sessionTime))
	if err != nil {
		return nil, unavailable("storing a session", err)
	}
	return cookie(r, token, int(maxSessionTime/time.Second)), nil
}

// cookie holds a token; a negative age removes it. Scripts cannot read it, other
// sites cannot have it sent, and over https no other host of the domain can set it.
func cookie(r *http.Request, token string, age int) *http.Cookie {
	c := &http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if overTLS(r) {
		c.Name, c.Secure = secureCookieName, true
	}
	return c
}

// overTLS says whether the browser uses https, to this process or to a proxy
// before it.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// session finds the session of a token and extends it.
func (s *Service) session(ctx context.Context, token string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found := &session{hash: tokenHash(token)}
	u := &found.user
	now := s.now()
	var created, expires time.Time
	err := s.pool.QueryRow(ctx, `SELECT u.id, u.email, u.name, u.role, u.password_hash, s.by_link, s.created_at, s.expires_at
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = $1 AND s.expires_at > $2`, found.hash, now).
		Scan(&u.id, &u.email, &u.name, &u.role, &u.password, &found.byLink, &created, &expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.Unauthorized("The session has ended; sign in again.")
	}
	if err != nil {
		return nil, unavailable("reading a session", err)
	}
	next := now.Add(sessionTime)
	if last := created.Add(maxSessionTime); next.After(last) {
		next = last
	}
	if next.Sub(expires) > extendAfter {
		if _, err := s.pool.Exec(ctx, `UPDATE sessions SET expires_at = greatest(expires_at, $2) WHERE hash = $1`, found.hash, next); err != nil {
			s.log.Warn("extending a session", "error", err) // it still lasts for the rest of its time
		}
	}
	return found, nil
}

// endSession signs out.
func (s *Service) endSession(ctx context.Context, token string) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM sessions WHERE hash = $1`, tokenHash(token)); err != nil {
		return unavailable("ending a session", err)
	}
	return nil
}

// purge removes what has expired.
func (s *Service) purge(ctx context.Context) error {
	for _, table := range [...]string{"sessions", "login_links"} {
		if _, err := s.pool.Exec(ctx, "DELETE FROM "+table+" WHERE expires_at <= $1", s.now()); err != nil {
			return fmt.Errorf("removing expired %s: %w", table, err)
		}
	}
	return nil
}
