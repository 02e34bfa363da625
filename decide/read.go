package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"quintet/internal/problem"
)

const selectDecisions = "SELECT decision_id, decided_at, decision_point, point_version, class, profile_id, `group`, eligible, reasons, " +
	"action, offer, channel, creative, items, send_at, contact_cost, propensity, propensity_what, propensity_where, " +
	"propensity_when, propensity_how, policy, model_version, draw, candidates, probabilities, removed_actions, removed_rules, " +
	"feature_index, feature_value, experiments, variants, experiment_versions, arrayResize(experiment_how, length(experiments)), arrayResize(experiment_units, length(experiments)), " +
	"excluded, excluded_versions, excluded_reasons, excluded_units, fallback, fallback_reason, source, context, traits, audience, " +
	"tags, charges, slots, slot_probabilities, candidate_values " +
	"FROM decisions "

// Find returns one decision, also one that ClickHouse does not have yet.
func (s *Service) Find(ctx context.Context, id string) (*Record, error) {
	if len(id) != 26 {
		return nil, problem.NotFound("decision", problem.Clip(id))
	}
	if rec, ok := s.recent.get(id); ok {
		return rec, nil
	}
	found, err := s.query(ctx, "WHERE decision_id = ? LIMIT 1", id)
	if err != nil {
		return nil, fmt.Errorf("reading decision %s: %w", id, err)
	}
	if len(found) == 0 {
		return nil, problem.NotFound("decision", id)
	}
	return found[0], nil
}

// Filter selects decisions of a list.
type Filter struct {
	Decision  string // decision point, all if empty
	ProfileID string // all if empty
	Before    string // decisions older than this id
	Limit     int
}

func (f *Filter) match(r *Record) bool {
	return (f.Decision == "" || r.Decision == f.Decision) && (f.ProfileID == "" || r.ProfileID == f.ProfileID) &&
		(f.Before == "" || r.DecisionID < f.Before)
}

// List returns decisions, newest first by their ids. Where memory holds enough
// younger ones the log is not asked; decisions that another process made a moment
// ago are then not among them.
func (s *Service) List(ctx context.Context, f Filter) ([]*Record, error) {
	recent, complete := s.recent.list(&f)
	if complete {
		return recent, nil
	}
	var where []string
	var args []any
	for _, c := range []struct{ column, value string }{{"decision_point = ?", f.Decision}, {"profile_id = ?", f.ProfileID}, {"decision_id < ?", f.Before}} {
		if c.value != "" {
			where, args = append(where, c.column), append(args, c.value)
		}
	}
	clause := ""
	if len(where) > 0 {
		clause = "WHERE " + strings.Join(where, " AND ") + " "
	}
	logged, err := s.query(ctx, clause+fmt.Sprintf("ORDER BY decision_id DESC LIMIT 1 BY decision_id LIMIT %d", f.Limit), args...)
	if err != nil {
		return nil, fmt.Errorf("listing decisions: %w", err)
	}
	return merge(recent, logged, f.Limit), nil
}

// Log returns decisions of a decision point as they are in ClickHouse, oldest
// first, after the given id.
func (s *Service) Log(ctx context.Context, point, after string, limit int) ([]*Record, error) {
	found, err := s.query(ctx, "WHERE decision_point = ? AND decision_id > ? ORDER BY decision_id LIMIT 1 BY decision_id LIMIT ?", point, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w", point, err)
	}
	return found, nil
}

// merge joins two lists, newest first, without repeating a decision.
func merge(recent, logged []*Record, limit int) []*Record {
	out := make([]*Record, 0, limit)
	for (len(recent) > 0 || len(logged) > 0) && len(out) < limit {
		var next *Record
		if len(logged) == 0 || len(recent) > 0 && recent[0].DecisionID >= logged[0].DecisionID {
			next, recent = recent[0], recent[1:]
		} else {
			next, logged = logged[0], logged[1:]
		}
		if len(out) == 0 || out[len(out)-1].DecisionID != next.DecisionID {
			out = append(out, next)
		}
	}
	return out
}

func (s *Service) query(ctx context.Context, clause string, args ...any) ([]*Record, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	rows, err := s.db.Read.Query(ctx, selectDecisions+clause, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Record
	for rows.Next() {
		rec := new(Record)
		var group, contextJSON, traits, audience string
		var removed, rules, keys, variants, how, units, excluded, exclusions, excludedUnits []string
		var versions, excludedVersions []uint64
		var pointVersion, modelVersion uint64
		if err := rows.Scan(&rec.DecisionID, &rec.DecidedAt, &rec.Decision, &pointVersion, &rec.Class, &rec.ProfileID, &group, &rec.Eligible, &rec.Reasons,
			&rec.Action, &rec.Offer, &rec.Channel, &rec.Creative, &rec.Items, &rec.SendAt, &rec.ContactCost,
			&rec.Propensity, &rec.Propensities.What, &rec.Propensities.Where, &rec.Propensities.When, &rec.Propensities.How,
			&rec.Policy, &modelVersion, &rec.Draw, &rec.Candidates, &rec.Probabilities, &removed, &rules,
			&rec.FeatureIndex, &rec.FeatureValue, &keys, &variants, &versions, &how, &units,
			&excluded, &excludedVersions, &exclusions, &excludedUnits, &rec.Fallback, &rec.FallbackReason,
			&rec.Source, &contextJSON, &traits, &audience, &rec.Tags, &rec.Charges, &rec.Slots, &rec.SlotProbabilities, &rec.Values); err != nil {
			return nil, err
		}
		rec.Group, rec.PointVersion, rec.ModelVersion = Group(group), int64(pointVersion), int64(modelVersion)
		if len(removed) != len(rules) || len(keys) != len(variants) || len(keys) != len(versions) || !rec.parallel() ||
			len(excluded) != len(excludedVersions) || len(excluded) != len(exclusions) || len(excluded) != len(excludedUnits) {
			return nil, fmt.Errorf("reading decision %s: %w: columns that belong together differ in length", rec.DecisionID, errDamaged)
		}
		rec.Removed = make([]Removal, len(removed))
		for i := range removed {
			rec.Removed[i] = Removal{Action: removed[i], Rule: rules[i]}
		}
		rec.Experiments = make([]Enrolment, len(keys))
		for i := range keys {
			rec.Experiments[i] = Enrolment{Key: keys[i], Variant: variants[i], Version: int64(versions[i]), How: how[i], Unit: units[i]}
		}
		rec.Excluded = make([]Exclusion, len(excluded))
		for i := range excluded {
			rec.Excluded[i] = Exclusion{Key: excluded[i], Version: int64(excludedVersions[i]), Reason: exclusions[i], Unit: excludedUnits[i]}
		}
		if err := json.Unmarshal([]byte(contextJSON), &rec.Context); err != nil {
			return nil, fmt.Errorf("reading the context of decision %s: %w", rec.DecisionID, err)
		}
		if err := json.Unmarshal([]byte(traits), &rec.Traits); err != nil {
			return nil, fmt.Errorf("reading the traits of decision %s: %w", rec.DecisionID, err)
		}
		if audience != "" && audience != "{}" {
			if err := json.Unmarshal([]byte(audience), &rec.Audience); err != nil {
				return nil, fmt.Errorf("reading what audiences read in decision %s: %w", rec.DecisionID, err)
			}
		}
		out = append(out, rec)
	}
	return out, rows.Err()
}
