package decide

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/caps"
)

// giveTimeout bounds how long it takes to write down that contacts gave way.
const giveTimeout = 5 * time.Second

// Displacement is a contact that gave way to a more valuable one.
type Displacement struct {
	Loser          string    `json:"loser" doc:"Decision whose contact gave way"`
	Winner         string    `json:"winner" doc:"Decision that has its place"`
	Rule           string    `json:"rule" doc:"arbitration: and the key of the cap"`
	At             time.Time `json:"at"`
	LoserPriority  int       `json:"loserPriority"`
	LoserWorth     float64   `json:"loserWorth" doc:"Expected value less costs"`
	WinnerPriority int       `json:"winnerPriority"`
	WinnerWorth    float64   `json:"winnerWorth" doc:"Expected value less costs"`
}

// sentError says that a contact which was to give way had been made.
type sentError struct{ rule string }

func (e *sentError) Error() string { return "a contact that was to give way had been made" }

// contend takes a place in the ledger, where less valuable contacts may have to give
// way. Whether they still can is decided in Postgres, where what became of each contact
// is one row: of a process that sends and one that has it give way only one gets it.
func (s *Service) contend(ctx context.Context, l *limits, c *caps.Contact) (rule string, ok bool) {
	if len(l.windows) == 0 || c.Class != ClassAdvertising {
		return s.contactsHeld.Reserve(*c)
	}
	given, rule, ok := s.contactsHeld.Contend(*c)
	if !ok || len(given) == 0 {
		return rule, ok
	}
	if err := s.displace(ctx, c.ID, caps.Rank{Priority: c.Priority, Worth: c.Worth}, given); err != nil {
		s.contactsHeld.Release(c.ID)
		var sent *sentError
		if !errors.As(err, &sent) {
			s.log.Warn("a contact could not take the place of a less valuable one", "decisionId", c.ID, "error", err)
		}
		return given[0].Rule, false
	}
	return "", true
}

