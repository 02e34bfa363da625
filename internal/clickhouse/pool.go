package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// pool is a bounded set of sessions. Whoever finds none free waits, as long as
// the context allows.
type pool struct {
	engine *embedded
	// free has an element for each session in idle.
	free chan struct{}
	mu   sync.Mutex
	idle []*session // the one that came back first is the first
	// base are the settings of every statement that does not set them itself.
	base map[string]string
}

func newPool(e *embedded, size int, base map[string]string) (*pool, error) {
	p := &pool{engine: e, free: make(chan struct{}, size), base: base}
	for range size {
		s, err := openSession(e.lib, e.dir)
		if err != nil {
			p.close()
			return nil, err
		}
		p.add(s)
	}
	return p, nil
}

func (p *pool) add(s *session) {
	p.mu.Lock()
	p.idle = append(p.idle, s)
	p.mu.Unlock()
	p.free <- struct{}{}
}

// take is the session with fewest settings to change, after an element of free was
// taken. To change them is a statement of its own, a third of what a short query takes.
func (p *pool) take(database string, settings map[string]string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.idle, func(s *session) bool { return s.prepared(database, settings) })
	at = max(at, 0)
	s := p.idle[at]
	p.idle = slices.Delete(p.idle, at, at+1)
	return s
}

// run executes the statement on a free session. When the context ends first,
// it returns the context's error at once; the query is then cancelled and its
// session goes back when it has ended. The statement is released in any case.
func (p *pool) run(ctx context.Context, st *statement) (*answer, error) {
	if err := p.engine.enter(); err != nil {
		st.release()
		return nil, err
	}
	select {
	case <-p.free:
	case <-ctx.Done():
		st.release()
		p.engine.leave()
		return nil, fmt.Errorf("waiting for a free ClickHouse connection: %w", ctx.Err())
	}
	settings := settingsWithin(ctx, p.base, st)
	return p.engine.execute(ctx, st, p.take(st.database, settings), settings, p.put)
}

// put takes a session back, a fresh one in place of one in an unknown state.
func (p *pool) put(s *session) {
	if s.stale {
		fresh, err := openSession(p.engine.lib, p.engine.dir)
		if err != nil {
			p.engine.log.Error("replacing a ClickHouse connection", "error", err)
		} else {
			s.close()
			s = fresh
		}
	}
	p.add(s)
}

// close ends the sessions that are free.
func (p *pool) close() {
	for {
		select {
		case <-p.free:
			p.mu.Lock()
			s := p.idle[0]
			p.idle = p.idle[1:]
			p.mu.Unlock()
			s.close()
		default:
			return
		}
	}
}

// settingsFor merges the statement's settings over the base.
func settingsFor(base map[string]string, st *statement) map[string]string {
	if len(st.settings) == 0 {
		return base
	}
	merged := maps.Clone(base)
	if merged == nil {
		merged = make(map[string]string, len(st.settings))
	}
	maps.Copy(merged, st.settings)
	return merged
}

// settingsWithin are settingsFor the statement with no more time than the context has.
func settingsWithin(ctx context.Context, base map[string]string, st *statement) map[string]string {
	settings := settingsFor(base, st)
	if deadline, ok := ctx.Deadline(); ok {
		settings = withDeadline(settings, time.Until(deadline))
	}
	return settings
}

// deadlineSteps are the values, in seconds, that max_execution_time takes. It
// is a net under the cancelling of queries, so it may be coarse, and with few
// values it seldom has to be set anew.
var deadlineSteps = []int{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

// executionSeconds is the least step at or above the time left.
func executionSeconds(left time.Duration) int {
	for _, step := range deadlineSteps {
		if left <= time.Duration(step)*time.Second {
			return step
		}
	}
	return deadlineSteps[len(deadlineSteps)-1]
}
