package profiles

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"

	"quintet/internal/api"
	"quintet/internal/problem"
)

// ImportJob is one file that is being brought in. The file and the way it is
// read are recognised by their hashes, so that whoever imports the same file
// again goes on where the first attempt stopped.
type ImportJob struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind" doc:"What the file holds: hillstrom, profiles, events, items"`
	FileHash    string     `json:"fileHash" doc:"SHA-256 of the file, hexadecimal"`
	MappingHash string     `json:"mappingHash" doc:"SHA-256 of the mapping, hexadecimal"`
	Name        string     `json:"name" doc:"Name of the file"`
	Status      string     `json:"status" enum:"running,complete,failed,cancelled"`
	RowsTotal   int64      `json:"rowsTotal" doc:"0 while the rows of an upload are not counted yet"`
	RowsDone    int64      `json:"rowsDone" doc:"Rows of the file that are dealt with: accepted or rejected"`
	Accepted    int64      `json:"accepted" doc:"Rows that were stored"`
	Rejected    int64      `json:"rejected" doc:"Rows that break a rule"`
	Error       string     `json:"error,omitempty"`
	CreatedBy   string     `json:"createdBy"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
	CompletedAt *time.Time `json:"completedAt,omitempty"`
}

// ImportStart begins a job, or finds the one that there is.
type ImportStart struct {
	Kind        string `json:"kind" enum:"hillstrom,profiles,events,items"`
	FileHash    string `json:"fileHash" pattern:"^[0-9a-f]{64}$"`
	MappingHash string `json:"mappingHash" pattern:"^[0-9a-f]{64}$"`
	Name        string `json:"name" maxLength:"500"`
	RowsTotal   int64  `json:"rowsTotal" minimum:"0"`
	Restart     bool   `json:"restart,omitempty" doc:"Begin again from the first row, also where the job is complete"`
}

// ImportProgress moves a job on.
type ImportProgress struct {
	RowsDone int64  `json:"rowsDone" minimum:"0" doc:"Never less than before"`
	Accepted int64  `json:"accepted" minimum:"0"`
	Rejected int64  `json:"rejected" minimum:"0"`
	Status   string `json:"status" enum:"running,complete,failed"`
	Error    string `json:"error,omitempty" maxLength:"2000"`
}

const importColumns = `import_id, kind, file_hash, mapping_hash, name, status, rows_total, rows_done, accepted, rejected, error,
	created_by, created_at, updated_at, completed_at`

func scanImport(row pgx.Row) (*ImportJob, error) {
	j := new(ImportJob)
	err := row.Scan(&j.ID, &j.Kind, &j.FileHash, &j.MappingHash, &j.Name, &j.Status, &j.RowsTotal, &j.RowsDone, &j.Accepted, &j.Rejected,
		&j.Error, &j.CreatedBy, &j.CreatedAt, &j.UpdatedAt, &j.CompletedAt)
	return j, err
}

func (s *Service) importRoutes(a huma.API) {
	type startInput struct{ Body ImportStart }
	type progressInput struct {
		ID   string `path:"id" maxLength:"26"`
		Body ImportProgress
	}
	type jobOutput struct{ Body *ImportJob }
	type listInput struct {
		After string `query:"after" maxLength:"26" doc:"The next of the page before"`
		Limit int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	}
	type listOutput struct {
		Body struct {
			Items []*ImportJob `json:"items" nullable:"false"`
			Next  string       `json:"next" doc:"Pass as after to read on; empty at the end"`
		}
	}
	start := huma.Operation{
		OperationID: "start-import", Method: http.MethodPost, Path: "/v1/imports", Tags: []string{"Imports"}, DefaultStatus: http.StatusOK,
		Summary: "Begin to import a file, or find how far it got", Errors: []int{400, 401, 403, 422},
	}
	api.Require(api.ScopeIngest)(&start)
	huma.Register(a, start, func(ctx context.Context, in *startInput) (*jobOutput, error) {
		j, err := s.StartImport(ctx, in.Body, api.By(ctx))
		return &jobOutput{j}, err
	})
	progress := huma.Operation{
		OperationID: "update-import", Method: http.MethodPatch, Path: "/v1/imports/{id}", Tags: []string{"Imports"},
		Summary: "Say how far an import got", Errors: []int{400, 401, 403, 404, 409, 422},
	}
	api.Require(api.ScopeIngest)(&progress)
	api.Query(&progress) // several a second, and what they change is the import's own progress
	huma.Register(a, progress, func(ctx context.Context, in *progressInput) (*jobOutput, error) {
		j, err := s.UpdateImport(ctx, in.ID, in.Body)
		return &jobOutput{j}, err
	})
	list := huma.Operation{
		OperationID: "list-imports", Method: http.MethodGet, Path: "/v1/imports", Tags: []string{"Imports"},
		Summary: "List imports, newest first", Errors: []int{401, 403, 422},
	}
	api.Require(api.ScopeRead)(&list)
	huma.Register(a, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		out := new(listOutput)
		var err error
		out.Body.Items, out.Body.Next, err = s.ListImports(ctx, in.After, in.Limit)
		return out, err
	})
}

// StartImport begins a job or returns the one of the same file and mapping.
func (s *Service) StartImport(ctx context.Context, in ImportStart, by string) (*ImportJob, error) {
	j, err := scanImport(s.postgres.QueryRow(ctx, `
		INSERT INTO import_jobs AS j (import_id, kind, file_hash, mapping_hash, name, status, rows_total, created_by)
		VALUES ($1, $2, $3, $4, $5, 'running', $6, $7)
		ON CONFLICT (kind, file_hash, mapping_hash) DO UPDATE SET
		  name = excluded.name, updated_at = now(),
		  rows_total = CASE WHEN excluded.rows_total = 0 THEN j.rows_total ELSE excluded.rows_total END,
		  status = CASE WHEN $8 OR j.status IN ('failed', 'cancelled') THEN 'running' ELSE j.status END,
		  error = CASE WHEN $8 OR j.status IN ('failed', 'cancelled') THEN '' ELSE j.error END,
		  rows_done = CASE WHEN $8 THEN 0 ELSE j.rows_done END,
		  accepted = CASE WHEN $8 THEN 0 ELSE j.accepted END,
		  rejected = CASE WHEN $8 THEN 0 ELSE j.rejected END,
		  completed_at = CASE WHEN $8 THEN NULL ELSE j.completed_at END
		RETURNING `+importColumns, ulid.Make().String(), in.Kind, in.FileHash, in.MappingHash, in.Name, in.RowsTotal, by, in.Restart))
	if err != nil {
		return nil, fmt.Errorf("starting the import of %q: %w", in.Name, err)
	}
	return j, nil
}

// UpdateImport moves a job on. A number of rows below the known one is a
// conflict: somebody else is importing the same file.
func (s *Service) UpdateImport(ctx context.Context, id string, in ImportProgress) (*ImportJob, error) {
	j, err := scanImport(s.postgres.QueryRow(ctx, `
		UPDATE import_jobs SET rows_done = $2, accepted = $3, rejected = $4, status = $5, error = $6, updated_at = now(),
		  completed_at = CASE WHEN $5 = 'complete' THEN now() END
		WHERE import_id = $1 AND rows_done <= $2 AND $2 <= rows_total RETURNING `+importColumns,
		id, in.RowsDone, in.Accepted, in.Rejected, in.Status, in.Error))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, s.whyNotUpdated(ctx, id, in)
	}
	if err != nil {
		return nil, fmt.Errorf("updating import %s: %w", id, err)
	}
	return j, nil
}

func (s *Service) whyNotUpdated(ctx context.Context, id string, in ImportProgress) error {
	j, err := s.GetImport(ctx, id)
	switch {
	case err != nil:
		return err
	case in.RowsDone > j.RowsTotal:
		return problem.Invalid{{Field: "rowsDone", Rule: "must not be above rowsTotal, " + strconv.FormatInt(j.RowsTotal, 10), Value: in.RowsDone}}
	}
	return problem.Conflict(fmt.Sprintf("The import is at row %d already: it runs somewhere else, too.", j.RowsDone))
}

// GetImport returns one job.
func (s *Service) GetImport(ctx context.Context, id string) (*ImportJob, error) {
	if strings.ContainsRune(id, 0) {
		return nil, problem.NotFound("import", id)
	}
	j, err := scanImport(s.postgres.QueryRow(ctx, `SELECT `+importColumns+` FROM import_jobs WHERE import_id = $1`, id))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, problem.NotFound("import", id)
	case err != nil:
		return nil, fmt.Errorf("reading import %s: %w", id, err)
	}
	return j, nil
}

// ListImports returns jobs, newest first, and the cursor of the next page.
func (s *Service) ListImports(ctx context.Context, after string, limit int) ([]*ImportJob, string, error) {
	rows, err := s.postgres.Query(ctx, `SELECT `+importColumns+` FROM import_jobs WHERE $1 = '' OR import_id < $1
		ORDER BY import_id DESC LIMIT $2`, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing imports: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*ImportJob, error) { return scanImport(row) })
	if err != nil {
		return nil, "", fmt.Errorf("listing imports: %w", err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	return list[:limit], list[limit-1].ID, nil
}
