package delivery

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"

	"quintet/decide/channels"
	"quintet/internal/api"
	"quintet/internal/problem"
)

const (
	maxReceiptBody = 1 << 20
	publicTimeout  = 10 * time.Second
)

// publicRoutes are what people and providers call. Whoever calls has a token or signs.
func (s *Service) publicRoutes(srv *api.Server) {
	srv.Router.Post("/v1/channels/{key}/receipts", s.serveReceipts)
	api.Document(srv.API, huma.Operation{
		OperationID: "take-receipts", Method: http.MethodPost, Path: "/v1/channels/{key}/receipts", Tags: []string{"Channels"},
		Summary:     "Take receipts that a provider posts",
		Description: "The body is what the driver of the channel is set up for, signed with its secret of receipts.",
		Parameters:  []*huma.Param{{Name: "key", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}},
	}, api.ScopeIngest, nil, receiptsTaken{})
	srv.Router.Get("/v1/channels/{key}/receipts", s.serveHandshake)
	bounces := srv.Require(api.ScopeIngest)(http.HandlerFunc(s.serveBounce))
	srv.Router.Method(http.MethodPost, "/v1/channels/{key}/bounces", bounces)
	api.Document(srv.API, huma.Operation{
		OperationID: "take-bounce", Method: http.MethodPost, Path: "/v1/channels/{key}/bounces", Tags: []string{"Channels"},
		Summary:     "Take a mail that came back",
		Description: "The body is the report of the delivery (RFC 3464) as the mail server got it.",
		Parameters:  []*huma.Param{{Name: "key", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}},
	}, api.ScopeIngest, nil, receiptsTaken{})
	srv.Router.Get("/r/{token}", s.serveLink)
	srv.Router.Get("/o/{token}", s.serveOpen)
	srv.Router.Get("/u/{token}", s.serveUnsubscribe)
	srv.Router.Post("/u/{token}", s.serveUnsubscribe)
}

type receiptsTaken struct {
	Taken int `json:"taken" doc:"How many receipts were read"`
}

func (s *Service) serveReceipts(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	body, err := api.ReadBody(r, maxReceiptBody)
	d, _ := s.driver(key) // never an error
	if d == nil || d.config.Webhook == nil || d.config.Webhook.Receipts == nil {
		api.WriteProblem(w, r, problem.Unauthorized("The channel takes no receipts, or not from here."))
		return
	}
	var list []channels.Receipt
	if err == nil {
		list, err = d.config.Webhook.Receipts.Read(d.secrets[channels.SecretReceipts], r.Header, body, s.now())
	}
	for _, receipt := range list {
		if err == nil {
			err = s.Receipt(r.Context(), key, receipt)
		}
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"taken":%d}`, len(list)) // the provider may be gone
}

// serveHandshake answers the GET by which a provider confirms the address of receipts.
func (s *Service) serveHandshake(w http.ResponseWriter, r *http.Request) {
	d, _ := s.driver(chi.URLParam(r, "key")) // never an error
	if d == nil || d.config.Webhook == nil || d.config.Webhook.Receipts == nil {
		api.WriteProblem(w, r, problem.Unauthorized("The channel takes no receipts, or not from here."))
		return
	}
	challenge, err := d.config.Webhook.Receipts.Confirm(d.secrets[channels.SecretVerify], r.URL.Query())
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8") // never as a page: the text is the caller's
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, challenge) // the provider may be gone
}

func (s *Service) serveBounce(w http.ResponseWriter, r *http.Request) {
	body, err := api.ReadBody(r, maxReceiptBody)
	n := 0
	if err == nil {
		receipt, ok, bad := channels.ParseBounce(bytes.NewReader(body), s.now())
		switch {
		case bad != nil:
			err = problem.BadRequest("The body must be a report of a delivery: " + bad.Error() + ".")
		case ok:
			n, err = 1, s.Receipt(r.Context(), chi.URLParam(r, "key"), receipt)
		}
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"taken":%d}`, n) // the caller may be gone
}

// serveLink sends a visitor on. What is written down does not keep them waiting when it
// fails.
func (s *Service) serveLink(w http.ResponseWriter, r *http.Request) {
	delivery, step, n, ok := s.readToken(chi.URLParam(r, "token"), kindLink)
	if !ok {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publicTimeout)
	defer cancel()
	var target *string
	err := s.pool.QueryRow(ctx, `SELECT links[$3] FROM delivery_steps WHERE delivery = $1 AND step = $2`, delivery, step, n+1).Scan(&target)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && target == nil {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		api.WriteProblem(w, r, problem.Unavailable(5*time.Second, "Where the link leads cannot be looked up now.", err))
		return
	}
	s.visit(ctx, r, delivery, step, channels.Clicked, map[string]any{"url": *target})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, *target, http.StatusFound)
}

