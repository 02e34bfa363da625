package campaigns

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide/outbound"
	"quintet/internal/problem"
	"quintet/profiles"
)

// Occurrence is one going through the audience, with how far it is.
type Occurrence struct {
	ID         int64                    `json:"id"`
	At         time.Time                `json:"at" doc:"When it was due"`
	Version    int64                    `json:"version" doc:"Version of the campaign by which it decides"`
	Status     string                   `json:"status" enum:"freezing,running,done,stopped"`
	Audience   int64                    `json:"audience" doc:"People in the audience when it was due"`
	Counts     map[outbound.Outcome]int `json:"counts" doc:"People by what became of them; the others wait"`
	Cost       float64                  `json:"cost" doc:"Cost of the contacts"`
	StartedAt  time.Time                `json:"startedAt"`
	FinishedAt *time.Time               `json:"finishedAt,omitempty"`
}

// Occurrences are those of a campaign, newest first, from the one before an id on; 0
// is from the newest.
func (s *Service) Occurrences(ctx context.Context, key string, before int64, limit int) ([]Occurrence, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, occurrence, version, status, audience, counts, cost, started_at, finished_at FROM campaign_runs
		WHERE campaign = $1 AND ($2 = 0 OR id < $2) ORDER BY id DESC LIMIT $3`, key, before, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the runs of campaign %s: %w", key, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Occurrence, err error) {
		var counts []byte
		if err := row.Scan(&o.ID, &o.At, &o.Version, &o.Status, &o.Audience, &counts, &o.Cost, &o.StartedAt, &o.FinishedAt); err != nil {
			return o, err
		}
		return o, json.Unmarshal(counts, &o.Counts)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the runs of campaign %s: %w", key, err)
	}
	return out, nil
}

// Recipient is a person of an occurrence with what became of them.
type Recipient struct {
	Person     string           `json:"person"`
	Outcome    outbound.Outcome `json:"outcome" enum:"waiting,queued,nobody,holdout,ineligible,no-consent,duplicate,gone,failed"`
	Reason     string           `json:"reason,omitempty" doc:"Rule or fault behind the outcome"`
	DecisionID string           `json:"decisionId,omitempty"`
	Action     string           `json:"action,omitempty"`
	SendAt     *time.Time       `json:"sendAt,omitempty"`
	DecidedAt  *time.Time       `json:"decidedAt,omitempty"`
}

// Recipients are the people of an occurrence in the order of their ids, from the one
// after a person on, all or those of one outcome.
func (s *Service) Recipients(ctx context.Context, key string, occurrence int64, outcome, after string, limit int) ([]Recipient, error) {
	rows, err := s.pool.Query(ctx, `SELECT p.person, p.outcome, p.reason, p.decision_id, p.action, p.send_at, p.decided_at FROM campaign_recipients p
		JOIN campaign_runs r ON r.id = p.run WHERE r.campaign = $1 AND r.id = $2 AND p.person > $3 AND ($4 = '' OR p.outcome = $4) ORDER BY p.person LIMIT $5`,
		key, occurrence, after, outcome, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the recipients of campaign %s: %w", key, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Recipient])
	if err != nil {
		return nil, fmt.Errorf("reading the recipients of campaign %s: %w", key, err)
	}
	return out, nil
}

// Due is a moment at which a campaign is due.
type Due struct {
	Campaign string    `json:"campaign"`
	Name     string    `json:"name,omitempty"`
	At       time.Time `json:"at"`
	Status   Status    `json:"status" enum:"draft,running,paused,stopped,done"`
}

const (
	maxDue       = 500
	maxDueOfEach = 62
)

// Calendar are the moments in [from, to) at which campaigns are due, 500 at most.
func (s *Service) Calendar(ctx context.Context, from, to time.Time) ([]Due, error) {
	rows, err := s.pool.Query(ctx, `SELECT campaign, status FROM campaign_states`)
	if err != nil {
		return nil, fmt.Errorf("reading the states of campaigns: %w", err)
	}
	states := make(map[string]Status)
	var key string
	var status Status
	if _, err := pgx.ForEachRow(rows, []any{&key, &status}, func() error { states[key] = status; return nil }); err != nil {
		return nil, fmt.Errorf("reading the states of campaigns: %w", err)
	}
	out := []Due{}
	for key, def := range s.campaigns.Snapshot() {
		c := &def.Value
		if c.Schedule.Kind == Once && c.Schedule.At == nil {
			continue
		}
		st := states[key]
		if st == "" {
			st = Draft
		}
		for _, at := range c.Schedule.Between(from, to, maxDueOfEach) {
			out = append(out, Due{Campaign: key, Name: c.Name, At: at, Status: st})
		}
	}
	slices.SortFunc(out, func(a, b Due) int { return a.At.Compare(b.At) })
	return out[:min(len(out), maxDue)], nil
}

// Trial is what a test send came to.
type Trial struct {
	Outcome    outbound.Outcome  `json:"outcome" enum:"queued,nobody,holdout,ineligible,no-consent,gone,failed"`
	Reason     string            `json:"reason,omitempty"`
	DecisionID string            `json:"decisionId,omitempty"`
	Message    *outbound.Message `json:"message,omitempty" doc:"What was stored for delivery"`
}

// Test decides about one person now and sends what follows, as the campaign would.
// Consent and every rule hold for it too.
func (s *Service) Test(ctx context.Context, key, person string) (*Trial, error) {
	def, ok := s.campaigns.Get(key)
	if !ok {
		return nil, problem.NotFound("campaign", key)
	}
	ask := s.ask("test:"+key, person, &def.Value)
	ask.Clock = ""
	v, err := s.judge.Decide(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &Trial{Outcome: v.Outcome, Reason: v.Reason}
	if v.Response != nil && !v.Response.Fallback {
		out.DecisionID = v.Response.DecisionID
	}
	if m := v.Message; m != nil {
		m.Key = fmt.Sprintf("test/campaign/%s/%s", key, m.DecisionID)
		m.Origin, m.OriginKey, m.Step, m.Test = outbound.OriginCampaign, key, "test", true
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

var owned = outbound.Owned{Table: "campaign_recipients", PersonOnly: true}

// Erase is part of [profiles.ErasurePart].
func (s *Service) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	return outbound.EraseFrom(ctx, s.pool, sub, owned)
}

// Check is part of [profiles.ErasurePart].
func (s *Service) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	return outbound.CheckFor(ctx, s.pool, sub, owned)
}

// EachRecipient calls f with what became of a person in campaigns, for an export.
func (s *Service) EachRecipient(ctx context.Context, profiles []string, f func(any) error) error {
	type exported struct {
		Campaign string    `json:"campaign"`
		At       time.Time `json:"at"`
		Recipient
	}
	rows, err := s.pool.Query(ctx, `SELECT r.campaign, r.occurrence, p.person, p.outcome, p.reason, p.decision_id, p.action, p.send_at, p.decided_at
		FROM campaign_recipients p JOIN campaign_runs r ON r.id = p.run WHERE p.person = ANY($1) ORDER BY r.id`, profiles)
	if err != nil {
		return fmt.Errorf("exporting the campaigns of a person: %w", err)
	}
	var e exported
	_, err = pgx.ForEachRow(rows, []any{&e.Campaign, &e.At, &e.Person, &e.Outcome, &e.Reason, &e.DecisionID, &e.Action, &e.SendAt, &e.DecidedAt}, func() error { return f(e) })
	if err != nil {
		return fmt.Errorf("exporting the campaigns of a person: %w", err)
	}
	return nil
}
