package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/outbound"
	"quintet/internal/problem"
)

const (
	timerPause = time.Second
	// timerPage is how many runs one transaction moves on.
	timerPage = 100
	// timerTimeout bounds one page.
	timerTimeout = time.Minute
	// beside is how many runs of a page are moved on at the same time.
	beside = 8
	// maxPasses bounds the nodes that a run passes without a wait. A valid graph has no
	// loop without one, so that it passes each node once at most.
	maxPasses = maxNodes
	// maxSteps bounds a run that goes round a loop with waits.
	maxSteps = 2000
	// maxAttempts is how often a decision is tried that could not be made.
	maxAttempts = 8
	// keepRuns is for how long it can be seen what became of each person.
	keepRuns = 400 * 24 * time.Hour
)

// How runs end.
const (
	runActive  = "active"
	runDone    = "done"
	runExited  = "exited"
	runExpired = "expired"
	runFailed  = "failed"
)

// run is one that is moved on.
type run struct {
	id, scenario, person string
	version              int64
	status, reason       string
	enteredAt            time.Time
	entry, last          map[string]any
	node                 string
	step, attempts       int
	dueAt                *time.Time
	waitingEvent         string
	came                 bool

	passed   []pass
	messages []outbound.Message
}

// pass is a node that a run passed.
type pass struct {
	step                            int
	node, outcome, reason, decision string
}

