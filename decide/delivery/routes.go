package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"quintet/decide/channels"
	"quintet/decide/outbound"
	"quintet/decide/templates"
	"quintet/internal/api"
	"quintet/internal/definitions"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// SettingInput is the driver of a channel as it is stored.
type SettingInput struct {
	Config channels.Config `json:"config"`
	// Secrets are kept encrypted.
	Secrets map[string]string `json:"secrets,omitempty" doc:"Secrets by name; those that are not given stay, an empty one is removed"`
}

// TestMessage is a message to try a channel with.
type TestMessage struct {
	Address  string `json:"address" minLength:"1" maxLength:"4000" doc:"Where to send it"`
	Subject  string `json:"subject,omitempty" maxLength:"200"`
	Text     string `json:"text,omitempty" maxLength:"2000" doc:"What to say; a sentence that says that it is a test when absent"`
	Template string `json:"template,omitempty" maxLength:"64" doc:"Template to send in place of text"`
	Person   string `json:"person,omitempty" maxLength:"600" doc:"Profile id of whom to fill the template with"`
}

// Tried is what became of a test.
type Tried struct {
	OK         bool   `json:"ok"`
	Kind       string `json:"kind,omitempty" doc:"Kind of the failure: temporary, permanent, dead-address, credentials or uncertain"`
	Detail     string `json:"detail,omitempty" doc:"What the provider said"`
	ProviderID string `json:"providerId,omitempty"`
}

// Routes registers the routes.
func (s *Service) Routes(srv *api.Server) {
	definitions.Routes(srv.API, s.templates, definitions.RouteOptions{Tag: "Templates", Singular: "template"})
	s.driverRoutes(srv)
	s.testRoutes(srv)
	s.listRoutes(srv)
	s.deadRoutes(srv)
	s.chatRoutes(srv)
	s.publicRoutes(srv)
}

type keyInput struct {
	Key string `path:"key" maxLength:"64"`
}

type settingOutput struct{ Body *Setting }

func operation(method, id, path, summary, tag string, scope api.Scope) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Errors: []int{401, 403, 404, 422}}
	if method == http.MethodPost {
		op.DefaultStatus = http.StatusOK
	}
	api.Require(scope)(&op)
	return op
}

func (s *Service) driverRoutes(srv *api.Server) {
	type listOutput struct {
		Body struct {
			Items []Setting `json:"items" nullable:"false"`
		}
	}
	huma.Register(srv.API, operation(http.MethodGet, "list-channel-drivers", "/v1/channel-drivers", "List what channels are sent by", "Channels", api.ScopeAdmin), func(ctx context.Context, _ *struct{}) (*listOutput, error) {
		rows, err := s.pool.Query(ctx, selectDrivers+` ORDER BY channel LIMIT 1000`)
		if err != nil {
			return nil, fmt.Errorf("listing the drivers of channels: %w", err)
		}
		list, err := pgx.CollectRows(rows, scanDriver)
		if err != nil {
			return nil, fmt.Errorf("listing the drivers of channels: %w", err)
		}
		out := new(listOutput)
		out.Body.Items = []Setting{}
		for i := range list {
			shown, err := s.shown(&list[i])
			if err != nil {
				return nil, err
			}
			out.Body.Items = append(out.Body.Items, *shown)
		}
		return out, nil
	})
	type presetOutput struct {
		Body struct {
			Items []channels.Preset `json:"items" nullable:"false"`
		}
	}
	huma.Register(srv.API, operation(http.MethodGet, "list-channel-presets", "/v1/channel-presets", "List configurations that come with Quintet", "Channels", api.ScopeRead), func(context.Context, *struct{}) (*presetOutput, error) {
		list, err := channels.Presets()
		out := new(presetOutput)
		out.Body.Items = list
		return out, err
	})
	huma.Register(srv.API, operation(http.MethodGet, "get-channel-driver", "/v1/channels/{key}/driver", "Read what a channel is sent by", "Channels", api.ScopeAdmin), func(ctx context.Context, in *keyInput) (*settingOutput, error) {
		v, err := s.Setting(ctx, in.Key)
		return &settingOutput{v}, err
	})
	type putInput struct {
		Key       string `path:"key" maxLength:"64"`
		Unchecked bool   `query:"unchecked" doc:"Store it although the provider may refuse the credentials"`
		Body      SettingInput
	}
	put := operation(http.MethodPut, "put-channel-driver", "/v1/channels/{key}/driver", "Set what a channel is sent by", "Channels", api.ScopeAdmin)
	put.Description = "Secrets are stored encrypted and never shown. Credentials that the provider refuses are refused here, unless unchecked."
	huma.Register(srv.API, put, func(ctx context.Context, in *putInput) (*settingOutput, error) {
		v, err := s.PutSetting(ctx, in.Key, in.Body.Config, in.Body.Secrets, in.Unchecked, api.By(ctx))
		return &settingOutput{v}, err
	})
	huma.Register(srv.API, operation(http.MethodDelete, "delete-channel-driver", "/v1/channels/{key}/driver", "Remove what a channel is sent by", "Channels", api.ScopeAdmin), func(ctx context.Context, in *keyInput) (*struct{}, error) {
		return nil, s.DeleteSetting(ctx, in.Key)
	})
}

