package feeds

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// separator is the character of those between columns that the header has most of.
func separator(header string) rune {
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t', '|'} {
		if n := strings.Count(header, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

func readCSV(in *lines, each func(Row) error) error {
	first, long, err := in.next()
	if errors.Is(err, io.EOF) {
		return errors.New("the feed is empty")
	}
	if err != nil {
		return err
	}
	if wrong := wrongText(first, long); wrong != "" {
		return fmt.Errorf("the header %s", wrong)
	}
	comma := separator(first)
	header, err := parseCSV(first, comma)
	if err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if _, local, ok := strings.Cut(name, "g:"); ok && strings.HasPrefix(name, "g:") {
			name = local
		}
		if header[i] = name; name != "" && seen[name] {
			return fmt.Errorf("the header names the column %q twice", name)
		}
		seen[name] = true
	}
	for {
		text, long, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		number := in.number
		// A field in quotes goes on over ends of lines.
		for !long && strings.Count(text, `"`)%2 == 1 && len(text) <= MaxRow {
			more, longer, err := in.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			text, long = text+"\n"+more, longer
		}
		if strings.TrimSpace(text) == "" && !long {
			continue
		}
		row := Row{Number: number, Reject: wrongText(text, long || len(text) > MaxRow)}
		if row.Reject == "" {
			fields, err := parseCSV(text, comma)
			switch {
			case err != nil:
				row.Reject = err.Error()
			case len(fields) != len(header):
				row.Reject = fmt.Sprintf("has %d fields, the header %d", len(fields), len(header))
			default:
				row.Values = make(map[string]any, len(fields))
				for i, f := range fields {
					if header[i] != "" && f != "" {
						row.Values[header[i]] = f
					}
				}
			}
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

func parseCSV(text string, comma rune) ([]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord = comma, -1
	record, err := r.Read()
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return nil, parse.Err
	}
	return record, err
}

func readNDJSON(in *lines, each func(Row) error) error {
	for {
		text, long, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" && !long {
			continue
		}
		row := Row{Number: in.number, Reject: wrongText(text, long)}
		if row.Reject == "" {
			if err := json.Unmarshal([]byte(text), &row.Values); err != nil || row.Values == nil {
				row.Values, row.Reject = nil, "is not a JSON object"
			}
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// readJSON finds the list, at the top or in items or products, and reads it one element
// at a time.
func readJSON(r io.Reader, each func(Row) error) error {
	limited := &bounded{in: r}
	d := json.NewDecoder(limited)
	if err := toList(d); err != nil {
		return err
	}
	for number := 1; d.More(); number++ {
		limited.used = 0
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			if errors.Is(err, errLong) {
				return fmt.Errorf("element %d %s", number, tooLong)
			}
			return fmt.Errorf("element %d: %w", number, err)
		}
		row := Row{Number: number, Reject: wrongText(string(raw), len(raw) > MaxRow)}
		if row.Reject == "" {
			if err := json.Unmarshal(raw, &row.Values); err != nil || row.Values == nil {
				row.Values, row.Reject = nil, "is not a JSON object"
			}
		}
		if err := each(row); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("the list does not end: %w", err)
	}
	return nil
}

func toList(d *json.Decoder) error {
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		return errors.New("the feed is empty")
	}
	if err != nil {
		return fmt.Errorf("this is not JSON: %w", err)
	}
	if t == json.Delim('[') {
		return nil
	}
	if t != json.Delim('{') {
		return errors.New("want a list of objects, or an object with a list in items or products")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("this is not JSON: %w", err)
		}
		if name == "items" || name == "products" {
			if t, err = d.Token(); err == nil && t == json.Delim('[') {
				return nil
			}
			return fmt.Errorf("%s is not a list", name)
		}
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return fmt.Errorf("this is not JSON: %w", err)
		}
	}
	return errors.New("the object has no list in items or products")
}
