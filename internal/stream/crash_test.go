package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// crashDirVariable makes the test binary run crashChild in the directory that it names.
const crashDirVariable = "QUINTET_STREAM_CRASH_DIR"

// fileStore keeps one file for each token, written whole or not at all.
type fileStore string

func (dir fileStore) store(_ context.Context, b Batch) error {
	messages := map[string]uint64{}
	for _, m := range b.Messages {
		messages[string(m.Data)] = m.Sequence
	}
	content, err := json.Marshal(messages)
	if err != nil {
		return err
	}
	path := filepath.Join(string(dir), b.Token())
	before, err := os.ReadFile(path)
	switch {
	case err == nil && string(before) != string(content):
		return os.WriteFile(filepath.Join(string(dir), "FAULT"), []byte(b.Token()+" came again with other messages"), 0o600)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	time.Sleep(rand.N(20 * time.Millisecond)) // room for a kill between storing and noting it
	if rand.N(5) == 0 {
		return errors.New("stored, but the answer was lost")
	}
	return nil
}

// crashChild publishes from many goroutines, prints what was acknowledged and runs a sink, until it is killed.
func crashChild(dir string) {
	fail := func(err error) {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	ctx := context.Background()
	s, err := Open(ctx, Options{DataDir: filepath.Join(dir, "data"), Logger: quiet})
	if err != nil {
		fail(err)
	}
	topic, err := s.Topic(ctx, "EVENTS")
	if err != nil {
		fail(err)
	}
	go func() {
		err := NewSink(topic, "files", fileStore(filepath.Join(dir, "store")).store, SinkOptions{MaxMessages: 200, MaxWait: 5 * time.Millisecond}).Run(ctx)
		fail(fmt.Errorf("the sink ended: %w", err))
	}()
	var mu sync.Mutex
	for g := range 16 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d/%d/%d", os.Getpid(), g, i)
				seq, err := topic.Append(ctx, []byte(id))
				if err != nil {
					fail(err)
				}
				mu.Lock()
				fmt.Printf("%s %d\n", id, seq)
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		}()
	}
	select {}
}

// A process is killed several times in the middle of publishing and storing. Everything that it had
// acknowledged is in the store, once, under the sequence that it was told.
func TestKilledProcessLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]uint64{}
	interrupted := 0
	for range 5 {
		for id, seq := range runAndKill(t, dir, time.Duration(300+rand.N(700))*time.Millisecond) {
			acknowledged[id] = seq
		}
	}
	s := openEmbedded(t, Options{DataDir: filepath.Join(dir, "data")})
	if e, _, err := s.readEntry(testContext(t), "EVENTS.files"); err == nil && e.To > e.Done {
		interrupted++
	}
	topic := openTopic(t, s, "EVENTS")
	_, last, _, err := topic.State(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	sink := NewSink(topic, "files", fileStore(store).store, SinkOptions{MaxMessages: 200, MaxWait: 5 * time.Millisecond})
	running(t, sink.Run)
	waitFor(t, sink, last)

	stored := map[string]uint64{}
	bySequence := map[uint64]int{}
	entries, err := os.ReadDir(store)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".new") {
			continue // the kill came before the rename: never stored
		}
		content, err := os.ReadFile(filepath.Join(store, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if entry.Name() == "FAULT" {
			t.Fatal(string(content))
		}
		var messages map[string]uint64
		if err := json.Unmarshal(content, &messages); err != nil {
			t.Fatalf("%s: %v", entry.Name(), err)
		}
		for id, seq := range messages {
			if _, twice := stored[id]; twice {
				t.Errorf("record %s at %d is stored twice", id, seq)
			}
			stored[id] = seq
			bySequence[seq]++
		}
	}
	for id, seq := range acknowledged {
		if stored[id] != seq {
			t.Errorf("message %s was acknowledged as %d and is stored as %d", id, seq, stored[id])
		}
	}
	if len(acknowledged) < 500 || uint64(len(bySequence)) != last || len(stored) <= len(bySequence) {
		t.Errorf("%d acknowledged, %d stored in %d messages, last sequence %d", len(acknowledged), len(stored), len(bySequence), last)
	}
	t.Logf("%d acknowledged, %d stored in %d ranges, %d interrupted at the last kill", len(acknowledged), len(stored), len(entries), interrupted)
}

// runAndKill starts this test binary as a child, kills it after a while and returns what it acknowledged.
func runAndKill(t *testing.T, dir string, after time.Duration) map[string]uint64 {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), crashDirVariable+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]uint64{}
	scanner := bufio.NewScanner(out)
	var timer *time.Timer
	for scanner.Scan() {
		if timer == nil { // it is up: now the clock runs
			timer = time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
		line := scanner.Text()
		var id string
		var seq uint64
		if strings.HasPrefix(line, "FAIL") {
			t.Error(line)
		} else if n, _ := fmt.Sscanf(line, "%s %d", &id, &seq); n == 2 && seq > 0 {
			acknowledged[id] = seq
		}
	}
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	return acknowledged
}
