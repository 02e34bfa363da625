package decide

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// Activity is what a decision point chose over time.
type Activity struct {
	BucketSeconds int64            `json:"bucketSeconds" doc:"Width of one point in time"`
	Series        []ActivitySeries `json:"series" nullable:"false"`
}

// ActivitySeries is one action's share over time.
type ActivitySeries struct {
	Action string          `json:"action"`
	Points []ActivityPoint `json:"points" nullable:"false"`
}

// ActivityPoint counts the decisions of one action in one bucket of time.
type ActivityPoint struct {
	At             time.Time `json:"at" doc:"Start of the bucket"`
	Decisions      uint64    `json:"decisions"`
	Share          float64   `json:"share" doc:"Share of all decisions of the bucket"`
	MeanPropensity float64   `json:"meanPropensity"`
}

// activityBuckets is how many points a chart gets at the most.
const activityBuckets = 60

func (s *Service) reportRoutes(a huma.API) {
	type input struct {
		Key   string `path:"key"`
		Hours int    `query:"hours" default:"24" minimum:"1" maximum:"2160" doc:"How far to look back"`
	}
	type output struct{ Body Activity }
	op := huma.Operation{
		OperationID: "decision-point-activity", Method: http.MethodGet, Path: "/v1/decision-points/{key}/activity",
		Tags: []string{"Decision points"}, Summary: "Chosen actions over time", Errors: []int{401, 403, 404, 422},
	}
	api.Require(api.ScopeRead)(&op)
	huma.Register(a, op, func(ctx context.Context, in *input) (*output, error) {
		if _, ok := s.points.Get(in.Key); !ok {
			return nil, problem.NotFound("decision point", problem.Clip(in.Key))
		}
		out, err := s.Activity(ctx, in.Key, time.Duration(in.Hours)*time.Hour)
		if err != nil {
			return nil, err
		}
		return &output{Body: *out}, nil
	})
}

// Activity counts the eligible decisions of a decision point by action and time.
// The buckets divide the time between the first decision inside the span and now,
// so that a young decision point fills its chart as well.
func (s *Service) Activity(ctx context.Context, point string, span time.Duration) (*Activity, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now := s.now().UTC()
	var first time.Time
	var n uint64
	if err := s.db.Read.QueryRow(ctx, "SELECT min(decided_at), count() FROM decisions WHERE decision_point = ? AND eligible AND decided_at >= ?",
		point, now.Add(-span)).Scan(&first, &n); err != nil {
		return nil, fmt.Errorf("reading the first decision of %s: %w", point, err)
	}
	out := &Activity{BucketSeconds: int64(span / time.Second / activityBuckets), Series: []ActivitySeries{}}
	if n == 0 {
		return out, nil
	}
	out.BucketSeconds = max(1, int64(now.Sub(first)/time.Second)/activityBuckets+1)
	rows, err := s.db.Read.Query(ctx, "SELECT action, toStartOfInterval(decided_at, toIntervalSecond(?)) AS at, count() AS decisions, "+
		"decisions / sum(decisions) OVER (PARTITION BY at) AS share, avg(propensity) "+
		"FROM decisions WHERE decision_point = ? AND eligible AND decided_at >= ? GROUP BY action, at ORDER BY action, at LIMIT 100000",
		out.BucketSeconds, point, now.Add(-span))
	if err != nil {
		return nil, fmt.Errorf("counting the actions of %s: %w", point, err)
	}
	defer rows.Close()
	for rows.Next() {
		var action string
		var p ActivityPoint
		if err := rows.Scan(&action, &p.At, &p.Decisions, &p.Share, &p.MeanPropensity); err != nil {
			return nil, fmt.Errorf("reading the actions of %s: %w", point, err)
		}
		if last := len(out.Series) - 1; last < 0 || out.Series[last].Action != action {
			out.Series = append(out.Series, ActivitySeries{Action: action})
		}
		series := &out.Series[len(out.Series)-1]
		series.Points = append(series.Points, p)
	}
	return out, rows.Err()
}
