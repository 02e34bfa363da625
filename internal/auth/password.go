package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"quintet/internal/problem"
)

// The cost of a password's hash: 19 MiB and two passes, the least that OWASP's
// password storage cheat sheet recommends for argon2id. At most maxHashing are
// computed at a time, which bounds the memory that logins take.
const (
	hashMemory = 19 * 1024 // KiB
	hashPasses = 2
	hashLength = 32
	saltLength = 16
	maxHashing = 4

	minPassword = 10  // characters
	maxPassword = 200 // characters
)

func checkPassword(password, field string, u *user) error {
	var bad problem.Invalid
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword || n > maxPassword || len(password) > 4*maxPassword:
		bad.Add(field, fmt.Sprintf("must be %d to %d characters", minPassword, maxPassword), nil)
	case strings.EqualFold(password, u.email) || strings.Count(password, password[:1]) == len(password):
		bad.Add(field, "must not be the user's name or one repeated character", nil)
	}
	return bad.Err()
}

// hashPassword is the password's hash in the usual encoding, with its cost and salt.
func (s *Service) hashPassword(ctx context.Context, password string) (string, error) {
	var salt [saltLength]byte
	rand.Read(salt[:]) // never fails
	hash, err := s.argon2(ctx, password, salt[:], hashPasses, hashMemory, hashLength)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, hashMemory, hashPasses,
		base64.RawStdEncoding.EncodeToString(salt[:]), base64.RawStdEncoding.EncodeToString(hash)), nil
}

// passwordMatches compares a password with a stored hash, of whatever cost that was
// made with.
func (s *Service) passwordMatches(ctx context.Context, password, stored string) (bool, error) {
	parts := strings.Split(stored, "$")
	var version int
	var memory, passes uint32
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("a stored password has an unknown form")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, errors.New("a stored password has an unknown version")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &memory, &passes); err != nil || memory < 8 || memory > 1<<20 || passes < 1 || passes > 100 {
		return false, errors.New("a stored password has an unknown cost")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, hashErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || hashErr != nil || len(want) < 16 || len(want) > 128 {
		return false, errors.New("a stored password cannot be decoded")
	}
	got, err := s.argon2(ctx, password, salt, passes, memory, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func (s *Service) argon2(ctx context.Context, password string, salt []byte, passes, memory, length uint32) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.hashing }()
	return argon2.IDKey([]byte(password), salt, passes, memory, 1, length), nil
}
