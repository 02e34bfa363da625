package consents

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Basis is what makes processing for a purpose lawful.
type Basis string

// The bases of the GDPR that matter here.
const (
	BasisConsent    Basis = "consent"
	BasisContract   Basis = "contract"
	BasisInterest   Basis = "legitimate-interest"
	BasisObligation Basis = "legal-obligation"
)

// Purpose is what data is used for: marketing, analytics, personalisation.
type Purpose struct {
	Title       string `json:"title,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Description string `json:"description,omitempty" doc:"What people agree to" maxLength:"2000"`
	Basis       Basis  `json:"basis,omitempty" doc:"Legal basis; consent when absent" enum:"consent,contract,legitimate-interest,legal-obligation"`
	Default     Status `json:"default,omitempty" doc:"What holds for a person who stated nothing; unknown when absent, which is no consent" enum:"granted,denied,unknown"`
	DoubleOptIn bool   `json:"doubleOptIn,omitempty" doc:"Whether consent counts only when it is confirmed a second time"`
	// Categories of context.consent.categoryPreferences that stand for the purpose.
	Categories []string `json:"categories,omitempty" doc:"Categories of a consent banner (context.consent.categoryPreferences) that stand for this purpose, beside its key" maxItems:"20"`
}

// Topic is something that people subscribe to: a newsletter, news of sales.
type Topic struct {
	Title       string `json:"title,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Description string `json:"description,omitempty" doc:"What subscribers get" maxLength:"2000"`
	Purpose     string `json:"purpose" doc:"Purpose that the topic serves" minLength:"1" maxLength:"64"`
	// Default Unknown follows the consent for the purpose.
	Default Status `json:"default,omitempty" doc:"denied: only who subscribes gets it; granted or absent: everybody who consents to the purpose, until they unsubscribe" enum:"granted,denied"`
}

// ValidatePurpose checks a purpose and fills in what it leaves out.
func ValidatePurpose(_ context.Context, key string, p *Purpose) error {
	var bad problem.Invalid
	checkText(&bad, "title", p.Title, 200)
	checkText(&bad, "description", p.Description, 2000)
	if p.Basis == "" {
		p.Basis = BasisConsent
	}
	if !slices.Contains([]Basis{BasisConsent, BasisContract, BasisInterest, BasisObligation}, p.Basis) {
		bad.Add("basis", "must be consent, contract, legitimate-interest or legal-obligation", string(p.Basis))
	}
	if p.Default == "" {
		p.Default = Unknown
	}
	if p.Default != Granted && p.Default != Denied && p.Default != Unknown {
		bad.Add("default", "must be granted, denied or unknown", string(p.Default))
	}
	if p.Basis == BasisConsent && p.Default == Granted {
		bad.Add("default", "must not be granted where the basis is consent: silence is none", nil)
	}
	if p.DoubleOptIn && p.Basis != BasisConsent {
		bad.Add("doubleOptIn", "is for the basis consent", nil)
	}
	if len(p.Categories) > 20 {
		bad.Add("categories", "must be at most 20", len(p.Categories))
	}
	for i, c := range p.Categories {
		switch {
		case strings.TrimSpace(c) == "" || len(c) > MaxName:
			bad.Add(fmt.Sprintf("categories[%d]", i), fmt.Sprintf("must be 1 to %d bytes long", MaxName), c)
		case slices.Contains(p.Categories[:i], c):
			bad.Add(fmt.Sprintf("categories[%d]", i), "must be unique", c)
		}
	}
	return bad.Err()
}

// ValidateTopic checks a topic; known says whether there is a purpose.
func ValidateTopic(known func(purpose string) bool) func(context.Context, string, *Topic) error {
	return func(_ context.Context, _ string, t *Topic) error {
		var bad problem.Invalid
		checkText(&bad, "title", t.Title, 200)
		checkText(&bad, "description", t.Description, 2000)
		if !known(t.Purpose) {
			bad.Add("purpose", "must be the key of a purpose", t.Purpose)
		}
		if t.Default == "" {
			t.Default = Granted
		}
		if t.Default != Granted && t.Default != Denied {
			bad.Add("default", "must be granted or denied", string(t.Default))
		}
		return bad.Err()
	}
}

func checkText(bad *problem.Invalid, field, value string, most int) {
	if utf8.RuneCountInString(value) > most {
		bad.Add(field, fmt.Sprintf("must be at most %d characters long", most), nil)
	}
}

// Rules are all purposes and topics at one moment. They do not change.
type Rules struct {
	Purposes map[string]Purpose
	Topics   map[string]Topic
}

// Known says whether there is a purpose with the key.
func (r *Rules) Known(purpose string) bool {
	if r == nil {
		return false
	}
	_, ok := r.Purposes[purpose]
	return ok
}
