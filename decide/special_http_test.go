package decide

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"quintet/internal/api"
	"quintet/internal/enginetest"
)

// TestExplainAndRepeat asks over HTTP without deciding, then decides twice with a key.
func TestExplainAndRepeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noSink: true})
	w.put(t, "hero", hero())
	putCap(t, w, "one", Cap{Limit: 1, Hours: 1})
	srv := api.New(api.Options{Logger: enginetest.Logger(t), Auth: everybody{}, BodyLimit: 8 << 20})
	w.Routes(srv)
	w.person(1)
	call := func(path, key, user string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(`{"decision":"hero","user":{"userId":"`+user+`"}}`))
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		rec := httptest.NewRecorder()
		srv.Router.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	for range 5 {
		if status, body := call("/v1/decide?explain=true", "", "u1"); status != 200 || !strings.Contains(body, `"explanation":[`) || !strings.Contains(body, `"candidates":[{`) {
			t.Fatalf("%d %.300s", status, body)
		}
	}
	if list, _ := w.recent.list(&Filter{Limit: 10}); len(list) != 0 || w.contactsHeld.Size() != 0 {
		t.Errorf("explaining recorded %d decisions and reserved %d contacts", len(list), w.contactsHeld.Size())
	}
	_, first := call("/v1/decide", "k", "u1")
	for range 5 {
		if status, again := call("/v1/decide", "k", "u1"); status != 200 || again != first {
			t.Errorf("%d %s, not %s", status, again, first)
		}
	}
	if status, _ := call("/v1/decide", "k", "u2"); status != 409 {
		t.Errorf("another request with the key: %d", status)
	}
	if status, _ := call("/v1/decide", strings.Repeat("k", 129), "u1"); status != 422 {
		t.Errorf("a long key: %d", status)
	}
	if status, _ := call("/v1/decide?explain=maybe", "", "u1"); status != 422 {
		t.Errorf("explain=maybe: %d", status)
	}
	if list, _ := w.recent.list(&Filter{Limit: 10}); len(list) != 1 {
		t.Errorf("%d decisions of 1", len(list))
	}
}

func TestAnswersAreGivenOnce(t *testing.T) {
	t.Parallel()
	var k answers
	now := time.Now()
	key, request := [32]byte{1}, [32]byte{2}
	var wg sync.WaitGroup
	var mu sync.Mutex
	filled, read := 0, 0
	for range 20 {
		wg.Go(func() {
			a, mine := k.claim(key, request, now)
			if mine {
				k.fill(a, []byte("answer"))
			}
			<-a.ready
			mu.Lock()
			defer mu.Unlock()
			if mine {
				filled++
			}
			if string(a.body) == "answer" {
				read++
			}
		})
	}
	wg.Wait()
	if filled != 1 || read != 20 {
		t.Errorf("filled %d times, read %d times", filled, read)
	}
	if a, _ := k.claim(key, [32]byte{3}, now); a != nil {
		t.Error("the key was given to another request")
	}
	if _, mine := k.claim(key, request, now.Add(answersKept+1)); !mine {
		t.Error("an old answer is still there")
	}
	failing, _ := k.claim([32]byte{4}, request, now)
	k.fill(failing, nil)
	if _, mine := k.claim([32]byte{4}, request, now); !mine {
		t.Error("a key without an answer is not free")
	}
}

func TestExplainIsAskedForInWords(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{"": false, "explain=true": true, "explain=false": false, "other=1": false} {
		if got, err := asksToExplain(query); err != nil || got != want {
			t.Errorf("%q: %v %v", query, got, err)
		}
	}
	if _, err := asksToExplain("explain=maybe"); err == nil {
		t.Error("maybe was taken")
	}
}
