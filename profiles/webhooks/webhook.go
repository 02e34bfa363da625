// Package webhooks turns what other systems post (a CRM, tills, a call centre)
// into messages of the tracking API, by a mapping that is data.
//
// A [Webhook] says who may post ([Auth]), where in a body the items are, and which
// messages an item becomes: a [Template] has conditions and says for every field
// at which path its value is, what is done to it and of what type it is. A path
// that an item does not have is an error of that item which names the path.
package webhooks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quintet/internal/importing"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// Limits of one webhook.
const (
	MaxTemplates  = 20
	MaxConditions = 20
	MaxFields     = 100 // of properties or traits of one template
	MaxItems      = 2500
)

// Webhook is how the calls of one system become messages.
type Webhook struct {
	Name     string     `json:"name" maxLength:"200"`
	Inactive bool       `json:"inactive,omitempty" doc:"Refuse calls"`
	Auth     Auth       `json:"auth,omitempty" doc:"How a caller proves who it is; an API key when left out"`
	Items    string     `json:"items,omitempty" maxLength:"500" doc:"Path of the array with the items; the body itself, an object or an array, when empty"`
	Form     string     `json:"form,omitempty" maxLength:"200" doc:"Field of a form that holds JSON; the form's own fields when empty"`
	Messages []Template `json:"messages" minItems:"1" maxItems:"20" nullable:"false" doc:"What an item becomes: a message for each template whose conditions hold"`
}

// Auth is how a caller proves who it is.
type Auth struct {
	Kind      string `json:"kind,omitempty" enum:"key,secret,hmac,stripe" doc:"key: an API key with the scope ingest; secret: a fixed text in a header; hmac: a header with the HMAC of the body; stripe: the same of time and body, as Stripe signs"`
	Header    string `json:"header,omitempty" maxLength:"100" doc:"secret, hmac, stripe: name of the header"`
	Secret    string `json:"secret,omitempty" maxLength:"500" doc:"secret, hmac, stripe: what both sides know"`
	Algorithm string `json:"algorithm,omitempty" enum:"sha256,sha512" doc:"hmac: sha256 when empty"`
	Encoding  string `json:"encoding,omitempty" enum:"hex,base64" doc:"hmac: hex when empty"`
	Prefix    string `json:"prefix,omitempty" maxLength:"50" doc:"hmac: what stands before the signature, such as sha256="`
	Tolerance int    `json:"tolerance,omitempty" minimum:"0" maximum:"86400" doc:"stripe: seconds that a signature may be old; 300 when zero"`
}

// Template is one message that an item becomes.
type Template struct {
	When        []Condition      `json:"when,omitempty" maxItems:"20" doc:"All must hold"`
	Type        string           `json:"type" enum:"track,identify,page,screen,group,alias"`
	UserID      *Field           `json:"userId,omitempty"`
	AnonymousID *Field           `json:"anonymousId,omitempty"`
	PreviousID  *Field           `json:"previousId,omitempty" doc:"alias"`
	GroupID     *Field           `json:"groupId,omitempty" doc:"group"`
	ExternalIDs map[string]Field `json:"externalIds,omitempty" doc:"Further identifiers by namespace: email, phone, card"`
	Event       *Field           `json:"event,omitempty" doc:"track: what happened"`
	PageName    *Field           `json:"name,omitempty" doc:"page, screen: its name"`
	MessageID   *Field           `json:"messageId,omitempty" doc:"Identifies the message: the same one is stored once"`
	Timestamp   *Field           `json:"timestamp,omitempty" doc:"When it happened; the moment of the call when left out"`
	Properties  map[string]Field `json:"properties,omitempty"`
	Traits      map[string]Field `json:"traits,omitempty"`
}

// Field says where a value comes from and what it is.
type Field struct {
	importing.Field
	Prefix   string `json:"prefix,omitempty" maxLength:"50" doc:"Put before a text"`
	Optional bool   `json:"optional,omitempty" doc:"An item may lack the path; otherwise that is an error"`
}

// Condition is about one value of an item.
type Condition struct {
	Path  string `json:"path" maxLength:"500"`
	Op    string `json:"op" enum:"equals,notEquals,in,contains,exists,absent,above,below" doc:"Text and numbers are compared as they are written"`
	Value any    `json:"value,omitempty" doc:"in: an array"`
}

// Kinds of authentication.
const (
	byKey    = "key"
	bySecret = "secret"
	byHMAC   = "hmac"
	byStripe = "stripe"
)

// Validate checks a webhook before it is kept.
func Validate(_ context.Context, _ string, w *Webhook) error {
	_, err := Compile(w)
	return err
}

// Compiled is a webhook that is ready to be used. It is safe for use by several
// goroutines.
type Compiled struct {
	Webhook
	items path
	steps map[string]path
}

