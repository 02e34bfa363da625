package recommend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/recommend/ranking"
)

// keptRankers is how many rankers are kept.
const keptRankers = 50

// Ranker is one that was learned, as the API tells of it.
type Ranker struct {
	Version   int64        `json:"version"`
	LearnedAt time.Time    `json:"learnedAt"`
	Accepted  bool         `json:"accepted" doc:"It passed the gate. The newest decides: where it was refused, lists are in the order that the sources give"`
	Report    RankerReport `json:"report"`

	model *ranking.Ranker // of one that was accepted
}

// rankerFor is what ranks the lists of a build, or nil: one that was learned from the
// scores of another method says nothing of these.
func (s *Service) rankerFor(snap *snapshot) *Ranker {
	r := s.ranker.Load()
	if snap == nil || r == nil || r.model == nil || r.Report.Personal != snap.version.Report.Personal {
		return nil
	}
	return r
}

// saveRanker keeps a ranker and gives it its version. model may be nil.
func (s *Service) saveRanker(ctx context.Context, model *ranking.Ranker, report *RankerReport, at time.Time) error {
	text, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encoding the report of a ranker: %w", err)
	}
	var artefact []byte
	if model != nil {
		if artefact, err = model.Encode(); err != nil {
			return err
		}
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var version int64
		if err := tx.QueryRow(ctx, `INSERT INTO recommend_rankers (learned_at, accepted, report, artefact) VALUES ($1, $2, $3, $4) RETURNING version`,
			at, report.Refused == "", text, artefact).Scan(&version); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM recommend_rankers WHERE version <= $1`, version-keptRankers)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping a ranker: %w", err)
	}
	return nil
}

// followRanker takes up the newest ranker.
func (s *Service) followRanker(ctx context.Context) error {
	var above int64
	if current := s.ranker.Load(); current != nil {
		above = current.Version
	}
	var r Ranker
	var report, artefact []byte
	err := s.pool.QueryRow(ctx, `SELECT version, learned_at, accepted, report, artefact FROM recommend_rankers WHERE version > $1 ORDER BY version DESC LIMIT 1`, above).
		Scan(&r.Version, &r.LearnedAt, &r.Accepted, &report, &artefact)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the newest ranker: %w", err)
	}
	if err := json.Unmarshal(report, &r.Report); err != nil {
		return fmt.Errorf("reading the report of ranker %d: %w", r.Version, err)
	}
	if r.Accepted {
		model, err := ranking.Decode(artefact)
		if err != nil {
			return fmt.Errorf("ranker %d: %w", r.Version, err)
		}
		// One of another version of the program reads other columns.
		if model.Fits(rankColumns) {
			r.model = model
		}
	}
	s.ranker.Store(&r)
	s.allowed.clear()
	return nil
}

// rankers lists those that are kept, newest first.
func (s *Service) rankers(ctx context.Context) ([]Ranker, error) {
	rows, err := s.pool.Query(ctx, `SELECT version, learned_at, accepted, report FROM recommend_rankers ORDER BY version DESC LIMIT $1`, keptBuilds)
	if err != nil {
		return nil, fmt.Errorf("listing rankers: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Ranker, err error) {
		var report []byte
		if err = row.Scan(&r.Version, &r.LearnedAt, &r.Accepted, &report); err == nil {
			err = json.Unmarshal(report, &r.Report)
		}
		return r, err
	})
}
