package profiles

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"quintet/internal/importing"
)

// An upload can arrive while what an earlier run left is looked through.
func TestUploadsOfTheStartStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"arriving-1", "01LEFT"} { // of an earlier run
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	before := newUploads(dir)
	if err := os.WriteFile(filepath.Join(dir, "01LEFT", "upload.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	arriving := filepath.Join(dir, "arriving-2")
	if err := os.WriteFile(arriving, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := before.recall(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := before.keep("01NEW", arriving, upload{Kind: importing.Events, Name: "a.csv"}); err != nil {
		t.Errorf("an upload that arrived meanwhile: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "arriving-1")); err == nil {
		t.Error("what an earlier run left half arrived is still there")
	}
	if len(before.queue) != 2 || before.queue[0] != "01LEFT" || before.queue[1] != "01NEW" {
		t.Errorf("waiting: %v", before.queue)
	}
}
