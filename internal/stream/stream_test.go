package stream

import (
	"context"
	"errors"

	"log/slog"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirVariable); dir != "" {
		crashChild(dir)
		return
	}
	os.Exit(m.Run())
}

// quiet drops log lines: many tests provoke warnings on purpose.
var quiet = slog.New(slog.DiscardHandler)

// testContext ends before the test binary's own deadline could hide where a test hangs.
func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func openEmbedded(t testing.TB, o Options) *Stream {
	t.Helper()
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	return openStream(t, o)
}

func openStream(t testing.TB, o Options) *Stream {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet
	}
	s, err := Open(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func openTopic(t testing.TB, s *Stream, name string) *Topic {
	t.Helper()
	topic, err := s.Topic(testContext(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

// startServer starts a NATS server with JetStream on a loopback port, as an external one. port -1 takes a
// free one.
func startServer(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
		// The server's own guess is a part of the free disk: a test must not need that much.
		JetStreamMaxStore: embeddedMaxStore,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		srv.Shutdown()
		t.Fatal("the external server does not start")
	}
	return srv
}

func publishAll(t testing.TB, topic *Topic, messages ...string) (last uint64) {
	t.Helper()
	for _, m := range messages {
		seq, err := topic.Publish(testContext(t), []byte(m))
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	return last
}

// running starts f in the background and returns a function that ends its context and waits for it.
func running(t testing.TB, f func(context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- f(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			select {
			case err = <-result:
			case <-time.After(30 * time.Second):
				err = errors.New("still running 30 s after its context ended")
			}
		})
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("stopping: %v", err)
		}
	})
	return stop
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s still not: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestOpenRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"no place":      {},
		"prefix":        {DataDir: t.TempDir(), Prefix: "a.b"},
		"small limit":   {DataDir: t.TempDir(), MaxBytes: 10},
		"two replicas":  {URL: "nats://127.0.0.1:1", Replicas: 2},
		"nobody listen": {URL: "nats://user:secret@127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Logger = quiet
			s, err := Open(testContext(t), o)
			if err == nil {
				t.Fatal("opened", s.Close())
			}
			if name == "nobody listen" && !errors.Is(err, ErrUnavailable) {
				t.Errorf("%v is not ErrUnavailable", err)
			}
		})
	}
}

func TestTopicNames(t *testing.T) {
	t.Parallel()
	s := openEmbedded(t, Options{})
	for _, name := range []string{"", "a.b", "a b", "a*", ">", string(make([]byte, 65))} {
		if _, err := s.Topic(testContext(t), name); err == nil {
			t.Errorf("topic %q was opened", name)
		}
	}
	first, second := openTopic(t, s, "EVENTS"), openTopic(t, s, "EVENTS")
	if first != second {
		t.Error("the same name gave two topics")
	}
}

func TestPingAndClose(t *testing.T) {
	t.Parallel()
	s := openEmbedded(t, Options{})
	topic := openTopic(t, s, "EVENTS")
	if err := s.Ping(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
	if err := s.Ping(testContext(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("ping after close: %v", err)
	}
	started := time.Now()
	if _, err := topic.Publish(testContext(t), []byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("publish after close: %v", err)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("publish after close took %s", took)
	}
}

// Not parallel, so that only its own goroutines are counted.
func TestCloseLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		s := openEmbedded(t, Options{})
		topic := openTopic(t, s, "EVENTS")
		sink := NewSink(topic, "store", newMemoryStore().store, SinkOptions{MaxWait: time.Millisecond})
		stop := running(t, sink.Run)
		waitFor(t, sink, publishAll(t, topic, "a", "b"))
		readAll(t, topic, 1, 2)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if state, err := topic.state(testContext(t)); err != nil || state.Consumers != 0 {
			t.Errorf("%d consumers are left, %v", state.Consumers, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the goroutines ended", func() bool { return runtime.NumGoroutine() <= before+1 })
}
