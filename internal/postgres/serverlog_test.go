package postgres

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestServerLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := newServerLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, portion := range []string{"LOG:  star", "ting\nWARN", "ING:  odd\r\n\n", strings.Repeat("x", 2*maxLogLine), "\nhalf"} {
		if n, err := log.Write([]byte(portion)); n != len(portion) || err != nil {
			t.Errorf("Write(%d bytes) = %d, %v", len(portion), n, err)
		}
	}
	want := []string{"LOG:  starting", "WARNING:  odd", strings.Repeat("x", maxLogLine)}
	if got := log.tail(); !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	for _, part := range []string{"level=DEBUG msg=starting", "level=WARN msg=odd"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the log does not hold %q", part)
		}
	}
	for range 20 {
		_, _ = log.Write([]byte("again\n"))
	}
	if got := log.tail(); len(got) != keptLogLine {
		t.Errorf("%d lines are kept, want %d", len(got), keptLogLine)
	}
}
