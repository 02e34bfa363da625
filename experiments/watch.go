package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/internal/problem"
)

const (
	// watchLock is the advisory lock of the one process that watches.
	watchLock = 0x65787072 // "expr"
	// watchTick is how often the schedule is looked at, in memory.
	watchTick = 2 * time.Second
	// watchRest is how long an experiment rests after its guardrails were computed,
	// in durations of that computation, and watchInterval at least.
	watchRest     = 30
	watchInterval = time.Minute
	watchDeadline = 5 * time.Minute
	// watchRetry is when another process tries to take over.
	watchRetry = 5 * time.Second
	// System is who does what the service does by itself, in change logs.
	System = "system"
)

// Run starts, widens and stops experiments as their schedules and guardrails say,
// until the context ends, whose error it returns. One process does so at a time; any
// other takes over when it ends. What is to be done follows from the definitions
// alone and is written only over the version that it was decided on, so that a crash
// at any point loses nothing and does nothing twice.
func (s *Service) Run(ctx context.Context) error {
	for ctx.Err() == nil && s.pool != nil {
		if err := s.lead(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("watching experiments; trying again", "retryIn", watchRetry, "error", err)
		}
		pause(ctx, watchRetry)
	}
	<-ctx.Done()
	return ctx.Err()
}

// lead watches while this process holds the lock; it returns nil when another one
// does.
func (s *Service) lead(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	// The session holds the lock as long as it lives, so it must not go back.
	raw := conn.Hijack()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = raw.Close(closing) // the connection is given up either way
	}()
	var leading bool
	if err := raw.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(watchLock)).Scan(&leading); err != nil {
		return fmt.Errorf("locking: %w", err)
	}
	if !leading {
		return nil
	}
	w := &watch{service: s, next: map[string]time.Time{}}
	for ctx.Err() == nil {
		// A session that broke has lost the lock: stop before another one leads too.
		if err := alive(ctx, raw); err != nil {
			return err
		}
		w.tick(ctx)
		pause(ctx, watchTick)
	}
	return ctx.Err()
}

