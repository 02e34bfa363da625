package scenarios

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"quintet/decide/outbound"
	"quintet/experiments/condition"
	"quintet/internal/problem"
)

// Bounds of a scenario.
const (
	maxNodes       = 100
	maxExits       = 20
	defaultMaxDays = 90
	maxDays        = 730
	maxMinutes     = 365 * 24 * 60
)

var nodeID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// References say what a scenario may name.
type References struct {
	HasPoint   func(key string) bool
	Class      func(point string) string
	HasSegment func(key string) bool
	HasPurpose func(key string) bool
}

// Validate checks and normalises a scenario.
func (s *Scenario) Validate(refs References) error {
	var bad problem.Invalid
	checkText(&bad, "name", s.Name, 200)
	checkText(&bad, "description", s.Description, 2000)
	s.Consent.Check(&bad, "consent")
	if s.Consent.Purpose != "" && !refs.HasPurpose(s.Consent.Purpose) {
		bad.Add("consent.purpose", "must be the key of a purpose", problem.Clip(s.Consent.Purpose))
	}
	s.checkFrame(&bad)
	if n := len(s.Nodes); n == 0 || n > maxNodes {
		bad.Add("nodes", fmt.Sprintf("must have 1 to %d entries", maxNodes), n)
		return bad.Err()
	}
	ids, triggers := make(map[string]int, len(s.Nodes)), 0
	for i := range s.Nodes {
		n := &s.Nodes[i]
		at := fmt.Sprintf("nodes[%d]", i)
		if !nodeID.MatchString(n.ID) {
			bad.Add(at+".id", "must be 1 to 64 of a-z, 0-9, - and _ and begin with a letter or digit", problem.Clip(n.ID))
		} else if _, there := ids[n.ID]; there {
			bad.Add(at+".id", "must be unique", n.ID)
		}
		ids[n.ID] = i
		if n.Type == NodeTrigger {
			triggers++
		}
		checkText(&bad, at+".name", n.Name, 200)
		s.checkNode(&bad, at, n, refs)
	}
	if triggers != 1 {
		bad.Add("nodes", "must have exactly one trigger", triggers)
	}
	for i := range s.Nodes {
		s.checkEdges(&bad, fmt.Sprintf("nodes[%d]", i), &s.Nodes[i], ids)
	}
	if len(bad) == 0 {
		s.checkPaths(&bad, ids)
	}
	return bad.Err()
}

func (s *Scenario) checkFrame(bad *problem.Invalid) {
	switch s.ReEntry.Mode {
	case "":
		s.ReEntry.Mode = ReEnterAfterExit
	case ReEnterNever, ReEnterAfterExit, ReEnterAlways:
	default:
		bad.Add("reEntry.mode", "must be never, after-exit or always", problem.Clip(s.ReEntry.Mode))
	}
	if !(s.ReEntry.Hours >= 0 && s.ReEntry.Hours <= maxDays*24) {
		bad.Add("reEntry.hours", "must be from 0 to 17520", s.ReEntry.Hours)
	}
	if s.MaxDays == 0 {
		s.MaxDays = defaultMaxDays
	}
	if s.MaxDays < 1 || s.MaxDays > maxDays {
		bad.Add("maxDays", "must be from 1 to 730", s.MaxDays)
	}
	if len(s.ExitOn) > maxExits {
		bad.Add("exitOn", "must have at most 20 entries", len(s.ExitOn))
	}
	for i, event := range s.ExitOn {
		checkEvent(bad, fmt.Sprintf("exitOn[%d]", i), event)
	}
	if s.Zone == "" {
		s.Zone = "UTC"
	}
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
		bad.Add("zone", "must be a time zone of the IANA data base, such as Europe/Berlin", problem.Clip(s.Zone))
	}
}

func (s *Scenario) checkNode(bad *problem.Invalid, at string, n *Node, refs References) {
	for _, part := range []struct {
		kind    string
		present bool
	}{{NodeTrigger, n.Trigger != nil}, {NodeWait, n.Wait != nil}, {NodeBranch, n.Branch != nil}, {NodeDecide, n.Decide != nil}} {
		if part.present != (n.Type == part.kind) {
			bad.Add(at+"."+part.kind, "must be given for a node of type "+part.kind+", and for no other", nil)
			return
		}
	}
	switch n.Type {
	case NodeTrigger:
		n.Trigger.check(bad, at+".trigger", refs)
	case NodeWait:
		n.Wait.check(bad, at+".wait")
	case NodeBranch:
		if checkCondition(bad, at+".branch.condition", &n.Branch.Condition); n.Branch.Condition == nil {
			bad.Add(at+".branch.condition", "is required", nil)
		}
	case NodeDecide:
		s.checkStep(bad, at+".decide", n.Decide, refs)
	case NodeExit:
	default:
		bad.Add(at+".type", "must be trigger, wait, branch, decide or exit", problem.Clip(n.Type))
	}
}

