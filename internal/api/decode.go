package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sync"
	"unicode/utf8"

	"quintet/internal/problem"
)

// MaxDepth bounds how deeply arrays and objects of a body may be nested.
const MaxDepth = 64

// DecodeOption changes how JSON is read.
type DecodeOption func(*decodeSettings)

type decodeSettings struct{ refuseUnknown bool }

// RefuseUnknown makes a field that the Go type does not have an error that
// names it. Without it such fields are ignored.
func RefuseUnknown() DecodeOption {
	return func(s *decodeSettings) { s.refuseUnknown = true }
}

// maxPooled bounds the buffers that are kept for the next request.
const maxPooled = 1 << 20

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// DecodeJSON reads the body of r, one JSON value of at most limit bytes, into v.
// What it returns is a problem: 413 for a body over the limit, 400 with the
// path, line and column for one that is no JSON, 422 that names every field whose
// value does not fit v. The Content-Type is not looked at: browsers send
// events as text/plain when a page closes.
func DecodeJSON(r *http.Request, limit int64, v any, options ...DecodeOption) error {
	pooled := buffers.Get().(*[]byte)
	data, err := readBody(r, limit, *pooled)
	if err == nil {
		err = UnmarshalJSON(data, v, options...)
	}
	if cap(data) <= maxPooled {
		// Nothing keeps a part of the buffer: encoding/json copies what it decodes.
		*pooled = data[:0]
		buffers.Put(pooled)
	}
	return err
}

// UnmarshalJSON is [DecodeJSON] for a body that has been read.
func UnmarshalJSON(data []byte, v any, options ...DecodeOption) error {
	var settings decodeSettings
	for _, o := range options {
		o(&settings)
	}
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		return &problem.Error{
			Status: http.StatusBadRequest, Detail: "The request needs a JSON body.",
			Fields: problem.Invalid{{Field: "body", Rule: "must be a JSON value"}},
		}
	}
	if !utf8.Valid(data) {
		return malformed(data, invalidUTF8(data), "is not UTF-8")
	}
	if tooDeep(data) {
		return problem.Invalid{{Field: "body", Rule: fmt.Sprintf("must be nested at most %d levels deep", MaxDepth)}}
	}
	err := unmarshal(data, v, settings)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return malformed(data, int(syntax.Offset), syntax.Error())
	}
	if !json.Valid(data) {
		// A decoder of v's own can fail before the rest of the body has been read.
		return UnmarshalJSON(data, new(any))
	}
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return fmt.Errorf("decoding JSON into a %T: %w", v, err)
	}
	if found := locate(data, t.Elem(), settings.refuseUnknown); len(found) > 0 {
		return found
	}
	return problem.Invalid{{Field: "body", Rule: err.Error()}}
}

func unmarshal(data []byte, v any, settings decodeSettings) error {
	if !settings.refuseUnknown {
		return json.Unmarshal(data, v)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return json.Unmarshal(data, new(any)) // the same failure as a syntax error with its place
		}
		return err
	}
	if decoder.InputOffset() == int64(len(data)) {
		return nil
	}
	return json.Unmarshal(data, new(json.RawMessage)) // refuses what follows the value
}

// malformed is the 400 of a body that breaks off being JSON at offset.
func malformed(data []byte, offset int, message string) error {
	path, line, column := placeOf(data, offset)
	return &problem.Error{
		Status: http.StatusBadRequest,
		Detail: fmt.Sprintf("The body is not valid JSON: %s at line %d, column %d (byte %d).", message, line, column, offset),
		Fields: problem.Invalid{{
			Field: problem.Clip(path),
			Rule:  fmt.Sprintf("must be valid JSON: %s (line %d, column %d)", message, line, column),
		}},
	}
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i + 1
		}
		i += size
	}
	return len(data)
}

// tooDeep says whether brackets are nested more than MaxDepth deep. It counts
// the opening ones first, which is many times quicker than reading the text and
// settles the question for nearly every request.
func tooDeep(data []byte) bool {
	if bytes.Count(data, []byte{'{'})+bytes.Count(data, []byte{'['}) <= MaxDepth {
		return false
	}
	depth := 0
	inString := false
	for i := 0; i < len(data); i++ {
		c := data[i]
		if inString {
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
			continue
		}
		switch c {
		case '"':
			inString = true
		case '{', '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}
