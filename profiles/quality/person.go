package quality

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"quintet/profiles"
	"quintet/profiles/identity"
)

const (
	// shortText is the length in bytes below which an identifier is looked for as a
	// whole value: inside of other texts it would be found everywhere.
	shortText = 6
	// phoneDigits are the last digits by which a phone is recognised, however it is
	// written: with or without the code of the country, with separators.
	phoneDigits = 9
	// maxPhone is the length in bytes up to which a text can be a phone.
	maxPhone = 40
)

// traces are how a person is recognised in what was refused, which is as its sender wrote
// it: in any case, escaped, with separators.
type traces struct {
	long   []string        // in lower case, inside of texts
	whole  map[string]bool // in lower case, as a whole text
	phones []string        // last digits
}

func tracesOf(sub *profiles.ErasureSubject) *traces {
	t := &traces{whole: map[string]bool{}}
	for _, id := range sub.Texts() {
		t.long = append(t.long, strings.ToLower(id))
	}
	for _, i := range sub.Identifiers {
		value := strings.ToLower(i.Value)
		if i.Namespace == identity.Phone {
			if d := digits(value); len(d) >= phoneDigits {
				t.phones = append(t.phones, d[len(d)-phoneDigits:])
			}
		}
		t.whole[value] = true
		if len(value) >= shortText {
			t.long = append(t.long, value)
		}
	}
	return t
}

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// in says whether one of the texts is about the person.
func (t *traces) in(list ...string) bool {
	for _, raw := range list {
		if t.inside(strings.ToLower(raw)) {
			return true
		}
		for text := range texts(raw) {
			if t.is(text) {
				return true
			}
		}
	}
	return false
}

func (t *traces) inside(lower string) bool {
	for _, long := range t.long {
		if strings.Contains(lower, long) {
			return true
		}
	}
	return false
}

// is says whether a whole text is about the person.
func (t *traces) is(text string) bool {
	lower := strings.ToLower(text)
	if t.whole[strings.TrimSpace(lower)] || t.inside(lower) {
		return true
	}
	if len(t.phones) == 0 || len(text) > maxPhone {
		return false
	}
	d := digits(text)
	for _, phone := range t.phones {
		if strings.HasSuffix(d, phone) {
			return true
		}
	}
	return false
}

// needles are byte sequences of which a message about the person has one, in lower
// case; whether it is about the person, in says.
func (t *traces) needles() [][]byte {
	var list [][]byte
	add := func(text string) {
		list = append(list, []byte(text), []byte(escaped(text)))
		if quoted, err := json.Marshal(text); err == nil {
			list = append(list, quoted[1:len(quoted)-1])
		}
	}
	for _, long := range t.long {
		add(long)
	}
	for whole := range t.whole {
		if len(whole) < shortText {
			add(whole)
		}
	}
	return list
}

// escaped is a text as JSON of pure ASCII has it.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// aboutPerson are the rows that may be about somebody: those with one of the needles $1,
// or with the last digits $2 of a phone among all their digits.
const aboutPerson = `EXISTS (SELECT FROM unnest($1::bytea[]) n WHERE position(lower(encode(n, 'escape')) IN lower(encode(body || '\x0a'::bytea || shared, 'escape') || ` + itsWords + `)) > 0)
	OR EXISTS (SELECT FROM unnest($2::text[]) p WHERE position(p IN regexp_replace(encode(body || '\x0a'::bytea || shared, 'escape') || ` + itsWords + `, '[^0-9]', '', 'g')) > 0)`

// itsWords is what else of a message is kept beside its body.
const itsWords = `encode(convert_to(concat_ws(' ', '', message_id, errors, field, rule), 'UTF8'), 'escape')`

// about calls f with every item in quarantine that is about a person, the oldest first.
func (q *quarantine) about(ctx context.Context, sub *profiles.ErasureSubject, f func(*Quarantined) error) error {
	t := tracesOf(sub)
	phones := t.phones
	if phones == nil {
		phones = []string{}
	}
	rows, err := q.s.postgres.Query(ctx, `SELECT `+quarantineColumns+`, body, shared, errors FROM quarantine WHERE `+aboutPerson+` ORDER BY received_at, id`, t.needles(), phones)
	if err != nil {
		return fmt.Errorf("searching the quarantine: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var errors string
		var i Quarantined
		if err := q.scanInto(&i, rows, &i.body, &i.shared, &errors); err != nil {
			return fmt.Errorf("searching the quarantine: %w", err)
		}
		if !t.in(string(i.body), string(i.shared), errors, strconv.Quote(i.MessageID), i.Field, i.Rule) {
			continue
		}
		i.show()
		if err := f(&i); err != nil {
			return err
		}
	}
	return rows.Err()
}

// EachQuarantined is part of [profiles.QuarantineLog]: it calls f with everything in
// quarantine that is about the person, with its body.
func (s *Service) EachQuarantined(ctx context.Context, sub *profiles.ErasureSubject, f func(item any) error) error {
	if err := s.quarantine.flush(ctx); err != nil {
		return err
	}
	return s.quarantine.about(ctx, sub, func(i *Quarantined) error { return f(i) })
}

// Erase is part of [profiles.ErasurePart]: what the person sent and what was refused
// goes from quarantine. Counts name nobody.
func (s *Service) Erase(ctx context.Context, sub *profiles.ErasureSubject) (map[string]int64, error) {
	if err := s.quarantine.flush(ctx); err != nil {
		return nil, err
	}
	s.quarantine.storing.Lock()
	defer s.quarantine.storing.Unlock()
	ids, err := s.aboutIDs(ctx, sub)
	if err != nil {
		return nil, err
	}
	tag, err := s.postgres.Exec(ctx, `DELETE FROM quarantine WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("erasing from the quarantine: %w", err)
	}
	return map[string]int64{"postgres quarantine": tag.RowsAffected()}, nil
}

// Check is part of [profiles.ErasurePart].
func (s *Service) Check(ctx context.Context, sub *profiles.ErasureSubject) ([]profiles.ErasureCheck, error) {
	ids, err := s.aboutIDs(ctx, sub)
	return []profiles.ErasureCheck{{Store: "postgres", What: "quarantine, item by item", Rows: int64(len(ids))}}, err
}

func (s *Service) aboutIDs(ctx context.Context, sub *profiles.ErasureSubject) ([]string, error) {
	ids := []string{}
	err := s.quarantine.about(ctx, sub, func(i *Quarantined) error {
		ids = append(ids, i.ID)
		return nil
	})
	return ids, err
}
