package decide

import (
	"context"
	"strings"
	"sync"
	"unsafe"

	"quintet/internal/clickhouse"
	"quintet/internal/stream"
)

// store writes one range of the stream. The range's token makes a repetition of
// the same range a no-op, also in the views on top.
func (s *Service) store(ctx context.Context, b stream.Batch) error {
	s.rows.Lock()
	defer s.rows.Unlock()
	rows := &s.rows.decisionRows
	rows.reset()
	var r row
	var kept []keptRow
	for _, m := range b.Messages {
		if isMark(m.Data) {
			continue
		}
		// The columns copy what they keep, so the row may lie in the message itself.
		if err := r.decode(unsafe.String(unsafe.SliceData(m.Data), len(m.Data))); err != nil {
			// Only a foreign writer can put such a message here; stopping would
			// block every decision behind it.
			s.log.Error("unreadable decision record skipped", "sequence", m.Sequence, "error", err)
			continue
		}
		received := m.Time
		if s.handed { // the stream dates by the machine's clock
			received = s.now()
		}
		rows.add(&r, m.Sequence, received.UnixMilli())
		kept = keptIn(&r.Record, kept)
	}
	if err := s.storeKept(ctx, kept); err != nil {
		return err
	}
	return s.db.InsertOnce(ctx, "decisions", b.Token(), rows.fields())
}

// maxCandidateLists bounds the lists of candidates that an insert remembers.
const maxCandidateLists = 1000

// decisionRows gathers rows by column.
type decisionRows struct {
	id, profile, context, traits, audience            clickhouse.Strings
	point, class, group, policy                       clickhouse.Names
	action, offer, channel, creative                  clickhouse.Names
	fallbackReason, source                            clickhouse.Names
	sequence, pointVersion, modelVersion              clickhouse.Numbers[uint64]
	decidedAt, receivedAt, sendAt                     clickhouse.Times
	eligible, fallback                                clickhouse.Flags
	cost, propensity, what, where, when, how, draw    clickhouse.Numbers[float64]
	reasons, candidates, removedActions, removedRules clickhouse.NameLists
	experiments, variants, cameBy                     clickhouse.NameLists
	excluded, exclusions                              clickhouse.NameLists
	items, units, excludedUnits                       clickhouse.StringLists
	probabilities, featureValue                       clickhouse.NumberLists[float64]
	featureIndex                                      clickhouse.NumberLists[uint32]
	experimentVersions, excludedVersions              clickhouse.NumberLists[uint64]
	tags                                              clickhouse.NameLists
	charges, values, slotProbabilities                clickhouse.NumberLists[float64]
	slots                                             clickhouse.Lists[clickhouse.Times, *clickhouse.Times]

	// candidateKeys are lists of candidates as they are encoded: a decision point
	// has few, and each comes with very many decisions.
	candidateKeys map[string][]uint32
}

// storing is the memory of the sink, which stores one range at a time.
type storing struct {
	sync.Mutex
	decisionRows
}

func (r *decisionRows) reset() {
	for _, f := range r.fields() {
		f.Reset()
	}
	r.candidateKeys = nil
}

func (r *decisionRows) fields() []clickhouse.Field {
	return []clickhouse.Field{
		{Name: "decision_id", Column: &r.id},
		{Name: "sequence", Column: &r.sequence},
		{Name: "decided_at", Column: &r.decidedAt},
		{Name: "received_at", Column: &r.receivedAt},
		{Name: "decision_point", Column: &r.point},
		{Name: "point_version", Column: &r.pointVersion},
		{Name: "class", Column: &r.class},
		{Name: "profile_id", Column: &r.profile},
		{Name: "group", Column: &r.group},
		{Name: "eligible", Column: &r.eligible},
		{Name: "reasons", Column: &r.reasons},
		{Name: "action", Column: &r.action},
		{Name: "offer", Column: &r.offer},
		{Name: "channel", Column: &r.channel},
		{Name: "creative", Column: &r.creative},
		{Name: "items", Column: &r.items},
		{Name: "tags", Column: &r.tags},
		{Name: "send_at", Column: &r.sendAt},
		{Name: "slots", Column: &r.slots},
		{Name: "slot_probabilities", Column: &r.slotProbabilities},
		{Name: "contact_cost", Column: &r.cost},
		{Name: "propensity", Column: &r.propensity},
		{Name: "propensity_what", Column: &r.what},
		{Name: "propensity_where", Column: &r.where},
		{Name: "propensity_when", Column: &r.when},
		{Name: "propensity_how", Column: &r.how},
		{Name: "policy", Column: &r.policy},
		{Name: "model_version", Column: &r.modelVersion},
		{Name: "draw", Column: &r.draw},
		{Name: "candidates", Column: &r.candidates},
		{Name: "probabilities", Column: &r.probabilities},
		{Name: "charges", Column: &r.charges},
		{Name: "candidate_values", Column: &r.values},
		{Name: "removed_actions", Column: &r.removedActions},
		{Name: "removed_rules", Column: &r.removedRules},
		{Name: "feature_index", Column: &r.featureIndex},
		{Name: "feature_value", Column: &r.featureValue},
		{Name: "experiments", Column: &r.experiments},
		{Name: "variants", Column: &r.variants},
		{Name: "experiment_versions", Column: &r.experimentVersions},
		{Name: "experiment_how", Column: &r.cameBy},
		{Name: "experiment_units", Column: &r.units},
		{Name: "excluded", Column: &r.excluded},
		{Name: "excluded_versions", Column: &r.excludedVersions},
		{Name: "excluded_reasons", Column: &r.exclusions},
		{Name: "excluded_units", Column: &r.excludedUnits},
		{Name: "fallback", Column: &r.fallback},
		{Name: "fallback_reason", Column: &r.fallbackReason},
		{Name: "source", Column: &r.source},
		{Name: "context", Column: &r.context},
		{Name: "traits", Column: &r.traits},
		{Name: "audience", Column: &r.audience},
	}
}

