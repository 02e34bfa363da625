package quality

import (
	"net/netip"
	"strings"

	"quintet/profiles/traits"
)

// format is what a text looks like.
type format uint8

const (
	plain format = iota
	dateLike
	emailLike
	phoneLike
	cardLike
	addressLike // of a network
)

// maxFormatted is the length in bytes up to which a text can have a format.
const maxFormatted = 254

// formatOf tells what a text looks like by its form alone.
func formatOf(text string) format {
	if len(text) < 6 || len(text) > maxFormatted {
		return plain
	}
	if isEmail(text) {
		return emailLike
	}
	if c := text[0]; c != '+' && c != '(' && c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
		return plain
	}
	if _, ok := traits.ParseDate(text); ok {
		return dateLike
	}
	if strings.Count(text, ".") == 3 || strings.Count(text, ":") > 1 {
		if _, err := netip.ParseAddr(text); err == nil {
			return addressLike
		}
	}
	return numbered(text)
}

func isEmail(text string) bool {
	at := strings.IndexByte(text, '@')
	if at < 1 || at > 64 || strings.IndexByte(text[at+1:], '@') >= 0 {
		return false
	}
	domain := text[at+1:]
	dot := strings.LastIndexByte(domain, '.')
	if dot < 1 || dot > len(domain)-3 {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == ',' || c == ';' || c == '<' || c == '>' || c == '"' {
			return false
		}
	}
	return true
}

// numbered tells a payment card from a phone among texts of digits. A card has 13
// to 19 digits, plain or in groups, whose check digit is right (Luhn, ISO/IEC
// 7812-1) and which begin as those of the large schemes do (2 to 6). A phone begins
// with + and has 8 to 15 digits (E.164), or has 10 to 15 with separators between.
func numbered(text string) format {
	digits, separators, groups := 0, 0, false
	sum, alternate := 0, false
	for i := len(text) - 1; i >= 0; i-- {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			d := int(c - '0')
			if alternate {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum, alternate, digits = sum+d, !alternate, digits+1
		case c == ' ' || c == '-':
			separators++
			groups = true
		case c == '(' || c == ')' || c == '.':
			separators++
		case c == '+' && i == 0:
		default:
			return plain
		}
	}
	first := text[0]
	switch {
	case first >= '2' && first <= '6' && digits >= 13 && digits <= 19 && sum%10 == 0 && (separators == 0 || groups):
		return cardLike
	case first == '+' && digits >= 8 && digits <= 15:
		return phoneLike
	case separators >= 2 && digits >= 10 && digits <= 15 && text[0] != '.':
		return phoneLike
	}
	return plain
}

// personalNames are the last parts of the names of fields that hold personal data,
// without case and separators.
var personalNames = map[string]bool{
	"email": true, "mail": true, "emailaddress": true, "phone": true, "phonenumber": true, "tel": true, "telephone": true, "mobile": true, "msisdn": true,
	"firstname": true, "lastname": true, "fullname": true, "middlename": true, "patronymic": true, "surname": true, "username": true, "givenname": true, "familyname": true,
	"birthday": true, "birthdate": true, "dateofbirth": true, "dob": true, "address": true, "street": true, "postaladdress": true, "avatar": true,
	"passport": true, "snils": true, "inn": true, "ssn": true, "iban": true, "card": true, "cardnumber": true, "pan": true,
	"ip": true, "ipaddress": true, "latitude": true, "longitude": true, "telegram": true, "password": true, "idfa": true, "advertisingid": true,
}

// personalPlaces are the parts of a context that are personal data as a whole.
var personalPlaces = [...]string{"context.ip", "context.traits", "context.externalIds", "context.location"}

// namesPerson says whether the path of a field tells that it holds personal data.
func namesPerson(path string) bool {
	for _, place := range personalPlaces {
		if path == place || strings.HasPrefix(path, place) && path[len(place)] == '.' {
			return true
		}
	}
	last := path[strings.LastIndexByte(path, '.')+1:]
	if len(last) > 40 {
		return false
	}
	last = strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "", "$", "").Replace(last))
	// The name of a person; of a page or a product it is a property.
	return personalNames[last] || last == "name" && strings.HasPrefix(path, "traits.")
}

// dynamicName says whether the name of a member is a value rather than a name: an
// address, a phone, an id. Such members are counted together, as "*".
func dynamicName(name string) bool {
	if len(name) > maxName || formatOf(name) != plain {
		return true
	}
	if len(name) < 6 {
		return false
	}
	digits := 0
	for i := range len(name) {
		if c := name[i]; c >= '0' && c <= '9' {
			digits++
		}
	}
	return 2*digits >= len(name)
}
