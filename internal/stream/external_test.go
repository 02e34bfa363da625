package stream

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// An external server is stopped and started again: what was acknowledged is stored once, and publishing and
// storing go on by themselves.
func TestExternalServerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := startServer(t, dir, -1)
	port := srv.Addr().(*net.TCPAddr).Port
	s := openStream(t, Options{URL: srv.ClientURL(), Prefix: "restart_"})
	if s.Embedded() {
		t.Error("it says that it is embedded")
	}
	topic := openTopic(t, s, "EVENTS")
	store := newMemoryStore()
	sink := NewSink(topic, "store", store.store, SinkOptions{MaxMessages: 10, MaxWait: 5 * time.Millisecond, Lease: 2 * time.Second})
	running(t, sink.Run)
	acknowledged := map[uint64]string{}
	publish := func(n int, label string) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for i := 0; i < n; {
			data := fmt.Sprintf("%s-%d", label, i)
			seq, err := topic.Publish(testContext(t), []byte(data))
			switch {
			case err == nil:
				acknowledged[seq] = data
				i++
			case errors.Is(err, ErrUnavailable) && time.Now().Before(deadline):
				time.Sleep(20 * time.Millisecond)
			default:
				t.Fatal(err)
			}
		}
	}
	publish(200, "before")
	srv.Shutdown()
	srv.WaitForShutdown()
	if _, err := topic.Publish(testContext(t), []byte("x")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("while it is down: %v", err)
	}
	srv = startServer(t, dir, port)
	defer srv.Shutdown()
	publish(200, "after")
	_, last, _, err := topic.State(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, sink, last)
	stored := map[uint64]string{}
	for _, m := range store.check(t, 1, last) {
		stored[m.Sequence] = string(m.Data)
	}
	for seq, data := range acknowledged {
		if stored[seq] != data {
			t.Errorf("message %d is %q instead of %q", seq, stored[seq], data)
		}
	}
}

func TestPrefixesShareAServer(t *testing.T) {
	t.Parallel()
	srv := startServer(t, t.TempDir(), -1)
	defer srv.Shutdown()
	for _, prefix := range []string{"one_", "two_"} {
		topic := openTopic(t, openStream(t, Options{URL: srv.ClientURL(), Prefix: prefix}), "EVENTS")
		if seq := publishAll(t, topic, prefix); seq != 1 {
			t.Errorf("%s begins at %d", prefix, seq)
		}
		if got := readAll(t, topic, 1, 1); string(got[0].Data) != prefix {
			t.Errorf("%s holds %q", prefix, got[0].Data)
		}
	}
}
