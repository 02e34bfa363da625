package offline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"quintet/recommend/interactions"
)

// Case is one question: what will somebody with this history do?
type Case struct {
	// History is what the recommender is told, oldest first.
	History []interactions.Event
	// Truth are the items that it should find, each once.
	Truth []int32
	// Exclude are the items that it does not rank, such as those of the history.
	Exclude []int32
	// Among, when not nil, are the only items that it ranks beside the truth, as in
	// protocols with sampled negatives. Figures of such protocols cannot be compared
	// with those of a full ranking.
	Among []int32
}

// Split is what to train on, and the questions.
type Split struct {
	// Protocol says how it was made.
	Protocol string
	Train    *interactions.Log
	Cases    []Case
}

// Given is the protocol of data that comes in two parts, with the same vocabularies:
// of the test part, events of at least minWeight are the truth, and items of a person
// in the train part are not ranked. Histories are those of events of at least
// minWeight in the train part, and so is what is trained on. People without a truth
// ask nothing.
func Given(train, test *interactions.Log, minWeight float32) (*Split, error) {
	if train.People() != test.People() || train.Items() != test.Items() {
		return nil, fmt.Errorf("the parts for training and testing must number people and items alike")
	}
	positive := func(_ int, e interactions.Event) bool { return e.Weight >= minWeight }
	s := &Split{Protocol: "given", Train: train.Filter(positive)}
	for p := range train.People().Len() {
		seen := items(train.Events(p), nil)
		truth := items(test.AtLeast(p, minWeight), seen)
		if len(truth) > 0 {
			s.Cases = append(s.Cases, Case{History: s.Train.Events(p), Truth: truth, Exclude: seen})
		}
	}
	return s, nil
}

// LeaveOneOut hides the last item of everybody that they had not had before. People
// with fewer than two items teach only.
func LeaveOneOut(l *interactions.Log, minWeight float32) *Split {
	s := &Split{Protocol: "leave-one-out"}
	hidden := make([]int32, l.People().Len())
	for p := range hidden {
		hidden[p] = interactions.Unknown
		first := make(map[int32]bool)
		for _, e := range l.Events(p) {
			if e.Weight >= minWeight && !first[e.Item] {
				first[e.Item] = true
				hidden[p] = e.Item
			}
		}
		if len(first) < 2 {
			hidden[p] = interactions.Unknown
		}
	}
	s.Train = l.Filter(func(p int, e interactions.Event) bool { return e.Weight >= minWeight && e.Item != hidden[p] })
	for p, item := range hidden {
		if item == interactions.Unknown {
			continue
		}
		history := s.Train.Events(p)
		s.Cases = append(s.Cases, Case{History: history, Truth: []int32{item}, Exclude: items(history, nil)})
	}
	return s
}

// StrongGeneralisation hides people: a share of them is drawn by the seed and teaches
// nothing; of each of those, the input share of their items, drawn by the seed, is the
// history, and the rest the truth (Liang et al. 2018). Items that nobody else has are
// no truth.
func StrongGeneralisation(l *interactions.Log, minWeight float32, people, input float64, seed uint64) (*Split, error) {
	if !(people > 0 && people < 1) || !(input > 0 && input < 1) {
		return nil, fmt.Errorf("the shares of people and of input must lie between 0 and 1, got %v and %v", people, input)
	}
	s := &Split{Protocol: "strong generalisation"}
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	n := l.People().Len()
	held := make([]bool, n)
	for _, p := range rng.Perm(n)[:int(math.Round(people*float64(n)))] {
		held[p] = true
	}
	s.Train = l.Filter(func(p int, e interactions.Event) bool { return e.Weight >= minWeight && !held[p] })
	taught := make([]bool, l.Items().Len())
	for p := range n {
		for _, e := range s.Train.Events(p) {
			taught[e.Item] = true
		}
	}
	for p := range n {
		if !held[p] {
			continue
		}
		all := slices.DeleteFunc(items(l.AtLeast(p, minWeight), nil), func(i int32) bool { return !taught[i] })
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		cut := int(math.Ceil(input * float64(len(all))))
		if cut == 0 || cut == len(all) {
			continue
		}
		c := Case{Truth: all[cut:], Exclude: all[:cut]}
		for _, e := range l.AtLeast(p, minWeight) {
			if slices.Contains(c.Exclude, e.Item) {
				c.History = append(c.History, e)
			}
		}
		s.Cases = append(s.Cases, c)
	}
	return s, nil
}

