package profiles

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"time"

	"quintet/profiles/identity"
)

// ErasureMode says what stays, under ids that lead to nobody.
type ErasureMode string

// The modes.
const (
	// EraseKeepingResults keeps what reports are made of: decisions, exposures, and what
	// the person did since the first of them, without identifiers, traits, context and
	// texts. It is the usual mode.
	EraseKeepingResults ErasureMode = "erase"
	// EraseAnonymising keeps, beside these, everything that the person did in the same
	// form, so that figures about sales and customers stay.
	EraseAnonymising ErasureMode = "anonymise"
	// ErasePurging keeps nothing: reports change as if the person had never been there.
	ErasePurging ErasureMode = "purge"
)

// ErasureStatus is how far an erasure is.
type ErasureStatus string

// The states of an erasure.
const (
	ErasureWaiting ErasureStatus = "waiting"
	ErasureRunning ErasureStatus = "running"
	// ErasureRewriting: nothing that names the person is in any table any more; files
	// are written anew so that they do not hold it either.
	ErasureRewriting ErasureStatus = "rewriting"
	ErasureDone      ErasureStatus = "done"
)

// Erasure is one person's erasure, without anything about the person.
type Erasure struct {
	ID          string        `json:"id"`
	Status      ErasureStatus `json:"status" enum:"waiting,running,rewriting,done"`
	Mode        ErasureMode   `json:"mode" enum:"erase,anonymise,purge"`
	Reason      string        `json:"reason,omitempty"`
	RequestedBy string        `json:"requestedBy"`
	RequestedAt time.Time     `json:"requestedAt"`
	FinishedAt  *time.Time    `json:"finishedAt,omitempty"`
	Attempts    int           `json:"attempts" doc:"How often it was begun; what a stop interrupts is begun again"`
	Error       string        `json:"error,omitempty" doc:"Why the last attempt failed; the next one follows by itself"`
	Profiles    int           `json:"profiles" doc:"Profiles that made up the person"`
	Identifiers int           `json:"identifiers" doc:"Identifiers that are refused from now on"`
	ProofSHA256 string        `json:"proofSha256,omitempty" doc:"SHA-256 of the proof, hexadecimal; GET /v1/erasures/{id}/proof has its bytes"`

	subject *ErasureSubject
	removed map[string]int64
	checks  []ErasureCheck
}

// ErasureSubject is whom an erasure is about. It is kept while the erasure is under way
// and not a moment longer.
type ErasureSubject struct {
	// Profiles are those that make up the person.
	Profiles []ErasedProfile `json:"profiles"`
	// Identifiers are all that lead to the person, in normal form.
	Identifiers []Identifier `json:"identifiers"`
	// Mode is what stays.
	Mode ErasureMode `json:"mode"`
}

// ErasedProfile is one profile with what takes its place.
type ErasedProfile struct {
	ID identity.ID `json:"-"`
	// Text is ID as a text.
	Text string `json:"id"`
	// Replacement is a random id under which results stay, and Salt makes the ids of
	// its messages.
	Replacement string `json:"replacement"`
	Salt        string `json:"salt"`
}

// IDs are the ids of the profiles.
func (s *ErasureSubject) IDs() []identity.ID {
	ids := make([]identity.ID, len(s.Profiles))
	for i := range s.Profiles {
		ids[i] = s.Profiles[i].ID
	}
	return ids
}

// Texts are the ids of the profiles as texts.
func (s *ErasureSubject) Texts() []string {
	texts := make([]string, len(s.Profiles))
	for i := range s.Profiles {
		texts[i] = s.Profiles[i].Text
	}
	return texts
}

// shortestNeedle is the length in bytes from which an identifier is looked for inside
// of other texts: shorter ones, such as the userId 17, are found everywhere.
const shortestNeedle = 6

// Needles are what must not be found in any text: profile ids, and identifiers that are
// long enough to be nobody else's words.
func (s *ErasureSubject) Needles() []string {
	list := s.Texts()
	for _, i := range s.Identifiers {
		if len(i.Value) >= shortestNeedle {
			list = append(list, i.Value)
		}
	}
	return list
}

func decodeSubject(text []byte) (*ErasureSubject, error) {
	s := new(ErasureSubject)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("reading whom an erasure is about: %w", err)
	}
	for i := range s.Profiles {
		var ok bool
		if s.Profiles[i].ID, ok = identity.ParseID(s.Profiles[i].Text); !ok {
			return nil, fmt.Errorf("reading whom an erasure is about: there is something that is no profile id")
		}
	}
	return s, nil
}

func newErasedProfile(id identity.ID) ErasedProfile {
	var replacement identity.ID
	_, _ = rand.Read(replacement[:]) // it never fails
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	return ErasedProfile{ID: id, Text: id.String(), Replacement: replacement.String(), Salt: base32.StdEncoding.EncodeToString(salt)}
}

// ErasureCheck is a search for what must not be there any more.
type ErasureCheck struct {
	Store string `json:"store" doc:"postgres, clickhouse, stream, memory or files"`
	What  string `json:"what" doc:"Table, topic or folder"`
	// Rows are those that are the person's: there must be none.
	Rows int64 `json:"rows"`
	// Mentions are rows of others that hold an identifier or a profile id inside a text.
	Mentions int64 `json:"mentions"`
}

// ErasureProof is the document that says what was done. Nothing in it leads to the person.
type ErasureProof struct {
	ErasureID   string           `json:"erasureId"`
	Mode        ErasureMode      `json:"mode"`
	Reason      string           `json:"reason"`
	RequestedBy string           `json:"requestedBy"`
	RequestedAt time.Time        `json:"requestedAt"`
	FinishedAt  time.Time        `json:"finishedAt"`
	Profiles    int              `json:"profiles"`
	Identifiers int              `json:"identifiersSuppressed"`
	Removed     map[string]int64 `json:"removed"`
	Checks      []ErasureCheck   `json:"checks"`
	Notes       []string         `json:"notes"`
}
