//go:build unix && !linux

package postgres

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// listProcesses asks ps, which every such system has.
func listProcesses() ([]running, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, "ps", "-axww", "-o", "pid=,uid=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var found []running
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || !strings.Contains(line, "postgres") {
			continue
		}
		pid, pidErr := strconv.Atoi(fields[0])
		uid, uidErr := strconv.ParseUint(fields[1], 10, 32)
		if pidErr != nil || uidErr != nil {
			continue
		}
		_, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, command, _ = strings.Cut(strings.TrimSpace(command), " ")
		found = append(found, running{pid: pid, uid: uint32(uid), command: strings.TrimSpace(command)})
	}
	return found, nil
}
