package importing

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"quintet/internal/client"
)

// Job is how far a file got, as the server keeps it.
type Job struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	RowsTotal int64  `json:"rowsTotal"`
	RowsDone  int64  `json:"rowsDone"`
	Accepted  int64  `json:"accepted"`
	Rejected  int64  `json:"rejected"`
}

// States of a job.
const (
	jobRunning  = "running"
	jobComplete = "complete"
	jobFailed   = "failed"
)

// Reporter is told how an import goes. All rows are counted, of the file and done.
type Reporter interface {
	// Start is called once, with the rows that an earlier run has done.
	Start(job Job)
	// Progress is called after each batch.
	Progress(job Job)
	// Done is called at the end; skipped says that there was nothing to do.
	Done(job Job, skipped bool)
}

// startJob begins a job on the server, or finds how far an earlier run got.
func startJob(ctx context.Context, c *client.Client, kind, mappingHash, path string, s Survey, restart bool) (*Job, error) {
	job := new(Job)
	err := c.Post(ctx, "/v1/imports", map[string]any{
		"kind": kind, "fileHash": s.Hash, "mappingHash": mappingHash, "name": filepath.Base(path), "rowsTotal": s.Rows, "restart": restart,
	}, job, client.Idempotent())
	if err != nil {
		return nil, fmt.Errorf("starting the import: %w", err)
	}
	return job, nil
}

// save tells the server how far the job got.
func (j *Job) save(ctx context.Context, c *client.Client, status, reason string) error {
	if len(reason) > 1000 {
		reason = reason[:1000]
	}
	body := map[string]any{"rowsDone": j.RowsDone, "accepted": j.Accepted, "rejected": j.Rejected, "status": status, "error": reason}
	if err := c.Patch(ctx, "/v1/imports/"+j.ID, body, j, client.Idempotent()); err != nil {
		return fmt.Errorf("saving the progress of the import: %w", err)
	}
	return nil
}

// fail notes on the server why a job stopped. The cause is what matters: that
// this could not be noted is only added to it.
func (j *Job) fail(ctx context.Context, c *client.Client, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if errors.Is(cause, context.Canceled) {
		return errors.Join(cause, j.save(ctx, c, jobRunning, ""))
	}
	return errors.Join(cause, j.save(ctx, c, jobFailed, cause.Error()))
}

// settled waits, within bounds, until the stores hold what was sent, so that a
// report right after the import sees all of it.
func settled(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	sent := time.Now()
	for {
		var overview struct {
			Lag map[string]lag `json:"lag"`
		}
		elapsed := time.Since(sent)
		if err := c.Get(ctx, "/v1/overview", &overview); err != nil {
			return fmt.Errorf("everything is sent; looking whether it is stored: %w", err)
		}
		if allStored(overview.Lag, elapsed) {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("everything is sent and safe, but the stores are behind, so that reports lack some of it: %w", ctx.Err())
		}
	}
}

// lag is how far a store is behind the stream.
type lag struct {
	Messages uint64  `json:"messages"`
	Seconds  float64 `json:"seconds"` // age of the oldest message that is not stored
}

// allStored says whether every store has what was sent before the elapsed time.
// Where others send without a pause there is always something on its way, but
// then it is younger.
func allStored(lags map[string]lag, elapsed time.Duration) bool {
	for _, l := range lags {
		if l.Messages > 0 && l.Seconds >= elapsed.Seconds() {
			return false
		}
	}
	return true
}
