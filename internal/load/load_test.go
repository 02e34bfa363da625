package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunCountsWhatTheServerSaw(t *testing.T) {
	t.Parallel()
	for _, lean := range []bool{false, true} {
		t.Run(fmt.Sprintf("lean=%v", lean), func(t *testing.T) { countWhatTheServerSaw(t, lean) })
	}
}

func countWhatTheServerSaw(t *testing.T, lean bool) {
	t.Parallel()
	var seen atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"a":1}` || r.Header.Get("Authorization") != "Bearer k" || r.URL.Path != "/p" {
			t.Errorf("request arrived as %s %q", r.URL.Path, body)
		}
		if seen.Add(1)%10 == 0 {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		_, _ = w.Write([]byte("yes"))
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	request := Post(host, "/p", "k", []byte(`{"a":1}`))
	r, err := Run(context.Background(), Options{
		Address: host, Connections: 3, Duration: 200 * time.Millisecond, Lean: lean, Request: func(int, int) Request { return request },
	})
	if err != nil {
		t.Fatal(err)
	}
	if int64(r.Requests) != seen.Load() || r.Requests == 0 || r.Failed != r.Requests/10 {
		t.Errorf("counted %d requests and %d failures of %d", r.Requests, r.Failed, seen.Load())
	}
	if r.Percentile(0.5) <= 0 || r.Percentile(0.5) > r.Percentile(0.99) {
		t.Errorf("p50 %v, p99 %v", r.Percentile(0.5), r.Percentile(0.99))
	}
}

func TestRateIsKept(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("yes")) }))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	request := Post(host, "/", "", nil)
	r, err := Run(context.Background(), Options{
		Address: host, Connections: 4, Duration: 500 * time.Millisecond, Rate: 200, Request: func(int, int) Request { return request },
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 100 {
		t.Errorf("%d requests in half a second at 200 per second, want 100", r.Requests)
	}
}
