package profiles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"quintet/internal/api"
	"quintet/internal/importing"
	"quintet/internal/problem"
)

const (
	uploadPath = "/v1/imports/upload"
	// maxMapping bounds a mapping, in bytes.
	maxMapping = 64 << 10
	// uploadPause is how long an upload may stand still.
	uploadPause = 30 * time.Second
)

// uploadRoutes let the server import files itself.
func (s *Service) uploadRoutes(srv *api.Server) {
	type idInput struct {
		ID string `path:"id" maxLength:"26"`
	}
	type jobOutput struct{ Body *ImportJob }
	get := huma.Operation{
		OperationID: "get-import", Method: http.MethodGet, Path: "/v1/imports/{id}", Tags: []string{"Imports"},
		Summary: "Read how far an import is", Errors: []int{401, 403, 404},
	}
	api.Require(api.ScopeRead)(&get)
	huma.Register(srv.API, get, func(ctx context.Context, in *idInput) (*jobOutput, error) {
		j, err := s.GetImport(ctx, in.ID)
		return &jobOutput{j}, err
	})
	cancel := huma.Operation{
		OperationID: "cancel-import", Method: http.MethodPost, Path: "/v1/imports/{id}/cancel", Tags: []string{"Imports"}, DefaultStatus: http.StatusOK,
		Summary: "Stop the import of an upload; the rows so far stay", Errors: []int{401, 403, 404, 409},
	}
	api.Require(api.ScopeIngest)(&cancel)
	huma.Register(srv.API, cancel, func(ctx context.Context, in *idInput) (*jobOutput, error) {
		j, err := s.CancelImport(ctx, in.ID)
		return &jobOutput{j}, err
	})
	if s.uploads == nil {
		return
	}
	guarded := srv.Router.With(srv.Require(api.ScopeIngest))
	srv.LargeBody(uploadPath, MaxUpload+maxMapping+1<<20)
	guarded.Post(uploadPath, s.serveUpload)
	query := func(name, doc string, required bool) *huma.Param {
		return &huma.Param{Name: name, In: "query", Required: required, Description: doc, Schema: &huma.Schema{Type: "string"}}
	}
	api.Document(srv.API, huma.Operation{
		OperationID: "upload-import", Method: http.MethodPost, Path: uploadPath, Tags: []string{"Imports"},
		Summary: "Upload a file and have the server import it",
		Description: "The body is the file, described by the query; or a form (multipart/form-data) with fields of these names and the file in the field file. " +
			"The answer comes when the file has arrived; GET /v1/imports/{id} tells how far it is.",
		Parameters: []*huma.Param{
			query("kind", "profiles, events or items", true), query("name", "Name of the file, which tells its format", true),
			query("format", "csv, ndjson or parquet, where the name does not tell", false), query("mapping", "The mapping as YAML or JSON", true),
			query("restart", "true begins again from the first row, also where the import is complete", false),
		},
	}, api.ScopeIngest, nil, ImportJob{})
	guarded.Get("/v1/imports/{id}/rejects", s.serveRejects)
	api.Document(srv.API, huma.Operation{
		OperationID: "get-import-rejects", Method: http.MethodGet, Path: "/v1/imports/{id}/rejects", Tags: []string{"Imports"},
		Summary: "Read the rows of an upload that were rejected, as CSV", Description: "Columns line, row, reason and content; kept for 30 days.",
		Parameters: []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}},
	}, api.ScopeIngest, nil, nil)
}

// patient extends the deadline of a connection as long as something comes.
type patient struct {
	in      io.Reader
	control *http.ResponseController
}

// Read reads a part.
func (p patient) Read(b []byte) (int, error) {
	// A writer without deadlines is a test's, whose body does not block.
	_ = p.control.SetReadDeadline(time.Now().Add(uploadPause))
	return p.in.Read(b)
}

// received is an upload on its way.
type received struct {
	kind, name, format, mapping string
	restart                     bool
	path                        string // of the file, "" before it came
	hash                        string
}

func (s *Service) serveUpload(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	r.Body = io.NopCloser(patient{r.Body, control})
	var in received
	err := s.receive(r, &in)
	if in.path != "" {
		defer os.Remove(in.path) //nolint:errcheck // it has been moved when all went well
	}
	_ = control.SetWriteDeadline(time.Now().Add(uploadPause)) // as above
	var j *ImportJob
	if err == nil {
		// The request's own deadline is for calls that are short.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), uploadPause)
		defer cancel()
		j, err = s.beginUpload(ctx, &in, api.By(r.Context()))
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	writeJSON(w, j)
}

// receive reads an upload in either form.
func (s *Service) receive(r *http.Request, in *received) error {
	if s.uploads.full() {
		return problem.TooBusy(time.Minute, fmt.Sprintf("%d uploads wait to be imported; send this one later.", maxUploads))
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/form-data" {
		return s.receiveForm(r, in)
	}
	q := r.URL.Query()
	if err := in.describe(q.Get); err != nil {
		return err
	}
	return s.spool(r.Body, in)
}

func (s *Service) receiveForm(r *http.Request, in *received) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return problem.BadRequest("The form cannot be read: " + err.Error() + ".")
	}
	fields := map[string]string{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return uploadProblem(err)
		}
		if part.FormName() == "file" {
			if in.path != "" {
				return fieldProblem("file", "must be there once")
			}
			if fields["name"] == "" {
				fields["name"] = part.FileName()
			}
			if err := s.spool(part, in); err != nil {
				return err
			}
			continue
		}
		if len(fields) > 20 {
			return fieldProblem("", "the form must not have more than 20 fields")
		}
		text, err := io.ReadAll(io.LimitReader(part, maxMapping+1))
		if err != nil {
			return uploadProblem(err)
		}
		fields[part.FormName()] = string(text)
	}
	if in.path == "" {
		return fieldProblem("file", "is required: the file itself")
	}
	return in.describe(func(name string) string { return fields[name] })
}

