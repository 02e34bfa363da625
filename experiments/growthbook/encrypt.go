package growthbook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// KeySize is the length of a key for payloads, in bytes.
const KeySize = 16

// NewKey makes a key for payloads, in base64.
func NewKey() string {
	var key [KeySize]byte
	rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}

func block(key string) (cipher.Block, error) {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, fmt.Errorf("the key is not base64: %w", err)
	}
	if len(raw) != KeySize {
		return nil, fmt.Errorf("the key has %d bytes and not %d", len(raw), KeySize)
	}
	return aes.NewCipher(raw)
}

// Encrypt is AES-128-CBC with PKCS #7 padding and a random start, as "start.cipher"
// in base64. It keeps a payload from being read in passing; it does not show whether
// somebody changed it.
func Encrypt(plain []byte, key string) (string, error) {
	b, err := block(key)
	if err != nil {
		return "", err
	}
	var start [aes.BlockSize]byte
	rand.Read(start[:]) // never fails
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	text := make([]byte, len(plain)+padding)
	for i := copy(text, plain); i < len(text); i++ {
		text[i] = byte(padding)
	}
	cipher.NewCBCEncrypter(b, start[:]).CryptBlocks(text, text)
	return base64.StdEncoding.EncodeToString(start[:]) + "." + base64.StdEncoding.EncodeToString(text), nil
}

var errCipher = errors.New("the text was not encrypted with this key")

// Decrypt is the reverse of [Encrypt].
func Decrypt(text, key string) (string, error) {
	b, err := block(key)
	if err != nil {
		return "", err
	}
	first, second, _ := strings.Cut(text, ".")
	second, _, _ = strings.Cut(second, ".")
	start, err := base64.StdEncoding.DecodeString(first)
	if err != nil || len(start) != aes.BlockSize {
		return "", errCipher
	}
	plain, err := base64.StdEncoding.DecodeString(second)
	if err != nil || len(plain) == 0 || len(plain)%aes.BlockSize != 0 {
		return "", errCipher
	}
	cipher.NewCBCDecrypter(b, start).CryptBlocks(plain, plain)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > aes.BlockSize {
		return "", errCipher
	}
	for _, c := range plain[len(plain)-padding:] {
		if int(c) != padding {
			return "", errCipher
		}
	}
	if plain = plain[:len(plain)-padding]; !utf8.Valid(plain) {
		return "", errCipher
	}
	return string(plain), nil
}
