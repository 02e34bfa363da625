package quality

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Source is how something that sends events does.
type Source struct {
	ID         string     `json:"id" doc:"Id of the API key, webhook: with its key, or system for events of the service itself"`
	Name       string     `json:"name,omitempty"`
	Events     Volume     `json:"events"`
	EventNames uint64     `json:"eventNames" doc:"Different names of events in the last seven days"`
	LastEvent  *time.Time `json:"lastEventAt" doc:"When the last event came in"`
	// Freshness and its bound are in seconds.
	Freshness  *float64  `json:"freshnessSeconds" doc:"Time since the last event"`
	Usual      float64   `json:"usualSilenceSeconds" doc:"For how long the source may be silent"`
	Lag        Lag       `json:"lag"`
	Accepted   uint64    `json:"accepted" doc:"Messages of today that are durable, repeated ones included"`
	Repeated   uint64    `json:"repeated"`
	Refused    uint64    `json:"refused"`
	Violations uint64    `json:"violations" doc:"Events of today that break their schema and were stored"`
	Open       int       `json:"quarantined" doc:"Messages in quarantine that are open"`
	Unkept     uint64    `json:"unkept" doc:"Messages refused today that were not kept, as there were too many"`
	Anomaly    Anomaly   `json:"volume"`
	Score      *DayScore `json:"score" doc:"The newest one; of today from five minutes after the first event"`
	Problems   []Problem `json:"problems" nullable:"false"`
}

// Volume is how many events came in.
type Volume struct {
	Hour  uint64 `json:"hour" doc:"In this hour so far"`
	Today uint64 `json:"today" doc:"Since midnight UTC"`
	Week  uint64 `json:"week" doc:"In the last seven days"`
}

// Lag is the time from the receipt of an event to its profile in memory, today, in
// milliseconds, at most 9 % above the true one.
type Lag struct {
	Events uint64   `json:"events"`
	P50    *float64 `json:"p50"`
	P95    *float64 `json:"p95"`
	P99    *float64 `json:"p99"`
}

// Problem is something to look at.
type Problem struct {
	Kind string `json:"kind" enum:"silent,volume-above,volume-below,slow,violations,quarantine,unkept,score,overflow"`
	Text string `json:"text"`
}

const (
	maxSources = 1000
	// poorScore is the score below which a source is a problem, slowLag the p95 above
	// which it is.
	poorScore = 80
	slowLag   = 5000
)

func (s *Service) nameOf(source string) string {
	if s.sources == nil {
		return ""
	}
	return s.sources.KeyName(source)
}

// sourceFacts is what ClickHouse has of a source.
type sourceFacts struct {
	hours                       hours
	last                        time.Time
	names, violations, overflow uint64
}

// Sources lists everything that has sent something in the last five weeks, those
// with most events first.
func (s *Service) Sources(ctx context.Context) ([]Source, error) {
	now := s.now().UTC()
	today := now.Truncate(24 * time.Hour)
	facts, err := s.facts(ctx, now)
	if err != nil {
		return nil, err
	}
	doors, err := s.doors(ctx, today, today.AddDate(0, 0, 1))
	if err != nil {
		return nil, err
	}
	open, err := s.openBySource(ctx)
	if err != nil {
		return nil, err
	}
	scores, err := s.newestScores(ctx, today)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, list := range [...]func(func(string) bool){maps.Keys(facts), maps.Keys(doors), maps.Keys(open)} {
		for id := range list {
			ids[id] = true
		}
	}
	out := make([]Source, 0, len(ids))
	for id := range ids {
		f := facts[id]
		if f == nil {
			f = &sourceFacts{}
		}
		d := doors[id]
		src := Source{
			ID: id, Name: s.nameOf(id), EventNames: f.names, Violations: f.violations, Accepted: d.accepted, Repeated: d.repeated, Refused: d.refused, Unkept: d.unkept,
			Open: open[id], Anomaly: f.hours.anomaly(now), Usual: f.hours.usualSilence(now).Seconds(),
			Lag: Lag{d.lag.total(), number(d.lag.quantile(.5)), number(d.lag.quantile(.95)), number(d.lag.quantile(.99))},
		}
		for at, n := range f.hours {
			if at >= now.Truncate(time.Hour).Unix() {
				src.Events.Hour += n
			}
			if at >= today.Unix() {
				src.Events.Today += n
			}
			if at > now.AddDate(0, 0, -7).Unix() {
				src.Events.Week += n
			}
		}
		if !f.last.IsZero() {
			last, fresh := f.last.UTC(), max(0, now.Sub(f.last).Seconds())
			src.LastEvent, src.Freshness = &last, &fresh
		}
		if score, ok := scores[id]; ok {
			src.Score = &score
		}
		src.Problems = problems(&src, f.overflow)
		out = append(out, src)
	}
	slices.SortFunc(out, func(a, b Source) int {
		return cmp.Or(cmp.Compare(b.Events.Week, a.Events.Week), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), maxSources)], nil
}