// describe reads what is said of a file, and checks it.
func (in *received) describe(get func(string) string) error {
	in.kind, in.format, in.mapping = get("kind"), get("format"), get("mapping")
	in.restart, _ = strconv.ParseBool(get("restart"))
	in.name = fileName(get("name"))
	var bad problem.Invalid
	switch importing.Kind(in.kind) {
	case importing.Profiles, importing.Events, importing.Items:
	default:
		bad.Add("kind", "must be one of profiles, events, items", in.kind)
	}
	if in.name == "" {
		bad.Add("name", "is required: the name of the file", nil)
	}
	if in.format == "" {
		in.format = string(importing.FormatOf(in.name))
	}
	switch importing.Format(in.format) {
	case importing.CSV, importing.NDJSON, importing.Parquet:
	default:
		bad.Add("format", "must be one of csv, ndjson, parquet; the name does not tell", in.format)
	}
	switch {
	case in.mapping == "":
		bad.Add("mapping", "is required: which column becomes which field", nil)
	case len(in.mapping) > maxMapping:
		bad.Add("mapping", fmt.Sprintf("must not be larger than %d bytes", maxMapping), len(in.mapping))
	case len(bad) == 0:
		if _, err := importing.ParseMapping([]byte(in.mapping), importing.Kind(in.kind)); err != nil {
			bad.Add("mapping", err.Error(), nil)
		}
	}
	return bad.Err()
}

// fileName is the last part of a name that a client gave, as it may be used for a
// file.
func fileName(given string) string {
	given = given[strings.LastIndexAny(given, `/\`)+1:]
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\uFFFD' {
			return -1
		}
		return c
	}, strings.ToValidUTF8(given, ""))
	for len(name) > 120 {
		name = strings.ToValidUTF8(name[len(name)-120:], "") // its end tells the format
	}
	return strings.TrimLeft(name, ". ")
}

// spool writes a file as it comes.
func (s *Service) spool(from io.Reader, in *received) error {
	if err := os.MkdirAll(s.uploads.dir, 0o700); err != nil {
		return fmt.Errorf("making room for an upload: %w", err)
	}
	file, err := os.CreateTemp(s.uploads.dir, "arriving-*")
	if err != nil {
		return fmt.Errorf("making room for an upload: %w", err)
	}
	in.path = file.Name()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, hash), io.LimitReader(from, MaxUpload+1))
	if err != nil {
		return errors.Join(uploadProblem(err), file.Close())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing an upload: %w", err)
	}
	if n > MaxUpload {
		return problem.TooLarge(MaxUpload)
	}
	in.hash = hex.EncodeToString(hash.Sum(nil))
	return nil
}

// uploadProblem is the problem of a body that did not come whole.
func uploadProblem(err error) error {
	var tooLarge *http.MaxBytesError
	var full *os.PathError
	switch {
	case errors.As(err, &tooLarge):
		return problem.TooLarge(tooLarge.Limit)
	case errors.As(err, &full):
		return fmt.Errorf("writing an upload: %w", err)
	}
	return &problem.Error{Status: http.StatusBadRequest, Detail: "The upload could not be read to its end.", Cause: err}
}

// beginUpload makes a job of a file that has arrived, or finds the one that there
// is.
func (s *Service) beginUpload(ctx context.Context, in *received, by string) (*ImportJob, error) {
	kind := importing.Kind(in.kind)
	mapping, err := importing.ParseMapping([]byte(in.mapping), kind)
	if err != nil {
		return nil, fmt.Errorf("reading a mapping that was read before: %w", err)
	}
	j, err := s.StartImport(ctx, ImportStart{Kind: in.kind, FileHash: in.hash, MappingHash: mapping.Hash(), Name: in.name, Restart: in.restart}, by)
	if err != nil {
		return nil, err
	}
	if j.Status == jobComplete || s.uploads.has(j.ID) {
		return j, nil
	}
	return j, s.uploads.keep(j.ID, in.path, upload{Kind: kind, Format: importing.Format(in.format), Name: in.name, Mapping: in.mapping})
}

func (s *Service) serveRejects(w http.ResponseWriter, r *http.Request) {
	j, err := s.GetImport(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	file, err := os.Open(s.uploads.rejects(j.ID))
	if err != nil {
		detail := "The import has rejected no rows, or its rejects are older than 30 days."
		if j.Rejected > 0 {
			detail = "The rejects are not here: an import of the command line writes them where it runs, and those of an upload are kept for 30 days."
		}
		api.WriteProblem(w, r, &problem.Error{Status: http.StatusNotFound, Detail: detail})
		return
	}
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": filepath.Base(j.Name) + ".rejects.csv"}))
	_, _ = io.Copy(w, file) // a caller who went away cannot be told
}
