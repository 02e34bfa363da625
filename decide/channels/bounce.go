package channels

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"time"
)

// messageID finds the id of a step in a return path such as bounce+ID@shop.example, or
// in the Message-ID of the mail that comes back.
var messageID = regexp.MustCompile(`(?i)\b([0-9a-hjkmnp-tv-z]{26}-[0-9]{1,2})@`)

const (
	maxBounceParts = 20
	maxBouncePart  = 256 << 10
)

// ErrNoBounce is the error of a mail that is no report of a delivery.
var ErrNoBounce = errors.New("the mail is no report of a delivery (RFC 3464)")

// ParseBounce reads a report of a delivery, RFC 3464, as mail servers send it to the
// return path. A failure that may pass, with a status of 4.x.x, is no receipt: ok is
// false.
func ParseBounce(r io.Reader, now time.Time) (receipt Receipt, ok bool, err error) {
	m, err := mail.ReadMessage(bufio.NewReader(r))
	if err != nil {
		return receipt, false, fmt.Errorf("reading the mail: %w", err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["boundary"] == "" {
		return receipt, false, ErrNoBounce
	}
	id := find(m.Header.Get("To") + "\n" + m.Header.Get("X-Original-To") + "\n" + m.Header.Get("Delivered-To"))
	action, status := "", ""
	parts := multipart.NewReader(m.Body, params["boundary"])
	for range maxBounceParts {
		p, err := parts.NextRawPart()
		if err != nil {
			break // what is there is read
		}
		text, err := io.ReadAll(io.LimitReader(p, maxBouncePart))
		if err != nil {
			break
		}
		switch kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); kind {
		case "message/delivery-status":
			a, s := deliveryStatus(string(text))
			if a != "" {
				action, status = a, s
			}
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			if id == "" { // its own id: it may name those of others, in what it answers or quotes
				h, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(string(text)))).ReadMIMEHeader() // what is there is read
				id = find(h.Get("Message-Id"))
			}
		}
	}
	if action == "" || id == "" {
		return receipt, false, ErrNoBounce
	}
	receipt = Receipt{ID: strings.ToLower(id), At: now, Code: clip(status, 64)}
	switch {
	case action == "delivered" || action == "relayed" || action == "expanded":
		receipt.Kind = Delivered
	case action != "failed" || strings.HasPrefix(status, "4."):
		return receipt, false, nil
	case strings.HasPrefix(status, "5.1.") || strings.HasPrefix(status, "5.2.1"):
		receipt.Kind = Bounced
	default:
		receipt.Kind = Failed
	}
	return receipt, true, nil
}

func find(text string) string {
	if m := messageID.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// deliveryStatus is the action and status of the last recipient of a report; the first
// block is about the report itself.
func deliveryStatus(text string) (action, status string) {
	r := textproto.NewReader(bufio.NewReader(strings.NewReader(text)))
	for range maxBounceParts {
		h, err := r.ReadMIMEHeader()
		if a := strings.ToLower(strings.TrimSpace(h.Get("Action"))); a != "" {
			action, status = a, strings.TrimSpace(h.Get("Status"))
		}
		if err != nil {
			break
		}
	}
	return action, status
}
