package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestConsumeInOrderFromAPosition(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	for i := 1; i <= 50; i++ {
		publishAll(t, topic, fmt.Sprint(i))
	}
	for _, from := range []uint64{0, 1, 2, 30, 50} {
		first := max(from, 1)
		got := readAll(t, topic, from, 50-int(first)+1)
		for i, m := range got {
			if m.Sequence != first+uint64(i) || string(m.Data) != fmt.Sprint(m.Sequence) {
				t.Fatalf("from %d: message %d is %d %q", from, i, m.Sequence, m.Data)
			}
			if age := time.Since(m.Time); age < -time.Second || age > time.Minute {
				t.Fatalf("time %s", m.Time)
			}
		}
	}
}

func TestConsumeWaitsForWhatComes(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	got := make(chan string, 100)
	running(t, func(ctx context.Context) error {
		return topic.Consume(ctx, 1, ConsumeOptions{}, func(_ context.Context, batch []Message) error {
			for _, m := range batch {
				got <- string(m.Data)
			}
			return nil
		})
	})
	for i := range 20 {
		want := fmt.Sprint(i)
		started := time.Now()
		publishAll(t, topic, want)
		select {
		case m := <-got:
			if m != want {
				t.Fatalf("%q instead of %q", m, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came")
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("a message took %s", took)
		}
	}
}

func TestConsumeRepeatsAFailedBatch(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	publishAll(t, topic, "a", "b", "c", "d", "e")
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var calls [][]uint64
	failures := 3
	err := topic.Consume(ctx, 1, ConsumeOptions{MaxMessages: 2, MaxWait: 50 * time.Millisecond}, func(_ context.Context, batch []Message) error {
		var sequences []uint64
		for _, m := range batch {
			sequences = append(sequences, m.Sequence)
		}
		calls = append(calls, sequences)
		if batch[0].Sequence == 3 && failures > 0 {
			failures--
			return errors.New("not now")
		}
		if batch[len(batch)-1].Sequence == 5 {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]uint64{{1, 2}, {3, 4}, {3, 4}, {3, 4}, {3, 4}, {5}}
	if !slices.EqualFunc(calls, want, slices.Equal[[]uint64]) {
		t.Errorf("handled %v instead of %v", calls, want)
	}
}

func TestConsumeFinishesItsBatchWhenStopped(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	publishAll(t, topic, "a")
	begun := make(chan struct{})
	var finished error = errors.New("never")
	stop := running(t, func(ctx context.Context) error {
		return topic.Consume(ctx, 1, ConsumeOptions{}, func(ctx context.Context, _ []Message) error {
			close(begun)
			time.Sleep(200 * time.Millisecond)
			finished = ctx.Err()
			return nil
		})
	})
	<-begun
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if finished != nil {
		t.Errorf("the batch's context: %v", finished)
	}
}

func TestConsumeEndsWithTheStream(t *testing.T) {
	t.Parallel()
	s := openEmbedded(t, Options{})
	topic := openTopic(t, s, "EVENTS")
	result := make(chan error, 1)
	go func() {
		result <- topic.Consume(context.Background(), 1, ConsumeOptions{}, func(context.Context, []Message) error { return nil })
	}()
	time.Sleep(50 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("still consuming")
	}
}

// Batches end at the limit in bytes, and a message larger than that comes alone.
func TestConsumeLimitsBytes(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	sizes := []int{400, 400, 400, 3000, 100, 900, 1}
	for _, n := range sizes {
		publishAll(t, topic, string(make([]byte, n)))
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var got [][]int
	err := topic.Consume(ctx, 1, ConsumeOptions{MaxBytes: 1000, MaxWait: 300 * time.Millisecond}, func(_ context.Context, batch []Message) error {
		var lengths []int
		for _, m := range batch {
			lengths = append(lengths, len(m.Data))
		}
		got = append(got, lengths)
		if batch[len(batch)-1].Sequence == uint64(len(sizes)) {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]int{{400, 400}, {400}, {3000}, {100, 900}, {1}}
	if !slices.EqualFunc(got, want, slices.Equal[[]int]) {
		t.Errorf("batches %v instead of %v", got, want)
	}
}
