package channels

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// UpdateKind is what somebody did in a chat with a bot.
type UpdateKind string

// The kinds of updates.
const (
	UpdateStart     UpdateKind = "start"     // /start, with the payload of a deep link where there was one
	UpdateStop      UpdateKind = "stop"      // /stop
	UpdateText      UpdateKind = "text"      // said something
	UpdateBlocked   UpdateKind = "blocked"   // blocked the bot
	UpdateUnblocked UpdateKind = "unblocked" // and let it in again
)

// Update is one of a bot's private chats, https://core.telegram.org/bots/api#update.
type Update struct {
	ID      int64 // the same when it is told again
	Kind    UpdateKind
	Chat    string
	Payload string // of the deep link
	Text    string // at most 4096 characters, as Telegram takes them
	// ReplyTo is the id that [Driver.Send] gave the message that is answered, "" for none.
	ReplyTo string
	At      time.Time
}

var errNoUpdate = errors.New("it must be an update of the Bot API with update_id")

// ParseUpdate reads what the Bot API posts to a webhook. ok is false for what is of no
// interest: groups and channels, bots, edits and everything else.
func ParseUpdate(body []byte, now time.Time) (u Update, ok bool, err error) {
	type chat struct {
		ID   int64  `json:"id"`
		Type string `json:"type"`
	}
	var in struct {
		UpdateID *int64 `json:"update_id"`
		Message  *struct {
			MessageID int64 `json:"message_id"`
			Date      int64 `json:"date"`
			Chat      chat  `json:"chat"`
			From      struct {
				IsBot bool `json:"is_bot"`
			} `json:"from"`
			Text    string `json:"text"`
			Caption string `json:"caption"`
			ReplyTo *struct {
				MessageID int64 `json:"message_id"`
			} `json:"reply_to_message"`
		} `json:"message"`
		MyChatMember *struct {
			Date int64 `json:"date"`
			Chat chat  `json:"chat"`
			New  struct {
				Status string `json:"status"`
			} `json:"new_chat_member"`
		} `json:"my_chat_member"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.UpdateID == nil {
		return u, false, errNoUpdate
	}
	u.ID = *in.UpdateID
	switch m, member := in.Message, in.MyChatMember; {
	case m != nil && m.Chat.Type == "private" && m.Chat.ID != 0 && !m.From.IsBot:
		u.Chat, u.At = strconv.FormatInt(m.Chat.ID, 10), receiptTime(strconv.FormatInt(m.Date, 10), now)
		u.Kind, u.Text = UpdateText, m.Text
		if u.Text == "" {
			u.Text = m.Caption
		}
		if m.ReplyTo != nil {
			u.ReplyTo = u.Chat + "/" + strconv.FormatInt(m.ReplyTo.MessageID, 10)
		}
		command, rest, _ := strings.Cut(u.Text, " ")
		command, _, _ = strings.Cut(command, "@")
		switch strings.ToLower(strings.TrimSpace(command)) {
		case "/start":
			u.Kind, u.Payload = UpdateStart, clip(strings.TrimSpace(rest), 64)
		case "/stop":
			u.Kind = UpdateStop
		}
		return u, true, nil
	case member != nil && member.Chat.Type == "private" && member.Chat.ID != 0:
		u.Chat, u.At = strconv.FormatInt(member.Chat.ID, 10), receiptTime(strconv.FormatInt(member.Date, 10), now)
		switch member.New.Status {
		case "kicked":
			u.Kind = UpdateBlocked
		case "member":
			u.Kind = UpdateUnblocked
		}
		return u, u.Kind != "", nil
	}
	return u, false, nil
}

// webhookSecret is what Telegram takes for one, and long enough not to be guessed.
var webhookSecret = regexp.MustCompile(`^[A-Za-z0-9_-]{16,256}$`)

// TelegramSecretHeader has the secret of the webhook.
const TelegramSecretHeader = "X-Telegram-Bot-Api-Secret-Token"

// Listen has updates posted to an address, with the secret in [TelegramSecretHeader].
func (d *telegramDriver) Listen(ctx context.Context, address, secret string) error {
	_, err := d.call(ctx, "setWebhook", map[string]any{"url": address, "secret_token": secret, "allowed_updates": []string{"message", "my_chat_member"}})
	return err
}
