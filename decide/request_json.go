package decide

import (
	"math"
	"net/http"
	"strconv"
	"unicode/utf8"

	"quintet/internal/api"
)

// decodeRequest reads the body of r into req and returns the buffer of the body,
// which nothing refers to any more.
func decodeRequest(r *http.Request, buffer []byte, req *Request) ([]byte, error) {
	body, err := api.ReadBodyInto(r, maxDecideBody, buffer)
	if err != nil {
		return body, err
	}
	req.reset()
	if parseRequest(string(body), req) {
		return body, nil
	}
	// It is wrong, or written in an unusual way: what holds for every body of this
	// API decides, and finds the words.
	*req = Request{}
	return body, api.UnmarshalJSON(body, req)
}

// reset empties a request and keeps its maps.
func (r *Request) reset() {
	users, contexts := r.User, r.Context
	if len(users) > maxIdentifiers || len(contexts) > maxContextFields {
		users, contexts = nil, nil // too large to be kept
	}
	clear(users)
	clear(contexts)
	*r = Request{User: users, Context: contexts}
}

// parseRequest reads a request that is written as clients write them: the four
// members by their exact names, each at most once, flat values, strings without
// escapes. It gives what encoding/json would give, in a fraction of its time, or
// says false for everything else, and req is then half filled. A fuzz test compares
// the two. Maps of req that are empty are used; the strings are parts of text.
func parseRequest(text string, req *Request) bool {
	p := requestParser{text: text}
	users, contexts := req.User, req.Context
	req.User, req.Context = nil, nil
	var seen [4]bool
	first := func(i int) bool {
		again := seen[i]
		seen[i] = true
		return !again
	}
	ok := p.object(func(name string) bool {
		switch name {
		case "decision":
			value, ok := p.quoted()
			req.Decision = value
			return ok && first(0)
		case "user":
			if users == nil {
				users = make(map[string]string)
			}
			req.User = users
			return first(1) && p.object(func(name string) bool {
				value, ok := p.quoted()
				users[name] = value
				return ok
			})
		case "context":
			if contexts == nil {
				contexts = make(map[string]any)
			}
			req.Context = contexts
			return first(2) && p.object(func(name string) bool {
				value, ok := p.scalar()
				contexts[name] = value
				return ok
			})
		case "limit":
			value, ok := p.digits()
			req.Limit = value
			return ok && first(3)
		}
		return false
	})
	p.space()
	return ok && p.at == len(p.text)
}

// requestParser walks over a text. A method that says false has met what it does not
// read.
type requestParser struct {
	text string
	at   int
}

func (p *requestParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// take passes over white space and the byte c, if that is next.
func (p *requestParser) take(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// object calls member with the name of each member, to read its value.
func (p *requestParser) object(member func(name string) bool) bool {
	if !p.take('{') {
		return false
	}
	if p.take('}') {
		return true
	}
	for {
		name, ok := p.quoted()
		if !ok || !p.take(':') || !member(name) {
			return false
		}
		if p.take('}') {
			return true
		}
		if !p.take(',') {
			return false
		}
	}
}

// quoted reads a string without escapes.
func (p *requestParser) quoted() (string, bool) {
	if !p.take('"') {
		return "", false
	}
	start, ascii := p.at, true
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			s := p.text[start:p.at]
			p.at++
			return s, ascii || utf8.ValidString(s)
		case c < ' ' || c == '\\':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
		p.at++
	}
	return "", false
}

// scalar reads a string, a number, a boolean or null.
func (p *requestParser) scalar() (any, bool) {
	p.space()
	rest := p.text[p.at:]
	if rest == "" {
		return nil, false
	}
	switch rest[0] {
	case '"':
		return p.quoted()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	}
	return p.number()
}

func (p *requestParser) word(w string) bool {
	if len(p.text)-p.at < len(w) || p.text[p.at:p.at+len(w)] != w {
		return false
	}
	p.at += len(w)
	return true
}

// number reads a number; what no float64 can hold is not read.
func (p *requestParser) number() (any, bool) {
	start, t := p.at, p.text
	run := func() int {
		from := p.at
		for p.at < len(t) && t[p.at] >= '0' && t[p.at] <= '9' {
			p.at++
		}
		return p.at - from
	}
	if p.at < len(t) && t[p.at] == '-' {
		p.at++
	}
	whole := p.at
	if n := run(); n == 0 || n > 1 && t[whole] == '0' {
		return nil, false
	}
	if p.at < len(t) && t[p.at] == '.' {
		p.at++
		if run() == 0 {
			return nil, false
		}
	}
	if p.at < len(t) && (t[p.at] == 'e' || t[p.at] == 'E') {
		p.at++
		if p.at < len(t) && (t[p.at] == '+' || t[p.at] == '-') {
			p.at++
		}
		if run() == 0 {
			return nil, false
		}
	}
	v, err := strconv.ParseFloat(t[start:p.at], 64)
	return v, err == nil && !math.IsInf(v, 0)
}

// digits reads a whole number that is not negative.
func (p *requestParser) digits() (int, bool) {
	p.space()
	start, n := p.at, 0
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' && p.at-start < 9 {
		n = 10*n + int(p.text[p.at]-'0')
		p.at++
	}
	if p.at == start || p.text[start] == '0' && p.at > start+1 {
		return 0, false
	}
	return n, true
}
