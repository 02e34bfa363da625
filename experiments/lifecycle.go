package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// What a version of an experiment comes about by.
const (
	createAction     = "create"
	editAction       = "edit"
	submitAction     = "submit"
	approveAction    = "approve"
	rejectAction     = "reject"
	scheduleAction   = "schedule"
	unscheduleAction = "unschedule"
	startAction      = "start"
	rampAction       = "ramp"
	dropAction       = "drop"
	stopAction       = "stop"
	rollBackAction   = "roll-back"
	archiveAction    = "archive"
	deleteAction     = "delete"
)

const maxApprovals = 20

// Actor is who moves an experiment through its life, and why.
type Actor struct {
	By     string // as [api.Principal.String] names people
	Reason string // for the change log
	// NeedsApproval: the actor's role starts only what somebody else has approved.
	NeedsApproval bool
}

// state is an experiment with its version.
type state = definitions.Versioned[Experiment]

// Submit asks for a review of a draft. Submitting what is in review changes
// nothing.
func (s *Service) Submit(ctx context.Context, key string, by Actor) (state, error) {
	return s.move(ctx, key, by, submitAction, func(e *Experiment, _ *state) error {
		switch e.Status {
		case Review:
			return errUnchanged
		case Draft:
			e.Status = Review
			return nil
		}
		return problem.Conflict(fmt.Sprintf("Experiment %s is %s; only a draft is reviewed.", key, e.Status))
	})
}

// Approve adds the actor's approval to an experiment in review. Whoever edited it
// last cannot approve it; approving twice changes nothing.
func (s *Service) Approve(ctx context.Context, key string, by Actor) (state, error) {
	return s.move(ctx, key, by, approveAction, func(e *Experiment, v *state) error {
		if e.Status != Review {
			return problem.Conflict(fmt.Sprintf("Experiment %s is %s; submit it first.", key, e.Status))
		}
		if by.By == e.editor(v) {
			return problem.Conflict(fmt.Sprintf("%s edited experiment %s last; somebody else must approve it.", by.By, key))
		}
		for _, a := range e.Approvals {
			if a.By == by.By {
				return errUnchanged
			}
		}
		if len(e.Approvals) >= maxApprovals {
			return problem.Conflict(fmt.Sprintf("Experiment %s has %d approvals, the most there may be.", key, maxApprovals))
		}
		e.Approvals = append(e.Approvals[:len(e.Approvals):len(e.Approvals)], Approval{By: by.By, At: s.moment(), Comment: by.Reason})
		return nil
	})
}

// Reject sends an experiment in review back to its draft, for a reason.
func (s *Service) Reject(ctx context.Context, key string, by Actor) (state, error) {
	if by.Reason == "" {
		return state{}, problem.Invalid{{Field: "reason", Rule: "must say what is to be changed"}}
	}
	return s.move(ctx, key, by, rejectAction, func(e *Experiment, _ *state) error {
		if e.Status != Review {
			return problem.Conflict(fmt.Sprintf("Experiment %s is %s and not in review.", key, e.Status))
		}
		e.Status, e.Approvals, e.ScheduledBy = Draft, nil, ""
		return nil
	})
}

// Start begins an experiment by somebody who needs no approval; see [Service.Begin].
func (s *Service) Start(ctx context.Context, key, by string) (state, error) {
	return s.Begin(ctx, key, Actor{By: by})
}

// Begin starts an experiment: from now on its variants apply. With a startAt in the
// future it is scheduled instead, and starts then. Starting a running experiment
// changes nothing. An experiment that was stopped, whose decision point another one
// holds, or that lacks the approval that the actor needs, is refused with a conflict
// that says so.
func (s *Service) Begin(ctx context.Context, key string, by Actor) (state, error) {
	return s.move(ctx, key, by, startAction, func(e *Experiment, v *state) error {
		switch e.Status {
		case Running:
			return errUnchanged
		case Stopped:
			return problem.Conflict(fmt.Sprintf("Experiment %s was stopped; copy it to a new key, so that one report covers one period.", key))
		case Archived:
			return problem.Conflict(fmt.Sprintf("Experiment %s is archived; copy it to a new key.", key))
		}
		if by.NeedsApproval && !e.approved(v) {
			return problem.Conflict(fmt.Sprintf("Experiment %s needs the approval of somebody other than %s, who edited it last: submit it and have it approved.", key, e.editor(v)))
		}
		if err := s.startable(key, e); err != nil {
			return err
		}
		now := s.moment()
		if e.EndAt != nil && !e.EndAt.After(now) {
			return problem.Invalid{{Field: "endAt", Rule: "must be in the future when the experiment starts", Value: e.EndAt.Format(time.RFC3339)}}
		}
		if e.StartAt != nil && e.StartAt.After(now) {
			if e.ScheduledBy != "" {
				return errUnchanged
			}
			e.ScheduledBy, e.Change.Action = by.By, scheduleAction
			return nil
		}
		e.Status, e.StartedAt = Running, &now
		return nil
	})
}

