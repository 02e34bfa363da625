// Package identity says who is who: which profile an identifier belongs to.
//
// A person shows up under several names: the customer number of the shop
// (userId), the random number of a browser (anonymousId), an e-mail address, a
// phone, the number of a loyalty card. An [Identifier] is one such name in its
// namespace. The [Index] holds in memory which profile each of them belongs to
// and settles, in one step and without any I/O, which profile a message about
// some identifiers belongs to.
//
// The id of a profile is computed from the first identifier under which the
// person was seen ([NewID]), so that two processes, or the same import run
// twice, come to the same id without asking each other.
package identity

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Namespaces with a meaning of their own. Any other namespace is a customer's
// ("crm", "loyalty") and arrives as an external id.
const (
	UserID      = "userId"
	AnonymousID = "anonymousId"
	Email       = "email"
	Phone       = "phone"
	Device      = "device"
	Card        = "card"
	Telegram    = "telegram"
	// Custom stands in [Rules] for all namespaces without a rule of their own.
	Custom = "custom"
)

// CanonicalNamespace is the spelling of a namespace with a meaning, whatever
// its case; others stay as they are.
func CanonicalNamespace(namespace string) string {
	for _, known := range [...]string{UserID, AnonymousID, Email, Phone, Device, Card, Telegram, Custom} {
		if namespace == known {
			return known
		}
	}
	trimmed := strings.TrimSpace(namespace)
	switch strings.ToLower(trimmed) {
	case "userid", "user_id":
		return UserID
	case "anonymousid", "anonymous_id":
		return AnonymousID
	case Email:
		return Email
	case Phone:
		return Phone
	case Device:
		return Device
	case Card:
		return Card
	case Telegram:
		return Telegram
	case Custom:
		return Custom
	}
	return trimmed
}

// Limits of one identifier, in characters.
const (
	MaxValue     = 256
	MaxNamespace = 64
)

// Identifier is one name of a person: a value in a namespace.
type Identifier struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

// String is "namespace:value", the form that a path or a search takes.
func (i Identifier) String() string { return i.Namespace + ":" + i.Value }

// Parse reads "namespace:value" and brings it to its normal form.
func Parse(text string) (Identifier, error) {
	namespace, value, found := strings.Cut(text, ":")
	if !found {
		return Identifier{}, fmt.Errorf("an identifier is written namespace:value")
	}
	return Normalise(Identifier{Namespace: namespace, Value: value})
}

// Normalise trims the value, gives namespaces with a meaning their spelling, brings e-mail addresses to lower case and phone
// numbers to digits with an optional plus, and checks the limits. The error
// says which rule is broken in words that fit behind the name of a field.
func Normalise(i Identifier) (Identifier, error) {
	i.Namespace = CanonicalNamespace(i.Namespace)
	if !ValidNamespace(i.Namespace) {
		return i, fmt.Errorf("must have a namespace of 1 to %d letters, digits, dots, dashes and underscores", MaxNamespace)
	}
	value := strings.TrimSpace(i.Value)
	if value == "" {
		return i, fmt.Errorf("must not be empty")
	}
	if utf8.RuneCountInString(value) > MaxValue {
		return i, fmt.Errorf("must not be longer than %d characters", MaxValue)
	}
	for _, r := range value {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return i, fmt.Errorf("must not contain control characters or invalid UTF-8")
		}
	}
	switch i.Namespace {
	case Email:
		value = strings.ToLower(value)
		at := strings.LastIndexByte(value, '@')
		if at <= 0 || at == len(value)-1 || strings.ContainsAny(value, " \t<>,;") {
			return i, fmt.Errorf("must be an e-mail address")
		}
	case Phone:
		phone, ok := normalPhone(value)
		if !ok {
			return i, fmt.Errorf("must be a phone number of 5 to 15 digits with an optional plus")
		}
		value = phone
	}
	i.Value = value
	return i, nil
}

// ValidNamespace says whether a namespace may have the name: letters, digits, dots,
// dashes and underscores. It keeps ':' out, which separates namespace and value.
func ValidNamespace(s string) bool {
	if s == "" || len(s) > MaxNamespace {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// normalPhone drops the punctuation that people write into phone numbers. A
// number without a country code stays without one here: guessing the country
// would join strangers. [Rules] may name the country.
func normalPhone(s string) (string, bool) {
	var b strings.Builder
	digits := 0
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
			b.WriteRune(r)
		case r == '+' && i == 0:
			b.WriteRune(r)
		case r == ' ' || r == '-' || r == '(' || r == ')' || r == '.' || r == '/' || r == '\u00a0':
		default:
			return "", false
		}
	}
	return b.String(), digits >= 5 && digits <= 15
}

// ID is the id of a profile: 128 bits, written as 26 lower-case base32 digits.
type ID [16]byte

var digits = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// idLength is the length of an ID in text.
const idLength = 26

// String is the text form, 26 characters.
func (id ID) String() string { return digits.EncodeToString(id[:]) }

// AppendText appends the text form to b.
func (id ID) AppendText(b []byte) ([]byte, error) { return digits.AppendEncode(b, id[:]), nil }

// ParseID reads the text form of a profile id.
func ParseID(text string) (ID, bool) {
	var id ID
	if len(text) != idLength {
		return id, false
	}
	n, err := digits.Decode(id[:], []byte(text))
	// The last digit carries two spare bits, which must be zero: otherwise several
	// texts would name one profile.
	if err != nil || n != len(id) || id.String() != text {
		return ID{}, false
	}
	return id, true
}

// NewID computes the id of the profile that begins with identifier i: the
// first 128 bits of the SHA-256 of namespace, a zero byte and value.
func NewID(i Identifier) ID {
	var buffer [512]byte
	b := append(buffer[:0], i.Namespace...)
	b = append(b, 0)
	b = append(b, i.Value...)
	sum := sha256.Sum256(b)
	return ID(sum[:16])
}
