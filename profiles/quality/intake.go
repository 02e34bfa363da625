package quality

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/oklog/ulid/v2"

	engine "quintet/internal/clickhouse"
)

// intakeCounts are what the door saw of a source.
type intakeCounts struct{ accepted, repeated, refused, unkept uint64 }

// intake counts at the door, in memory, and writes now and then. What was counted
// since the last time is lost when the process is killed.
type intake struct {
	db  *engine.Database
	now func() time.Time

	mu     sync.Mutex
	counts map[string]*intakeCounts

	writing sync.Mutex
	pending []intakeRow // were not written at the last attempt
	token   string
}

type intakeRow struct {
	hour   time.Time
	source string
	intakeCounts
	lag lags
}

func (in *intake) add(source string, c intakeCounts) {
	in.mu.Lock()
	defer in.mu.Unlock()
	of := in.counts[source]
	if of == nil {
		of = new(intakeCounts)
		in.counts[strings.Clone(source)] = of
	}
	of.accepted += c.accepted
	of.repeated += c.repeated
	of.refused += c.refused
	of.unkept += c.unkept
}

// write stores what was counted since the last time. After an error the same rows
// go under the same token at the next time, so that nothing counts twice.
func (in *intake) write(ctx context.Context, measured func() map[string]lags) error {
	in.writing.Lock()
	defer in.writing.Unlock()
	if len(in.pending) == 0 {
		in.gather(measured())
	}
	if len(in.pending) == 0 {
		return nil
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(engine.OnceSettings(in.token)))
	batch, err := in.db.Write.PrepareBatch(ctx, `INSERT INTO quality_intake (hour, source, accepted, repeated, refused, unkept, lag)`)
	if err != nil {
		return fmt.Errorf("preparing an insert of what came in: %w", err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	var errs []error
	for i := range in.pending {
		r := &in.pending[i]
		errs = append(errs, batch.Append(r.hour, r.source, r.accepted, r.repeated, r.refused, r.unkept, map[uint16]uint64(r.lag)))
	}
	if err := errors.Join(append(errs, batch.Send())...); err != nil {
		return fmt.Errorf("inserting what came in: %w", err)
	}
	in.pending = nil
	return nil
}

func (in *intake) gather(measured map[string]lags) {
	in.mu.Lock()
	counted := in.counts
	in.counts = map[string]*intakeCounts{}
	in.mu.Unlock()
	hour := in.now().UTC().Truncate(time.Hour)
	for source, c := range counted {
		of := measured[source]
		if of == nil {
			of = lags{}
		}
		delete(measured, source)
		in.pending = append(in.pending, intakeRow{hour: hour, source: source, intakeCounts: *c, lag: of})
	}
	for source, of := range measured {
		in.pending = append(in.pending, intakeRow{hour: hour, source: source, lag: of})
	}
	in.token = "intake:" + ulid.Make().String()
}