// startable checks what an experiment needs of others when it starts.
func (s *Service) startable(key string, e *Experiment) error {
	if e.DecisionPoint == "" {
		return nil
	}
	if s.pointExists != nil && !s.pointExists(e.DecisionPoint) {
		return problem.Invalid{{Field: "decisionPoint", Rule: "must be the key of a decision point", Value: e.DecisionPoint}}
	}
	for other, o := range s.experiments.Snapshot() {
		if other != key && o.Value.Status == Running && o.Value.DecisionPoint == e.DecisionPoint && !exclusive(e, &o.Value) {
			return problem.Conflict(fmt.Sprintf("Experiment %s is running at decision point %s; stop it first, or put both into one layer.", other, e.DecisionPoint))
		}
	}
	return nil
}

// Stop ends an experiment; see [Service.End].
func (s *Service) Stop(ctx context.Context, key, by string) (state, error) {
	return s.End(ctx, key, Actor{By: by})
}

// End stops an experiment: its variants no longer apply, its report goes on as
// outcomes come in. One that is scheduled is taken off the schedule. Stopping a
// stopped experiment changes nothing; a draft cannot be stopped.
func (s *Service) End(ctx context.Context, key string, by Actor) (state, error) {
	return s.move(ctx, key, by, stopAction, func(e *Experiment, _ *state) error { return s.end(key, e) })
}

func (s *Service) end(key string, e *Experiment) error {
	switch {
	case e.Status == Stopped || e.Status == Archived:
		return errUnchanged
	case e.Status == Running:
		now := s.moment()
		e.Status, e.StoppedAt = Stopped, &now
	case e.ScheduledBy != "":
		e.ScheduledBy, e.Change.Action = "", unscheduleAction
	default:
		return problem.Conflict(fmt.Sprintf("Experiment %s has not started.", key))
	}
	return nil
}

// Archive puts an experiment away that does not run. It can be read and reported
// on, and never changes again.
func (s *Service) Archive(ctx context.Context, key string, by Actor) (state, error) {
	return s.move(ctx, key, by, archiveAction, func(e *Experiment, _ *state) error {
		switch e.Status {
		case Archived:
			return errUnchanged
		case Running:
			return problem.Conflict(fmt.Sprintf("Experiment %s is running; stop it first.", key))
		}
		e.Status, e.ScheduledBy = Archived, ""
		return nil
	})
}

// Drop takes an arm out of a running experiment: its people leave the experiment,
// those of the other arms stay where they are. Dropping it twice changes nothing.
// The control, and the last arm beside it, cannot be dropped.
func (s *Service) Drop(ctx context.Context, key, variant string, by Actor) (state, error) {
	return s.move(ctx, key, by, dropAction, func(e *Experiment, _ *state) error {
		if e.Status != Running {
			return problem.Conflict(fmt.Sprintf("Experiment %s is %s; arms are dropped while it runs.", key, e.Status))
		}
		return e.drop(variant)
	})
}

func (e *Experiment) drop(variant string) error {
	var bad problem.Invalid
	left := 0
	at := -1
	for i, v := range e.Variants {
		if v.Key == variant {
			at = i
		} else if !v.Dropped {
			left++
		}
	}
	switch {
	case at < 0:
		bad.Add("variant", "must be the key of a variant", variant)
	case e.Variants[at].Dropped:
		return errUnchanged
	case e.Variants[at].Control:
		bad.Add("variant", "must not be the control, which the others are compared with", variant)
	case left < MinVariants:
		bad.Add("variant", "must not be the last one beside the control; stop the experiment instead", variant)
	default:
		e.Variants = append([]Variant(nil), e.Variants...) // the definition is shared
		e.Variants[at].Dropped = true
	}
	return bad.Err()
}

