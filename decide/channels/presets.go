package channels

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed presets/*.json
var presetFiles embed.FS

// Preset is a configuration that is adapted to an account.
type Preset struct {
	Key    string `json:"key"`
	Title  string `json:"title"`
	Hint   string `json:"hint" doc:"What to fill in"`
	Config Config `json:"config"`
}

// Presets are the configurations that come with the program, in the order of their keys.
func Presets() ([]Preset, error) {
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		return nil, fmt.Errorf("reading the presets: %w", err)
	}
	out := make([]Preset, len(entries))
	for i, e := range entries {
		text, err := presetFiles.ReadFile("presets/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the presets: %w", err)
		}
		if err := json.Unmarshal(text, &out[i]); err != nil {
			return nil, fmt.Errorf("reading the preset %s: %w", e.Name(), err)
		}
		out[i].Key = strings.TrimSuffix(e.Name(), ".json")
	}
	return out, nil
}
