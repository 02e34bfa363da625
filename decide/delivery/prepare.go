package delivery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"quintet/decide"
	"quintet/decide/channels"
	"quintet/decide/outbound"
	"quintet/decide/templates"
	"quintet/profiles"
	"quintet/profiles/identity"
)

// verdict is whether a message goes out now.
type verdict struct {
	skip  string    // the rule by which it does not
	later time.Time // when to look again
	links []string  // that the text leads to
	err   error     // it could not be told
}

func toValid(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}

// prepare looks at everything anew at the moment of sending, and writes the message.
func (s *Service) prepare(ctx context.Context, d *openDriver, j *job) (*channels.Outgoing, verdict) {
	m, now := &j.message, s.now()
	if !m.ExpiresAt.IsZero() && !now.Before(s.expiry(j)) {
		return nil, verdict{skip: ReasonExpired}
	}
	channel, known := s.known.Channel(j.channel)
	if !known || !channel.Active {
		return nil, verdict{skip: ReasonInactive}
	}
	id, ok := identity.ParseID(m.ProfileID)
	if !ok {
		return nil, verdict{skip: ReasonGone}
	}
	view, ok := s.people.GetPerson(id)
	if !ok {
		return nil, verdict{skip: ReasonGone}
	}
	if rule := s.consent.Stops(m.ProfileID, j.channel, outbound.Consent{Basis: m.Basis, Purpose: m.Purpose}); rule != "" {
		return nil, verdict{skip: rule}
	}
	if q := d.config.QuietHours; q != nil && m.Class != decide.ClassService {
		if next := q.Next(now, Zone(view, q.Location())); next.After(now) {
			return nil, verdict{later: next}
		}
	}
	if s.quiet != nil {
		switch next, ok := s.quiet(view, j.channel, m.Class, now); {
		case !ok:
			return nil, verdict{skip: ReasonQuiet}
		case next.After(now):
			return nil, verdict{later: next}
		}
	}
	to := Address(view, &channel, &d.config)
	if to == "" {
		return nil, verdict{skip: ReasonUnreachable}
	}
	switch dead, err := s.buried(ctx, j.channel, to); {
	case err != nil:
		return nil, verdict{err: err}
	case dead:
		return nil, verdict{skip: ReasonDeadAddress}
	}
	code := ""
	if s.code != nil {
		var err error
		if code, err = s.code(ctx, m.DecisionID, m.Offer); errors.Is(err, decide.ErrNoCode) {
			return nil, verdict{skip: ReasonNoCode}
		} else if err != nil {
			return nil, verdict{err: err}
		}
	}
	return s.write(d, j, view, to, code)
}

// expiry is when a step is too late: later steps of a cascade have the waits of those
// before them in addition.
func (s *Service) expiry(j *job) time.Time {
	at := j.message.ExpiresAt
	for i := range min(j.step, len(j.cascade)) {
		at = at.Add(j.cascade[i].Pause())
	}
	return at
}

// Zone is the time zone of a person by their traits, or the other one.
func Zone(view *profiles.View, other *time.Location) *time.Location {
	for _, name := range [...]string{"timezone", "timeZone", "tz"} {
		if text, ok := view.Traits[name].(string); ok && text != "" && text != "Local" && len(text) <= 64 {
			if l, err := time.LoadLocation(text); err == nil {
				return l
			}
		}
	}
	return other
}

// Address is where a person is reached on a channel, "" for nowhere: the newest
// identifier of the namespace, or the trait.
func Address(view *profiles.View, c *decide.Channel, config *channels.Config) string {
	if all := addresses(view, c, config); len(all) > 0 {
		return all[0]
	}
	return ""
}

// addresses are all where a person is reached on a channel, the one to use first.
func addresses(view *profiles.View, c *decide.Channel, config *channels.Config) (all []string) {
	name := config.AddressName()
	if config.Address == "" && c.Requires != "" {
		name = c.Requires
	}
	for i := len(view.Identifiers) - 1; i >= 0; i-- {
		if view.Identifiers[i].Namespace == name {
			all = append(all, view.Identifiers[i].Value)
		}
	}
	switch v := view.Traits[name].(type) {
	case string:
		if v != "" {
			all = append(all, v)
		}
	case float64:
		all = append(all, fmt.Sprintf("%.0f", v))
	}
	return all
}

func (s *Service) hash(channel, address string) []byte {
	sum := sha256.Sum256([]byte(s.seal.Mac("address", channel+"\x00"+address)))
	return sum[:]
}

