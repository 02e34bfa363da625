package channels

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	gomail "github.com/wneessen/go-mail"
)

const smtpTimeout = 30 * time.Second

type smtpDriver struct {
	config *SMTP
	client func() (*gomail.Client, error)
	from   *mail.Address
	domain string
	sign   *dkim.SignOptions // nil for mails that are not signed
}

func openSMTP(c *SMTP, secrets map[string]string) (*smtpDriver, error) {
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("reading the sender: %w", err)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	options := []gomail.Option{gomail.WithPort(c.Port), gomail.WithTimeout(smtpTimeout), gomail.WithHELO(domain), gomail.WithoutNoop()}
	switch c.TLS {
	case "implicit":
		options = append(options, gomail.WithSSL())
	case "none":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	options = append(options, gomail.WithTLSConfig(&tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}))
	if c.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.Username), gomail.WithPassword(secrets[SecretPassword]))
		if c.TLS == "none" { // to this machine
			options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthPlainNoEnc))
		}
	}
	var sign *dkim.SignOptions
	if c.DKIMDomain != "" {
		key, err := parseKey(secrets[SecretDKIM])
		if err != nil {
			return nil, err
		}
		sign = &dkim.SignOptions{
			Domain: c.DKIMDomain, Selector: c.DKIMSelector, Signer: key, Hash: crypto.SHA256,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
			// RFC 8058 asks for the headers of one-click unsubscription to be signed.
			HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "List-Unsubscribe", "List-Unsubscribe-Post"},
		}
	}
	d := &smtpDriver{config: c, from: from, domain: domain, sign: sign}
	// A client holds one connection: each message has its own.
	d.client = func() (*gomail.Client, error) { return gomail.NewClient(c.Host, options...) }
	_, err = d.client()
	return d, err
}

// parseKey reads a private key for DKIM.
func parseKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the DKIM key must be a private key in PEM form")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the DKIM key: %w", err)
	}
	if signer, ok := key.(crypto.Signer); ok {
		return signer, nil
	}
	return nil, errors.New("the DKIM key cannot sign")
}

func (d *smtpDriver) compose(m *Outgoing) (*gomail.Msg, string, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(d.from)
	if err := msg.To(m.To); err != nil {
		return nil, "", failure(Dead, "the address is none of e-mail: %w", err)
	}
	if d.config.ReplyTo != "" {
		if err := msg.ReplyTo(d.config.ReplyTo); err != nil {
			return nil, "", failure(Permanent, "the address for replies: %w", err)
		}
	}
	id := m.ID + "@" + d.domain
	msg.SetMessageIDWithValue(id)
	msg.SetDate()
	msg.Subject(oneLine(m.Subject))
	if m.Unsubscribe != "" { // RFC 2369 and RFC 8058
		msg.SetGenHeaderPreformatted("List-Unsubscribe", "<"+m.Unsubscribe+">")
		msg.SetGenHeaderPreformatted("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	switch {
	case m.HTML == "":
		msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	case m.Text == "":
		msg.SetBodyString(gomail.TypeTextHTML, m.HTML)
	default:
		msg.SetBodyString(gomail.TypeTextPlain, m.Text)
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, id, nil
}

// Send implements [Driver].
func (d *smtpDriver) Send(ctx context.Context, m *Outgoing) (string, error) {
	msg, id, err := d.compose(m)
	if err != nil {
		return "", err
	}
	client, err := d.client()
	if err != nil {
		return "", failure(Permanent, "preparing a connection: %w", err)
	}
	var text bytes.Buffer
	if _, err := msg.WriteTo(&text); err != nil {
		return "", failure(Permanent, "writing the mail: %w", err)
	}
	if d.sign != nil {
		var signed bytes.Buffer
		if err := dkim.Sign(&signed, &text, d.sign); err != nil {
			return "", failure(Permanent, "signing the mail: %w", err)
		}
		text = signed
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return "", smtpDialFailure(err)
	}
	defer client.CloseWithSMTPClient(conn) //nolint:errcheck // the message was taken or not before this
	from := d.from.Address
	if d.config.BouncePrefix != "" {
		from = d.config.BouncePrefix + "+" + m.ID + "@" + d.domain
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		return "", failure(Dead, "the address is none of e-mail: %w", err)
	}
	if err := conn.Mail(from); err != nil {
		return "", smtpFailure(err, false, false)
	}
	if err := conn.Rcpt(to.Address); err != nil {
		return "", smtpFailure(err, true, false)
	}
	w, err := conn.Data()
	if err != nil {
		return "", smtpFailure(err, false, false)
	}
	_, err = w.Write(text.Bytes())
	if err := errors.Join(err, w.Close()); err != nil {
		return "", smtpFailure(err, false, true)
	}
	return id, nil
}

func smtpDialFailure(err error) *Failure {
	text := err.Error()
	for _, word := range []string{"535", "534", "530", "authentication", "SMTP AUTH"} {
		if strings.Contains(text, word) {
			return failure(Credentials, "signing in: %w", err)
		}
	}
	return failure(Temporary, "connecting to the mail server: %w", err)
}

// enhanced is the status of RFC 3463 at the beginning of an answer.
var enhanced = regexp.MustCompile(`^([245]\.\d{1,3}\.\d{1,3})\b`)

// smtpFailure reads the answer of a server to the recipient, to another command, or to
// the mail itself, behind which it may have the mail.
func smtpFailure(err error, recipient, handed bool) *Failure {
	var answer *textproto.Error
	if !errors.As(err, &answer) {
		if handed {
			return &Failure{Kind: Uncertain, Err: err}
		}
		return &Failure{Kind: Temporary, Err: err}
	}
	status := enhanced.FindString(answer.Msg)
	switch {
	case answer.Code < 500:
		return &Failure{Kind: Temporary, Err: err}
	case status == "5.1.1" || status == "5.1.2" || status == "5.1.10" || status == "5.2.1" || status == "" && recipient && (answer.Code == 550 || answer.Code == 553):
		return &Failure{Kind: Dead, Err: err}
	}
	return &Failure{Kind: Permanent, Err: err}
}

// Check implements [Driver].
func (d *smtpDriver) Check(ctx context.Context) error {
	client, err := d.client()
	if err != nil {
		return failure(Permanent, "preparing a connection: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return smtpDialFailure(err)
	}
	return client.Close()
}

// Close implements [Driver].
func (d *smtpDriver) Close() error { return nil }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
