package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/outbound"
	"quintet/internal/problem"
	"quintet/profiles"
)

// Progress is where the people of a scenario are.
type Progress struct {
	Runs  map[string]int64 `json:"runs" doc:"Runs by status: active, done, exited, expired, failed, stopped"`
	Nodes []NodeProgress   `json:"nodes" nullable:"false" doc:"Nodes that anybody has reached, of all versions"`
}

// NodeProgress is what happened at a node.
type NodeProgress struct {
	Node     string           `json:"node"`
	Standing int64            `json:"standing" doc:"People who are there now"`
	Outcomes map[string]int64 `json:"outcomes" doc:"How often it was passed, by outcome"`
}

// Progress counts the runs of a scenario.
func (s *Service) Progress(ctx context.Context, key string) (*Progress, error) {
	p := &Progress{Runs: make(map[string]int64), Nodes: []NodeProgress{}}
	nodes := make(map[string]int)
	at := func(node string) *NodeProgress {
		i, ok := nodes[node]
		if !ok {
			i = len(p.Nodes)
			nodes[node], p.Nodes = i, append(p.Nodes, NodeProgress{Node: node, Outcomes: make(map[string]int64)})
		}
		return &p.Nodes[i]
	}
	var status, node, outcome string
	var n int64
	rows, err := s.pool.Query(ctx, `SELECT status, node, count(*) FROM scenario_runs WHERE scenario = $1 GROUP BY 1, 2 ORDER BY 1, 2`, key)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&status, &node, &n}, func() error {
			p.Runs[status] += n
			if status == runActive {
				at(node).Standing += n
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("counting the runs of scenario %s: %w", key, err)
	}
	rows, err = s.pool.Query(ctx, `SELECT p.node, p.outcome, count(*) FROM scenario_steps p JOIN scenario_runs r ON r.id = p.run WHERE r.scenario = $1 GROUP BY 1, 2 ORDER BY 1, 2`, key)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&node, &outcome, &n}, func() error {
			at(node).Outcomes[outcome] += n
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("counting the steps of scenario %s: %w", key, err)
	}
	return p, nil
}

// Run is one person on their way.
type Run struct {
	ID        string         `json:"id"`
	Scenario  string         `json:"scenario"`
	Version   int64          `json:"version" doc:"Version of the scenario to which the run holds"`
	Person    string         `json:"person"`
	Status    string         `json:"status" enum:"active,done,exited,expired,failed,stopped"`
	Reason    string         `json:"reason,omitempty" doc:"Event or fault that ended it"`
	EnteredAt time.Time      `json:"enteredAt"`
	Entry     map[string]any `json:"entry" doc:"Properties of the event that began it"`
	Node      string         `json:"node" doc:"Where the person stands, or stood last"`
	DueAt     *time.Time     `json:"dueAt,omitempty" doc:"When it goes on at the latest"`
	EndedAt   *time.Time     `json:"endedAt,omitempty"`
	Steps     []Passed       `json:"steps,omitempty" doc:"Nodes that were passed, oldest first; of a single run only"`
}

// Passed is a node that a run passed.
type Passed struct {
	Node       string     `json:"node"`
	At         time.Time  `json:"at"`
	Outcome    string     `json:"outcome"`
	Reason     string     `json:"reason,omitempty"`
	DecisionID string     `json:"decisionId,omitempty"`
	Channel    string     `json:"channel,omitempty"`
	SendAt     *time.Time `json:"sendAt,omitempty"`
	HandedAt   *time.Time `json:"handedAt,omitempty" doc:"When delivery took the message"`
}

const runColumns = `id, scenario, version, person, status, reason, entered_at, entry, node, due_at, ended_at`

func scanRun(row pgx.CollectableRow) (r Run, err error) {
	var entry []byte
	if err := row.Scan(&r.ID, &r.Scenario, &r.Version, &r.Person, &r.Status, &r.Reason, &r.EnteredAt, &entry, &r.Node, &r.DueAt, &r.EndedAt); err != nil {
		return r, err
	}
	return r, json.Unmarshal(entry, &r.Entry)
}

