//go:build unix

package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How long each way of asking a server to stop is given before the next, harder one.
const (
	fastStop      = 15 * time.Second // finishes a checkpoint
	immediateStop = 5 * time.Second  // as in a crash; recovery at the next start
	killStop      = 5 * time.Second
)

// clusterName is how the server's processes call themselves in the process list, the
// same for every start in one directory.
func clusterName(clusterDir string) string {
	sum := sha256.Sum256([]byte(clusterDir))
	return "quintet-" + hex.EncodeToString(sum[:6])
}

// running is one entry of the process list.
type running struct {
	pid     int
	uid     uint32
	command string      // the command line, arguments separated by spaces
	dir     fs.FileInfo // its working directory; nil when the system does not tell
	foreign bool        // it is in a container of its own, with its own file system
}

// belongsTo reports whether the process is part of the server on clusterDir, and whether
// it is its head, the postmaster. Every process of a server works in the cluster's
// directory, which settles it; where that cannot be seen, what it calls itself has to do.
// Only the account that owns the cluster is believed.
func (r running) belongsTo(clusterDir string, cluster fs.FileInfo, id identity) (member, postmaster bool) {
	if r.uid != id.uid {
		return false, false
	}
	program, _, postmaster := strings.Cut(r.command, " -D ")
	postmaster = postmaster && filepath.Base(program) == "postgres"
	if r.dir != nil {
		member = os.SameFile(r.dir, cluster) && (postmaster || strings.HasPrefix(r.command, "postgres: "))
		return member, member && postmaster
	}
	if r.foreign {
		return false, false
	}
	postmaster = postmaster && strings.Contains(r.command+" ", " -D "+clusterDir+" ")
	return postmaster || strings.HasPrefix(r.command, "postgres: "+clusterName(clusterDir)+": "), postmaster
}

// stopOrphans stops a server that a killed parent left running on clusterDir, so that
// the cluster can be started again. The caller holds the directory's lock, so whatever
// still runs there has no owner. A server that is about to stop by itself, having had
// its death signal, is waited for in the same way.
func stopOrphans(ctx context.Context, clusterDir string, id identity) (stopped int, err error) {
	steps := []struct {
		signal syscall.Signal
		wait   time.Duration
	}{
		{syscall.SIGINT, fastStop}, {syscall.SIGQUIT, immediateStop}, {syscall.SIGKILL, killStop},
	}
	for _, step := range steps {
		members, postmasters, err := clusterProcesses(clusterDir, id)
		if err != nil {
			return stopped, fmt.Errorf("looking for a server left running: %w", err)
		}
		if len(members) == 0 {
			return stopped, nil
		}
		stopped = max(stopped, len(members))
		targets := postmasters
		if len(targets) == 0 || step.signal == syscall.SIGKILL {
			// Without a postmaster, each of them has to be told.
			targets = members
		}
		for _, pid := range targets {
			if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return stopped, fmt.Errorf("stopping process %d, a Postgres server left running on %s: %w", pid, clusterDir, err)
			}
		}
		for deadline := time.Now().Add(step.wait); time.Now().Before(deadline); {
			members, _, err := clusterProcesses(clusterDir, id)
			if err != nil {
				return stopped, fmt.Errorf("looking for a server left running: %w", err)
			}
			if len(members) == 0 {
				return stopped, nil
			}
			select {
			case <-ctx.Done():
				return stopped, fmt.Errorf("stopping a Postgres server left running on %s: %w", clusterDir, ctx.Err())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return stopped, fmt.Errorf("a Postgres server left running on %s does not stop", clusterDir)
}

// clusterProcesses lists the running processes of the server on clusterDir.
func clusterProcesses(clusterDir string, id identity) (members, postmasters []int, err error) {
	cluster, err := os.Stat(clusterDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	processes, err := listProcesses()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range processes {
		member, postmaster := p.belongsTo(clusterDir, cluster, id)
		if member {
			members = append(members, p.pid)
		}
		if postmaster {
			postmasters = append(postmasters, p.pid)
		}
	}
	return members, postmasters, nil
}

// clearStalePID removes the cluster's postmaster.pid when the number in it now belongs
// to something else, as happens in containers, where process ids start over: Postgres
// would take that for a running server and refuse. Only called after stopOrphans.
func clearStalePID(clusterDir string) error {
	path := filepath.Join(clusterDir, "postmaster.pid")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the old server's process id: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err == nil && pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return nil // Postgres sees that by itself, and does more checks then
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the old server's process id: %w", err)
	}
	return nil
}
