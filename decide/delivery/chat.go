package delivery

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"

	"quintet/decide/channels"
	"quintet/internal/api"
	"quintet/internal/problem"
	"quintet/profiles/identity"
)

// A chat link is the payload of a deep link, of 40 of the 64 characters that Telegram
// takes: the profile, the moment until which it holds, and a MAC with the channel.
const (
	chatLinkBody = 16 + 4
	chatLinkMAC  = 10
	chatLinkFor  = 24 * time.Hour
)

func (s *Service) chatLinkMAC(channel string, body []byte) string {
	return s.seal.Mac("chat", channel+"\x00"+string(body))[:chatLinkMAC]
}

func (s *Service) chatLink(channel string, profile identity.ID, until time.Time) string {
	body := binary.BigEndian.AppendUint32(profile[:], uint32(until.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(body, s.chatLinkMAC(channel, body)...))
}

// readChatLink is whose chat a payload makes it; false for one that was not given out for
// this channel, or has ended.
func (s *Service) readChatLink(channel, text string) (profile identity.ID, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != chatLinkBody+chatLinkMAC || base64.RawURLEncoding.EncodeToString(raw) != text {
		return profile, false
	}
	body := raw[:chatLinkBody]
	if !hmac.Equal(raw[chatLinkBody:], []byte(s.chatLinkMAC(channel, body))) || s.now().Unix() > int64(binary.BigEndian.Uint32(body[16:])) {
		return profile, false
	}
	copy(profile[:], body)
	return profile, true
}

// ChatLink is a deep link to a bot, by which a chat becomes a person's.
type ChatLink struct {
	URL       string    `json:"url" doc:"Show it to the person, and to nobody else"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (s *Service) bot(key string) (*openDriver, error) {
	d, err := s.driver(key)
	if err == nil && (d == nil || d.config.Driver != channels.DriverTelegram || d.config.Telegram == nil) {
		err = problem.NotFound("Telegram bot of the channel", key)
	}
	return d, err
}

func (s *Service) chatRoutes(srv *api.Server) {
	srv.Router.Post("/v1/channels/{key}/updates", s.serveUpdate)
	type linkInput struct {
		Key  string `path:"key" maxLength:"64"`
		Body struct {
			Profile string `json:"profile" minLength:"1" maxLength:"64" doc:"Profile id of who is to press the link"`
		}
	}
	type linkOutput struct{ Body ChatLink }
	// Who has a link gets the messages of the person: it is for servers, not for pages.
	huma.Register(srv.API, operation(http.MethodPost, "link-chat", "/v1/channels/{key}/chat-links", "Make a deep link by which a Telegram chat becomes a person's", "Channels", api.ScopeAdmin), func(_ context.Context, in *linkInput) (*linkOutput, error) {
		d, err := s.bot(in.Key)
		if err != nil {
			return nil, err
		}
		if d.config.Telegram.Username == "" {
			return nil, problem.Conflict("The driver of the channel names no username of its bot, which a link needs.")
		}
		id, ok := identity.ParseID(in.Body.Profile)
		if !ok {
			return nil, problem.Invalid{{Field: "profile", Rule: "must be a profile id", Value: problem.Clip(in.Body.Profile)}}
		}
		if _, ok := s.people.GetPerson(id); !ok {
			return nil, problem.NotFound("profile", in.Body.Profile)
		}
		until := s.now().Add(chatLinkFor).Truncate(time.Second)
		token := s.chatLink(in.Key, id, until)
		return &linkOutput{ChatLink{URL: "https://t.me/" + d.config.Telegram.Username + "?start=" + token, Token: token, ExpiresAt: until}}, nil
	})
	type listenOutput struct{ Body Tried }
	huma.Register(srv.API, operation(http.MethodPost, "listen-to-chats", "/v1/channels/{key}/listen", "Have Telegram post what people write to the bot", "Channels", api.ScopeAdmin), func(ctx context.Context, in *keyInput) (*listenOutput, error) {
		d, err := s.bot(in.Key)
		if err != nil {
			return nil, err
		}
		listener, ok := d.Driver.(interface {
			Listen(ctx context.Context, address, secret string) error
		})
		if !ok || d.secrets[channels.SecretReceipts] == "" {
			return nil, problem.Conflict("The channel has no secret receipts, by which the posts of Telegram are known.")
		}
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		return &listenOutput{tried("", listener.Listen(ctx, strings.TrimSuffix(s.public, "/")+"/v1/channels/"+in.Key+"/updates", d.secrets[channels.SecretReceipts]))}, nil
	})
}

// serveUpdate takes what the Bot API posts. What it is answered, the bot says.
func (s *Service) serveUpdate(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	d, err := s.bot(key)
	if secret := []byte(d.secret(channels.SecretReceipts)); err != nil || len(secret) == 0 || !hmac.Equal([]byte(r.Header.Get(channels.TelegramSecretHeader)), secret) {
		api.WriteProblem(w, r, problem.Unauthorized("The channel takes no updates, or not from here."))
		return
	}
	body, err := api.ReadBody(r, maxReceiptBody)
	var u channels.Update
	wanted := false
	if err == nil {
		if u, wanted, err = channels.ParseUpdate(body, s.now()); err != nil {
			err = problem.BadRequest("The body is none: " + err.Error() + ".")
		}
	}
	say := ""
	if wanted && err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), publicTimeout)
		defer cancel()
		say, err = s.update(ctx, key, d, &u)
	}
	if err != nil {
		api.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{}
	if say != "" {
		answer = map[string]any{"method": "sendMessage", "chat_id": json.Number(u.Chat), "text": say}
	}
	_ = json.NewEncoder(w).Encode(answer) // Telegram asks again when it is gone
}

func (d *openDriver) secret(name string) string {
	if d == nil {
		return ""
	}
	return d.secrets[name]
}

// What the bot says, unless the driver has other words.
const (
	saidLinked   = "You will get messages here. Send /stop when you want no more."
	saidUnknown  = "Please open the link in your account to connect this chat; a link holds for a day."
	saidStopped  = "You will get no more of these messages."
	saidNothing  = "This chat gets no messages."
	maxReplyText = 1000
)

// update carries out what somebody did in a chat, and returns what they are told. It may
// come again.
func (s *Service) update(ctx context.Context, key string, d *openDriver, u *channels.Update) (say string, err error) {
	said := func(own, other string) string {
		if own != "" {
			return own
		}
		return other
	}
	hash := s.hash(key, u.Chat)
	switch u.Kind {
	case channels.UpdateStart:
		if _, err := s.pool.Exec(ctx, `DELETE FROM delivery_dead WHERE hash = $1`, hash); err != nil {
			return "", fmt.Errorf("letting a chat in again: %w", err)
		}
		profile, ok := s.readChatLink(key, u.Payload)
		if !ok {
			return saidUnknown, nil
		}
		return said(d.config.Telegram.Linked, saidLinked), s.linkChat(ctx, key, d, u, profile)
	case channels.UpdateUnblocked:
		if _, err := s.pool.Exec(ctx, `DELETE FROM delivery_dead WHERE hash = $1`, hash); err != nil {
			return "", fmt.Errorf("letting a chat in again: %w", err)
		}
		return "", nil
	}
	person, profile, err := s.chatOwner(ctx, hash)
	if errors.Is(err, pgx.ErrNoRows) {
		if u.Kind == channels.UpdateStop {
			return saidNothing, nil
		}
		return "", nil // somebody whom nothing is known of
	}
	if err != nil {
		return "", err
	}
	note := func(event, kind string, properties map[string]any) error {
		properties["channel"] = key
		text, err := json.Marshal(properties)
		if err == nil {
			_, err = s.pool.Exec(ctx, `INSERT INTO delivery_notes (person, profile_id, message_id, event, at, properties) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (message_id) DO NOTHING`,
				person, profile, fmt.Sprintf("chat/%s/%d/%s", key, u.ID, kind), event, u.At, text)
		}
		if err != nil {
			return fmt.Errorf("writing down what happened in a chat: %w", err)
		}
		return nil
	}
	switch u.Kind {
	case channels.UpdateStop:
		return said(d.config.Telegram.Stopped, saidStopped), note("Unsubscribed", "stop", map[string]any{})
	case channels.UpdateBlocked:
		_, err := s.pool.Exec(ctx, `INSERT INTO delivery_dead (hash, person, profile_id, channel, at, evidence) VALUES ($1, $2, $3, $4, $5, 'the bot was blocked') ON CONFLICT DO NOTHING`,
			hash, person, profile, key, u.At)
		return "", err
	}
	text := u.Text
	if runes := []rune(toValid(text)); len(runes) > maxReplyText {
		text = string(runes[:maxReplyText])
	} else {
		text = string(runes)
	}
	if err := note("Message Received", "received", map[string]any{"text": text}); err != nil {
		return "", err
	}
	delivery, step, err := s.answered(ctx, key, hash, u)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil // what was not asked
	}
	if err != nil {
		return "", err
	}
	return "", s.receive(ctx, delivery, step, channels.Receipt{Kind: channels.Replied, At: u.At}, map[string]any{"text": text})
}

// answeredFor is how long after a message what somebody writes is taken as its answer
// where they do not say to what they reply.
const answeredFor = 24 * time.Hour

// answered is the message that an update answers: the one that it says, or else the last.
func (s *Service) answered(ctx context.Context, key string, hash []byte, u *channels.Update) (delivery string, step int, err error) {
	if u.ReplyTo != "" {
		return s.byProvider(ctx, key, u.ReplyTo)
	}
	err = s.pool.QueryRow(ctx, `SELECT delivery, step FROM delivery_steps WHERE address = $1 AND sent_at BETWEEN $2 AND $3 ORDER BY sent_at DESC LIMIT 1`,
		hash, u.At.Add(-answeredFor), u.At.Add(time.Second)).Scan(&delivery, &step)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("looking for what is answered: %w", err)
	}
	return delivery, step, err
}

// chatOwner is whose a chat is: of who linked it, or else got a message there last.
func (s *Service) chatOwner(ctx context.Context, hash []byte) (person, profile string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT person, profile_id FROM delivery_chats WHERE hash = $1`, hash).Scan(&person, &profile)
	if errors.Is(err, pgx.ErrNoRows) {
		err = s.pool.QueryRow(ctx, `SELECT d.person, d.profile_id FROM delivery_steps s JOIN deliveries d ON d.id = s.delivery WHERE s.address = $1 ORDER BY s.delivery DESC LIMIT 1`, hash).Scan(&person, &profile)
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("looking for whose a chat is: %w", err)
	}
	return person, profile, err
}

