package profiles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"quintet/internal/client"
	"quintet/internal/importing"
	"quintet/internal/problem"
)

const (
	// MaxUpload bounds a file that the server imports itself, in bytes.
	MaxUpload = 4 << 30
	// maxUploads bounds how many files wait or are read.
	maxUploads = 20
	// keepRejects is for how long the rejects of an upload can be had.
	keepRejects = 30 * 24 * time.Hour

	jobRunning, jobComplete, jobFailed, jobCancelled = "running", "complete", "failed", "cancelled"
)

// upload is what is kept beside an uploaded file while it is imported.
type upload struct {
	Kind    importing.Kind   `json:"kind"`
	Format  importing.Format `json:"format"`
	Name    string           `json:"name"` // of the file
	Mapping string           `json:"mapping"`
}

// uploads are the files that the server imports itself, one after the other: each
// lies in a folder with the id of its job until its job has ended, and its
// rejects a month longer. What a stop of the server interrupts goes on at the
// next start.
type uploads struct {
	dir  string
	wake chan struct{}
	// left is what an earlier run left, listed before any new upload can arrive.
	left       []fs.DirEntry
	leftFailed error

	mu      sync.Mutex
	queue   []string
	current string
	cancel  context.CancelFunc // of current
	refused bool               // current was cancelled by somebody
}

func newUploads(dir string) *uploads {
	u := &uploads{dir: dir, wake: make(chan struct{}, 1)}
	if u.left, u.leftFailed = os.ReadDir(dir); errors.Is(u.leftFailed, fs.ErrNotExist) {
		u.leftFailed = nil
	}
	return u
}

func (u *uploads) folder(id string) string  { return filepath.Join(u.dir, id) }
func (u *uploads) about(id string) string   { return filepath.Join(u.folder(id), "upload.json") }
func (u *uploads) rejects(id string) string { return filepath.Join(u.folder(id), "rejects.csv") }
func (u *uploads) file(id, name string) string {
	return filepath.Join(u.folder(id), "file", name)
}

// full says whether no more files are taken.
func (u *uploads) full() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.queue) >= maxUploads
}

// has says whether the job waits or runs here.
func (u *uploads) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.current == id || slices.Contains(u.queue, id)
}

func (u *uploads) enqueue(id string) {
	u.mu.Lock()
	u.queue = append(u.queue, id)
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// keep puts a file that has arrived under its job and lets it wait its turn.
func (u *uploads) keep(id, file string, about upload) error {
	if err := os.RemoveAll(u.folder(id)); err != nil {
		return fmt.Errorf("removing an earlier upload: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(u.file(id, about.Name)), 0o700); err != nil {
		return fmt.Errorf("making room for an upload: %w", err)
	}
	if err := os.Rename(file, u.file(id, about.Name)); err != nil {
		return fmt.Errorf("keeping an upload: %w", err)
	}
	text, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("encoding an upload: %w", err)
	}
	if err := os.WriteFile(u.about(id)+".new", text, 0o600); err != nil {
		return fmt.Errorf("keeping an upload: %w", err)
	}
	// Its name makes the upload one: what a crash leaves before is removed.
	if err := os.Rename(u.about(id)+".new", u.about(id)); err != nil {
		return fmt.Errorf("keeping an upload: %w", err)
	}
	u.enqueue(id)
	return nil
}

// end removes a file whose job has ended; its rejects stay.
func (u *uploads) end(id string) error {
	return errors.Join(os.RemoveAll(u.about(id)), os.RemoveAll(filepath.Join(u.folder(id), "file")))
}

// recall finds what an earlier run has not ended, and removes what nobody needs.
func (u *uploads) recall(now time.Time) error {
	if u.leftFailed != nil {
		return fmt.Errorf("looking for uploads: %w", u.leftFailed)
	}
	var failed error
	for _, e := range u.left { // in the order of their ids, which is that of their arrival
		id := e.Name()
		if _, err := os.Stat(u.about(id)); err == nil {
			u.enqueue(id)
			continue
		}
		about, err := os.Stat(u.rejects(id))
		if err != nil || now.Sub(about.ModTime()) > keepRejects {
			failed = errors.Join(failed, os.RemoveAll(u.folder(id)))
		}
	}
	return failed
}

// take waits for the next job.
func (u *uploads) take(ctx context.Context) (id string, running context.Context, done func(), err error) {
	for {
		u.mu.Lock()
		if len(u.queue) > 0 {
			id = u.queue[0]
			u.queue = u.queue[1:]
			running, u.cancel = context.WithCancel(ctx)
			u.current, u.refused = id, false
			u.mu.Unlock()
			return id, running, u.finished, nil
		}
		u.mu.Unlock()
		select {
		case <-u.wake:
		case <-ctx.Done():
			return "", nil, nil, ctx.Err()
		}
	}
}

func (u *uploads) finished() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cancel()
	u.current = ""
}

