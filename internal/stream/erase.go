package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// isSealed says whether an update was refused because the topic was made so that its messages cannot be
// deleted one by one.
func isSealed(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && strings.Contains(api.Description, "deny message deletes")
}

// Sealed says whether an earlier version made the topic so that its messages cannot be deleted one by one. The server
// never takes that back; [Topic.Erase] trims such a topic instead, whose bytes go with the file that they are in.
func (t *Topic) Sealed() bool { return t.sealed }

// Scan hands every record that the topic still has, from the first on, to f, and returns when it has handed over
// the message with the sequence to, which must be there: publish one to have it. An error of f ends it.
func (t *Topic) Scan(ctx context.Context, to uint64, f func(Message) error) error {
	first, last, _, err := t.State(ctx)
	if err != nil {
		return err
	}
	if first > to || last < to {
		return nil
	}
	r, err := t.newReader(first, 1000, 8<<20)
	if err != nil {
		return err
	}
	defer r.close()
	r.done = to
	var buf []Message
	for {
		if buf, err = r.fill(ctx, buf[:0], 1000, 8<<20, 5*time.Millisecond); err != nil {
			return fmt.Errorf("scanning %s: %w", t.name, err)
		}
		for _, m := range buf {
			if m.Sequence > to {
				return nil
			}
			if err := f(m); err != nil {
				return err
			}
		}
		if len(buf) > 0 && buf[len(buf)-1].Sequence == to {
			return nil
		}
		clear(buf)
	}
}

// Erase removes single messages so that nothing of them is left in the topic's files: their bytes are written over. The
// caller knows that every reader has finished them. One that is gone already is no error. A topic that an earlier version
// made, whose messages cannot be deleted one by one, is trimmed behind the last of them instead, and single reports false.
func (t *Topic) Erase(ctx context.Context, sequences []uint64) (single bool, err error) {
	if len(sequences) == 0 {
		return !t.sealed, nil
	}
	if t.sealed {
		var last uint64
		for _, s := range sequences {
			last = max(last, s)
		}
		return false, t.TrimTo(ctx, last+1)
	}
	for _, s := range sequences {
		if err := t.eraseOne(ctx, s); err != nil {
			return true, fmt.Errorf("erasing message %d of %s: %w", s, t.name, err)
		}
	}
	return true, nil
}

func (t *Topic) eraseOne(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := t.stream.SecureDeleteMsg(ctx, sequence)
	var api *jetstream.APIError
	switch {
	case err == nil, errors.Is(err, jetstream.ErrMsgNotFound):
		return nil
	case errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeMessageNotFound || strings.Contains(api.Description, "no message found")):
		return nil
	}
	// What is gone cannot be deleted: the server's words for that differ.
	if _, missing := t.stream.GetMsg(ctx, sequence); errors.Is(missing, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fromClient(err)
}
