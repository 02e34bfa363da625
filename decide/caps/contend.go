package caps

import "slices"

// Given is a contact that gave way, under the rule that had no room.
type Given struct {
	ID       string
	Rule     string
	Priority int
	Worth    float64
}

// Rank is by what contacts are compared.
type Rank struct {
	Priority int
	Worth    float64
}

// outranks says whether a contact goes before another one: by a higher priority, then a
// higher worth, and of equals by the earlier decision, so that processes that each took
// a place agree on who has it.
func (c *Contact) outranks(h *Contact) bool {
	switch {
	case c.Priority != h.Priority:
		return c.Priority > h.Priority
	case c.Worth != h.Worth:
		return c.Worth > h.Worth
	}
	return c.ID < h.ID
}

// Contend finds room for a contact. Where rules that are arbitrated refuse it, contacts
// of the same person that yield and are worth less give way, the least valuable first
// and no more than needed; they are marked in history. Rule is "" where there is room
// then, else history is as it was.
func Contend(rules []Rule, history []Contact, c *Contact) (given []Given, rule string) {
	for {
		key := Refused(rules, history, c)
		if key == "" {
			return spare(rules, history, c, given), ""
		}
		weakest := -1
		if r := slices.IndexFunc(rules, func(r Rule) bool { return r.Key == key }); rules[r].Arbitrated {
			weakest = rules[r].weakest(history, c)
		}
		if weakest < 0 {
			Restore(history, given)
			return nil, key
		}
		h := &history[weakest]
		h.Given = true
		given = append(given, Given{ID: h.ID, Rule: key, Priority: h.Priority, Worth: h.Worth})
	}
}

// weakest is the place of the least valuable contact that takes room under the rule and
// gives way to another one; -1 when none does.
func (r *Rule) weakest(history []Contact, c *Contact) int {
	at := -1
	for i := range history {
		h := &history[i]
		if !h.Yields || h.Made || !r.counts(h, c) || !c.outranks(h) {
			continue
		}
		if at < 0 || history[at].outranks(h) {
			at = i
		}
	}
	return at
}

// spare takes back, the most valuable first, who need not have given way: a window that
// is full may lie elsewhere than the least valuable contact.
func spare(rules []Rule, history []Contact, c *Contact, given []Given) []Given {
	for i := len(given) - 1; i >= 0; i-- {
		at := slices.IndexFunc(history, func(h Contact) bool { return h.ID == given[i].ID })
		history[at].Given = false
		if Refused(rules, history, c) != "" {
			history[at].Given = true
			continue
		}
		given = slices.Delete(given, i, i+1)
	}
	return given
}

// Restore takes it back that contacts gave way.
func Restore(history []Contact, given []Given) {
	for i := range history {
		if slices.ContainsFunc(given, func(g Given) bool { return g.ID == history[i].ID }) {
			history[i].Given = false
		}
	}
}

// Contested says whether a contact is refused by a rule that is arbitrated, and whose
// room contacts hold that yield, so that it lost against them.
func Contested(rules []Rule, history []Contact, c *Contact, rule string) bool {
	r := slices.IndexFunc(rules, func(r Rule) bool { return r.Key == rule })
	return r >= 0 && rules[r].Arbitrated && slices.ContainsFunc(history, func(h Contact) bool { return h.Yields && !h.Made && rules[r].counts(&h, c) })
}
