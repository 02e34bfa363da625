package feeds

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readXML reads the elements item (RSS) or entry (Atom), wherever they are.
func readXML(r io.Reader, each func(Row) error) error {
	limited := &bounded{in: r}
	d := xml.NewDecoder(limited)
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("the feed is in %s, want UTF-8", charset)
	}
	root := false
	for number := 1; ; {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && root {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return errors.New("the feed is empty")
		}
		if err != nil {
			return xmlProblem(number, err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		root = true
		if start.Name.Local != "item" && start.Name.Local != "entry" {
			continue
		}
		row := Row{Number: number, Values: map[string]any{}}
		if err := product(d, row.Values); err != nil {
			return xmlProblem(number, err)
		}
		limited.used = 0
		if err := each(row); err != nil {
			return err
		}
		number++
	}
}

func xmlProblem(number int, err error) error {
	if errors.Is(err, errLong) {
		return fmt.Errorf("product %d %s", number, tooLong)
	}
	return fmt.Errorf("product %d: %w", number, err)
}

// product reads the children of an element up to its end. A name that comes again makes
// a list; what is nested is joined to text.
func product(d *xml.Decoder, values map[string]any) error {
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			var text strings.Builder
			if err := inner(d, &text); err != nil {
				return err
			}
			value := strings.TrimSpace(text.String())
			if value == "" && t.Name.Local == "link" {
				for _, a := range t.Attr { // Atom has the address in an attribute
					if a.Name.Local == "href" {
						value = a.Value
					}
				}
			}
			if value == "" {
				continue
			}
			switch before := values[t.Name.Local].(type) {
			case nil:
				values[t.Name.Local] = value
			case []any:
				values[t.Name.Local] = append(before, value)
			default:
				values[t.Name.Local] = []any{before, value}
			}
		}
	}
}

func inner(d *xml.Decoder, text *strings.Builder) error {
	for depth := 1; depth > 0; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth--; depth > 0 {
				text.WriteByte(' ')
			}
		case xml.CharData:
			text.Write(t)
		}
	}
	return nil
}