func (s *Service) buried(ctx context.Context, channel, address string) (dead bool, err error) {
	if err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM delivery_dead WHERE hash = $1)`, s.hash(channel, address)).Scan(&dead); err != nil {
		err = fmt.Errorf("looking an address up: %w", err)
	}
	return dead, err
}

// bury drops an address: nothing more is sent there. Evidence is what the provider said.
func (s *Service) bury(ctx context.Context, tx pgx.Tx, j *job, address, evidence string) error {
	if err := s.buryHash(ctx, tx, j, s.hash(j.channel, address), evidence); err != nil {
		return err
	}
	if s.isMail(j.channel) { // by which the address is suppressed for everything
		return s.addNote(ctx, tx, j, "Email Bounced", s.now(), "dead", map[string]any{"bounceType": "hard", "email": address})
	}
	return nil
}

func (s *Service) buryHash(ctx context.Context, tx pgx.Tx, j *job, hash []byte, evidence string) error {
	_, err := tx.Exec(ctx, `INSERT INTO delivery_dead (hash, person, profile_id, channel, at, delivery, step, evidence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		hash, j.message.Person, j.message.ProfileID, j.channel, s.now(), j.delivery, j.step, clipReason(evidence))
	return err
}

// buryAddressee drops the address to which a step went, and returns it where it is still
// one of the person's. formerAddress stands for one that is not.
func (s *Service) buryAddressee(ctx context.Context, tx pgx.Tx, j *job, evidence string) (string, error) {
	var hash []byte
	if err := tx.QueryRow(ctx, `SELECT address FROM delivery_steps WHERE delivery = $1 AND step = $2`, j.delivery, j.step).Scan(&hash); err != nil || hash == nil {
		return "", err // a message from before addresses were written down
	}
	if err := s.buryHash(ctx, tx, j, hash, evidence); err != nil {
		return "", err
	}
	d, _ := s.driver(j.channel) // never an error
	channel, known := s.known.Channel(j.channel)
	id, ok := identity.ParseID(j.message.ProfileID)
	if d == nil || !known || !ok {
		return formerAddress, nil
	}
	if view, ok := s.people.GetPerson(id); ok {
		for _, address := range addresses(view, &channel, &d.config) {
			if bytes.Equal(s.hash(j.channel, address), hash) {
				return address, nil
			}
		}
	}
	return formerAddress, nil
}

// formerAddress is what an event says of an address that the person has no more: it is
// none, so that nothing of theirs is suppressed.
const formerAddress = "former"

// write renders a message by the template of its creative, or else of its offer. A promo
// code is the attribute code of the offer.
func (s *Service) write(d *openDriver, j *job, view *profiles.View, to, code string) (*channels.Outgoing, verdict) {
	m := &j.message
	c, err := s.template(m.Creative, m.Offer)
	if err != nil {
		return nil, verdict{skip: ReasonRender}
	}
	if c == nil {
		return nil, verdict{skip: ReasonNoTemplate}
	}
	attributes, _ := s.known.Offer(m.Offer)
	if code != "" {
		if attributes = maps.Clone(attributes); attributes == nil {
			attributes = map[string]any{}
		}
		attributes["code"] = code
	}
	unsubscribe := ""
	if m.Class != decide.ClassService {
		unsubscribe = s.link(j, kindUnsubscribe, 0)
	}
	locale, _ := view.Traits["locale"].(string)
	if locale == "" {
		locale, _ = view.Traits["language"].(string)
	}
	r, err := c.Render(locale, &templates.Values{
		Traits: view.Traits, Attributes: view.Attributes, Offer: attributes, Creative: map[string]string{"key": m.Creative},
		Context: map[string]any{"decision": m.Decision, "offer": m.Offer, "channel": j.channel}, Items: s.known.Items(m.Items), Unsubscribe: unsubscribe,
	})
	switch {
	case errors.Is(err, templates.ErrMissing):
		return nil, verdict{skip: ReasonMissingValue}
	case err != nil:
		return nil, verdict{skip: ReasonRender}
	}
	out := &channels.Outgoing{
		ID: stepID(j), To: to, Unsubscribe: unsubscribe, Expires: s.expiry(j),
		Content: channels.Content{Subject: r.Subject, Text: r.Text, HTML: r.HTML, URL: r.URL, Image: r.Image, Locale: r.Locale},
	}
	if d.config.Driver != channels.DriverSMTP {
		out.Unsubscribe = ""
	}
	links := s.track(j, &out.Content, d.config.Driver == channels.DriverSMTP)
	return out, verdict{links: links}
}

// stepID is the id of a step, by which it goes out.
func stepID(j *job) string { return fmt.Sprintf("%s-%d", strings.ToLower(j.delivery), j.step) }

func (s *Service) template(keys ...string) (*templates.Compiled, error) {
	for _, key := range keys {
		v, ok := s.templates.Get(key)
		if !ok {
			continue
		}
		s.compileMu.Lock()
		defer s.compileMu.Unlock()
		if c, ok := s.compiled[key]; ok && c.version == v.Version {
			return c.Compiled, nil
		}
		c, err := templates.Compile(&v.Value)
		if err != nil {
			return nil, err
		}
		s.compiled[key] = compiledTemplate{v.Version, c}
		return c, nil
	}
	return nil, nil
}
