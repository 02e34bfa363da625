package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quintet/internal/problem"
	"quintet/profiles/identity"
	"quintet/profiles/segments"
)

const (
	// estimateBudget is how long memory is searched before what has been seen
	// counts as a sample.
	estimateBudget = 500 * time.Millisecond
	// estimateSample is the least number of people of a sample.
	estimateSample = 100_000
	// wholeEstimate is up to how many people ClickHouse is asked about all of them.
	wholeEstimate = 300_000
	// estimateTimeout bounds an estimate.
	estimateTimeout = 20 * time.Second
	maxOverlaps     = 10
)

// Estimate says how many people fulfil a rule.
type Estimate struct {
	Size         int       `json:"size" doc:"People who fulfil the rule"`
	People       int       `json:"people" doc:"All people"`
	Share        float64   `json:"share" doc:"size divided by people"`
	Lower        int       `json:"lower" doc:"Lower end of the 95 % interval of size; size itself when nobody was left out"`
	Upper        int       `json:"upper"`
	Sampled      int       `json:"sampled" doc:"People who were looked at; a random sample when less than people"`
	Method       string    `json:"method" enum:"memory,clickhouse" doc:"memory: people as they are now; clickhouse: as of about a second ago, when the rule asks for events that no segment keeps"`
	Milliseconds float64   `json:"milliseconds"`
	Overlaps     []Overlap `json:"overlaps" nullable:"false" doc:"In the order asked for"`
}

// Overlap says how many of the people of a rule are in a segment too.
type Overlap struct {
	Segment string  `json:"segment"`
	Size    int     `json:"size" doc:"People in both"`
	Share   float64 `json:"share" doc:"Of those who fulfil the rule"`
	Members int     `json:"members" doc:"People in the segment"`
}

