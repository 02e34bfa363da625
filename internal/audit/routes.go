package audit

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"quintet/internal/api"
)

// Entry is a line of the log as the API shows it.
type Entry struct {
	ID        int64     `json:"id"`
	At        time.Time `json:"at"`
	Actor     string    `json:"actor" doc:"key:<id>, user:<name> or anonymous"`
	ActorName string    `json:"actorName"`
	Operation string    `json:"operation" doc:"Operation id of the OpenAPI document"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Status    int       `json:"status" doc:"HTTP status of the answer"`
	Personal  bool      `json:"personal" doc:"True: personal data was shown; false: something was to be changed"`
	RequestID string    `json:"requestId"`
	Address   string    `json:"address"`
}

// SchemaName is the type's name in the OpenAPI document.
func (Entry) SchemaName() string { return "AuditEntry" }

// Query narrows the log down; zero values do not.
type Query struct {
	Actor    string
	Path     string // its beginning
	Personal string // "true" or "false"
	From, To time.Time
	Before   int64 // id before which the page begins
	Limit    int
}

// Routes registers GET /v1/audit.
func (l *Log) Routes(srv *api.Server) {
	type input struct {
		Actor    string    `query:"actor" maxLength:"300" doc:"key:<id> or user:<name>"`
		Path     string    `query:"path" maxLength:"200" doc:"Beginning of the path, such as /v1/profiles/"`
		Personal string    `query:"personal" enum:"true,false" doc:"true: only looks at personal data; false: only changes"`
		From     time.Time `query:"from"`
		To       time.Time `query:"to"`
		Before   int64     `query:"before" minimum:"0" doc:"The next of the page before"`
		Limit    int       `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type output struct {
		Body struct {
			Items []Entry `json:"items" nullable:"false" doc:"Newest first"`
			Next  int64   `json:"next" doc:"Pass as before to read on; 0 at the end"`
		}
	}
	op := huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Tags: []string{"Audit"},
		Summary: "Who changed what, and who looked at personal data", Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeAdmin)(&op)
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*output, error) {
		list, err := l.List(ctx, Query{in.Actor, in.Path, in.Personal, in.From, in.To, in.Before, in.Limit + 1})
		if err != nil {
			return nil, err
		}
		out := new(output)
		if len(list) > in.Limit {
			list = list[:in.Limit]
			out.Body.Next = list[in.Limit-1].ID
		}
		out.Body.Items = list
		return out, nil
	})
}

// List returns entries, newest first.
func (l *Log) List(ctx context.Context, q Query) ([]Entry, error) {
	var from, to *time.Time
	if !q.From.IsZero() {
		from = &q.From
	}
	if !q.To.IsZero() {
		to = &q.To
	}
	like := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.Path) + "%"
	rows, err := l.pool.Query(ctx, `SELECT id, at, actor, actor_name, operation, method, path, status, personal, request_id, address
		FROM audit_log WHERE ($1 = '' OR actor = $1) AND ($2 = '%' OR left(path, 200) LIKE $2) AND ($3 = '' OR personal = ($3 = 'true'))
		AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) AND ($6 = 0 OR id < $6)
		ORDER BY id DESC LIMIT $7`, q.Actor, like, q.Personal, from, to, q.Before, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Entry])
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	if list == nil {
		list = []Entry{}
	}
	return list, nil
}
