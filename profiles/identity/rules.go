package identity

import (
	"fmt"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"quintet/internal/problem"
)

// Rules say which identifiers count, and how far they may join people.
type Rules struct {
	// Namespaces have rules of their own. Their order is their priority: where a
	// limit leaves no room, the last of them gives way.
	Namespaces []NamespaceRule `json:"namespaces" maxItems:"11" doc:"Rules by namespace, the most trusted first; the namespace custom stands for all that have none of their own"`
	// Blocked values stand for nobody, in any namespace.
	Blocked []string `json:"blocked" maxItems:"1000" doc:"Values that stand for nobody in any namespace, whatever their case; * at either end stands for any text. Values of zeros and dashes alone are always blocked"`
	// SharedDeviceUsers is how many known users one anonymousId may have before it
	// counts as a shared device.
	SharedDeviceUsers int `json:"sharedDeviceUsers" minimum:"1" maximum:"100" doc:"Known users of one anonymousId; with more it is a shared device and joins nobody"`
	// PhoneRegion is the country of phone numbers without a country code.
	PhoneRegion string `json:"phoneRegion,omitempty" maxLength:"2" doc:"Country of phone numbers without a country code, such as DE; without it they stay as they are"`
}

// NamespaceRule is the rule of one namespace.
type NamespaceRule struct {
	Namespace string `json:"namespace" maxLength:"64"`
	// Limit is how many identifiers one person may have in the period.
	Limit  int    `json:"limit" minimum:"1" maximum:"250" doc:"Identifiers of one person within the period"`
	Period Period `json:"period,omitempty" enum:"ever,year,month,week" doc:"Time within which the limit counts; ever unless given"`
	// Unique keeps people with different values apart, whatever the limit.
	Unique bool `json:"unique,omitempty" doc:"Two people who each have a value are never joined by a rule"`
	// Joins lets an identifier seen from a trusted source join two known people.
	Joins   bool     `json:"joins,omitempty" doc:"Seen with two known people by a trusted source, it joins them"`
	Blocked []string `json:"blocked,omitempty" maxItems:"1000" nullable:"false" doc:"Values that stand for nobody in this namespace"`
}

// Period is the time within which a limit counts.
type Period string

// Periods of limits.
const (
	Ever  Period = "ever"
	Year  Period = "year"
	Month Period = "month"
	Week  Period = "week"
)

// span is the length of a period, 0 for ever.
func (p Period) span() time.Duration {
	const day = 24 * time.Hour
	switch p {
	case Year:
		return 365 * day
	case Month:
		return 30 * day
	case Week:
		return 7 * day
	}
	return 0
}

// DefaultRules hold where nobody has set any.
func DefaultRules() Rules {
	return Rules{
		Namespaces: []NamespaceRule{
			{Namespace: UserID, Limit: 1, Period: Ever, Unique: true},
			{Namespace: Email, Limit: 5, Period: Ever, Joins: true},
			{Namespace: Phone, Limit: 5, Period: Ever, Joins: true},
			{Namespace: Card, Limit: 5, Period: Ever, Joins: true},
			{Namespace: Telegram, Limit: 5, Period: Ever, Joins: true},
			{Namespace: Custom, Limit: 20, Period: Ever},
			{Namespace: Device, Limit: 64, Period: Ever},
			{Namespace: AnonymousID, Limit: 64, Period: Ever},
		},
		Blocked: []string{
			"-1", "null", "nil", "none", "undefined", "anonymous", "nan", "n/a", "[object object]",
			"test@test.com", "test@example.com", "none@none.com",
		},
		SharedDeviceUsers: 3,
	}
}

// Normalise fills in what the rules leave out.
func (r *Rules) Normalise() {
	for i := range r.Namespaces {
		n := &r.Namespaces[i]
		n.Namespace = CanonicalNamespace(n.Namespace)
		if n.Period == "" {
			n.Period = Ever
		}
	}
	r.PhoneRegion = strings.ToUpper(strings.TrimSpace(r.PhoneRegion))
	if r.SharedDeviceUsers == 0 {
		r.SharedDeviceUsers = DefaultRules().SharedDeviceUsers
	}
}

