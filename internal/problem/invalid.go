package problem

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Field is one rule that some input broke.
type Field struct {
	// Field is the JSON path as the caller wrote it, "variants[1].weight". A path
	// that starts with "path.", "query.", "header." or "cookie." is a parameter;
	// everything else lies in the body, and empty is the body as a whole.
	Field string
	// Rule says what must hold: "must be between 0 and 1".
	Rule string
	// Value is what the caller sent; nil leaves it out of the answer.
	Value any
}

// Location is where the field is, with the part of the request that it
// belongs to: "body.variants[1].weight", "query.limit".
func (f Field) Location() string {
	for _, part := range [...]string{"path.", "query.", "header.", "cookie.", "body.", "body["} {
		if strings.HasPrefix(f.Field, part) {
			return f.Field
		}
	}
	switch {
	case f.Field == "" || f.Field == "body":
		return "body"
	case f.Field[0] == '[':
		return "body" + f.Field
	}
	return "body." + f.Field
}

// Invalid is the list of rules that one input broke. As an error it becomes a
// 422 problem that names each field.
type Invalid []Field

// Add appends a broken rule.
func (i *Invalid) Add(field, rule string, value any) {
	*i = append(*i, Field{Field: field, Rule: rule, Value: value})
}

// Nest appends the broken rules of a part of the input under that part's
// path. An error that is no Invalid counts as one broken rule of the part, nil as
// none.
func (i *Invalid) Nest(field string, err error) {
	if err == nil {
		return
	}
	var nested Invalid
	if !errors.As(err, &nested) {
		i.Add(field, err.Error(), nil)
		return
	}
	for _, f := range nested {
		i.Add(Join(field, f.Field), f.Rule, f.Value)
	}
}

// Join appends a path to the path of the value that holds it.
func Join(parent, child string) string {
	switch {
	case parent == "":
		return child
	case child == "":
		return parent
	case child[0] == '[':
		return parent + child
	}
	return parent + "." + child
}

// Err is the list as an error, nil when it is empty.
func (i Invalid) Err() error {
	if len(i) == 0 {
		return nil
	}
	return i
}

// Error names the first fields and their rules.
func (i Invalid) Error() string {
	const shown = 5
	var b strings.Builder
	for n, f := range i {
		if n == shown {
			fmt.Fprintf(&b, "; and %d more", len(i)-shown)
			break
		}
		if n > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Location())
		b.WriteString(" ")
		b.WriteString(f.Rule)
	}
	return b.String()
}

// GetStatus is 422, the status of the answer.
func (i Invalid) GetStatus() int { return http.StatusUnprocessableEntity }

// Problem is the list as a 422 whose detail names the first field.
func (i Invalid) Problem() *Error {
	e := &Error{Status: http.StatusUnprocessableEntity, Fields: i}
	switch len(i) {
	case 0:
		e.Detail = "The request breaks a rule."
	case 1:
		e.Detail = fmt.Sprintf("%s %s.", Clip(i[0].Location()), i[0].Rule)
	default:
		e.Detail = fmt.Sprintf("%s %s; %d fields in all break a rule.", Clip(i[0].Location()), i[0].Rule, len(i))
	}
	return e
}
