package decide

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"quintet/internal/problem"
)

// layouts remembers since which version of its decision point the features in
// the log mean what they mean now. A position in the vector stands for something
// else after the features changed, so older decisions must not be learned from.
type layouts struct {
	mu    sync.Mutex
	known map[string]layout // by decision point
}

type layout struct {
	version, since int64
	fingerprint    string
}

// since returns the first version of a point, in an unbroken row up to the present
// one, whose features have the present fingerprint. earlier reads the fingerprint
// of a version; an error that is not a 404 problem ends the row for this time.
func (l *layouts) since(key string, version int64, fingerprint string, earlier func(version int64) (string, error)) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.known[key]
	if ok && last.version == version {
		return last.since, nil
	}
	found := version
	for v := version - 1; v > 0; v-- {
		if ok && v == last.version {
			if last.fingerprint == fingerprint {
				found = last.since
			}
			break
		}
		was, err := earlier(v)
		var missing *problem.Error
		if errors.As(err, &missing) && missing.GetStatus() == http.StatusNotFound {
			break
		}
		if err != nil {
			return found, err
		}
		if was != fingerprint {
			break
		}
		found = v
	}
	if l.known == nil {
		l.known = map[string]layout{}
	}
	l.known[key] = layout{version: version, since: found, fingerprint: fingerprint}
	return found, nil
}

// featuresSince is the first version of the point that has its present features.
func (s *Service) featuresSince(p *point) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	since, err := s.layouts.since(p.key, p.version, p.encoder.Fingerprint(), func(version int64) (string, error) {
		v, err := s.points.AtVersion(ctx, p.key, version)
		return v.Value.Declaration().Fingerprint(), err
	})
	if err != nil {
		s.log.Warn("reading earlier versions of a decision point", "decision", p.key, "error", err)
	}
	return since
}