// Bounds of the lists of blocked values.
const (
	maxBlocked      = 1000
	maxLimit        = 250 // a counter is one byte
	maxSharedUsers  = 100
	maxBlockedBytes = MaxValue * 4
)

// Validate says which rule of the rules is broken.
func (r *Rules) Validate() problem.Invalid {
	var bad problem.Invalid
	seen := map[string]bool{}
	own := 0
	for i := range r.Namespaces {
		n := &r.Namespaces[i]
		at := fmt.Sprintf("namespaces[%d]", i)
		if !ValidNamespace(n.Namespace) {
			bad.Add(at+".namespace", fmt.Sprintf("must have 1 to %d letters, digits, dots, dashes and underscores", MaxNamespace), problem.Clip(n.Namespace))
		}
		if seen[n.Namespace] {
			bad.Add(at+".namespace", "must not be there twice", n.Namespace)
		}
		seen[n.Namespace] = true
		if _, known := knownSlot(n.Namespace); !known {
			own++
		}
		if n.Limit < 1 || n.Limit > maxLimit {
			bad.Add(at+".limit", fmt.Sprintf("must be 1 to %d", maxLimit), n.Limit)
		}
		switch n.Period {
		case Ever, Year, Month, Week:
		default:
			bad.Add(at+".period", "must be ever, year, month or week", string(n.Period))
		}
		checkBlocked(&bad, at+".blocked", n.Blocked)
	}
	if own > ownSlots {
		bad.Add("namespaces", fmt.Sprintf("must not have more than %d custom namespaces", ownSlots), own)
	}
	checkBlocked(&bad, "blocked", r.Blocked)
	if r.SharedDeviceUsers < 1 || r.SharedDeviceUsers > maxSharedUsers {
		bad.Add("sharedDeviceUsers", fmt.Sprintf("must be 1 to %d", maxSharedUsers), r.SharedDeviceUsers)
	}
	if r.PhoneRegion != "" && phonenumbers.GetCountryCodeForRegion(r.PhoneRegion) == 0 {
		bad.Add("phoneRegion", "must be a country of two letters, such as DE", r.PhoneRegion)
	}
	return bad
}

func checkBlocked(bad *problem.Invalid, field string, values []string) {
	if len(values) > maxBlocked {
		bad.Add(field, fmt.Sprintf("must not have more than %d values", maxBlocked), len(values))
		return
	}
	for i, v := range values {
		text := strings.Trim(v, "*")
		switch {
		case text == "":
			bad.Add(fmt.Sprintf("%s[%d]", field, i), "must not be empty, nor stand for every value", v)
		case len(v) > maxBlockedBytes:
			bad.Add(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("must not be longer than %d bytes", maxBlockedBytes), problem.Clip(v))
		case strings.Contains(text, "*"):
			bad.Add(fmt.Sprintf("%s[%d]", field, i), "must have * at its ends only", problem.Clip(v))
		}
	}
}

// Slots are the places of the counters of a profile: one for each namespace
// with a meaning, some for custom ones with a rule, and one for all the others.
const (
	slotUser = iota
	slotAnonymous
	slotEmail
	slotPhone
	slotDevice
	slotCard
	slotTelegram
	slotOwn                  // first of the custom namespaces with a rule
	ownSlots   = 4           // their number
	slotCustom = slotOwn + 4 // all other namespaces
	slots      = slotCustom + 1
)

// knownSlot is the place of a namespace with a meaning of its own.
func knownSlot(namespace string) (int, bool) {
	switch namespace {
	case UserID:
		return slotUser, true
	case AnonymousID:
		return slotAnonymous, true
	case Email:
		return slotEmail, true
	case Phone:
		return slotPhone, true
	case Device:
		return slotDevice, true
	case Card:
		return slotCard, true
	case Telegram:
		return slotTelegram, true
	case Custom:
		return slotCustom, true
	}
	return 0, false
}

// ruleSet is Rules in the form in which they are applied.
type ruleSet struct {
	own      []string // custom namespaces in their slots
	slots    [slots]slotRule
	blocked  blockList
	users    int
	region   string
	periodic bool // some limit counts within a period
}

