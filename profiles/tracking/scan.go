package tracking

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"quintet/internal/problem"
)

// scanner walks a JSON text once. It checks the grammar as it goes and leaves
// values as parts of the text, so that what nobody reads is never decoded.
//
// A broken grammar ends the walk with a [*SyntaxError]. A broken rule, such as
// a number outside of the range of a float64, becomes a fault with its path,
// and the walk goes on.
type scanner struct {
	text string
	at   int
	// spaces counts runs of insignificant white space, so that a value that has
	// none is known to be compact.
	spaces int
	// deepest is the greatest nesting since it was last set to zero.
	deepest int
	depth   int
	// illFormed says that the text is not valid UTF-8 somewhere, so that every
	// string has to be looked at.
	illFormed bool
	path      []step
	faults    problem.Invalid
}

// step is one step of a path: the name of a member or the index of an element.
type step struct {
	name  string
	index int
}

// maxDepth bounds recursion for any text, whatever the rules about nesting say.
const maxDepth = 256

// maxFaults bounds how many faults one message reports.
const maxFaults = 20

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int    // in bytes, from 0
	Path   string // of the value that was being read, "" at the top
	What   string
}

// Error names position, path and what was expected.
func (e *SyntaxError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("the body is not JSON: %s at byte %d", e.What, e.Offset)
	}
	return fmt.Sprintf("the body is not JSON: %s at byte %d, in %s", e.What, e.Offset, e.Path)
}

func pathOf(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		if s.name == "" {
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		if len(s.name) > 64 {
			b.WriteString(strings.ToValidUTF8(s.name[:64], "") + "…")
			continue
		}
		b.WriteString(strings.ToValidUTF8(s.name, "\uFFFD"))
	}
	return b.String()
}

func (s *scanner) malformed(what string) error {
	return &SyntaxError{Offset: s.at, Path: pathOf(s.path), What: what}
}

// fault notes a broken rule of the value being read.
func (s *scanner) fault(rule string, value any) { s.faultAt(s.path, rule, value) }

func (s *scanner) faultAt(path []step, rule string, value any) {
	if len(s.faults) >= maxFaults {
		return
	}
	if text, ok := value.(string); ok && len(text) > 100 {
		value = strings.ToValidUTF8(text[:100], "") + "…"
	}
	s.faults.Add(pathOf(path), rule, value)
}

// faultIn notes a broken rule of a member of the object being read.
func (s *scanner) faultIn(name, rule string, value any) {
	s.faultAt(append(s.path[:len(s.path):len(s.path)], step{name: name}), rule, value)
}

func (s *scanner) space() {
	start := s.at
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
			continue
		}
		break
	}
	if s.at > start {
		s.spaces++
	}
}

// peek is the next byte after white space, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) && s.text[s.at] > ' ' {
		return s.text[s.at]
	}
	s.space()
	if s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// end checks that nothing but white space follows.
func (s *scanner) end() error {
	if s.peek() != 0 || s.at < len(s.text) {
		return s.malformed("more text after the end of the value")
	}
	return nil
}

// kind is the JSON type of the next value.
type kind byte

const (
	invalid kind = iota
	object
	array
	text
	number
	boolean
	null
)

func (s *scanner) next() kind {
	switch c := s.peek(); {
	case c == '{':
		return object
	case c == '[':
		return array
	case c == '"':
		return text
	case c == '-', c >= '0' && c <= '9':
		return number
	case c == 't', c == 'f':
		return boolean
	case c == 'n':
		return null
	}
	return invalid
}

// value passes over one value of any type and returns its text.
func (s *scanner) value() (string, error) {
	k := s.next()
	start := s.at
	var err error
	switch k {
	case object:
		err = s.object(s.skipMember)
	case array:
		err = s.array(s.skipElement)
	case text:
		_, _, err = s.quoted()
	case number:
		_, err = s.number()
	case boolean, null:
		err = s.literal()
	default:
		err = s.unexpected()
	}
	return s.text[start:s.at], err
}

func (s *scanner) skipMember(string) error { _, err := s.value(); return err }
func (s *scanner) skipElement(_ int) error { _, err := s.value(); return err }

func (s *scanner) unexpected() error {
	rest := s.text[s.at:]
	for _, word := range []string{"NaN", "Infinity", "undefined", "None", "True", "False", "nan", "inf"} {
		if strings.HasPrefix(rest, word) {
			return s.malformed(word + " is not a JSON value")
		}
	}
	if rest == "" {
		return s.malformed("the text ends where a value is expected")
	}
	return s.malformed("a value is expected")
}

func (s *scanner) literal() error {
	rest := s.text[s.at:]
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(rest, word) {
			s.at += len(word)
			return nil
		}
	}
	return s.unexpected()
}

// object calls member for each member with its name; member must consume the
// value. The name is decoded.
func (s *scanner) object(member func(name string) error) error {
	if err := s.descend(); err != nil {
		return err
	}
	s.at++ // the brace
	if s.peek() == '}' {
		s.at++
		s.depth--
		return nil
	}
	s.path = append(s.path, step{})
	for {
		if s.peek() != '"' {
			return s.malformed("the name of a member is expected")
		}
		raw, escaped, err := s.quoted()
		if err != nil {
			return err
		}
		if escaped {
			raw = unescape(raw)
		}
		if s.peek() != ':' {
			return s.malformed("a colon is expected")
		}
		s.at++
		name := raw
		if name == "" {
			name = "\"\""
		}
		s.path[len(s.path)-1].name = name
		if err := member(raw); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case '}':
			s.at++
			s.depth--
			s.path = s.path[:len(s.path)-1]
			return nil
		default:
			return s.malformed("a comma or the end of the object is expected")
		}
	}
}

