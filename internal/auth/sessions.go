package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"

	"quintet/internal/api"
	"quintet/internal/problem"
)

const (
	cookieName   = "quintet_session"
	sessionIdle  = 12 * time.Hour   // after the last use
	sessionRenew = 10 * time.Minute // how often a use is written down
	linkLife     = 15 * time.Minute
	minPassword  = 12
	maxPassword  = 72 // bytes; bcrypt reads no more
)

// user is a person who may sign in to the console.
type user struct {
	id, email, name, role string
	password              []byte // bcrypt; nil without one
}

func (u *user) principal() api.Principal {
	scopes := []api.Scope{api.ScopeRead}
	if u.role == "admin" {
		scopes = []api.Scope{api.ScopeAdmin}
	}
	return api.Principal{ID: u.id, Name: u.email, Kind: "user", Scopes: scopes}
}

// LoginLink makes a link that signs the first administrator in once, within 15
// minutes. base is the address of the console.
func (s *Service) LoginLink(ctx context.Context, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	token := newSecret()
	sum := hash(token)
	tag, err := s.pool.Exec(ctx, `INSERT INTO login_links (hash, user_id, expires_at)
		SELECT $1, id, $2 FROM users WHERE role = 'admin' ORDER BY created_at LIMIT 1`, sum[:], s.now().Add(linkLife))
	if err != nil {
		return "", fmt.Errorf("storing the login link: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return "", errors.New("there is no administrator to sign in")
	}
	return strings.TrimRight(base, "/") + "/auth/link/" + token, nil
}

// useLink ends a link and returns whom it signs in.
func (s *Service) useLink(ctx context.Context, token string) (userID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sum := hash(token)
	err = s.pool.QueryRow(ctx, "DELETE FROM login_links WHERE hash = $1 AND expires_at > $2 RETURNING user_id", sum[:], s.now()).Scan(&userID)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", unauthorized(`The link was used before or has expired; "quintet login" prints a new one.`)
	}
	if err != nil {
		return "", fmt.Errorf("using the login link: %w", err)
	}
	return userID, nil
}

// dummyHash is compared when there is no such user, so that the time of the
// answer does not tell.
var dummyHash = func() []byte {
	h, err := bcrypt.GenerateFromPassword([]byte("nobody has this password"), bcrypt.DefaultCost)
	if err != nil {
		panic(err) // only for a cost outside of bcrypt's range
	}
	return h
}()

// checkPassword finds the user of an e-mail address and password.
func (s *Service) checkPassword(ctx context.Context, email, password string) (string, error) {
	u, err := s.find(ctx, "email = $1", strings.ToLower(strings.TrimSpace(email)))
	if err != nil {
		return "", err
	}
	stored := dummyHash
	if u != nil && u.password != nil {
		stored = u.password
	}
	if len(password) > maxPassword {
		password = password[:maxPassword]
	}
	if bcrypt.CompareHashAndPassword(stored, []byte(password)) != nil || u == nil || u.password == nil {
		return "", unauthorized("The e-mail address or the password is wrong.")
	}
	return u.id, nil
}

// setPassword changes a user's password and ends their other sessions.
func (s *Service) setPassword(ctx context.Context, userID, password string, keep digest) error {
	var bad problem.Invalid
	if len(password) < minPassword || len(password) > maxPassword {
		bad.Add("password", fmt.Sprintf("must have %d to %d bytes", minPassword, maxPassword), nil)
		return bad
	}
	stored, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return fmt.Errorf("hashing the password: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE users SET password_hash = $2 WHERE id = $1", userID, stored); err != nil {
			return fmt.Errorf("storing the password: %w", err)
		}
		if _, err := tx.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1 AND hash <> $2", userID, keep[:]); err != nil {
			return fmt.Errorf("ending other sessions: %w", err)
		}
		return nil
	})
}

func (s *Service) find(ctx context.Context, where string, args ...any) (*user, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var u user
	err := s.pool.QueryRow(ctx, "SELECT id, email, name, role, password_hash FROM users WHERE "+where, args...).
		Scan(&u.id, &u.email, &u.name, &u.role, &u.password)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a user: %w", err)
	}
	return &u, nil
}

// open starts a session and sets its cookie.
func (s *Service) open(ctx context.Context, w http.ResponseWriter, r *http.Request, userID string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	token := newSecret()
	sum := hash(token)
	if _, err := s.pool.Exec(ctx, "INSERT INTO sessions (hash, user_id, expires_at) VALUES ($1, $2, $3)", sum[:], userID, s.now().Add(sessionIdle)); err != nil {
		return fmt.Errorf("storing the session: %w", err)
	}
	http.SetCookie(w, cookie(r, token, int(30*24*time.Hour/time.Second)))
	return nil
}

// cookie is the session's cookie. Its life in the browser is longer than the
// session's, which ends by not being used.
func cookie(r *http.Request, token string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

// session finds the person of a request's cookie. A request that changes
// something must come from the console's own origin.
func (s *Service) session(r *http.Request) (api.Principal, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return api.Principal{}, unauthorized("An API key or a console session is needed.")
	}
	if err := s.origin.Check(r); err != nil {
		return api.Principal{}, problem.Forbidden("The request comes from another site: " + err.Error() + ".")
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	sum, now := hash(c.Value), s.now()
	var u user
	var expires time.Time
	err = s.pool.QueryRow(ctx, `SELECT u.id, u.email, u.name, u.role, s.expires_at FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.hash = $1 AND s.expires_at > $2`, sum[:], now).Scan(&u.id, &u.email, &u.name, &u.role, &expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return api.Principal{}, unauthorized("The session has ended; sign in again.")
	}
	if err != nil {
		return api.Principal{}, fmt.Errorf("reading the session: %w", err)
	}
	if expires.Sub(now) < sessionIdle-sessionRenew {
		if _, err := s.pool.Exec(ctx, "UPDATE sessions SET expires_at = $2 WHERE hash = $1", sum[:], now.Add(sessionIdle)); err != nil {
			s.log.Warn("prolonging a session", "error", err)
		}
	}
	return u.principal(), nil
}

// end closes the session of a request, if it has one.
func (s *Service) end(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, cookie(r, "", -1))
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sum := hash(c.Value)
	if _, err := s.pool.Exec(ctx, "DELETE FROM sessions WHERE hash = $1", sum[:]); err != nil {
		return fmt.Errorf("ending the session: %w", err)
	}
	return nil
}
