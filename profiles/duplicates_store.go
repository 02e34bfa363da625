package profiles

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// findMessages says which of the ids ClickHouse has of the last seven days.
func (s *Service) findMessages(ctx context.Context, ids []string) (map[string]bool, error) {
	var prints strings.Builder
	for i, id := range ids {
		if i > 0 {
			prints.WriteByte(',')
		}
		prints.WriteString(strconv.FormatUint(fingerprint(id), 10))
	}
	rows, err := s.clickhouse.Read.Query(ctx, "SELECT message_id FROM message_ids WHERE fingerprint IN ("+prints.String()+") AND received_at > ?",
		s.now().Add(-duplicateDays*24*time.Hour).UTC())
	if err != nil {
		return nil, fmt.Errorf("asking for %d message ids: %w", len(ids), err)
	}
	defer rows.Close()
	found := make(map[string]bool, len(ids))
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("reading message ids: %w", err)
		}
		found[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading message ids: %w", err)
	}
	return found, nil
}

// learnMessages fills the window with the ids that ClickHouse has, and returns
// the last sequence of the stream that it has of the last days.
func (s *Service) learnMessages(ctx context.Context) (stored uint64, err error) {
	started := time.Now()
	since := s.now().Add(-(duplicateDays + 1) * 24 * time.Hour).UTC()
	rows, err := s.clickhouse.Read.Query(ctx, `SELECT fingerprint, toUInt16(toDate(received_at)) FROM message_ids WHERE received_at > ?`, since)
	if err != nil {
		return 0, fmt.Errorf("reading the message ids of the last days: %w", err)
	}
	defer rows.Close()
	learnt := 0
	for rows.Next() {
		var print uint64
		var day uint16
		if err := rows.Scan(&print, &day); err != nil {
			return 0, fmt.Errorf("reading the message ids of the last days: %w", err)
		}
		s.duplicates.window.add(print, int64(day))
		learnt++
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("reading the message ids of the last days: %w", err)
	}
	if learnt > 0 {
		s.log.Info("message ids of the last days are in memory", "ids", learnt, "seconds", time.Since(started).Seconds())
	}
	if err := s.clickhouse.Read.QueryRow(ctx, "SELECT max(sequence) FROM events WHERE received_at > ?", since).Scan(&stored); err != nil {
		return 0, fmt.Errorf("reading how far the events of ClickHouse go: %w", err)
	}
	return stored, nil
}

// askedForDuplicates counts what was asked of ClickHouse, and says when it could
// not tell.
func (s *Service) askedForDuplicates(ids, known int, err error) {
	s.metrics.confirmed.WithLabelValues("repeated").Add(float64(known))
	s.metrics.confirmed.WithLabelValues("new").Add(float64(ids - known))
	if err != nil {
		s.log.Warn("ClickHouse cannot say whether messages came before; they count as repeats, which all but one in ten billion are", "messages", ids, "error", err)
	}
}

// duplicateMetrics exports what the window takes.
func duplicateMetrics(registry prometheus.Registerer, w *window) {
	if registry == nil {
		return
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	registry.MustRegister(
		gauge("quintet_duplicate_memory_bytes", "Memory that the message ids of the last days take.", func() float64 {
			bytes, _, _ := w.size()
			return float64(bytes)
		}),
		gauge("quintet_duplicate_ids", "Message ids of the last days that are in memory exactly, beside those in filters.", func() float64 {
			_, ids, _ := w.size()
			return float64(ids)
		}),
		gauge("quintet_duplicate_lost_day", "The last day, counted from 1970, whose message ids were given up for want of memory; 0 without one.", func() float64 {
			_, _, lost := w.size()
			return float64(lost)
		}),
	)
}
