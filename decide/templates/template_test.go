package templates

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"quintet/internal/problem"
)

func sound() Template {
	return Template{
		Default:   "en",
		Variables: map[string]Variable{"name": {From: "trait:firstName", Default: "friend"}, "discount": {From: "offer:discount"}, "items": {From: "items"}},
		Locales: map[string]Content{
			"en": {Subject: "Hello {{.name}}", Text: "{{.discount}} off{{if .name}}, {{.name}}{{end}}: {{range .items}}{{.name}} {{.price}};{{end}}", HTML: `<a href="{{.unsubscribeUrl}}" title="{{.name}}">{{.name}}</a>{{range .items}}<a href="{{.url}}">{{.name}}</a>{{end}}`},
			"ru": {Subject: "Привет, {{.name}}", Text: "Скидка {{.discount}}"},
		},
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	tm := sound()
	if err := Validate(t.Context(), "x", &tm); err != nil {
		t.Fatal(err)
	}
	c, err := Compile(&tm)
	if err != nil {
		t.Fatal(err)
	}
	v := &Values{
		Traits: map[string]any{"firstName": "<script>\r\nBcc: x"}, Offer: map[string]any{"discount": 10.5}, Unsubscribe: "https://shop.example/u/1",
		Items: []Item{{Name: "Lamp", Price: "9", URL: "javascript:alert(1)"}},
	}
	got, err := c.Render("en-GB", v)
	if err != nil {
		t.Fatal(err)
	}
	if got.Locale != "en" || got.Subject != "Hello <script> Bcc: x" || !strings.Contains(got.Text, "10.5 off") || !strings.Contains(got.Text, "Lamp 9;") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(got.HTML, "<script>") || strings.Contains(got.HTML, "javascript:") || !strings.Contains(got.HTML, `href="https://shop.example/u/1"`) {
		t.Error(got.HTML)
	}
	if got, err = c.Render("ru_RU", &Values{Offer: v.Offer}); err != nil || got.Subject != "Привет, friend" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = c.Render("ja", v); err != nil || got.Locale != "en" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Render("en", &Values{}); !errors.Is(err, ErrMissing) {
		t.Errorf("a missing value: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{.nobody}}":                                    "unknown variable .nobody",
		"{{range .items}}{{.cost}}{{end}}":               "unknown variable .cost",
		"{{range .name}}x{{end}}":                        "range over .items only",
		"{{printf .name}}":                               "values only",
		"{{.name.x}}":                                    "values only",
		"{{$x := .name}}":                                "values only",
		"{{with .name}}{{.}}{{end}}":                     "values, if and range only",
		"{{define \"a\"}}{{.nobody}}{{end}}":             "must not define",
		"{{template \"a\"}}":                             "values, if and range only",
		"{{.name":                                        "must be a template",
		"{{if .nobody}}x{{end}}":                         "unknown variable .nobody",
		"{{if .name}}x{{else}}{{.other}}{{end}}":         "unknown variable .other",
		"{{range .items}}{{range .items}}{{end}}{{end}}": "unknown variable .items",
	} {
		tm := sound()
		for _, field := range []func(*Content){func(c *Content) { c.Text = text }, func(c *Content) { c.HTML = text }, func(c *Content) { c.Subject = text }} {
			c := Content{Text: "x"}
			field(&c)
			tm.Locales["en"] = c
			err := Validate(t.Context(), "x", &tm)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "locales.en") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	tm := sound()
	tm.Default, tm.Variables = "de", map[string]Variable{"a-b": {From: "trait:x"}, "x": {From: "shell:y"}}
	tm.Locales["zz-zz-zz"] = Content{Text: "x"}
	var bad problem.Invalid
	if err := Validate(t.Context(), "x", &tm); !errors.As(err, &bad) {
		t.Fatal(err)
	}
	for _, want := range []string{"defaultLocale", "variables.a-b", "variables.x.from", "locales.zz-zz-zz"} {
		if !slices.ContainsFunc(bad, func(f problem.Field) bool { return f.Field == want }) {
			t.Errorf("%s is not named: %v", want, bad)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("{{.name}}", "<a href='{{.name}}'>")
	f.Add("{{range .items}}{{.name}}{{end}}", "<script>{{.name}}</script>")
	f.Fuzz(func(t *testing.T, text, html string) {
		tm := Template{Default: "en", Variables: map[string]Variable{"name": {From: "trait:name"}, "items": {From: "items"}}, Locales: map[string]Content{"en": {Text: text, HTML: html}}}
		if Validate(t.Context(), "x", &tm) != nil {
			return
		}
		c, err := Compile(&tm)
		if err != nil {
			t.Fatalf("what is valid does not compile: %v", err)
		}
		if _, err := c.Render("en", &Values{Traits: map[string]any{"name": "n"}, Items: []Item{{Name: "i"}}, Unsubscribe: "https://example.org/"}); err != nil {
			t.Fatalf("what is valid does not render: %v", err)
		}
	})
}
