package decide

import (
	"context"
	"fmt"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"quintet/internal/stream"
)

const insertDecisions = "INSERT INTO decisions (decision_id, sequence, decided_at, received_at, decision_point, point_version, class, " +
	"profile_id, `group`, eligible, reasons, action, offer, channel, creative, items, send_at, contact_cost, " +
	"propensity, propensity_what, propensity_where, propensity_when, propensity_how, policy, model_version, draw, " +
	"candidates, probabilities, removed_actions, removed_rules, feature_index, feature_value, " +
	"experiments, variants, experiment_versions, fallback, fallback_reason, source, context, traits)"

// store writes one range of the stream. The range's token makes a repetition of
// the same range a no-op, also in the views on top.
func (s *Service) store(ctx context.Context, b stream.Batch) error {
	rows := &decisionRows{boxed: make(map[string]any)}
	for _, m := range b.Messages {
		var rec Record
		contextJSON, traits, err := decodeRow(m.Data, &rec)
		if err != nil {
			// Only a foreign writer can put such a message here; stopping would
			// block every decision behind it.
			s.log.Error("unreadable decision record skipped", "sequence", m.Sequence, "error", err)
			continue
		}
		rows.add(&rec, m.Sequence, m.Time.UnixMilli(), contextJSON, traits)
	}
	if len(rows.id) == 0 {
		return nil
	}
	ctx = ch.Context(ctx, ch.WithSettings(ch.Settings{
		"insert_deduplicate":                                 1,
		"insert_deduplication_token":                         b.Token(),
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		// An import of old decisions reaches over more months than one insert may
		// have by default.
		"max_partitions_per_insert_block": 0,
	}))
	batch, err := s.db.Write.PrepareBatch(ctx, insertDecisions)
	if err != nil {
		return fmt.Errorf("preparing an insert of decisions: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for i, column := range rows.columns() {
		if err := batch.Column(i).Append(column); err != nil {
			return fmt.Errorf("filling column %d of decisions: %w", i, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("inserting %d decisions: %w", len(rows.id), err)
	}
	return nil
}

// decisionRows gathers rows by column, which is many times quicker to hand over
// than row by row. Values of low-cardinality columns are boxed once per value, as
// the client boxes each one otherwise.
type decisionRows struct {
	boxed map[string]any

	id, profile, context, traits                                  []string
	point, class, group, action, offer, channel, creative, policy []any
	fallbackReason, source                                        []any
	sequence, pointVersion, modelVersion                          []uint64
	decidedAt, receivedAt, sendAt                                 []int64
	eligible, fallback                                            []bool
	cost, propensity, what, where, when, how, draw                []float64
	reasons, candidates, removed, rules, experiments, variants    [][]any
	items                                                         [][]string
	probabilities, featureValue                                   [][]float64
	featureIndex                                                  [][]uint32
	experimentVersions                                            [][]uint64
}

// columns are in the order of [insertDecisions].
func (r *decisionRows) columns() []any {
	return []any{
		r.id, r.sequence, r.decidedAt, r.receivedAt, r.point, r.pointVersion, r.class, r.profile, r.group, r.eligible, r.reasons,
		r.action, r.offer, r.channel, r.creative, r.items, r.sendAt, r.cost,
		r.propensity, r.what, r.where, r.when, r.how, r.policy, r.modelVersion, r.draw,
		r.candidates, r.probabilities, r.removed, r.rules, r.featureIndex, r.featureValue,
		r.experiments, r.variants, r.experimentVersions, r.fallback, r.fallbackReason, r.source, r.context, r.traits,
	}
}

func (r *decisionRows) add(rec *Record, sequence uint64, received int64, contextJSON, traits string) {
	sendAt := rec.SendAt
	if sendAt.IsZero() {
		sendAt = rec.DecidedAt
	}
	r.id = append(r.id, rec.DecisionID)
	r.sequence = append(r.sequence, sequence)
	r.decidedAt = append(r.decidedAt, rec.DecidedAt.UnixMilli())
	r.receivedAt = append(r.receivedAt, received)
	r.point = append(r.point, r.box(rec.Decision))
	r.pointVersion = append(r.pointVersion, uint64(rec.PointVersion))
	r.class = append(r.class, r.box(rec.Class))
	r.profile = append(r.profile, rec.ProfileID)
	r.group = append(r.group, r.box(string(rec.Group)))
	r.eligible = append(r.eligible, rec.Eligible)
	r.reasons = append(r.reasons, r.boxAll(rec.Reasons))
	r.action = append(r.action, r.box(rec.Action))
	r.offer = append(r.offer, r.box(rec.Offer))
	r.channel = append(r.channel, r.box(rec.Channel))
	r.creative = append(r.creative, r.box(rec.Creative))
	r.items = append(r.items, rec.Items)
	r.sendAt = append(r.sendAt, sendAt.UnixMilli())
	r.cost = append(r.cost, rec.ContactCost)
	r.propensity = append(r.propensity, rec.Propensity)
	r.what = append(r.what, rec.Propensities.What)
	r.where = append(r.where, rec.Propensities.Where)
	r.when = append(r.when, rec.Propensities.When)
	r.how = append(r.how, rec.Propensities.How)
	r.policy = append(r.policy, r.box(rec.Policy))
	r.modelVersion = append(r.modelVersion, uint64(rec.ModelVersion))
	r.draw = append(r.draw, rec.Draw)
	r.candidates = append(r.candidates, r.boxAll(rec.Candidates))
	r.probabilities = append(r.probabilities, rec.Probabilities)
	removed, rules := make([]any, len(rec.Removed)), make([]any, len(rec.Removed))
	for i, x := range rec.Removed {
		removed[i], rules[i] = r.box(x.Action), r.box(x.Rule)
	}
	r.removed, r.rules = append(r.removed, removed), append(r.rules, rules)
	r.featureIndex = append(r.featureIndex, rec.FeatureIndex)
	r.featureValue = append(r.featureValue, rec.FeatureValue)
	keys, variants := make([]any, len(rec.Experiments)), make([]any, len(rec.Experiments))
	versions := make([]uint64, len(rec.Experiments))
	for i, e := range rec.Experiments {
		keys[i], variants[i], versions[i] = r.box(e.Key), r.box(e.Variant), uint64(e.Version)
	}
	r.experiments, r.variants = append(r.experiments, keys), append(r.variants, variants)
	r.experimentVersions = append(r.experimentVersions, versions)
	r.fallback = append(r.fallback, rec.Fallback)
	r.fallbackReason = append(r.fallbackReason, r.box(rec.FallbackReason))
	r.source = append(r.source, r.box(rec.Source))
	r.context = append(r.context, contextJSON)
	r.traits = append(r.traits, traits)
}

// box returns the value as an any that all equal values share.
func (r *decisionRows) box(value string) any {
	if boxed, ok := r.boxed[value]; ok {
		return boxed
	}
	value = strings.Clone(value) // the original keeps its whole record alive
	boxed := any(value)
	r.boxed[value] = boxed
	return boxed
}

func (r *decisionRows) boxAll(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = r.box(v)
	}
	return out
}
