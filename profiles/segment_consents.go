package profiles

import (
	"maps"
	"slices"

	"quintet/profiles/consents"
	"quintet/profiles/segments"
)

// unnamed is a purpose or channel that nobody names.
const unnamed = "\x00"

// silence is what holds for people who stated nothing, most of them, by the rules of
// one moment.
type silence struct {
	rules *consents.Rules
	list  []segments.Consent
}

// consentsOf is what the statements of a person come to at a moment, as rules see
// it: the status for each purpose that is declared or stated, and for the others
// ([segments.AnyOther]); each without a channel, over the channels that are stated,
// and over the others. Of who stated nothing it tells what purposes say by default.
func consentsOf(v *View, at int64) []segments.Consent {
	if v.store == nil {
		return nil
	}
	rules := v.store.consentRules.Load()
	if len(v.Consents) > 0 {
		return stated(v.Consents, rules, at)
	}
	// Defaults do not change with time.
	if last := v.store.silence.Load(); last != nil && last.rules == rules {
		return last.list
	}
	next := &silence{rules, byDefault(rules)}
	v.store.silence.Store(next)
	return next.list
}

func byDefault(rules *consents.Rules) (list []segments.Consent) {
	if rules == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(rules.Purposes)) {
		if d := rules.Purposes[key].Default; d != consents.Unknown && d != "" {
			list = append(list, segments.Consent{Purpose: key, Status: string(d)}, segments.Consent{Purpose: key, Channel: segments.AnyOther, Status: string(d)})
		}
	}
	return list
}

func stated(set consents.Set, rules *consents.Rules, at int64) (list []segments.Consent) {
	purposes, channels := []string{unnamed}, []string{"", unnamed}
	add := func(to *[]string, name string) {
		if name != consents.Any && !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
	}
	if rules != nil {
		for _, key := range slices.Sorted(maps.Keys(rules.Purposes)) {
			add(&purposes, key)
		}
	}
	for i := range set {
		add(&purposes, set[i].Key.Purpose)
		if set[i].Key.Channel != consents.Site {
			add(&channels, set[i].Key.Channel)
		}
	}
	for _, purpose := range purposes {
		for _, channel := range channels {
			status := set.Status(consents.Question{Purpose: purpose, Channel: channel, Addressed: channel != "", At: at}, rules)
			c := segments.Consent{Purpose: purpose, Channel: channel, Status: string(status)}
			if purpose == unnamed {
				c.Purpose = segments.AnyOther
			}
			if channel == unnamed {
				c.Channel = segments.AnyOther
			}
			list = append(list, c)
		}
	}
	return list
}

// expired says whether a statement ended after one moment and up to another.
func expired(set consents.Set, after, until int64) bool {
	for i := range set {
		if e := set[i].Expires; e > after && e <= until {
			return true
		}
	}
	return false
}
