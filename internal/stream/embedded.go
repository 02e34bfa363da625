package stream

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// MaxMessage is the largest message in bytes that the embedded server takes.
const MaxMessage = 8 << 20

const (
	// embeddedMaxStore only lifts JetStream's own guess, three quarters of the free disk at start: each
	// topic has its own limit, and a guess that shrinks as the disk fills would refuse to open a stream
	// that was there yesterday.
	embeddedMaxStore  = 1 << 50
	embeddedMaxMemory = 256 << 20
	// embeddedSync is how often the server calls fsync in the background. A killed process loses nothing,
	// as each message is handed to the operating system before it is acknowledged; a machine that loses
	// power can lose this much, unless SyncAlways is set.
	embeddedSync = 10 * time.Second // publishers wait while it runs: tens of milliseconds on a busy disk
	readyTimeout = 30 * time.Second
)

// startEmbedded starts a JetStream server inside this process. It listens on no port.
func startEmbedded(o Options) (*server.Server, error) {
	if o.DataDir == "" {
		return nil, fmt.Errorf("starting embedded nats-server: DataDir is empty and no URL is set")
	}
	srv, err := server.NewServer(&server.Options{
		ServerName:         "quintet",
		DontListen:         true,
		JetStream:          true,
		StoreDir:           o.DataDir,
		JetStreamMaxStore:  embeddedMaxStore,
		JetStreamMaxMemory: embeddedMaxMemory,
		MaxPayload:         MaxMessage,
		SyncInterval:       embeddedSync,
		SyncAlways:         o.SyncAlways,
		NoSigs:             true,
	})
	if err != nil {
		return nil, fmt.Errorf("starting embedded nats-server: %w", err)
	}
	srv.SetLoggerV2(&serverLog{o.Logger}, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(readyTimeout) {
		srv.Shutdown()
		return nil, fmt.Errorf("starting embedded nats-server in %s: not ready after %s", o.DataDir, readyTimeout)
	}
	if !srv.JetStreamEnabled() {
		srv.Shutdown()
		return nil, fmt.Errorf("starting embedded nats-server in %s: JetStream could not be enabled (the log has the reason)", o.DataDir)
	}
	return srv, nil
}

// serverLog hands the server's log lines to slog. Its notices are chatter for a library: debug level.
type serverLog struct{ log *slog.Logger }

func (l *serverLog) line(level func(string, ...any), format string, v []any) {
	level("nats-server: " + strings.TrimSpace(fmt.Sprintf(format, v...)))
}

func (l *serverLog) Noticef(format string, v ...any) { l.line(l.log.Debug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.line(l.log.Warn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.line(l.log.Error, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.line(l.log.Debug, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.line(l.log.Debug, format, v) }

// Fatalf only logs: the server calls it where a stand-alone server would leave the process, and this one
// is a guest in it.
func (l *serverLog) Fatalf(format string, v ...any) { l.line(l.log.Error, format, v) }
