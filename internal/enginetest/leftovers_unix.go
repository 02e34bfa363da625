//go:build unix

package enginetest

import (
	"os"
	"os/exec"
	"syscall"
)

// removal waits until its standard input ends, which it does when the test binary ends,
// however that happens. Then it stops a Postgres that is still there (where the system
// has no death signal for it) and removes the directory, more than once in case somebody
// still wrote to it.
const removal = `
cat >/dev/null
pid_file="$1/postgres/data/postmaster.pid"
if [ -f "$pid_file" ]; then kill -QUIT "$(head -n 1 "$pid_file")" 2>/dev/null; fi
for attempt in 1 2 3 4 5; do
	rm -rf -- "$1" 2>/dev/null
	[ -e "$1" ] || exit 0
	sleep 1
done`

// removeWhenGone has dir removed when this process is gone. The returned function ends
// the waiting; dir should have been removed before. Where there is no shell, a killed
// test binary leaves the directory behind.
func removeWhenGone(dir string) (done func()) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	command := exec.Command("sh", "-c", removal, "quintet-test", dir)
	command.Stdin = reader
	command.Dir = "/"
	// A session of its own: what kills the binary's process group leaves it alive.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = command.Start()
	reader.Close()
	if err != nil {
		writer.Close()
		return func() {}
	}
	return func() {
		writer.Close()
		_ = command.Wait()
	}
}
