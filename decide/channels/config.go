package channels

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"quintet/internal/problem"
)

// The drivers.
const (
	DriverSMTP     = "smtp"
	DriverSMPP     = "smpp"
	DriverWebhook  = "webhook"
	DriverWebPush  = "webpush"
	DriverFCM      = "fcm"
	DriverTelegram = "telegram"
	// DriverCascade sends by other channels, one after another.
	DriverCascade = "cascade"
)

// Names of secrets.
const (
	SecretPassword = "password" // SMTP, SMPP
	SecretDKIM     = "dkimKey"  // SMTP: private key, PEM
	SecretVAPID    = "vapidKey" // web push: private key, base64url
	SecretAccount  = "account"  // FCM: the service account's JSON
	SecretToken    = "token"    // Telegram: of the bot; webhook: {{secret.token}}
	SecretSigning  = "signing"  // webhook: key of the signature of requests
	SecretReceipts = "receipts" // webhook: key of the signature of receipts; Telegram: secret of the webhook
	SecretVerify   = "verify"   // webhook: what confirms the address of receipts
)

// Config is how a channel is sent by; its secrets are kept apart.
type Config struct {
	Driver string `json:"driver" enum:"smtp,smpp,webhook,webpush,fcm,telegram,cascade" doc:"What the channel is sent by"`
	// Address is the namespace of an identifier or the name of a trait.
	Address       string         `json:"address,omitempty" maxLength:"128" doc:"Identifier namespace or trait that holds the address; by the driver when absent"`
	RatePerSecond float64        `json:"ratePerSecond,omitempty" doc:"Most messages a second of one process; 0 is by the driver"`
	MaxAttempts   int            `json:"maxAttempts,omitempty" doc:"How often a message is tried while the provider cannot take it; 6 when absent"`
	QuietHours    *QuietHours    `json:"quietHours,omitempty" doc:"When advertising waits, in the person's own time"`
	SMTP          *SMTP          `json:"smtp,omitempty"`
	SMPP          *SMPP          `json:"smpp,omitempty"`
	Webhook       *Webhook       `json:"webhook,omitempty"`
	WebPush       *WebPush       `json:"webpush,omitempty"`
	FCM           *FCM           `json:"fcm,omitempty"`
	Telegram      *Telegram      `json:"telegram,omitempty"`
	Cascade       *CascadeConfig `json:"cascade,omitempty"`
}

// SMTP is a mail server and how mails are signed.
type SMTP struct {
	Host     string `json:"host" maxLength:"255"`
	Port     int    `json:"port"`
	TLS      string `json:"tls" enum:"required,implicit,none" doc:"required: STARTTLS or nothing is sent; implicit: TLS from the first byte; none: to a server on this machine"`
	Username string `json:"username,omitempty" maxLength:"255"`
	From     string `json:"from" maxLength:"320" doc:"Sender, as in Shop <news@shop.example>"`
	ReplyTo  string `json:"replyTo,omitempty" maxLength:"320"`
	// BouncePrefix makes the return path PREFIX+ID@domain of From.
	BouncePrefix string `json:"bouncePrefix,omitempty" maxLength:"32" doc:"Local part to which bounces go, with the message's id behind a plus sign; the sender when absent"`
	DKIMDomain   string `json:"dkimDomain,omitempty" maxLength:"255"`
	DKIMSelector string `json:"dkimSelector,omitempty" maxLength:"63"`
}

// SMPP is a message centre, spoken to by SMPP 3.4.
type SMPP struct {
	Address    string `json:"address" maxLength:"255" doc:"host:port of the message centre"`
	SystemID   string `json:"systemId" maxLength:"15"`
	SystemType string `json:"systemType,omitempty" maxLength:"12"`
	Source     string `json:"source" maxLength:"20" doc:"Sender: a name of up to 11 letters, or a number"`
	// DeadErrors are codes of the centre, by its own list.
	DeadErrors []string `json:"deadErrors,omitempty" maxItems:"100" doc:"Codes (err) of UNDELIV receipts by which a number is nobody's, so that nothing more is sent there; 1, 5 and 9, those of GSM networks, when absent"`
}

