// Package dirlock gives one process the sole use of a data directory.
//
// An embedded engine corrupts its files when two processes open them, so whoever
// starts one takes the lock first. The lock is the operating system's (flock): it
// goes with the process, also after kill -9, and never has to be cleaned up. The
// file "lock" in the directory holds the owner's process id, for the message that a
// second process gets.
package dirlock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fileName is the lock's file inside the directory that it protects.
const fileName = "lock"

// errHeld is what flockFile returns when another process has the lock.
var errHeld = errors.New("lock is held")

// HeldError says that another process uses the directory.
type HeldError struct {
	Dir string // the directory, absolute
	PID int    // the process that holds it; 0 when it could not be read
}

// Error names the directory and the process.
func (e *HeldError) Error() string {
	owner := "another process"
	if e.PID > 0 {
		owner = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("data directory %s is in use by %s: stop it, or set QUINTET_DATA_DIR to another directory", e.Dir, owner)
}

// Lock is a held lock.
type Lock struct {
	file *os.File
}

// Acquire takes the lock of dir, which must exist, without waiting. When another
// process (or another Lock of this one) has it, the error is a *HeldError.
func Acquire(dir string) (*Lock, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	path := filepath.Join(dir, fileName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := flockFile(file); err != nil {
		defer file.Close()
		if errors.Is(err, errHeld) {
			return nil, &HeldError{Dir: dir, PID: owner(path)}
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	// The process id is for people; the lock holds without it.
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &Lock{file: file}, nil
}

// Release gives the lock up. The file stays: removing it would let two processes
// hold locks on different files of the same name.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	_ = l.file.Truncate(0)
	err := l.file.Close()
	l.file = nil
	if err != nil {
		return fmt.Errorf("releasing the data directory's lock: %w", err)
	}
	return nil
}

func owner(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
