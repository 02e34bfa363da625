package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// reachability returns id with the capabilities that it needs to reach places.
//
// Root may keep the clone where another account cannot go, such as /root with mode
// 0700. Opening that directory to everybody is not ours to do, and copying the engine
// and its data elsewhere would leave things outside the clone. So the child keeps one
// capability of its parent: to read and pass any directory (CAP_DAC_READ_SEARCH), or,
// where a container took that away, the one to ignore permissions (CAP_DAC_OVERRIDE).
// It gets one only when it needs it, and SQL does not reach it: the service connects as
// a role that is no superuser and so may not touch files.
func (id identity) reachability(places ...place) (identity, error) {
	if !id.switched {
		return id, nil
	}
	path, err := unreachable(id, places)
	if err != nil || path == "" {
		return id, err
	}
	held, err := effectiveCapabilities()
	if err != nil {
		return id, err
	}
	for _, capability := range []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} {
		if held>>capability&1 != 0 {
			id.capabilities = []uintptr{capability}
			return id, nil
		}
	}
	return id, fmt.Errorf("embedded Postgres runs as user %d, who cannot reach %s: allow others to pass the directories above it (chmod o+x), move the clone, run as an ordinary user, or set QUINTET_POSTGRES_URL", id.uid, path)
}

// effectiveCapabilities returns the mask of what this process may do.
func effectiveCapabilities() (uint64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("reading the process's capabilities: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the process's capabilities: %w", err)
			}
			return mask, nil
		}
	}
	return 0, nil
}

// apply sets who the command runs as and that deathSignal reaches it when its parent
// dies.
func (id identity) apply(cmd *exec.Cmd, deathSignal syscall.Signal) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// Its own group: an interrupt at the terminal is for the parent, which stops
		// the server when it has drained.
		Setpgid:     true,
		Pdeathsig:   deathSignal,
		AmbientCaps: id.capabilities,
	}
	if id.switched {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id.uid, Gid: id.gid, NoSetGroups: setgroupsDenied()}
	}
}

// prepareThread readies the calling thread, which must be locked, for starting the
// command. A changed thread is not to be used for anything else: its goroutine must end
// without unlocking it.
//
// Two things take effective capabilities from a process whose user id is not 0 any more:
// changing the id, before exec, so that the program could not even be reached; and
// access(2), with which Postgres looks at its own binaries. Both leave them alone under
// the securebit NO_SETUID_FIXUP, which the child inherits from the thread. It may keep
// only what is in its ambient set: exec drops the rest.
func (id identity) prepareThread() (changed bool, err error) {
	if len(id.capabilities) == 0 {
		return false, nil
	}
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return false, fmt.Errorf("reading the thread's securebits: %w", err)
	}
	if bits&noSetuidFixup != 0 {
		return false, nil
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits|noSetuidFixup), 0, 0, 0); err != nil {
		return false, fmt.Errorf("embedded Postgres runs as user %d below a directory that it may not enter, and the system does not let it be passed on a privilege (CAP_SETPCAP): move the clone, run as an ordinary user, or set QUINTET_POSTGRES_URL: %w", id.uid, err)
	}
	return true, nil
}

// noSetuidFixup is SECBIT_NO_SETUID_FIXUP of linux/securebits.h.
const noSetuidFixup = 1 << 2

// setgroupsDenied reports whether this is a user namespace that forbids setgroups.
func setgroupsDenied() bool {
	text, err := os.ReadFile("/proc/self/setgroups")
	return err == nil && strings.TrimSpace(string(text)) == "deny"
}