// WebPush holds the public half of a VAPID key pair.
type WebPush struct {
	PublicKey string `json:"publicKey" maxLength:"128" doc:"VAPID public key, base64url"`
	Subject   string `json:"subject" maxLength:"255" doc:"Whom a push service turns to: an https: address or an e-mail address"`
}

// FCM is a Firebase project.
type FCM struct {
	ProjectID string `json:"projectId" maxLength:"64"`
	Endpoint  string `json:"endpoint,omitempty" maxLength:"255" doc:"Address of the service; Google's when absent"`
}

// Telegram is a bot.
type Telegram struct {
	Endpoint string `json:"endpoint,omitempty" maxLength:"255" doc:"Address of the Bot API; Telegram's when absent"`
	Username string `json:"username,omitempty" maxLength:"32" doc:"Name of the bot, to which deep links lead"`
	Linked   string `json:"linked,omitempty" maxLength:"1000" doc:"What the bot says when a chat was linked"`
	Stopped  string `json:"stopped,omitempty" maxLength:"1000" doc:"What the bot says to /stop"`
}

// CascadeConfig is a row of channels: the next is tried when the one before came to
// nothing.
type CascadeConfig struct {
	Steps []CascadeStep `json:"steps" nullable:"false" doc:"2 to 5 channels"`
}

// CascadeStep is one of a cascade's channels.
type CascadeStep struct {
	Channel string      `json:"channel" maxLength:"64"`
	Wait    string      `json:"wait,omitempty" maxLength:"16" doc:"How long is waited for the receipt before the next step, as in 4h; not for the last"`
	Until   ReceiptKind `json:"until,omitempty" enum:"delivered,opened,clicked,replied" doc:"The receipt that ends the cascade; opened when absent"`
}

// Pause is the wait of a step.
func (s *CascadeStep) Pause() time.Duration {
	d, err := time.ParseDuration(s.Wait)
	if err != nil {
		return 0
	}
	return d
}

// Ends says whether a receipt of a kind ends the cascade at this step. A click or a
// reply implies that it was opened, and that implies that it was delivered.
func (s *CascadeStep) Ends(kind ReceiptKind) bool {
	order := []ReceiptKind{Delivered, Opened, Clicked, Replied}
	until := s.Until
	if until == "" {
		until = Opened
	}
	return slices.Index(order, kind) >= slices.Index(order, until) && slices.Contains(order, kind)
}

var botName = regexp.MustCompile(`^[A-Za-z0-9_]{5,32}$`)

const maxWait = 14 * 24 * time.Hour

// Secrets are the names of the secrets that the driver takes, and which of them it
// cannot do without.
func (c *Config) Secrets() (names, needed []string) {
	switch c.Driver {
	case DriverSMTP:
		names = []string{SecretPassword, SecretDKIM}
		if c.SMTP != nil && c.SMTP.Username != "" {
			needed = append(needed, SecretPassword)
		}
		if c.SMTP != nil && c.SMTP.DKIMDomain != "" {
			needed = append(needed, SecretDKIM)
		}
	case DriverSMPP:
		names = []string{SecretPassword}
	case DriverWebPush:
		names, needed = []string{SecretVAPID}, []string{SecretVAPID}
	case DriverFCM:
		names, needed = []string{SecretAccount}, []string{SecretAccount}
	case DriverTelegram:
		names, needed = []string{SecretToken, SecretReceipts}, []string{SecretToken}
	case DriverWebhook:
		names = []string{SecretToken, SecretSigning, SecretReceipts, SecretVerify}
		if c.Webhook != nil {
			if c.Webhook.usesToken() {
				needed = append(needed, SecretToken)
			}
			if c.Webhook.Signature != nil {
				needed = append(needed, SecretSigning)
			}
			if c.Webhook.Receipts != nil {
				needed = append(needed, SecretReceipts)
				if c.Webhook.Receipts.Handshake {
					needed = append(needed, SecretVerify)
				}
			}
		}
	}
	return names, needed
}

// AddressName is the namespace or trait that holds the addresses of the channel.
func (c *Config) AddressName() string {
	if c.Address != "" {
		return c.Address
	}
	switch c.Driver {
	case DriverSMTP:
		return "email"
	case DriverWebPush:
		return "webPushSubscription"
	case DriverFCM:
		return "fcmToken"
	case DriverTelegram:
		return "telegramChatId"
	}
	return "phone"
}

