package traits

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"first_name": "firstName", "FirstName": "firstName", "FIRSTNAME": "firstName", "first-name": "firstName", "First Name": "firstName",
		"firstName": "firstName", "E-Mail": "email", "created_at": "createdAt", "last_name": "lastName",
		"firstNames": "firstNames", "favourite_colour": "favourite_colour", "": "", strings.Repeat("x", 500): strings.Repeat("x", 500), "имя": "имя",
	} {
		if got := Canonical(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("first_name")
	f.Fuzz(func(t *testing.T, name string) {
		once := Canonical(name)
		if Canonical(once) != once {
			t.Errorf("%q becomes %q and then another name", name, once)
		}
	})
}

func FuzzCoerce(f *testing.F) {
	for _, s := range []string{"42", "042", "-0", "1e3", "NaN", "Infinity", "true", "2026-03-01", "2026-03-01T10:00:00Z", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, to := range []Type{Text, Number, Boolean, Date, List, Object} {
			v, ok := coerce(s, to)
			if !ok {
				continue
			}
			back, ok := coerce(v, Text)
			if !ok || back != s {
				t.Errorf("%q as %s is %v, and as a text again %v", s, to, v, back)
			}
		}
	})
}

func TestCoerce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		to   Type
		want any
	}{
		{"42", Number, 42.0}, {"-1.5", Number, -1.5}, {"042", Number, nil}, {"1e3", Number, nil}, {"42 ", Number, nil}, {true, Number, nil},
		{"NaN", Number, nil}, {"+Inf", Number, nil},
		{42.0, Text, "42"}, {true, Text, "true"}, {[]any{}, Text, nil},
		{"true", Boolean, true}, {"yes", Boolean, nil}, {1.0, Boolean, nil},
		{"2026-03-01", Date, "2026-03-01"}, {"2026-03-01T10:00:00.5+03:00", Date, "2026-03-01T10:00:00.5+03:00"}, {"2026-02-30", Date, nil}, {"1.3.2026", Date, nil}, {5.0, Date, nil},
	} {
		got, ok := coerce(tt.in, tt.to)
		if ok != (tt.want != nil) || ok && got != tt.want {
			t.Errorf("%v as %s: %v %v, want %v", tt.in, tt.to, got, ok, tt.want)
		}
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	two, five := 2.0, 5.0
	for _, tt := range []struct {
		d      Declaration
		v      any
		broken string
	}{
		{Declaration{Type: Number, Min: &two, Max: &five}, 3.0, ""},
		{Declaration{Type: Number, Min: &two}, 1.0, "must be at least 2"},
		{Declaration{Type: Number, Max: &five}, "6", "must be at most 5"},
		{Declaration{Type: Text, Min: &two}, "é", "must have a length of at least 2"},
		{Declaration{Type: Text, Max: &two}, "éé", ""},
		{Declaration{Type: List, Max: &two}, []any{1.0, 2.0, 3.0}, "must have a number of members of at most 2"},
		{Declaration{Type: Text, Allowed: []any{"a", "b"}}, "c", "must be one of the allowed values"},
		{Declaration{Type: List, Allowed: []any{"a", "b"}}, []any{"a", "b"}, ""},
		{Declaration{Type: List, Allowed: []any{"a", "b"}}, []any{"a", "c"}, "must be one of the allowed values"},
		{Declaration{Type: Text, Pattern: "[a-z]+"}, "abc", ""},
		{Declaration{Type: Text, Pattern: "[a-z]+"}, "abc1", "must match the pattern"},
		{Declaration{Type: Text, Pattern: "a|b"}, "ax", "must match the pattern"},
		{Declaration{Type: Object}, "x", "must be of the type object"},
		{Declaration{Type: Object}, nil, ""},
	} {
		r := Compile(map[string]Declaration{"t": tt.d}, nil).of("t")
		if _, broken := r.accept(tt.v); broken != tt.broken {
			t.Errorf("%+v takes %v: %q, want %q", tt.d, tt.v, broken, tt.broken)
		}
	}
}

func TestValidateDeclaration(t *testing.T) {
	t.Parallel()
	one, two, seven := 1.0, 2.0, 7.0
	for _, tt := range []struct {
		name  string
		key   string
		d     Declaration
		field string
	}{
		{"good", "age", Declaration{Type: Number, Min: &one, Max: &two}, ""},
		{"name", "first_name", Declaration{Type: Text}, "path.key"},
		{"type", "age", Declaration{Type: "integer"}, "type"},
		{"no type", "age", Declaration{}, "type"},
		{"bounds", "age", Declaration{Type: Number, Min: &two, Max: &one}, "max"},
		{"bounds of a date", "age", Declaration{Type: Date, Min: &two}, "min"},
		{"pattern", "age", Declaration{Type: Text, Pattern: "("}, "pattern"},
		{"pattern of a number", "age", Declaration{Type: Number, Pattern: "1"}, "pattern"},
		{"allowed", "age", Declaration{Type: Number, Allowed: []any{"x"}}, "allowed[0]"},
		{"confidence", "age", Declaration{Type: Number, DefaultConfidence: &seven}, "confidence"},
		{"survivorship", "age", Declaration{Type: Number, Survivorship: "first"}, "survivorship"},
		{"trusted without sources", "age", Declaration{Type: Number, Survivorship: Trusted}, "sources"},
		{"sources without trusted", "age", Declaration{Type: Number, Sources: []string{"crm"}}, "sources"},
		{"twice", "age", Declaration{Type: Number, Survivorship: Trusted, Sources: []string{"crm", "crm"}}, "sources[1]"},
		{"blank", "age", Declaration{Type: Number, Survivorship: Trusted, Sources: []string{" "}}, "sources[0]"},
	} {
		err := ValidateDeclaration(t.Context(), tt.key, &tt.d)
		switch {
		case tt.field == "" && (err != nil || tt.d.Survivorship != Recent):
			t.Errorf("%s: %v", tt.name, err)
		case tt.field != "" && (err == nil || !strings.Contains(err.Error(), tt.field+" ")):
			t.Errorf("%s: %v, want %s", tt.name, err, tt.field)
		}
	}
}
