package tracking

import (
	"fmt"
	"strconv"
	"strings"

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
