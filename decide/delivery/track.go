package delivery

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"html"
	"net/url"
	"regexp"
	"strings"

	"github.com/oklog/ulid/v2"

	"quintet/decide/channels"
)

// What a token is for.
const (
	kindLink        = 'r'
	kindOpen        = 'o'
	kindUnsubscribe = 'u'
)

const (
	maxLinks  = 100
	tokenBody = 16 + 1 + 1 + 2
	tokenMAC  = 10
)

// token names a step and one of its links, so that nobody can make one up.
func (s *Service) token(delivery string, step int, kind byte, n int) string {
	id, err := ulid.ParseStrict(delivery)
	if err != nil {
		return ""
	}
	body := make([]byte, 0, tokenBody+tokenMAC)
	body = append(body, id[:]...)
	body = append(body, byte(step), kind)
	body = binary.BigEndian.AppendUint16(body, uint16(n))
	return base64.RawURLEncoding.EncodeToString(append(body, s.seal.Mac("link", string(body))[:tokenMAC]...))
}

// readToken is what a token names; false for one that was not made here.
func (s *Service) readToken(text string, kind byte) (delivery string, step, n int, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	// One token has one spelling: the decoder would take others as well.
	if err != nil || len(raw) != tokenBody+tokenMAC || base64.RawURLEncoding.EncodeToString(raw) != text {
		return "", 0, 0, false
	}
	body := raw[:tokenBody]
	if body[17] != kind || !hmac.Equal(raw[tokenBody:], []byte(s.seal.Mac("link", string(body))[:tokenMAC])) {
		return "", 0, 0, false
	}
	var id ulid.ULID
	copy(id[:], body)
	return id.String(), int(body[16]), int(binary.BigEndian.Uint16(body[18:])), true
}

func (s *Service) link(j *job, kind byte, n int) string {
	return strings.TrimSuffix(s.public, "/") + "/" + string(kind) + "/" + s.token(j.delivery, j.step, kind, n)
}

var (
	hrefs  = regexp.MustCompile(`(?i)(<a\s[^>]*?href\s*=\s*)("[^"]*"|'[^']*')`)
	plains = regexp.MustCompile(`https?://[^\s<>"']+`)
)

// track replaces the addresses that a message leads to by ones that tell of the visit,
// and returns them in order. A mail gets a pixel.
func (s *Service) track(j *job, c *channels.Content, mail bool) []string {
	links := []string{}
	if s.public == "" {
		return links
	}
	own := strings.TrimSuffix(s.public, "/") + "/"
	swap := func(address string) string {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.HasPrefix(address, own) || len(links) == maxLinks || len(address) > 4000 {
			return address
		}
		links = append(links, address)
		return s.link(j, kindLink, len(links)-1)
	}
	c.HTML = hrefs.ReplaceAllStringFunc(c.HTML, func(m string) string {
		parts := hrefs.FindStringSubmatch(m)
		quote := parts[2][:1]
		return parts[1] + quote + html.EscapeString(swap(html.UnescapeString(parts[2][1:len(parts[2])-1]))) + quote
	})
	c.Text = plains.ReplaceAllStringFunc(c.Text, func(m string) string {
		trimmed := strings.TrimRight(m, ".,;:!?)")
		return swap(trimmed) + m[len(trimmed):]
	})
	if c.URL != "" {
		c.URL = swap(c.URL)
	}
	if mail && c.HTML != "" {
		pixel := `<img src="` + html.EscapeString(s.link(j, kindOpen, 0)) + `" width="1" height="1" alt="">`
		if i := strings.LastIndex(strings.ToLower(c.HTML), "</body>"); i >= 0 {
			c.HTML = c.HTML[:i] + pixel + c.HTML[i:]
		} else {
			c.HTML += pixel
		}
	}
	return links
}
