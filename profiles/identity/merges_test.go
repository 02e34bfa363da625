package identity

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fromScratch computes whom profiles belong to from the log alone, in another
// way than [Merges]: the state of each pair is found first, then people are
// found by walking the edges that hold.
func fromScratch(log []Entry) map[ID]ID {
	type held struct {
		live           bool
		marked         bool
		sinceA, sinceB int64
		last           int64
	}
	pairs := map[[2]ID]*held{}
	people := map[ID]ID{}
	for i := range log {
		e := &log[i]
		if e.Kind != Merge && e.Kind != Unmerge || e.A == e.B {
			continue
		}
		p := pairs[[2]ID{e.A, e.B}]
		if p == nil {
			p = new(held)
			pairs[[2]ID{e.A, e.B}] = p
		}
		switch {
		case e.Kind == Merge && p.live:
			p.last = max(p.last, e.Stamp)
		case e.Kind == Merge && p.marked && (!e.Explicit || e.Stamp <= p.last):
		case e.Kind == Merge:
			*p = held{live: true, sinceA: e.SinceA, sinceB: e.SinceB, last: e.Stamp}
		case p.live && p.last > e.Stamp:
		default:
			if p.marked && !p.live {
				p.last = max(p.last, e.Stamp)
			} else {
				*p = held{marked: true, last: e.Stamp}
			}
		}
	}
	neighbours, since := map[ID][]ID{}, map[ID]int64{}
	for pair, p := range pairs {
		if !p.live {
			continue
		}
		for i, at := range []int64{p.sinceA, p.sinceB} {
			if old, there := since[pair[i]]; !there || at < old {
				since[pair[i]] = at
			}
			neighbours[pair[i]] = append(neighbours[pair[i]], pair[1-i])
		}
	}
	for id := range neighbours {
		seen, queue := map[ID]bool{id: true}, []ID{id}
		best := id
		for len(queue) > 0 {
			one := queue[0]
			queue = queue[1:]
			if c := cmp.Or(cmp.Compare(since[one], since[best]), bytes.Compare(one[:], best[:])); c < 0 {
				best = one
			}
			for _, next := range neighbours[one] {
				if !seen[next] {
					seen[next] = true
					queue = append(queue, next)
				}
			}
		}
		people[id] = best
	}
	return people
}

func profile(i int) ID { return NewID(Identifier{UserID, fmt.Sprint("p", i)}) }

func drawLog(t *rapid.T, profiles, length int) []Entry {
	var log []Entry
	for range rapid.IntRange(0, length).Draw(t, "length") {
		a := rapid.IntRange(0, profiles-1).Draw(t, "a")
		b := (a + rapid.IntRange(1, profiles-1).Draw(t, "b")) % profiles
		e := NewUnmerge(profile(a), profile(b))
		if rapid.IntRange(0, 2).Draw(t, "kind") > 0 {
			e = NewMerge(profile(a), profile(b), rapid.Int64Range(0, 3).Draw(t, "sinceA"), rapid.Int64Range(0, 3).Draw(t, "sinceB"))
			e.Explicit = rapid.Bool().Draw(t, "explicit")
		}
		e.Stamp = int64(len(log)) + 1
		log = append(log, e)
	}
	return log
}

// After every entry, whatever the order of merges and un-merges, whatever is
// handed over again, and wherever the program starts anew, the map is what the
// log amounts to. The moves, added up, are the same map: that is what ClickHouse
// has, at every step.
func TestMergesAreWhatTheLogAmountsTo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const profiles = 9
		log := drawLog(t, profiles, 60)
		m := NewMerges()
		moved := map[ID]ID{}
		for i := range log {
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 { // start anew from the log
				m = NewMerges()
				for j := range log[:i] {
					m.Apply(&log[j])
				}
			}
			for _, move := range m.Apply(&log[i]) {
				if from, there := moved[move.Profile]; there && from != move.From || !there && move.From != move.Profile {
					t.Fatalf("entry %d: %v moves from %v, where it is not", i, move.Profile, move.From)
				}
				moved[move.Profile] = move.To
			}
			if rapid.IntRange(0, 4).Draw(t, "again") == 0 { // something old is handed over again
				old := rapid.IntRange(0, i).Draw(t, "old")
				if moves := m.Apply(&log[old]); len(moves) > 0 {
					t.Fatalf("entry %d again, behind %d, moves %v", old, i, moves)
				}
			}
			want := fromScratch(log[:i+1])
			members := map[ID][]ID{}
			for p := range profiles {
				id := profile(p)
				person, merged := want[id]
				if !merged {
					person = id
				}
				members[person] = append(members[person], id)
				if got := m.PersonOf(id); got != person {
					t.Fatalf("after entry %d, %v is %v, want %v", i, id, got, person)
				}
				if to, there := moved[id]; there && to != person || !there && person != id {
					t.Fatalf("after entry %d, the moves put %v to %v, want %v", i, id, to, person)
				}
			}
			surplus := 0
			for person, ids := range members {
				got := slices.Clone(m.Members(person))
				if got[0] != person {
					t.Fatalf("the members of %v begin with %v", person, got[0])
				}
				slices.SortFunc(got, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
				slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
				if !slices.Equal(got, ids) {
					t.Fatalf("after entry %d, %v has %v, want %v", i, person, got, ids)
				}
				surplus += len(ids) - 1
			}
			if m.Surplus() != surplus {
				t.Fatalf("surplus %d, want %d", m.Surplus(), surplus)
			}
		}
	})
}

