package tracking

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

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