func (t *Trigger) check(bad *problem.Invalid, at string, refs References) {
	checkCondition(bad, at+".where", &t.Where)
	checkCondition(bad, at+".audience", &t.Audience)
	needs := func(field string, given, needed bool) {
		if given != needed {
			rule := "is not for a trigger of kind " + t.Kind
			if needed {
				rule = "is required for a trigger of kind " + t.Kind
			}
			bad.Add(at+"."+field, rule, nil)
		}
	}
	bySegment := t.Kind == TriggerSegmentEntered || t.Kind == TriggerSegmentLeft
	byEvent := t.Kind == TriggerEvent || t.Kind == TriggerAbsence
	switch {
	case !bySegment && !byEvent && t.Kind != TriggerDate:
		bad.Add(at+".kind", "must be segment-entered, segment-left, event, absence or date", problem.Clip(t.Kind))
		return
	case bySegment && t.Segment != "" && !refs.HasSegment(t.Segment):
		bad.Add(at+".segment", "must be the key of a segment", problem.Clip(t.Segment))
	}
	needs("segment", t.Segment != "", bySegment)
	needs("event", t.Event != "", byEvent)
	if t.Event != "" {
		checkEvent(bad, at+".event", t.Event)
	}
	needs("missing", t.Missing != "", t.Kind == TriggerAbsence)
	needs("withinMinutes", t.WithinMinutes != 0, t.Kind == TriggerAbsence)
	if t.Missing != "" {
		checkEvent(bad, at+".missing", t.Missing)
	}
	checkMinutes(bad, at+".withinMinutes", t.WithinMinutes)
	needs("attribute", t.Attribute != "", t.Kind == TriggerDate)
	if t.Kind != TriggerDate {
		needs("at", t.At != "", false)
		needs("offsetDays", t.OffsetDays != 0, false)
		return
	}
	if t.At == "" {
		t.At = "10:00"
	}
	if !outbound.IsClock(t.At) {
		bad.Add(at+".at", "must be a time of day such as 10:00", problem.Clip(t.At))
	}
	if t.OffsetDays < -365 || t.OffsetDays > 365 {
		bad.Add(at+".offsetDays", "must be from -365 to 365", t.OffsetDays)
	}
	checkText(bad, at+".attribute", t.Attribute, 128)
}

func (w *Wait) check(bad *problem.Invalid, at string) {
	checkCondition(bad, at+".where", &w.Where)
	checkMinutes(bad, at+".minutes", w.Minutes)
	if w.Until != "" && !outbound.IsClock(w.Until) {
		bad.Add(at+".until", "must be a time of day such as 10:00", problem.Clip(w.Until))
	}
	switch {
	case w.Event != "":
		checkEvent(bad, at+".event", w.Event)
		if w.Minutes < 1 {
			bad.Add(at+".minutes", "must be at least 1: the time after which the event is given up", w.Minutes)
		}
		if w.Until != "" {
			bad.Add(at+".until", "is not for a wait for an event", w.Until)
		}
	case w.Where != nil || w.OfDecision:
		bad.Add(at+".event", "is required: the name of the event that where and ofDecision are about", nil)
	case w.Until == "" && w.Minutes < 1:
		bad.Add(at+".minutes", "must be at least 1, unless it waits until a time of day or for an event", w.Minutes)
	}
}

func (s *Scenario) checkStep(bad *problem.Invalid, at string, d *Step, refs References) {
	switch {
	case d.DecisionPoint == "":
		bad.Add(at+".decisionPoint", "is required: the key of a decision point", nil)
	case !refs.HasPoint(d.DecisionPoint):
		bad.Add(at+".decisionPoint", "must be the key of a decision point", problem.Clip(d.DecisionPoint))
	default:
		s.Consent.CheckClass(bad, at+".decisionPoint", refs.Class(d.DecisionPoint))
	}
	if d.LocalTime != "" && !outbound.IsClock(d.LocalTime) {
		bad.Add(at+".localTime", "must be a time of day such as 10:00", problem.Clip(d.LocalTime))
	}
	outbound.CheckContext(bad, at+".context", d.Context)
	if len(d.FromEntry) > maxExits {
		bad.Add(at+".fromEntry", "must have at most 20 entries", len(d.FromEntry))
	}
	for i, name := range d.FromEntry {
		if name == "" || len(name) > 64 {
			bad.Add(fmt.Sprintf("%s.fromEntry[%d]", at, i), "must be 1 to 64 bytes long", problem.Clip(name))
		}
	}
}

