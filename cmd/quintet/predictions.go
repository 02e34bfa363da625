package main

import (
	"context"

	"quintet/models/predict"
	"quintet/profiles"
)

// predictionsErase has predictive models forget a person. Their artefacts have weights
// and rates of groups, and nobody's data.
type predictionsErase struct{ predictions *predict.Service }

// Erase implements [profiles.ErasurePart].
func (e predictionsErase) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	n, err := e.predictions.Forget(ctx, sub.Texts())
	if err != nil {
		return nil, err
	}
	return map[string]int64{"clickhouse person_scores": n}, nil
}

// Check implements [profiles.ErasurePart].
func (e predictionsErase) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	n, err := e.predictions.Remembered(ctx, sub.Texts())
	return []profiles.ErasureCheck{{Store: "clickhouse", What: "scores", Rows: n}}, err
}
