package predict

import (
	"context"
	"fmt"
)

// scoredAtOnce is about how many people are scored at a time: what is in memory then.
const scoredAtOnce = 1_000_000

// share is one of several parts of all people, by the hash of their ids. The zero share is
// the sample that a model learns from: as many people as its definition allows.
type share struct{ index, of int }

// narrow is a condition that only people of the share meet.
func (p share) narrow(person string) string {
	if p.of < 2 {
		return "1"
	}
	return fmt.Sprintf("cityHash64(%s, 'share') %% %d = %d", person, p.of, p.index)
}

// limit bounds a sample, which is the same whenever it is drawn. A share is not bounded by
// it: nobody goes without a score.
func (p share) limit(person string, most int) string {
	if p.of > 0 {
		return ""
	}
	return fmt.Sprintf(" ORDER BY cityHash64(%s), %[1]s LIMIT %d", person, most)
}

// shares is how many parts everybody has to be scored in: of people, or of what was sent to
// them where that is what is read.
func (s *Service) shares(ctx context.Context, spec *Spec) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	sql, most := "SELECT uniq(profile_id) FROM events", s.atOnce
	if spec.Family == SendTime {
		sql = fmt.Sprintf("SELECT count() FROM events WHERE event IN (%s) AND timestamp >= %s", list(spec.Sent), moment(spec.sentSince(s.now().UTC())))
		most = 2 * s.atOnce
	}
	var n uint64
	if err := s.clickhouse.Read.QueryRow(bounded(ctx), sql).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting people to score: %w", err)
	}
	return max(1, (int(n)+most/2)/most), nil
}
