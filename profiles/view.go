package profiles

import (
	"time"

	"quintet/profiles/consents"
	"quintet/profiles/identity"
)

// Identifier is one name of a person: a value in a namespace.
type Identifier = identity.Identifier

// NewID is the id of the profile that begins with identifier i, 26 characters.
// It depends on nothing else.
func NewID(i Identifier) string { return identity.NewID(i).String() }

// View is what memory holds of one profile at one moment. It is not changed
// once it has been handed out, and nobody may change it.
type View struct {
	// ID is the profile that the identifiers belong to. It is the unit of
	// experiments: a merge never changes it.
	ID string
	// Person is the id of the person that the profile belongs to, the same as ID
	// unless the profile was merged.
	Person      string
	Identifiers []Identifier
	// Traits by name: string, float64, bool, nil, []any or map[string]any.
	Traits map[string]any
	// Attributes are computed of the log, by name. They belong to the person.
	Attributes map[string]any
	// Consents is what the person stated about consent.
	Consents consents.Set
	// CreatedAt is the time of the first thing known of the person.
	CreatedAt time.Time
	// UpdatedAt is when identifiers or traits last changed.
	UpdatedAt time.Time
	// LastSeenAt is the time of the latest message about the person.
	LastSeenAt time.Time
	// Events is how many messages were projected. A message that was sent twice
	// with a long time between may count twice here; in ClickHouse it does not.
	Events uint64

	store *Store // that made it, nil in tests of others
}
