package templates

import (
	"context"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"golang.org/x/text/language"

	"quintet/internal/problem"
)

// Template is what a message says, by language.
type Template struct {
	Name string `json:"name,omitempty" maxLength:"200" doc:"Name shown in the console"`
	// Variables are what the texts may use, as {{.firstName}}.
	Variables map[string]Variable `json:"variables,omitempty" doc:"What the texts may use, by name, as {{.firstName}}"`
	// Default is the language of those for whom there is no better one.
	Default string             `json:"defaultLocale" maxLength:"35" doc:"Language of those in whose own there is no text, as in en"`
	Locales map[string]Content `json:"locales" doc:"The texts by language, BCP 47"`
}

// Variable is where a value comes from.
type Variable struct {
	From    string `json:"from" maxLength:"200" doc:"trait:NAME, attribute:NAME, offer:NAME, creative:FACTOR, context:NAME or items"`
	Default string `json:"default,omitempty" maxLength:"500" doc:"What stands for a missing value; without it the message is not sent"`
}

// Content are the texts of a language.
type Content struct {
	Subject string `json:"subject,omitempty" maxLength:"500" doc:"Subject of a mail, title of a push"`
	Text    string `json:"text,omitempty" maxLength:"50000"`
	HTML    string `json:"html,omitempty" maxLength:"200000"`
	URL     string `json:"url,omitempty" maxLength:"2000" doc:"Where a tap leads"`
	Image   string `json:"image,omitempty" maxLength:"2000"`
}

// Rendered is what somebody gets.
type Rendered struct {
	Locale string `json:"locale"`
	Content
}

// Values are what the variables of a template are filled from.
type Values struct {
	Traits, Attributes, Offer, Context map[string]any
	Creative                           map[string]string
	Items                              []Item
	// Unsubscribe is the address of the page on which no more is asked for.
	Unsubscribe string
}

// Item is one of a list, as {{range .items}}{{.name}}{{end}}.
type Item struct{ ID, Name, URL, Price, Image string }

const (
	maxVariables = 50
	maxLocales   = 50
	maxRendered  = 1 << 20
	// builtinUnsubscribe is there without a declaration.
	builtinUnsubscribe = "unsubscribeUrl"
	itemsVariable      = "items"
)

var (
	variableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
	sources      = []string{"trait", "attribute", "offer", "creative", "context"}
	itemFields   = []string{"id", "name", "url", "price", "image"}
)

// ErrMissing is the error of a value that is missing and has no default.
var ErrMissing = errors.New("a value is missing")

// Validate checks a template; it is a validator of definitions.
func Validate(_ context.Context, _ string, t *Template) error {
	var bad problem.Invalid
	t.validateVariables(&bad)
	if len(t.Locales) == 0 || len(t.Locales) > maxLocales {
		bad.Add("locales", fmt.Sprintf("must have 1 to %d languages", maxLocales), len(t.Locales))
	}
	if _, ok := t.Locales[t.Default]; !ok {
		bad.Add("defaultLocale", "must be one of the languages of locales", t.Default)
	}
	for locale, c := range t.Locales {
		if _, err := language.Parse(locale); err != nil {
			bad.Add("locales."+problem.Clip(locale), "must be a language of BCP 47 such as en or pt-BR", locale)
			continue
		}
		at := "locales." + locale
		if c.Text == "" && c.HTML == "" {
			bad.Add(at+".text", "is required, or html", nil)
		}
		for _, f := range c.fields() {
			if _, err := t.compile(f.name, *f.text); err != nil {
				bad.Add(at+"."+f.name, err.Error(), nil)
			}
		}
	}
	return bad.Err()
}

func (t *Template) validateVariables(bad *problem.Invalid) {
	if len(t.Variables) > maxVariables {
		bad.Add("variables", fmt.Sprintf("must have at most %d entries", maxVariables), len(t.Variables))
	}
	for name, v := range t.Variables {
		at := "variables." + problem.Clip(name)
		if !variableName.MatchString(name) || name == builtinUnsubscribe {
			bad.Add(at, "must begin with a letter and have letters, digits and underscores only, and not be "+builtinUnsubscribe, nil)
		}
		source, of, _ := strings.Cut(v.From, ":")
		switch {
		case v.From == itemsVariable:
			if name != itemsVariable {
				bad.Add(at+".from", "must not be items: the list is named items", v.From)
			}
		case name == itemsVariable || !slices.Contains(sources, source) || of == "":
			bad.Add(at+".from", "must be trait:NAME, attribute:NAME, offer:NAME, creative:FACTOR, context:NAME or, for items, items", v.From)
		}
	}
}