func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, watchRetry)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("holding the lock: %w", err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// watch remembers when an experiment's guardrails are next computed. It is lost with
// the process, which costs one computation more.
type watch struct {
	service *Service
	next    map[string]time.Time
}

// tick does what is due for every experiment.
func (w *watch) tick(ctx context.Context) {
	snapshot := w.service.experiments.Snapshot()
	for _, key := range slices.Sorted(maps.Keys(snapshot)) {
		v := snapshot[key]
		if err := w.follow(ctx, &v); err != nil && ctx.Err() == nil {
			var p *problem.Error
			if errors.As(err, &p) && p.Status == http.StatusPreconditionFailed {
				continue // somebody changed it meanwhile; the next tick sees that
			}
			w.service.log.Error("following an experiment", "experiment", key, "error", err)
		}
	}
	for key := range w.next {
		if v, ok := snapshot[key]; !ok || v.Value.Status != Running {
			delete(w.next, key)
		}
	}
}

// follow does the next thing that is due for one experiment.
func (w *watch) follow(ctx context.Context, v *state) error {
	e, now := &v.Value, w.service.moment()
	switch {
	case e.ScheduledBy != "" && e.StartAt != nil && !now.Before(*e.StartAt):
		return w.startScheduled(ctx, v)
	case e.Status != Running || e.StartedAt == nil:
		return nil
	case e.EndAt != nil && !now.Before(*e.EndAt):
		_, err := w.service.End(ctx, v.Key, Actor{By: System, Reason: "endAt has come."})
		return err
	}
	step, rampDue := e.nextStep(now)
	gated := rampDue && e.Ramp.Gated
	if !e.guarded() && !gated {
		if rampDue {
			return w.service.widen(ctx, v, step)
		}
		return nil
	}
	if now.Before(w.next[v.Key]) {
		return nil
	}
	start := time.Now()
	health, err := w.service.health(ctx, v.Key, e)
	w.next[v.Key] = now.Add(max(watchInterval, watchRest*time.Since(start)))
	if err != nil {
		return err
	}
	if acted, err := w.service.enforce(ctx, v, health); acted || err != nil {
		return err
	}
	if rampDue && (!e.Ramp.Gated || health.fit()) {
		return w.service.widen(ctx, v, step)
	}
	return nil
}

// startScheduled starts an experiment whose time has come. One that cannot start is
// taken off the schedule, with the reason in its change log.
func (w *watch) startScheduled(ctx context.Context, v *state) error {
	by := v.Value.ScheduledBy
	_, err := w.service.move(ctx, v.Key, Actor{By: System, Reason: "startAt has come; scheduled by " + by + "."}, startAction, func(e *Experiment, now *state) error {
		if now.Version != v.Version || e.ScheduledBy == "" || (e.Status != Draft && e.Status != Review) {
			return errUnchanged
		}
		var invalid problem.Invalid
		var conflict *problem.Error
		if err := w.service.startable(v.Key, e); errors.As(err, &invalid) || errors.As(err, &conflict) {
			e.ScheduledBy = ""
			*e.Change = Change{Action: unscheduleAction, Reason: "It could not start: " + err.Error()}
			return nil
		} else if err != nil {
			return err
		}
		at := w.service.moment()
		e.Status, e.StartedAt, e.ScheduledBy = Running, &at, ""
		return nil
	})
	return err
}

// guarded says whether a guardrail may act.
func (e *Experiment) guarded() bool {
	return slices.ContainsFunc(e.Guardrails, func(g Guardrail) bool { return g.action() != WarnAction })
}

// nextStep is the step of the ramp that is due. Which steps were taken follows from
// the coverage. After an outage a gated ramp still waits between two steps as long
// as it planned to; an ungated one catches up at once.
func (e *Experiment) nextStep(now time.Time) (RampStep, bool) {
	if e.Ramp == nil || e.StartedAt == nil {
		return RampStep{}, false
	}
	var due RampStep
	for i, step := range e.Ramp.Steps {
		if step.Coverage <= e.coverage() {
			continue
		}
		if !step.due(*e.StartedAt, now) {
			break
		}
		if !e.Ramp.Gated {
			due = step
			continue
		}
		if i > 0 && e.RampedAt != nil {
			gap := RampStep{AfterHours: step.AfterHours - e.Ramp.Steps[i-1].AfterHours}
			if !gap.due(*e.RampedAt, now) {
				break
			}
		}
		return step, true
	}
	return due, due.Coverage > 0
}

// widen takes a step of the ramp.
func (s *Service) widen(ctx context.Context, v *state, step RampStep) error {
	_, err := s.move(ctx, v.Key, Actor{By: System, Reason: fmt.Sprintf("Step of the ramp after %g h.", step.AfterHours)}, rampAction, func(e *Experiment, now *state) error {
		if now.Version != v.Version || e.Status != Running || step.Coverage <= e.coverage() {
			return errUnchanged
		}
		at := s.moment()
		e.Coverage, e.RampedAt = step.Coverage, &at
		return nil
	})
	return err
}

// health is what decides about a running experiment while nobody looks.
type health struct {
	checksPassed bool
	guardrails   []GuardrailReport
}

// fit says whether nothing speaks against showing the variants to more people.
func (h *health) fit() bool {
	return h.checksPassed && !slices.ContainsFunc(h.guardrails, func(g GuardrailReport) bool { return g.State == GuardrailBroken })
}

func (s *Service) health(ctx context.Context, key string, e *Experiment) (*health, error) {
	ctx, cancel := context.WithTimeout(ctx, watchDeadline)
	defer cancel()
	r, err := s.ReportAt(ctx, key, ReportOptions{Guardrails: true})
	if err != nil {
		return nil, fmt.Errorf("computing guardrails of %s: %w", key, err)
	}
	return &health{checksPassed: r.ChecksPassed, guardrails: r.Guardrails}, nil
}

// enforce does what broken guardrails ask for: it ends the experiment, or takes the
// harmful arms out of it, and ends it when none is left beside the control.
func (s *Service) enforce(ctx context.Context, v *state, h *health) (acted bool, err error) {
	var harmful, reasons []string
	action := GuardrailAction("")
	for _, g := range h.guardrails {
		i := slices.IndexFunc(v.Value.Variants, func(o Variant) bool { return o.Key == g.Variant })
		if g.State != GuardrailBroken || g.Action == WarnAction || i < 0 || v.Value.Variants[i].Dropped {
			continue
		}
		reasons = append(reasons, fmt.Sprintf("Guardrail %s is broken by %s: %s", g.Metric, g.Variant, g.Detail))
		if action != StopAction {
			action = g.Action
		}
		if !slices.Contains(harmful, g.Variant) {
			harmful = append(harmful, g.Variant)
		}
	}
	if action == "" {
		return false, nil
	}
	if !h.checksPassed {
		reasons = append(reasons, "A check of the data failed as well: see the report.")
	}
	by := Actor{By: System, Reason: clipped(strings.Join(reasons, " "))}
	name := rollBackAction
	if action == StopAction {
		name = stopAction
	}
	_, err = s.move(ctx, v.Key, by, name, func(e *Experiment, now *state) error {
		if now.Version != v.Version || e.Status != Running {
			return errUnchanged
		}
		if action == RollBackAction {
			for _, variant := range harmful {
				var bad problem.Invalid
				if err := e.drop(variant); errors.As(err, &bad) {
					return s.end(v.Key, e) // it was the last one
				} else if err != nil && !errors.Is(err, errUnchanged) {
					return err
				}
			}
			return nil
		}
		return s.end(v.Key, e)
	})
	if err == nil {
		s.log.Warn("a guardrail acted", "experiment", v.Key, "action", name, "variants", harmful, "reason", by.Reason)
	}
	return err == nil, err
}

// clipped keeps a reason within its limit.
func clipped(text string) string {
	r := []rune(text)
	if len(r) > maxTextRunes {
		r = append(r[:maxTextRunes-1], '…')
	}
	return string(r)
}
