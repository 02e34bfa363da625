package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"quintet/internal/problem"
)

// defaultTolerance is how old a signature with a time may be.
const defaultTolerance = 300 * time.Second

// NeedsKey says whether callers prove who they are by an API key.
func (c *Compiled) NeedsKey() bool { return c.Auth.Kind == byKey }

// Authenticate checks the secret or signature of a call. The error is a 401
// problem.
func (c *Compiled) Authenticate(header http.Header, body []byte, now time.Time) error {
	a := &c.Auth
	given := header.Get(a.Header)
	if given == "" {
		return problem.Unauthorized("The call has no header " + a.Header + ".")
	}
	wrong := problem.Unauthorized("The header " + a.Header + " does not fit the webhook's secret.")
	switch a.Kind {
	case bySecret:
		if subtle.ConstantTimeCompare([]byte(given), []byte(a.Secret)) != 1 {
			return wrong
		}
		return nil
	case byHMAC:
		signature, found := strings.CutPrefix(given, a.Prefix)
		if !found || !a.signed(signature, body) {
			return wrong
		}
		return nil
	case byStripe:
		return a.stripe(given, body, now, wrong)
	}
	return wrong
}

func (a *Auth) hash() func() hash.Hash {
	if a.Algorithm == "sha512" {
		return sha512.New
	}
	return sha256.New
}

// signed compares a signature in constant time.
func (a *Auth) signed(signature string, content []byte) bool {
	var given []byte
	var err error
	if a.Encoding == "base64" {
		given, err = base64.StdEncoding.DecodeString(signature)
	} else {
		given, err = hex.DecodeString(signature)
	}
	if err != nil {
		return false
	}
	mac := hmac.New(a.hash(), []byte(a.Secret))
	_, _ = mac.Write(content) // a hash takes everything
	return hmac.Equal(given, mac.Sum(nil))
}

// stripe checks "t=1700000000,v1=5257…": the HMAC of time, a dot and the body. Old
// calls are refused, so that one that was overheard cannot be played again.
func (a *Auth) stripe(given string, body []byte, now time.Time, wrong error) error {
	var at string
	var signatures []string
	for part := range strings.SplitSeq(given, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			at = value
		case "v1":
			signatures = append(signatures, value)
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || len(signatures) == 0 || len(signatures) > 10 {
		return wrong
	}
	content := append([]byte(at+"."), body...)
	for _, s := range signatures {
		if !a.signed(s, content) {
			continue
		}
		tolerance := defaultTolerance
		if a.Tolerance > 0 {
			tolerance = time.Duration(a.Tolerance) * time.Second
		}
		if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
			return problem.Unauthorized(fmt.Sprintf("The signature in %s is more than %s old, or from the future.", a.Header, tolerance))
		}
		return nil
	}
	return wrong
}
