package channels

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SherClockHolmes/webpush-go"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// peers are the servers of others in peers/serve.mjs.
type peers struct {
	SMPP, Telegram, Push string
	lines                chan peerLine
}

type peerLine struct {
	Peer, To, Text, Source, SMPP, Telegram, Push string
	UDH, Coding, Receipt                         int
}

func openPeers(t *testing.T) *peers {
	t.Helper()
	if _, err := os.Stat(filepath.Join("peers", "node_modules", "smpp", "package.json")); err != nil {
		if os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") != "" {
			t.Fatal("the peers are not installed: run make clients")
		}
		t.Skip("the peers are not installed: run make clients")
	}
	node := exec.CommandContext(t.Context(), "node", "serve.mjs")
	node.Dir = "peers"
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	node.Stderr = &errs
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = node.Wait()
	})
	p := &peers{lines: make(chan peerLine, 100)}
	go func() {
		defer close(p.lines)
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			var l peerLine
			if json.Unmarshal(scan.Bytes(), &l) == nil {
				p.lines <- l
			}
		}
	}()
	ready := p.next(t)
	if ready.Peer != "ready" {
		t.Fatalf("the peers did not start: %s", errs.String())
	}
	p.SMPP, p.Telegram, p.Push = ready.SMPP, ready.Telegram, ready.Push
	return p
}

func (p *peers) next(t *testing.T) peerLine {
	t.Helper()
	select {
	case l := <-p.lines:
		return l
	case <-time.After(30 * time.Second):
		t.Fatal("nothing arrived")
	}
	return peerLine{}
}

func wantKind(t *testing.T, err error, kind FailureKind) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) || f.Kind != kind {
		t.Errorf("%v, want a failure of kind %s", err, kind)
	}
}

// Messages arrive at servers that others wrote, as they were sent; what these refuse is
// told apart.
func TestServersOfOthers(t *testing.T) {
	t.Parallel()
	p := openPeers(t)
	t.Run("smpp", func(t *testing.T) { testSMPP(t, p) })
	t.Run("telegram", func(t *testing.T) { testTelegram(t, p) })
	t.Run("webpush", func(t *testing.T) { testWebPush(t, p) })
}

func testSMPP(t *testing.T, p *peers) {
	config := &SMPP{Address: p.SMPP, SystemID: "shop", Source: "Shop"}
	wrong := openSMPP(config, "wrong")
	wantKind(t, wrong.Check(t.Context()), Credentials)
	d := openSMPP(config, "secret")
	defer d.Close()
	receipts := make(chan Receipt, 10)
	d.Receive(func(r Receipt) { receipts <- r })
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, err := d.Send(t.Context(), &Outgoing{To: "+491700000001", Content: Content{Text: "Скидка 10 % — Ёлка"}})
	if err != nil {
		t.Fatal(err)
	}
	if l := p.next(t); l.To != "491700000001" || l.Text != "Скидка 10 % — Ёлка" || l.Coding != 8 || l.Source != "Shop" || l.Receipt != 1 {
		t.Errorf("%+v", l)
	}
	if r := <-receipts; r.ProviderID != id || r.Kind != Delivered || r.Code != "DELIVRD" {
		t.Errorf("%+v for %s", r, id)
	}
	long := strings.Repeat("Sale of the day. ", 15) // 255 characters of GSM
	if _, err := d.Send(t.Context(), &Outgoing{To: "+491700000016", Content: Content{Text: long}}); err != nil {
		t.Fatal(err)
	}
	one, two := p.next(t), p.next(t)
	if one.Text+two.Text != long || one.Coding != 0 || one.UDH == 0 || two.UDH == 0 {
		t.Errorf("%+v and %+v", one, two)
	}
	if r := <-receipts; r.Kind != Failed {
		t.Errorf("%+v", r)
	}
	_, err = d.Send(t.Context(), &Outgoing{To: "+491700000013", Content: Content{Text: "x"}})
	wantKind(t, err, Temporary)
	_, err = d.Send(t.Context(), &Outgoing{To: "+491700000014", Content: Content{Text: "x"}})
	wantKind(t, err, Dead)
	_, err = d.Send(t.Context(), &Outgoing{To: "+491700000015", Content: Content{Text: "x"}})
	wantKind(t, err, Uncertain)
	if _, err = d.Send(t.Context(), &Outgoing{To: "+491700000002", Content: Content{Text: "again"}}); err != nil {
		t.Errorf("after a lost connection: %v", err)
	}
	p.next(t)
}

