package decide

import (
	"context"
	"math"
	"slices"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/definitions"
	"quintet/internal/stream"
	"quintet/models"
	"quintet/models/bandits"
)

// shadowRows gathers what candidates would have done, by column.
type shadowRows struct {
	point, candidate            clickhouse.Names
	id                          clickhouse.Strings
	decidedAt                   clickhouse.Times
	policyVersion, modelVersion clickhouse.Numbers[uint64]
	propensity, target          clickhouse.Numbers[float64]
	expected, value, unreached  clickhouse.Numbers[float64]
	scratch                     scratch
}

func (r *shadowRows) fields() []clickhouse.Field {
	return []clickhouse.Field{
		{Name: "decision_point", Column: &r.point}, {Name: "candidate", Column: &r.candidate}, {Name: "decision_id", Column: &r.id},
		{Name: "decided_at", Column: &r.decidedAt}, {Name: "policy_version", Column: &r.policyVersion}, {Name: "model_version", Column: &r.modelVersion},
		{Name: "propensity", Column: &r.propensity}, {Name: "target", Column: &r.target}, {Name: "expected", Column: &r.expected},
		{Name: "value", Column: &r.value}, {Name: "unreached", Column: &r.unreached},
	}
}

// What is kept of decisions for the calibration of the policies that made them: at most
// ownSample of a range, and ownPerSecond in the long run, of which ownSaved can be saved
// up. A calibration looks at a week
// of them, and what is not kept need not be read.
const (
	ownSample    = 500
	ownPerSecond = 200
	ownSaved     = 5000
)

// allowance bounds what is done by a rate, of which some can be saved up.
type allowance struct {
	left float64
	at   time.Time
}

// take is how many of n may be done now; those are then used up.
func (a *allowance) take(n int, now time.Time) int {
	if a.at.IsZero() {
		a.left = ownSaved
	} else if passed := now.Sub(a.at).Seconds(); passed > 0 {
		a.left = min(ownSaved, a.left+passed*ownPerSecond)
	}
	a.at = now
	n = min(n, ownSample, int(a.left))
	a.left -= float64(n)
	return n
}

// storeShadows scores a range of decisions. It reads them off the stream, behind the
// calls that they answered, so that candidates cost a decision nothing. Each is scored
// by the models of the moment, which have not learned what comes of it. What the policy
// that decided expected is kept for a sample, evenly over the range.
func (p *Policies) storeShadows(ctx context.Context, b stream.Batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows := &p.shadow
	for _, f := range rows.fields() {
		f.Reset()
	}
	st := p.decide.state.Load()
	byPoint := map[string]map[string]definitions.Versioned[Candidate]{}
	alone, every := len(p.candidates.Snapshot()) == 0, 0
	if n := p.sampled.take(len(b.Messages), time.Now()); n > 0 {
		every = (len(b.Messages) + n - 1) / n
	}
	for i, m := range b.Messages {
		sampled := every > 0 && i%every == 0
		if isMark(m.Data) || alone && !sampled {
			continue
		}
		rec, err := decodeRecord(m.Data)
		if err != nil || !rec.Eligible || rec.Action == "" || rec.Fallback || rec.Policy == policyExternal || !(rec.Propensity > 0) || !rec.parallel() {
			continue // the sink of the log says what it cannot read
		}
		point, ok := st.points[rec.Decision]
		if !ok {
			continue
		}
		candidates, ok := byPoint[rec.Decision]
		if !ok {
			candidates = p.of(rec.Decision)
			for key, c := range candidates {
				if c.Value.Policy, err = point.compilePolicy(c.Value.Policy); err != nil {
					delete(candidates, key) // the point has changed since
					p.log.Debug("a candidate policy cannot be compiled", "decision", rec.Decision, "candidate", key, "error", err)
					continue
				}
				candidates[key] = c
			}
			byPoint[rec.Decision] = candidates
		}
		for key, c := range candidates {
			p.score(rows, point, rec, key, c.Version, &c.Value.Policy, p.snapshotOf(point, key, &c.Value))
		}
		if sampled && rec.ModelVersion > 0 {
			// What the policy itself expected, for its calibration.
			if snap, err := p.models.AtVersion(ctx, rec.Decision, rec.ModelVersion); err == nil {
				rows.expect(rec, "", rec.PointVersion, snap, rec.Probabilities)
			}
		}
	}
	return p.db.InsertOnce(ctx, "policy_shadows", b.Token(), rows.fields())
}

// score adds what one policy would have done.
func (p *Policies) score(rows *shadowRows, point *point, rec *Record, candidate string, version int64, policy *Policy, snap *models.Snapshot) {
	if policy.Type == PolicyBandit && !usable(point, snap, rec) {
		return // it has not learned anything that it could choose by
	}
	d, _, err := staged(point, *policy, snap, rec, nil, &rows.scratch)
	if err != nil {
		p.metrics.unscored.WithLabelValues(rec.Decision).Inc()
		p.log.Debug("a candidate policy cannot be applied", "decision", rec.Decision, "candidate", candidate, "error", err)
		return
	}
	if snap == nil || !usable(point, snap, rec) {
		snap = p.models.Latest(point.key, "") // a policy without a model is judged by that of the point
	}
	rows.expect(rec, candidate, version, snap, d.Q)
}

// expect adds a row for a distribution over the candidates of a record.
func (r *shadowRows) expect(rec *Record, candidate string, version int64, snap *models.Snapshot, q []float64) {
	chosen := slices.Index(rec.Candidates, rec.Action)
	if chosen < 0 || len(q) != len(rec.Candidates) {
		return
	}
	var expected, value, unreached float64
	x := bandits.Vector{Indices: rec.FeatureIndex, Values: rec.FeatureValue}
	known := snap != nil && snap.Model != nil && len(x.Indices) > 0 && x.Validate(snap.Model.Dimension) == nil
	for i, action := range rec.Candidates {
		if known {
			mean, _ := snap.Model.Score(action, x)
			value += q[i] * mean
			if i == chosen {
				expected = mean
			}
		}
		if !(rec.Probabilities[i] > 0) {
			unreached += q[i]
		}
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	var model uint64
	if snap != nil {
		model = uint64(snap.Version)
	}
	r.point.Add(rec.Decision)
	r.candidate.Add(candidate)
	r.id.Add(rec.DecisionID)
	r.decidedAt.Add(rec.DecidedAt.UnixMilli())
	r.policyVersion.Add(uint64(version))
	r.modelVersion.Add(model)
	r.propensity.Add(rec.Propensity)
	r.target.Add(q[chosen])
	r.expected.Add(expected)
	r.value.Add(value)
	r.unreached.Add(unreached)
}
