package delivery

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"quintet/internal/api"
)

// DeadAddress is an address of a channel to which nothing goes any more. The address
// itself is known by a keyed hash only.
type DeadAddress struct {
	ProfileID string    `json:"profileId" doc:"Whose it was"`
	Channel   string    `json:"channel"`
	At        time.Time `json:"at"`
	Delivery  string    `json:"delivery,omitempty" doc:"The message that told of it"`
	Step      int       `json:"step"`
	Evidence  string    `json:"evidence,omitempty" doc:"What the provider said"`
}

func (s *Service) deadRoutes(srv *api.Server) {
	type input struct {
		Key    string    `path:"key" maxLength:"64"`
		Before time.Time `query:"before" doc:"Moment before which the page begins: at of the last of the page before"`
		Limit  int       `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	type output struct {
		Body struct {
			Items []DeadAddress `json:"items" nullable:"false"`
		}
	}
	op := operation(http.MethodGet, "list-dead-addresses", "/v1/channels/{key}/dead-addresses", "List addresses that are used no more, with what told of it, newest first", "Channels", api.ScopeRead)
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*output, error) {
		before := in.Before
		if before.IsZero() {
			before = s.now().Add(time.Hour)
		}
		rows, err := s.pool.Query(ctx, `SELECT profile_id, channel, at, delivery, step, evidence FROM delivery_dead WHERE channel = $1 AND at < $2 ORDER BY at DESC LIMIT $3`, in.Key, before, in.Limit)
		if err != nil {
			return nil, fmt.Errorf("listing dead addresses: %w", err)
		}
		out := new(output)
		if out.Body.Items, err = pgx.CollectRows(rows, pgx.RowToStructByPos[DeadAddress]); err != nil {
			return nil, fmt.Errorf("listing dead addresses: %w", err)
		}
		return out, nil
	})
}
