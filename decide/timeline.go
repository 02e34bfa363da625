package decide

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
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
	whose, argument := "profile_id IN (?)", any(profiles)
	if len(profiles) == 1 {
		whose, argument = "profile_id = ?", profiles[0]
	}
	// Somebody waits for these few rows: one thread, not behind those of reports, and all
	// rows of the person read and sorted, which is quicker than to set out to read backwards.
	rows, err := s.db.Read.Query(ctx, "SELECT decision_id, decided_at, decision_point, profile_id, `group`, eligible, action, offer, channel, creative, propensity, policy, experiments, variants, experiment_versions, fallback "+
		"FROM decision_timeline WHERE "+whose+" ORDER BY decision_id DESC LIMIT 1 BY decision_id LIMIT ? SETTINGS max_threads = 1, os_thread_priority = 0, optimize_read_in_order = 0", argument, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Summary
	for rows.Next() {
		var one Summary
		var group string
		var keys, variants []string
		var versions []uint64
		if err := rows.Scan(&one.DecisionID, &one.DecidedAt, &one.Decision, &one.ProfileID, &group, &one.Eligible, &one.Action, &one.Offer, &one.Channel, &one.Creative,
			&one.Propensity, &one.Policy, &keys, &variants, &versions, &one.Fallback); err != nil {
			return nil, err
		}
		if len(keys) != len(variants) || len(keys) != len(versions) {
			return nil, fmt.Errorf("reading decision %s: %w: columns that belong together differ in length", one.DecisionID, errDamaged)
		}
		one.Group, one.Experiments = Group(group), make([]Enrolment, len(keys))
		for i := range keys {
			one.Experiments[i] = Enrolment{Key: keys[i], Variant: variants[i], Version: int64(versions[i])}
		}
		found = append(found, one)
	}
	return found, rows.Err()
}
