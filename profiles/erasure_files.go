package profiles

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// eraseFiles takes the person out of the rejects of uploads. An upload that came before
// the erasure may hold the person: it is waited for until it has been imported, by which
// its rows are refused, and removed.
func (e *Eraser) eraseFiles(ctx context.Context, sub *ErasureSubject) (removed int64, err error) {
	u := e.profiles.uploads
	if u == nil {
		return 0, nil
	}
	if err := e.awaitUploads(ctx, u); err != nil {
		return 0, err
	}
	err = eachRejects(u.dir, func(path string) error {
		n, err := dropRows(path, sub.Needles())
		removed += n
		return err
	})
	return removed, err
}

func (e *Eraser) awaitUploads(ctx context.Context, u *uploads) error {
	u.mu.Lock()
	waiting := append([]string{u.current}, u.queue...)
	u.mu.Unlock()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for _, id := range waiting {
		for id != "" && u.has(id) {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return fmt.Errorf("waiting for an upload to be imported: %w", ctx.Err())
			}
		}
	}
	return nil
}

// eachRejects calls f with every file of rejects.
func eachRejects(dir string, f func(path string) error) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for rejects: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name(), "rejects.csv")
		if _, err := os.Stat(path); err != nil {
			continue // none were rejected
		}
		if err := f(path); err != nil {
			return err
		}
	}
	return nil
}

// dropRows writes a file of rejects without the content of rows that hold one of the
// texts, and returns how many there were. That they were rejected stays.
func dropRows(path string, needles []string) (dropped int64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("reading rejects: %w", err)
	}
	if !holdsAny(text, needles) {
		return 0, nil
	}
	var out bytes.Buffer
	in, w := csv.NewReader(bytes.NewReader(text)), csv.NewWriter(&out)
	in.FieldsPerRecord = -1
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("reading rejects: %w", err)
		}
		if holdsAny([]byte(strings.Join(record, "\n")), needles) {
			dropped++
			for i := 2; i < len(record); i++ { // behind line and row
				record[i] = ""
			}
			if len(record) > 2 {
				record[2] = RuleErased
			}
		}
		_ = w.Write(record) // to memory
	}
	w.Flush()
	if err := os.WriteFile(path+".new", out.Bytes(), 0o600); err != nil {
		return 0, fmt.Errorf("writing rejects: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return 0, fmt.Errorf("writing rejects: %w", err)
	}
	return dropped, nil
}

func holdsAny(text []byte, needles []string) bool {
	for _, n := range needles {
		if bytes.Contains(text, []byte(n)) {
			return true
		}
	}
	return false
}

// checkFiles looks for the person in what imports left.
func (e *Eraser) checkFiles(sub *ErasureSubject) (ErasureCheck, error) {
	check := ErasureCheck{Store: "files", What: "rejects of imports"}
	if e.profiles.uploads == nil {
		return check, nil
	}
	err := eachRejects(e.profiles.uploads.dir, func(path string) error {
		text, err := os.ReadFile(path)
		if err == nil && holdsAny(text, sub.Needles()) {
			check.Rows++
		}
		return err
	})
	return check, err
}
