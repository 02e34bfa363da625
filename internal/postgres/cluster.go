//go:build unix

package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	majorVersion    = "18"
	initdbDeadline  = 2 * time.Minute // takes 0.6 s on an idle machine
	superuser       = "postgres"
	applicationRole = "quintet"
)

// cluster is the data directory of an embedded server, as the package comment lays it
// out.
type cluster struct {
	dir               string // absolute
	password          string // of applicationRole
	superuserPassword string
}

func (c cluster) dataDir() string { return filepath.Join(c.dir, "data") }
func (c cluster) libDir() string  { return filepath.Join(c.dir, "lib") }

// makeDir creates the directory. Under root it can be passed, not listed, by others: the
// account that the server runs under has to get to its files, and everything else inside
// is protected by its own mode.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("creating the data directory: %w", err)
	}
	// The umask may have taken what was asked for.
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("creating the data directory: %w", err)
	}
	return nil
}

// readOrMakePassword returns the password in a file of mode 0600 and makes it at first.
func readOrMakePassword(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		password := strings.TrimSpace(string(text))
		if password == "" {
			return "", fmt.Errorf("the password file %s is empty", path)
		}
		return password, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading a password: %w", err)
	}
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails
	password := hex.EncodeToString(random)
	if err := writeDurably(path, password+"\n"); err != nil {
		return "", fmt.Errorf("storing a password: %w", err)
	}
	return password, nil
}

// writeDurably creates a file of mode 0600 that after a crash is either there, whole, or
// not there.
func writeDurably(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // is gone when all went well
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// exists reports whether initdb has finished here, and refuses a cluster of another
// version, which this server could not read.
func (c cluster) exists() (bool, error) {
	text, err := os.ReadFile(filepath.Join(c.dataDir(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the version of the cluster: %w", err)
	}
	if version := string(bytes.TrimSpace(text)); version != majorVersion {
		return false, fmt.Errorf("%s was made by Postgres %s and the embedded server is %s: dump and restore it, or set QUINTET_DATA_DIR to another directory", c.dataDir(), version, majorVersion)
	}
	return true, nil
}

// initialise runs initdb in a directory beside the final one and renames the result, so
// that a cluster that was being made when the machine stopped is made again.
func (c cluster) initialise(ctx context.Context, b binaries, id identity, ephemeral bool, logger *slog.Logger) error {
	if err := id.checkAccount(); err != nil {
		return err
	}
	work := filepath.Join(c.dir, "init")
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("removing an unfinished cluster: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // else the next initialise does
	if err := os.MkdirAll(work, 0o700); err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	passwordFile := filepath.Join(work, "password")
	if err := os.WriteFile(passwordFile, []byte(c.superuserPassword+"\n"), 0o600); err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	if err := id.give(work); err != nil {
		return err
	}

	made := filepath.Join(work, "data")
	arguments := []string{
		"--pgdata=" + made, "--username=" + superuser, "--pwfile=" + passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums",
		// The built-in provider sorts by code point, the same on every machine and
		// after every upgrade of the operating system.
		"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
		"--text-search-config=simple", "--no-instructions",
	}
	if ephemeral {
		arguments = append(arguments, "--no-sync")
	}
	log := newServerLog(logger)
	p, err := startProcess(b, id, b.initdb(), arguments, syscall.SIGKILL, log)
	if err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	timer := time.NewTimer(initdbDeadline)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("initdb has not finished within %s", initdbDeadline)
	}
	if err != nil {
		_ = p.kill(syscall.SIGKILL)
		p.waitFor(killStop)
		return fmt.Errorf("making the cluster: %w", err)
	}
	if p.err != nil {
		return fmt.Errorf("making the cluster: initdb: %w", p.endReason(log))
	}
	if err := os.Rename(made, c.dataDir()); err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	if err := syncDir(c.dir); err != nil {
		return fmt.Errorf("making the cluster: %w", err)
	}
	return nil
}

// serverArguments are the server's settings. They are given at each start instead of
// being written into the cluster, so that a new version of Quintet brings its own.
func (c cluster) serverArguments(port int, ephemeral bool) []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		fmt.Sprintf("port=%d", port),
		"unix_socket_directories=",
		"cluster_name=" + clusterName(c.dataDir()),
		"timezone=UTC", "log_timezone=UTC", "lc_messages=C",

		"max_connections=200", // the tests have several services at a time
		"max_wal_size=1GB",
		"checkpoint_timeout=5min",
		// One server, no standby: nothing reads more of the log than recovery does.
		"wal_level=minimal", "max_wal_senders=0",
		// A segment that is kept for later use would keep what it says: see Scrub.
		"wal_recycle=off",
		// /dev/shm is small in containers, and what is left there after a crash stays.
		"dynamic_shared_memory_type=mmap", "min_dynamic_shared_memory=16MB",
		"jit=off", // the binaries come without it

		// The log goes to the parent's. It must not hold what people's data says.
		"log_destination=stderr", "logging_collector=off", "log_line_prefix=",
		"log_min_error_statement=panic", "log_error_verbosity=terse",
		"log_parameter_max_length=0", "log_parameter_max_length_on_error=0",
	}
	if ephemeral {
		settings = append(settings, "shared_buffers=32MB", "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	} else {
		settings = append(settings, "shared_buffers=128MB", "fsync=on", "synchronous_commit=on", "full_page_writes=on")
	}
	arguments := []string{"-D", c.dataDir()}
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	return arguments
}
