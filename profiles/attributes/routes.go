package attributes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/identity"
	"quintet/profiles/lifecycle"
)

// LifecycleBody is the table of the lifecycle with its history's facts.
type LifecycleBody struct {
	Version     int64           `json:"version" readOnly:"true" doc:"0 for the table of a new installation"`
	UpdatedAt   *time.Time      `json:"updatedAt,omitempty" readOnly:"true"`
	UpdatedBy   string          `json:"updatedBy,omitempty" readOnly:"true"`
	Unreachable []string        `json:"unreachable" readOnly:"true" nullable:"false" doc:"RFM segments that no code has, because earlier boxes hold all of theirs"`
	Facts       []LifecycleFact `json:"facts" readOnly:"true" nullable:"false" doc:"What conditions can be about"`
	lifecycle.Table
}

// LifecycleFact is a number that conditions can be about.
type LifecycleFact struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Routes registers /v1/attributes and /v1/lifecycle, and the attributes of one
// profile.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.definitions, definitions.RouteOptions{Tag: "Attributes", Singular: "attribute"})
	s.attributeRoutes(srv.API)
	s.tableRoutes(srv.API)
	s.lifecycleRoutes(srv.API)
}

func operation(id, method, path, tag, summary string, scope api.Scope, errors ...int) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Errors: append([]int{401, 403}, errors...)}
	api.Require(scope)(&op)
	return op
}

// flushPatience bounds the wait of a run that somebody asked for.
const flushPatience = 30 * time.Second

func (s *Service) attributeRoutes(a huma.API) {
	type listOutput struct {
		Body struct {
			Items []BuiltIn `json:"items" nullable:"false"`
		}
	}
	huma.Register(a, operation("list-built-in-attributes", http.MethodGet, "/v1/attribute-catalogue", "Attributes", "List the attributes that are always computed", api.ScopeRead),
		func(context.Context, *struct{}) (*listOutput, error) {
			out := new(listOutput)
			out.Body.Items = BuiltIns()
			return out, nil
		})

	type statusOutput struct{ Body *Status }
	huma.Register(a, operation("get-attribute-status", http.MethodGet, "/v1/attribute-status", "Attributes", "How the last computation went", api.ScopeRead, 503),
		func(context.Context, *struct{}) (*statusOutput, error) {
			status := s.Status()
			if status == nil {
				return nil, notComputed()
			}
			return &statusOutput{status}, nil
		})

	type runOutput struct{ Body *Status }
	run := operation("compute-attributes", http.MethodPost, "/v1/attribute-status/compute", "Attributes", "Compute everybody now", api.ScopeAdmin, 503)
	run.Description = "Counts everything that was acknowledged before, and answers when it is done. Runs that the service makes by itself go on as before."
	api.Deadline(runDeadline)(&run)
	huma.Register(a, run, func(ctx context.Context, _ *struct{}) (*runOutput, error) {
		flushing, cancel := context.WithTimeout(ctx, flushPatience)
		err := s.profiles.Flush(flushing)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("waiting until ClickHouse has every event: %w", err)
		}
		if err := s.Compute(ctx); err != nil {
			return nil, err
		}
		return &runOutput{s.Status()}, nil
	})

	type historyInput struct {
		ID    string `path:"id" doc:"Profile id, or namespace:value such as userId:u42" maxLength:"600"`
		Limit int    `query:"limit" default:"20" minimum:"1" maximum:"200"`
	}
	type historyOutput struct{ Body *PersonAttributes }
	huma.Register(a, operation("get-profile-attributes", http.MethodGet, "/v1/profiles/{id}/attributes", "Attributes", "Attributes of one person, with their history", api.ScopeRead, 404, 422),
		func(ctx context.Context, in *historyInput) (*historyOutput, error) {
			p, err := s.Person(ctx, in.ID, in.Limit)
			if err != nil {
				return nil, err
			}
			return &historyOutput{p}, nil
		})
}

func notComputed() error {
	return &problem.Error{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Detail: "Attributes have not been computed since the service was started."}
}

// PersonAttributes are what is computed of one person.
type PersonAttributes struct {
	PersonID   string           `json:"personId"`
	Attributes map[string]any   `json:"attributes"`
	History    []PastAttributes `json:"history" nullable:"false" doc:"Newest first"`
}

// PastAttributes are the attributes as they were from a moment on.
type PastAttributes struct {
	ComputedAt time.Time      `json:"computedAt"`
	Attributes map[string]any `json:"attributes"`
}

