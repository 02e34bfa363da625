package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Problem is an RFC 9457 problem document that the server answered with.
type Problem struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail"`
	Instance string         `json:"instance"`
	Errors   []ProblemField `json:"errors"`
	// RetryAfter is the pause that the server asked for, zero when it did not.
	RetryAfter time.Duration `json:"-"`
}

// ProblemField is one broken rule: where, which, and the value that broke it.
type ProblemField struct {
	Location string `json:"location"`
	Message  string `json:"message"`
	Value    any    `json:"value"`
}

// Error names the status, the detail and every field.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", p.Status, p.Title)
	if p.Detail != "" {
		fmt.Fprintf(&b, ": %s", p.Detail)
	}
	for i, field := range p.Errors {
		if i == 10 {
			fmt.Fprintf(&b, "; and %d more", len(p.Errors)-i)
			break
		}
		fmt.Fprintf(&b, "; %s: %s", field.Location, field.Message)
	}
	return b.String()
}

// StatusOf is the status of the problem in err's chain, 0 when there is none.
func StatusOf(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

func problemOf(response *http.Response, content []byte) *Problem {
	p := &Problem{}
	if json.Unmarshal(content, p) != nil || p.Title == "" && p.Detail == "" {
		text := strings.TrimSpace(string(content))
		if len(text) > 500 {
			text = text[:500]
		}
		p = &Problem{Detail: text}
	}
	p.Status = response.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(response.StatusCode)
	}
	p.RetryAfter = retryAfter(response.Header)
	return p
}