// displace writes down that contacts gave way. When one of them was made meanwhile it
// gives a [sentError], and all others have their places back.
func (s *Service) displace(ctx context.Context, winner string, rank caps.Rank, given []caps.Given) error {
	if s.pool == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveTimeout)
	defer cancel()
	now := s.now().UTC().Truncate(time.Millisecond)
	// In one order, so that two that displace the same contacts do not wait for each other.
	given = slices.Clone(given)
	slices.SortFunc(given, func(a, b caps.Given) int { return strings.Compare(a.ID, b.ID) })
	made := ""
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, g := range given {
			tag, err := tx.Exec(ctx, `INSERT INTO contact_outcomes (decision_id, outcome, at, winner, rule, gave_at, own_priority, own_worth, winner_priority, winner_worth)
				VALUES ($1, 'gave', $2, $3, $4, $2, $5, $6, $7, $8)
				ON CONFLICT (decision_id) DO UPDATE SET outcome = 'gave', change = DEFAULT, winner = excluded.winner, rule = excluded.rule, gave_at = excluded.gave_at,
					own_priority = excluded.own_priority, own_worth = excluded.own_worth, winner_priority = excluded.winner_priority, winner_worth = excluded.winner_worth
				WHERE contact_outcomes.outcome = 'planned'`, g.ID, now, winner, ruleArbitration+g.Rule, g.Priority, g.Worth, rank.Priority, rank.Worth)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 { // sent, released, or gave way to another one
				made = g.ID
				return &sentError{g.Rule}
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	for _, g := range given {
		s.contactsHeld.Restore(g.ID)
	}
	if made != "" {
		s.refresh(ctx, made)
	}
	return fmt.Errorf("having contacts give way to decision %s: %w", winner, err)
}

// refresh applies what Postgres says became of a contact.
func (s *Service) refresh(ctx context.Context, id string) {
	var outcome string
	var at time.Time
	if err := s.pool.QueryRow(ctx, `SELECT outcome, at FROM contact_outcomes WHERE decision_id = $1`, id).Scan(&outcome, &at); err != nil {
		s.log.Warn("reading what became of a contact", "decisionId", id, "error", err)
		return
	}
	switch outcome {
	case contactSent:
		s.contactsHeld.Moved(id, at)
	case contactGave:
		s.contactsHeld.Give(id)
	case contactReleased:
		s.contactsHeld.Release(id)
	}
}

// storeSent writes that a contact is made now, unless it gave way in another process:
// then it gives a [CapError], and the message must not be sent.
func (s *Service) storeSent(ctx context.Context, id string, at time.Time) error {
	if s.pool == nil {
		return nil
	}
	if err := s.storeContact(ctx, id, contactSent, at); err != nil {
		return err
	}
	if l := s.state.Load().limits; l == nil || len(l.windows) == 0 {
		return nil
	}
	var outcome, rule string
	if err := s.pool.QueryRow(ctx, `SELECT outcome, rule FROM contact_outcomes WHERE decision_id = $1`, id).Scan(&outcome, &rule); err != nil {
		return fmt.Errorf("reading what became of the contact of decision %s: %w", id, err)
	}
	if outcome != contactGave {
		return nil
	}
	s.contactsHeld.Uncommit(id)
	s.contactsHeld.Give(id)
	return &CapError{Rule: rule}
}

// gaveTo is the rule by which a contact gave way.
func (s *Service) gaveTo(ctx context.Context, id string) string {
	rule := ruleArbitration
	if s.pool != nil {
		if err := s.pool.QueryRow(ctx, `SELECT rule FROM contact_outcomes WHERE decision_id = $1`, id).Scan(&rule); err != nil {
			s.log.Warn("reading why a contact gave way", "decisionId", id, "error", err)
		}
	}
	return rule
}

// restoreTo gives contacts their places back that gave way to a decision whose own
// contact is not made, and are not given up yet. Whether there is room for them is asked
// when they are sent.
func (s *Service) restoreTo(ctx context.Context, winner string) error {
	if l := s.state.Load().limits; s.pool == nil || l == nil || len(l.windows) == 0 {
		return nil
	}
	rows, err := s.pool.Query(ctx, `UPDATE contact_outcomes SET outcome = 'planned', winner = '', rule = '', change = DEFAULT
		WHERE winner = $1 AND outcome = 'gave' RETURNING decision_id`, winner)
	if err != nil {
		return fmt.Errorf("giving places back that decision %s took: %w", winner, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("giving places back that decision %s took: %w", winner, err)
	}
	for _, id := range ids {
		s.contactsHeld.Restore(id)
	}
	return nil
}

// displacements are those in which a decision won or lost, 100 at most.
func (s *Service) displacements(ctx context.Context, id string) ([]Displacement, error) {
	if s.pool == nil {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT decision_id, winner, rule, gave_at, own_priority, own_worth, winner_priority, winner_worth FROM contact_outcomes
		WHERE winner <> '' AND (decision_id = $1 OR winner = $1) ORDER BY decision_id LIMIT 100`, id)
	if err != nil {
		return nil, fmt.Errorf("reading what decision %s competed with: %w", id, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Displacement])
	if err != nil {
		return nil, fmt.Errorf("reading what decision %s competed with: %w", id, err)
	}
	return out, nil
}

// explainDisplacements says in words in what a decision won or lost.
func explainDisplacements(id string, list []Displacement) (out []string) {
	rank := func(priority int, worth float64) string {
		if priority == 0 {
			return fmt.Sprintf("worth %.4g", worth)
		}
		return fmt.Sprintf("of priority %d and worth %.4g", priority, worth)
	}
	for _, d := range list {
		own, other := rank(d.LoserPriority, d.LoserWorth), rank(d.WinnerPriority, d.WinnerWorth)
		if d.Loser == id {
			out = append(out, fmt.Sprintf("Before it was sent, decision %s, %s, took its place: this one was %s (%s). So it was not sent.", d.Winner, other, own, d.Rule))
		} else {
			out = append(out, fmt.Sprintf("It took the place of decision %s, which had not been sent: that was %s, this one %s (%s).", d.Loser, own, other, d.Rule))
		}
	}
	return out
}
