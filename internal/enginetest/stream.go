package enginetest

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"quintet/internal/stream"
)

// Stream is a fresh stream.
func Stream(t testing.TB) *stream.Stream {
	t.Helper()
	return StreamWith(t, stream.Options{})
}

// StreamWith is a fresh stream with options of the test, such as a small MaxBytes.
func StreamWith(t testing.TB, o stream.Options) *stream.Stream {
	t.Helper()
	prepared(t)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	remove := func() {}
	if o.URL = os.Getenv("QUINTET_TEST_NATS_URL"); o.URL != "" {
		o.Prefix = strings.ToUpper(fresh()) + "_"
		remove = func() { removeStreams(t, o.URL, o.Prefix) }
	} else {
		// Below the binary's directory, which is removed also when it is killed.
		dir, err := os.MkdirTemp(shared.dir, "stream-")
		if err != nil {
			t.Fatalf("creating a directory for the test's stream: %v", err)
		}
		o.DataDir = dir
		remove = func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Errorf("removing the test's stream: %v", err)
			}
		}
	}
	if o.Logger == nil {
		o.Logger = quiet()
	}
	s, err := stream.Open(ctx, o)
	if err != nil {
		t.Fatalf("opening the test's stream: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the test's stream: %v", err)
		}
		remove()
	})
	return s
}

// removeStreams deletes the topics and the journal of a prefix from a server.
func removeStreams(t testing.TB, address, prefix string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	connection, err := nats.Connect(address)
	if err != nil {
		t.Errorf("removing the test's stream: %v", err)
		return
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		t.Errorf("removing the test's stream: %v", err)
		return
	}
	var names []string
	list := js.StreamNames(ctx)
	for name := range list.Name() {
		if strings.HasPrefix(strings.TrimPrefix(name, "KV_"), prefix) {
			names = append(names, name)
		}
	}
	if err := list.Err(); err != nil {
		t.Errorf("listing the test's streams: %v", err)
	}
	for _, name := range names {
		if err := js.DeleteStream(ctx, name); err != nil {
			t.Errorf("removing the test's stream %s: %v", name, err)
		}
	}
}
