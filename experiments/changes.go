package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// ChangeEntry is one change of an experiment.
type ChangeEntry struct {
	Version int64         `json:"version"`
	At      time.Time     `json:"at"`
	By      string        `json:"by" doc:"key:<id>, user:<name>, or system for what the service does by itself"`
	Action  string        `json:"action" doc:"create, edit, submit, approve, reject, schedule, unschedule, start, ramp, drop, stop, roll-back, archive or delete"`
	Reason  string        `json:"reason,omitempty"`
	Fields  []FieldChange `json:"fields" nullable:"false" doc:"At most 100"`
}

// FieldChange is a field with its value before and after; one that was or is absent
// has none.
type FieldChange struct {
	Field string `json:"field" doc:"Path: variants[1].weight"`
	From  any    `json:"from,omitempty"`
	To    any    `json:"to,omitempty"`
}

const maxFieldChanges = 100

// ownFields are what the change log has in words of its own.
var ownFields = []string{"change", "editedBy", "scheduledBy", "approvals", "startedAt", "stoppedAt", "rampedAt"}

// Changes lists at most limit changes of an experiment, newest first, from the one
// before the given version (0: the newest), and the version to read on from.
func (s *Service) Changes(ctx context.Context, key string, before int64, limit int) ([]ChangeEntry, int64, error) {
	history, err := s.experiments.History(ctx, key, before, limit+1)
	if err != nil {
		return nil, 0, err
	}
	if len(history) == 0 && before == 0 {
		return nil, 0, problem.NotFound("experiment", problem.Clip(key))
	}
	var next int64
	out := make([]ChangeEntry, 0, min(len(history), limit))
	for i := range history {
		if i == limit {
			next = history[limit-1].Version
			break
		}
		var older *definitions.Past[Experiment]
		if i+1 < len(history) {
			older = &history[i+1]
		}
		entry, err := changeEntry(&history[i], older)
		if err != nil {
			return nil, 0, fmt.Errorf("comparing versions of experiment %s: %w", key, err)
		}
		out = append(out, entry)
	}
	return out, next, nil
}

func changeEntry(v, older *definitions.Past[Experiment]) (ChangeEntry, error) {
	entry := ChangeEntry{Version: v.Version, At: v.UpdatedAt, By: v.UpdatedBy, Fields: []FieldChange{}}
	if v.Deleted {
		entry.Action = deleteAction
		return entry, nil
	}
	was := &Experiment{}
	if older != nil && !older.Deleted {
		was = &older.Value
	}
	switch c := v.Value.Change; {
	case c != nil:
		entry.Action, entry.Reason = c.Action, c.Reason
	case was.Status == "":
		entry.Action = createAction
	case was.Status != Running && v.Value.Status == Running:
		entry.Action = startAction
	case was.Status == Running && v.Value.Status == Stopped:
		entry.Action = stopAction
	default:
		entry.Action = editAction
	}
	if was.Status == "" {
		return entry, nil // all of it is new
	}
	from, err := tree(was)
	if err != nil {
		return entry, err
	}
	to, err := tree(&v.Value)
	if err != nil {
		return entry, err
	}
	difference("", from, to, &entry.Fields)
	return entry, nil
}

// tree is an experiment as JSON has it, without the log's own fields.
func tree(e *Experiment) (map[string]any, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, err
	}
	for _, f := range ownFields {
		delete(out, f)
	}
	return out, nil
}

// difference appends where two JSON values differ, field by field.
func difference(at string, from, to any, out *[]FieldChange) {
	if len(*out) >= maxFieldChanges || reflect.DeepEqual(from, to) {
		return
	}
	if a, ok := from.(map[string]any); ok {
		if b, ok := to.(map[string]any); ok {
			keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
			slices.Sort(keys)
			for _, k := range slices.Compact(keys) {
				difference(problem.Join(at, k), a[k], b[k], out)
			}
			return
		}
	}
	if a, ok := from.([]any); ok {
		if b, ok := to.([]any); ok && len(a) == len(b) {
			for i := range a {
				difference(fmt.Sprintf("%s[%d]", at, i), a[i], b[i], out)
			}
			return
		}
	}
	*out = append(*out, FieldChange{Field: at, From: from, To: to})
}
