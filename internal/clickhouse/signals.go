//go:build darwin || linux

package clickhouse

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// guardedSignals are those that libchdb sets back to their default when its
// handlers are switched off, also on each connect. Go turns SIGSEGV, SIGBUS and
// SIGFPE into panics that can be recovered, so its handlers must stay.
var guardedSignals = []syscall.Signal{
	syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGILL, syscall.SIGBUS,
	syscall.SIGSYS, syscall.SIGFPE, syscall.SIGTSTP, syscall.SIGTRAP,
	syscall.SIGURG, syscall.SIGPROF, syscall.SIGPIPE,
}

// signalGuard keeps the process's signal handlers through calls that reset them.
type signalGuard struct {
	mu        sync.Mutex
	sigaction func(signal int32, action, old unsafe.Pointer) int32
}

// sigactionSize is room enough for a struct sigaction on any platform: 16 bytes
// on macOS, 152 with glibc.
const sigactionSize = 256

func newSignalGuard() (*signalGuard, error) {
	g := &signalGuard{}
	symbol, err := purego.Dlsym(purego.RTLD_DEFAULT, "sigaction")
	if err != nil {
		return nil, fmt.Errorf("finding sigaction: %w", err)
	}
	purego.RegisterFunc(&g.sigaction, symbol)
	return g, nil
}

// keep runs call and puts the signal handlers back as they were.
func (g *signalGuard) keep(call func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	saved := make([][sigactionSize]byte, len(guardedSignals))
	ok := make([]bool, len(guardedSignals))
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&saved[0])
	for i, s := range guardedSignals {
		ok[i] = g.sigaction(int32(s), nil, unsafe.Pointer(&saved[i])) == 0
	}
	call()
	for i, s := range guardedSignals {
		if ok[i] {
			g.sigaction(int32(s), unsafe.Pointer(&saved[i]), nil)
		}
	}
}
