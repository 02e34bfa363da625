package quality

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
)

// Routes registers /v1/sources, /v1/event-schemas and /v1/quarantine.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.schemas.definitions, definitions.RouteOptions{Tag: "Event schemas", Singular: "event schema"})
	s.sourceRoutes(srv.API)
	s.quarantineRoutes(srv.API)
}

func operation(id, method, path, tag, summary, description string, scope api.Scope, errors ...int) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Description: description, DefaultStatus: http.StatusOK,
		Errors: append([]int{401, 403, 422}, errors...),
	}
	api.Require(scope)(&op)
	return op
}

// defaultDays is the window of fields and scores.
const defaultDays = 30

// window is the days from and to, the last ones when absent.
func (s *Service) window(from, to string) (first, last time.Time, err error) {
	var bad problem.Invalid
	last = s.now().UTC().Truncate(24 * time.Hour)
	parse := func(name, text string, into *time.Time) {
		if text == "" {
			return
		}
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			bad.Add("query."+name, "must be a day such as 2026-03-01", problem.Clip(text))
			return
		}
		*into = at
	}
	parse("to", to, &last)
	first = last.AddDate(0, 0, 1-defaultDays)
	parse("from", from, &first)
	if len(bad) == 0 && (last.Before(first) || last.Sub(first) > (maxScoreDays-1)*24*time.Hour || first.Year() < 2000 || last.Year() > 2200) {
		bad.Add("query.to", "must be 0 to 399 days after from", problem.Clip(to))
	}
	return first, last, bad.Err()
}

// decodedID is the id of a source in a path: some routers leave the colon of
// webhook: escaped.
func decodedID(id string) string {
	if plain, err := url.PathUnescape(id); err == nil {
		return plain
	}
	return id
}

func (s *Service) sourceRoutes(a huma.API) {
	const tag = "Data quality"
	type sourcesOutput struct {
		Body struct {
			Items []Source `json:"items" nullable:"false"`
		}
	}
	huma.Register(a, operation("list-sources", http.MethodGet, "/v1/sources", tag, "How each source does",
		"Volume, freshness, lag, today's refusals, score and problems of everything that has sent events in the last five weeks.", api.ScopeRead),
		func(ctx context.Context, _ *struct{}) (*sourcesOutput, error) {
			out := new(sourcesOutput)
			var err error
			out.Body.Items, err = s.Sources(ctx)
			return out, err
		})

	type fieldsInput struct {
		ID     string `path:"id" maxLength:"200"`
		Event  string `query:"event" maxLength:"256" doc:"This event only, with an example of each field"`
		From   string `query:"from" maxLength:"10" doc:"First day of receipt, UTC; 30 days when absent"`
		To     string `query:"to" maxLength:"10" doc:"Last day; today when absent"`
		Offset int    `query:"offset" minimum:"0" maximum:"200000"`
		Limit  int    `query:"limit" default:"500" minimum:"1" maximum:"1000"`
	}
	type fieldsOutput struct {
		Body struct {
			Items []FieldQuality `json:"items" nullable:"false" doc:"By event and field"`
			More  bool           `json:"more" doc:"There are more behind offset and limit"`
		}
	}
	fields := operation("list-source-fields", http.MethodGet, "/v1/sources/{id}/fields", tag, "What was seen of each field of a source",
		"Fill rate, types, formats, validity, distinct values, first and last time. Counts are exact; distinct values are estimated.", api.ScopeRead)
	api.Personal(&fields) // an example may be personal without looking so
	huma.Register(a, fields, func(ctx context.Context, in *fieldsInput) (*fieldsOutput, error) {
		from, to, err := s.window(in.From, in.To)
		if err != nil {
			return nil, err
		}
		out := new(fieldsOutput)
		items, err := s.Fields(ctx, FieldQuery{Source: decodedID(in.ID), Event: in.Event, From: from, To: to, Offset: in.Offset, Limit: in.Limit + 1}, api.MaskFrom(ctx))
		if err != nil {
			return nil, err
		}
		out.Body.More = len(items) > in.Limit
		out.Body.Items = items[:min(len(items), in.Limit)]
		return out, nil
	})

	type scoresInput struct {
		ID   string `path:"id" maxLength:"200"`
		From string `query:"from" maxLength:"10" doc:"First day, UTC; 30 days when absent"`
		To   string `query:"to" maxLength:"10" doc:"Last day; today when absent"`
	}
	type scoresOutput struct {
		Body struct {
			Items []DayScore `json:"items" nullable:"false" doc:"Oldest first; a day without events has none"`
		}
	}
	huma.Register(a, operation("list-source-scores", http.MethodGet, "/v1/sources/{id}/scores", tag, "The scores of a source by day", "", api.ScopeRead),
		func(ctx context.Context, in *scoresInput) (*scoresOutput, error) {
			from, to, err := s.window(in.From, in.To)
			if err != nil {
				return nil, err
			}
			out := new(scoresOutput)
			out.Body.Items, err = s.Scores(ctx, decodedID(in.ID), from, to)
			return out, err
		})

	type computeInput struct {
		Body struct {
			From string `json:"from" format:"date"`
			To   string `json:"to" format:"date"`
		}
	}
	type computeOutput struct {
		Body struct {
			Written int `json:"written" doc:"Scores, one for each source and day with events"`
		}
	}
	compute := operation("compute-source-scores", http.MethodPost, "/v1/source-scores/compute", tag, "Compute the scores of some days again",
		"By the counts and schemas as they are now. Scores of today and yesterday are computed every five minutes anyway.", api.ScopeDefine)
	api.Deadline(10 * time.Minute)(&compute)
	huma.Register(a, compute, func(ctx context.Context, in *computeInput) (*computeOutput, error) {
		from, to, err := s.window(in.Body.From, in.Body.To)
		if err != nil {
			return nil, err
		}
		if err := s.Flush(ctx); err != nil {
			return nil, err
		}
		out := new(computeOutput)
		out.Body.Written, err = s.Score(ctx, from, to)
		return out, err
	})
}

