package definitions

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"quintet/internal/problem"
)

// maxNamedUses is how many users of a definition a refusal names.
const maxNamedUses = 10

// Refer says that definitions of the kind from name definitions of the kind to. keys are
// those that a value names, which is the JSON of the definition as package json reads it
// into any. What is named cannot be deleted. It is called before anything is served, and
// the kinds need not exist.
func (s *Store) Refer(from, to string, keys func(value any) []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.references = append(s.references, reference{from, to, keys})
}

// reference says which keys of one kind definitions of another one name.
type reference struct {
	from, to string
	keys     func(value any) []string
}

// unused refuses the deletion of a definition that others name. It goes by what this
// process knows: a definition that is written in the same moment elsewhere is not seen.
func (s *Store) unused(kind, key string) error {
	s.mu.Lock()
	var readers []reference
	var of []follower
	for _, r := range s.references {
		if c := s.collections[r.from]; c != nil && r.to == kind {
			readers, of = append(readers, r), append(of, c)
		}
	}
	s.mu.Unlock()
	users := map[string]bool{}
	for i, r := range readers {
		err := of[i].each(func(user string, value any) {
			if slices.Contains(r.keys(value), key) && (r.from != kind || user != key) {
				users[r.from+"/"+user] = true
			}
		})
		if err != nil {
			return fmt.Errorf("looking for what uses %s %s: %w", kind, key, err)
		}
	}
	if len(users) == 0 {
		return nil
	}
	names := make([]string, 0, len(users))
	for name := range users {
		names = append(names, name)
	}
	slices.Sort(names)
	more := ""
	if n := len(names) - maxNamedUses; n > 0 {
		names, more = names[:maxNamedUses], fmt.Sprintf(" and %d more", n)
	}
	return problem.Conflict(fmt.Sprintf("%s/%s is used by %s%s; change these first.", kind, key, strings.Join(names, ", "), more))
}

// each shows every current definition as JSON reads it.
func (c *Collection[T]) each(f func(key string, value any)) error {
	for key, v := range c.Snapshot() {
		text, err := json.Marshal(v.Value)
		if err != nil {
			return fmt.Errorf("encoding %s %s: %w", c.kind, key, err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return fmt.Errorf("decoding %s %s: %w", c.kind, key, err)
		}
		f(key, value)
	}
	return nil
}
