package importing

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

var rejectsHeader = []string{"line", "row", "reason", "content"}

// rejects is a CSV file of the rows that broke a rule. It is created with the
// first of them. Rows wait in memory until the batch that they belong to is
// acknowledged, so that the file and the job always agree.
type rejects struct {
	path string
	// done is the last row of an earlier run that this one goes on behind; 0 in a
	// run that begins.
	done    int64
	waiting [][]string
	file    *os.File
	csv     *csv.Writer
}

func (r *rejects) add(row *Row, reason string) {
	r.waiting = append(r.waiting, []string{
		strconv.FormatInt(row.Line, 10), strconv.FormatInt(row.Number, 10),
		strings.ToValidUTF8(reason, "\uFFFD"), strings.ToValidUTF8(row.Text(), "\uFFFD"),
	})
}

// addErased notes a row without its content, which is of a person who was erased.
func (r *rejects) addErased(row *Row, reason string) {
	r.waiting = append(r.waiting, []string{strconv.FormatInt(row.Line, 10), strconv.FormatInt(row.Number, 10), reason, ""})
}

// write brings what waits to the file and returns how many rows that were. They
// are in the order of the file, although the server's rejects came after ours.
func (r *rejects) write() (int64, error) {
	n := int64(len(r.waiting))
	if n == 0 {
		return 0, nil
	}
	if r.file == nil {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	slices.SortFunc(r.waiting, func(a, b []string) int { return int(rowOf(a) - rowOf(b)) })
	_ = r.csv.WriteAll(r.waiting) // Error has it
	if err := r.csv.Error(); err != nil {
		return 0, fmt.Errorf("writing rejects to %s: %w", r.path, err)
	}
	r.waiting = r.waiting[:0]
	return n, nil
}

func rowOf(record []string) int64 {
	n, _ := strconv.ParseInt(record[1], 10, 64) // add wrote it, or keep checked it
	return n
}

// open creates the file, with what an earlier run wrote of rows that are done.
func (r *rejects) open() (err error) {
	kept, err := r.keep()
	if err != nil {
		return err
	}
	// The rows may hold personal data.
	file, err := os.OpenFile(r.path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("opening the file for rejects: %w", err)
	}
	r.csv = csv.NewWriter(file)
	if err := errors.Join(r.csv.Write(rejectsHeader), r.csv.WriteAll(kept), os.Rename(r.path+".new", r.path)); err != nil {
		return fmt.Errorf("writing rejects to %s: %w", r.path, errors.Join(err, file.Close()))
	}
	r.file = file
	return nil
}

// keep reads what an earlier run wrote of rows up to done. Rows behind them were
// written by a run that ended before the server knew of them, and come again.
func (r *rejects) keep() ([][]string, error) {
	file, err := os.Open(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the file for rejects: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	in := csv.NewReader(file)
	if first, err := in.Read(); !errors.Is(err, io.EOF) && !slices.Equal(first, rejectsHeader) {
		return nil, fmt.Errorf("%s is there and is no file of rejects: name another one with --rejects", r.path)
	}
	var kept [][]string
	for r.done > 0 {
		record, err := in.Read()
		if err != nil { // the end, or a line that was cut off and comes again
			break
		}
		if row, err := strconv.ParseInt(record[1], 10, 64); err == nil && row <= r.done {
			kept = append(kept, record)
		}
	}
	return kept, nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
