package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestPublishFromManyGoroutines(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	const goroutines, each = 64, 200
	sequences := make([][]uint64, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			data := make([]byte, 8)
			for i := range each {
				binary.LittleEndian.PutUint64(data, uint64(g*each+i)) // reused: Publish must have copied it
				seq, err := topic.Publish(testContext(t), data)
				if err != nil {
					t.Error(err)
					return
				}
				sequences[g] = append(sequences[g], seq)
			}
		})
	}
	wg.Wait()
	got := readAll(t, topic, 1, goroutines*each)
	for g := range goroutines {
		for i, seq := range sequences[g] {
			if seq == 0 || seq > uint64(len(got)) {
				t.Fatalf("sequence %d", seq)
			}
			if m := got[seq-1]; m.Sequence != seq || binary.LittleEndian.Uint64(m.Data) != uint64(g*each+i) {
				t.Fatalf("message %d of goroutine %d was answered with %d, which holds %v", i, g, seq, m)
			}
		}
	}
	first, last, size, err := topic.State(testContext(t))
	if err != nil || first != 1 || last != goroutines*each || size < goroutines*each*8 {
		t.Errorf("state %d %d %d %v", first, last, size, err)
	}
}

// readAll reads n messages from sequence from.
func readAll(t testing.TB, topic *Topic, from uint64, n int) []Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var got []Message
	err := topic.Consume(ctx, from, ConsumeOptions{}, func(_ context.Context, batch []Message) error {
		if got = append(got, batch...); len(got) >= n {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n {
		t.Fatalf("read %d messages of %d", len(got), n)
	}
	return got
}

func TestPublishWhenFull(t *testing.T) {
	t.Parallel()
	s := openEmbedded(t, Options{MaxBytes: 1 << 20})
	topic, other := openTopic(t, s, "EVENTS"), openTopic(t, s, "DECISIONS")
	data := make([]byte, 10_000)
	var last uint64
	var err error
	for range 200 {
		var seq uint64
		if seq, err = topic.Publish(testContext(t), data); err != nil {
			break
		}
		last = seq
	}
	if !errors.Is(err, ErrFull) || errors.Is(err, ErrUnavailable) {
		t.Fatalf("after %d messages: %v", last, err)
	}
	if last < 90 || last > 105 {
		t.Errorf("a topic of 1 MiB took %d messages of 10 kB", last)
	}
	if _, err := other.Publish(testContext(t), data); err != nil {
		t.Errorf("the other topic: %v", err)
	}
	if err := topic.TrimTo(testContext(t), last/2); err != nil {
		t.Fatal(err)
	}
	seq, err := topic.Publish(testContext(t), data)
	if err != nil || seq != last+1 {
		t.Errorf("after the trim: sequence %d, %v", seq, err)
	}
	if first, _, _, _ := topic.State(testContext(t)); first != last/2 {
		t.Errorf("first sequence %d after a trim to %d", first, last/2)
	}
}

func TestPublishTooLarge(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	if _, err := topic.Publish(testContext(t), make([]byte, MaxMessage+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	large := strings.Repeat("x", MaxMessage-1024)
	publishAll(t, topic, large, "small")
	got := readAll(t, topic, 1, 2)
	if string(got[0].Data) != large || string(got[1].Data) != "small" {
		t.Error("what was read differs")
	}
}

func TestPublishHonoursItsContext(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{}), "EVENTS")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 3 * maxInFlight { // would run out of slots if one leaked
		if _, err := topic.Publish(ctx, []byte("x")); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if _, err := topic.Publish(testContext(t), []byte("y")); err != nil {
		t.Fatal(err)
	}
}

func TestPublishWithoutAServer(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Shutdown()
	s := openStream(t, Options{URL: srv.ClientURL()})
	topic := openTopic(t, s, "EVENTS")
	publishAll(t, topic, "one")
	srv.Shutdown()
	srv.WaitForShutdown()
	started := time.Now()
	if _, err := topic.Publish(testContext(t), []byte("two")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if took := time.Since(started); took > publishTimeout+time.Second {
		t.Errorf("took %s", took)
	}
	if err := s.Ping(testContext(t)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
}

func TestReadAck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		data string
		seq  uint64
		err  error
	}{
		{`{"stream":"EVENTS","seq":17}`, 17, nil},
		{`{"stream":"EVENTS","domain":"hub","seq":18446744073709551615}`, math.MaxUint64, nil},
		{`{"type":"x", "stream":"EVENTS", "seq": 3, "duplicate": true}`, 3, nil},
		{`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"E","seq":0}`, 0, ErrFull},
		{`{"error":{"code":429,"err_code":10167,"description":"too many requests"},"stream":"E","seq":0}`, 0, ErrFull},
		{`{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},"seq":0}`, 0, ErrTooLarge},
		{`{"error":{"code":500,"err_code":10077,"description":"no space left on device"},"seq":0}`, 0, ErrUnavailable},
		{`{"stream":"EVENTS","seq":0}`, 0, ErrUnavailable},
		{`{"stream":"EVENTS"}`, 0, ErrUnavailable},
		{`{"seq":12345678901234567890123}`, 0, ErrUnavailable},
		{`nonsense`, 0, ErrUnavailable},
		{``, 0, ErrUnavailable},
	} {
		out := readAck(&nats.Msg{Data: []byte(c.data)})
		if out.seq != c.seq || !errors.Is(out.err, c.err) {
			t.Errorf("%s: %d, %v", c.data, out.seq, out.err)
		}
	}
}

func FuzzReadAck(f *testing.F) {
	f.Add([]byte(`{"stream":"EVENTS","seq":17}`))
	f.Add([]byte(`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out := readAck(&nats.Msg{Data: data})
		if (out.seq == 0) == (out.err == nil) {
			t.Errorf("sequence %d and error %v", out.seq, out.err)
		}
	})
}

func TestReadDelivery(t *testing.T) {
	t.Parallel()
	want := delivery{consumer: "c", sequence: 7, delivered: 5, time: 99}
	for reply, good := range map[string]bool{
		"$JS.ACK.EVENTS.c.1.7.5.99.0":                   true,
		"$JS.ACK.hub.acc.EVENTS.c.1.7.5.99.0":           true,
		"$JS.ACK.hub.acc.EVENTS.c.1.7.5.99.0.random":    true,
		"$JS.ACK.EVENTS.c.1.7.5.99":                     false,
		"$JS.ACK.EVENTS.c.1.0.5.99.0":                   false,
		"$JS.ACK.EVENTS.c.1.x.5.99.0":                   false,
		"$JS.ACK.EVENTS.c.1.7.5.99999999999999999999.0": false,
		"_INBOX.x": false,
		"":         false,
	} {
		got, ok := readDelivery(reply)
		if ok != good || (good && got != want) {
			t.Errorf("%s: %+v, %v", reply, got, ok)
		}
	}
}

func FuzzReadDelivery(f *testing.F) {
	f.Add("$JS.ACK.EVENTS.c.1.7.5.99.0")
	f.Add("$JS.ACK.hub.acc.EVENTS.c.1.7.5.99.0.random")
	f.Fuzz(func(t *testing.T, reply string) {
		if d, ok := readDelivery(reply); ok {
			for _, n := range []string{fmt.Sprint(d.sequence), fmt.Sprint(d.delivered), fmt.Sprint(d.time)} {
				if !strings.Contains(reply, strings.TrimLeft(n, "0")) {
					t.Errorf("%q was read as %+v", reply, d)
				}
			}
		}
	})
}