// Rate is the most messages a second.
func (c *Config) Rate() float64 {
	if c.RatePerSecond > 0 {
		return c.RatePerSecond
	}
	if c.Driver == DriverTelegram {
		return 25 // the Bot API takes about 30
	}
	return 100
}

// Attempts is how often a message is tried.
func (c *Config) Attempts() int {
	if c.MaxAttempts > 0 {
		return c.MaxAttempts
	}
	return 6
}

// Validate checks a configuration and the names of its secrets.
func (c *Config) Validate(secrets map[string]string) error {
	var bad problem.Invalid
	if c.RatePerSecond < 0 || c.RatePerSecond > 10_000 {
		bad.Add("ratePerSecond", "must be 0 to 10000", c.RatePerSecond)
	}
	if c.MaxAttempts < 0 || c.MaxAttempts > 20 {
		bad.Add("maxAttempts", "must be 0 to 20", c.MaxAttempts)
	}
	if c.QuietHours != nil {
		c.QuietHours.validate(&bad)
	}
	parts := map[string]bool{
		DriverSMTP: c.SMTP != nil, DriverSMPP: c.SMPP != nil, DriverWebhook: c.Webhook != nil, DriverWebPush: c.WebPush != nil,
		DriverFCM: c.FCM != nil, DriverTelegram: c.Telegram != nil, DriverCascade: c.Cascade != nil,
	}
	if _, known := parts[c.Driver]; !known {
		bad.Add("driver", "must be smtp, smpp, webhook, webpush, fcm, telegram or cascade", c.Driver)
		return bad.Err()
	}
	for name, given := range parts {
		if given && name != c.Driver {
			bad.Add(name, "must be absent, as the driver is "+c.Driver, nil)
		}
	}
	if !parts[c.Driver] {
		if c.Driver == DriverTelegram {
			c.Telegram = new(Telegram)
		} else {
			bad.Add(c.Driver, "is required", nil)
			return bad.Err()
		}
	}
	switch c.Driver {
	case DriverSMTP:
		c.SMTP.validate(&bad)
	case DriverSMPP:
		if _, _, err := net.SplitHostPort(c.SMPP.Address); err != nil {
			bad.Add("smpp.address", "must be host:port", c.SMPP.Address)
		}
		needText(&bad, "smpp.systemId", c.SMPP.SystemID, 15)
		needText(&bad, "smpp.source", c.SMPP.Source, 20)
		for i, code := range c.SMPP.DeadErrors {
			if needText(&bad, fmt.Sprintf("smpp.deadErrors[%d]", i), code, 16); i >= 100 {
				bad.Add("smpp.deadErrors", "must have at most 100 codes", len(c.SMPP.DeadErrors))
				break
			}
		}
	case DriverWebhook:
		c.Webhook.validate(&bad)
	case DriverWebPush:
		needText(&bad, "webpush.publicKey", c.WebPush.PublicKey, 128)
		needText(&bad, "webpush.subject", c.WebPush.Subject, 255)
	case DriverFCM:
		needText(&bad, "fcm.projectId", c.FCM.ProjectID, 64)
		checkURL(&bad, "fcm.endpoint", c.FCM.Endpoint)
	case DriverTelegram:
		checkURL(&bad, "telegram.endpoint", c.Telegram.Endpoint)
		if c.Telegram.Username != "" && !botName.MatchString(c.Telegram.Username) {
			bad.Add("telegram.username", "must be 5 to 32 letters, digits and underscores, without an at sign", problem.Clip(c.Telegram.Username))
		}
		if len(c.Telegram.Linked) > 1000 || len(c.Telegram.Stopped) > 1000 {
			bad.Add("telegram.linked", "must be at most 1000 bytes, as must stopped", nil)
		}
		if secret := secrets[SecretReceipts]; secret != "" && !webhookSecret.MatchString(secret) {
			bad.Add("secrets."+SecretReceipts, "must be 16 to 256 letters, digits, underscores and hyphens", nil)
		}
	case DriverCascade:
		c.Cascade.validate(&bad)
	}
	names, needed := c.Secrets()
	for name := range secrets {
		if !slices.Contains(names, name) {
			bad.Add("secrets."+problem.Clip(name), "is none of the driver's secrets: "+strings.Join(names, ", "), nil)
		}
	}
	for _, name := range needed {
		if secrets[name] == "" {
			bad.Add("secrets."+name, "is required", nil)
		}
	}
	return bad.Err()
}

