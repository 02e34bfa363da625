package experience

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"quintet/internal/problem"
)

// Settings name the events of surveys and say what counts.
type Settings struct {
	Surveys       []string `json:"surveys,omitempty" maxItems:"20" doc:"Events that answer a survey; Survey Answered unless given"`
	KindProperty  string   `json:"kindProperty,omitempty" maxLength:"256" doc:"Property that is nps, csat or ces; kind unless given"`
	ScoreProperty string   `json:"scoreProperty,omitempty" maxLength:"256" doc:"Numeric property with the answer; score unless given"`
	ScaleProperty string   `json:"scaleProperty,omitempty" maxLength:"256" doc:"Numeric property with the best possible answer; scale unless given. Where an event has none it is 10 for nps, 5 for csat and 7 for ces"`
	SatisfiedAt   float64  `json:"satisfiedAt,omitempty" doc:"CSAT: share of the scale from which on an answer is satisfied; 0.8 unless given (4 of 5, 8 of 10)"`
	ActiveDays    int      `json:"activeDays,omitempty" doc:"Churn, gained and lost: a customer is active for so many days after an order; 90 unless given"`
}

func (s *Settings) normalise() {
	if len(s.Surveys) == 0 {
		s.Surveys = []string{"Survey Answered"}
	}
	for name, preset := range map[*string]string{&s.KindProperty: "kind", &s.ScoreProperty: "score", &s.ScaleProperty: "scale"} {
		if *name == "" {
			*name = preset
		}
	}
	if s.SatisfiedAt == 0 {
		s.SatisfiedAt = 0.8
	}
	if s.ActiveDays == 0 {
		s.ActiveDays = 90
	}
}

func (s *Settings) validate() problem.Invalid {
	var bad problem.Invalid
	if len(s.Surveys) > 20 {
		bad.Add("surveys", "must be at most 20", len(s.Surveys))
	}
	for i, name := range s.Surveys {
		checkName(&bad, fmt.Sprintf("surveys[%d]", i), name)
	}
	checkName(&bad, "kindProperty", s.KindProperty)
	checkName(&bad, "scoreProperty", s.ScoreProperty)
	checkName(&bad, "scaleProperty", s.ScaleProperty)
	if !(s.SatisfiedAt > 0 && s.SatisfiedAt <= 1) {
		bad.Add("satisfiedAt", "must be above 0 and at most 1", fmt.Sprint(s.SatisfiedAt))
	}
	if s.ActiveDays < 1 || s.ActiveDays > 3660 {
		bad.Add("activeDays", "must be 1 to 3660", s.ActiveDays)
	}
	return bad
}

func checkSettings(_ context.Context, _ string, s *Settings) error {
	s.normalise()
	return s.validate().Err()
}

func checkName(bad *problem.Invalid, field, name string) {
	if n := utf8.RuneCountInString(name); n < 1 || n > 256 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		bad.Add(field, "must be UTF-8 text of 1 to 256 characters", n)
	}
}
