package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/trace"
	"sync"
	"time"
)

const (
	// stalled is how long an answer takes that is worth an explanation.
	stalled = 10 * time.Millisecond
	// stallGap is the time without such an answer that ends a stall.
	stallGap = 20 * time.Millisecond
	// maxStalls bounds what is listed.
	maxStalls = 100
)

// stalls notes when answers took long, and keeps the trace of what led to the first.
type stalls struct {
	file     string
	recorder *trace.FlightRecorder
	started  time.Time

	mu     sync.Mutex
	found  []stall
	kept   bool
	failed error
}

// stall is a span of time in which answers took long.
type stall struct {
	from, to time.Time // when the first and the last of its requests were due
	requests int
	longest  time.Duration
}

// watchStalls begins to record; without a file it does nothing.
func watchStalls(file string) (*stalls, error) {
	s := &stalls{file: file, started: time.Now()}
	if file == "" {
		return s, nil
	}
	s.recorder = trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: 200 * time.Millisecond, MaxBytes: 64 << 20})
	if err := s.recorder.Start(); err != nil {
		return nil, fmt.Errorf("starting the trace: %w", err)
	}
	return s, nil
}

// took is called for every answer, by several goroutines.
func (s *stalls) took(due time.Time, took time.Duration) {
	if s.recorder == nil || took < stalled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.found); n > 0 && due.Sub(s.found[n-1].to) < stallGap {
		last := &s.found[n-1]
		last.to, last.requests, last.longest = later(last.to, due), last.requests+1, max(last.longest, took)
	} else if n < maxStalls {
		s.found = append(s.found, stall{from: due, to: due, requests: 1, longest: took})
	}
	if s.kept || time.Since(s.started) < time.Second { // the first moments warm up
		return
	}
	s.kept = true
	s.failed = s.keep()
}

func (s *stalls) keep() error {
	f, err := os.Create(s.file)
	if err != nil {
		return fmt.Errorf("creating the trace: %w", err)
	}
	if _, err := s.recorder.WriteTo(f); err != nil {
		return errors.Join(fmt.Errorf("writing the trace: %w", err), f.Close())
	}
	return f.Close()
}

// report lists what was found.
func (s *stalls) report() error {
	if s.recorder == nil {
		return nil
	}
	s.recorder.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Printf("\nanswers of over %s at half of the rate: from (s), for (ms), how many, longest (ms)\n", stalled)
	for _, x := range s.found {
		fmt.Printf("%8.3f %8.1f %8d %8.1f\n", x.from.Sub(s.started).Seconds(), milli(x.to.Sub(x.from)), x.requests, milli(x.longest))
	}
	return s.failed
}

func milli(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