func problems(src *Source, overflow uint64) []Problem {
	out := []Problem{}
	add := func(when bool, kind, text string, values ...any) {
		if when {
			out = append(out, Problem{kind, fmt.Sprintf(text, values...)})
		}
	}
	if src.Freshness != nil {
		add(*src.Freshness > src.Usual, "silent", "no event for %s; usually there is none for %s at most",
			time.Duration(*src.Freshness*1e9).Round(time.Minute), time.Duration(src.Usual*1e9).Round(time.Minute))
	}
	a := src.Anomaly
	add(a.Verdict == "above" || a.Verdict == "below", "volume-"+a.Verdict, "%d events in the last whole hour; usually about %.0f", a.Events, a.Expected)
	if src.Lag.P95 != nil {
		add(*src.Lag.P95 > slowLag, "slow", "one of twenty events took more than %.1f s to its profile today", *src.Lag.P95/1000)
	}
	add(src.Violations > 0, "violations", "%d events of today break their schema", src.Violations)
	add(src.Open > 0, "quarantine", "%d messages in quarantine", src.Open)
	add(src.Unkept > 0, "unkept", "%d refused messages of today were not kept", src.Unkept)
	if src.Score != nil && src.Score.Total != nil {
		add(*src.Score.Total < poorScore, "score", "the score of %s is %.0f", src.Score.Day, *src.Score.Total)
	}
	add(overflow > 0, "overflow", "%d fields or events in the last seven days are beyond the bounds of what is counted", overflow)
	return out
}

func (s *Service) facts(ctx context.Context, now time.Time) (map[string]*sourceFacts, error) {
	today := now.Truncate(24 * time.Hour)
	out := map[string]*sourceFacts{}
	rows, err := s.db.Read.Query(ctx, `SELECT source, bucket, sum(present), max(last_seen) FROM quality_fields
		WHERE field = '' AND bucket >= $1 GROUP BY source, bucket LIMIT 2000000`, now.AddDate(0, 0, -7*seasonWeeks-1))
	if err != nil {
		return nil, fmt.Errorf("reading the volume of sources: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var source string
		var bucket, last time.Time
		var n uint64
		if err := rows.Scan(&source, &bucket, &n, &last); err != nil {
			return nil, fmt.Errorf("reading the volume of sources: %w", err)
		}
		f := out[source]
		if f == nil {
			f = &sourceFacts{hours: hours{}}
			out[source] = f
		}
		f.hours[bucket.Unix()] = n
		if last.After(f.last) {
			f.last = last
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the volume of sources: %w", err)
	}
	more, err := s.db.Read.Query(ctx, `SELECT source, uniqExact(event), sumIf(violations, bucket >= $1), sum(overflow) FROM quality_fields
		WHERE field = '' AND bucket >= $2 GROUP BY source`, today, now.AddDate(0, 0, -7))
	if err != nil {
		return nil, fmt.Errorf("reading the events of sources: %w", err)
	}
	defer more.Close()
	for more.Next() {
		var source string
		var names, violations, overflow uint64
		if err := more.Scan(&source, &names, &violations, &overflow); err != nil {
			return nil, fmt.Errorf("reading the events of sources: %w", err)
		}
		if f := out[source]; f != nil {
			f.names, f.violations, f.overflow = names, violations, overflow
		}
	}
	return out, more.Err()
}

func (s *Service) openBySource(ctx context.Context) (map[string]int, error) {
	rows, err := s.postgres.Query(ctx, `SELECT source, count(*) FROM quarantine_items WHERE status = 'open' GROUP BY source LIMIT 10000`)
	if err != nil {
		return nil, fmt.Errorf("counting the quarantine: %w", err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var source string
		var n int
		if err := rows.Scan(&source, &n); err != nil {
			return nil, fmt.Errorf("counting the quarantine: %w", err)
		}
		out[source] = n
	}
	return out, rows.Err()
}

func (s *Service) newestScores(ctx context.Context, today time.Time) (map[string]DayScore, error) {
	rows, err := s.db.Read.Query(ctx, `SELECT source, day, events, completeness, validity, uniqueness, timeliness, consistency, total, computed_at FROM quality_scores FINAL
		WHERE day >= toDate($1) ORDER BY source, day DESC LIMIT 1 BY source`, today.AddDate(0, 0, -7).Format(time.DateOnly))
	if err != nil {
		return nil, fmt.Errorf("reading scores: %w", err)
	}
	defer rows.Close()
	out := map[string]DayScore{}
	for rows.Next() {
		var source string
		d, err := scanScore(func(values ...any) error { return rows.Scan(append([]any{&source}, values...)...) })
		if err != nil {
			return nil, err
		}
		out[source] = d
	}
	return out, rows.Err()
}
