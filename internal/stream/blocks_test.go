package stream

import "testing"

// A trim of full blocks ends where a block does, so that none is rewritten while publishers wait.
func TestTrimEndsWithABlock(t *testing.T) {
	t.Parallel()
	topic := openTopic(t, openEmbedded(t, Options{MaxBytes: 64 << 20}), "EVENTS")
	data := make([]byte, 256<<10)
	const messages = 120 // of 256 KiB in blocks of 8 MiB
	for range messages {
		if _, err := topic.Publish(testContext(t), data); err != nil {
			t.Fatal(err)
		}
	}
	const done = 100
	boundary, held := topic.holdBlocks(done + 1)
	held.release()
	if boundary <= 1 || boundary > done+1 || len(held) != 4 {
		t.Fatalf("boundary %d of %d blocks", boundary, len(held))
	}
	if err := topic.trimBehind(testContext(t), 0, []func() uint64{func() uint64 { return done }}); err != nil {
		t.Fatal(err)
	}
	first, last, _, err := topic.State(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if first != boundary || last != messages {
		t.Errorf("messages %d to %d, want them from the boundary %d on", first, last, boundary)
	}
	if again, held := topic.holdBlocks(done + 1); again != boundary {
		t.Errorf("after the trim the boundary is %d", again)
	} else {
		held.release()
	}
	got, err := topic.Publish(testContext(t), data)
	if err != nil || got != messages+1 {
		t.Errorf("then sequence %d (%v)", got, err)
	}
}