type contentField struct {
	name string
	text *string
}

func (c *Content) fields() []contentField {
	return []contentField{{"subject", &c.Subject}, {"text", &c.Text}, {"html", &c.HTML}, {"url", &c.URL}, {"image", &c.Image}}
}

// executor is a compiled text.
type executor interface {
	Execute(w *strings.Builder, data any) error
}

type textExecutor struct{ *template.Template }

func (x textExecutor) Execute(w *strings.Builder, data any) error {
	return x.Template.Execute(limited{w}, data)
}

type htmlExecutor struct{ *htmltemplate.Template }

func (x htmlExecutor) Execute(w *strings.Builder, data any) error {
	return x.Template.Execute(limited{w}, data)
}

// limited is a writer with a bound.
type limited struct{ w *strings.Builder }

func (l limited) Write(p []byte) (int, error) {
	if l.w.Len()+len(p) > maxRendered {
		return 0, fmt.Errorf("the text has more than %d bytes", maxRendered)
	}
	return l.w.Write(p)
}

// compile parses a text and refuses everything but values, conditions and lists.
func (t *Template) compile(field, text string) (executor, error) {
	parsed, err := template.New(field).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("must be a template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	if len(parsed.Templates()) > 1 {
		return nil, errors.New("must not define templates")
	}
	if parsed.Tree != nil && parsed.Root != nil {
		if err := t.check(parsed.Root, false); err != nil {
			return nil, err
		}
	}
	if field != "html" {
		return textExecutor{parsed}, nil
	}
	html, err := htmltemplate.New(field).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("must be a template: %w", err)
	}
	// Escaping is worked out when it is first executed: it is tried, so that it is
	// known now that the text is one in which values can stand safely.
	if err := html.Execute(limited{new(strings.Builder)}, t.sample()); err != nil {
		return nil, fmt.Errorf("must be HTML in which values can stand: %w", err)
	}
	// A copy of it cannot be made after that.
	html, err = htmltemplate.New(field).Option("missingkey=error").Parse(text)
	return htmlExecutor{html}, err
}

func (t *Template) sample() map[string]any {
	out := map[string]any{builtinUnsubscribe: "https://example.org/"}
	for name := range t.Variables {
		out[name] = "x"
	}
	out[itemsVariable] = []map[string]string{itemMap(&Item{ID: "x", Name: "x", URL: "https://example.org/", Price: "1", Image: "https://example.org/"})}
	return out
}

func (t *Template) check(n parse.Node, inItem bool) error {
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode:
		return nil
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, x := range n.Nodes {
			if err := t.check(x, inItem); err != nil {
				return err
			}
		}
		return nil
	case *parse.ActionNode:
		_, err := t.value(n.Pipe, inItem)
		return err
	case *parse.IfNode:
		if _, err := t.value(n.Pipe, inItem); err != nil {
			return err
		}
		return errors.Join(t.check(n.List, inItem), t.check(n.ElseList, inItem))
	case *parse.RangeNode:
		name, err := t.value(n.Pipe, inItem)
		if err != nil {
			return err
		}
		if inItem || name != itemsVariable {
			return errors.New("must range over .items only")
		}
		return errors.Join(t.check(n.List, true), t.check(n.ElseList, inItem))
	}
	return fmt.Errorf("must have values, if and range only, not %s", problem.Clip(n.String()))
}

// value is the variable of a pipeline, which must be nothing else.
func (t *Template) value(p *parse.PipeNode, inItem bool) (string, error) {
	if len(p.Decl) > 0 || len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return "", fmt.Errorf("must have values only, as {{.firstName}}, not %s", problem.Clip(p.String()))
	}
	f, ok := p.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(f.Ident) != 1 {
		return "", fmt.Errorf("must have values only, as {{.firstName}}, not %s", problem.Clip(p.String()))
	}
	name := f.Ident[0]
	if inItem {
		if !slices.Contains(itemFields, name) {
			return "", fmt.Errorf("has the unknown variable .%s: an item has %s", problem.Clip(name), strings.Join(itemFields, ", "))
		}
		return name, nil
	}
	if _, declared := t.Variables[name]; !declared && name != builtinUnsubscribe {
		return "", fmt.Errorf("has the unknown variable .%s: declare it under variables", problem.Clip(name))
	}
	return name, nil
}