// Runs are those of a scenario or a person or both, newest first, from the one that
// entered before a moment on.
func (s *Service) Runs(ctx context.Context, key, person, status string, before time.Time, limit int) ([]Run, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+runColumns+` FROM scenario_runs WHERE ($1 = '' OR scenario = $1) AND ($2 = '' OR person = $2) AND ($3 = '' OR status = $3)
		AND entered_at < $4 ORDER BY entered_at DESC, id LIMIT $5`, key, person, status, before, limit)
	if err != nil {
		return nil, fmt.Errorf("reading runs of scenarios: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanRun)
	if err != nil {
		return nil, fmt.Errorf("reading runs of scenarios: %w", err)
	}
	return out, nil
}

// ReadRun is one run with the nodes that it passed.
func (s *Service) ReadRun(ctx context.Context, id string) (*Run, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+runColumns+` FROM scenario_runs WHERE id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("reading a run of a scenario: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("run", id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a run of a scenario: %w", err)
	}
	rows, err = s.pool.Query(ctx, `SELECT p.node, p.at, p.outcome, p.reason, p.decision_id, coalesce(m.body->>'channel', ''), m.send_at, m.handed_at
		FROM scenario_steps p LEFT JOIN outbox_messages m ON m.key = 'scenario/' || p.run || '/' || p.step WHERE p.run = $1 ORDER BY p.step`, id)
	if err == nil {
		r.Steps, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Passed])
	}
	if err != nil {
		return nil, fmt.Errorf("reading the steps of a run: %w", err)
	}
	return &r, nil
}

// Trial is what a test send came to.
type Trial struct {
	Outcome    outbound.Outcome  `json:"outcome" enum:"queued,nobody,holdout,ineligible,no-consent,gone,failed"`
	Reason     string            `json:"reason,omitempty"`
	DecisionID string            `json:"decisionId,omitempty"`
	Message    *outbound.Message `json:"message,omitempty" doc:"What was stored for delivery"`
}

// Test decides at a node about one person now and sends what follows. Consent and
// every rule hold for it too.
func (s *Service) Test(ctx context.Context, key, node, who string) (*Trial, error) {
	def, ok := s.scenarios.Get(key)
	if !ok {
		return nil, problem.NotFound("scenario", key)
	}
	n := def.Value.node(node)
	if n == nil || n.Type != NodeDecide {
		return nil, problem.Invalid{{Field: "node", Rule: "must be the id of a node of type decide", Value: problem.Clip(node)}}
	}
	told := map[string]any{"scenario": key, "node": node}
	for name, v := range n.Decide.Context {
		told[name] = v
	}
	v, err := s.judge.Decide(ctx, outbound.Ask{Person: who, Point: n.Decide.DecisionPoint, Source: "test:" + key, Context: told, Consent: def.Value.Consent})
	if err != nil {
		return nil, err
	}
	out := &Trial{Outcome: v.Outcome, Reason: v.Reason}
	if v.Response != nil && !v.Response.Fallback {
		out.DecisionID = v.Response.DecisionID
	}
	if m := v.Message; m != nil {
		m.Key = fmt.Sprintf("test/scenario/%s/%s", key, m.DecisionID)
		m.Origin, m.OriginKey, m.Step, m.Test = outbound.OriginScenario, key, node, true
		if err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			_, err := s.outbox.Put(ctx, tx, []outbound.Message{*m})
			return err
		}); err != nil {
			return nil, fmt.Errorf("storing a test message: %w", err)
		}
		s.outbox.Nudge()
		out.Message = m
	}
	return out, nil
}

// owned also removes the steps, by their foreign key.
var owned = outbound.Owned{Table: "scenario_runs", PersonOnly: true}

// Erase is part of [profiles.ErasurePart].
func (s *Service) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	removed, err := outbound.EraseFrom(ctx, s.pool, sub, owned)
	if removed != nil {
		removed["postgres scenario_steps"] = 0 // its rows went with the runs, and the table is written anew
	}
	return removed, err
}

// Check is part of [profiles.ErasurePart].
func (s *Service) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	return outbound.CheckFor(ctx, s.pool, sub, owned)
}

// EachRun calls f with the ways of a person through scenarios, for an export.
func (s *Service) EachRun(ctx context.Context, profiles []string, f func(any) error) error {
	rows, err := s.pool.Query(ctx, `SELECT id FROM scenario_runs WHERE person = ANY($1) ORDER BY entered_at, id`, profiles)
	if err != nil {
		return fmt.Errorf("exporting the scenarios of a person: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("exporting the scenarios of a person: %w", err)
	}
	for _, id := range ids {
		r, err := s.ReadRun(ctx, id)
		if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}