func (s *Service) quarantineRoutes(a huma.API) {
	const tag = "Quarantine"
	type listInput struct {
		QuarantineFilter
		Before string `query:"before" maxLength:"300" doc:"Where the page begins; the next of the page before"`
		Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	type listOutput struct {
		Body struct {
			Items []Quarantined `json:"items" nullable:"false" doc:"Newest first, without bodies"`
			Next  string        `json:"next" doc:"Pass as before to read on; empty at the end"`
		}
	}
	list := operation("list-quarantine", http.MethodGet, "/v1/quarantine", tag, "List what was refused",
		"Messages that break a rule, items of webhooks that do not fit their mapping, and records of the stream that cannot be decoded.", api.ScopeRead)
	api.Personal(&list) // broken rules repeat values
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		if out.Body.Items, out.Body.Next, err = s.quarantine.list(ctx, &in.QuarantineFilter, in.Before, in.Limit); err != nil {
			return nil, err
		}
		if api.MaskFrom(ctx) != nil {
			for i := range out.Body.Items {
				out.Body.Items[i].hide()
			}
		}
		return out, nil
	})

	type getInput struct {
		ID string `path:"id" maxLength:"200"`
	}
	type getOutput struct{ Body *Quarantined }
	get := operation("get-quarantined", http.MethodGet, "/v1/quarantine/{id}", tag, "Read one item with its body", "", api.ScopeRead, 404)
	api.Personal(&get)
	huma.Register(a, get, func(ctx context.Context, in *getInput) (*getOutput, error) {
		item, err := s.quarantine.get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if api.MaskFrom(ctx) != nil {
			item.hide()
		}
		return &getOutput{item}, nil
	})

	type replayInput struct{ Body ReplayRequest }
	type replayOutput struct{ Body *ReplayResult }
	replay := operation("replay-quarantine", http.MethodPost, "/v1/quarantine/replay", tag, "Correct items and take them in",
		"Each item is changed by the patch and taken in as if it had come when it was refused: with that time and its own messageId, so that it counts once however often this is called. An item of a webhook is mapped by the definition as it is now. What still breaks a rule stays.", api.ScopeDefine, 429, 503)
	api.Deadline(time.Minute)(&replay)
	huma.Register(a, replay, func(ctx context.Context, in *replayInput) (*replayOutput, error) {
		out, err := s.Replay(ctx, &in.Body, api.By(ctx))
		if err == nil && api.MaskFrom(ctx) != nil {
			for i := range out.Items {
				for n := range out.Items[i].Errors {
					out.Items[i].Errors[n].Value = nil
				}
			}
		}
		return &replayOutput{out}, err
	})

	type discardInput struct{ Body Selection }
	type discardOutput struct{ Body *DiscardResult }
	huma.Register(a, operation("discard-quarantine", http.MethodPost, "/v1/quarantine/discard", tag, "Settle items without taking them in",
		"What they hold is removed; that they were there stays listed for 30 days.", api.ScopeDefine),
		func(ctx context.Context, in *discardInput) (*discardOutput, error) {
			out, err := s.Discard(ctx, &in.Body, api.By(ctx))
			return &discardOutput{out}, err
		})
}

// Names in the OpenAPI document, where the types of all packages stand side by side.

// SchemaName is the type's name in the OpenAPI document.
func (Schema) SchemaName() string { return "EventSchema" }

// SchemaName is the type's name in the OpenAPI document.
func (SchemaField) SchemaName() string { return "EventSchemaField" }

// SchemaName is the type's name in the OpenAPI document.
func (Source) SchemaName() string { return "EventSource" }

// SchemaName is the type's name in the OpenAPI document.
func (Volume) SchemaName() string { return "SourceVolume" }

// SchemaName is the type's name in the OpenAPI document.
func (Lag) SchemaName() string { return "SourceLag" }

// SchemaName is the type's name in the OpenAPI document.
func (Anomaly) SchemaName() string { return "SourceAnomaly" }

// SchemaName is the type's name in the OpenAPI document.
func (Problem) SchemaName() string { return "SourceProblem" }

// SchemaName is the type's name in the OpenAPI document.
func (DayScore) SchemaName() string { return "SourceScore" }

// SchemaName is the type's name in the OpenAPI document.
func (Selection) SchemaName() string { return "QuarantineSelection" }

// SchemaName is the type's name in the OpenAPI document.
func (DiscardResult) SchemaName() string { return "QuarantineDiscardResult" }

// SchemaName is the type's name in the OpenAPI document.
func (Replayed) SchemaName() string { return "QuarantineReplayed" }

// SchemaName is the type's name in the OpenAPI document.
func (ReplayRequest) SchemaName() string { return "QuarantineReplayRequest" }

// SchemaName is the type's name in the OpenAPI document.
func (ReplayResult) SchemaName() string { return "QuarantineReplayResult" }
