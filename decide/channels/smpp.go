package channels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/linxGnu/gosmpp"
	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

const (
	smppTimeout = 20 * time.Second
	smppEnquire = 30 * time.Second
	maxSegments = 10
)

// smppDriver keeps one transceiver bound.
type smppDriver struct {
	config   *SMPP
	password string

	mu       sync.Mutex
	session  *gosmpp.Session
	closed   bool
	pending  map[int32]chan *pdu.SubmitSMResp
	receipts func(Receipt)
}

func openSMPP(c *SMPP, password string) *smppDriver {
	return &smppDriver{config: c, password: password, pending: map[int32]chan *pdu.SubmitSMResp{}}
}

// Receive has f called with every receipt that the message centre sends on its own. It is
// called before the driver is used.
func (d *smppDriver) Receive(f func(Receipt)) { d.receipts = f }

func (d *smppDriver) bound() (*gosmpp.Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, failure(Temporary, "the channel is closed")
	}
	if d.session != nil {
		return d.session, nil
	}
	dial := func(address string) (net.Conn, error) { return net.DialTimeout("tcp", address, smppTimeout) }
	auth := gosmpp.Auth{SMSC: d.config.Address, SystemID: d.config.SystemID, Password: d.password, SystemType: d.config.SystemType}
	s, err := gosmpp.NewSession(gosmpp.TRXConnector(dial, auth), gosmpp.Settings{
		ReadTimeout: 3 * smppEnquire, WriteTimeout: smppTimeout, EnquireLink: smppEnquire,
		OnPDU: func(p pdu.PDU, _ bool) { d.received(p) }, OnClosed: func(gosmpp.State) { d.lost() },
	}, 0)
	if err != nil {
		var bind gosmpp.BindError
		if errors.As(err, &bind) {
			switch bind.CommandStatus {
			case data.ESME_RINVPASWD, data.ESME_RINVSYSID, data.ESME_RBINDFAIL:
				return nil, failure(Credentials, "binding to the message centre: %w", err)
			}
		}
		// A refusal has no body (SMPP 3.4, 4.1.2), which the library reports as the end of
		// the stream, as it does a connection that is closed in place of an answer.
		if errors.Is(err, io.EOF) {
			return nil, failure(Credentials, "the message centre refused to bind")
		}
		return nil, failure(Temporary, "binding to the message centre: %w", err)
	}
	d.session = s
	return s, nil
}

// lost forgets a session that ended; whoever waits for an answer does so in vain.
func (d *smppDriver) lost() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = nil
	for n, c := range d.pending {
		close(c)
		delete(d.pending, n)
	}
}

func (d *smppDriver) received(p pdu.PDU) {
	switch p := p.(type) {
	case *pdu.SubmitSMResp:
		d.mu.Lock()
		c := d.pending[p.GetSequenceNumber()]
		delete(d.pending, p.GetSequenceNumber())
		d.mu.Unlock()
		if c != nil {
			c <- p
		}
	case *pdu.DeliverSM:
		if r, ok := smppReceipt(p, time.Now(), d.config); ok && d.receipts != nil {
			d.receipts(r)
		}
	}
}

// smppReceipt reads a delivery receipt, in the form of appendix B of SMPP 3.4.
func smppReceipt(p *pdu.DeliverSM, at time.Time, c *SMPP) (Receipt, bool) {
	text, err := p.Message.GetMessage()
	if err != nil || p.EsmClass&0x3C != 0x04 {
		return Receipt{}, false
	}
	return parseSMPPReceipt(text, at, c.dead())
}

// gsmDead are the errors of a network (3GPP TS 29.002, 17.6.6) by which a number is
// nobody's: unknown, unidentified and illegal subscriber. By the others, such as that of
// an absent subscriber, the next message may arrive.
var gsmDead = []string{"1", "5", "9"}

// dead are the codes by which a number is not used again, without zeros before them.
func (c *SMPP) dead() []string {
	if c == nil || len(c.DeadErrors) == 0 {
		return gsmDead
	}
	codes := make([]string, len(c.DeadErrors))
	for i, code := range c.DeadErrors {
		codes[i] = withoutZeros(code)
	}
	return codes
}

func withoutZeros(code string) string { return strings.ToLower(strings.TrimLeft(code, "0")) }

// parseSMPPReceipt reads the text of a receipt. What could not be delivered with a code
// among dead is of the number, else of the message.
func parseSMPPReceipt(text string, at time.Time, dead []string) (Receipt, bool) {
	field := func(name string) string {
		_, rest, found := strings.Cut(text, name+":")
		if !found {
			return ""
		}
		if words := strings.Fields(rest); len(words) > 0 {
			return words[0]
		}
		return ""
	}
	r := Receipt{ProviderID: field("id"), Code: field("stat"), At: at}
	switch r.Code {
	case "DELIVRD":
		r.Kind = Delivered
	case "EXPIRED", "DELETED", "UNDELIV", "REJECTD":
		r.Kind = Failed
		if code := field("err"); code != "" {
			if r.Code == "UNDELIV" && slices.Contains(dead, withoutZeros(code)) {
				r.Kind = Bounced
			}
			r.Code = clip(r.Code+" "+code, 64)
		}
	default: // ACCEPTD, ENROUTE, UNKNOWN: on its way
		return Receipt{}, false
	}
	return r, r.ProviderID != ""
}

