package dirlock_test

import (
	"errors"
	"os"
	"testing"

	"quintet/internal/engines/dirlock"
)

func TestLockIsExclusiveAndNamesItsOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := dirlock.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dirlock.Acquire(dir)
	var held *dirlock.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("second Acquire: got %v, want a HeldError", err)
	}
	if held.PID != os.Getpid() || held.Dir != dir {
		t.Errorf("HeldError = %+v, want process %d and directory %s", held, os.Getpid(), dir)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if err := first.Release(); err != nil {
		t.Errorf("second Release: %v", err)
	}
	again, err := dirlock.Acquire(dir)
	if err != nil {
		t.Fatalf("Acquire after Release: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}

func TestLockNeedsItsDirectory(t *testing.T) {
	t.Parallel()
	if _, err := dirlock.Acquire(t.TempDir() + "/absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want an error that the directory does not exist", err)
	}
}
