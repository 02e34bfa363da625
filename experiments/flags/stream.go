package flags

import (
	"net/http"
	"sync/atomic"
	"time"

	"quintet/internal/api"
	"quintet/internal/problem"
)

const (
	// maxStreams bounds the clients that listen at once.
	maxStreams = 10_000
	// heartbeat keeps what is between from giving up on a silent connection.
	heartbeat = 25 * time.Second
	// streamTimeout is how long a client may take to take an event.
	streamTimeout = 10 * time.Second
)

// Streams tells clients of changes, as server-sent events.
type Streams struct {
	flags    *Service
	draining <-chan struct{}
	open     atomic.Int64
	beat     time.Duration
}

// NewStreams makes streams that end when the server stops.
func NewStreams(s *Service, srv *api.Server) *Streams {
	return &Streams{flags: s, draining: srv.Draining(), beat: heartbeat}
}

// Serve sends an event whenever the flags change, and one at the beginning if told to.
// event writes it: its name, and its data without line breaks.
func (x *Streams) Serve(w http.ResponseWriter, r *http.Request, first bool, event func(*State) (name string, data []byte)) {
	if x.open.Add(1) > maxStreams {
		x.open.Add(-1)
		api.WriteProblem(w, r, problem.TooBusy(5*time.Second, "Too many clients listen for changes."))
		return
	}
	defer x.open.Add(-1)
	if err := api.Unlimited(w, r); err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	c := http.NewResponseController(w)
	send := func(text []byte) bool {
		// A client that does not read must not hold a connection for good.
		if err := c.SetWriteDeadline(time.Now().Add(streamTimeout)); err != nil {
			return false
		}
		if _, err := w.Write(text); err != nil {
			return false
		}
		return c.Flush() == nil
	}
	changed := x.flags.Changed()
	if first {
		if !send(x.encode(event)) {
			return
		}
	} else if !send([]byte(": listening\n\n")) {
		return
	}
	beat := time.NewTicker(x.beat)
	defer beat.Stop()
	for {
		ok := true
		select {
		case <-r.Context().Done():
			return
		case <-x.draining:
			return
		case <-changed:
			changed = x.flags.Changed()
			ok = send(x.encode(event))
		case <-beat.C:
			ok = send([]byte(": still here\n\n"))
		}
		if !ok {
			return
		}
	}
}

func (x *Streams) encode(event func(*State) (string, []byte)) []byte {
	name, data := event(x.flags.State())
	text := make([]byte, 0, len(data)+len(name)+32)
	if name != "" {
		text = append(append(append(text, "event: "...), name...), '\n')
	}
	return append(append(append(text, "data: "...), data...), "\n\n"...)
}
