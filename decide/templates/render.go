package templates

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// Compiled is a template ready for use; it may be used by several goroutines.
type Compiled struct {
	template *Template
	matcher  language.Matcher
	locales  []string // parallel to the matcher's; the default comes first
	texts    map[string]map[string]executor
}

// Compile prepares a template that [Validate] found right.
func Compile(t *Template) (*Compiled, error) {
	c := &Compiled{template: t, texts: map[string]map[string]executor{}}
	for locale := range t.Locales {
		c.locales = append(c.locales, locale)
	}
	sort.Slice(c.locales, func(i, j int) bool {
		if (c.locales[i] == t.Default) != (c.locales[j] == t.Default) {
			return c.locales[i] == t.Default
		}
		return c.locales[i] < c.locales[j]
	})
	tags := make([]language.Tag, len(c.locales))
	for i, locale := range c.locales {
		tag, err := language.Parse(locale)
		if err != nil {
			return nil, fmt.Errorf("the language %s: %w", locale, err)
		}
		tags[i] = tag
		content, texts := t.Locales[locale], map[string]executor{}
		for _, f := range content.fields() {
			if *f.text == "" {
				continue
			}
			if texts[f.name], err = t.compile(f.name, *f.text); err != nil {
				return nil, fmt.Errorf("%s of %s %w", f.name, locale, err)
			}
		}
		c.texts[locale] = texts
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

// Locale is the language of the template nearest to one that a person reads.
func (c *Compiled) Locale(wanted string) string {
	tag, err := language.Parse(strings.ReplaceAll(wanted, "_", "-"))
	if wanted == "" || err != nil {
		return c.locales[0]
	}
	_, i, confidence := c.matcher.Match(tag)
	if confidence == language.No {
		return c.locales[0]
	}
	return c.locales[i]
}

// Render writes a message in the language nearest to the wanted one. A value that is
// missing and has no default is [ErrMissing].
func (c *Compiled) Render(wanted string, v *Values) (Rendered, error) {
	out := Rendered{Locale: c.Locale(wanted)}
	data, err := c.data(v)
	if err != nil {
		return out, err
	}
	for _, f := range out.fields() {
		x := c.texts[out.Locale][f.name]
		if x == nil {
			continue
		}
		var b strings.Builder
		if err := x.Execute(&b, data); err != nil {
			return out, fmt.Errorf("writing %s: %w", f.name, err)
		}
		*f.text = b.String()
	}
	out.Subject = strings.Join(strings.Fields(out.Subject), " ") // no header is begun by a value
	out.URL, out.Image = webAddress(out.URL), webAddress(out.Image)
	return out, nil
}

// webAddress is an address of the web, "" for anything else.
func webAddress(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}

func (c *Compiled) data(v *Values) (map[string]any, error) {
	data := map[string]any{builtinUnsubscribe: v.Unsubscribe}
	for name, variable := range c.template.Variables {
		if variable.From == itemsVariable {
			items := make([]map[string]string, len(v.Items))
			for i := range v.Items {
				items[i] = itemMap(&v.Items[i])
			}
			data[name] = items
			continue
		}
		text := v.of(variable.From)
		if text == "" {
			if text = variable.Default; text == "" {
				return nil, fmt.Errorf("%w: %s", ErrMissing, name)
			}
		}
		data[name] = text
	}
	return data, nil
}

func itemMap(i *Item) map[string]string {
	return map[string]string{"id": i.ID, "name": i.Name, "url": i.URL, "price": i.Price, "image": i.Image}
}

// of is a value as a text.
func (v *Values) of(from string) string {
	source, name, _ := strings.Cut(from, ":")
	if source == "creative" {
		return v.Creative[name]
	}
	maps := []map[string]any{v.Traits, v.Attributes, v.Offer, v.Context}
	i := slices.Index([]string{"trait", "attribute", "offer", "context"}, source)
	if i < 0 {
		return ""
	}
	switch x := maps[i][name].(type) {
	case nil:
		return ""
	case string:
		return strings.ToValidUTF8(strings.ReplaceAll(x, "\x00", ""), "")
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(x)
	default:
		text, err := json.Marshal(x)
		if err != nil {
			return ""
		}
		return string(text)
	}
}