func (s *SMTP) validate(bad *problem.Invalid) {
	needText(bad, "smtp.host", s.Host, 255)
	if s.Port < 1 || s.Port > 65535 {
		bad.Add("smtp.port", "must be 1 to 65535", s.Port)
	}
	if s.TLS == "" {
		s.TLS = "required"
	}
	if !slices.Contains([]string{"required", "implicit", "none"}, s.TLS) {
		bad.Add("smtp.tls", "must be required, implicit or none", s.TLS)
	}
	if ip := net.ParseIP(s.Host); s.TLS == "none" && s.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		bad.Add("smtp.tls", "must be required or implicit: only a server on this machine is spoken to in the clear", s.TLS)
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		bad.Add("smtp.from", "must be an address such as Shop <news@shop.example>", s.From)
	}
	if s.ReplyTo != "" {
		if _, err := mail.ParseAddress(s.ReplyTo); err != nil {
			bad.Add("smtp.replyTo", "must be an e-mail address", s.ReplyTo)
		}
	}
	if (s.DKIMDomain == "") != (s.DKIMSelector == "") {
		bad.Add("smtp.dkimSelector", "must be given together with dkimDomain", s.DKIMSelector)
	}
	if strings.ContainsAny(s.BouncePrefix, "@+ <>\r\n") {
		bad.Add("smtp.bouncePrefix", "must be a local part without @ and +", s.BouncePrefix)
	}
}

func (c *CascadeConfig) validate(bad *problem.Invalid) {
	if len(c.Steps) < 2 || len(c.Steps) > 5 {
		bad.Add("cascade.steps", "must have 2 to 5 steps", len(c.Steps))
	}
	seen := map[string]bool{}
	for i, s := range c.Steps {
		at := fmt.Sprintf("cascade.steps[%d]", i)
		if s.Channel == "" || seen[s.Channel] {
			bad.Add(at+".channel", "must be the key of a channel, each at most once", s.Channel)
		}
		seen[s.Channel] = true
		if s.Until != "" && !slices.Contains([]ReceiptKind{Delivered, Opened, Clicked, Replied}, s.Until) {
			bad.Add(at+".until", "must be delivered, opened, clicked or replied", string(s.Until))
		}
		d, err := time.ParseDuration(s.Wait)
		if i == len(c.Steps)-1 {
			if s.Wait != "" {
				bad.Add(at+".wait", "must be absent: nothing follows the last step", s.Wait)
			}
		} else if err != nil || d < time.Minute || d > maxWait {
			bad.Add(at+".wait", "must be a time from 1m to 336h", s.Wait)
		}
	}
}

func needText(bad *problem.Invalid, field, value string, most int) {
	if value == "" || len(value) > most || strings.ContainsAny(value, "\x00\r\n") {
		bad.Add(field, fmt.Sprintf("must be a line of 1 to %d bytes", most), problem.Clip(value))
	}
}

func checkURL(bad *problem.Invalid, field, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		bad.Add(field, "must be an address that begins with https:// or http://, without a password in it", problem.Clip(value))
		return
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		bad.Add(field, "must begin with https://: only this machine is spoken to in the clear", problem.Clip(value))
	}
}

// Open makes a driver of a configuration that [Config.Validate] found right.
func Open(c *Config, secrets map[string]string) (Driver, error) {
	switch c.Driver {
	case DriverSMTP:
		return openSMTP(c.SMTP, secrets)
	case DriverSMPP:
		return openSMPP(c.SMPP, secrets[SecretPassword]), nil
	case DriverWebhook:
		return openWebhook(c.Webhook, secrets), nil
	case DriverWebPush:
		return openWebPush(c.WebPush, secrets[SecretVAPID])
	case DriverFCM:
		return openFCM(c.FCM, secrets[SecretAccount])
	case DriverTelegram:
		return openTelegram(c.Telegram, secrets[SecretToken]), nil
	}
	return nil, fmt.Errorf("the driver %q sends nothing by itself", c.Driver)
}
