package lists

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"quintet/internal/clickhouse"
	"quintet/internal/problem"
	"quintet/internal/stream"
)

// Topic is the stream's name for lists.
const Topic = "lists"

const (
	// keepBehind is how many stored lists stay in the stream.
	keepBehind = 1000
	// appendWithin bounds how long an answer waits for its record.
	appendWithin = time.Second
)

// Deps are what the log is made of.
type Deps struct {
	Logger     *slog.Logger
	Stream     *stream.Stream
	ClickHouse *clickhouse.Database
	// StoreWait is how long lists wait for more before they are stored; that of
	// [stream.SinkOptions] unless set.
	StoreWait time.Duration
}

// Log takes lists, keeps them and reads them.
type Log struct {
	log   *slog.Logger
	db    *clickhouse.Database
	topic *stream.Topic
	sink  *stream.Sink
}

// Open connects the log; [Log.Run] stores what comes.
func Open(ctx context.Context, d Deps) (*Log, error) {
	l := &Log{log: d.Logger, db: d.ClickHouse}
	if l.log == nil {
		l.log = slog.Default()
	}
	var err error
	if l.topic, err = d.Stream.Topic(ctx, Topic); err != nil {
		return nil, fmt.Errorf("opening the stream of lists: %w", err)
	}
	l.sink = stream.NewSink(l.topic, "clickhouse", l.store, stream.SinkOptions{MaxMessages: 10_000, MaxWait: d.StoreWait, Logger: l.log})
	return l, nil
}

// Add makes a list durable. It returns a problem of status 429 where the stream is full.
func (l *Log) Add(ctx context.Context, list *List) error {
	record, err := encode(list)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, appendWithin)
	defer cancel()
	if _, err := l.topic.Append(ctx, record); err != nil {
		if errors.Is(err, stream.ErrFull) {
			return problem.TooBusy(5*time.Second, "The stream of lists is full; the same call can be repeated.")
		}
		return fmt.Errorf("logging a list: %w", err)
	}
	return nil
}

// Run moves lists from the stream to ClickHouse until the context ends, then finishes
// what it has begun.
func (l *Log) Run(ctx context.Context) error {
	if err := l.sink.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("moving lists to ClickHouse: %w", err)
	}
	return nil
}

// Flush waits until every list given so far is in ClickHouse.
func (l *Log) Flush(ctx context.Context) error {
	_, last, _, err := l.topic.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the end of the stream of lists: %w", err)
	}
	return l.sink.WaitFor(ctx, last)
}

// Lag is how far ClickHouse is behind the stream.
func (l *Log) Lag(ctx context.Context) (messages uint64, age time.Duration, err error) {
	return l.sink.Lag(ctx)
}

// Trim removes from the stream, now and then, what ClickHouse has.
func (l *Log) Trim(ctx context.Context) error {
	return l.topic.TrimBehind(ctx, keepBehind, l.sink.Position)
}

// columns gathers lists by column.
type columns struct {
	id, profile                         clickhouse.Strings
	sequence, version, ranker           clickhouse.Numbers[uint64]
	at                                  clickhouse.Times
	placement, source                   clickhouse.Names
	personal                            clickhouse.Flags
	asked                               clickhouse.Numbers[uint32]
	named, items                        clickhouse.StringLists
	propensities, probabilities, scores clickhouse.NumberLists[float64]
	reasons                             clickhouse.NameLists
}

func (c *columns) fields() []clickhouse.Field {
	return []clickhouse.Field{
		{Name: "list_id", Column: &c.id}, {Name: "sequence", Column: &c.sequence}, {Name: "at", Column: &c.at}, {Name: "placement", Column: &c.placement},
		{Name: "profile_id", Column: &c.profile}, {Name: "version", Column: &c.version}, {Name: "ranker", Column: &c.ranker}, {Name: "personal", Column: &c.personal},
		{Name: "asked", Column: &c.asked}, {Name: "named", Column: &c.named}, {Name: "items", Column: &c.items}, {Name: "propensities", Column: &c.propensities},
		{Name: "probabilities", Column: &c.probabilities}, {Name: "scores", Column: &c.scores}, {Name: "reasons", Column: &c.reasons}, {Name: "source", Column: &c.source},
	}
}

func (c *columns) add(l *List, sequence uint64) {
	c.id.Add(l.ID)
	c.sequence.Add(sequence)
	c.at.Add(l.At.UnixMilli())
	c.placement.Add(l.Placement)
	c.profile.Add(l.ProfileID)
	c.version.Add(uint64(l.Version))
	c.ranker.Add(uint64(l.Ranker))
	c.personal.Add(l.Personal)
	c.asked.Add(uint32(l.Asked))
	for _, item := range l.Named {
		c.named.Elements.Add(item)
	}
	c.named.End()
	for i := range l.Items {
		item := &l.Items[i]
		c.items.Elements.Add(item.ID)
		c.propensities.Elements.Add(item.Propensity)
		c.probabilities.Elements.Add(item.Probability)
		c.scores.Elements.Add(item.Score)
		c.reasons.Elements.Add(item.Reason)
	}
	c.items.End()
	c.propensities.End()
	c.probabilities.End()
	c.scores.End()
	c.reasons.End()
	c.source.Add(l.Source)
}

// store writes one range of the stream; its token makes a repetition a no-op.
func (l *Log) store(ctx context.Context, b stream.Batch) error {
	var c columns
	for _, m := range b.Messages {
		if isMark(m.Data) {
			continue
		}
		list, err := decode(m.Data)
		if err != nil {
			// Only a foreign writer can put it here; stopping would block all behind it.
			l.log.Error("unreadable record of a list skipped", "sequence", m.Sequence, "error", err)
			continue
		}
		c.add(list, m.Sequence)
	}
	return l.db.InsertOnce(ctx, "recommendation_lists", b.Token(), c.fields())
}