func testTelegram(t *testing.T, p *peers) {
	d := openTelegram(&Telegram{Endpoint: p.Telegram}, "123:abc")
	defer d.Close()
	id, err := d.Send(t.Context(), &Outgoing{To: "4711", Content: Content{Text: "Привет", URL: "https://shop.example/r/1"}})
	if err != nil || !strings.HasPrefix(id, "4711/") {
		t.Fatalf("%q, %v", id, err)
	}
	if l := p.next(t); l.Peer != "telegram" || l.To != "4711" || l.Text != "Привет\nhttps://shop.example/r/1" {
		t.Errorf("%+v", l)
	}
	// What the Bot API answers to what it does not take, by its documentation.
	for body, kind := range map[string]FailureKind{
		`{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}`: Temporary,
		`{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`:                          Dead,
		`{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`:                                     Dead,
		`{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`:                                Permanent,
		`{"ok":false,"error_code":401,"description":"Unauthorized"}`:                                                    Credentials,
		`{"ok":false,"error_code":502,"description":"Bad Gateway"}`:                                                     Temporary,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		bot := openTelegram(&Telegram{Endpoint: srv.URL}, "1:a")
		_, err := bot.Send(t.Context(), &Outgoing{To: "1", Content: Content{Text: "x"}})
		wantKind(t, err, kind)
		if f := FailureOf(err); kind == Temporary && strings.Contains(body, "retry_after") && f.RetryAfter != 7*time.Second {
			t.Errorf("retry after %v", f.RetryAfter)
		}
		srv.Close()
	}
}

func testWebPush(t *testing.T, p *peers) {
	private, public, err := webpush.GenerateVAPIDKeys()
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, kind, body string, out any) {
		t.Helper()
		answer, err := http.Post(p.Push+path, kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", path, text)
		}
		if out != nil {
			if err := json.Unmarshal(text, out); err != nil {
				t.Fatal(err)
			}
		}
	}
	var sub struct {
		Data struct {
			Endpoint, ClientHash string
			Keys                 map[string]string
		}
	}
	post("/subscribe", "application/x-www-form-urlencoded", url.Values{"userVisibleOnly": {"true"}, "applicationServerKey": {public}}.Encode(), &sub)
	to, _ := json.Marshal(map[string]any{"endpoint": sub.Data.Endpoint, "keys": sub.Data.Keys})
	d, err := openWebPush(&WebPush{PublicKey: public, Subject: "mailto:web@shop.example"}, private)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Send(t.Context(), &Outgoing{ID: "a-0", To: string(to), Content: Content{Subject: "Привет", Text: "Ёлка"}}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Data struct{ Messages []string } }
	post("/get-notifications", "application/json", `{"clientHash":"`+sub.Data.ClientHash+`"}`, &got)
	var note Notification
	if len(got.Data.Messages) != 1 || json.Unmarshal([]byte(got.Data.Messages[0]), &note) != nil || note.Title != "Привет" || note.Body != "Ёлка" || note.ID != "a-0" {
		t.Errorf("%+v", got)
	}
	post("/expire-subscription/"+sub.Data.ClientHash, "application/json", "{}", nil)
	_, err = d.Send(t.Context(), &Outgoing{To: string(to), Content: Content{Text: "x"}})
	wantKind(t, err, Dead)
	if _, err := openWebPush(&WebPush{PublicKey: "AAAA", Subject: "x"}, private); err == nil {
		t.Error("a public key of another pair is taken")
	}
}

// mailbox is a mail server.
type mailbox struct {
	mu    sync.Mutex
	mails []string
	from  string
}

type mailSession struct{ *mailbox }

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m}, nil }
func (s *mailSession) AuthMechanisms() []string                { return []string{sasl.Plain} }
func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "shop" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}
func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "gone@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case strings.HasPrefix(to, "full@"):
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	case strings.HasPrefix(to, "spam@"):
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "refused by policy"}
	}
	return nil
}
func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, string(text))
	return err
}
func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }

