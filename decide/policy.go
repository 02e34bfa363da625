package decide

import (
	"quintet/models"
	"quintet/models/bandits"
)

// distribute computes the probability of every candidate of the record and the
// version of the model that it used, 0 for none. It depends on nothing but the
// definition, the snapshot and the record, so that a replay computes the same
// bits. The result belongs to the scratch.
func distribute(p *point, policy Policy, snapshot *models.Snapshot, rec *Record, sc *scratch) (bandits.Distribution, int64, error) {
	candidates := bandits.Candidates{
		Actions: rec.Candidates, Features: bandits.Vector{Indices: rec.FeatureIndex, Values: rec.FeatureValue},
	}
	var chooser bandits.Policy = bandits.Uniformly{}
	var version int64
	switch policy.Type {
	case PolicyFixed:
		chooser = bandits.Fixed{Action: fixedAction(p, policy, rec.Candidates)}
	case PolicyBandit:
		// Until there is a model for these features, all actions are alike.
		if usable(p, snapshot, rec) {
			chooser = bandits.Thompson{Model: snapshot.Model, Alpha: policy.Alpha, Floor: *policy.Exploration}
			version = snapshot.Version
		}
	}
	d, err := chooser.Distribution(candidates, &sc.workspace)
	return d, version, err
}

// fixedAction is the policy's action, else the default, else to send nothing, else
// the first that is left: where the wanted action is closed, no other is sent instead
// if that can be helped.
func fixedAction(p *point, policy Policy, candidates []string) string {
	for _, id := range [...]string{policy.Action, p.def.DefaultAction, NoneAction} {
		if contains(candidates, id) {
			return id
		}
	}
	return candidates[0]
}

// usable says whether the snapshot can score the record's features.
func usable(p *point, snapshot *models.Snapshot, rec *Record) bool {
	return snapshot != nil && snapshot.Model != nil && len(rec.FeatureIndex) > 0 &&
		snapshot.Model.Fingerprint == p.encoder.Fingerprint()
}

// scores adds the posterior's mean and standard deviation to candidates.
func scores(snapshot *models.Snapshot, rec *Record, out []Scored) {
	x := bandits.Vector{Indices: rec.FeatureIndex, Values: rec.FeatureValue}
	if snapshot.Model == nil || x.Validate(snapshot.Model.Dimension) != nil {
		return
	}
	for i := range out {
		mean, sd := snapshot.Model.Score(out[i].Action, x)
		out[i].Mean, out[i].SD = &mean, &sd
	}
}