// pixel is a transparent GIF.
var pixel, _ = base64.StdEncoding.DecodeString("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

func (s *Service) serveOpen(w http.ResponseWriter, r *http.Request) {
	if delivery, step, _, ok := s.readToken(chi.URLParam(r, "token"), kindOpen); ok {
		ctx, cancel := context.WithTimeout(r.Context(), publicTimeout)
		defer cancel()
		s.visit(ctx, r, delivery, step, channels.Opened, nil)
	}
	w.Header().Set("Content-Type", "image/gif")
	w.Header().Set("Cache-Control", "no-store, private")
	_, _ = w.Write(pixel) // the reader may be gone
}

// visit writes an open or a click down, unless a machine did it.
func (s *Service) visit(ctx context.Context, r *http.Request, delivery string, step int, kind channels.ReceiptKind, more map[string]any) {
	var sent *time.Time
	// Of what may have been sent it is known that it was not before it was due.
	err := s.pool.QueryRow(ctx, `SELECT CASE WHEN sent_at IS NULL AND state = 'uncertain' THEN due_at ELSE sent_at END FROM delivery_steps WHERE delivery = $1 AND step = $2`, delivery, step).Scan(&sent)
	now := s.now()
	if err == nil {
		if machine(r) || sent == nil || now.Sub(*sent) < instant {
			_, err = s.pool.Exec(ctx, `UPDATE delivery_steps SET machine_at = COALESCE(machine_at, $3) WHERE delivery = $1 AND step = $2`, delivery, step, now)
		} else {
			err = s.receive(ctx, delivery, step, channels.Receipt{Kind: kind, At: now}, more)
		}
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		s.log.Warn("a visit was not written down", "kind", kind, "error", err)
	}
}

// machine says whether a call is one of a program that looks at mail before, or for,
// its reader: a filter, a preview, or Apple's proxy, which loads every image and names
// itself by these two words alone.
func machine(r *http.Request) bool {
	agent := strings.TrimSpace(r.UserAgent())
	if r.Method != http.MethodGet || agent == "" || agent == "Mozilla/5.0" || strings.EqualFold(r.Header.Get("Sec-Purpose"), "prefetch") || strings.EqualFold(r.Header.Get("Purpose"), "prefetch") {
		return true
	}
	agent = strings.ToLower(agent)
	for _, word := range []string{"bot", "crawler", "spider", "curl/", "wget/", "python-", "go-http-client", "barracuda", "proofpoint", "mimecast", "safelinks", "headless", "preview", "scanner"} {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return false
}

var unsubscribePage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><title>Unsubscribe</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}</style>
{{if .}}<h1>Done</h1><p>You will get no more of these messages.</p>{{else}}<h1>Unsubscribe</h1><p>Do you want no more of these messages?</p><form method="post"><button>Unsubscribe</button></form>{{end}}</html>`))

// serveUnsubscribe shows the page, which changes nothing, as filters open it too; a POST
// of the page or of a mail program (RFC 8058) unsubscribes.
func (s *Service) serveUnsubscribe(w http.ResponseWriter, r *http.Request) {
	delivery, step, _, ok := s.readToken(chi.URLParam(r, "token"), kindUnsubscribe)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPost {
		ctx, cancel := context.WithTimeout(r.Context(), publicTimeout)
		defer cancel()
		if err := s.unsubscribe(ctx, delivery, step); err != nil {
			api.WriteProblem(w, r, problem.Unavailable(5*time.Second, "This cannot be written down now; try again.", err))
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	_ = unsubscribePage.Execute(w, r.Method == http.MethodPost) // the reader may be gone
}

// unsubscribe writes the statement of a person who wants no more on a channel. It is an
// event, by which consent is withdrawn and, for mail and phones, the address suppressed.
func (s *Service) unsubscribe(ctx context.Context, delivery string, step int) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, delivery); err != nil {
			return err
		}
		j, _, err := readJob(ctx, tx, delivery, step)
		if err != nil {
			return err
		}
		channel := j.channel
		d, err := s.driver(channel)
		if err != nil {
			return err
		}
		if d != nil && d.config.Driver == channels.DriverSMTP {
			channel = "email"
		}
		return s.addNote(ctx, tx, j, "Unsubscribed", s.now(), "unsubscribed", map[string]any{"channel": channel})
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // erased, and gets nothing any more
	}
	return err
}