func (s *Service) testRoutes(srv *api.Server) {
	type triedOutput struct{ Body Tried }
	sending := func(key string) (*openDriver, error) {
		d, err := s.driver(key)
		if err == nil && (d == nil || d.Driver == nil) {
			err = problem.NotFound("driver that sends by itself of the channel", key)
		}
		return d, err
	}
	check := operation(http.MethodPost, "check-channel", "/v1/channels/{key}/check", "Try the credentials of a channel and send nothing", "Channels", api.ScopeAdmin)
	api.Query(&check)
	huma.Register(srv.API, check, func(ctx context.Context, in *keyInput) (*triedOutput, error) {
		d, err := sending(in.Key)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		return &triedOutput{tried("", d.Check(ctx))}, nil
	})
	type testInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body TestMessage
	}
	huma.Register(srv.API, operation(http.MethodPost, "test-channel", "/v1/channels/{key}/test", "Send a test message", "Channels", api.ScopeAdmin), func(ctx context.Context, in *testInput) (*triedOutput, error) {
		d, err := sending(in.Key)
		if err != nil {
			return nil, err
		}
		m := &channels.Outgoing{ID: stepID(&job{delivery: newID()}), To: in.Body.Address, Content: channels.Content{Subject: in.Body.Subject, Text: in.Body.Text}}
		if m.Text == "" {
			m.Subject, m.Text = "Test", "This is a test message of the channel "+in.Key+"."
		}
		if in.Body.Template != "" {
			r, err := s.preview(in.Body.Template, in.Body.Person, "")
			if err != nil {
				return nil, err
			}
			m.Content = channels.Content{Subject: r.Subject, Text: r.Text, HTML: r.HTML, URL: r.URL, Image: r.Image, Locale: r.Locale}
		}
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		id, err := d.Send(ctx, m)
		return &triedOutput{tried(id, err)}, nil
	})
	type previewInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body struct {
			Person string `json:"person,omitempty" maxLength:"600" doc:"Profile id of whom to fill it with"`
			Locale string `json:"locale,omitempty" maxLength:"35"`
		}
	}
	type previewOutput struct{ Body templates.Rendered }
	preview := operation(http.MethodPost, "preview-template", "/v1/templates/{key}/preview", "Show a message as somebody would get it", "Templates", api.ScopeRead)
	api.Query(&preview)
	api.Personal(&preview)
	huma.Register(srv.API, preview, func(ctx context.Context, in *previewInput) (*previewOutput, error) {
		if in.Body.Person != "" && api.MaskFrom(ctx) != nil {
			return nil, problem.Forbidden("A preview shows values of the person; who sees personal data masked cannot have it.")
		}
		r, err := s.preview(in.Key, in.Body.Person, in.Body.Locale)
		return &previewOutput{r}, err
	})
}

func tried(id string, err error) Tried {
	if err == nil {
		return Tried{OK: true, ProviderID: id}
	}
	f := channels.FailureOf(err)
	return Tried{Kind: string(f.Kind), Detail: clipReason(f.Err.Error())}
}

// preview renders a template for somebody, or for nobody with its defaults.
func (s *Service) preview(key, person, locale string) (templates.Rendered, error) {
	c, err := s.template(key)
	if err != nil {
		return templates.Rendered{}, err
	}
	if c == nil {
		return templates.Rendered{}, problem.NotFound("template", key)
	}
	v := &templates.Values{Unsubscribe: s.public + "/u/example"}
	if person != "" {
		id, ok := identity.ParseID(person)
		if !ok {
			return templates.Rendered{}, problem.Invalid{{Field: "person", Rule: "must be a profile id", Value: problem.Clip(person)}}
		}
		view, ok := s.people.GetPerson(id)
		if !ok {
			return templates.Rendered{}, problem.NotFound("profile", person)
		}
		v.Traits, v.Attributes = view.Traits, view.Attributes
		if locale == "" {
			locale, _ = view.Traits["locale"].(string)
		}
	}
	r, err := c.Render(locale, v)
	if errors.Is(err, templates.ErrMissing) {
		return r, problem.Invalid{{Field: "person", Rule: "must be somebody of whom the values are known: " + err.Error()}}
	}
	return r, err
}

// Shown is a message with what became of it.
type Shown struct {
	ID        string           `json:"id"`
	Message   outbound.Message `json:"message"`
	State     State            `json:"state" enum:"queued,sent,skipped,failed,uncertain"`
	Reason    string           `json:"reason,omitempty" doc:"The rule by which it was not sent, or what the provider said"`
	CreatedAt time.Time        `json:"createdAt"`
	UpdatedAt time.Time        `json:"updatedAt"`
	// Cascade is that of the moment at which the message was taken.
	Cascade []channels.CascadeStep `json:"cascade,omitempty" doc:"The channels in their order, with what ends the cascade; absent for a message on one channel"`
	Steps   []ShownStep            `json:"steps" nullable:"false" doc:"The channels on which it was, or is to be, sent"`
}

