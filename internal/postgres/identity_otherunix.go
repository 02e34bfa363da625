//go:build unix && !linux

package postgres

import (
	"fmt"
	"os/exec"
	"syscall"
)

// reachability checks that the account can reach places; this system has no capabilities
// to lend it.
func (id identity) reachability(places ...place) (identity, error) {
	if !id.switched {
		return id, nil
	}
	path, err := unreachable(id, places)
	if err != nil {
		return id, err
	}
	if path != "" {
		return id, fmt.Errorf("embedded Postgres runs as user %d, who cannot reach %s: move the clone, run as an ordinary user, or set QUINTET_POSTGRES_URL", id.uid, path)
	}
	return id, nil
}

// apply sets who the command runs as. There is no death signal here: a server whose
// parent was killed is stopped at the next start.
func (id identity) apply(cmd *exec.Cmd, _ syscall.Signal) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if id.switched {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id.uid, Gid: id.gid}
	}
}

// prepareThread has nothing to do here.
func (id identity) prepareThread() (changed bool, err error) { return false, nil }
