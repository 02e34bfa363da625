package main

import "quintet/internal/definitions"

// refer says which definitions name which others, so that nothing is deleted that is in
// use.
func refer(s *definitions.Store) {
	s.Refer("topics", "purposes", at("purpose"))
	s.Refer("channels", "purposes", at("purpose"))
	s.Refer("channels", "traits", at("requires"))
	s.Refer("decision-points", "offers", at("offers"))
	s.Refer("decision-points", "channels", at("channels"))
	s.Refer("decision-points", "traits", profileFeatures)
	s.Refer("decision-points", "models", everywhere("model"))
	s.Refer("models", "segments", at("segments"))
	s.Refer("models", "experiments", at("experiment"))
	s.Refer("offers", "code-pools", at("codes"))
	s.Refer("caps", "channels", at("channels"))
	s.Refer("quiet-hours", "channels", at("channels"))
	s.Refer("budgets", "channels", at("channels"))
	s.Refer("budgets", "offers", at("offers"))
	s.Refer("budgets", "decision-points", at("decisionPoints"))
	s.Refer("segments", "segments", named("segment"))
	s.Refer("segments", "traits", named("trait"))
	s.Refer("segments", "purposes", consented)
	s.Refer("experiments", "layers", ofRunning("layers", "layer"))
	s.Refer("experiments", "holdouts", ofRunning("holdouts", ""))
	s.Refer("experiments", "experiments", ofRunning("prerequisites", "experiment"))
	s.Refer("experiments", "flags", ofRunning("prerequisites", "flag"))
	s.Refer("layers", "layers", func(value any) []string {
		layer, _ := value.(map[string]any)
		return at("layer")(layer["parent"])
	})
	s.Refer("decision-points", "holdouts", at("holdouts"))
	for _, kind := range []string{"campaigns", "scenarios"} {
		s.Refer(kind, "decision-points", everywhere("decisionPoint"))
		s.Refer(kind, "segments", everywhere("segment", "without"))
		s.Refer(kind, "purposes", everywhere("purpose"))
	}
	for _, kind := range []string{"experiments", "flags", "holdouts", "campaigns", "scenarios"} {
		s.Refer(kind, "segments", readSegments)
	}
}

// ofRunning are the texts of a list in an experiment, or of a member of its elements. An
// experiment that has ended needs nothing any more: its reports and its audits read
// versions of the past.
func ofRunning(list, member string) func(any) []string {
	return func(value any) (keys []string) {
		definition, _ := value.(map[string]any)
		if definition["status"] == "stopped" || definition["status"] == "archived" {
			return nil
		}
		if member == "" {
			return texts(definition[list])
		}
		elements, _ := definition[list].([]any)
		for _, one := range elements {
			keys = append(keys, at(member)(one)...)
		}
		return keys
	}
}

// at is the text of a member, or the texts of a list.
func at(member string) func(any) []string {
	return func(value any) []string {
		object, _ := value.(map[string]any)
		return texts(object[member])
	}
}

// everywhere are the texts of members of any object in a definition.
func everywhere(members ...string) func(any) []string {
	return func(value any) (keys []string) {
		objects(value, func(object map[string]any) {
			for _, member := range members {
				keys = append(keys, at(member)(object)...)
			}
		})
		return keys
	}
}

func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}

// objects calls f with every object in a value.
func objects(value any, f func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		f(v)
		for _, one := range v {
			objects(one, f)
		}
	case []any:
		for _, one := range v {
			objects(one, f)
		}
	}
}

// ruleOf is the rule of a segment by which people are in it. That of a list only tells
// how it was made.
func ruleOf(value any) any {
	definition, _ := value.(map[string]any)
	if definition["kind"] == "static" {
		return nil
	}
	return definition["rule"]
}

// named are the texts of a member of every condition in the rule of a segment.
func named(member string) func(any) []string {
	return func(value any) (keys []string) {
		objects(ruleOf(value), func(o map[string]any) { keys = append(keys, texts(o[member])...) })
		return keys
	}
}

// consented are the purposes of the conditions about consent in the rule of a segment.
func consented(value any) (keys []string) {
	objects(ruleOf(value), func(o map[string]any) {
		switch consent := o["consent"].(type) {
		case map[string]any:
			keys = append(keys, texts(consent["purpose"])...)
		case string:
			keys = append(keys, consent)
		}
	})
	return keys
}

// profileFeatures are the traits that a decision point knows of people.
func profileFeatures(value any) (keys []string) {
	definition, _ := value.(map[string]any)
	features, _ := definition["features"].([]any)
	for _, one := range features {
		if f, ok := one.(map[string]any); ok && f["source"] == "profile" {
			keys = append(keys, texts(f["name"])...)
		}
	}
	return keys
}

// readSegments are the segments that conditions compare with: the texts in whatever
// stands under "segments".
func readSegments(value any) (keys []string) {
	var all func(any)
	all = func(v any) {
		switch v := v.(type) {
		case string:
			keys = append(keys, v)
		case map[string]any:
			for _, one := range v {
				all(one)
			}
		case []any:
			for _, one := range v {
				all(one)
			}
		}
	}
	objects(value, func(o map[string]any) { all(o["segments"]) })
	return keys
}
