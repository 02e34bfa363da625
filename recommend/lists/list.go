package lists

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"quintet/internal/clickhouse"
)

// List is one answer.
type List struct {
	ID        string    `json:"recommendationId" doc:"ULID; the draws of exploration come from it"`
	At        time.Time `json:"at"`
	ProfileID string    `json:"profileId,omitempty" doc:"Whom it is for; nobody that is known where empty"`
	Placement string    `json:"placement"`
	Version   int64     `json:"version,omitempty" doc:"Build that recommended"`
	Ranker    int64     `json:"ranker,omitempty" doc:"Version of the ranker that ordered it"`
	Personal  bool      `json:"personal" doc:"Whether anything that the person did was used"`
	Asked     int       `json:"asked" doc:"Items that were asked for"`
	Named     []string  `json:"named,omitempty" doc:"Items of the page, the cart or the search"`
	Items     []Item    `json:"items" doc:"By place"`
	Source    string    `json:"source,omitempty" doc:"Id of the API key that asked"`
}

// Item is one place of a list.
type Item struct {
	ID string `json:"id"`
	// Propensity is the probability with which it was drawn for its place, given the places
	// before it. Their product is that of the list.
	Propensity  float64 `json:"propensity"`
	Probability float64 `json:"probability"`
	Score       float64 `json:"score"`
	Reason      string  `json:"reason"`
}

// Bounds of a record that is read from the stream.
const (
	recordVersion = 1
	mostItems     = 1000
)

var errRecord = errors.New("not the record of a list")

// encode gives the record of the stream: a byte for the version, then JSON. A list costs
// twenty times as much to make as to write.
func encode(l *List) ([]byte, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encoding a list: %w", err)
	}
	return append([]byte{recordVersion}, data...), nil
}

func decode(record []byte) (*List, error) {
	if len(record) < 2 || record[0] != recordVersion {
		return nil, errRecord
	}
	l := &List{}
	if err := json.Unmarshal(record[1:], l); err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	if l.ID == "" || len(l.Items) > mostItems || l.Asked < 0 || l.At.Year() < 1900 || l.At.Year() > 2261 {
		return nil, errRecord
	}
	return l, nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// ClickHouseMigrations is the table of this package.
func ClickHouseMigrations() clickhouse.MigrationSet {
	// Sub fails on a malformed path only, and this one is a constant.
	files, _ := fs.Sub(migrations, "migrations")
	return clickhouse.MigrationSet{Name: "recommend_lists", Files: files}
}
