package traits

import "strings"

// reserved are the traits whose names have a meaning in the tracking API of
// Segment, in its spelling.
var reserved = [...]string{
	"address", "age", "avatar", "birthday", "company", "createdAt", "description", "email", "employees", "firstName", "gender",
	"id", "industry", "lastName", "logins", "name", "phone", "plan", "title", "totalBilled", "username", "website",
}

var bySqueezed = func() map[string]string {
	m := make(map[string]string, len(reserved))
	for _, name := range reserved {
		m[strings.ToLower(name)] = name
	}
	return m
}()

// longestReserved bounds the names that can be a variant of a reserved one.
const longestReserved = 24

// Canonical is the name under which a trait is kept: variants of the reserved
// names in another case, or with _, - or blanks between words, become the
// reserved name (first_name, FirstName: firstName). Other names stay.
func Canonical(name string) string {
	if len(name) > longestReserved {
		return name
	}
	var room [longestReserved]byte
	b := room[:0]
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == ' ':
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	if known, ok := bySqueezed[string(b)]; ok {
		return known
	}
	return name
}
