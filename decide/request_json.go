package decide

import (
	"net/http"

	"quintet/internal/api"
	"quintet/internal/flatjson"
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
	p := flatjson.New(text)
	users, contexts := req.User, req.Context
	req.User, req.Context = nil, nil
	var seen [4]bool
	first := func(i int) bool {
		again := seen[i]
		seen[i] = true
		return !again
	}
	ok := p.Object(func(name string) bool {
		switch name {
		case "decision":
			value, ok := p.Quoted()
			req.Decision = value
			return ok && first(0)
		case "user":
			if users == nil {
				users = make(map[string]string)
			}
			req.User = users
			return first(1) && p.Object(func(name string) bool {
				value, ok := p.Quoted()
				users[name] = value
				return ok
			})
		case "context":
			if contexts == nil {
				contexts = make(map[string]any)
			}
			req.Context = contexts
			return first(2) && p.Object(func(name string) bool {
				value, ok := p.Scalar()
				contexts[name] = value
				return ok
			})
		case "limit":
			value, ok := p.Digits()
			req.Limit = value
			return ok && first(3)
		}
		return false
	})
	return ok && p.End()
}
