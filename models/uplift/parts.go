package uplift

import "quintet/internal/learners"

// Parts takes a fitted model apart into models that can be kept: the effect of treatment
// k+1 is what effects[k] predicts less what control predicts, where there is a control.
// It is false for models that are no such difference.
func Parts(model Model) (effects []learners.Model, control learners.Model, ok bool) {
	switch m := model.(type) {
	case *tModel:
		return m.arms[1:], m.arms[0], true
	case effectModels:
		return m, nil, true
	case *EffectForest:
		for _, f := range m.Forests {
			effects = append(effects, f)
		}
		return effects, nil, true
	}
	return nil, nil, false
}
