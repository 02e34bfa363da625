package decide

import (
	"context"
	"encoding/json"
	"fmt"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/stream"
)

const insertDecisions = "INSERT INTO decisions (decision_id, sequence, decided_at, decision_point, point_version, class, " +
	"profile_id, `group`, eligible, reasons, action, offer, channel, creative, items, send_at, contact_cost, " +
	"propensity, propensity_what, propensity_where, propensity_when, propensity_how, policy, model_version, draw, " +
	"candidates, probabilities, removed_actions, removed_rules, feature_index, feature_value, " +
	"experiments, variants, experiment_versions, fallback, fallback_reason, source, context, traits)"

// store writes one range of the stream. The range's token makes a repetition of
// the same range a no-op, also in the views on top.
func (s *Service) store(ctx context.Context, b stream.Batch) error {
	ctx = ch.Context(ctx, ch.WithSettings(ch.Settings{
		"insert_deduplicate":                                 1,
		"insert_deduplication_token":                         b.Token(),
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"throw_on_max_partitions_per_insert_block":           0,
	}))
	batch, err := s.db.Write.PrepareBatch(ctx, insertDecisions)
	if err != nil {
		return fmt.Errorf("preparing an insert of decisions: %w", err)
	}
	defer batch.Close()
	rows := 0
	for _, m := range b.Messages {
		rec, err := decodeRecord(m.Data)
		if err != nil {
			// Only a foreign writer can put such a message here; stopping would
			// block every decision behind it.
			s.log.Error("unreadable decision record skipped", "sequence", m.Sequence, "error", err)
			continue
		}
		if err := appendRecord(batch, rec, m.Sequence); err != nil {
			return fmt.Errorf("adding decision %s: %w", rec.DecisionID, err)
		}
		rows++
	}
	if rows == 0 {
		return batch.Abort()
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d decisions: %w", rows, err)
	}
	return nil
}

// appender is the part of a batch that takes rows.
type appender interface{ Append(v ...any) error }

func appendRecord(batch appender, r *Record, sequence uint64) error {
	removed, rules := make([]string, len(r.Removed)), make([]string, len(r.Removed))
	for i, x := range r.Removed {
		removed[i], rules[i] = x.Action, x.Rule
	}
	keys, variants := make([]string, len(r.Experiments)), make([]string, len(r.Experiments))
	versions := make([]uint64, len(r.Experiments))
	for i, e := range r.Experiments {
		keys[i], variants[i], versions[i] = e.Key, e.Variant, uint64(e.Version)
	}
	contextJSON, err := objectJSON(r.Context)
	if err != nil {
		return err
	}
	traits, err := objectJSON(r.Traits)
	if err != nil {
		return err
	}
	sendAt := r.SendAt
	if sendAt.IsZero() {
		sendAt = r.DecidedAt
	}
	return batch.Append(r.DecisionID, sequence, r.DecidedAt, r.Decision, uint64(r.PointVersion), r.Class,
		r.ProfileID, string(r.Group), r.Eligible, orEmpty(r.Reasons), r.Action, r.Offer, r.Channel, r.Creative, orEmpty(r.Items), sendAt, r.ContactCost,
		r.Propensity, r.Propensities.What, r.Propensities.Where, r.Propensities.When, r.Propensities.How, r.Policy, uint64(r.ModelVersion), r.Draw,
		orEmpty(r.Candidates), orEmpty(r.Probabilities), removed, rules, orEmpty(r.FeatureIndex), orEmpty(r.FeatureValue),
		keys, variants, versions, r.Fallback, r.FallbackReason, r.Source, contextJSON, traits)
}

func objectJSON(m map[string]any) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(m)
	return string(b), err
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
