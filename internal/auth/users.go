package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
)

const (
	firstUser = "admin"
	roleAdmin = "admin"
	linkTime  = 15 * time.Minute
	linkPath  = "/auth/link/"
)

// user is somebody who uses the console.
type user struct {
	id, email, name, role string
	password              []byte // argon2id in its usual encoding, nil without one
}

// createFirstUser makes the administrator of a new installation.
func (s *Service) createFirstUser(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO users (id, email, name, role, created_at)
		SELECT $1, $2, 'Administrator', $3, $4 WHERE NOT EXISTS (SELECT FROM users) ON CONFLICT (email) DO NOTHING`, strings.ToLower(rand.Text()), firstUser, roleAdmin, s.now())
	if err != nil {
		return fmt.Errorf("creating the first user: %w", err)
	}
	return nil
}

func (s *Service) userByEmail(ctx context.Context, email string) (*user, error) {
	if strings.ContainsRune(email, 0) {
		return nil, nil // Postgres refuses the character, and no user has it
	}
	u := &user{}
	err := s.pool.QueryRow(ctx, `SELECT id, email, name, role, password_hash FROM users WHERE email = $1`, strings.ToLower(strings.TrimSpace(email))).
		Scan(&u.id, &u.email, &u.name, &u.role, &u.password)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// LoginLink is a URL below base ("http://127.0.0.1:8080") that signs in the first
// administrator once within 15 minutes.
func (s *Service) LoginLink(ctx context.Context, base string) (string, error) {
	link, _, err := s.loginLink(ctx, base, "")
	return link, err
}

// loginLink is LoginLink for a user; empty is the first administrator.
func (s *Service) loginLink(ctx context.Context, base, userID string) (string, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	token := newToken()
	expires := s.now().UTC().Truncate(time.Microsecond).Add(linkTime)
	tag, err := s.pool.Exec(ctx, `INSERT INTO login_links (hash, user_id, expires_at)
		SELECT $1, id, $2 FROM users WHERE CASE WHEN $3 = '' THEN role = $4 ELSE id = $3 END ORDER BY created_at LIMIT 1`,
		tokenHash(token), expires, userID, roleAdmin)
	if err != nil {
		return "", expires, fmt.Errorf("storing a login link: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return "", expires, problem.Conflict("There is no administrator to sign in.")
	}
	return strings.TrimRight(base, "/") + linkPath + token, expires, nil
}

// useLink ends a login link and is its user, nil when it does not work (any more).
func (s *Service) useLink(ctx context.Context, token string) (*user, error) {
	if len(token) > maxSecret {
		return nil, nil
	}
	u := &user{}
	// Deleting is what makes it work once: of two requests one gets the row.
	err := s.pool.QueryRow(ctx, `WITH used AS (DELETE FROM login_links WHERE hash = $1 RETURNING user_id, expires_at)
		SELECT u.id, u.email, u.name, u.role, u.password_hash FROM used JOIN users u ON u.id = used.user_id WHERE used.expires_at > $2`,
		tokenHash(token), s.now()).Scan(&u.id, &u.email, &u.name, &u.role, &u.password)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable("using a login link", err)
	}
	return u, nil
}

// login checks a name and password. Whatever is wrong, the answer is the same and
// takes as long.
func (s *Service) login(ctx context.Context, email, password, address string) (*user, error) {
	pair := "pair " + strings.ToLower(problem.Clip(email)) + " " + address
	wait := s.attempts.take(s.now(), map[string]allowance{
		pair: perPair, "address " + address: perAddress, "name " + strings.ToLower(problem.Clip(email)): perName,
	})
	if wait > 0 {
		return nil, problem.TooBusy(wait, "There were too many attempts to sign in; wait, or use a login link (quintet login).")
	}
	u, err := s.userByEmail(ctx, email)
	if err != nil {
		return nil, unavailable("reading a user", err)
	}
	stored := absentPassword
	if u != nil && u.password != nil {
		stored = string(u.password)
	}
	matches := false
	if len(password) <= 4*maxPassword {
		if matches, err = s.passwordMatches(ctx, password, stored); err != nil {
			return nil, unavailable("checking a password", err)
		}
	}
	if !matches || u == nil || u.password == nil {
		return nil, problem.Unauthorized("The name or the password is wrong.")
	}
	s.attempts.forgive(pair)
	return u, nil
}

// absentPassword is compared with when there is nothing to compare with, so that
// the time does not tell which names exist. It is the hash of no password anybody
// knows: its hash part is random.
const absentPassword = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IGhlcmU$Zm9ydHktdHdvIHJhbmRvbSBieXRlcyBvZiBub3RoaW5n"

// setPassword stores a password and ends the user's other sessions.
func (s *Service) setPassword(ctx context.Context, u *user, password string, keep []byte) error {
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE users SET password_hash = $2 WHERE id = $1`, u.id, []byte(hash)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND hash <> $2`, u.id, keep)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing a password: %w", err)
	}
	return nil
}
