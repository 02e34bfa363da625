package channels

import (
	"crypto"
	"fmt"

	gomail "github.com/wneessen/go-mail"
)

// newDKIM is the option that signs every mail, RFC 6376, relaxed in header and body,
// with the headers of one-click unsubscription, as RFC 8058 asks for.
func newDKIM(domain, selector string, key crypto.Signer) (gomail.Option, error) {
	signer := gomail.NewDKIMSigner(domain, selector, key)
	signer.HeaderCanonicalization(gomail.CanonicalizationRelaxed)
	signer.BodyCanonicalization(gomail.CanonicalizationRelaxed)
	signer.SignHeaders("From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "List-Unsubscribe", "List-Unsubscribe-Post")
	if err := signer.ValidateConfig(); err != nil {
		return nil, fmt.Errorf("the DKIM signature: %w", err)
	}
	return gomail.WithAlwaysDKIMSign(signer), nil
}