// ShownStep is a channel on which a message was, or is to be, sent.
type ShownStep struct {
	Step         int        `json:"step"`
	Channel      string     `json:"channel"`
	State        State      `json:"state" enum:"queued,claimed,sending,sent,skipped,failed,uncertain"`
	Reason       string     `json:"reason,omitempty"`
	DueAt        time.Time  `json:"dueAt" doc:"When it is looked at next, or was"`
	Attempts     int        `json:"attempts"`
	SentAt       *time.Time `json:"sentAt,omitempty"`
	DeliveredAt  *time.Time `json:"deliveredAt,omitempty"`
	OpenedAt     *time.Time `json:"openedAt,omitempty"`
	ClickedAt    *time.Time `json:"clickedAt,omitempty"`
	RepliedAt    *time.Time `json:"repliedAt,omitempty"`
	FailedAt     *time.Time `json:"failedAt,omitempty" doc:"The first moment at which it failed, bounced or was complained of"`
	BouncedAt    *time.Time `json:"bouncedAt,omitempty" doc:"When it was told that the address does not exist"`
	ComplainedAt *time.Time `json:"complainedAt,omitempty" doc:"When it was reported as unwanted"`
	MachineAt    *time.Time `json:"machineAt,omitempty" doc:"When a machine opened it, which does not count"`
}

const selectShown = `SELECT d.id, d.body, d.state, d.reason, d.created_at, d.updated_at, d.cascade, (SELECT COALESCE(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
	'step', s.step, 'channel', s.channel, 'state', s.state, 'reason', s.reason, 'dueAt', s.due_at, 'attempts', s.attempts, 'sentAt', s.sent_at, 'deliveredAt', s.delivered_at,
	'openedAt', s.opened_at, 'clickedAt', s.clicked_at, 'repliedAt', s.replied_at, 'failedAt', LEAST(s.failed_at, s.bounced_at, s.complained_at), 'bouncedAt', s.bounced_at, 'complainedAt', s.complained_at, 'machineAt', s.machine_at)) ORDER BY s.step), '[]') FROM delivery_steps s WHERE s.delivery = d.id) FROM deliveries d `

func scanShown(row pgx.CollectableRow) (v Shown, err error) {
	var body, cascade, list []byte
	if err := row.Scan(&v.ID, &body, &v.State, &v.Reason, &v.CreatedAt, &v.UpdatedAt, &cascade, &list); err != nil {
		return v, err
	}
	if cascade != nil {
		if err := json.Unmarshal(cascade, &v.Cascade); err != nil {
			return v, err
		}
	}
	return v, errors.Join(json.Unmarshal(body, &v.Message), json.Unmarshal(list, &v.Steps))
}

func (s *Service) listRoutes(srv *api.Server) {
	type listInput struct {
		Profile string `query:"profile" maxLength:"64" doc:"Profile or person id"`
		Channel string `query:"channel" maxLength:"64"`
		State   string `query:"state" enum:"queued,sent,skipped,failed,uncertain"`
		Before  string `query:"before" maxLength:"26" doc:"Id before which the page begins; the next of the page before"`
		Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	type listOutput struct {
		Body struct {
			Items []Shown `json:"items" nullable:"false"`
			Next  string  `json:"next" doc:"Pass as before to read on; empty at the end"`
		}
	}
	list := operation(http.MethodGet, "list-deliveries", "/v1/deliveries", "List messages, newest first", "Deliveries", api.ScopeRead)
	huma.Register(srv.API, list, func(ctx context.Context, in *listInput) (*listOutput, error) {
		rows, err := s.pool.Query(ctx, selectShown+`WHERE ($1 = '' OR d.person = $1 OR d.profile_id = $1) AND ($2 = '' OR d.channel = $2) AND ($3 = '' OR d.state = $3) AND ($4 = '' OR d.id < $4)
			ORDER BY d.id DESC LIMIT $5`, in.Profile, in.Channel, in.State, in.Before, in.Limit)
		if err != nil {
			return nil, fmt.Errorf("listing deliveries: %w", err)
		}
		out := new(listOutput)
		if out.Body.Items, err = pgx.CollectRows(rows, scanShown); err != nil {
			return nil, fmt.Errorf("listing deliveries: %w", err)
		}
		if n := len(out.Body.Items); n == in.Limit {
			out.Body.Next = out.Body.Items[n-1].ID
		}
		return out, nil
	})
	type getInput struct {
		ID string `path:"id" maxLength:"26"`
	}
	type getOutput struct{ Body Shown }
	huma.Register(srv.API, operation(http.MethodGet, "get-delivery", "/v1/deliveries/{id}", "Read a message and what became of it", "Deliveries", api.ScopeRead), func(ctx context.Context, in *getInput) (*getOutput, error) {
		rows, err := s.pool.Query(ctx, selectShown+`WHERE d.id = $1`, in.ID)
		if err != nil {
			return nil, fmt.Errorf("reading a delivery: %w", err)
		}
		v, err := pgx.CollectExactlyOneRow(rows, scanShown)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, problem.NotFound("delivery", in.ID)
		}
		return &getOutput{v}, err
	})
}
