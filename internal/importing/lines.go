package importing

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// textLine is one line of a file without its end. Of a line that is too long
// only the beginning is kept.
type textLine struct {
	text    string
	number  int64
	tooLong bool
}

// lineReader reads lines of at most [MaxLine] bytes.
type lineReader struct {
	in     *bufio.Reader
	number int64
}

func (r *lineReader) read() (textLine, error) {
	var line []byte
	l := textLine{number: r.number + 1}
	for {
		part, err := r.in.ReadSlice('\n')
		if !l.tooLong {
			line = append(line, part...)
		}
		if len(bytes.TrimRight(line, "\r\n")) > MaxLine {
			l.tooLong, line = true, line[:maxShown]
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return l, err
		}
		if err != nil && len(line) == 0 {
			return l, io.EOF
		}
		r.number++
		l.text = string(bytes.TrimRight(line, "\r\n"))
		return l, nil
	}
}

// ndjsonRows reads one JSON object a line.
type ndjsonRows struct{ in *lineReader }

func (n ndjsonRows) next() (*Row, error) {
	for {
		l, err := n.in.read()
		if err != nil {
			return nil, err
		}
		row := &Row{Line: l.number, raw: l.text, object: map[string]any{}}
		if l.tooLong {
			return nil, &BadRow{*row, fmt.Sprintf("longer than %d bytes", MaxLine)}
		}
		content := bytes.TrimSpace([]byte(l.text))
		if len(content) == 0 {
			continue
		}
		if !utf8.Valid(content) {
			return nil, &BadRow{*row, notText}
		}
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber() // an id of 20 digits must stay what it is
		if err := decoder.Decode(&row.object); err != nil || row.object == nil {
			row.object = map[string]any{}
			return nil, &BadRow{*row, "not a JSON object"}
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return nil, &BadRow{*row, "more than one JSON value in the line"}
		}
		return row, nil
	}
}
