package decide

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// idempotencyKey is the header's name as net/http writes it.
const idempotencyKey = "Idempotency-Key"

const (
	maxIdempotencyKey = 128
	answersKept       = 10 * time.Minute
	mostAnswers       = 50_000
	mostAnswerBytes   = 64 << 20
)

// serveSpecial answers a request to explain without deciding, or one with a key.
func (s *Service) serveSpecial(w http.ResponseWriter, r *http.Request, req *Request) {
	if asked, err := asksToExplain(r.URL.RawQuery); err != nil {
		api.WriteProblem(w, r, err)
		return
	} else if asked {
		rec, err := s.Preview(r.Context(), req, source(r.Context()))
		if err != nil {
			api.WriteProblem(w, r, err)
			return
		}
		writeJSON(w, Explained{Record: s.detail(r.Context(), rec), Explanation: explain(rec), Replay: ReplayResult{Differences: []string{"nothing was decided"}}})
		return
	}
	key := r.Header.Get(idempotencyKey)
	if key == "" {
		s.serveOnce(w, r, req)
		return
	}
	if len(key) > maxIdempotencyKey {
		var bad problem.Invalid
		bad.Add(idempotencyKey, "must be at most 128 bytes long", len(key))
		api.WriteProblem(w, r, bad)
		return
	}
	body, err := json.Marshal(req)
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	a, mine := s.answers.claim(sha256.Sum256([]byte(source(r.Context())+"\x00"+key)), sha256.Sum256(body), s.now())
	if a == nil {
		api.WriteProblem(w, r, problem.Conflict("Another request had this Idempotency-Key."))
		return
	}
	if !mine {
		select {
		case <-a.ready:
		case <-r.Context().Done():
			return
		}
		if a.body == nil { // that one failed, and this one would as well
			s.serveOnce(w, r, req)
			return
		}
		write(w, a.body)
		return
	}
	resp, err := s.Decide(r.Context(), req, source(r.Context()))
	if err != nil {
		s.answers.fill(a, nil)
		api.WriteProblem(w, r, err)
		return
	}
	out, err := json.Marshal(resp)
	if err != nil || resp.Fallback { // a fall-back may be tried again
		s.answers.fill(a, nil)
	} else {
		s.answers.fill(a, out)
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	write(w, out)
}

func (s *Service) serveOnce(w http.ResponseWriter, r *http.Request, req *Request) {
	resp, err := s.Decide(r.Context(), req, source(r.Context()))
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	writeJSON(w, resp)
}

// asksToExplain reads the query.
func asksToExplain(query string) (bool, error) {
	if query == "" {
		return false, nil
	}
	values, err := url.ParseQuery(query)
	text := values.Get("explain")
	if err == nil && (text == "" || text == "true" || text == "false") {
		return text == "true", nil
	}
	var bad problem.Invalid
	bad.Add("explain", "must be true or false", problem.Clip(text))
	return false, bad
}

// answers are those of requests with a key, for a while.
type answers struct {
	mu    sync.Mutex
	byKey map[[32]byte]*keptAnswer
	order []*keptAnswer // oldest first
	bytes int
}

// keptAnswer is filled once; whoever waits for ready may then read its body.
type keptAnswer struct {
	key, request [32]byte
	at           time.Time
	ready        chan struct{}
	body         []byte
}

// claim gives the answer of a key, and whether the caller has to fill it; nil when the
// key belongs to another request.
func (k *answers) claim(key, request [32]byte, now time.Time) (a *keptAnswer, mine bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.order) > 0 && (now.Sub(k.order[0].at) > answersKept || len(k.order) >= mostAnswers || k.bytes > mostAnswerBytes) {
		k.remove(0)
	}
	if a := k.byKey[key]; a != nil {
		if a.request != request {
			return nil, false
		}
		return a, false
	}
	a = &keptAnswer{key: key, request: request, at: now, ready: make(chan struct{})}
	if k.byKey == nil {
		k.byKey = make(map[[32]byte]*keptAnswer)
	}
	k.byKey[key] = a
	k.order = append(k.order, a)
	return a, true
}

func (k *answers) remove(i int) {
	a := k.order[i]
	if k.byKey[a.key] == a {
		delete(k.byKey, a.key)
	}
	k.bytes -= len(a.body)
	k.order[i] = nil
	if i == 0 {
		k.order = k.order[1:]
	}
}

// fill gives the answer to all who wait; without one the key is free again.
func (k *answers) fill(a *keptAnswer, body []byte) {
	k.mu.Lock()
	if body == nil {
		delete(k.byKey, a.key)
	} else if k.byKey[a.key] == a {
		k.bytes += len(body)
	}
	a.body = body
	k.mu.Unlock()
	close(a.ready)
}

// forget removes all answers: they name people.
func (k *answers) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byKey, k.order, k.bytes = nil, nil, 0
}
