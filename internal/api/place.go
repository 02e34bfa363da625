package api

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"quintet/internal/problem"
)

// maxPath bounds a path, in bytes.
const maxPath = 500

// level is one open array or object of a text.
type level struct {
	array bool
	index int
	key   string
}

// placeOf is where an offset lies in a text that is JSON up to there: the path of
// the value that begins or goes on there, and line and column, from one.
// Offset counts the bytes up to and including the wrong one, as encoding/json does.
func placeOf(data []byte, offset int) (path string, line, column int) {
	end := min(max(offset-1, 0), len(data))
	line, start := 1, 0
	for i, c := range data[:end] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	return pathAt(data, end), line, utf8.RuneCount(data[start:end]) + 1
}

func pathAt(data []byte, end int) string {
	var open []level
	wantKey := false
	for i := 0; i < end; i++ {
		switch data[i] {
		case '{':
			open = append(open, level{})
			wantKey = true
		case '[':
			open = append(open, level{array: true})
			wantKey = false
		case '}', ']':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
			wantKey = false
		case ',':
			if len(open) > 0 {
				top := &open[len(open)-1]
				top.index++
				top.key = ""
				wantKey = !top.array
			}
		case '"':
			stop := i + 1
			for stop < end && data[stop] != '"' {
				if data[stop] == '\\' {
					stop++
				}
				stop++
			}
			if wantKey && stop < end {
				// A key that does not decode keeps the path of its object.
				_ = json.Unmarshal(data[i:stop+1], &open[len(open)-1].key)
				wantKey = false
			}
			i = stop
		}
	}
	path := "body"
	for _, l := range open {
		switch {
		case l.array:
			path += "[" + strconv.Itoa(l.index) + "]"
		case l.key != "":
			path = problem.Join(path, member(l.key))
		}
		if len(path) > maxPath {
			break
		}
	}
	return path
}
