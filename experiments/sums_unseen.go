package experiments

import (
	"context"
	"fmt"
	"strings"
)

// lookForEvents fills Unseen. It looks only where nothing was counted, so that a
// metric with figures costs nothing more.
func (s *Service) lookForEvents(ctx context.Context, r *SumsRequest, t *SumsTable) error {
	t.Unseen = make([][]string, len(r.Metrics))
	for i := range r.Metrics {
		if t.counted(i) {
			continue
		}
		for _, name := range r.Metrics[i].Events() {
			if strings.HasPrefix(name, "\x01") { // stands for no event
				continue
			}
			seen, err := s.eventSeen(ctx, name, fmt.Sprintf("received_at <= %s", momentLiteral(r.AsOf)))
			if err != nil {
				return err
			}
			if !seen {
				t.Unseen[i] = append(t.Unseen[i], name)
			}
		}
	}
	return nil
}

// counted says whether every part of metric i has something in some cell.
func (t *SumsTable) counted(i int) bool {
	events, denominator, complete := false, false, false
	for j := range t.Cells {
		m := &t.Cells[j].Metrics[i]
		events = events || m.Events > 0
		denominator = denominator || m.Kind != RatioKind || m.D != 0
		complete = complete || (len(m.Funnel) > 0 && m.Funnel[len(m.Funnel)-1] > 0)
	}
	return complete || (events && denominator)
}

func (s *Service) eventSeen(ctx context.Context, name, condition string) (seen bool, err error) {
	sql := "SELECT count() > 0 FROM (SELECT 1 FROM events WHERE event = " + literal(name) + " AND type = 'track' AND " + condition + " LIMIT 1)"
	if err := s.db.Read.QueryRow(ctx, sql).Scan(&seen); err != nil {
		return false, fmt.Errorf("looking for the event %s: %w", name, err)
	}
	return seen, nil
}

// unseenProblem says that a metric's figures rest on events that nobody sent.
func unseenProblem(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return "No event named " + strings.Join(quoted, " or ") + " has ever come in: the name may be written wrong, and zeros below say nothing."
}