// Compile checks a webhook. The error is a [problem.Invalid] that names each
// broken field.
func Compile(w *Webhook) (*Compiled, error) {
	c := &Compiled{Webhook: *w, steps: map[string]path{}}
	var bad problem.Invalid
	if strings.TrimSpace(w.Name) == "" {
		bad.Add("name", "is required", nil)
	}
	c.checkAuth(&bad)
	var err error
	if c.items, err = parsePath(w.Items); err != nil {
		bad.Add("items", err.Error(), w.Items)
	}
	if len(w.Messages) == 0 || len(w.Messages) > MaxTemplates {
		bad.Add("messages", fmt.Sprintf("must have 1 to %d templates", MaxTemplates), len(w.Messages))
	}
	c.Messages = slices.Clone(w.Messages)
	for i := range c.Messages {
		c.checkTemplate(fmt.Sprintf("messages[%d]", i), &c.Messages[i], &bad)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Compiled) checkAuth(bad *problem.Invalid) {
	a := &c.Auth
	if a.Kind == "" {
		a.Kind = byKey
	}
	if a.Kind == byKey {
		return
	}
	if a.Header == "" {
		bad.Add("auth.header", "is required: the name of the header with the secret or signature", nil)
	}
	if strings.ContainsFunc(a.Header, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		bad.Add("auth.header", "must be the name of a header: letters, digits and dashes", a.Header)
	}
	if len(a.Secret) < 8 {
		bad.Add("auth.secret", "must have at least 8 characters", nil)
	}
}

// templateFields are the single fields of a template by their names.
func (t *Template) fields() map[string]**Field {
	return map[string]**Field{
		"userId": &t.UserID, "anonymousId": &t.AnonymousID, "previousId": &t.PreviousID, "groupId": &t.GroupID,
		"event": &t.Event, "name": &t.PageName, "messageId": &t.MessageID, "timestamp": &t.Timestamp,
	}
}

func (c *Compiled) checkTemplate(at string, t *Template, bad *problem.Invalid) {
	if !slices.Contains([]string{"track", "identify", "page", "screen", "group", "alias"}, t.Type) {
		bad.Add(at+".type", "must be one of track, identify, page, screen, group, alias", t.Type)
	}
	if len(t.When) > MaxConditions {
		bad.Add(at+".when", fmt.Sprintf("must not have more than %d conditions", MaxConditions), len(t.When))
	}
	for i, when := range t.When {
		c.checkCondition(fmt.Sprintf("%s.when[%d]", at, i), when, bad)
	}
	if t.Timestamp != nil && t.Timestamp.Type == "" {
		copied := *t.Timestamp
		copied.Type = "time"
		t.Timestamp = &copied
	}
	single := t.fields()
	for _, name := range slices.Sorted(maps.Keys(single)) {
		if f := *single[name]; f != nil {
			copied := *f
			c.checkField(at+"."+name, &copied, bad)
			*single[name] = &copied
		}
	}
	if t.UserID == nil && t.AnonymousID == nil && len(t.ExternalIDs) == 0 {
		bad.Add(at+".userId", "userId, anonymousId or externalIds is required: whom the message is about", nil)
	}
	if t.Type == "track" && t.Event == nil {
		bad.Add(at+".event", "is required: what happened", nil)
	}
	t.ExternalIDs = c.checkGroup(at+".externalIds", t.ExternalIDs, bad)
	for name := range t.ExternalIDs {
		if _, err := identity.Normalise(identity.Identifier{Namespace: name, Value: "x"}); err != nil && name != identity.Email && name != identity.Phone {
			bad.Add(at+".externalIds."+name, err.Error(), nil)
		}
	}
	t.Properties = c.checkGroup(at+".properties", t.Properties, bad)
	t.Traits = c.checkGroup(at+".traits", t.Traits, bad)
}

func (c *Compiled) checkGroup(at string, fields map[string]Field, bad *problem.Invalid) map[string]Field {
	if len(fields) > MaxFields {
		bad.Add(at, fmt.Sprintf("must not have more than %d fields", MaxFields), len(fields))
	}
	out := make(map[string]Field, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		if name == "" {
			bad.Add(at, "must not have a field without a name", nil)
		}
		c.checkField(at+"."+name, &f, bad)
		out[name] = f
	}
	return out
}

func (c *Compiled) checkField(at string, f *Field, bad *problem.Invalid) {
	if err := f.Check(); err != nil {
		bad.Add(at, err.Error(), nil)
	}
	c.know(at+".from", f.From, bad)
}

// know parses a path once.
func (c *Compiled) know(at, text string, bad *problem.Invalid) {
	if text == "" {
		return
	}
	p, err := parsePath(text)
	if err != nil {
		bad.Add(at, err.Error(), text)
		return
	}
	c.steps[text] = p
}

func (c *Compiled) checkCondition(at string, w Condition, bad *problem.Invalid) {
	if w.Path == "" {
		bad.Add(at+".path", "is required", nil)
	}
	c.know(at+".path", w.Path, bad)
	_, isList := w.Value.([]any)
	_, isNumber := number(w.Value)
	switch w.Op {
	case "exists", "absent":
	case "in":
		if !isList {
			bad.Add(at+".value", "must be an array", w.Value)
		}
	case "above", "below":
		if !isNumber {
			bad.Add(at+".value", "must be a number", w.Value)
		}
	case "equals", "notEquals", "contains":
		if w.Value == nil || isList {
			bad.Add(at+".value", "must be a text, a number, true or false", w.Value)
		}
	default:
		bad.Add(at+".op", "must be one of equals, notEquals, in, contains, exists, absent, above, below", w.Op)
	}
}

// messageTime is how times are written into messages.
const messageTime = time.RFC3339Nano
