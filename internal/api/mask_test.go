package api

import "testing"

func TestMask(t *testing.T) {
	t.Parallel()
	m := NewMask([]MaskRule{
		{"personal", MaskPartial}, {"traits.birthday", MaskHide}, {"context.*", MaskHash}, {"identifiers.Card", MaskHash},
	})
	cases := []struct {
		group, name string
		personal    bool
		text, want  string
	}{
		{"traits", "email", true, "anna@example.org", "a•••@example.org"},
		{"traits", "email", true, "жанна@example.org", "ж•••@example.org"},
		{"traits", "phone", true, "+79123456789", "•••89"},
		{"traits", "name", true, "Anna", "•••"},
		{"traits", "plan", false, "gold", "gold"},
		{"traits", "birthday", true, "1980-01-01", ""},
		{"traits", "Birthday", false, "1980-01-01", ""},
		// The first 16 digits of SHA-256 as coreutils print it.
		{"context", "ip", false, "10.0.0.1", "f5047344122f0dee"},
		{"identifiers", "card", true, "10.0.0.1", "f5047344122f0dee"},
	}
	for _, tc := range cases {
		if got := m.Mode(tc.group, tc.name, tc.personal).Apply(tc.text); got != tc.want {
			t.Errorf("%s.%s %q: got %q, want %q", tc.group, tc.name, tc.text, got, tc.want)
		}
	}
	if NewMask(nil).Mode("traits", "email", true) != "" {
		t.Error("no rules hide something")
	}
}