// Person reads the attributes of one person by profile id or "namespace:value".
func (s *Service) Person(ctx context.Context, text string, limit int) (*PersonAttributes, error) {
	if decoded, err := url.PathUnescape(text); err == nil {
		text = decoded
	}
	id, ok := identity.ParseID(text)
	if !ok {
		identifier, err := identity.Parse(text)
		if err != nil {
			return nil, problem.NotFound("profile", text)
		}
		view, found := s.profiles.Store().Lookup([]identity.Identifier{identifier})
		if !found {
			return nil, problem.NotFound("profile", text)
		}
		id, _ = identity.ParseID(view.ID)
	}
	view, ok := s.profiles.Store().GetPerson(id)
	if !ok {
		return nil, problem.NotFound("profile", text)
	}
	p := &PersonAttributes{PersonID: view.Person, Attributes: view.Attributes, History: []PastAttributes{}}
	if p.Attributes == nil {
		p.Attributes = map[string]any{}
	}
	rows, err := s.db.Read.Query(ctx, "SELECT computed_at, attributes FROM profile_attributes FINAL WHERE person_id = ? ORDER BY computed_at DESC LIMIT "+strconv.Itoa(limit), p.PersonID)
	if err != nil {
		return nil, fmt.Errorf("reading the history of attributes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var v PastAttributes
		var encoded string
		if err := rows.Scan(&v.ComputedAt, &encoded); err != nil {
			return nil, fmt.Errorf("reading the history of attributes: %w", err)
		}
		if err := json.Unmarshal([]byte(encoded), &v.Attributes); err != nil {
			return nil, fmt.Errorf("reading the history of attributes: %w", err)
		}
		p.History = append(p.History, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the history of attributes: %w", err)
	}
	if len(p.History) > 0 {
		// Memory is newer, but has not all of it.
		all := maps.Clone(p.History[0].Attributes)
		passed(all, s.now().Sub(p.History[0].ComputedAt))
		maps.Copy(all, p.Attributes)
		p.Attributes = all
	}
	return p, nil
}

func (s *Service) tableRoutes(a huma.API) {
	type output struct {
		ETag string `header:"ETag" doc:"The version"`
		Body *LifecycleBody
	}
	type input struct {
		IfMatch string `header:"If-Match" doc:"Version that is to be replaced, as ETag gave it; otherwise 412"`
		Body    *LifecycleBody
	}
	const path = "/v1/lifecycle"
	answer := func() *output {
		body := s.lifecycleBody()
		return &output{ETag: fmt.Sprintf("%q", strconv.FormatInt(body.Version, 10)), Body: body}
	}
	huma.Register(a, operation("get-lifecycle", http.MethodGet, path, "Lifecycle", "Read the table of stages, segments, losses and RFM", api.ScopeRead),
		func(context.Context, *struct{}) (*output, error) { return answer(), nil })
	put := operation("put-lifecycle", http.MethodPut, path, "Lifecycle", "Replace the table of stages, segments, losses and RFM", api.ScopeAdmin, 400, 412, 413, 422)
	put.Description = "A part that is left out gets the default. Everybody is judged anew within moments."
	huma.Register(a, put, func(ctx context.Context, in *input) (*output, error) {
		version, err := expectedVersion(in.IfMatch)
		if err != nil {
			return nil, err
		}
		if _, err := s.table.Put(ctx, tableKey, in.Body.Table, api.By(ctx), version); err != nil {
			return nil, err
		}
		return answer(), nil
	})
}

func (s *Service) lifecycleBody() *LifecycleBody {
	v, there := s.table.Get(tableKey)
	body := &LifecycleBody{Version: v.Version, UpdatedBy: v.UpdatedBy, Table: s.Table()}
	if there {
		body.UpdatedAt = &v.UpdatedAt
	}
	body.Unreachable = body.RFM.Unreachable()
	for _, f := range lifecycle.FactNames() {
		body.Facts = append(body.Facts, LifecycleFact{string(f), lifecycle.Describe(f)})
	}
	return body
}

// expectedVersion reads the version of an If-Match header; 0 for any.
func expectedVersion(ifMatch string) (int64, error) {
	if ifMatch == "" || ifMatch == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(ifMatch, "W/"), `"`), 10, 64)
	if err != nil || version < 0 {
		return 0, problem.Invalid{{Field: "header.If-Match", Rule: `must be an ETag of this route, such as "3"`, Value: ifMatch}}
	}
	if version == 0 {
		return -1, nil // nothing was written yet
	}
	return version, nil
}