// checkEdges checks where a node leads.
func (s *Scenario) checkEdges(bad *problem.Invalid, at string, n *Node, ids map[string]int) {
	target := func(field, id string, needed bool) {
		switch i, ok := ids[id]; {
		case id == "" && needed:
			bad.Add(at+"."+field, "is required: the id of the node that follows", nil)
		case id == "":
		case !ok:
			bad.Add(at+"."+field, "must be the id of a node", problem.Clip(id))
		case s.Nodes[i].Type == NodeTrigger:
			bad.Add(at+"."+field, "must not lead to the trigger: people come in there by themselves", id)
		}
	}
	if n.Type == NodeExit {
		if n.Next != "" || n.Otherwise != "" {
			bad.Add(at+".next", "an exit leads nowhere", n.Next)
		}
		return
	}
	target("next", n.Next, true)
	target("otherwise", n.Otherwise, n.Type == NodeBranch)
	if n.Otherwise != "" && (n.Type == NodeTrigger || n.Type == NodeWait && n.Wait != nil && n.Wait.Event == "") {
		bad.Add(at+".otherwise", "is for branches, steps and waits for an event", n.Otherwise)
	}
}

// leads are the nodes that follow.
func (n *Node) leads() []string {
	if n.Type == NodeExit {
		return nil
	}
	if other := n.otherwise(); other != n.Next {
		return []string{n.Next, other}
	}
	return []string{n.Next}
}

// checkPaths refuses nodes that nobody reaches, and loops that never wait: somebody in
// one would be contacted without end within a moment.
func (s *Scenario) checkPaths(bad *problem.Invalid, ids map[string]int) {
	reached := make([]bool, len(s.Nodes))
	var visit func(i int)
	visit = func(i int) {
		if reached[i] {
			return
		}
		reached[i] = true
		for _, id := range s.Nodes[i].leads() {
			visit(ids[id])
		}
	}
	visit(ids[s.trigger().ID])
	for i, ok := range reached {
		if !ok {
			bad.Add(fmt.Sprintf("nodes[%d]", i), "is never reached from the trigger", s.Nodes[i].ID)
		}
	}
	const (
		unseen = iota
		above  // on the path from the start of the search
		closed
	)
	state := make([]int, len(s.Nodes))
	var search func(i int, path []string)
	search = func(i int, path []string) {
		if s.Nodes[i].Type == NodeWait || state[i] == closed {
			return
		}
		path = append(path, s.Nodes[i].ID)
		if state[i] == above {
			from := 0
			for path[from] != s.Nodes[i].ID {
				from++
			}
			bad.Add(fmt.Sprintf("nodes[%d]", i), "is part of a loop that never waits: "+strings.Join(path[from:], " → "), s.Nodes[i].ID)
			return
		}
		state[i] = above
		for _, id := range s.Nodes[i].leads() {
			search(ids[id], path)
		}
		state[i] = closed
	}
	for i := range s.Nodes {
		search(i, nil)
	}
}

// checkCondition checks a condition and makes one that says nothing absent.
func checkCondition(bad *problem.Invalid, field string, source *json.RawMessage) {
	c, err := condition.Parse(*source)
	bad.Nest(field, err)
	if c == nil {
		*source = nil
	}
}

func checkMinutes(bad *problem.Invalid, field string, minutes float64) {
	if !(minutes >= 0 && minutes <= maxMinutes) {
		bad.Add(field, "must be from 0 to 525600", minutes)
	}
}

func checkEvent(bad *problem.Invalid, field, name string) {
	if name == "" {
		bad.Add(field, "must be the name of an event", nil)
	}
	checkText(bad, field, name, 200)
}

func checkText(bad *problem.Invalid, field, value string, most int) {
	if len(value) > most {
		bad.Add(field, fmt.Sprintf("must be at most %d bytes long", most), len(value))
	}
	if strings.ContainsRune(value, 0) {
		bad.Add(field, "must not contain a NUL character", nil)
	}
}
