package importing

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// notText is the reason for a row in an encoding that nobody declared.
const notText = "not UTF-8: set encoding in the mapping, such as windows-1251"

// csvRows reads records of RFC 4180 and goes on behind bad ones. A reader of the
// standard library would take everything behind a quotation mark that is not
// closed for one field; here only the line with the mark is lost.
type csvRows struct {
	in      *lineReader
	comma   rune
	columns map[string]int
	ahead   []textLine // lines that were read on trial and stand for themselves
}

// open reads the header.
func (c *csvRows) open() (header []string, err error) {
	first, err := c.next()
	var bad *BadRow
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty: a header with the names of the columns is expected")
	case errors.As(err, &bad):
		return nil, fmt.Errorf("the header is bad: %s", bad.Reason)
	case err != nil:
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	c.columns = make(map[string]int, len(first.cells))
	for i, name := range first.cells {
		name = strings.TrimSpace(name)
		if _, twice := c.columns[name]; twice {
			return nil, fmt.Errorf("the header has the column %q twice", name)
		}
		c.columns[name], first.cells[i] = i, name
	}
	return first.cells, nil
}

func (c *csvRows) line() (textLine, error) {
	if len(c.ahead) > 0 {
		l := c.ahead[0]
		c.ahead = c.ahead[1:]
		return l, nil
	}
	return c.in.read()
}

func (c *csvRows) next() (*Row, error) {
	first, err := c.line()
	for err == nil && first.text == "" && !first.tooLong {
		first, err = c.line()
	}
	if err != nil {
		return nil, err
	}
	row := &Row{Line: first.number, columns: c.columns, raw: first.text}
	refuse := func(format string, args ...any) (*Row, error) {
		return nil, &BadRow{*row, fmt.Sprintf(format, args...)}
	}
	if first.tooLong {
		return refuse("longer than %d bytes", MaxLine)
	}
	if !strings.Contains(first.text, `"`) {
		row.cells = strings.Split(first.text, string(c.comma))
	} else {
		record, taken, reason, err := c.quoted(first)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			c.ahead = append(taken, c.ahead...)
			return refuse("not a row of CSV: %s", reason)
		}
		row.cells, row.raw = record, rawOf(first, taken)
	}
	if !utf8.ValidString(row.raw) {
		return refuse(notText)
	}
	if c.columns != nil && len(row.cells) != len(c.columns) {
		return refuse("has %d fields, the header has %d", len(row.cells), len(c.columns))
	}
	return row, nil
}

// quoted reads a record with quotation marks, which may go over several lines.
// taken are the lines behind the first that it read; where there is a reason not
// to take the record, they stand for themselves.
func (c *csvRows) quoted(first textLine) (record []string, taken []textLine, reason string, err error) {
	if record, err = c.parse(first.text); err == nil {
		return record, nil, "", nil
	}
	if open := strings.Count(first.text, `"`)%2 == 1; !open || errors.Is(err, csv.ErrBareQuote) {
		return nil, nil, shortReason(err), nil
	}
	size, marks := len(first.text), strings.Count(first.text, `"`)
	for marks%2 == 1 {
		l, err := c.line()
		if errors.Is(err, io.EOF) {
			return nil, taken, "a quotation mark is not closed", nil
		}
		if err != nil {
			return nil, nil, "", err
		}
		taken = append(taken, l)
		if size += len(l.text) + 1; l.tooLong || size > MaxLine {
			return nil, taken, fmt.Sprintf("a quotation mark is not closed within %d bytes", MaxLine), nil
		}
		marks += strings.Count(l.text, `"`)
	}
	if record, err = c.parse(rawOf(first, taken)); err != nil {
		return nil, taken, shortReason(err), nil
	}
	return record, taken, "", nil
}

func (c *csvRows) parse(text string) ([]string, error) {
	in := csv.NewReader(strings.NewReader(text))
	in.Comma = c.comma
	record, err := in.Read()
	if err != nil {
		return nil, err
	}
	return record, nil
}

func shortReason(err error) string {
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return bad.Err.Error()
	}
	return err.Error()
}

func rawOf(first textLine, taken []textLine) string {
	if len(taken) == 0 {
		return first.text
	}
	var b strings.Builder
	b.WriteString(first.text)
	for _, l := range taken {
		b.WriteByte('\n')
		b.WriteString(l.text)
	}
	return b.String()
}
