package profiles

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"quintet/internal/clickhouse"
)

// peopleMap brings whom profiles belong to from Postgres to ClickHouse, where
// reports join it. Postgres has the rows in the transaction that holds the
// position in the stream; the copy remembers by its own last row how far it is.
// A row that is copied twice changes nothing.
type peopleMap struct {
	postgres   *pgxpool.Pool
	clickhouse *clickhouse.Database
	wake       chan struct{}

	mu     sync.Mutex // one copy at a time
	known  bool       // whether copied is set
	copied int64      // position of the last row in ClickHouse
}

const (
	// moveRows is about how many rows one insert carries.
	moveRows = 50_000
	// copyInterval is how often the map is looked at when nobody wakes it: what
	// another process saved, or what failed before, is copied then.
	copyInterval = 10 * time.Second
	copyTimeout  = 30 * time.Second
)

func newPeopleMap(postgres *pgxpool.Pool, ch *clickhouse.Database) *peopleMap {
	return &peopleMap{postgres: postgres, clickhouse: ch, wake: make(chan struct{}, 1)}
}

// moved says that Postgres has new rows.
func (m *peopleMap) moved() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// run copies until ctx ends. failed is told of errors, after which the same is
// tried again.
func (m *peopleMap) run(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(copyInterval)
	defer ticker.Stop()
	for {
		if err := m.copy(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-ticker.C:
		}
	}
}

// copy brings ClickHouse up to what Postgres has.
func (m *peopleMap) copy(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	if !m.known {
		var last uint64
		if err := m.clickhouse.Read.QueryRow(ctx, `SELECT max(stamp) FROM person_map`).Scan(&last); err != nil {
			return fmt.Errorf("asking how far the map of people is: %w", err)
		}
		m.copied, m.known = int64(last), true
	}
	for {
		n, err := m.copySome(ctx)
		if err != nil {
			m.known = false // the insert may have gone through
			return fmt.Errorf("copying the map of people: %w", err)
		}
		if n < moveRows {
			return nil
		}
	}
}

func (m *peopleMap) copySome(ctx context.Context) (int, error) {
	rows, err := m.postgres.Query(ctx, `SELECT position, profile_id, person_id, valid_from FROM identity_moves
		WHERE position > $1 ORDER BY position FETCH FIRST $2 ROWS WITH TIES`, m.copied, moveRows)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var profiles, people []string
	var valid []int64
	var stamps []uint64
	last := m.copied
	for rows.Next() {
		var profile, person string
		var at time.Time
		if err := rows.Scan(&last, &profile, &person, &at); err != nil {
			return 0, err
		}
		profiles, people = append(profiles, profile), append(people, person)
		valid, stamps = append(valid, at.UnixMilli()), append(stamps, uint64(last))
	}
	if err := rows.Err(); err != nil || len(profiles) == 0 {
		return 0, err
	}
	batch, err := m.clickhouse.Write.PrepareBatch(ctx, `INSERT INTO person_map (profile_id, person_id, valid_from, stamp)`)
	if err != nil {
		return 0, err
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for i, column := range []any{profiles, people, valid, stamps} {
		if err := batch.Column(i).Append(column); err != nil {
			return 0, err
		}
	}
	if err := batch.Send(); err != nil {
		return 0, err
	}
	m.copied = last
	return len(profiles), nil
}
