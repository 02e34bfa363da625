package growthbook

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// QueryStringOverride is the variation that the query of a URL forces an experiment
// to: ?my-experiment=1.
func QueryStringOverride(experiment, page string, variations int) (int, bool) {
	parts := strings.Split(page, "?")
	if len(parts) < 2 {
		return 0, false
	}
	query, _, _ := strings.Cut(parts[1], "#")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != experiment {
			continue
		}
		value, _, _ = strings.Cut(value, "=")
		n, ok := leadingNumber(value)
		return n, ok && n >= 0 && n < variations
	}
	return 0, false
}

// leadingNumber is parseInt of JavaScript, of numbers that an index can be.
func leadingNumber(s string) (int, bool) {
	s = strings.TrimLeft(s, " \t\n\r")
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, err == nil
}

// targetsURL says whether one of the patterns that include matches, and none of those
// that exclude.
func targetsURL(page string, patterns []URLPattern) bool {
	includes, included := false, false
	for i := range patterns {
		match := matchesURL(page, patterns[i].Type, patterns[i].Pattern)
		if p := patterns[i].Include; p != nil && !*p {
			if match {
				return false
			}
			continue
		}
		includes = true
		included = included || match
	}
	return included || !includes
}

func matchesURL(page, kind, pattern string) bool {
	base := &url.URL{Scheme: "https", Host: "_", Path: "/"}
	u, err := base.Parse(page)
	if err != nil {
		return false
	}
	if u.Path == "" {
		u.Path = "/"
	}
	switch kind {
	case "regex":
		expression, err := regexp.Compile(pattern)
		if err != nil {
			return false
		}
		href := u.String()
		return expression.MatchString(href) || expression.MatchString(strings.TrimPrefix(href, u.Scheme+"://"+u.Host))
	case "simple":
		return matchesSimply(u, pattern)
	}
	return false
}

// wildcard stands for * while a pattern is read as a URL, as in the SDKs.
const wildcard = "_____"

var hostWithoutScheme = regexp.MustCompile(`^([^:/?]*)\.`)

// matchesSimply compares a URL with a pattern part by part: host, path, fragment when
// the pattern has one, and each parameter that it has.
func matchesSimply(page *url.URL, pattern string) bool {
	pattern = strings.ReplaceAll(hostWithoutScheme.ReplaceAllString(pattern, "https://$1."), "*", wildcard)
	base := &url.URL{Scheme: "https", Host: wildcard, Path: "/"}
	want, err := base.Parse(pattern)
	if err != nil {
		return false
	}
	if want.Path == "" {
		want.Path = "/"
	}
	if !matchesPart(page.Host, want.Host, false) || !matchesPart(page.EscapedPath(), want.EscapedPath(), true) {
		return false
	}
	if want.Fragment != "" && !matchesPart("#"+page.EscapedFragment(), "#"+want.EscapedFragment(), false) {
		return false
	}
	have := page.Query()
	for name, values := range want.Query() {
		for _, v := range values {
			if !matchesPart(have.Get(name), v, false) {
				return false
			}
		}
	}
	return true
}

func matchesPart(have, want string, path bool) bool {
	expression := strings.ReplaceAll(regexp.QuoteMeta(want), wildcard, ".*")
	if path {
		expression = "/?" + strings.TrimSuffix(strings.TrimPrefix(expression, "/"), "/") + "/?"
	}
	ok, err := regexp.MatchString("(?i)^"+expression+"$", have)
	return err == nil && ok
}

// Redirect is where an experiment sends a visitor.
type Redirect struct {
	InExperiment  bool   `json:"inExperiment"`
	URLRedirect   string `json:"urlRedirect"`
	URLWithParams string `json:"urlWithParams"`
}

// Redirects runs the payload's experiments with variations of URLs until one redirects.
func (f *Features) Redirects(list []Experiment, c *Context) []Redirect {
	for i := range list {
		e := &list[i]
		if len(e.URLPatterns) == 0 {
			continue
		}
		r := f.Run(e, c)
		if !r.InExperiment {
			continue
		}
		var variation struct {
			URLRedirect string `json:"urlRedirect"`
		}
		// A variation without a URL is the page as it is.
		if json.Unmarshal(r.Value, &variation) != nil || variation.URLRedirect == "" {
			continue
		}
		to := variation.URLRedirect
		if e.PersistQueryString {
			to = mergeQuery(c.URL, to)
		}
		if targetsURL(to, e.URLPatterns) {
			continue // it would come back
		}
		return []Redirect{{InExperiment: true, URLRedirect: variation.URLRedirect, URLWithParams: to}}
	}
	return nil
}

// mergeQuery adds the parameters of a page to those of another one, which has its own
// first.
func mergeQuery(page, to string) string {
	from, err := url.Parse(page)
	if err != nil {
		return to
	}
	target, err := url.Parse(to)
	if err != nil {
		return to
	}
	have := target.Query()
	for pair := range strings.SplitSeq(from.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil || name == "" || have.Has(plain) {
			continue
		}
		if target.RawQuery != "" {
			target.RawQuery += "&"
		}
		target.RawQuery += name + "=" + value
	}
	return target.String()
}
