package interactions

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Columns says where a file has what. Names are those of the header; without a header
// they are numbers from 1 on.
type Columns struct {
	Person, Item string
	// Weight is 1 for every row when empty.
	Weight string
	// Time is a number of seconds since 1970, an RFC 3339 time, or a date with or
	// without a time of day in UTC. The order of the rows stands for it when empty.
	Time string
}

// Format of a file of interactions.
type Format struct {
	Columns
	// Separator between fields; a comma when 0.
	Separator rune
	// Headless files have no names in their first row.
	Headless bool
}

// MovieLens is the format of the files u.data, ua.base and the like.
func MovieLens() Format {
	return Format{Columns: Columns{Person: "1", Item: "2", Weight: "3", Time: "4"}, Separator: '\t', Headless: true}
}

// maxLine bounds a line, so that a file without line ends is refused instead of read
// into memory.
const maxLine = 1 << 20

// Read adds the rows of a file to a builder and says how many. The first row that is
// wrong is an error that names its line, unless reject is given: then it is told and
// passed over.
func Read(r io.Reader, f Format, into *Builder, reject func(line int, err error)) (int, error) {
	if f.Separator == 0 {
		f.Separator = ','
	}
	in := csv.NewReader(&boundedLines{r: bufio.NewReader(r)})
	in.Comma, in.ReuseRecord, in.FieldsPerRecord, in.LazyQuotes = f.Separator, true, -1, f.Separator == '\t'
	var at struct{ person, item, weight, time int }
	var header []string
	if !f.Headless {
		first, err := in.Read()
		if err != nil {
			return 0, fmt.Errorf("reading the header: %w", err)
		}
		header = append(header, first...)
		if len(header) > 0 {
			header[0] = strings.TrimPrefix(header[0], "\ufeff")
		}
	}
	for _, c := range []struct {
		name     string
		to       *int
		optional bool
	}{{f.Person, &at.person, false}, {f.Item, &at.item, false}, {f.Weight, &at.weight, true}, {f.Time, &at.time, true}} {
		var err error
		if *c.to, err = column(c.name, header, c.optional); err != nil {
			return 0, err
		}
	}
	added := 0
	for row := int64(0); ; row++ {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return added, nil
		}
		var parse *csv.ParseError
		line := 0
		switch {
		case errors.As(err, &parse):
			line = parse.Line // of what cannot be read there may be no field
		case len(fields) > 0:
			line, _ = in.FieldPos(0)
		}
		if err != nil && parse == nil {
			return added, fmt.Errorf("reading line %d: %w", line, err)
		}
		if err == nil {
			err = add(fields, at.person, at.item, at.weight, at.time, row, into)
		}
		switch {
		case err == nil:
			added++
		case reject == nil:
			return added, fmt.Errorf("line %d: %w", line, err)
		default:
			reject(line, err)
		}
	}
}

func column(name string, header []string, optional bool) (int, error) {
	if name == "" && optional {
		return -1, nil
	}
	for i, h := range header {
		if strings.TrimSpace(h) == name {
			return i, nil
		}
	}
	if n, err := strconv.Atoi(name); header == nil && err == nil && n >= 1 {
		return n - 1, nil
	}
	return 0, fmt.Errorf("there is no column %q in the header %q", name, header)
}

func add(fields []string, person, item, weight, at int, row int64, into *Builder) (err error) {
	if most := max(person, item, weight, at); most >= len(fields) {
		return fmt.Errorf("there are %d fields, column %d is missing", len(fields), most+1)
	}
	w, when := 1.0, row
	if weight >= 0 {
		if w, err = strconv.ParseFloat(strings.TrimSpace(fields[weight]), 64); err != nil {
			return fmt.Errorf("weight %q is not a number", clip(fields[weight]))
		}
	}
	if at >= 0 {
		if when, err = moment(strings.TrimSpace(fields[at])); err != nil {
			return err
		}
	}
	// Cloned, as a record is used again and shares its memory.
	return into.Add(strings.Clone(fields[person]), strings.Clone(fields[item]), w, when)
}

func moment(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Unix(), nil
		}
	}
	return 0, fmt.Errorf("time %q is neither seconds since 1970 nor like 2026-11-22T10:00:00Z", clip(text))
}

func clip(text string) string { return text[:min(len(text), 60)] }

// boundedLines fails at a line that is longer than maxLine.
type boundedLines struct {
	r    io.Reader
	line int
}

func (b *boundedLines) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	for _, c := range p[:n] {
		b.line++
		if c == '\n' {
			b.line = 0
		}
		if b.line > maxLine {
			return 0, fmt.Errorf("a line has more than %d bytes", maxLine)
		}
	}
	return n, err
}