// wasRefused says whether somebody cancelled the current job.
func (u *uploads) wasRefused() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.refused
}

// refuse cancels a job that waits or runs.
func (u *uploads) refuse(id string) (waiting, running bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.Index(u.queue, id); i >= 0 {
		u.queue = slices.Delete(u.queue, i, i+1)
		return true, false
	}
	if u.current != id || id == "" {
		return false, false
	}
	u.refused = true
	u.cancel()
	return false, true
}

// silent is a [importing.Reporter]: the job on the server tells how it goes.
type silent struct{}

func (silent) Start(importing.Job)      {}
func (silent) Progress(importing.Job)   {}
func (silent) Done(importing.Job, bool) {}

// RunImports imports the files that were uploaded until ctx ends. They go through
// the API, which c calls, as those of the command line do.
func (s *Service) RunImports(ctx context.Context, c *client.Client) error {
	if s.uploads == nil {
		return nil
	}
	if err := s.uploads.recall(s.now()); err != nil {
		s.log.Warn("not every earlier upload could be looked at", "error", err)
	}
	for {
		id, running, done, err := s.uploads.take(ctx)
		if err != nil {
			return err
		}
		err = s.runUpload(running, id, c)
		if ctx.Err() == nil { // otherwise it goes on at the next start
			s.endUpload(ctx, id, err, s.uploads.wasRefused())
		}
		done()
	}
}

func (s *Service) runUpload(ctx context.Context, id string, c *client.Client) error {
	text, err := os.ReadFile(s.uploads.about(id))
	if err != nil {
		return fmt.Errorf("reading what was uploaded: %w", err)
	}
	var about upload
	if err := json.Unmarshal(text, &about); err != nil {
		return fmt.Errorf("reading what was uploaded: %w", err)
	}
	mapping, err := importing.ParseMapping([]byte(about.Mapping), about.Kind)
	if err != nil {
		return err
	}
	return importing.Run(ctx, c, importing.Options{
		Kind: about.Kind, Path: s.uploads.file(id, about.Name), Format: about.Format, Mapping: mapping,
		RejectsPath: s.uploads.rejects(id), Reporter: silent{},
	})
}

// endUpload notes how a job ended and removes its file.
func (s *Service) endUpload(ctx context.Context, id string, failure error, refused bool) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	status, why := jobFailed, ""
	switch {
	case refused:
		status = jobCancelled
	case failure == nil:
		status = jobComplete
	default:
		why = failure.Error()
		s.log.Warn("an upload cannot be imported", "import", id, "error", failure)
	}
	if status != jobComplete { // which the import itself has noted
		if _, err := s.postgres.Exec(ctx, `UPDATE import_jobs SET status = $2, error = left($3, 2000), updated_at = now() WHERE import_id = $1 AND status <> 'complete'`,
			id, status, why); err != nil {
			s.log.Error("cannot note how an import ended", "import", id, "error", err)
		}
	}
	if err := s.uploads.end(id); err != nil {
		s.log.Warn("cannot remove a file that was imported", "import", id, "error", err)
	}
}

// CancelImport stops the import of an upload; the rows so far stay.
func (s *Service) CancelImport(ctx context.Context, id string) (*ImportJob, error) {
	j, err := s.GetImport(ctx, id)
	if err != nil {
		return nil, err
	}
	var waiting, running bool
	if s.uploads != nil {
		waiting, running = s.uploads.refuse(id)
	}
	switch {
	case waiting:
		s.endUpload(ctx, id, nil, true)
	case running:
		for s.uploads.has(id) {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	case j.Status == jobRunning:
		return nil, problem.Conflict("The import runs on the command line of some machine, not here: stop it there.")
	default:
		return nil, problem.Conflict("The import has ended: it is " + j.Status + ".")
	}
	return s.GetImport(ctx, id)
}
