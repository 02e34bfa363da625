package importing

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// rejects is a CSV file of the rows that broke a rule. It is created with the
// first of them.
type rejects struct {
	path string
	// again says that an earlier run may have written to the file.
	again bool
	file  *os.File
	csv   *csv.Writer
}

func (r *rejects) add(row *Row, reason string) error {
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	err := r.csv.Write([]string{strconv.FormatInt(row.Line, 10), strconv.FormatInt(row.Number, 10), strings.ToValidUTF8(reason, "\uFFFD"), strings.ToValidUTF8(row.Text(), "\uFFFD")})
	if err != nil {
		return fmt.Errorf("writing rejects to %s: %w", r.path, err)
	}
	return nil
}

func (r *rejects) open() (err error) {
	mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if r.again {
		mode = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	// The rows may hold personal data.
	if r.file, err = os.OpenFile(r.path, mode, 0o600); err != nil {
		return fmt.Errorf("opening the file for rejects: %w", err)
	}
	r.csv = csv.NewWriter(r.file)
	if info, err := r.file.Stat(); err == nil && info.Size() == 0 {
		return r.csv.Write([]string{"line", "row", "reason", "content"})
	}
	return nil
}

// flush brings what was written to the disk.
func (r *rejects) flush() error {
	if r.file == nil {
		return nil
	}
	r.csv.Flush()
	if err := r.csv.Error(); err != nil {
		return fmt.Errorf("writing rejects to %s: %w", r.path, err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.flush(), r.file.Close())
}