func (s *Service) runTimers(ctx context.Context) error {
	tick := time.NewTicker(timerPause)
	defer tick.Stop()
	var pruned time.Time
	for {
		for {
			n, err := s.movePage(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				s.log.Warn("moving people on in scenarios; the same is tried again", "error", err)
			}
			if n < timerPage || err != nil {
				break
			}
		}
		if now := s.now(); now.Sub(pruned) > time.Hour {
			pruned = now
			if _, err := s.pool.Exec(ctx, `DELETE FROM scenario_runs WHERE ended_at < $1`, now.Add(-keepRuns)); err != nil && ctx.Err() == nil {
				s.log.Warn("removing old runs of scenarios", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// Settle looks for triggers as far as the log is whole and moves everybody on who is
// due, and returns how many were: for a clock that jumps. It may run beside
// [Service.Run].
func (s *Service) Settle(ctx context.Context) (moved int, err error) {
	if _, err := s.listenPages(ctx); err != nil {
		return 0, fmt.Errorf("looking for triggers of scenarios: %w", err)
	}
	if err := s.dates(ctx); err != nil {
		return 0, fmt.Errorf("looking for dates of scenarios: %w", err)
	}
	for {
		n, err := s.movePage(ctx)
		if err != nil {
			return moved, fmt.Errorf("moving people on in scenarios: %w", err)
		}
		if moved += n; n == 0 {
			return moved, nil
		}
	}
}

// movePage moves the runs on that are due, and stores where they stand then with their
// messages, in one transaction.
func (s *Service) movePage(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, timerTimeout)
	defer cancel()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT r.id, r.scenario, r.version, r.person, r.entered_at, r.entry, r.node, r.step, r.attempts, r.waiting_event, r.came, r.last
			FROM scenario_runs r JOIN scenario_states s ON s.scenario = r.scenario AND s.status = 'running'
			WHERE r.status = 'active' AND r.due_at <= $1 ORDER BY r.due_at LIMIT $2 FOR UPDATE OF r SKIP LOCKED`, s.now(), timerPage)
		if err != nil {
			return err
		}
		page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*run, error) {
			r := &run{status: runActive}
			var entry, last []byte
			if err := row.Scan(&r.id, &r.scenario, &r.version, &r.person, &r.enteredAt, &entry, &r.node, &r.step, &r.attempts, &r.waitingEvent, &r.came, &last); err != nil {
				return nil, err
			}
			return r, errors.Join(json.Unmarshal(entry, &r.entry), json.Unmarshal(last, &r.last))
		})
		if err != nil || len(page) == 0 {
			return err
		}
		if err := s.moveAll(ctx, page); err != nil {
			return err
		}
		n = len(page)
		return s.store(ctx, tx, page)
	})
	if err == nil && n > 0 {
		s.outbox.Nudge()
	}
	return n, err
}

func (s *Service) moveAll(ctx context.Context, page []*run) error {
	errs := make([]error, len(page))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(beside, len(page)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = s.advance(ctx, page[i])
			}
		})
	}
	for i := range page {
		next <- i
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, err := range errs {
		if err != nil {
			s.log.Warn("a run of a scenario cannot go on", "scenario", page[i].scenario, "run", page[i].id, "error", err)
			page[i].again(s.now(), err.Error())
		}
	}
	return nil
}

// advance moves a run to its next wait or its end.
func (s *Service) advance(ctx context.Context, r *run) error {
	def, err := s.scenarios.AtVersion(ctx, r.scenario, r.version)
	if err != nil {
		return fmt.Errorf("reading version %d: %w", r.version, err)
	}
	c, now := &def.Value, s.now()
	r.dueAt = nil
	if now.Sub(r.enteredAt) > time.Duration(c.MaxDays)*24*time.Hour || r.step > maxSteps {
		r.end(runExpired, "")
		return nil
	}
	view, known := s.find(r.person)
	if !known {
		r.end(runFailed, string(outbound.OutcomeGone))
		return nil
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		zone = time.UTC
	}
	zone = s.judge.Zone(view, zone)
	for range maxPasses {
		n := c.node(r.node)
		if n == nil {
			r.end(runFailed, "node-unknown")
			return nil
		}
		switch n.Type {
		case NodeTrigger:
			if n.Trigger.Kind == TriggerAbsence && r.waitingEvent != "" {
				if r.came { // what was missed has come
					r.pass(n, "came", "", "")
					r.end(runExited, n.Trigger.Missing)
					return nil
				}
			}
			r.pass(n, "entered", "", "")
			r.move(n.Next)
		case NodeWait:
			if r.waits() {
				r.leave(n)
				continue
			}
			r.wait(n.Wait, now, zone)
			return nil
		case NodeBranch:
			cond, err := s.condition(n.Branch.Condition)
			if err != nil {
				return err
			}
			if cond.Matches(person{view, s.segments, r.entry, r.last}, nil) {
				r.pass(n, "yes", "", "")
				r.move(n.Next)
			} else {
				r.pass(n, "no", "", "")
				r.move(n.otherwise())
			}
		case NodeDecide:
			if again, err := s.step(ctx, r, c, n, zone); err != nil || again {
				return err
			}
		case NodeExit:
			r.pass(n, "exit", "", "")
			r.end(runDone, "")
			return nil
		}
	}
	r.end(runFailed, "no-wait")
	return nil
}

// step asks the decision point of a node; again says that it could not be asked now.
func (s *Service) step(ctx context.Context, r *run, c *Scenario, n *Node, zone *time.Location) (again bool, err error) {
	told := map[string]any{"scenario": r.scenario, "node": n.ID}
	for _, name := range n.Decide.FromEntry {
		switch v := r.entry[name].(type) {
		case bool, float64:
			told[name] = v
		case string:
			if len(v) <= 1024 {
				told[name] = v
			}
		}
	}
	for name, v := range n.Decide.Context {
		told[name] = v
	}
	v, err := s.judge.Decide(ctx, outbound.Ask{
		Person: r.person, Point: n.Decide.DecisionPoint, Source: outbound.OriginScenario + ":" + r.scenario,
		Context: told, Consent: c.Consent, Clock: n.Decide.LocalTime, Zone: zone,
	})
	if err != nil {
		return false, err
	}
	if v.Again {
		r.again(s.now(), v.Reason)
		return true, nil
	}
	decision := ""
	if v.Response != nil {
		decision = v.Response.DecisionID
	}
	r.last = map[string]any{"node": n.ID, "outcome": string(v.Outcome), "decisionId": decision, "offer": "", "channel": "", "creative": ""}
	next := n.otherwise()
	if m := v.Message; m != nil {
		m.Key = fmt.Sprintf("scenario/%s/%d", r.id, r.step)
		m.Origin, m.OriginKey, m.Step = outbound.OriginScenario, r.scenario, n.ID
		r.messages = append(r.messages, *m)
		r.last["offer"], r.last["channel"], r.last["creative"] = m.Offer, m.Channel, m.Creative
		next = n.Next
	}
	r.pass(n, string(v.Outcome), v.Reason, decision)
	r.move(next)
	return false, nil
}

// waits says whether the run stood at its wait already and is due.
func (r *run) waits() bool { return r.last["waiting"] == r.node }

// wait sets the timer. What the run waits for is part of its state, so that it is
// known after a restart.
func (r *run) wait(w *Wait, now time.Time, zone *time.Location) {
	due := now.Add(time.Duration(w.Minutes * float64(time.Minute)))
	if w.Until != "" {
		due = outbound.NextClock(due, w.Until, zone)
		if !due.After(now) { // a loop over a time of day takes a day
			due = outbound.NextClock(now.Add(time.Minute), w.Until, zone)
		}
	}
	r.dueAt, r.waitingEvent, r.came = &due, w.Event, false
	if r.last == nil {
		r.last = make(map[string]any)
	}
	r.last["waiting"] = r.node
}

// leave ends a wait.
func (r *run) leave(n *Node) {
	switch {
	case r.waitingEvent == "":
		r.pass(n, "waited", "", "")
		r.move(n.Next)
	case r.came:
		r.pass(n, "came", "", "")
		r.move(n.Next)
	default:
		r.pass(n, "timeout", "", "")
		r.move(n.otherwise())
	}
}

// move goes to another node.
func (r *run) move(to string) {
	r.node, r.attempts, r.waitingEvent, r.came = to, 0, "", false
	delete(r.last, "waiting")
}

// pass notes what happened at a node.
func (r *run) pass(n *Node, outcome, reason, decision string) {
	r.passed = append(r.passed, pass{step: r.step, node: n.ID, outcome: outcome, reason: clip(reason), decision: decision})
	r.step++
}

func (r *run) end(status, reason string) {
	r.status, r.reason, r.dueAt = status, clip(reason), nil
}

// again has the run tried later, or given up after several attempts. What it passed
// before stays passed.
func (r *run) again(now time.Time, reason string) {
	if r.attempts++; r.attempts >= maxAttempts {
		r.end(runFailed, reason)
		return
	}
	due := now.Add(time.Second << min(r.attempts, 10))
	r.dueAt, r.reason = &due, clip(reason)
}

// store writes down where runs stand.
func (s *Service) store(ctx context.Context, tx pgx.Tx, page []*run) error {
	now := s.now().UTC()
	batch := new(pgx.Batch)
	var messages []outbound.Message
	for _, r := range page {
		last, err := json.Marshal(r.last)
		if err != nil {
			return err
		}
		var ended *time.Time
		if r.status != runActive {
			ended = &now
		}
		batch.Queue(`UPDATE scenario_runs SET status = $2, reason = $3, node = $4, step = $5, attempts = $6, due_at = $7, waiting_event = $8, came = $9, last = $10, ended_at = $11 WHERE id = $1`,
			r.id, r.status, r.reason, r.node, r.step, r.attempts, r.dueAt, r.waitingEvent, r.came, string(last), ended)
		for _, p := range r.passed {
			batch.Queue(`INSERT INTO scenario_steps (run, step, node, at, outcome, reason, decision_id) VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.id, p.step, p.node, now, p.outcome, p.reason, p.decision)
		}
		messages = append(messages, r.messages...)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("storing where %d people stand: %w", len(page), err)
	}
	_, err := s.outbox.Put(ctx, tx, messages)
	return err
}

// clip shortens what is stored as a reason.
func clip(text string) string { return problem.Clip(text) }
