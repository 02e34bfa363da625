package decide

import (
	"context"
	"time"

	"quintet/internal/problem"
)

// CodePool is a store of promo codes, each of which is handed out once.
type CodePool struct {
	Name   string     `json:"name,omitempty" doc:"Name shown in the console" maxLength:"200"`
	EndsAt *time.Time `json:"endsAt,omitempty" doc:"Moment from which its codes are worth nothing: offers with them are then not chosen, and none is handed out"`
}

// ValidateCodePool checks a pool.
func ValidateCodePool(_ context.Context, _ string, p *CodePool) error {
	var bad problem.Invalid
	checkText(&bad, "name", p.Name, maxName)
	return bad.Err()
}

// Bounds of the codes of a pool.
const (
	maxCode      = 128
	maxCodesCall = 10_000
	maxCodes     = 5_000_000 // of one pool
)

// checkCodes refuses what cannot be printed as one word.
func checkCodes(codes []string) error {
	var bad problem.Invalid
	if len(codes) == 0 || len(codes) > maxCodesCall {
		bad.Add("codes", "must have 1 to "+itoa(maxCodesCall)+" entries", len(codes))
		return bad
	}
	for i, code := range codes {
		ok := code != "" && len(code) <= maxCode
		for j := 0; j < len(code) && ok; j++ {
			ok = code[j] > ' ' && code[j] < 0x7f
		}
		if !ok {
			bad.Add("codes["+itoa(i)+"]", "must be 1 to "+itoa(maxCode)+" printable ASCII characters without a space", problem.Clip(code))
		}
		if len(bad) >= 20 {
			break
		}
	}
	return bad.Err()
}

// CodePoolStanding is how many codes a pool has.
type CodePoolStanding struct {
	Free  int64 `json:"free" doc:"Codes that nobody has"`
	Taken int64 `json:"taken" doc:"Codes that were handed out"`
}

// pools are how the pools stand as decisions see them: counted every few seconds, so
// that a decision asks memory only.
type pools map[string]poolStanding

type poolStanding struct {
	free int64
	ends time.Time // zero for never
}

// without is the rule by which an offer with codes of the pool cannot be taken, empty
// when it can. A pool that was not counted yet is taken for a full one: handing out tells.
func (p pools) without(pool string, at time.Time) string {
	standing, known := p[pool]
	switch {
	case !known:
		return ""
	case !standing.ends.IsZero() && !at.Before(standing.ends):
		return ruleCodesEnded
	case standing.free == 0:
		return ruleCodesEmpty
	}
	return ""
}
