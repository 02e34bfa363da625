package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// collectorRoom is how much memory may be filled between two garbage collections,
	// beyond what Go's default gives. A collection slows the decisions of its time,
	// and with the default a service with few profiles has several a second.
	collectorRoom = 512 << 20
	// maxCollectorPercent bounds the same for a small heap.
	maxCollectorPercent = 400
	collectorInterval   = 5 * time.Second
	liveHeap            = "/gc/heap/live:bytes"
)

// collectorPercent is what to set GOGC to for a heap that has live bytes after a
// collection: the default of 100, and more where that leaves less room than wanted.
func collectorPercent(live uint64) int {
	return int(min(max(100, 100*collectorRoom/max(1, live)), maxCollectorPercent))
}

// tuneCollector keeps GOGC fitting to the heap until the context ends. Who has set
// GOGC in the environment knows better.
func tuneCollector(ctx context.Context) error {
	if _, set := os.LookupEnv("GOGC"); set {
		return nil
	}
	sample := []metrics.Sample{{Name: liveHeap}}
	ticker := time.NewTicker(collectorInterval)
	defer ticker.Stop()
	current := 100
	for {
		metrics.Read(sample)
		if sample[0].Value.Kind() == metrics.KindUint64 {
			// Setting it stops the world for a moment.
			if want := collectorPercent(sample[0].Value.Uint64()); want < current*9/10 || want > current*11/10 {
				debug.SetGCPercent(want)
				current = want
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
