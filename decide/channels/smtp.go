package channels

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

const smtpTimeout = 30 * time.Second

type smtpDriver struct {
	config *SMTP
	client func() (*gomail.Client, error)
	from   *mail.Address
	domain string
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
	if c.DKIMDomain != "" {
		key, err := parseKey(secrets[SecretDKIM])
		if err != nil {
			return nil, err
		}
		signer, err := newDKIM(c.DKIMDomain, c.DKIMSelector, key)
		if err != nil {
			return nil, err
		}
		options = append(options, signer)
	}
	d := &smtpDriver{config: c, from: from, domain: domain}
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
	if d.config.BouncePrefix != "" {
		if err := msg.EnvelopeFrom(d.config.BouncePrefix + "+" + m.ID + "@" + d.domain); err != nil {
			return nil, "", failure(Permanent, "the return path: %w", err)
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
	if err := client.DialWithContext(ctx); err != nil {
		return "", smtpDialFailure(err)
	}
	defer client.Close() //nolint:errcheck // the message was taken or not before this
	if err := client.Send(msg); err != nil {
		return "", smtpFailure(err)
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

func smtpFailure(err error) *Failure {
	var s *gomail.SendError
	if !errors.As(err, &s) {
		return &Failure{Kind: Uncertain, Err: err}
	}
	code, enhanced := s.ErrorCode(), s.EnhancedStatusCode()
	switch {
	case code >= 500 && (strings.HasPrefix(enhanced, "5.1.1") || strings.HasPrefix(enhanced, "5.1.2") || strings.HasPrefix(enhanced, "5.1.10") || enhanced == "" && (code == 550 || code == 553) && s.Reason == gomail.ErrSMTPRcptTo):
		return &Failure{Kind: Dead, Err: err}
	case code >= 500:
		return &Failure{Kind: Permanent, Err: err}
	case code >= 400:
		return &Failure{Kind: Temporary, Err: err}
	case s.Reason == gomail.ErrSMTPDataClose || s.Reason == gomail.ErrWriteContent:
		return &Failure{Kind: Uncertain, Err: err} // the server may have it
	}
	return &Failure{Kind: Temporary, Err: err}
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
