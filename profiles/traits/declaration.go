package traits

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Survivorship is how one fact is chosen where sources differ.
type Survivorship string

// The rules of survivorship. Each is settled by the later fact where it leaves
// a choice, and all but [Recent] prefer a value to none.
const (
	// Recent takes the latest fact.
	Recent Survivorship = "recent"
	// Trusted takes the fact of the source that is named first.
	Trusted Survivorship = "trusted"
	// Complete takes the value that says most: the longest text, the list or
	// object with most filled members.
	Complete Survivorship = "complete"
	// Confidence takes the fact whose source was surest.
	Confidence Survivorship = "confidence"
)

// Limits of a declaration.
const (
	MaxSources = 50
	MaxAllowed = 500
	maxTitle   = 200
	maxText    = 2000
	maxPattern = 500
	maxSource  = 200
)

// Declaration is what is known of a trait beforehand. A trait without one takes
// every value, and its most recent fact counts.
type Declaration struct {
	Title       string `json:"title,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Description string `json:"description,omitempty" doc:"What the trait means" maxLength:"2000"`
	Type        Type   `json:"type" doc:"Type of the values; date is ISO 8601" enum:"text,number,boolean,date,list,object"`
	Personal    bool   `json:"personal,omitempty" doc:"Whether the trait is personal data, which roles may hide"`
	// Allowed values; of a list, what its members may be.
	Allowed []any    `json:"allowed,omitempty" doc:"Values that are taken: texts, numbers or booleans; of a list, its members" maxItems:"500"`
	Min     *float64 `json:"min,omitempty" doc:"Smallest number, fewest characters of a text, fewest members of a list"`
	Max     *float64 `json:"max,omitempty" doc:"Largest number, most characters of a text, most members of a list"`
	Pattern string   `json:"pattern,omitempty" doc:"Regular expression (RE2) that a whole text must match" maxLength:"500"`
	// DefaultConfidence is that of facts which state none.
	DefaultConfidence *float64     `json:"confidence,omitempty" doc:"Confidence of facts that state none, 0 to 1; 0.5 when absent" minimum:"0" maximum:"1"`
	Survivorship      Survivorship `json:"survivorship,omitempty" doc:"Which fact counts where sources differ; recent when absent" enum:"recent,trusted,complete,confidence"`
	Sources           []string     `json:"sources,omitempty" doc:"trusted: ids or names of API keys, or user for edits by hand, the most trusted first" maxItems:"50"`
}

// defaultConfidence is the confidence, in thousandths, where nothing says any.
const defaultConfidence = 500

// ValidateDeclaration checks a declaration and fills in what it leaves out.
func ValidateDeclaration(_ context.Context, key string, d *Declaration) error {
	var bad problem.Invalid
	if canonical := Canonical(key); canonical != key {
		bad.Add("path.key", "must be "+canonical+": this spelling is brought to that one", key)
	}
	checkText(&bad, "title", d.Title, maxTitle)
	checkText(&bad, "description", d.Description, maxText)
	switch d.Type {
	case Text, Number, Boolean, Date, List, Object:
	default:
		bad.Add("type", "must be text, number, boolean, date, list or object", string(d.Type))
	}
	d.checkValues(&bad)
	if c := d.DefaultConfidence; c != nil && !(*c >= 0 && *c <= 1) {
		bad.Add("confidence", "must be between 0 and 1", *c)
	}
	d.checkSurvivorship(&bad)
	return bad.Err()
}

func (d *Declaration) checkValues(bad *problem.Invalid) {
	if len(d.Allowed) > MaxAllowed {
		bad.Add("allowed", fmt.Sprintf("must have at most %d values", MaxAllowed), len(d.Allowed))
	}
	for i, v := range d.Allowed {
		field := fmt.Sprintf("allowed[%d]", i)
		fits := false
		switch v := v.(type) {
		case string:
			fits = d.Type == Text || d.Type == List || d.Type == Date && isDate(v)
		case float64:
			fits = d.Type == Number || d.Type == List
		case bool:
			fits = d.Type == Boolean || d.Type == List
		}
		if !fits {
			bad.Add(field, "must be a value of the type "+string(d.Type)+" and neither null, list nor object", v)
		}
	}
	bounded := d.Type == Number || d.Type == Text || d.Type == List
	for _, bound := range [...]struct {
		field string
		value *float64
	}{{"min", d.Min}, {"max", d.Max}} {
		switch {
		case bound.value == nil:
		case !bounded:
			bad.Add(bound.field, "is for the types number, text and list", nil)
		case math.IsNaN(*bound.value) || math.IsInf(*bound.value, 0):
			bad.Add(bound.field, "must be a number", nil)
		}
	}
	if d.Min != nil && d.Max != nil && *d.Min > *d.Max {
		bad.Add("max", "must not be below min", *d.Max)
	}
	if d.Pattern == "" {
		return
	}
	if d.Type != Text {
		bad.Add("pattern", "is for the type text", nil)
	}
	if len(d.Pattern) > maxPattern {
		bad.Add("pattern", fmt.Sprintf("must be at most %d bytes long", maxPattern), len(d.Pattern))
	} else if _, err := compilePattern(d.Pattern); err != nil {
		bad.Add("pattern", "must be a regular expression of RE2: "+err.Error(), d.Pattern)
	}
}

func (d *Declaration) checkSurvivorship(bad *problem.Invalid) {
	switch d.Survivorship {
	case "":
		d.Survivorship = Recent
	case Recent, Trusted, Complete, Confidence:
	default:
		bad.Add("survivorship", "must be recent, trusted, complete or confidence", string(d.Survivorship))
	}
	if d.Survivorship == Trusted && len(d.Sources) == 0 {
		bad.Add("sources", "must name at least one source where the rule is trusted", nil)
	}
	if d.Survivorship != Trusted && len(d.Sources) > 0 {
		bad.Add("sources", "are for the rule trusted", nil)
	}
	if len(d.Sources) > MaxSources {
		bad.Add("sources", fmt.Sprintf("must be at most %d", MaxSources), len(d.Sources))
	}
	for i, s := range d.Sources {
		field := fmt.Sprintf("sources[%d]", i)
		switch {
		case strings.TrimSpace(s) == "" || len(s) > maxSource:
			bad.Add(field, fmt.Sprintf("must be the id or name of a source, 1 to %d bytes long", maxSource), s)
		case slices.Contains(d.Sources[:i], s):
			bad.Add(field, "must be unique", s)
		}
	}
}

func checkText(bad *problem.Invalid, field, value string, most int) {
	if utf8.RuneCountInString(value) > most {
		bad.Add(field, fmt.Sprintf("must be at most %d characters long", most), nil)
	}
}

// compilePattern makes an expression that the whole text must match.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}