// Send implements [Driver]. A text that is not all of the GSM alphabet goes as UCS-2. A
// long one goes in parts; the id is that of the last.
func (d *smppDriver) Send(ctx context.Context, m *Outgoing) (string, error) {
	parts, err := d.submits(m)
	if err != nil {
		return "", err
	}
	s, err := d.bound()
	if err != nil {
		return "", err
	}
	id := ""
	for i, part := range parts {
		if id, err = d.submit(ctx, s, part); err != nil {
			if i > 0 { // a part of it has arrived
				return "", failure(Uncertain, "part %d of %d: %w", i+1, len(parts), err)
			}
			return "", err
		}
	}
	return id, nil
}

func (d *smppDriver) submits(m *Outgoing) ([]*pdu.SubmitSM, error) {
	sm := pdu.NewSubmitSM().(*pdu.SubmitSM)
	var err error
	if sm.SourceAddr, err = smppSource(d.config.Source); err != nil {
		return nil, failure(Permanent, "the sender: %w", err)
	}
	if sm.DestAddr, err = pdu.NewAddressWithTonNpiAddr(1, 1, strings.TrimPrefix(m.To, "+")); err != nil {
		return nil, failure(Dead, "the number: %w", err)
	}
	sm.RegisteredDelivery = 1
	var enc data.Encoding = data.GSM7BIT
	if len(data.ValidateGSM7String(m.Text)) > 0 {
		enc = data.UCS2
	}
	if err := sm.Message.SetLongMessageWithEnc(m.Text, enc); err != nil {
		return nil, failure(Permanent, "encoding the text: %w", err)
	}
	parts, err := sm.Split()
	if err != nil {
		return nil, failure(Permanent, "splitting the text: %w", err)
	}
	if len(parts) > maxSegments {
		return nil, failure(Permanent, "the text takes %d messages, at most %d go", len(parts), maxSegments)
	}
	return parts, nil
}

func smppSource(source string) (pdu.Address, error) {
	if strings.Trim(source, "+0123456789") == "" {
		if len(source) > 7 {
			return pdu.NewAddressWithTonNpiAddr(1, 1, strings.TrimPrefix(source, "+"))
		}
		return pdu.NewAddressWithTonNpiAddr(3, 0, source) // a short code
	}
	return pdu.NewAddressWithTonNpiAddr(5, 0, source)
}

func (d *smppDriver) submit(ctx context.Context, s *gosmpp.Session, part *pdu.SubmitSM) (string, error) {
	part.AssignSequenceNumber()
	answer := make(chan *pdu.SubmitSMResp, 1)
	d.mu.Lock()
	d.pending[part.GetSequenceNumber()] = answer
	d.mu.Unlock()
	if err := s.Transceiver().Submit(part); err != nil {
		d.mu.Lock()
		delete(d.pending, part.GetSequenceNumber())
		d.mu.Unlock()
		return "", failure(Temporary, "submitting: %w", err)
	}
	timer := time.NewTimer(smppTimeout)
	defer timer.Stop()
	select {
	case r := <-answer:
		if r == nil {
			return "", failure(Uncertain, "the connection ended before the answer")
		}
		return r.MessageID, smppStatus(r.CommandStatus)
	case <-timer.C:
	case <-ctx.Done():
	}
	d.mu.Lock()
	delete(d.pending, part.GetSequenceNumber())
	d.mu.Unlock()
	return "", failure(Uncertain, "no answer in time")
}

func smppStatus(status data.CommandStatusType) error {
	switch status {
	case data.ESME_ROK:
		return nil
	case data.ESME_RTHROTTLED, data.ESME_RMSGQFUL:
		return &Failure{Kind: Temporary, RetryAfter: time.Second, Err: fmt.Errorf("%s: %s", status, status.Desc())}
	case data.ESME_RSYSERR:
		return failure(Temporary, "%s: %s", status, status.Desc())
	case data.ESME_RINVDSTADR:
		return failure(Dead, "%s: %s", status, status.Desc())
	}
	return failure(Permanent, "%s: %s", status, status.Desc())
}

// Check implements [Driver]: it binds.
func (d *smppDriver) Check(context.Context) error {
	_, err := d.bound()
	return err
}

// Close implements [Driver].
func (d *smppDriver) Close() error {
	d.mu.Lock()
	s := d.session
	d.closed, d.session = true, nil
	d.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.Close()
}
