package clickhouse

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Codes of ClickHouse's errors that this package gives or translates.
const (
	codeBadArguments   = 36
	codeSyntax         = 62
	codeCannotOpenFile = 76
	codeUnknownSetting = 115
	codeReadonly       = 164
	codeTooManyQueries = 202
	codeCancelled      = 394
	codeTooManyRows    = 396
	codeAccessDenied   = 497
	codeAuthentication = 516
)

// exception is an error of the engine, with ClickHouse's number for it. On its
// way through clickhouse-go it becomes a *clickhouse.Exception.
type exception struct {
	code int
	text string // "Code: 60. DB::Exception: ..."
}

func (e *exception) Error() string { return e.text }

// newException words an error of this package like one of the engine.
func newException(code int, format string, args ...any) *exception {
	return &exception{code: code, text: fmt.Sprintf("Code: %d. DB::Exception: %s", code, fmt.Sprintf(format, args...))}
}

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\.`)

// parseException reads the text of an error that the library gave.
func parseException(text string) *exception {
	if i := strings.Index(text, "\n\nStack trace"); i > 0 {
		text = text[:i]
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, "Error: "))
	e := &exception{text: text}
	if m := exceptionCode.FindStringSubmatch(text); m != nil {
		e.code, _ = strconv.Atoi(m[1])
	}
	return e
}

// status is the HTTP status that ClickHouse's interface gives for the error.
func (e *exception) status() int {
	switch e.code {
	case codeAuthentication:
		return http.StatusUnauthorized
	case codeReadonly, codeAccessDenied:
		return http.StatusForbidden
	case codeTooManyQueries:
		return http.StatusServiceUnavailable
	case 46, 47, 60, 81: // unknown function, identifier, table, database
		return http.StatusNotFound
	case 159, 160: // timeout exceeded, too slow
		return http.StatusRequestTimeout
	case 26, 27, 33, 38, 41, 53, 70, 72, codeBadArguments, codeSyntax, codeUnknownSetting, 42, 43, 44, 386, 456, 457:
		return http.StatusBadRequest
	case 48: // not implemented
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}