func TestMail(t *testing.T) {
	t.Parallel()
	box := new(mailbox)
	srv := smtp.NewServer(box)
	srv.AllowInsecureAuth, srv.Domain = true, "localhost"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{SecretPassword: "secret", SecretDKIM: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))}
	config := Config{Driver: DriverSMTP, SMTP: &SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: "none", Username: "shop", From: "Der Laden <news@shop.example>",
		BouncePrefix: "bounce", DKIMDomain: "shop.example", DKIMSelector: "s1"}}
	if err := config.Validate(secrets); err != nil {
		t.Fatal(err)
	}
	d, err := Open(&config, secrets)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := &Outgoing{ID: "01j00000000000000000000000-0", To: "ada@example.org", Unsubscribe: "https://shop.example/u/1", Content: Content{Subject: "Скидка", Text: "Привет", HTML: "<p>Привет</p>"}}
	if _, err := d.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	text := box.mails[0]
	got, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if box.from != "bounce+"+m.ID+"@shop.example" || got.Header.Get("Message-Id") != "<"+m.ID+"@shop.example>" ||
		got.Header.Get("List-Unsubscribe") != "<https://shop.example/u/1>" || got.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
		t.Errorf("from %s: %v", box.from, got.Header)
	}
	// Another library verifies the signature with the public key that DNS would have.
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) ([]string, error) {
		if name != "s1._domainkey.shop.example" {
			return nil, fmt.Errorf("looked up %s", name)
		}
		return []string{"v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)}, nil
	}
	verified, err := dkim.VerifyWithOptions(strings.NewReader(text), &dkim.VerifyOptions{LookupTXT: lookup})
	if err != nil || len(verified) != 1 || verified[0].Err != nil {
		t.Fatalf("%v, %v\n%s", verified[0].Err, err, text)
	}
	for _, name := range []string{"List-Unsubscribe", "List-Unsubscribe-Post", "From", "Subject"} {
		if !strings.Contains(strings.ToLower(strings.Join(verified[0].HeaderKeys, " ")), strings.ToLower(name)) {
			t.Errorf("%s is not signed: %v", name, verified[0].HeaderKeys)
		}
	}
	for to, kind := range map[string]FailureKind{"gone@example.org": Dead, "full@example.org": Temporary, "spam@example.org": Permanent, "none": Dead} {
		_, err := d.Send(t.Context(), &Outgoing{ID: "x", To: to, Content: Content{Text: "x"}})
		wantKind(t, err, kind)
	}
	secrets[SecretPassword] = "wrong"
	if d, err = Open(&config, secrets); err != nil {
		t.Fatal(err)
	}
	wantKind(t, d.Check(t.Context()), Credentials)
	config.SMTP.Port = 1
	if d, err = Open(&config, secrets); err != nil {
		t.Fatal(err)
	}
	wantKind(t, d.Check(t.Context()), Temporary)
}

func TestBounce(t *testing.T) {
	t.Parallel()
	report := func(action, status string) string {
		return strings.ReplaceAll("From: mailer-daemon@example.org\nTo: bounce+01J00000000000000000000000-1@shop.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"+
			"--b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; a@example.org\nAction: "+action+"\nStatus: "+status+"\n\n--b--\n", "\n", "\r\n")
	}
	for _, c := range []struct {
		action, status string
		kind           ReceiptKind
	}{{"failed", "5.1.1", Bounced}, {"failed", "5.7.1", Failed}, {"delivered", "2.0.0", Delivered}, {"delayed", "4.4.1", ""}, {"failed", "4.2.2", ""}} {
		r, ok, err := ParseBounce(strings.NewReader(report(c.action, c.status)), time.Now())
		if err != nil || ok != (c.kind != "") || ok && (r.Kind != c.kind || r.ID != "01j00000000000000000000000-1") {
			t.Errorf("%s %s: %+v, %v, %v", c.action, c.status, r, ok, err)
		}
	}
	if _, _, err := ParseBounce(strings.NewReader("Subject: hi\r\n\r\nhello"), time.Now()); !errors.Is(err, ErrNoBounce) {
		t.Errorf("a mail: %v", err)
	}
}

