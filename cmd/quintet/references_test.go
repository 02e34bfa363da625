package main

import (
	"net/http"
	"strings"
	"testing"
)

// What is in use is not deleted, and the answer says by what it is used.
func TestWhatIsInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	put := func(path string, body map[string]any) {
		t.Helper()
		if err := r.client.Do(t.Context(), http.MethodPut, "/v1/"+path, body, nil); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	put("purposes/news", map[string]any{})
	put("topics/weekly", map[string]any{"purpose": "news"})
	put("traits/tier", map[string]any{"type": "text"})
	put("segments/adults", map[string]any{"rule": map[string]any{"trait": "age", "op": "gte", "value": 18}})
	put("segments/both", map[string]any{"rule": map[string]any{"all": []map[string]any{{"segment": "adults"}, {"trait": "tier", "op": "eq", "value": "gold"}, {"consent": map[string]any{"purpose": "news", "channel": "email"}}}}})
	put("channels/email", map[string]any{"active": true, "purpose": "news"})
	put("offers/spring", map[string]any{"active": true})
	put("decision-points/hero", map[string]any{
		"offers": []string{"spring"}, "channels": []string{"email"}, "policy": map[string]any{"type": "uniform"},
		"features": []map[string]any{{"name": "tier", "source": "profile", "kind": "categorical", "values": []string{"gold"}}},
	})
	for path, users := range map[string]string{
		"purposes/news": "channels/email, segments/both, topics/weekly", "segments/adults": "segments/both", "traits/tier": "decision-points/hero, segments/both",
		"offers/spring": "decision-points/hero", "channels/email": "decision-points/hero",
	} {
		err := r.client.Delete(t.Context(), "/v1/"+path)
		if err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "is used by "+users+";") {
			t.Errorf("deleting %s: %v, want a conflict with %s", path, err, users)
		}
	}
	// From the user down to what it uses everything can go.
	for _, path := range []string{"decision-points/hero", "segments/both", "segments/adults", "traits/tier", "offers/spring", "channels/email", "topics/weekly", "purposes/news"} {
		if err := r.client.Delete(t.Context(), "/v1/"+path); err != nil {
			t.Errorf("deleting %s: %v", path, err)
		}
	}
}

func TestWhatExperimentsNameIsNotDeleted(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	put := func(path string, body map[string]any) {
		t.Helper()
		if err := r.client.Do(t.Context(), http.MethodPut, "/v1/"+path, body, nil); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	arms := []map[string]any{{"key": "a", "weight": 0.5, "control": true}, {"key": "b", "weight": 0.5}}
	put("layers/top", map[string]any{})
	put("layers/inner", map[string]any{"parent": map[string]any{"layer": "top", "from": 0, "to": 0.5}})
	put("holdouts/team", map[string]any{"share": 0.1})
	put("experiments/first", map[string]any{"variants": arms})
	put("experiments/second", map[string]any{"variants": arms, "holdouts": []string{"team"}, "layers": []map[string]any{{"layer": "inner", "from": 0, "to": 1}},
		"prerequisites": []map[string]any{{"experiment": "first", "variants": []string{"a"}}}})
	put("decision-points/hero", map[string]any{"offers": []string{}, "channels": []string{}, "policy": map[string]any{"type": "uniform"}, "holdouts": []string{"team"}})
	for path, users := range map[string]string{
		"layers/top": "layers/inner", "layers/inner": "experiments/second", "holdouts/team": "decision-points/hero, experiments/second", "experiments/first": "experiments/second",
	} {
		err := r.client.Delete(t.Context(), "/v1/"+path)
		if err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "is used by "+users+";") {
			t.Errorf("deleting %s: %v, want a conflict with %s", path, err, users)
		}
	}
	for _, path := range []string{"decision-points/hero", "experiments/second", "experiments/first", "layers/inner", "layers/top", "holdouts/team"} {
		if err := r.client.Delete(t.Context(), "/v1/"+path); err != nil {
			t.Errorf("deleting %s: %v", path, err)
		}
	}
}

func TestWhatModelsNameIsNotDeleted(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	put := func(path string, body map[string]any) error {
		return r.client.Do(t.Context(), http.MethodPut, "/v1/"+path, body, nil)
	}
	point := map[string]any{"offers": []string{}, "channels": []string{}, "policy": map[string]any{"type": "model", "model": "lift"}}
	if err := put("decision-points/hero", point); err == nil || !strings.Contains(err.Error(), "422") || !strings.Contains(err.Error(), "policy.model") {
		t.Errorf("a policy by a model that does not exist: %v", err)
	}
	for path, body := range map[string]map[string]any{
		"segments/gold":     {"rule": map[string]any{"trait": "tier", "op": "eq", "value": "gold"}},
		"experiments/trial": {"variants": []map[string]any{{"key": "control", "weight": 0.5, "control": true}, {"key": "letter", "weight": 0.5}}},
	} {
		if err := put(path, body); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	for _, one := range []struct {
		path string
		body map[string]any
	}{
		{"models/worth", map[string]any{"family": "lifetime", "segments": []string{"gold"}}},
		{"models/lift", map[string]any{"family": "uplift", "experiment": "trial", "treatments": []string{"letter"}}},
		{"decision-points/hero", point},
	} {
		if err := put(one.path, one.body); err != nil {
			t.Fatalf("%s: %v", one.path, err)
		}
	}
	for path, users := range map[string]string{"segments/gold": "models/worth", "experiments/trial": "models/lift", "models/lift": "decision-points/hero"} {
		err := r.client.Delete(t.Context(), "/v1/"+path)
		if err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "is used by "+users+";") {
			t.Errorf("deleting %s: %v, want a conflict with %s", path, err, users)
		}
	}
	for _, path := range []string{"decision-points/hero", "models/lift", "models/worth", "experiments/trial", "segments/gold"} {
		if err := r.client.Delete(t.Context(), "/v1/"+path); err != nil {
			t.Errorf("deleting %s: %v", path, err)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	audience := map[string]any{"audience": map[string]any{"$and": []any{
		map[string]any{"segments": map[string]any{"$in": []any{"a", "b"}}}, map[string]any{"segments": "c"}, map[string]any{"city": "d"},
	}}}
	if keys := strings.Join(readSegments(audience), " "); keys != "a b c" {
		t.Errorf("a condition names %q", keys)
	}
	if keys := named("segment")(map[string]any{"kind": "static", "rule": map[string]any{"segment": "a"}}); len(keys) != 0 {
		t.Errorf("a list needs %v", keys)
	}
	for _, odd := range []any{nil, 7.0, "x", []any{map[string]any{"segments": 7.0}}, map[string]any{"rule": nil, "features": "x", "purpose": 7.0}} {
		for _, keys := range [][]string{readSegments(odd), consented(odd), profileFeatures(odd), named("segment")(odd), at("purpose")(odd)} {
			if len(keys) != 0 {
				t.Errorf("%v names %v", odd, keys)
			}
		}
	}
}