// errUnchanged ends a move that has nothing to do.
var errUnchanged = errors.New("there is nothing to change")

// transition marks the context of a change that a move makes.
type transition struct{}

// move changes an experiment as its life demands. It is written only if nobody else
// has changed it meanwhile, so that it happens once however many processes try.
func (s *Service) move(ctx context.Context, key string, by Actor, action string, change func(*Experiment, *state) error) (state, error) {
	v, ok := s.experiments.Get(key)
	if !ok {
		return v, problem.NotFound("experiment", problem.Clip(key))
	}
	var bad problem.Invalid
	checkText(&bad, "reason", by.Reason, maxTextRunes)
	if err := bad.Err(); err != nil {
		return v, err
	}
	e := v.Value
	e.Change = &Change{Action: action, Reason: by.Reason}
	switch err := change(&e, &v); {
	case errors.Is(err, errUnchanged):
		return v, nil
	case err != nil:
		return v, err
	}
	next, err := s.experiments.Put(context.WithValue(ctx, transition{}, true), key, e, by.By, v.Version)
	if err != nil {
		return next, fmt.Errorf("changing experiment %s (%s): %w", key, e.Change.Action, err)
	}
	s.log.Info("experiment changed", "experiment", key, "action", e.Change.Action, "status", e.Status, "by", by.By, "reason", by.Reason)
	return next, nil
}

// moment is now in the resolution of definitions.
func (s *Service) moment() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// editor is who edited the definition last.
func (e *Experiment) editor(v *state) string {
	if e.EditedBy != "" {
		return e.EditedBy
	}
	return v.UpdatedBy // written before there were approvals
}

// approved says whether somebody other than the last editor has approved what is in
// review.
func (e *Experiment) approved(v *state) bool {
	for _, a := range e.Approvals {
		if a.By != e.editor(v) {
			return e.Status == Review
		}
	}
	return false
}

// keepOwn restores what only moves may change, and keeps account of who edits.
func (e *Experiment) keepOwn(ctx context.Context, before *Experiment, exists bool, bad *problem.Invalid) {
	if e.Status != before.Status {
		bad.Add("status", fmt.Sprintf("is %s and changes by submit, approve, reject, start, stop and archive only", before.Status), e.Status)
	}
	reason := ""
	if e.Change != nil && (before.Change == nil || *e.Change != *before.Change) {
		reason = e.Change.Reason
		checkText(bad, "change.reason", reason, maxTextRunes)
	}
	e.StartedAt, e.StoppedAt, e.RampedAt = before.StartedAt, before.StoppedAt, before.RampedAt
	e.Approvals, e.EditedBy, e.ScheduledBy, e.Change = before.Approvals, before.EditedBy, before.ScheduledBy, before.Change
	if exists && sameContent(e, before) {
		return
	}
	if before.Status == Archived {
		bad.Add("status", "is archived: the experiment does not change any more", e.Status)
	}
	if p, ok := api.PrincipalFrom(ctx); ok && p.NeedsApproval && before.Status == Running && !sameContent(e.harmless(), before.harmless()) {
		bad.Add("status", "is running: your role may change names and what is shown only, as nobody could approve it", e.Status)
	}
	e.Approvals, e.ScheduledBy, e.EditedBy = nil, "", api.By(ctx)
	e.Change = &Change{Action: editAction, Reason: reason}
	if !exists {
		e.Change.Action = createAction
	}
}

// harmless is the definition without what may change at any time.
func (e *Experiment) harmless() *Experiment {
	c := *e
	c.Name, c.Hypothesis, c.Metrics, c.Secondary = "", "", nil, nil
	c.Variants = append([]Variant(nil), c.Variants...)
	for i := range c.Variants {
		c.Variants[i].Name = ""
	}
	return &c
}

// sameContent compares definitions as JSON has them.
func sameContent(a, b *Experiment) bool {
	left, errA := json.Marshal(a)
	right, errB := json.Marshal(b)
	return errA == nil && errB == nil && sameJSON(left, right)
}
