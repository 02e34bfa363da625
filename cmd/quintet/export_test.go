package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exports checks what an export has of the person.
func (h *house) exports(t *testing.T, p planted, profiles []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "export.json")
	h.mustRun("export", "userId:"+p.user, "--out", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		PersonID       string
		Profiles       []string
		Identifiers    []struct{ Namespace, Value string }
		Traits         map[string]any
		Lineage        []struct{ Trait, Source string }
		Attributes     map[string]any
		Consents       struct{ Statements []struct{ Purpose string } }
		Identity       struct{ Edges []struct{ Rule string } }
		Suppressions   []struct{ Reason string }
		Segments       []string
		SegmentHistory []struct{ Segment string }
		Sources        []struct {
			Source             string
			Messages, Imported int
		}
		Exposures  []struct{ Experiment string }
		Quarantine []struct {
			Cause string
			Body  map[string]any
		}
		Campaigns []struct{ Campaign string }
		Scenarios []struct {
			Entry map[string]any
			Steps []any
		}
		Messages    []any
		Predictions []struct{ Model string }
		Decisions   []struct {
			DecisionID string
			Context    map[string]any
		}
		Events []struct {
			Event      string
			Properties map[string]any
		}
		Complete bool
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	imported := 0
	for _, s := range doc.Sources {
		imported += s.Imported
	}
	for what, ok := range map[string]bool{
		"complete": doc.Complete, "profiles": len(doc.Profiles) == len(profiles), "identifiers": len(doc.Identifiers) == 6,
		"traits": doc.Traits["favouriteColour"] == p.trait, "lineage": len(doc.Lineage) >= 6, "attributes": doc.Attributes["orders"] == 7.0,
		"consents": len(doc.Consents.Statements) == 1, "identity": len(doc.Identity.Edges) == 2, "suppressions": len(doc.Suppressions) == 1,
		"segments": len(doc.Segments) == 1 && len(doc.SegmentHistory) > 0, "sources": len(doc.Sources) >= 3 && imported == 0,
		"exposures": len(doc.Exposures) >= 4, "quarantine": len(doc.Quarantine) == 2 && doc.Quarantine[0].Body != nil, "campaigns": len(doc.Campaigns) == 1, "scenarios": len(doc.Scenarios) == 1 && doc.Scenarios[0].Entry["note"] == p.note && len(doc.Scenarios[0].Steps) == 2, "messages": len(doc.Messages) == 2, "predictions": len(doc.Predictions) == 1 && doc.Predictions[0].Model == "worth",
		"decisions": len(doc.Decisions) == 5 && doc.Decisions[0].Context["utm"] == p.context, "events": len(doc.Events) >= 15,
	} {
		if !ok {
			t.Errorf("the export has other %s than planted", what)
		}
	}
	for _, planted := range p.texts() {
		if !bytes.Contains(text, []byte(planted)) {
			t.Errorf("the export lacks %s", planted)
		}
	}
	if bytes.Contains(text, []byte("other-")) {
		t.Error("the export has something of others")
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
	if _, _, err := h.run("export", "userId:nobody"); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("an export of nobody: %v", err)
	}
}
