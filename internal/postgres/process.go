//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// pipeDelay is how long a finished process's descendants may hold its output open.
const pipeDelay = 2 * time.Second

// process is a started child.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
	kill func(syscall.Signal) error
}

// startProcess runs one of the installed programs under an account, with an environment
// of its own: what the parent's holds (secrets, PG* variables) is not for it.
//
// Linux sends the death signal when the thread that started the child ends, not the
// process. So the child is started from a goroutine that keeps its thread until the
// child has ended.
func startProcess(b binaries, id identity, program string, arguments []string, deathSignal syscall.Signal, output io.Writer) (*process, error) {
	cmd := exec.Command(program, arguments...)
	cmd.Env = []string{"LANG=C", "LC_ALL=C", "TZ=UTC", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/"}
	if b.libraryPath != "" {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+b.libraryPath, "DYLD_LIBRARY_PATH="+b.libraryPath)
	}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = pipeDelay
	id.apply(cmd, deathSignal)

	p := &process{done: make(chan struct{})}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		changed, err := id.prepareThread()
		if !changed {
			defer runtime.UnlockOSThread()
		}
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			p.pid, p.kill = cmd.Process.Pid, func(s syscall.Signal) error { return cmd.Process.Signal(s) }
		}
		result <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-result; err != nil {
		return nil, explainStart(program, err)
	}
	return p, nil
}

// explainStart says what it means when an existing program cannot be started.
func explainStart(program string, err error) error {
	if _, statErr := os.Stat(program); statErr == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("starting %s: the binaries need the GNU C library, which this system does not have: set QUINTET_POSTGRES_URL to a Postgres server", filepath.Base(program))
	}
	return fmt.Errorf("starting %s: %w", filepath.Base(program), err)
}

// running reports whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// waitFor waits up to d for the end and reports whether it came.
func (p *process) waitFor(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// endReason is how the process ended, with the last lines that it wrote.
func (p *process) endReason(log *serverLog) error {
	reason := "it ended"
	if p.err != nil {
		reason = p.err.Error()
	}
	if lines := log.tail(); len(lines) > 0 {
		reason += ": " + strings.Join(lines, " | ")
	}
	return errors.New(reason)
}
