package api

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// AuditEntry is one thing that somebody did, or a look at personal data.
type AuditEntry struct {
	At        time.Time
	Principal Principal // zero without credentials
	Operation string    // operation id: "put-offer"
	Method    string
	Path      string
	Status    int
	RequestID string
	Address   string // of the peer
	// Personal says that personal data was shown; otherwise something was changed.
	Personal bool
}

// Auditor keeps entries. It is called after the handler and before the answer
// leaves, as far as the answer is small enough to wait in a buffer.
type Auditor interface {
	Audit(ctx context.Context, e AuditEntry)
}

const (
	personalKey = "quintet.personal"
	queryKey    = "quintet.query"
	unnamedKey  = "quintet.unnamed"
)

// Unnamed marks an operation of whose path the audit keeps the pattern alone, as it
// names somebody who must not be named any more.
func Unnamed(op *huma.Operation) { setMetadata(op, unnamedKey, true) }

// Personal marks an operation that shows personal data, so that its use is audited.
func Personal(op *huma.Operation) { setMetadata(op, personalKey, true) }

// Query marks an operation that changes nothing although its method says so.
func Query(op *huma.Operation) { setMetadata(op, queryKey, true) }

// audited returns what is to be done when the operation has been answered, or
// broke off, nil when it needs no entry.
func (s *Server) audited(ctx huma.Context, op *huma.Operation) func(answered bool) {
	if s.auditor == nil {
		return nil
	}
	personal := op.Metadata[personalKey] != nil
	changes := op.Method != http.MethodGet && op.Method != http.MethodHead && op.Metadata[queryKey] == nil
	if !personal && !changes {
		return nil
	}
	r, _ := humachi.Unwrap(ctx)
	rc := requestFrom(r.Context())
	if rc == nil {
		return nil
	}
	return func(answered bool) {
		address, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			address = r.RemoteAddr
		}
		e := AuditEntry{
			At: rc.writer.start, Principal: rc.principal, Operation: op.OperationID, Method: r.Method, Path: r.URL.Path,
			Status: rc.writer.status, RequestID: rc.id, Address: address, Personal: personal && !changes,
		}
		switch {
		case !answered:
			e.Status = http.StatusInternalServerError
		case e.Status == 0:
			e.Status = http.StatusOK
		}
		// Who looked for somebody who is not there has seen nobody, and the name may be of
		// a person who was erased.
		if op.Metadata[unnamedKey] != nil || e.Personal && e.Status == http.StatusNotFound {
			e.Path = op.Path
		}
		// What was done is written down also when the caller went away meanwhile.
		s.auditor.Audit(context.WithoutCancel(rc.Context), e)
	}
}
