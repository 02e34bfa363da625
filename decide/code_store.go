package decide

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// countPoolsEvery is how often the codes that are left are counted.
const countPoolsEvery = 2 * time.Second

// codesTimeout bounds a call to the store of codes.
const codesTimeout = 10 * time.Second

// ErrNoCode says that there is no code for a decision: its offer has none, the pool is
// empty, or its codes have ended.
var ErrNoCode = errors.New("there is no code to hand out")

// CodePools are the pools of promo codes.
func (s *Service) CodePools() *definitions.Collection[CodePool] { return s.codePools }

// Code hands out the code of a decision from the pool of an offer: always the same for
// the same decision, and never that of another one, in however many processes. It is ""
// for an offer without codes, and [ErrNoCode] when there is none left.
func (s *Service) Code(ctx context.Context, decisionID, offer string) (string, error) {
	o, ok := s.offers.Get(offer)
	if !ok || o.Value.Codes == "" {
		return "", nil
	}
	if s.pool == nil {
		return "", ErrNoCode
	}
	ctx, cancel := context.WithTimeout(ctx, codesTimeout)
	defer cancel()
	pool := o.Value.Codes
	for range 50 {
		var code string
		err := s.pool.QueryRow(ctx, `SELECT code FROM promo_codes WHERE pool = $1 AND decision_id = $2`, pool, decisionID).Scan(&code)
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return code, wrapCode(decisionID, err)
		}
		if v, there := s.codePools.Get(pool); !there || v.Value.EndsAt != nil && !s.now().Before(*v.Value.EndsAt) {
			return "", ErrNoCode
		}
		// Who asks for the same decision at the same time takes none: the second one is
		// refused by the index, and finds the first one's.
		err = s.pool.QueryRow(ctx, `UPDATE promo_codes SET decision_id = $2, taken_at = $3 WHERE id = (
			SELECT id FROM promo_codes WHERE pool = $1 AND decision_id IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
		) AND NOT EXISTS (SELECT FROM promo_codes WHERE pool = $1 AND decision_id = $2) RETURNING code`, pool, decisionID, s.now().UTC()).Scan(&code)
		if err == nil {
			return code, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) && !isDuplicate(err) {
			return "", wrapCode(decisionID, err)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			var free bool
			if err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM promo_codes WHERE pool = $1 AND (decision_id IS NULL OR decision_id = $2))`, pool, decisionID).Scan(&free); err != nil {
				return "", wrapCode(decisionID, err)
			}
			if !free {
				return "", ErrNoCode
			}
			select { // others hold what is left, and may not keep it
			case <-ctx.Done():
				return "", wrapCode(decisionID, ctx.Err())
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return "", fmt.Errorf("handing out the code of decision %s: others were faster", decisionID)
}

func isDuplicate(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "23505"
}

func wrapCode(decisionID string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("handing out the code of decision %s: %w", decisionID, err)
}

// addCodes puts codes into a pool; those that it has already are left as they are.
func (s *Service) addCodes(ctx context.Context, pool string, codes []string) (int64, error) {
	if _, ok := s.codePools.Get(pool); !ok {
		return 0, problem.NotFound("code pool", pool)
	}
	if err := checkCodes(codes); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, codesTimeout)
	defer cancel()
	standing, err := s.poolStanding(ctx, pool)
	if err != nil {
		return 0, err
	}
	if standing.Free+standing.Taken+int64(len(codes)) > maxCodes {
		var bad problem.Invalid
		bad.Add("codes", "must not bring the pool above "+itoa(maxCodes)+" codes", len(codes))
		return 0, bad
	}
	tag, err := s.pool.Exec(ctx, `INSERT INTO promo_codes (pool, code) SELECT $1, code FROM unnest($2::text[]) WITH ORDINALITY AS given (code, at) ORDER BY at ON CONFLICT (pool, code) DO NOTHING`, pool, codes)
	if err != nil {
		return 0, fmt.Errorf("adding codes to pool %s: %w", pool, err)
	}
	return tag.RowsAffected(), s.countPools(ctx)
}

func (s *Service) poolStanding(ctx context.Context, pool string) (out CodePoolStanding, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE decision_id IS NULL), count(decision_id) FROM promo_codes WHERE pool = $1`, pool).Scan(&out.Free, &out.Taken)
	if err != nil {
		err = fmt.Errorf("counting the codes of pool %s: %w", pool, err)
	}
	return out, err
}

