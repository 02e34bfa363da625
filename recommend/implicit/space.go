package implicit

import "quintet/recommend/offline"

// Space is where good settings lie: more regularisation for few events, a lower weight
// of the unobserved for large catalogues.
func Space() []offline.Parameter {
	return []offline.Parameter{
		{Name: "regularisation", From: 0.001, To: 0.1, Logarithmic: true},
		{Name: "unobserved", From: 0.02, To: 1, Logarithmic: true},
		{Name: "epochs", From: 6, To: 16, Whole: true},
	}
}

// With gives the settings with the values of a trial in Space.
func (s Settings) With(values map[string]float64) Settings {
	for name, field := range map[string]*float64{"regularisation": &s.Regularisation, "unobserved": &s.Unobserved, "exponent": &s.Exponent} {
		if v, ok := values[name]; ok {
			*field = v
		}
	}
	for name, field := range map[string]*int{"epochs": &s.Epochs, "factors": &s.Factors} {
		if v, ok := values[name]; ok {
			*field = int(v)
		}
	}
	return s
}
