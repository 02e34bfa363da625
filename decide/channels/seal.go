package channels

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Seal encrypts secrets by AES-256-GCM. What is sealed for one channel does not open
// for another.
type Seal struct {
	aead cipher.AEAD
	key  []byte // of hashes
}

// KeySize is the length of a key in bytes.
const KeySize = 32

// NewSeal makes a seal of a key of 32 bytes.
func NewSeal(key []byte) (*Seal, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("the key of the credentials has %d bytes, %d are needed", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing the cipher: %w", err)
	}
	derived := hmac.New(sha256.New, key)
	derived.Write([]byte("quintet hashes"))
	return &Seal{aead, derived.Sum(nil)}, nil
}

// LoadSeal reads the key of a file, which it makes when there is none. Processes that
// share a database need the same file.
func LoadSeal(path string) (*Seal, error) {
	key, err := os.ReadFile(path) //nolint:gosec // a path of the settings
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, KeySize)
		_, _ = rand.Read(key) // never fails
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("making the folder of the key: %w", err)
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // as above
		if errors.Is(err, os.ErrExist) {
			return LoadSeal(path) // another process was faster
		}
		if err != nil {
			return nil, fmt.Errorf("making the key of the credentials: %w", err)
		}
		_, err = f.Write(key)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return nil, fmt.Errorf("writing the key of the credentials: %w", err)
		}
		return NewSeal(key)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of the credentials: %w", err)
	}
	return NewSeal(key)
}

// Close encrypts the secrets of a channel.
func (s *Seal) Close(channel string, secrets map[string]string) ([]byte, error) {
	text, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("encoding secrets: %w", err)
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, text, []byte(channel)), nil
}

// Open decrypts the secrets of a channel.
func (s *Seal) Open(channel string, sealed []byte) (map[string]string, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("the sealed secrets are cut short")
	}
	text, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(channel))
	if err != nil {
		return nil, errors.New("the secrets do not open with this key")
	}
	secrets := map[string]string{}
	if err := json.Unmarshal(text, &secrets); err != nil {
		return nil, fmt.Errorf("decoding secrets: %w", err)
	}
	return secrets, nil
}

// Mac is a keyed hash of a text for a use; the key is made of that of the seal.
func (s *Seal) Mac(use, text string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(use + "\x00" + text))
	return string(mac.Sum(nil))
}
