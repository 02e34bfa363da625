package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkPublish measures durable publishes by callers that wait for each acknowledgement.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{600, 20_000} {
		for _, goroutines := range []int{1, 64} {
			b.Run(fmt.Sprintf("size=%d/goroutines=%d", size, goroutines), func(b *testing.B) {
				topic := openTopic(b, openEmbedded(b, Options{}), "EVENTS")
				ctx := context.Background()
				data := make([]byte, size)
				if _, err := topic.Publish(ctx, data); err != nil {
					b.Fatal(err)
				}
				latencies := make([]time.Duration, b.N)
				next := make(chan int, b.N)
				for i := range b.N {
					next <- i
				}
				close(next)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for i := range next {
							started := time.Now()
							if _, err := topic.Publish(ctx, data); err != nil {
								b.Error(err)
								return
							}
							latencies[i] = time.Since(started)
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				slices.Sort(latencies)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
				b.ReportMetric(float64(latencies[b.N/2].Nanoseconds())/1e3, "p50-µs")
				b.ReportMetric(float64(latencies[b.N*99/100].Nanoseconds())/1e3, "p99-µs")
			})
		}
	}
}

// BenchmarkSink measures how fast a sink reads, journals and hands over what is in a topic, with a store
// that does nothing.
func BenchmarkSink(b *testing.B) {
	for _, size := range []int{300, 20_000} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			topic := openTopic(b, openEmbedded(b, Options{}), "EVENTS")
			flood(b, topic, b.N, size)
			sink := NewSink(topic, "nothing", func(context.Context, Batch) error { return nil }, SinkOptions{MaxWait: 10 * time.Millisecond})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			stop := running(b, sink.Run)
			if err := sink.WaitFor(testContext(b), uint64(b.N)); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			if err := stop(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkConsume measures the projector's way of reading.
func BenchmarkConsume(b *testing.B) {
	topic := openTopic(b, openEmbedded(b, Options{}), "EVENTS")
	flood(b, topic, b.N, 300)
	b.ReportAllocs()
	b.ResetTimer()
	ctx, cancel := context.WithCancel(testContext(b))
	defer cancel()
	if err := topic.Consume(ctx, 1, ConsumeOptions{}, func(_ context.Context, batch []Message) error {
		if batch[len(batch)-1].Sequence == uint64(b.N) {
			cancel()
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// flood publishes n messages of size bytes, many at a time.
func flood(b testing.TB, topic *Topic, n, size int) {
	b.Helper()
	next := make(chan struct{}, n)
	for range n {
		next <- struct{}{}
	}
	close(next)
	data := make([]byte, size)
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for range next {
				if _, err := topic.Publish(context.Background(), data); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
