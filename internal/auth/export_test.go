package auth

import (
	"context"
	"net/http"
	"time"
)

// SetClock replaces the clock.
func (s *Service) SetClock(now func() time.Time) { s.now = now }

// FlushUses stores when keys were used.
func (s *Service) FlushUses(ctx context.Context) error { return s.flushUses(ctx) }

// Purge removes what has expired.
func (s *Service) Purge(ctx context.Context) error { return s.purge(ctx) }

// PasswordMatches compares a password with a stored hash.
func (s *Service) PasswordMatches(ctx context.Context, password, stored string) (bool, error) {
	return s.passwordMatches(ctx, password, stored)
}

// HashPassword is a password's hash.
func (s *Service) HashPassword(ctx context.Context, password string) (string, error) {
	return s.hashPassword(ctx, password)
}

// AbsentPassword is compared with for users who are not there.
const AbsentPassword = absentPassword

// Credentials finds a key in a request.
func Credentials(r *http.Request) (string, bool) { return credentials(r) }

// ClientAddress is the address that guesses are counted for.
func ClientAddress(r *http.Request) string { return clientAddress(r) }
