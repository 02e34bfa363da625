package postgres

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

const (
	maxLogLine  = 4096 // bytes of a line that are kept
	keptLogLine = 8    // lines that an error can quote
)

// serverLog passes what a server writes on to a logger, line by line, and keeps the last
// lines for the error of a server that ends unexpectedly.
type serverLog struct {
	logger *slog.Logger

	mu      sync.Mutex
	partial []byte
	lines   []string
}

func newServerLog(logger *slog.Logger) *serverLog {
	return &serverLog{logger: logger}
}

// Write takes output in any portions; it never fails, since a full log is no reason to
// stop a server.
func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, complete := bytes.Cut(rest, []byte("\n"))
		if room := maxLogLine - len(l.partial); room > 0 {
			l.partial = append(l.partial, line[:min(room, len(line))]...)
		}
		if !complete {
			break
		}
		l.finish(string(bytes.TrimRight(l.partial, "\r")))
		l.partial = l.partial[:0]
		rest = after
	}
	return len(p), nil
}

func (l *serverLog) finish(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if len(l.lines) == keptLogLine {
		l.lines = append(l.lines[:0], l.lines[1:]...)
	}
	l.lines = append(l.lines, line)
	severity, message, found := strings.Cut(line, ":  ")
	if !found {
		severity, message = "", line
	}
	l.logger.Log(context.Background(), serverLogLevel(severity), message, "severity", severity)
}

// serverLogLevel maps a server's severity to ours. What Postgres calls LOG is its
// ordinary progress; an ERROR is a client's failed statement, which the client reports.
func serverLogLevel(severity string) slog.Level {
	switch severity {
	case "WARNING":
		return slog.LevelWarn
	case "PANIC":
		return slog.LevelError
	default:
		return slog.LevelDebug
	}
}

// tail returns the last complete lines, oldest first.
func (l *serverLog) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// contains reports whether one of the last lines holds text.
func (l *serverLog) contains(text string) bool {
	for _, line := range l.tail() {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}
