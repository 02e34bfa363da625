package predict

import (
	"fmt"
	"math"
	"strings"
	"unicode"
)

// upliftValues is what decisions read of a model of uplift.
type upliftValues struct {
	attribute map[string]string // by treatment, the attribute with its effect
	cost      float64
}

// effectAttribute is the attribute with the effect of one treatment: that of a treatment
// push-evening is upliftOfPushEvening.
func effectAttribute(base, treatment string) string {
	var b strings.Builder
	b.WriteString(base)
	b.WriteString("Of")
	up := true
	for _, r := range treatment {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			up = true
			continue
		}
		if up {
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
		up = false
	}
	return b.String()
}

// refreshValues takes over the definitions of models of uplift that have a champion.
func (s *Service) refreshValues(has func(key string) bool) {
	next := map[string]*upliftValues{}
	for _, d := range s.specs.List("", maxModels) {
		spec := d.Value
		if spec.Family != Uplift || !has(d.Key) {
			continue
		}
		spec.fill()
		v := &upliftValues{attribute: map[string]string{}, cost: spec.Cost}
		for _, t := range spec.Treatments {
			v.attribute[t] = effectAttribute(spec.Attribute, t)
		}
		next[d.Key] = v
	}
	s.values.Store(&next)
}

// Values writes what each treatment changes for a person by a model of uplift, less its
// cost, from memory alone: attribute gives the computed attributes of the person by name.
// A treatment that the model does not know has the value NaN. It gives false where the
// model has no champion, or says nothing of the person; nobody, whose value is 0, is
// then as good as anything.
func (s *Service) Values(model string, attribute func(name string) (any, bool), treatments []string, values []float64) bool {
	all := s.values.Load()
	if all == nil {
		return false
	}
	v := (*all)[model]
	if v == nil {
		return false
	}
	known := false
	for i, t := range treatments {
		values[i] = math.NaN()
		name, there := v.attribute[t]
		if !there {
			continue
		}
		if effect, there := attribute(name); there {
			if number, is := effect.(float64); is {
				values[i] = number - v.cost
				known = true
			}
		}
	}
	return known
}

// checkEffects refuses treatments whose attributes would have one name.
func (s *Spec) checkEffects() error {
	seen := map[string]string{}
	for _, t := range s.Treatments {
		name := effectAttribute(s.Attribute, t)
		if other, there := seen[name]; there {
			return fmt.Errorf("has %s and %s, whose effects would both be written as %s", other, t, name)
		}
		seen[name] = t
	}
	return nil
}

// OfUplift says whether there is a definition of a model of uplift under the key.
func (s *Service) OfUplift(key string) bool {
	v, ok := s.specs.Get(key)
	return ok && v.Value.Family == Uplift
}