// countPools has decisions see how many codes are left. More than a few thousand are not
// counted, as it is enough that there are some.
func (s *Service) countPools(ctx context.Context) error {
	defined := s.codePools.Snapshot()
	next := make(pools, len(defined))
	for _, key := range slices.Sorted(maps.Keys(defined)) {
		standing := poolStanding{}
		if ends := defined[key].Value.EndsAt; ends != nil {
			standing.ends = *ends
		}
		if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM promo_codes WHERE pool = $1 AND decision_id IS NULL LIMIT 5000) AS free`, key).Scan(&standing.free); err != nil {
			return fmt.Errorf("counting the codes of pool %s: %w", key, err)
		}
		next[key] = standing
	}
	s.pools.Store(&next)
	return nil
}

// followPools counts the codes that are left until the context ends.
func (s *Service) followPools(ctx context.Context) {
	if s.pool == nil {
		return
	}
	tick := time.NewTicker(countPoolsEvery)
	defer tick.Stop()
	for {
		if err := s.countPools(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("counting promo codes", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// withoutCodes is the rule by which the offer's codes keep it from being taken.
func (s *Service) withoutCodes(o *Offer, at time.Time) string {
	if p := s.pools.Load(); p != nil {
		return (*p).without(o.Codes, at)
	}
	return ""
}

// codeRoutes registers the routes of pools and codes.
func (s *Service) codeRoutes(a huma.API) {
	definitions.Routes(a, s.codePools, definitions.RouteOptions{Tag: "Code pools", Singular: "code pool"})

	type poolInput struct {
		Key string `path:"key" maxLength:"128" doc:"Key of a code pool"`
	}
	type standingOutput struct{ Body CodePoolStanding }
	read := huma.Operation{
		OperationID: "code-pool-standing", Method: http.MethodGet, Path: "/v1/code-pools/{key}/standing", Tags: []string{"Code pools"},
		Summary: "How many codes of a pool are left", Errors: []int{401, 403, 404},
	}
	api.Require(api.ScopeRead)(&read)
	huma.Register(a, read, func(ctx context.Context, in *poolInput) (*standingOutput, error) {
		if _, ok := s.codePools.Get(in.Key); !ok {
			return nil, problem.NotFound("code pool", problem.Clip(in.Key))
		}
		standing, err := s.poolStanding(ctx, in.Key)
		return &standingOutput{standing}, err
	})

	type codesInput struct {
		Key  string `path:"key" maxLength:"128" doc:"Key of a code pool"`
		Body struct {
			Codes []string `json:"codes" minItems:"1" maxItems:"10000" nullable:"false"`
		}
	}
	type addedOutput struct {
		Body struct {
			Added int64 `json:"added" doc:"Codes that the pool did not have"`
		}
	}
	add := huma.Operation{
		OperationID: "add-codes", Method: http.MethodPost, Path: "/v1/code-pools/{key}/codes", Tags: []string{"Code pools"},
		Summary: "Put codes into a pool", Description: "Codes that the pool has are left as they are, so that a call can be repeated.",
		Errors: []int{401, 403, 404, 413, 422}, MaxBodyBytes: 2 << 20,
	}
	api.Require(api.ScopeDefine)(&add)
	huma.Register(a, add, func(ctx context.Context, in *codesInput) (*addedOutput, error) {
		n, err := s.addCodes(ctx, in.Key, in.Body.Codes)
		out := new(addedOutput)
		out.Body.Added = n
		return out, err
	})

	type decisionInput struct {
		ID string `path:"id" minLength:"26" maxLength:"26" doc:"Decision id"`
	}
	type codeOutput struct {
		Body struct {
			Code string `json:"code" doc:"The code; the same whenever it is asked for"`
			Pool string `json:"pool"`
		}
	}
	take := huma.Operation{
		OperationID: "take-code", Method: http.MethodPost, Path: "/v1/decisions/{id}/code", Tags: []string{"Decisions"},
		Summary: "Hand out the promo code of a decision", Description: "For those who show the offer themselves; messages get theirs when they are sent.",
		Errors: []int{401, 403, 404, 409, 422},
	}
	api.Require(api.ScopeDecide)(&take)
	huma.Register(a, take, func(ctx context.Context, in *decisionInput) (*codeOutput, error) {
		rec, err := s.Find(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		offer, _ := s.offers.Get(rec.Offer)
		if !rec.Eligible || rec.Policy == policyExternal || offer.Value.Codes == "" {
			return nil, problem.Conflict("The decision has no offer with codes.")
		}
		code, err := s.Code(ctx, in.ID, rec.Offer)
		if errors.Is(err, ErrNoCode) {
			return nil, problem.Conflict("No code of the pool " + offer.Value.Codes + " can be handed out: it is empty, or has ended.")
		}
		out := new(codeOutput)
		out.Body.Code, out.Body.Pool = code, offer.Value.Codes
		return out, err
	})
}
