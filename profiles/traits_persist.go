package profiles

import (
	"encoding/json"
	"fmt"

	"quintet/profiles/traits"
)

// factRow is a fact in the column facts of profiles.
type factRow struct {
	Name       string `json:"n"`
	Value      any    `json:"v"`
	Moment     int64  `json:"t"`
	Source     string `json:"s"`
	Confidence int16  `json:"c"`
}

// encodeFacts is nil for no facts.
func encodeFacts(listed []traits.Fact) (*string, error) {
	if len(listed) == 0 {
		return nil, nil
	}
	rows := make([]factRow, len(listed))
	for i, f := range listed {
		rows[i] = factRow{f.Name, f.Value, int64(f.At), f.Origin.Source, f.Origin.Confidence}
	}
	encoded, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	text := string(encoded)
	return &text, nil
}

// record is what the columns of a profile say, with shared names and values.
func (n *interner) record(golden string, at traits.Moment, origin *traits.Origin, facts *string) (traits.Record, error) {
	var values map[string]any
	if golden != "{}" {
		var raw map[string]any
		if err := json.Unmarshal([]byte(golden), &raw); err != nil {
			return traits.Record{}, fmt.Errorf("decoding the golden record: %w", err)
		}
		values = n.traits(raw)
	}
	if facts == nil {
		return traits.Restore(values, at, origin, nil), nil
	}
	var rows []factRow
	if err := json.Unmarshal([]byte(*facts), &rows); err != nil {
		return traits.Record{}, fmt.Errorf("decoding the facts: %w", err)
	}
	listed := make([]traits.Fact, len(rows))
	for i, r := range rows {
		listed[i] = traits.Fact{Name: n.text(n.trait(r.Name)), Value: n.value(r.Value), At: traits.Moment(r.Moment), Origin: n.origin(r.Source, r.Confidence)}
	}
	return traits.Restore(values, at, origin, listed), nil
}