func (r *decisionRows) add(rec *row, sequence uint64, received int64) {
	sendAt := rec.SendAt
	if sendAt.IsZero() {
		sendAt = rec.DecidedAt
	}
	r.id.Add(rec.DecisionID)
	r.sequence.Add(sequence)
	r.decidedAt.Add(rec.DecidedAt.UnixMilli())
	r.receivedAt.Add(received)
	r.point.Add(rec.Decision)
	r.pointVersion.Add(uint64(rec.PointVersion))
	r.class.Add(rec.Class)
	r.profile.Add(rec.ProfileID)
	r.group.Add(string(rec.Group))
	r.eligible.Add(rec.Eligible)
	for _, reason := range rec.Reasons {
		r.reasons.Elements.Add(reason)
	}
	r.reasons.End()
	r.action.Add(rec.Action)
	r.offer.Add(rec.Offer)
	r.channel.Add(rec.Channel)
	r.creative.Add(rec.Creative)
	for _, item := range rec.Items {
		r.items.Elements.Add(item)
	}
	r.items.End()
	for _, tag := range rec.Tags {
		r.tags.Elements.Add(tag)
	}
	r.tags.End()
	r.sendAt.Add(sendAt.UnixMilli())
	for _, at := range rec.Slots {
		r.slots.Elements.Add(at.UnixMilli())
	}
	r.slots.End()
	r.slotProbabilities.Elements.Add(rec.SlotProbabilities...)
	r.slotProbabilities.End()
	r.cost.Add(rec.ContactCost)
	r.propensity.Add(rec.Propensity)
	r.what.Add(rec.Propensities.What)
	r.where.Add(rec.Propensities.Where)
	r.when.Add(rec.Propensities.When)
	r.how.Add(rec.Propensities.How)
	r.policy.Add(rec.Policy)
	r.modelVersion.Add(uint64(rec.ModelVersion))
	r.draw.Add(rec.Draw)
	r.candidates.Elements.Refer(r.keys(rec.candidates))
	r.candidates.End()
	r.probabilities.Elements.Add(rec.Probabilities...)
	r.probabilities.End()
	r.charges.Elements.Add(rec.Charges...)
	r.charges.End()
	r.values.Elements.Add(rec.Values...)
	r.values.End()
	for _, x := range rec.Removed {
		r.removedActions.Elements.Add(x.Action)
		r.removedRules.Elements.Add(x.Rule)
	}
	r.removedActions.End()
	r.removedRules.End()
	r.featureIndex.Elements.Add(rec.FeatureIndex...)
	r.featureIndex.End()
	r.featureValue.Elements.Add(rec.FeatureValue...)
	r.featureValue.End()
	for _, x := range rec.Experiments {
		r.experiments.Elements.Add(x.Key)
		r.variants.Elements.Add(x.Variant)
		r.experimentVersions.Elements.Add(uint64(x.Version))
		r.cameBy.Elements.Add(x.How)
		r.units.Elements.Add(x.Unit)
	}
	r.experiments.End()
	r.variants.End()
	r.experimentVersions.End()
	r.cameBy.End()
	r.units.End()
	for _, x := range rec.Excluded {
		r.excluded.Elements.Add(x.Key)
		r.excludedVersions.Elements.Add(uint64(x.Version))
		r.exclusions.Elements.Add(x.Reason)
		r.excludedUnits.Elements.Add(x.Unit)
	}
	r.excluded.End()
	r.excludedVersions.End()
	r.exclusions.End()
	r.excludedUnits.End()
	r.fallback.Add(rec.Fallback)
	r.fallbackReason.Add(rec.FallbackReason)
	r.source.Add(rec.Source)
	r.context.Add(rec.context)
	r.traits.Add(rec.traits)
	r.audience.Add(rec.audience)
}

// keys are those of the candidates in their column.
func (r *decisionRows) keys(candidates texts) []uint32 {
	if keys, ok := r.candidateKeys[candidates.text]; ok {
		return keys
	}
	keys := r.candidates.Elements.Keys(candidates.strings())
	if r.candidateKeys == nil || len(r.candidateKeys) >= maxCandidateLists {
		r.candidateKeys = make(map[string][]uint32)
	}
	r.candidateKeys[strings.Clone(candidates.text)] = keys
	return keys
}
