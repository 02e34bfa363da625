package decide

import (
	"sync"
	"testing"
	"time"
)

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