func (s *Service) lifecycleRoutes(a huma.API) {
	type boardInput struct {
		At time.Time `query:"at" doc:"Of this moment, computed from the events up to then; of the last computation unless given"`
	}
	boardOf := func(ctx context.Context, at time.Time) (*Board, error) {
		if !at.IsZero() {
			return s.BoardAt(ctx, at)
		}
		if b := s.board.Load(); b != nil {
			return b, nil
		}
		return nil, notComputed()
	}
	type boardOutput struct{ Body *Board }
	board := operation("get-lifecycle-board", http.MethodGet, "/v1/lifecycle/board", "Lifecycle", "How many people stand where, with their spend", api.ScopeRead, 422, 503)
	api.Deadline(matrixDeadline)(&board)
	huma.Register(a, board, func(ctx context.Context, in *boardInput) (*boardOutput, error) {
		b, err := boardOf(ctx, in.At)
		if err != nil {
			return nil, err
		}
		return &boardOutput{b}, nil
	})

	type rfmOutput struct{ Body *RFMGrid }
	rfm := operation("get-lifecycle-rfm", http.MethodGet, "/v1/lifecycle/rfm", "Lifecycle", "Customers and spend by RFM code", api.ScopeRead, 422, 503)
	api.Deadline(matrixDeadline)(&rfm)
	huma.Register(a, rfm, func(ctx context.Context, in *boardInput) (*rfmOutput, error) {
		b, err := boardOf(ctx, in.At)
		if err != nil {
			return nil, err
		}
		return &rfmOutput{b.grid()}, nil
	})

	type matrixInput struct {
		From string `query:"from" doc:"First month, YYYY-MM; eleven months before to unless given" maxLength:"10"`
		To   string `query:"to" doc:"Last month, YYYY-MM; this month unless given" maxLength:"10"`
		By   string `query:"by" default:"segment" enum:"segment,stage,rfm"`
	}
	type matrixOutput struct{ Body *Matrix }
	op := operation("get-lifecycle-matrix", http.MethodGet, "/v1/lifecycle/matrix", "Lifecycle", "Moves between stages or segments, month by month", api.ScopeRead, 422)
	op.Description = "Computed from the events as of the ends of each month, so that months before the service was installed count too. At most 24 months."
	api.Deadline(matrixDeadline)(&op)
	huma.Register(a, op, func(ctx context.Context, in *matrixInput) (*matrixOutput, error) {
		var bad problem.Invalid
		to := parseMonth(&bad, "query.to", in.To, s.now())
		from := parseMonth(&bad, "query.from", in.From, monthOf(to).AddDate(0, -11, 0))
		if err := bad.Err(); err != nil {
			return nil, err
		}
		m, err := s.Matrix(ctx, in.By, from, to)
		if err != nil {
			return nil, err
		}
		return &matrixOutput{m}, nil
	})
}

func parseMonth(bad *problem.Invalid, field, text string, otherwise time.Time) time.Time {
	if text == "" {
		return otherwise
	}
	for _, layout := range []string{"2006-01", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	bad.Add(field, "must be a month such as 2026-11", text)
	return otherwise
}

// RFMGrid is the customers by RFM code.
type RFMGrid struct {
	ComputedAt time.Time  `json:"computedAt"`
	Customers  uint64     `json:"customers"`
	Cuts       RFMCuts    `json:"cuts"`
	Grid       []GridCell `json:"grid" nullable:"false" doc:"Recency by frequency, 25 cells"`
	Codes      []Code     `json:"codes" nullable:"false" doc:"The codes that some customer has, of 125"`
}

// GridCell is the customers of a recency and a frequency score.
type GridCell struct {
	Recency   int     `json:"recency"`
	Frequency int     `json:"frequency"`
	People    uint64  `json:"people"`
	Spend     float64 `json:"spend"`
}

func (b *Board) grid() *RFMGrid {
	g := &RFMGrid{ComputedAt: b.ComputedAt, Customers: b.Customers, Cuts: b.cuts, Codes: b.codes, Grid: make([]GridCell, 0, 25)}
	if g.Codes == nil {
		g.Codes = []Code{}
	}
	for r := 1; r <= 5; r++ {
		for f := 1; f <= 5; f++ {
			g.Grid = append(g.Grid, GridCell{Recency: r, Frequency: f})
		}
	}
	for _, c := range b.codes {
		cell := &g.Grid[(c.Recency-1)*5+c.Frequency-1]
		cell.People += c.People
		cell.Spend += c.Spend
	}
	return g
}