func TestUnmergeKeepsApart(t *testing.T) {
	t.Parallel()
	a, b := profile(1), profile(2)
	m := NewMerges()
	stamp := int64(0)
	say := func(e Entry, explicit bool) {
		stamp++
		e.Stamp, e.Explicit = stamp, explicit
		m.Apply(&e)
	}
	joined := func() bool { return m.PersonOf(a) == m.PersonOf(b) }
	say(NewMerge(a, b, 1, 2), false)
	if !joined() || m.PersonOf(b) != a {
		t.Fatal("not joined under the older profile")
	}
	say(NewUnmerge(b, a), true)
	if joined() || !m.KeptApart(a, b) {
		t.Fatal("not told apart")
	}
	say(NewMerge(a, b, 1, 2), false)
	if joined() {
		t.Fatal("a rule joined what was told apart")
	}
	say(NewMerge(b, a, 2, 1), true)
	if !joined() || m.KeptApart(a, b) {
		t.Fatal("somebody's word did not join them again")
	}
}

// What is forgotten leaves no trace: the map is that of a log without it.
func TestForgetLeavesNoTrace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t, 7, 30)
		m := NewMerges()
		var rest []Entry
		for i := range log {
			m.Apply(&log[i])
			if log[i].A != profile(0) && log[i].B != profile(0) {
				rest = append(rest, log[i])
			}
		}
		m.Forget(profile(0))
		want := fromScratch(rest)
		for p := range 7 {
			person, merged := want[profile(p)]
			if !merged {
				person = profile(p)
			}
			if got := m.PersonOf(profile(p)); got != person {
				t.Fatalf("profile %d is %v, want %v", p, got, person)
			}
			if p > 0 && m.KeptApart(profile(0), profile(p)) {
				t.Fatalf("profile %d is kept apart from what is forgotten", p)
			}
		}
	})
}

func TestAPersonHasABoundedNumberOfMerges(t *testing.T) {
	t.Parallel()
	m := NewMerges()
	for i := range MaxMerges + 20 {
		e := NewMerge(profile(0), profile(i+1), 0, int64(i))
		e.Stamp, e.Explicit = int64(i)+1, true
		m.Apply(&e)
	}
	if n := len(m.Edges(profile(0))); n != MaxMerges {
		t.Errorf("%d edges, want %d", n, MaxMerges)
	}
	if n := len(m.Members(profile(0))); n != MaxMerges+1 {
		t.Errorf("%d members, want %d", n, MaxMerges+1)
	}
}

// Whatever messages say in whatever order, no rule passes a limit, another
// process that only reads the log comes to the same people, and a message that
// did not become durable leaves nothing behind.
func TestAttachKeepsTheRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := DefaultRules()
		rules.SharedDeviceUsers = 2
		rules.Namespaces[1].Limit = 2 // email
		x, follower := NewIndex(), NewMerges()
		x.SetRules(rules, func(func(Attached) bool) {})
		links := map[Identifier]ID{}
		var log []Entry
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			if rapid.IntRange(0, 9).Draw(t, "unmerge") == 0 && len(log) > 0 {
				e := rapid.SampledFrom(log).Draw(t, "edge")
				if e.Kind == Merge {
					apart := NewUnmerge(e.A, e.B)
					apart.Stamp, apart.Explicit = x.NextStamp(), true
					x.Record(&apart)
					follower.Apply(&apart)
					log = append(log, apart)
				}
			}
			pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
			n := Names{
				UserID: pick("user", "", "", "u1", "u2", "u3", "u4", "null"), AnonymousID: pick("anonymous", "", "a1", "a2", "a3", "a4", "0000"),
				Previous: pick("previous", "", "", "", "", "a1", "u1"), Trusted: rapid.Bool().Draw(t, "trusted"),
			}
			if n.UserID == "" {
				n.Previous = ""
			}
			for range rapid.IntRange(0, 2).Draw(t, "others") {
				n.Others = append(n.Others, Identifier{pick("namespace", Email, Phone, "crm"), pick("value", "1@x", "2@x", "3@x", "4@x")})
			}
			out := make([]Resolution, 1)
			stamp := x.Attach([]Names{n}, out)
			r := out[0]
			for i := range r.Entries {
				if r.Entries[i].Stamp != stamp {
					t.Fatalf("an entry has stamp %d of %d", r.Entries[i].Stamp, stamp)
				}
				if e := &r.Entries[i]; e.Kind == Merge && !e.Explicit && e.Rule != SignInRule && e.Rule != AliasRule && !n.Trusted {
					t.Fatalf("an unknown source joined %+v", e)
				}
				follower.Apply(&r.Entries[i])
			}
			log = append(log, r.Entries...)
			if r.Profile == (ID{}) && (r.UserID || r.AnonymousID || len(r.Others) > 0) {
				t.Fatalf("something was attached to nobody: %+v", r)
			}
			for id := range links {
				if (id.Value == "null" || id.Value == "0000") && x.Owns(links[id], id) {
					t.Fatalf("the blocked %v was attached", id)
				}
			}
			for _, d := range record(n, r, stamp) {
				links[d.identifier] = d.profile
			}
		}
		for id := range links {
			p := links[id]
			if follower.PersonOf(p) != x.merges.PersonOf(p) {
				t.Fatalf("%v is %v here and %v for who reads the log", p, x.merges.PersonOf(p), follower.PersonOf(p))
			}
			c := x.person(p)
			explicit := slices.ContainsFunc(log, func(e Entry) bool { return e.Explicit && e.Kind == Merge })
			if !explicit && (c[slotUser] > 1 || c[slotEmail] > 2) {
				t.Fatalf("a person has the counts %v", c)
			}
		}
	})
}
