package outbound

import (
	"regexp"

	"quintet/decide"
	"quintet/internal/problem"
)

// Basis is what allows to contact somebody who did not ask.
type Basis string

// The bases.
const (
	// BasisConsent: the person gave consent for the purpose.
	BasisConsent Basis = "consent"
	// BasisLegitimateInterest: the person did not refuse the purpose.
	BasisLegitimateInterest Basis = "legitimate-interest"
	// BasisService: the message belongs to something that the person has ordered.
	BasisService Basis = "service"
)

// Consent is the basis on which a campaign or scenario contacts people.
type Consent struct {
	Basis   Basis  `json:"basis" enum:"consent,legitimate-interest,service" doc:"consent: it was given for the purpose; legitimate-interest: the purpose was not refused; service: the message belongs to something ordered"`
	Purpose string `json:"purpose,omitempty" maxLength:"64" doc:"Key of the purpose; needed unless the basis is service"`
}

// Check adds what is wrong with the basis.
func (c *Consent) Check(bad *problem.Invalid, field string) {
	switch c.Basis {
	case BasisConsent, BasisLegitimateInterest:
		if c.Purpose == "" {
			bad.Add(field+".purpose", "is required: the purpose that people consent to or refuse", nil)
		}
	case BasisService:
	case "":
		bad.Add(field+".basis", "is required: nobody is contacted without a basis (consent, legitimate-interest or service)", nil)
	default:
		bad.Add(field+".basis", "must be consent, legitimate-interest or service", string(c.Basis))
	}
}

// CheckClass adds a problem where the class of a decision point contradicts the
// basis: advertising never goes out as service.
func (c *Consent) CheckClass(bad *problem.Invalid, field, class string) {
	if c.Basis == BasisService && class != decide.ClassService {
		bad.Add(field, "must be a decision point of class service, as the basis is service", class)
	}
}

var clock = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// IsClock says whether a text is a time of day such as 09:30.
func IsClock(text string) bool { return clock.MatchString(text) }