// array calls element for each element with its index; element must consume
// the value.
func (s *scanner) array(element func(index int) error) error {
	if err := s.descend(); err != nil {
		return err
	}
	s.at++ // the bracket
	if s.peek() == ']' {
		s.at++
		s.depth--
		return nil
	}
	s.path = append(s.path, step{})
	for i := 0; ; i++ {
		s.path[len(s.path)-1].index = i
		if err := element(i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case ']':
			s.at++
			s.depth--
			s.path = s.path[:len(s.path)-1]
			return nil
		default:
			return s.malformed("a comma or the end of the array is expected")
		}
	}
}

func (s *scanner) descend() error {
	s.depth++
	s.deepest = max(s.deepest, s.depth)
	if s.depth > maxDepth {
		return s.malformed(fmt.Sprintf("nesting deeper than %d levels is not read", maxDepth))
	}
	return nil
}

// quoted passes over a string and returns what is between the quotes, as it is
// written, and whether it has escapes.
func (s *scanner) quoted() (raw string, escaped bool, err error) {
	s.at++ // the quote
	start := s.at
	t := s.text
	i := start
	for i < len(t) {
		c := t[i]
		if c == '"' {
			raw = t[start:i]
			s.at = i + 1
			if s.illFormed && !utf8.ValidString(raw) {
				s.fault("must be valid UTF-8", nil)
			}
			return raw, escaped, nil
		}
		if c >= ' ' && c != '\\' {
			i++
			continue
		}
		s.at = i
		if c < ' ' {
			return "", false, s.malformed("a control character in a string")
		}
		escaped = true
		n, err := s.escape(t[i:])
		if err != nil {
			return "", false, err
		}
		i += n
	}
	s.at = len(t)
	return "", false, s.malformed("the text ends within a string")
}

// escape checks one escape sequence and returns its length. A pair of
// surrogates counts as one.
func (s *scanner) escape(t string) (int, error) {
	if len(t) < 2 {
		return 0, s.malformed("the text ends within a string")
	}
	switch t[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
	default:
		return 0, s.malformed("an unknown escape sequence")
	}
	r := hex4(t[2:])
	switch {
	case r < 0:
		return 0, s.malformed("\\u without four hexadecimal digits")
	case r == 0:
		// Postgres cannot keep it in JSON, and no name or text needs it.
		s.fault("must not contain the character U+0000", nil)
	case utf16.IsSurrogate(r):
		if len(t) >= 12 && t[6] == '\\' && t[7] == 'u' {
			if low := hex4(t[8:]); low >= 0 && utf16.DecodeRune(r, low) != utf8.RuneError {
				return 12, nil
			}
		}
		s.fault("must not contain half of a surrogate pair", nil)
	}
	return 6, nil
}

// hex4 reads four hexadecimal digits, -1 when there are none.
func hex4(t string) rune {
	if len(t) < 4 {
		return -1
	}
	var r rune
	for i := range 4 {
		c := t[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape decodes a string whose escapes have been checked.
func unescape(raw string) string {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if strings.HasPrefix(raw[i+1:], "\\u") {
					low = hex4(raw[i+3:])
				}
				if pair := utf16.DecodeRune(r, low); low >= 0 && pair != utf8.RuneError {
					r = pair
					i += 6
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(raw[i])
		}
	}
	return b.String()
}

// number passes over a number and returns its text. One that no float64 can
// hold is a fault.
func (s *scanner) number() (string, error) {
	t := s.text
	start, i := s.at, s.at
	if i < len(t) && t[i] == '-' {
		i++
	}
	leading := i
	for i < len(t) && t[i] >= '0' && t[i] <= '9' {
		i++
	}
	exponent := false
	switch {
	case i == leading:
		s.at = i
		return "", s.malformed("a digit is expected")
	case t[leading] == '0' && i > leading+1:
		s.at = i
		return "", s.malformed("a number with a leading zero")
	}
	if i < len(t) && t[i] == '.' {
		i++
		fraction := i
		for i < len(t) && t[i] >= '0' && t[i] <= '9' {
			i++
		}
		if i == fraction {
			s.at = i
			return "", s.malformed("a digit is expected after the point")
		}
	}
	if i < len(t) && (t[i] == 'e' || t[i] == 'E') {
		exponent = true
		i++
		if i < len(t) && (t[i] == '+' || t[i] == '-') {
			i++
		}
		power := i
		for i < len(t) && t[i] >= '0' && t[i] <= '9' {
			i++
		}
		if i == power {
			s.at = i
			return "", s.malformed("a digit is expected in the exponent")
		}
	}
	s.at = i
	raw := t[start:i]
	// Without an exponent it takes more than 300 digits to leave the range.
	if exponent || len(raw) > 300 {
		if v, err := strconv.ParseFloat(raw, 64); err != nil || math.IsInf(v, 0) {
			s.fault("must be a number that a 64-bit float can hold", raw)
		}
	}
	return raw, nil
}
