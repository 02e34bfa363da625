package importing

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"quintet/internal/client"
)

// item is one item of the catalogue as the API takes it.
type item map[string]any

// messageOf makes the call that a row stands for. Without a column for it, the
// message id is made of mapping, file and row number, so that the same row always
// gets the same id, and rows that say the same are not taken for one.
func (m *Mapping) messageOf(kind Kind, fileHash string, row *Row) (client.Message, error) {
	message := client.Message{Type: "identify"}
	if kind == Events {
		message.Type = "track"
	}
	var bad []error
	text := func(name string, f *Field, into *string) {
		if f == nil {
			return
		}
		v, err := f.Value(row)
		if err == nil && v != nil {
			*into, err = asText(v)
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("%s %w", name, err))
		}
	}
	text("userId", m.UserID, &message.UserID)
	text("anonymousId", m.AnonymousID, &message.AnonymousID)
	text("messageId", m.MessageID, &message.MessageID)
	text("event", m.Event, &message.Event)
	message.UserID, message.AnonymousID = strings.TrimSpace(message.UserID), strings.TrimSpace(message.AnonymousID)
	if m.Timestamp != nil {
		v, err := m.Timestamp.Value(row)
		if err != nil {
			bad = append(bad, fmt.Errorf("timestamp %w", err))
		} else if at, ok := v.(time.Time); ok {
			message.Timestamp = &at
		}
	}
	message.Traits = group(row, "traits", m.Traits, &bad)
	message.Properties = group(row, "properties", m.Properties, &bad)
	message.Context = group(row, "context", m.Context, &bad)
	externals := group(row, "externalIds", m.ExternalIDs, &bad)
	if len(externals) > 0 {
		list := make([]map[string]string, 0, len(externals))
		for _, name := range sorted(externals) {
			id, err := asText(externals[name])
			if err != nil {
				bad = append(bad, fmt.Errorf("externalIds.%s %w", name, err))
			}
			list = append(list, map[string]string{"type": name, "id": strings.TrimSpace(id)})
		}
		if message.Context == nil {
			message.Context = map[string]any{}
		}
		message.Context["externalIds"] = list
	}
	if len(bad) == 0 && message.UserID == "" && message.AnonymousID == "" && len(externals) == 0 {
		bad = append(bad, errors.New("the row names nobody: userId, anonymousId and externalIds are all empty"))
	}
	if message.MessageID == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", m.hash, fileHash, row.Number))
		message.MessageID = "import-" + hex.EncodeToString(sum[:16])
	}
	return message, joined(bad)
}

// itemOf makes the item that a row stands for.
func (m *Mapping) itemOf(row *Row) (item, error) {
	out := item{}
	var bad []error
	put := func(name string, f *Field, kind string) {
		if f == nil {
			return
		}
		typed := *f
		if typed.Type == "" {
			typed.Type = kind
		}
		v, err := typed.Value(row)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s %w", name, err))
		} else if v != nil {
			out[name] = v
		}
	}
	put("key", m.Key, "string")
	put("name", m.Name, "string")
	put("category", m.Category, "string")
	put("price", m.Price, "number")
	put("cost", m.Cost, "number")
	put("stock", m.Stock, "integer")
	put("imageUrl", m.ImageURL, "string")
	if attributes := group(row, "attributes", m.Attributes, &bad); len(attributes) > 0 {
		out["attributes"] = attributes
	}
	if key, _ := out["key"].(string); len(bad) == 0 && strings.TrimSpace(key) == "" {
		bad = append(bad, errors.New("key is required"))
	}
	return out, joined(bad)
}

// group reads fields that end up in one object.
func group(row *Row, title string, fields map[string]*Field, bad *[]error) map[string]any {
	var out map[string]any
	for name, f := range fields {
		v, err := f.Value(row)
		if err != nil {
			*bad = append(*bad, fmt.Errorf("%s.%s %w", title, name, err))
			continue
		}
		if v == nil {
			continue
		}
		if out == nil {
			out = make(map[string]any, len(fields))
		}
		out[name] = v
	}
	return out
}

func sorted(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// joined puts the reasons into one line, in a fixed order.
func joined(bad []error) error {
	if len(bad) == 0 {
		return nil
	}
	texts := make([]string, len(bad))
	for i, err := range bad {
		texts[i] = err.Error()
	}
	slices.Sort(texts)
	return errors.New(strings.Join(texts, "; "))
}
