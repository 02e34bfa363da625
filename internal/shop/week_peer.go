package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Arrival is a message as the provider took it.
type Arrival struct {
	Channel, To, ID, Offer string
	At                     time.Time
	unsubscribe            string // token of the link
}

// peer is the provider of all channels of a week: an HTTP service that takes messages,
// drops ids that it knows, and is busy at the first attempt now and then.
type peer struct {
	now    func() time.Time
	server *http.Server
	base   string

	mu      sync.Mutex
	tried   map[string]int
	taken   map[string]bool
	inbox   []Arrival
	Twice   int // messages that came again
	Refused int // that it was too busy for
}

var (
	unsubscribeLink = regexp.MustCompile(`/u/([A-Za-z0-9_-]+)`)
	offerNamed      = regexp.MustCompile(`shop: ([a-z-]+)\.`)
)

// busyShare is one in how many messages finds the peer busy at the first attempt.
const busyShare = 40

func startPeer(ctx context.Context, now func() time.Time) (*peer, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for messages: %w", err)
	}
	p := &peer{now: now, base: "http://" + listener.Addr().String(), tried: map[string]int{}, taken: map[string]bool{}}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // ends with close
	return p, nil
}

func (p *peer) close() { _ = p.server.Close() }

// ServeHTTP takes a message.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct{ To, ID, Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&m); err != nil || m.ID == "" || m.To == "" {
		http.Error(w, "a message has to, id and text", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h := fnv.New32a()
	_, _ = h.Write([]byte(m.To)) // never an error
	p.tried[m.ID]++
	if p.tried[m.ID] == 1 && (h.Sum32()+uint32(len(p.tried)))%busyShare == 0 {
		p.Refused++
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	if p.taken[m.ID] {
		p.Twice++
	} else {
		p.taken[m.ID] = true
		a := Arrival{Channel: strings.TrimPrefix(r.URL.Path, "/"), To: m.To, ID: m.ID, At: p.now()}
		if found := offerNamed.FindStringSubmatch(m.Text); found != nil {
			a.Offer = found[1]
		}
		if found := unsubscribeLink.FindStringSubmatch(m.Text); found != nil {
			a.unsubscribe = found[1]
		}
		p.inbox = append(p.inbox, a)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":%q}`, "p-"+m.ID) // the sender may be gone
}

// arrived hands out what came since the last call.
func (p *peer) arrived() []Arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.inbox
	p.inbox = nil
	return out
}
