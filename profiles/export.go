package profiles

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

const (
	// exportPage is how many rows of the log are read at a time.
	exportPage = 5000
	// exportTimeout bounds one export.
	exportTimeout = 30 * time.Minute
	// exportPause is how long a reader may stand still.
	exportPause = 30 * time.Second
	// maxExported bounds the rows of one list; an export with more says so.
	maxExported = 10_000_000
)

// DecisionLog shows all decisions about profiles.
type DecisionLog interface {
	// EachDecision calls f with every decision about the profiles, oldest first, as the
	// API shows them, those of this moment included.
	EachDecision(ctx context.Context, profiles []string, f func(decision any) error) error
}

// QuarantineLog shows what was refused.
type QuarantineLog interface {
	// EachQuarantined calls f with everything in quarantine that is about the person, with
	// its body, the oldest first.
	EachQuarantined(ctx context.Context, sub *ErasureSubject, f func(item any) error) error
}

// ExportedList is what another package keeps of people, as one member of an export.
type ExportedList struct {
	Name string
	// Each calls f with everything about the profiles, the oldest first.
	Each func(ctx context.Context, profiles []string, f func(any) error) error
}

// ExportDeps are what an exporter is made of.
type ExportDeps struct {
	Profiles   *Service
	Segments   *Segments     // nil without
	Decisions  DecisionLog   // nil without
	Quarantine QuarantineLog // nil without
	Lists      []ExportedList
}

// Exporter writes down all that is known of a person.
type Exporter struct {
	*Service
	segments   *Segments
	decisions  DecisionLog
	quarantine QuarantineLog
	lists      []ExportedList
}

// OpenExporter makes an exporter.
func OpenExporter(d ExportDeps) *Exporter {
	return &Exporter{d.Profiles, d.Segments, d.Decisions, d.Quarantine, d.Lists}
}

// ExportedExposure is a variant of an experiment that a profile saw.
type ExportedExposure struct {
	Experiment string    `json:"experiment"`
	Variant    string    `json:"variant"`
	ProfileID  string    `json:"profileId"`
	ExposedAt  time.Time `json:"exposedAt"`
	DecisionID string    `json:"decisionId,omitempty"`
	Source     string    `json:"source"`
}

