package api

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// MaskMode says what is left of a value.
type MaskMode string

// The modes.
const (
	// MaskPartial keeps enough to recognise a value that one knows: "a•••@example.org",
	// "•••89".
	MaskPartial MaskMode = "partial"
	// MaskHash replaces the value by the first 16 hexadecimal digits of its SHA-256, so
	// that equal values can be told. Values that are few enough can be guessed from it.
	MaskHash MaskMode = "hash"
	// MaskHide leaves the value out.
	MaskHide MaskMode = "hide"
)

// MaskRule applies a mode to a field: "identifiers.email", "traits.birthday",
// "context.ip", "traits.*", or "personal" for every field that is declared to be
// personal data.
type MaskRule struct {
	Field string   `json:"field" maxLength:"200" minLength:"1" doc:"identifiers.<namespace>, traits.<name>, properties.<name>, context.<name>, <group>.* or personal"`
	Mode  MaskMode `json:"mode" enum:"partial,hash,hide"`
}

// Mask hides personal data from a caller. The zero value and nil hide nothing.
type Mask struct {
	fields map[string]MaskMode
}

// NewMask makes a mask; nil when no rule is given, which hides nothing.
func NewMask(rules []MaskRule) *Mask {
	if len(rules) == 0 {
		return nil
	}
	m := &Mask{fields: make(map[string]MaskMode, len(rules))}
	for _, r := range rules {
		m.fields[strings.ToLower(r.Field)] = r.Mode
	}
	return m
}

// Mode is how a field is masked, "" when it is shown as it is. The rule for the
// very field counts before that of its group, and that before personal.
func (m *Mask) Mode(group, name string, personal bool) MaskMode {
	if m == nil {
		return ""
	}
	if mode, ok := m.fields[strings.ToLower(group+"."+name)]; ok {
		return mode
	}
	if mode, ok := m.fields[group+".*"]; ok {
		return mode
	}
	if personal {
		return m.fields["personal"]
	}
	return ""
}

// Apply masks a text; MaskHide makes it empty.
func (mode MaskMode) Apply(text string) string {
	switch mode {
	case MaskPartial:
		return partial(text)
	case MaskHash:
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:8])
	case MaskHide:
		return ""
	}
	return text
}

const dots = "•••"

func partial(text string) string {
	if at := strings.LastIndexByte(text, '@'); at > 0 {
		_, size := utf8.DecodeRuneInString(text)
		return text[:size] + dots + text[at:]
	}
	if runes := []rune(text); len(runes) > 5 {
		return dots + string(runes[len(runes)-2:])
	}
	return dots
}
