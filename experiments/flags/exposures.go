package flags

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Record is an exposure of a person at a moment.
type Record struct {
	Exposure
	// UserID and AnonymousID say who it was; one of them at least.
	UserID, AnonymousID string
	At                  time.Time
	// ID is the same for the same exposure on one day, so that it counts once.
	ID string
}

// Recorder makes exposures durable.
type Recorder interface {
	RecordExposures(ctx context.Context, records []Record) error
}

const (
	// remembered is how many exposures are remembered at most, in each of two
	// generations: 48 bytes each.
	remembered = 500_000
	// generation is how long one is filled.
	generation = 30 * time.Minute
	// queued is how many evaluations may wait for their exposures.
	queued = 4096
	// batch is how many exposures are written at once.
	batch = 1000
	// recordDeadline is how long an evaluation waits.
	recordDeadline = 250 * time.Millisecond
)

// errBusy is more evaluations than exposures can be written for.
var errBusy = errors.New("too many evaluations wait for their exposures to be written")

// Exposures writes exposures, each unit's in an experiment once for as long as it is
// remembered: half an hour to an hour, less when there are more than a million.
type Exposures struct {
	recorder Recorder
	log      *slog.Logger
	now      func() time.Time
	queue    chan waiting
	written  prometheus.Counter
	repeated prometheus.Counter
	lost     prometheus.Counter

	mu      sync.Mutex
	young   map[uint64]struct{}
	old     map[uint64]struct{}
	turned  time.Time
	stopped chan struct{}
}

// waiting is an evaluation with its exposures.
type waiting struct {
	records []Record
	done    chan error
}

func newExposures(recorder Recorder, log *slog.Logger, registry prometheus.Registerer, now func() time.Time) *Exposures {
	counter := func(outcome string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quintet_flag_exposures_total", Help: "Exposures of evaluated flags: written, seen shortly before, or lost.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		})
		if registry != nil {
			registry.MustRegister(c)
		}
		return c
	}
	return &Exposures{
		recorder: recorder, log: log, now: now, queue: make(chan waiting, queued), written: counter("written"), repeated: counter("repeated"),
		lost: counter("lost"), young: make(map[uint64]struct{}), old: map[uint64]struct{}{}, turned: now(), stopped: make(chan struct{}),
	}
}

func (e *Exposure) fingerprint(who string) uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, part := range [...]string{e.Experiment, e.Variant, e.Unit, who} {
		// A digest's writes never fail.
		_, _ = d.WriteString(part)
		_, _ = d.WriteString("\x00")
	}
	var version [8]byte
	for i := range version {
		version[i] = byte(e.Version >> (8 * i))
	}
	_, _ = d.Write(version[:])
	return d.Sum64()
}

// fresh says whether an exposure is not remembered.
func (x *Exposures) fresh(fingerprint uint64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, ok := x.young[fingerprint]; ok {
		return false
	}
	_, ok := x.old[fingerprint]
	return !ok
}

func (x *Exposures) remember(fingerprints []uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if now := x.now(); len(x.young) >= remembered || now.Sub(x.turned) > generation {
		x.old, x.young, x.turned = x.young, make(map[uint64]struct{}, len(fingerprints)), now
	}
	for _, f := range fingerprints {
		x.young[f] = struct{}{}
	}
}

// Record writes the exposures of a subject that are not remembered, and returns when
// they are durable. An error is for the caller to tell or to leave: what was not
// written is counted, and written when it comes again.
func (x *Exposures) Record(ctx context.Context, s *Subject, seen []Exposure) error {
	if len(seen) == 0 || x.recorder == nil {
		return nil
	}
	user, anonymous := s.Key, ""
	if user == "" {
		if anonymous, _ = s.Context[AnonymousUnit].(string); anonymous == "" {
			return nil // nobody whom a report could count
		}
	}
	var records []Record
	var fingerprints []uint64
	now := x.now()
	for i := range seen {
		e := &seen[i]
		f := e.fingerprint(user + "\x00" + anonymous)
		if !x.fresh(f) {
			x.repeated.Inc()
			continue
		}
		day := now.UTC().Unix() / 86_400
		records = append(records, Record{Exposure: *e, UserID: user, AnonymousID: anonymous, At: now, ID: fmt.Sprintf("exposure-%016x-%d", f, day)})
		fingerprints = append(fingerprints, f)
	}
	if len(records) == 0 {
		return nil
	}
	err := x.write(ctx, records)
	if err != nil {
		x.lost.Add(float64(len(records)))
		return fmt.Errorf("recording %d exposures: %w", len(records), err)
	}
	x.written.Add(float64(len(records)))
	x.remember(fingerprints)
	return nil
}

// write hands records to the writer, and waits.
func (x *Exposures) write(ctx context.Context, records []Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordDeadline)
	defer cancel()
	w := waiting{records, make(chan error, 1)}
	select {
	case x.queue <- w:
	default:
		return errBusy
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-x.stopped:
		return errors.New("the service is stopping")
	}
}

// run writes what waits, as much of it at once as there is, until the context ends.
func (x *Exposures) run(ctx context.Context) error {
	defer close(x.stopped)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case first := <-x.queue:
			x.writeBatch(ctx, first)
		}
	}
}

func (x *Exposures) writeBatch(ctx context.Context, first waiting) {
	list := []waiting{first}
	records := first.records
	for len(records) < batch {
		select {
		case w := <-x.queue:
			list, records = append(list, w), append(records, w.records...)
			continue
		default:
		}
		break
	}
	// What was taken is written, also when the service is told to stop meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*recordDeadline)
	defer cancel()
	err := x.recorder.RecordExposures(ctx, records)
	if err != nil {
		x.log.Warn("recording exposures of flags", "exposures", len(records), "error", err)
	}
	for _, w := range list {
		w.done <- err
	}
}