// ExportedMembership is an entry to a segment, or the leaving of it.
type ExportedMembership struct {
	Segment string    `json:"segment"`
	Entered bool      `json:"entered"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
}

// Routes registers the route of exports.
func (x *Exporter) Routes(srv *api.Server) {
	op := huma.Operation{
		OperationID: "export-profile", Method: http.MethodPost, Path: "/v1/profiles/{id}/export", Tags: []string{"Privacy"}, DefaultStatus: http.StatusOK,
		Summary:     "Export all that is known of a person",
		Description: "One JSON document, written as it is read: its last member is complete, which is true when nothing is missing.",
		Errors:      []int{401, 403, 404, 503},
		Responses: map[string]*huma.Response{"200": {
			Description: "The document", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: "object", AdditionalProperties: true}}},
		}},
	}
	api.Require(api.ScopeAdmin)(&op)
	api.Personal(&op)
	api.Query(&op)
	type input struct {
		ID string `path:"id" doc:"Profile id, or namespace:value such as userId:u42" maxLength:"600"`
	}
	huma.Register(srv.API, op, func(ctx context.Context, in *input) (*huma.StreamResponse, error) {
		if api.MaskFrom(ctx) != nil {
			return nil, problem.Forbidden("An export shows everything; who sees personal data masked cannot have it.")
		}
		id, err := x.named(in.ID)
		if err != nil {
			return nil, err
		}
		flush, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := x.Flush(flush); err != nil {
			return nil, &problem.Error{
				Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Cause: err,
				Detail: "The stores do not have everything yet that was acknowledged; try again.",
			}
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			r, w := humachi.Unwrap(hc)
			hc.SetHeader("Content-Type", "application/json")
			hc.SetHeader("Content-Disposition", `attachment; filename="export.json"`)
			slow, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exportTimeout)
			defer cancel()
			out := &unhurried{hc.BodyWriter(), http.NewResponseController(w)}
			if err := x.Write(slow, id, out); err != nil {
				api.Log(r.Context()).Warn("an export broke off", "error", err)
			}
		}}, nil
	})
}

// unhurried extends the deadline of a connection as long as somebody reads.
type unhurried struct {
	to      io.Writer
	control *http.ResponseController
}

// Write writes a part.
func (u *unhurried) Write(b []byte) (int, error) {
	// A writer without deadlines is a test's, which does not block.
	_ = u.control.SetWriteDeadline(time.Now().Add(exportPause))
	return u.to.Write(b)
}

// document writes a JSON object member by member. After an error it writes nothing.
type document struct {
	out   *bufio.Writer
	first bool
	err   error
}

func (d *document) raw(s string) {
	if d.err == nil {
		_, d.err = d.out.WriteString(s)
	}
}

func (d *document) value(v any) {
	if d.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		d.err = fmt.Errorf("encoding an export: %w", err)
		return
	}
	_, d.err = d.out.Write(b)
}

func (d *document) name(name string) {
	if !d.first {
		d.raw(",\n")
	}
	d.first = false
	d.raw(strconv.Quote(name) + ":")
}

func (d *document) member(name string, v any) {
	d.name(name)
	d.value(v)
}

// list writes an array of what each hands over.
func (d *document) list(name string, each func(add func(any) error) error) {
	d.name(name)
	d.raw("[")
	n := 0
	if d.err == nil {
		if err := each(func(v any) error {
			if n == maxExported {
				return fmt.Errorf("there are more than %d %s", maxExported, name)
			}
			if n++; n > 1 {
				d.raw(",\n")
			}
			d.value(v)
			return d.err
		}); err != nil && d.err == nil {
			d.err = fmt.Errorf("exporting %s: %w", name, err)
		}
	}
	d.raw("]")
}

// Write writes all that is known of the person to whom a profile belongs. What breaks
// off leaves a document that ends before its member complete.
func (x *Exporter) Write(ctx context.Context, id identity.ID, to io.Writer) error {
	d := &document{out: bufio.NewWriterSize(to, 64<<10), first: true}
	d.raw("{")
	x.writeState(ctx, id, d)
	x.writeLog(ctx, id, d)
	d.member("complete", true)
	d.raw("}\n")
	return errors.Join(d.err, d.out.Flush())
}

func (x *Exporter) writeState(ctx context.Context, id identity.ID, d *document) {
	card, ok := x.card(id)
	view, there := x.store.GetPerson(id)
	if !ok || !there {
		d.err = errors.Join(d.err, problem.NotFound("profile", id.String()))
		return
	}
	d.member("exportedAt", x.now().UTC())
	d.member("personId", card.ProfileID)
	d.member("profiles", card.members())
	d.member("identifiers", card.Identifiers)
	d.member("traits", card.Traits)
	facts, err := x.lineage(ctx, id)
	d.err = errors.Join(d.err, err)
	d.member("lineage", facts)
	d.member("attributes", view.Attributes)
	d.member("eventCount", card.Events)
	d.member("createdAt", card.CreatedAt)
	d.member("lastSeenAt", card.LastSeenAt)
	stated, err := x.consentCard(ctx, id)
	d.err = errors.Join(d.err, err)
	d.member("consents", stated)
	known, err := x.identityOf(ctx, id)
	d.err = errors.Join(d.err, err)
	d.member("identity", known)
	d.list("suppressions", func(add func(any) error) error { return x.eachSuppression(ctx, view.Identifiers, add) })
	if x.segments != nil {
		d.member("segments", x.segments.Of(x.store.PersonOf(id)))
	}
}

func (x *Exporter) writeLog(ctx context.Context, id identity.ID, d *document) {
	members := x.store.Members(x.store.PersonOf(id))
	profiles := make([]string, len(members))
	for i, m := range members {
		profiles[i] = m.String()
	}
	d.list("segmentHistory", func(add func(any) error) error {
		return eachRow(ctx, x.Service, add, func(m *ExportedMembership) []any { return []any{&m.Segment, &m.Entered, &m.At, &m.Reason} },
			`SELECT segment, entered = 1, at, reason FROM segment_membership FINAL WHERE person_id IN (?) ORDER BY at, segment`, profiles)
	})
	d.list("sources", func(add func(any) error) error { return x.eachSource(ctx, profiles, add) })
	d.list("attributeHistory", func(add func(any) error) error {
		return x.eachAttributes(ctx, profiles, add)
	})
	d.list("exposures", func(add func(any) error) error {
		return eachRow(ctx, x.Service, add, func(e *ExportedExposure) []any {
			return []any{&e.Experiment, &e.Variant, &e.ProfileID, &e.ExposedAt, &e.DecisionID, &e.Source}
		}, `SELECT DISTINCT experiment, variant, unit, exposed_at, decision_id, source FROM exposures WHERE unit IN (?) ORDER BY exposed_at, experiment`, profiles)
	})
	if x.decisions != nil {
		d.list("decisions", func(add func(any) error) error { return x.decisions.EachDecision(ctx, profiles, add) })
	}
	if x.quarantine != nil {
		d.list("quarantine", func(add func(any) error) error {
			return x.quarantine.EachQuarantined(ctx, aboutWhom(x.store, members[0], ""), add)
		})
	}
	for _, l := range x.lists {
		d.list(l.Name, func(add func(any) error) error { return l.Each(ctx, profiles, add) })
	}
	d.list("events", func(add func(any) error) error { return x.eachEvent(ctx, profiles, add) })
}

// eachRow calls add with every row of a query.
func eachRow[T any](ctx context.Context, s *Service, add func(any) error, places func(*T) []any, query string, arguments ...any) error {
	rows, err := s.clickhouse.Read.Query(ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var one T
		if err := rows.Scan(places(&one)...); err != nil {
			return err
		}
		if err := add(one); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ExportedAttributes are the computed attributes as they were from a moment on.
type ExportedAttributes struct {
	ComputedAt time.Time       `json:"computedAt"`
	Attributes json.RawMessage `json:"attributes"`
}

func (x *Exporter) eachAttributes(ctx context.Context, profiles []string, add func(any) error) error {
	var there uint8
	if err := x.clickhouse.Read.QueryRow(ctx, `EXISTS TABLE profile_attributes`).Scan(&there); err != nil || there == 0 {
		return err
	}
	return eachRow(ctx, x.Service, add, func(a *ExportedAttributes) []any { return []any{&a.ComputedAt, &a.Attributes} },
		`SELECT computed_at, attributes FROM profile_attributes FINAL WHERE person_id IN (?) ORDER BY computed_at`, profiles)
}

// eachSuppression shows why nothing is sent to the addresses of a person.
func (x *Exporter) eachSuppression(ctx context.Context, identifiers []Identifier, add func(any) error) error {
	for _, i := range x.store.normal(identifiers) {
		sum := x.store.suppressions.hash(i)
		found, _, err := x.readSuppressions(ctx, `hash = $1`, 1, sum[:])
		if err != nil {
			return err
		}
		for _, one := range found {
			if err := add(one); err != nil {
				return err
			}
		}
	}
	return nil
}