// A report without a return path of our own names its mail by the Message-ID alone.
func TestBounceByMessageID(t *testing.T) {
	t.Parallel()
	report := func(headers string) string {
		return strings.ReplaceAll("From: mailer-daemon@example.org\nTo: news@shop.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"+
			"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1\n\n"+
			"--b\nContent-Type: message/rfc822\n\n"+headers+"\n\nSee 01j00000000000000000000007-0@shop.example\n--b--\n", "\n", "\r\n")
	}
	const other = "In-Reply-To: <01j00000000000000000000009-0@shop.example>\n"
	r, ok, err := ParseBounce(strings.NewReader(report(other+"Message-ID: <01j00000000000000000000000-1@shop.example>\nSubject: x")), time.Now())
	if err != nil || !ok || r.Kind != Bounced || r.ID != "01j00000000000000000000000-1" {
		t.Errorf("%+v, %v, %v", r, ok, err)
	}
	if r, _, err := ParseBounce(strings.NewReader(report(other+"Message-ID: <x@elsewhere.example>")), time.Now()); !errors.Is(err, ErrNoBounce) {
		t.Errorf("the report of a mail of somebody else is of %+v, %v", r, err)
	}
}

// A number that is nobody's is told from a message that did not arrive.
func TestSMPPReceipts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		own  []string
		kind ReceiptKind
		code string
	}{
		{"id:7 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:Hi", nil, Delivered, "DELIVRD"},
		{"id:7 sub:001 dlvrd:000 submit date:2611231200 done date:2611231201 stat:UNDELIV err:001 text:Hi", nil, Bounced, "UNDELIV 001"},
		{"id:7 stat:UNDELIV err:027 text:", nil, Failed, "UNDELIV 027"}, // absent
		{"id:7 stat:UNDELIV err:000", nil, Failed, "UNDELIV 000"},
		{"id:7 stat:UNDELIV", nil, Failed, "UNDELIV"},
		{"id:7 stat:EXPIRED err:001", nil, Failed, "EXPIRED 001"},
		{"id:7 stat:UNDELIV err:0EC", []string{"0ec"}, Bounced, "UNDELIV 0EC"},
		{"id:7 stat:UNDELIV err:001", []string{"0ec"}, Failed, "UNDELIV 001"},
		{"id:7 stat:ENROUTE err:001", nil, "", ""},
	} {
		r, ok := parseSMPPReceipt(c.text, time.Now(), (&SMPP{DeadErrors: c.own}).dead())
		if ok != (c.kind != "") || ok && (r.Kind != c.kind || r.Code != c.code || r.ProviderID != "7") {
			t.Errorf("%s: %+v, %v; want %s %s", c.text, r, ok, c.kind, c.code)
		}
	}
}

func FuzzParseBounce(f *testing.F) {
	f.Add("Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n--b--")
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok, err := ParseBounce(strings.NewReader(text), time.Now()); ok && (err != nil || r.ID == "" || r.Kind == "") {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func FuzzReceipts(f *testing.F) {
	f.Add(`{"entry":[{"changes":[{"value":{"statuses":[{"id":"a","status":"read"}]}}]}]}`, "entry.*.changes.*.value.statuses.*")
	f.Add("id:1 stat:DELIVRD", "")
	f.Fuzz(func(t *testing.T, body, list string) {
		h := http.Header{"X-S": {Sign("k", body)}}
		r := WebhookReceipts{Header: "X-S", List: list, ID: "id", Status: "status", Map: map[string]ReceiptKind{"read": Opened}}
		out, err := r.Read("k", h, []byte(body), time.Now())
		for _, x := range out {
			if err != nil || x.ProviderID == "" || x.Kind != Opened {
				t.Errorf("%+v, %v", x, err)
			}
		}
		if r, ok := parseSMPPReceipt(body, time.Now(), gsmDead); ok && (r.ProviderID == "" || r.Kind != Delivered && r.Kind != Failed && r.Kind != Bounced) {
			t.Errorf("%+v", r)
		}
	})
}
