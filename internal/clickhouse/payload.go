package clickhouse

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// payload holds the rows of an INSERT in a file that the engine can read by
// its path: an anonymous one in memory where the platform has it, else a
// temporary one on disk. All rows are there before the INSERT starts, so that a
// caller who goes away half-way inserts nothing.
type payload struct {
	file *os.File
	name string // path to remove; "" for an anonymous file
}

// newPayload copies data, at most limit bytes of it.
func newPayload(data io.Reader, dir string, limit int64) (*payload, error) {
	p, err := createPayload(dir)
	if err != nil {
		return nil, fmt.Errorf("making room for the rows of an insert: %w", err)
	}
	n, err := io.Copy(p.file, io.LimitReader(data, limit+1))
	if err == nil && n > limit {
		err = &http.MaxBytesError{Limit: limit}
	}
	if err != nil {
		_ = p.close() // the error that counts is the one below
		return nil, fmt.Errorf("reading the rows of an insert: %w", err)
	}
	return p, nil
}

// temporaryPayload makes a payload on disk.
func temporaryPayload(dir string) (*payload, error) {
	f, err := os.CreateTemp(dir, "insert-*")
	if err != nil {
		return nil, err
	}
	return &payload{file: f, name: f.Name()}, nil
}

func (p *payload) close() error {
	err := p.file.Close()
	if p.name != "" {
		err = errors.Join(err, os.Remove(p.name))
	}
	return err
}
