package experiments

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// literal quotes a string for ClickHouse. Names of events and properties come
// from definitions, so every byte that could end the literal is escaped.
func literal(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, "\\x%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// momentLiteral is a moment in the log's resolution of a millisecond.
func momentLiteral(t time.Time) string {
	return "fromUnixTimestamp64Milli(" + strconv.FormatInt(t.UnixMilli(), 10) + ", 'UTC')"
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
