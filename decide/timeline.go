package decide

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quintet/internal/clickhouse"
)

// About returns the latest decisions about a few profiles, newest first by their ids,
// with those that ClickHouse does not have yet. What the decisions were made of, their
// context, is not among it.
func (s *Service) About(ctx context.Context, profiles []string, limit int) ([]Summary, error) {
	var found []Summary
	for _, id := range profiles {
		list, _ := s.recent.list(&Filter{ProfileID: id, Limit: limit})
		for _, rec := range list {
			one := Summarise(rec)
			one.Context = nil
			found = append(found, one)
		}
	}
	logged, err := s.logged(ctx, profiles, limit)
	if err != nil {
		return nil, fmt.Errorf("listing the decisions about a person: %w", err)
	}
	found = append(found, logged...)
	slices.SortStableFunc(found, func(a, b Summary) int { return cmp.Compare(b.DecisionID, a.DecisionID) })
	found = slices.CompactFunc(found, func(a, b Summary) bool { return a.DecisionID == b.DecisionID })
	return found[:min(limit, len(found))], nil
}

func (s *Service) logged(ctx context.Context, profiles []string, limit int) ([]Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// Equality is looked up in the index by halving, a set is compared with all of it.
	whose := "profile_id = {profiles:String}"
	if len(profiles) > 1 {
		whose = "profile_id IN splitByChar(' ', {profiles:String})"
	}
	// Somebody waits for these few rows: one thread, not behind those of reports, and all
	// rows of the person read and sorted, which is quicker than to set out to read backwards.
	// Without a step of its own for the condition, as with one ClickHouse now and then leaves
	// empty what it read in the cards of rows from before there were cards.
	cards, err := s.db.Texts(ctx, "SELECT card FROM decision_timeline WHERE "+whose+" ORDER BY decision_id DESC LIMIT 1 BY decision_id LIMIT "+strconv.Itoa(limit)+
		" SETTINGS max_threads = 1, os_thread_priority = -10, optimize_read_in_order = 0, optimize_move_to_prewhere = 0", map[string]string{"profiles": strings.Join(profiles, " ")})
	if err != nil {
		return nil, err
	}
	found := make([]Summary, len(cards))
	for i, card := range cards {
		if found[i], err = readSummary(card); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// readSummary reads the column card of the timeline of decisions.
func readSummary(card string) (Summary, error) {
	row := clickhouse.ReadRow(card)
	one := Summary{
		DecisionID: row.Text(), DecidedAt: row.Milliseconds(), Decision: row.Text(), ProfileID: row.Text(), Group: Group(row.Text()),
		Eligible: row.Flag(), Action: row.Text(), Offer: row.Text(), Channel: row.Text(), Creative: row.Text(),
		Propensity: row.Float(), Policy: row.Text(), Fallback: row.Flag(),
	}
	keys, variants := row.Texts(), row.Texts()
	versions := make([]uint64, row.List(8))
	for i := range versions {
		versions[i] = row.Unsigned()
	}
	if err := row.Close(); err != nil {
		return one, fmt.Errorf("reading a decision: %w", err)
	}
	if len(keys) != len(variants) || len(keys) != len(versions) {
		return one, fmt.Errorf("reading decision %s: %w: columns that belong together differ in length", one.DecisionID, errDamaged)
	}
	one.Experiments = make([]Enrolment, len(keys))
	for i := range keys {
		one.Experiments[i] = Enrolment{Key: keys[i], Variant: variants[i], Version: int64(versions[i])}
	}
	return one, nil
}
