package scenarios

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/profiles/identity"
)

// beginning is what begins a run.
type beginning struct {
	cause   string // identifies it for ever
	profile identity.ID
	at      time.Time // when it happened
	due     time.Time // when the run goes on
	waiting string    // event that ends the wait at the trigger
	entry   map[string]any
}

// runID makes the same run of the same cause, however often it is seen.
func runID(scenario, cause string) string {
	sum := sha256.Sum256([]byte(scenario + "\x00" + cause))
	return hex.EncodeToString(sum[:16])
}

// begin stores a run, unless the person must not come in.
func (s *Service) begin(ctx context.Context, tx pgx.Tx, o open, n *Node, b beginning) (bool, error) {
	id := s.people.PersonOf(b.profile)
	view, ok := s.people.GetPerson(id)
	if !ok || len(view.Identifiers) == 0 {
		return false, nil
	}
	c, err := s.condition(n.Trigger.Audience)
	if err != nil {
		return false, err
	}
	if !c.Matches(person{view, s.segments, b.entry, nil}, nil) {
		return false, nil
	}
	if ok, err := s.mayEnter(ctx, tx, o, id, b.at); err != nil || !ok {
		return false, err
	}
	entry, err := encode(b.entry)
	if err != nil {
		return false, fmt.Errorf("encoding what began a run: %w", err)
	}
	exits := o.def.ExitOn
	if exits == nil {
		exits = []string{}
	}
	tag, err := tx.Exec(ctx, `INSERT INTO scenario_runs (id, scenario, version, person, status, entered_at, entry, node, due_at, waiting_event, exits)
		VALUES ($1, $2, $3, $4, 'active', $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		runID(o.key, b.cause), o.key, o.version, id.String(), b.at, entry, n.ID, b.due, b.waiting, exits)
	if err != nil {
		return false, fmt.Errorf("storing a run: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// mayEnter applies the rules of coming in again.
func (s *Service) mayEnter(ctx context.Context, tx pgx.Tx, o open, person identity.ID, at time.Time) (bool, error) {
	members := s.people.Members(person)
	texts := make([]string, len(members))
	for i, m := range members {
		texts[i] = m.String()
	}
	var runs, active int
	var last *time.Time
	if err := tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE status = 'active'), max(entered_at) FROM scenario_runs WHERE person = ANY($1) AND scenario = $2`,
		texts, o.key).Scan(&runs, &active, &last); err != nil {
		return false, fmt.Errorf("reading earlier runs: %w", err)
	}
	switch {
	case runs == 0:
		return true, nil
	case o.def.ReEntry.Mode == ReEnterNever, o.def.ReEntry.Mode != ReEnterAlways && active > 0:
		return false, nil
	case last != nil && at.Sub(*last) < time.Duration(o.def.ReEntry.Hours*float64(time.Hour)):
		return false, nil
	}
	return true, nil
}
