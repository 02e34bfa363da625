package postgres

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listProcesses reads /proc, which needs neither a program nor a privilege, and returns
// what may be a Postgres. Processes that end while it reads are left out; so are zombies,
// which have no command line.
func listProcesses() ([]running, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var found []running
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", entry.Name())
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		// Cheap test first: this runs over every process of the machine.
		if err != nil || !bytes.Contains(line, []byte("postgres")) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue
		}
		r := running{pid: pid, command: strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))}
		if !r.readStatus(string(status)) {
			continue
		}
		// Another account's working directory takes a privilege that containers
		// withhold even from root.
		if info, err := os.Stat(filepath.Join(dir, "cwd")); err == nil {
			r.dir = info
		}
		found = append(found, r)
	}
	return found, nil
}

// readStatus takes the effective user id, and whether the process has an id in a nested
// process-id namespace too, from the text of /proc/PID/status.
func (r *running) readStatus(status string) (ok bool) {
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch key {
		case "Uid":
			if len(fields) < 2 {
				return false
			}
			uid, err := strconv.ParseUint(fields[1], 10, 32)
			if err != nil {
				return false
			}
			r.uid, ok = uint32(uid), true
		case "NSpid":
			r.foreign = len(fields) > 1
		}
	}
	return ok
}
