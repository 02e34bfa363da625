package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"quintet/internal/client"
)

// Traffic says how the shop is visited.
type Traffic struct {
	Rate    float64 // visits per second, as fast as possible when 0
	Visits  uint64  // ends after so many visits; never when 0
	Workers int     // visits at the same time, 16 when 0
	First   uint64  // number of the first visit
	Logger  *slog.Logger
	// Progress is called now and then with the number of visits so far.
	Progress func(done uint64)
}

// decision is what the shop needs of an answer of the service.
type decision struct {
	DecisionID string `json:"decisionId"`
	Who        struct {
		Eligible bool   `json:"eligible"`
		Group    string `json:"group"`
	} `json:"who"`
	What *struct {
		Offer string `json:"offer"`
	} `json:"what"`
	Where *struct {
		Channel string `json:"channel"`
	} `json:"where"`
	How *struct {
		Creative string `json:"creative"`
	} `json:"how"`
	Fallback bool `json:"fallback"`
}

// action is the id of what was decided, none when nothing was.
func (d *decision) action() string {
	if d.What == nil || d.Where == nil || d.How == nil {
		return "none"
	}
	return d.What.Offer + "/" + d.Where.Channel + "/" + d.How.Creative
}

// Run sends visits until the context ends or the number of visits is reached.
// Every event of a finished visit has been accepted when it returns nil.
func Run(ctx context.Context, c *client.Client, w *World, t Traffic) error {
	if t.Workers <= 0 {
		t.Workers = 16
	}
	limit := rate.NewLimiter(rate.Inf, 1)
	if t.Rate > 0 {
		limit = rate.NewLimiter(rate.Limit(t.Rate), max(1, int(t.Rate/10)))
	}
	events := &outbox{client: c, log: t.Logger}
	var next, done atomic.Uint64
	parent := ctx
	group, ctx := errgroup.WithContext(ctx)
	flushing, stopFlushing := context.WithCancel(ctx)
	defer stopFlushing()
	var flusher sync.WaitGroup
	flusher.Go(func() { events.flushNowAndThen(flushing) })
	for range t.Workers {
		group.Go(func() error {
			for {
				if err := limit.Wait(ctx); err != nil {
					return context.Cause(ctx)
				}
				n := next.Add(1) - 1
				if t.Visits > 0 && n >= t.Visits {
					return nil
				}
				if err := w.visit(ctx, c, events, t.First+n); err != nil {
					return err
				}
				if k := done.Add(1); t.Progress != nil && k%100 == 0 {
					t.Progress(k)
				}
			}
		})
	}
	err := group.Wait()
	stopFlushing()
	flusher.Wait()
	// The visits that are over happened, also when the shop closes; but it may close
	// because the server does, which is then not worth waiting for.
	patience := 10 * time.Second
	if parent.Err() != nil {
		patience = time.Second
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(parent), patience)
	defer cancel()
	return errors.Join(err, events.flush(last))
}

// visit is one customer's visit: a page, a decision and what comes of it.
func (w *World) visit(ctx context.Context, c *client.Client, events *outbox, number uint64) error {
	v := w.Visit(number)
	var d decision
	if err := c.Post(ctx, "/v1/decide", map[string]any{
		"decision": DecisionPoint, "user": map[string]string{"userId": v.Customer.UserID}, "context": v.context(),
	}, &d); err != nil {
		return fmt.Errorf("asking for the decision of visit %d: %w", number, err)
	}
	action := d.action()
	now := time.Now().UTC().Truncate(time.Millisecond)
	id := func(kind string) string { return fmt.Sprintf("shop-%d-visit-%d-%s", w.Seed, number, kind) }
	if action != "none" && !d.Fallback {
		if err := events.add(ctx, client.Message{
			Type: "track", MessageID: id("seen"), UserID: v.Customer.UserID, Event: "Offer Viewed", Timestamp: &now,
			Properties: map[string]any{"decisionId": d.DecisionID, "offer": d.What.Offer},
		}); err != nil {
			return err
		}
	}
	o, bought := w.respond(&v, action)
	if !bought {
		return nil
	}
	properties := map[string]any{"order_id": id("order"), "revenue": o.revenue, "margin": o.margin, "currency": "EUR"}
	if !d.Fallback {
		properties["decisionId"] = d.DecisionID
	}
	return events.add(ctx, client.Message{
		Type: "track", MessageID: id("order"), UserID: v.Customer.UserID, Event: "Order Completed", Timestamp: &now, Properties: properties,
	})
}

// outbox gathers events into batches.
type outbox struct {
	client *client.Client
	log    *slog.Logger

	mu      sync.Mutex
	waiting []client.Message
}

const outboxSize = 200

// add queues an event. Whoever fills the box sends it, so that the box is bounded.
func (o *outbox) add(ctx context.Context, m client.Message) error {
	o.mu.Lock()
	o.waiting = append(o.waiting, m)
	full := len(o.waiting) >= outboxSize
	o.mu.Unlock()
	if full {
		return o.flush(ctx)
	}
	return nil
}

func (o *outbox) flush(ctx context.Context) error {
	o.mu.Lock()
	batch := o.waiting
	o.waiting = nil
	o.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	result, err := o.client.Batch(ctx, batch)
	if err != nil {
		return err
	}
	if len(result.Rejected) > 0 {
		return fmt.Errorf("%d of %d events refused, the first for %v", len(result.Rejected), len(batch), result.Rejected[0].Errors)
	}
	return nil
}

func (o *outbox) flushNowAndThen(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := o.flush(ctx); err != nil && ctx.Err() == nil && o.log != nil {
				o.log.Warn("sending the shop's events", "error", err)
			}
		}
	}
}
