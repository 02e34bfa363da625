package delivery

import (
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"quintet/decide/channels"
)

// Only tokens that were given out are taken, each for what it is, in its one spelling.
func FuzzToken(f *testing.F) {
	installed := func(secret string) *Service {
		seal, err := channels.NewSeal([]byte(strings.Repeat(secret, channels.KeySize)))
		if err != nil {
			f.Fatal(err)
		}
		return &Service{seal: seal}
	}
	s, other := installed("k"), installed("o")
	id := ulid.Make().String()
	for _, kind := range []byte{kindLink, kindOpen, kindUnsubscribe} {
		token := s.token(id, 3, kind, 7)
		f.Add(token, kind)
		f.Add(token+"\n", kind)
		f.Add(token[:len(token)-1]+"B", kind)
		f.Add(other.token(id, 3, kind, 7), kind)
	}
	f.Add("", byte('x'))
	f.Fuzz(func(t *testing.T, text string, kind byte) {
		delivery, step, n, ok := s.readToken(text, kind)
		if !ok {
			return
		}
		if again := s.token(delivery, step, kind, n); again != text {
			t.Fatalf("%q is taken for %q", text, again)
		}
		for _, k := range []byte{kindLink, kindOpen, kindUnsubscribe} {
			if _, _, _, ok := s.readToken(text, k); ok && k != kind {
				t.Fatalf("%q is one of %c and of %c", text, kind, k)
			}
		}
		if _, _, _, ok := other.readToken(text, kind); ok {
			t.Fatalf("%q is of two installations", text)
		}
	})
}
