package attributes

import (
	"context"
	"fmt"
	"math"
	"time"

	"quintet/internal/problem"
)

// Board is how many people stand where, as of the last run.
type Board struct {
	ComputedAt  time.Time `json:"computedAt"`
	People      uint64    `json:"people"`
	Customers   uint64    `json:"customers" doc:"People with an order"`
	Spend       float64   `json:"spend"`
	Stages      []Place   `json:"stages" nullable:"false"`
	Segments    []Place   `json:"segments" nullable:"false"`
	Losses      []Place   `json:"losses" nullable:"false"`
	RFMSegments []Place   `json:"rfmSegments" nullable:"false"`
	codes       []Code
	cuts        RFMCuts
}

// Place is one stage, segment or loss with those who stand there.
type Place struct {
	Key        string  `json:"key"`
	Name       string  `json:"name"`
	People     uint64  `json:"people"`
	Share      float64 `json:"share" doc:"Of all people; of all customers for RFM segments"`
	Orders     float64 `json:"orders"`
	Spend      float64 `json:"spend"`
	SpendShare float64 `json:"spendShare" doc:"Of the spend of everybody"`
	// Stages is set of lifecycle segments.
	Stages []StageCount `json:"stages,omitempty" doc:"Lifecycle segments: in which stages these people are"`
}

// StageCount is how many people of a segment are in a stage.
type StageCount struct {
	Stage  string `json:"stage"`
	People uint64 `json:"people"`
}

func (p *Place) addStage(stage string, people uint64) {
	for i := range p.Stages {
		if p.Stages[i].Stage == stage {
			p.Stages[i].People += people
			return
		}
	}
	p.Stages = append(p.Stages, StageCount{Stage: stage, People: people})
}

// Code is one RFM code with its customers.
type Code struct {
	Code      string  `json:"code"`
	Recency   int     `json:"recency"`
	Frequency int     `json:"frequency"`
	Monetary  int     `json:"monetary"`
	Segment   string  `json:"segment"`
	People    uint64  `json:"people"`
	Spend     float64 `json:"spend"`
}

// RFMCuts are the bounds between scores 1 to 5.
type RFMCuts struct {
	Days    []float64 `json:"days" nullable:"false" doc:"Days since the last order below which, or at which with fixed bounds, a score begins"`
	Orders  []float64 `json:"orders" nullable:"false" doc:"Orders above which, or at which with fixed bounds, a score begins"`
	Spend   []float64 `json:"spend" nullable:"false" doc:"Spend above which, or at which with fixed bounds, a score begins"`
	Reached bool      `json:"reached" doc:"true with fixed bounds: a score begins at its bound, not behind it"`
}

// BoardAt counts the people as of a moment, from the events up to then and by the
// table of today.
func (s *Service) BoardAt(ctx context.Context, at time.Time) (*Board, error) {
	if at.After(s.now()) {
		return nil, problem.Invalid{{Field: "query.at", Rule: "must not lie in the future", Value: at.Format(time.RFC3339)}}
	}
	s.matrices.mu.Lock() // like a matrix it reads the whole log
	defer s.matrices.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, matrixDeadline)
	defer cancel()
	r := &run{Service: s, table: s.Table(), at: at.UTC().Truncate(time.Millisecond), id: uint64(time.Now().UnixNano())}
	defer func() {
		if err := s.drop(ctx, r.id); err != nil {
			s.log.Warn("removing the material of a board; the next computation does", "error", err)
		}
	}()
	if err := s.facts(ctx, r.logOf(), r.id); err != nil {
		return nil, err
	}
	var err error
	if r.cuts, err = s.readCuts(ctx, &r.table, r.id); err != nil {
		return nil, err
	}
	return r.makeBoard(ctx)
}

// makeBoard counts the people of a run.
func (r *run) makeBoard(ctx context.Context) (*Board, error) {
	b := &Board{ComputedAt: r.at}
	tally := func(list *[]Place, key, name string) { *list = append(*list, Place{Key: key, Name: name}) }
	for _, rule := range r.table.Stages {
		tally(&b.Stages, rule.Key, rule.Name)
	}
	for _, rule := range r.table.Segments {
		tally(&b.Segments, rule.Key, rule.Name)
	}
	b.Losses = []Place{}
	for _, rule := range r.table.Losses {
		tally(&b.Losses, rule.Key, rule.Name)
	}
	for _, box := range r.table.RFM.Segments {
		tally(&b.RFMSegments, box.Key, box.Name)
	}
	tally(&b.RFMSegments, r.table.RFM.Other, "Other")
	if !math.IsNaN(r.cuts.Percentiles[0]) {
		for _, c := range r.cuts.Days {
			b.cuts.Days = append(b.cuts.Days, finite(c))
		}
		for _, c := range r.cuts.Orders {
			b.cuts.Orders = append(b.cuts.Orders, finite(c))
		}
		for _, c := range r.cuts.Spend {
			b.cuts.Spend = append(b.cuts.Spend, finite(c))
		}
	}
	b.cuts.Reached = !r.cuts.Surpass

	rows, err := r.db.Read.Query(heavy(ctx), fmt.Sprintf(`SELECT stage, segment, rfm_segment, rfm, losses, count(), sum(orders), sumKahan(spend)
FROM (%s) GROUP BY stage, segment, rfm_segment, rfm, losses ORDER BY rfm, segment, stage, losses`, classified(&r.table, &r.cuts, r.id, "")))
	if err != nil {
		return nil, fmt.Errorf("counting where people stand: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var stage, segment, rfmSegment, rfm string
		var losses []string
		var people uint64
		var orders, spend float64
		if err := rows.Scan(&stage, &segment, &rfmSegment, &rfm, &losses, &people, &orders, &spend); err != nil {
			return nil, fmt.Errorf("reading where people stand: %w", err)
		}
		b.People += people
		b.Spend += spend
		for _, add := range []struct {
			list []Place
			keys []string
		}{{b.Stages, []string{stage}}, {b.Segments, []string{segment}}, {b.Losses, losses}, {b.RFMSegments, []string{rfmSegment}}} {
			for _, key := range add.keys {
				for i := range add.list {
					if p := &add.list[i]; p.Key == key {
						p.People += people
						p.Orders += orders
						p.Spend += spend
					}
				}
			}
		}
		for i := range b.Segments {
			if p := &b.Segments[i]; p.Key == segment {
				p.addStage(stage, people)
			}
		}
		if len(rfm) != 3 {
			continue
		}
		b.Customers += people
		if n := len(b.codes); n == 0 || b.codes[n-1].Code != rfm {
			b.codes = append(b.codes, Code{Code: rfm, Recency: int(rfm[0] - '0'), Frequency: int(rfm[1] - '0'), Monetary: int(rfm[2] - '0'), Segment: rfmSegment})
		}
		c := &b.codes[len(b.codes)-1]
		c.People += people
		c.Spend += spend
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading where people stand: %w", err)
	}
	for _, part := range []struct {
		list []Place
		of   uint64
	}{{b.Stages, b.People}, {b.Segments, b.People}, {b.Losses, b.People}, {b.RFMSegments, b.Customers}} {
		for i := range part.list {
			p := &part.list[i]
			p.Share = ratio(float64(p.People), float64(part.of))
			p.SpendShare = ratio(p.Spend, b.Spend)
		}
	}
	return b, nil
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// finite makes a number that JSON can carry; without customers there is none.
func finite(v float64) float64 {
	if v != v {
		return 0
	}
	return v
}