// TimeSplit trains on what was before a moment and asks for what came from it on and
// before until (0 for all): as a recommender is used. What somebody had before is
// ranked too when again is true, as in shops where people buy the same things again.
func TimeSplit(l *interactions.Log, minWeight float32, at, until int64, again bool) *Split {
	s := &Split{Protocol: "time"}
	if until == 0 {
		until = math.MaxInt64
	}
	s.Train = l.Filter(func(_ int, e interactions.Event) bool { return e.Weight >= minWeight && e.At < at })
	for p := range l.People().Len() {
		history := s.Train.Events(p)
		var seen []int32
		if !again {
			seen = items(history, nil)
		}
		var later []interactions.Event
		for _, e := range l.Events(p) {
			if e.At >= at && e.At < until && e.Weight >= minWeight {
				later = append(later, e)
			}
		}
		if truth := items(later, seen); len(truth) > 0 {
			s.Cases = append(s.Cases, Case{History: history, Truth: truth, Exclude: seen})
		}
	}
	return s
}

// Quantile is the time before which a share of the events lie, for TimeSplit.
func Quantile(l *interactions.Log, share float64) int64 {
	times := make([]int64, 0, l.Len())
	for p := range l.People().Len() {
		for _, e := range l.Events(p) {
			times = append(times, e.At)
		}
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, max(0, int(share*float64(len(times)))))]
}

// WithNegatives gives every case n items to rank its truth among, drawn by the seed
// among those that the person has not had (He et al. 2017).
func (s *Split) WithNegatives(n int, seed uint64) *Split {
	out := &Split{Protocol: fmt.Sprintf("%s among %d sampled", s.Protocol, n), Train: s.Train, Cases: slices.Clone(s.Cases)}
	rng := rand.New(rand.NewPCG(seed, 0x9e9))
	total := s.Train.Items().Len()
	for c := range out.Cases {
		used := make(map[int32]bool)
		for _, list := range [][]int32{out.Cases[c].Truth, out.Cases[c].Exclude} {
			for _, i := range list {
				used[i] = true
			}
		}
		among := make([]int32, 0, n)
		for len(among) < n && len(used) < total {
			if i := int32(rng.IntN(total)); !used[i] {
				used[i] = true
				among = append(among, i)
			}
		}
		out.Cases[c].Among = among
	}
	return out
}

// items are those of events, each once, ascending, without those of the sorted list
// without.
func items(events []interactions.Event, without []int32) []int32 {
	out := make([]int32, 0, len(events))
	for _, e := range events {
		if _, has := slices.BinarySearch(without, e.Item); !has {
			out = append(out, e.Item)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Holdout hides a share of everybody's items, drawn by the seed: for the choice of
// settings on what is trained on, so that the test part stays unseen. People of whom
// nothing would be left, or nothing hidden, teach only.
func Holdout(l *interactions.Log, minWeight float32, share float64, seed uint64) (*Split, error) {
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("the share that is hidden must lie between 0 and 1, got %v", share)
	}
	s := &Split{Protocol: "random hold-out"}
	rng := rand.New(rand.NewPCG(seed, 0x401d))
	hidden := make([][]int32, l.People().Len())
	for p := range hidden {
		all := items(l.AtLeast(p, minWeight), nil)
		n := int(math.Round(share * float64(len(all))))
		if n == 0 || n == len(all) {
			continue
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		hidden[p] = all[:n]
		slices.Sort(hidden[p])
	}
	s.Train = l.Filter(func(p int, e interactions.Event) bool {
		_, is := slices.BinarySearch(hidden[p], e.Item)
		return e.Weight >= minWeight && !is
	})
	for p, truth := range hidden {
		if len(truth) > 0 {
			s.Cases = append(s.Cases, Case{History: s.Train.Events(p), Truth: truth, Exclude: items(s.Train.Events(p), nil)})
		}
	}
	return s, nil
}