// Estimate counts who fulfils a rule and how many of them are in other segments.
func (s *Segments) Estimate(ctx context.Context, source json.RawMessage, overlapWith []string) (*Estimate, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, estimateTimeout)
	defer cancel()
	var bad problem.Invalid
	rule, err := segments.Parse("rule", source)
	bad.Nest("", err)
	p := s.plan.Load()
	if rule != nil {
		for _, r := range rule.Reads().Segments {
			if p.keys[r.Key] == nil {
				bad.Add(r.Path, "must be the key of a segment", r.Key)
			}
		}
	}
	if len(overlapWith) > maxOverlaps {
		bad.Add("overlapWith", fmt.Sprintf("must be at most %d keys", maxOverlaps), len(overlapWith))
	}
	for i, key := range overlapWith {
		if p.keys[key] == nil {
			bad.Add(fmt.Sprintf("overlapWith[%d]", i), "must be the key of a segment", key)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	e := &Estimate{People: s.profiles.store.People(), Overlaps: []Overlap{}}
	both := make([]int, len(overlapWith))
	var total int
	if p.holds(rule) {
		e.Method = "memory"
		total, both = s.estimateInMemory(ctx, p, rule, overlapWith, e)
	} else {
		e.Method = "clickhouse"
		if total, err = s.estimateInClickHouse(ctx, rule, overlapWith, e, both); err != nil {
			return nil, err
		}
	}
	e.extrapolate(total)
	for i, key := range overlapWith {
		o := Overlap{Segment: key, Size: both[i], Members: s.Count(key)}
		if total > 0 {
			o.Share = float64(both[i]) / float64(total)
			o.Size = int(math.Round(o.Share * float64(e.Size)))
		}
		e.Overlaps = append(e.Overlaps, o)
	}
	e.Milliseconds = float64(time.Since(started).Microseconds()) / 1000
	return e, nil
}

// extrapolate makes a figure for everybody of a count in a sample, with Wilson's
// interval.
func (e *Estimate) extrapolate(count int) {
	if e.Sampled >= e.People || e.Sampled == 0 {
		e.People = max(e.People, e.Sampled)
		e.Size, e.Lower, e.Upper = count, count, count
		if e.People > 0 {
			e.Share = float64(count) / float64(e.People)
		}
		return
	}
	n, all, share := float64(e.Sampled), float64(e.People), float64(count)/float64(e.Sampled)
	const z = 1.959963984540054
	middle := (share + z*z/(2*n)) / (1 + z*z/n)
	reach := z / (1 + z*z/n) * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	e.Share = share
	e.Size = int(math.Round(share * all))
	// Those who were looked at are certain.
	e.Lower = max(count, int(math.Floor((middle-reach)*all)))
	e.Upper = min(e.People-(e.Sampled-count), int(math.Ceil((middle+reach)*all)))
}

// holds says whether memory has everything that the rule asks for, and makes
// the rule use it.
func (p *segmentPlan) holds(rule *segments.Rule) bool {
	for _, pattern := range rule.Patterns() {
		lp := p.patterns[patternKey(pattern)]
		if lp == nil || !lp.loaded.Load() || lp.overflow.Load() {
			return false
		}
	}
	for _, r := range rule.Reads().Segments {
		if !p.keys[r.Key].ready() {
			return false
		}
	}
	rule.Bind(func(pattern *segments.Pattern) int { return p.patterns[patternKey(pattern)].slot })
	return true
}

// estimateInMemory looks at people, shard by shard and several shards at a time,
// until all have been seen or the time is up. Shards go by the id, which is a
// hash, and have no order inside: whoever was seen till then is a random sample.
func (s *Segments) estimateInMemory(ctx context.Context, p *segmentPlan, rule *segments.Rule, overlapWith []string, out *Estimate) (count int, both []int) {
	now, end := s.now(), time.Now().Add(estimateBudget)
	others := make([]*liveSegment, len(overlapWith))
	for i, key := range overlapWith {
		others[i] = p.keys[key]
	}
	both = make([]int, len(overlapWith))
	var mu sync.Mutex
	var next, sampled atomic.Int64
	done := func() bool {
		return ctx.Err() != nil || time.Now().After(end) && sampled.Load() >= estimateSample
	}
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			e := s.newEvaluation(p)
			e.consents = e.consents || rule.Reads().Consents
			var ids []identity.ID
			for {
				shard := int(next.Add(1)) - 1
				if shard >= storeShards || done() {
					return
				}
				ids = s.profiles.store.idsOf(shard, ids[:0])
				seen, fulfil, shared := 0, 0, make([]int, len(others))
				for i, id := range ids {
					if i%1024 == 1023 && done() {
						break
					}
					v, _ := e.meet(id)
					if v == nil {
						continue
					}
					seen++
					in := false
					e.about(v, now, func() { in = rule.Match(&e.subject, now) })
					if !in {
						continue
					}
					fulfil++
					for i, l := range others {
						if s.in(l, id) {
							shared[i]++
						}
					}
				}
				sampled.Add(int64(seen))
				mu.Lock()
				count += fulfil
				for i, n := range shared {
					both[i] += n
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	out.Sampled = int(sampled.Load())
	return count, both
}

// estimateInClickHouse asks for those who fulfil the rule; of many people, among
// those whose ids, which are hashes, begin with one of the first letters.
func (s *Segments) estimateInClickHouse(ctx context.Context, rule *segments.Rule, overlapWith []string, out *Estimate, both []int) (int, error) {
	b := s.builder(s.now(), 0)
	where := ""
	if out.People > wholeEstimate {
		letters := min(len(idLetters)-1, max(1, 1+estimateSample*len(idLetters)/out.People))
		// In the order of characters digits come before letters.
		order := []byte(idLetters)
		slices.Sort(order)
		where = " WHERE " + b.Below(string(order[letters]))
	}
	condition, err := rule.Condition(b)
	if err != nil {
		return 0, problem.Invalid{{Field: "rule", Rule: err.Error()}}
	}
	from := " FROM " + segmentTables.People + " FINAL" + where
	var all uint64
	if err := s.clickhouse.Read.QueryRow(bound(ctx, b), "SELECT count()"+from).Scan(&all); err != nil {
		return 0, fmt.Errorf("counting people: %w", err)
	}
	// Who they are, not how many: memory knows what other segments they are in.
	if where == "" {
		from += " WHERE " + condition
	} else {
		from += " AND " + condition
	}
	rows, err := s.clickhouse.Read.Query(bound(ctx, b), "SELECT person_id"+from)
	if err != nil {
		return 0, fmt.Errorf("estimating a segment: %w", err)
	}
	defer rows.Close()
	p, count := s.plan.Load(), 0
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return 0, fmt.Errorf("estimating a segment: %w", err)
		}
		count++
		id, ok := identity.ParseID(text)
		for i, key := range overlapWith {
			if l := p.keys[key]; ok && l != nil && s.in(l, id) {
				both[i]++
			}
		}
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("estimating a segment: %w", err)
	}
	out.Sampled = int(all)
	if where == "" {
		out.People = out.Sampled
	}
	return count, nil
}

// Count is the number of people in a segment.
func (s *Segments) Count(key string) int {
	l := s.plan.Load().keys[key]
	if l == nil {
		return 0
	}
	if l.rule != nil {
		return s.members.count(l.set)
	}
	return len(s.persons(l))
}

// persons are the people in a segment, each once.
func (s *Segments) persons(l *liveSegment) []identity.ID {
	ids := s.members.members(l.set)
	if l.rule != nil {
		return ids
	}
	seen := map[identity.ID]struct{}{}
	kept := ids[:0]
	for _, id := range ids {
		person := s.profiles.store.PersonOf(id)
		if _, twice := seen[person]; !twice {
			seen[person] = struct{}{}
			kept = append(kept, person)
		}
	}
	return kept
}
