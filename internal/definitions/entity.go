package definitions

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// facts are the fields that every definition has beside its own on the wire.
type facts struct {
	Key       string    `json:"key"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy"`
}

// entity is a definition as it is answered: the value's fields and the facts at
// one level.
type entity[T any] struct{ Versioned[T] }

// MarshalJSON implements json.Marshaler.
func (e entity[T]) MarshalJSON() ([]byte, error) {
	value, err := json.Marshal(e.Value)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(facts{e.Key, e.Version, e.CreatedAt, e.UpdatedAt, e.UpdatedBy})
	if err != nil {
		return nil, err
	}
	if len(value) <= 2 {
		return head, nil
	}
	// Two objects side by side: {"key":…} and {"name":…} become one.
	return append(append(head[:len(head)-1], ','), value[1:]...), nil
}

// Schema implements [huma.SchemaProvider].
func (entity[T]) Schema(r huma.Registry) *huma.Schema {
	return schema[T](r, "Definition", func(s *huma.Schema, names []string) {
		s.Required = slices.Sorted(slices.Values(append(names, s.Required...)))
	})
}

// past is a version in a history.
type past[T any] struct {
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy"`
	Deleted   bool      `json:"deleted" doc:"This version ended the definition"`
	Value     *T        `json:"value,omitempty" doc:"Absent when deleted"`
}

// SchemaName is the type's name in the OpenAPI document.
func (past[T]) SchemaName() string { return reflect.TypeFor[T]().Name() + "Version" }

// body is a definition as it is written: the facts may come along, as in what was
// read before, and are ignored, but for a key that contradicts the path.
type body[T any] struct {
	key   string
	value T
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *body[T]) UnmarshalJSON(data []byte) error {
	var f struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	b.key = f.Key
	return json.Unmarshal(data, &b.value)
}

// Schema implements [huma.SchemaProvider].
func (body[T]) Schema(r huma.Registry) *huma.Schema {
	return schema[T](r, "Body", func(*huma.Schema, []string) {})
}

// schema registers T's schema together with the facts and returns a reference.
func schema[T any](r huma.Registry, suffix string, finish func(s *huma.Schema, factNames []string)) *huma.Schema {
	t := reflect.TypeFor[T]()
	name := t.Name() + suffix
	ref := &huma.Schema{Ref: "#/components/schemas/" + name}
	if r.Map()[name] != nil {
		return ref
	}
	own := r.Schema(t, false, "")
	common := r.Schema(reflect.TypeFor[facts](), false, "")
	s := *own
	s.Properties = maps.Clone(own.Properties)
	s.Required = slices.Clone(own.Required)
	names := slices.Sorted(maps.Keys(common.Properties))
	for _, n := range names {
		if s.Properties[n] != nil {
			panic(fmt.Sprintf("%s has a field %s, which every definition has", t, n)) // found by the first test that registers it
		}
		p := *common.Properties[n]
		p.ReadOnly = n != "key"
		s.Properties[n] = &p
	}
	finish(&s, names)
	s.PrecomputeMessages()
	r.Map()[name] = &s
	return ref
}
