package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"quintet/internal/importing"
)

// importProgress tells a person how an import goes: a bar on a terminal, a line
// every few seconds elsewhere.
type importProgress struct {
	out      io.Writer
	name     string
	rejects  string // path of the file with the rejected rows
	terminal bool
	bar      *progressbar.ProgressBar
	started  time.Time
	said     time.Time
	before   int64
}

// lineInterval is the time between two lines where there is no terminal.
const lineInterval = 5 * time.Second

func newImportProgress(out *os.File, path, rejects string) *importProgress {
	return &importProgress{out: out, name: filepath.Base(path), rejects: rejects, terminal: term.IsTerminal(int(out.Fd()))}
}

// Start implements [importing.Reporter].
func (p *importProgress) Start(job importing.Job) {
	p.started, p.said, p.before = time.Now(), time.Now(), job.RowsDone
	if job.RowsDone > 0 {
		fmt.Fprintf(p.out, "%s: going on behind row %d of %d\n", p.name, job.RowsDone, job.RowsTotal)
	}
	if !p.terminal {
		return
	}
	p.bar = progressbar.NewOptions64(job.RowsTotal,
		progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(p.name), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"), progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	_ = p.bar.Set64(job.RowsDone) // a bar that cannot be drawn is no reason to stop
}

// Progress implements [importing.Reporter].
func (p *importProgress) Progress(job importing.Job) {
	if p.bar != nil {
		_ = p.bar.Set64(job.RowsDone) // as above
		return
	}
	if time.Since(p.said) >= lineInterval {
		p.said = time.Now()
		fmt.Fprintf(p.out, "%s: %d of %d rows, %d rejected\n", p.name, job.RowsDone, job.RowsTotal, job.Rejected)
	}
}

// Done implements [importing.Reporter].
func (p *importProgress) Done(job importing.Job, skipped bool) {
	if p.bar != nil {
		_ = p.bar.Finish() // as above
	}
	if skipped {
		fmt.Fprintf(p.out, "%s is imported already: %d rows, %d accepted, %d rejected. --force sends it again.\n", p.name, job.RowsTotal, job.Accepted, job.Rejected)
		return
	}
	seconds := max(time.Since(p.started).Seconds(), 1e-3)
	fmt.Fprintf(p.out, "%s: %d rows done, %d accepted, %d rejected, in %.1f s (%.0f rows/s)\n",
		p.name, job.RowsDone, job.Accepted, job.Rejected, seconds, float64(job.RowsDone-p.before)/seconds)
	if job.Rejected > 0 {
		fmt.Fprintf(p.out, "%s: the rejected rows with their reasons are in %s\n", p.name, p.rejects)
	}
}
