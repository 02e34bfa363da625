package outbound

import (
	"quintet/internal/problem"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// Named is the profile id of a text that is one, or of an identifier such as
// userId:u42. Whether there is such a person is for the caller to see.
func (j *Judge) Named(field, text string) (string, error) {
	if _, ok := identity.ParseID(text); ok {
		return text, nil
	}
	id, err := identity.Parse(text)
	if err != nil {
		return "", problem.Invalid{{Field: field, Rule: "must be a profile id or namespace:value, such as userId:u42", Value: problem.Clip(text)}}
	}
	return j.people.Resolve([]profiles.Identifier{id}), nil
}
