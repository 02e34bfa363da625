package profiles

import (
	"reflect"
	"testing"

	"quintet/internal/api"
	"quintet/profiles/traits"
)

func TestMaskProfile(t *testing.T) {
	t.Parallel()
	s := &Service{store: newStore()}
	s.store.rules.Store(traits.Compile(map[string]traits.Declaration{"salary": {Personal: true}, "name": {}}, func(string) []string { return nil }))
	profile := func() *Profile {
		return &Profile{
			Card: Card{
				Identifiers: []CardIdentifier{{Namespace: "userId", Value: "u42"}, {Namespace: "email", Value: "anna@example.org"}},
				Traits:      map[string]any{"email": "anna@example.org", "salary": 70000.0, "name": "Anna", "plan": "gold", "phone": nil},
			},
			Events: []ProfileEvent{{
				Properties: map[string]any{"email": "anna@example.org", "total": 5.0},
				Context:    map[string]any{"ip": "10.0.0.1", "page": "home"},
			}},
		}
	}
	cases := map[string]struct {
		rules []api.MaskRule
		want  *Profile
	}{
		"nobody is kept from anything": {nil, profile()},
		"in part": {[]api.MaskRule{{Field: "personal", Mode: api.MaskPartial}}, &Profile{
			Card: Card{
				Identifiers: []CardIdentifier{{Namespace: "userId", Value: "u42"}, {Namespace: "email", Value: "a•••@example.org"}},
				// The declaration says that here a name is not personal.
				Traits: map[string]any{"email": "a•••@example.org", "salary": "•••", "name": "Anna", "plan": "gold", "phone": nil},
			},
			Events: []ProfileEvent{{
				Properties: map[string]any{"email": "a•••@example.org", "total": 5.0},
				Context:    map[string]any{"ip": "•••.1", "page": "home"},
			}},
		}},
		"hidden": {[]api.MaskRule{{Field: "personal", Mode: api.MaskHide}, {Field: "identifiers.*", Mode: api.MaskHide}}, &Profile{
			Card: Card{Identifiers: []CardIdentifier{}, Traits: map[string]any{"name": "Anna", "plan": "gold"}},
			Events: []ProfileEvent{{
				Properties: map[string]any{"total": 5.0},
				Context:    map[string]any{"page": "home"},
			}},
		}},
	}
	for name, tc := range cases {
		p := profile()
		s.maskProfile(api.NewMask(tc.rules), p)
		if !reflect.DeepEqual(p, tc.want) {
			t.Errorf("%s: got %+v, want %+v", name, p, tc.want)
		}
	}
}