type slotRule struct {
	limit         int
	span          time.Duration // 0: ever
	unique, joins bool
	priority      int
	blocked       blockList
}

func compile(r Rules) *ruleSet {
	set := &ruleSet{blocked: newBlockList(r.Blocked), users: r.SharedDeviceUsers, region: r.PhoneRegion}
	defaults := DefaultRules()
	for i := range set.slots {
		set.slots[i] = slotRule{limit: 5, priority: len(r.Namespaces)}
	}
	for _, n := range defaults.Namespaces { // a namespace that is not in the list has the default limits and comes last
		slot, _ := knownSlot(n.Namespace)
		set.slots[slot] = slotRule{limit: n.Limit, span: n.Period.span(), unique: n.Unique, joins: n.Joins, priority: len(r.Namespaces)}
	}
	for i, n := range r.Namespaces {
		slot, known := knownSlot(n.Namespace)
		if !known {
			if len(set.own) == ownSlots {
				continue
			}
			slot = slotOwn + len(set.own)
			set.own = append(set.own, n.Namespace)
		}
		set.slots[slot] = slotRule{
			limit: n.Limit, span: n.Period.span(), unique: n.Unique, joins: n.Joins, priority: i, blocked: newBlockList(n.Blocked),
		}
		set.periodic = set.periodic || n.Period.span() > 0
	}
	return set
}

// slot is the place of a namespace.
func (r *ruleSet) slot(namespace string) int {
	if slot, known := knownSlot(namespace); known {
		return slot
	}
	for i, own := range r.own {
		if own == namespace {
			return slotOwn + i
		}
	}
	return slotCustom
}

// blocks reports whether the value stands for nobody.
func (r *ruleSet) blocks(slot int, value string) bool {
	return zeros(value) || r.blocked.has(value) || r.slots[slot].blocked.has(value)
}

// zeros reports whether the value is made of zeros and dashes alone, as the ids
// are that a device gives where it must not say which one it is.
func zeros(value string) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '0' && value[i] != '-' {
			return false
		}
	}
	return true
}

// blockList recognises blocked values, whatever their case.
type blockList struct {
	exact    map[string]bool
	longest  int // bytes of an exact value
	patterns []pattern
}

type pattern struct {
	text             string
	open, openBefore bool // * at the end, * at the beginning
}

func newBlockList(values []string) blockList {
	l := blockList{exact: map[string]bool{}}
	for _, v := range values {
		v = strings.ToLower(strings.TrimSpace(v))
		p := pattern{text: strings.Trim(v, "*"), open: strings.HasSuffix(v, "*"), openBefore: strings.HasPrefix(v, "*")}
		switch {
		case p.text == "":
		case p.open || p.openBefore:
			l.patterns = append(l.patterns, p)
		default:
			l.exact[v] = true
			l.longest = max(l.longest, len(v))
		}
	}
	return l
}

func (l *blockList) has(value string) bool {
	if len(l.exact) == 0 && len(l.patterns) == 0 {
		return false
	}
	lower := value
	if len(value) <= l.longest || len(l.patterns) > 0 {
		lower = strings.ToLower(value) // no copy where it is lower case already
	}
	if len(value) <= l.longest && l.exact[lower] {
		return true
	}
	for i := range l.patterns {
		p := &l.patterns[i]
		var hit bool
		switch {
		case p.open && p.openBefore:
			hit = strings.Contains(lower, p.text)
		case p.open:
			hit = strings.HasPrefix(lower, p.text)
		default:
			hit = strings.HasSuffix(lower, p.text)
		}
		if hit {
			return true
		}
	}
	return false
}

// international is a phone number in the form of E.164, where it is complete or
// the region is known; otherwise it stays as it is.
func international(number, region string) string {
	if region == "" {
		if number[0] != '+' {
			return number
		}
		region = phonenumbers.UNKNOWN_REGION
	}
	parsed, err := phonenumbers.Parse(number, region)
	if err != nil || !phonenumbers.IsPossibleNumber(parsed) {
		return number
	}
	return phonenumbers.Format(parsed, phonenumbers.E164)
}