// linkChat makes a chat a person's. It is nobody else's any more: else their messages
// would go there.
func (s *Service) linkChat(ctx context.Context, key string, d *openDriver, u *channels.Update, profile identity.ID) error {
	if s.setTrait == nil {
		return problem.Unavailable(time.Minute, "Chats cannot be linked here.", nil)
	}
	view, ok := s.people.GetPerson(profile)
	if !ok {
		return nil // erased since the link was made
	}
	hash, trait := s.hash(key, u.Chat), d.config.AddressName()
	_, former, err := s.chatOwner(ctx, hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if id, ok := identity.ParseID(former); ok && id != profile {
		if other, ok := s.people.GetPerson(id); ok && other.Person != view.Person && traitText(other.Traits[trait]) == u.Chat {
			if err := s.setTrait(ctx, former, trait, nil); err != nil {
				return fmt.Errorf("taking a chat from who had it: %w", err)
			}
		}
	}
	if traitText(view.Traits[trait]) != u.Chat {
		if err := s.setTrait(ctx, profile.String(), trait, u.Chat); err != nil {
			return fmt.Errorf("linking a chat: %w", err)
		}
	}
	if _, err := s.pool.Exec(ctx, `INSERT INTO delivery_chats (hash, channel, person, profile_id, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (hash) DO UPDATE SET person = excluded.person, profile_id = excluded.profile_id, at = excluded.at`, hash, key, view.Person, profile.String(), u.At); err != nil {
		return fmt.Errorf("linking a chat: %w", err)
	}
	return nil
}

// traitText is an address in a trait.
func traitText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	return ""
}
