package stream

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// filesWith counts the files below dir that hold text.
func filesWith(t *testing.T, dir, text string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Erased messages leave nothing in the files; the others stay, for readers too.
func TestEraseWritesOverMessages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() (*Stream, *Topic) {
		s, err := Open(t.Context(), Options{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		topic, err := s.Topic(t.Context(), "EVENTS")
		if err != nil {
			t.Fatal(err)
		}
		return s, topic
	}
	s, topic := open()
	for i := range 100 {
		who := "somebody-else"
		if i%10 == 3 || i == 99 {
			who = "planted-person"
		}
		if _, err := topic.Publish(t.Context(), fmt.Appendf(nil, "%s did %d", who, i)); err != nil {
			t.Fatal(err)
		}
	}
	marker, err := topic.Publish(t.Context(), []byte("end"))
	if err != nil {
		t.Fatal(err)
	}
	find := func() (found []uint64, all int) {
		t.Helper()
		if err := topic.Scan(t.Context(), marker, func(m Message) error {
			all++
			if bytes.Contains(m.Data, []byte("planted")) {
				found = append(found, m.Sequence)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found, all
	}
	found, all := find()
	if len(found) != 11 || all != 101 {
		t.Fatalf("found %d of %d", len(found), all)
	}
	for range 2 { // again, as after a crash
		if single, err := topic.Erase(t.Context(), found); err != nil || !single {
			t.Fatal(single, err)
		}
	}
	if found, all := find(); len(found) != 0 || all != 90 {
		t.Errorf("found %d of %d after erasing", len(found), all)
	}
	if n := filesWith(t, dir, "planted-person"); n != 0 {
		t.Errorf("%d files still hold the person", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := filesWith(t, dir, "planted-person"); n != 0 {
		t.Errorf("%d files still hold the person after closing", n)
	}
	s, topic = open()
	defer s.Close() //nolint:errcheck // the test is over
	if found, all := find(); len(found) != 0 || all != 90 {
		t.Errorf("found %d of %d after a restart", len(found), all)
	}
	ctx, stop := context.WithCancel(t.Context())
	seen := 0
	if err := topic.Consume(ctx, 1, ConsumeOptions{Done: marker}, func(_ context.Context, batch []Message) error {
		if seen += len(batch); batch[len(batch)-1].Sequence == marker {
			stop()
		}
		return nil
	}); err != nil || seen != 90 {
		t.Errorf("a consumer got %d, %v", seen, err)
	}
	if _, last, _, _ := topic.State(t.Context()); last != marker {
		t.Errorf("the topic ends at %d, not %d", last, marker)
	}
}

// A topic of an earlier version does not let messages be deleted one by one.
func TestEraseTrimsATopicOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the test is over
	first, err := s.Topic(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	config := first.stream.CachedInfo().Config
	config.DenyDelete = true
	if _, err := s.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	s.topics = map[string]*Topic{}
	topic, err := s.Topic(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if !topic.Sealed() || first.Sealed() {
		t.Errorf("it is sealed: %v, and before: %v", topic.Sealed(), first.Sealed())
	}
	for range 5 {
		if _, err := topic.Publish(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	single, err := topic.Erase(t.Context(), []uint64{2, 3})
	if first, _, _, _ := topic.State(t.Context()); err != nil || single || first != 4 {
		t.Errorf("single %v, %v; the topic begins at %d", single, err, first)
	}
}
