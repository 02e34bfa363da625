package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ConsumeOptions configure Topic.Consume; the zero value is usable.
type ConsumeOptions struct {
	// MaxMessages is how many records a batch holds, passed only by a single message with more; default 1000.
	MaxMessages int
	// MaxBytes of message data in one batch, passed only by a single larger message; default 8 MiB.
	MaxBytes int
	// MaxWait is how long a batch waits for more after its first message; default 5 ms.
	MaxWait time.Duration
	// DrainTimeout is how long a batch may go on after ctx has ended; default 10 s.
	DrainTimeout time.Duration
	// Done is a sequence up to which the consumer has finished before: that messages up to it are missing, as
	// those that were erased, is no loss.
	Done uint64
}

func (o *ConsumeOptions) complete() {
	setDefault(&o.MaxMessages, 1000)
	setDefault(&o.MaxBytes, 8<<20)
	setDefault(&o.MaxWait, 5*time.Millisecond)
	setDefault(&o.DrainTimeout, 10*time.Second)
}

func setDefault[T ~int | ~int64](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Consume hands the messages from sequence from on to handle, in order, in batches that are never empty.
// It is for a consumer that saves its own position: in one transaction with the state that the batch
// changed, so that after a crash it goes on from the message behind it. from 0 or 1 is the beginning.
//
// A batch whose handle returns an error is handed over again, the same messages, after a pause that grows
// to 10 seconds, for ever; handle decides what to do with a message that can never be handled. When ctx
// ends, the batch under way is finished (its context ends after DrainTimeout) and Consume returns nil. It
// returns ErrClosed when the Stream is closed. The slice is used again after handle has returned; the data
// of its messages is not.
//
// Messages that were trimmed before they were read are passed over, with an error in the log.
func (t *Topic) Consume(ctx context.Context, from uint64, o ConsumeOptions, handle func(ctx context.Context, batch []Message) error) error {
	o.complete()
	r, err := t.newReader(from, o.MaxMessages, o.MaxBytes)
	if err != nil {
		return err
	}
	defer r.close()
	r.done = o.Done
	workCtx, release := drainContext(ctx, o.DrainTimeout)
	defer release()
	pause := newBackoff(50*time.Millisecond, 10*time.Second)
	var buf []Message
	for ctx.Err() == nil {
		missing := r.missing
		if buf, err = r.fill(ctx, buf[:0], o.MaxMessages, o.MaxBytes, o.MaxWait); err != nil {
			if errors.Is(err, ErrClosed) {
				return fmt.Errorf("consuming %s: %w", t.name, err)
			}
			return nil //nolint:nilerr // the context has ended, which is how a consumer is stopped
		}
		if r.missing > missing {
			t.s.log.Error("messages were trimmed before they were consumed",
				"topic", t.name, "missing", r.missing-missing, "before", buf[len(buf)-1].Sequence)
		}
		for {
			err := handle(workCtx, buf)
			if err == nil {
				break
			}
			t.s.log.Warn("cannot handle a batch; trying again", "topic", t.name,
				"from", buf[0].Sequence, "to", buf[len(buf)-1].Sequence, "error", err)
			if t.s.isClosing() {
				return fmt.Errorf("consuming %s: %w", t.name, ErrClosed)
			}
			if !pause.sleep(workCtx) {
				return nil //nolint:nilerr // cut off while stopping: the consumer's position says where to go on
			}
		}
		pause.reset()
		clear(buf) // the next batch may be smaller: let go of this one's data
	}
	return nil
}

// drainContext returns a context with the values of ctx that ends only some time after it.
func drainContext(ctx context.Context, drain time.Duration) (context.Context, func()) {
	workCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(drain)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-workCtx.Done():
		}
	})
	return workCtx, func() {
		stop()
		cancel()
	}
}
