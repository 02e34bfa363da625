package condition

import "bytes"

// padVersion appends a version in a form that compares as text: the parts between
// dots and dashes, numbers padded to five places, joined by dashes, and "~" behind
// three parts, so that 1.0.0 is above 1.0.0-beta. A leading v and what follows a + do
// not count. What is no version is 0.
func padVersion(b []byte, v any) []byte {
	s, ok := v.(string)
	if n, isNumber := numeric(v); isNumber {
		s, ok = FormatNumber(n), n != 0
	}
	if !ok || s == "" {
		s = "0"
	}
	if s[0] == 'v' {
		s = s[1:]
	}
	for i := range len(s) {
		if s[i] == '+' {
			s = s[:i]
			break
		}
	}
	parts := 0
	for start, i := 0, 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' && s[i] != '-' {
			continue
		}
		if parts > 0 {
			b = append(b, '-')
		}
		b = padPart(b, s[start:i])
		start = i + 1
		parts++
	}
	if parts == 3 {
		b = append(b, "-~"...)
	}
	return b
}

func padPart(b []byte, part string) []byte {
	for i := range len(part) {
		if part[i] < '0' || part[i] > '9' {
			return append(b, part...)
		}
	}
	if part != "" {
		for i := len(part); i < 5; i++ {
			b = append(b, ' ')
		}
	}
	return append(b, part...)
}

// compareVersion is the order of a value and a version that was padded before.
func compareVersion(v any, padded []byte) int {
	var room [128]byte
	return bytes.Compare(padVersion(room[:0], v), padded)
}
