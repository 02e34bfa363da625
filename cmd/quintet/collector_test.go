package main

import (
	"runtime/metrics"
	"testing"
)

func TestCollectorPercent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		live uint64
		want int
	}{{0, 400}, {100 << 20, 400}, {256 << 20, 200}, {512 << 20, 100}, {10 << 30, 100}} {
		if got := collectorPercent(tt.live); got != tt.want {
			t.Errorf("%d MiB live: %d, want %d", tt.live>>20, got, tt.want)
		}
	}
	sample := []metrics.Sample{{Name: liveHeap}}
	if metrics.Read(sample); sample[0].Value.Kind() != metrics.KindUint64 {
		t.Errorf("the runtime does not tell %s", liveHeap)
	}
}
