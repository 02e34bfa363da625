package decide

import (
	"reflect"
	"testing"
	"time"
)

// The list about a person is the one that the log gives, whether decisions are in memory
// or in ClickHouse.
func TestDecisionsAboutAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.put(t, "hero", hero())
	w.recent = newRecent(10, time.Now()) // most is in the log only
	people := map[int]string{}
	for i := range 60 {
		if i == 55 {
			w.flush(t)
		}
		resp, _ := w.ask(t, Request{Decision: "hero", User: w.person(i % 4)})
		people[i%4] = resp.Who.ProfileID
	}
	for _, limit := range []int{1, 8, 100} {
		for _, of := range [][]string{{people[0]}, {people[1], people[2]}, {people[3], "nobody"}} {
			var want []*Record
			for _, id := range of {
				list, err := w.List(t.Context(), Filter{ProfileID: id, Limit: limit})
				if err != nil {
					t.Fatal(err)
				}
				want = merge(want, list, limit)
			}
			got, err := w.About(t.Context(), of, limit)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d decisions of %v at most %d, want %d; %v", len(got), of, limit, len(want), err)
			}
			for i, r := range want {
				s := Summarise(r)
				s.Context = nil
				if !reflect.DeepEqual(got[i], s) {
					t.Errorf("got %+v, want %+v", got[i], s)
				}
			}
		}
	}
}
