package clickhouse

import (
	"errors"
	"fmt"
	"strings"
)

// tokenKind says what a token of ClickHouse SQL is.
type tokenKind uint8

const (
	wordToken   tokenKind = iota // keyword or unquoted identifier
	quotedToken                  // `identifier` or "identifier"
	stringToken                  // 'text'
	numberToken                  // digits with what sticks to them
	symbolToken                  // one punctuation character
)

// token is a piece of a statement. Text is the statement's own text of it,
// quotes included; start and end are byte offsets.
type token struct {
	kind       tokenKind
	text       string
	start, end int
	// apart is true when white space or a comment stood before the token.
	apart bool
}

// is reports whether the token is the given keyword, in any case.
func (t token) is(keyword string) bool {
	return t.kind == wordToken && strings.EqualFold(t.text, keyword)
}

// symbol reports whether the token is the given punctuation character.
func (t token) symbol(c byte) bool {
	return t.kind == symbolToken && t.text[0] == c
}

// identifier returns the name that the token spells, and whether it can be one.
func (t token) identifier() (string, bool) {
	switch t.kind {
	case wordToken:
		return t.text, true
	case quotedToken:
		quote := t.text[:1]
		return strings.ReplaceAll(t.text[1:len(t.text)-1], quote+quote, quote), true
	}
	return "", false
}

// errUnknownText is wrapped by every error of the lexer.
var errUnknownText = errors.New("cannot read the statement")

// lexer cuts ClickHouse SQL into tokens. It knows a strict subset: what it does
// not know (heredocs, typographic quotes, characters outside ASCII that stand
// outside quotes, NUL) is an error, so that a caller that must not be fooled
// can refuse the statement.
type lexer struct {
	text string
	pos  int
}

// next returns the next token. ok is false at the end of the text.
func (l *lexer) next() (t token, ok bool, err error) {
	apart, err := l.skipSpace()
	if err != nil || l.pos >= len(l.text) {
		return token{}, false, err
	}
	start, kind := l.pos, symbolToken
	switch c := l.text[start]; {
	case c == '\'' || c == '`' || c == '"':
		if err := l.quoted(c); err != nil {
			return token{}, false, err
		}
		kind = quotedToken
		if c == '\'' {
			kind = stringToken
		}
	case isWordStart(c):
		kind = wordToken
		for l.pos < len(l.text) && isWordPart(l.text[l.pos]) {
			l.pos++
		}
	case c >= '0' && c <= '9':
		kind = numberToken
		for l.pos < len(l.text) && isWordPart(l.text[l.pos]) {
			l.pos++
		}
	case strings.IndexByte("()[]{},;.*+-/%<>=!|&^?:@~", c) >= 0:
		l.pos++
	default:
		return token{}, false, fmt.Errorf("%w: character %q at position %d is not allowed outside quotes",
			errUnknownText, firstRune(l.text[start:]), start+1)
	}
	return token{kind: kind, text: l.text[start:l.pos], start: start, end: l.pos, apart: apart}, true, nil
}

// skipSpace passes white space and comments and reports whether there were any.
func (l *lexer) skipSpace() (bool, error) {
	start := l.pos
	for l.pos < len(l.text) {
		rest := l.text[l.pos:]
		switch {
		case strings.IndexByte(" \t\n\r\f\v", rest[0]) >= 0:
			l.pos++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				l.pos += end + 1
			} else {
				l.pos = len(l.text)
			}
		case strings.HasPrefix(rest, "/*"):
			if err := l.blockComment(); err != nil {
				return false, err
			}
		default:
			return l.pos > start, nil
		}
	}
	return l.pos > start, nil
}

// blockComment passes a comment; such comments nest in ClickHouse.
func (l *lexer) blockComment() error {
	start, depth := l.pos, 0
	for l.pos < len(l.text) {
		switch rest := l.text[l.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.pos += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.pos += 2
			if depth == 0 {
				return nil
			}
		default:
			l.pos++
		}
	}
	return fmt.Errorf("%w: the comment at position %d does not end", errUnknownText, start+1)
}

// quoted passes a string or a quoted identifier: a backslash takes the next
// character with it, a doubled quote stands for itself.
func (l *lexer) quoted(quote byte) error {
	start := l.pos
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch l.text[l.pos] {
		case '\\':
			l.pos++
		case quote:
			if l.pos+1 < len(l.text) && l.text[l.pos+1] == quote {
				l.pos++
				continue
			}
			l.pos++
			return nil
		}
	}
	l.pos = len(l.text)
	return fmt.Errorf("%w: the quote at position %d does not close", errUnknownText, start+1)
}

// tokenize returns all tokens of the text, at most limit of them.
func tokenize(text string, limit int) ([]token, error) {
	l := lexer{text: text}
	var tokens []token
	for {
		t, ok, err := l.next()
		if err != nil || !ok {
			return tokens, err
		}
		if len(tokens) == limit {
			return nil, fmt.Errorf("%w: more than %d tokens", errUnknownText, limit)
		}
		tokens = append(tokens, t)
	}
}

// render writes tokens back as text, with one space wherever there was white
// space or a comment. The engine reads from it the same tokens that were read
// here.
func render(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if t.apart && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

func isWordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isWordPart(c byte) bool {
	return isWordStart(c) || c >= '0' && c <= '9'
}

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}
