package decide

import (
	"context"
	"time"

	"quintet/decide/caps"
	"quintet/internal/problem"
)

const (
	maxCapFilters = 50
	maxCapLimit   = 1000
	maxCapHours   = 24 * 90
)

// Cap limits how often a person is contacted.
type Cap struct {
	Name     string   `json:"name,omitempty" doc:"Name shown in the console" maxLength:"200"`
	Limit    int      `json:"limit" doc:"Most contacts of a person in any window" minimum:"1" maximum:"1000"`
	Hours    float64  `json:"hours,omitempty" doc:"Length of a window that may lie anywhere; either this or calendar" maximum:"2160"`
	Calendar string   `json:"calendar,omitempty" doc:"Period by the calendar of the person's time zone instead; weeks begin on Monday" enum:"day,week,month"`
	Class    string   `json:"class,omitempty" doc:"Message class that it limits and counts; advertising unless set" enum:"advertising,service,all"`
	Channels []string `json:"channels,omitempty" doc:"Channels that it limits and counts together; all unless set" nullable:"false"`
	Tags     []string `json:"tags,omitempty" doc:"Tags of offers, one of which a contact has, that it limits and counts; all contacts unless set" nullable:"false"`
	// Arbitration has contacts that are not made yet give way to more valuable ones.
	Arbitration *Arbitration `json:"arbitration,omitempty" doc:"Has messages of campaigns and scenarios that have not gone out yet give way to more valuable contacts of the same person; without it who comes first has the place"`
}

const classAll = "all"

// ValidateCap checks and normalises a cap.
func ValidateCap(_ context.Context, _ string, c *Cap) error {
	var bad problem.Invalid
	checkText(&bad, "name", c.Name, maxName)
	if c.Limit < 1 || c.Limit > maxCapLimit {
		bad.Add("limit", "must be from 1 to 1000: to contact nobody, make the channel or the decision point inactive", c.Limit)
	}
	switch c.Calendar {
	case "":
		if !(c.Hours > 0 && c.Hours <= maxCapHours) {
			bad.Add("hours", "must be above 0 and at most 2160, or calendar must be given", nil)
		}
	case string(caps.Day), string(caps.Week), string(caps.Month):
		if c.Hours != 0 {
			bad.Add("hours", "must not be given together with calendar", nil)
		}
	default:
		bad.Add("calendar", "must be day, week or month", c.Calendar)
	}
	if c.Class == "" {
		c.Class = ClassAdvertising
	}
	if c.Class != ClassAdvertising && c.Class != ClassService && c.Class != classAll {
		bad.Add("class", "must be advertising, service or all", c.Class)
	}
	checkKeys(&bad, "channels", c.Channels, maxCapFilters)
	checkTags(&bad, "tags", c.Tags)
	c.Arbitration.validate(&bad, c.Class)
	return bad.Err()
}

func (c *Cap) rule(key string) caps.Rule {
	r := caps.Rule{Key: key, Limit: c.Limit, Channels: c.Channels, Tags: c.Tags, Rolling: time.Duration(c.Hours * float64(time.Hour)), Calendar: caps.Period(c.Calendar), Arbitrated: c.Arbitration != nil}
	if c.Class != classAll {
		r.Class = c.Class
	}
	return r
}

// checkTags checks a list of tags.
func checkTags(bad *problem.Invalid, field string, tags []string) {
	if len(tags) > maxCapFilters {
		bad.Add(field, "must have at most 50 entries", len(tags))
		return
	}
	for i, t := range tags {
		if t == "" || len(t) > maxFactor {
			bad.Add(field+"["+itoa(i)+"]", "must be 1 to 64 bytes long", problem.Clip(t))
		}
		if contains(tags[:i], t) {
			bad.Add(field+"["+itoa(i)+"]", "must be unique", t)
		}
	}
}
