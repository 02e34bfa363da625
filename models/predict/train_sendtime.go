package predict

import (
	"context"
	"fmt"
	"slices"
	"time"

	"quintet/internal/learners"
	"quintet/models/sendtime"
)

func unixMilli(v float64) time.Time { return time.UnixMilli(int64(v)).UTC() }

// messages reads what was sent to whom and whether it was answered within a day. What
// was answered within three seconds, or is marked so, was answered by a machine. They
// are in the order of time, of all people of the share.
func (s *Service) messages(ctx context.Context, spec *Spec, from, until time.Time, of share) (out []sendtime.Message, machine int, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	key := "multiIf(JSONExtractString(e.properties, 'messageId') != '', JSONExtractString(e.properties, 'messageId'), e.decision_id != '', e.decision_id, JSONExtractString(e.properties, 'campaign'))"
	events := func(names []string) string {
		channel := ""
		if spec.Channel != "" {
			channel = " AND JSONExtractString(e.properties, 'channel') = " + literal(spec.Channel)
		}
		return fmt.Sprintf("FROM events AS e FINAL LEFT JOIN %s AS m ON e.profile_id = m.profile_id WHERE e.type = 'track' AND e.event IN (%s) AND e.timestamp >= %s AND e.timestamp < %s AND %s%s", people, list(names), moment(from), moment(until.Add(sendtime.Day)), of.narrow(person), channel)
	}
	sql := fmt.Sprintf(`SELECT s.person_id, s.t, s.zone, s.chance, minIf(a.t, a.t >= s.t AND a.t < s.t + 86400000 AND NOT a.machine AND a.t - s.t >= 3000) AS answered, countIf(a.t >= s.t AND (a.machine OR a.t - s.t < 3000)) AS machines
FROM (SELECT %[1]s AS person_id, %[2]s AS k, toUnixTimestamp64Milli(e.timestamp) AS t, if(JSONExtractString(e.properties, 'timezone') != '', JSONExtractString(e.properties, 'timezone'), JSONExtractString(e.context, 'timezone')) AS zone,
    e.numbers['slotPropensity'] AS chance, e.message_id AS id %[3]s) AS s
LEFT JOIN (SELECT %[1]s AS person_id, %[2]s AS k, toUnixTimestamp64Milli(e.timestamp) AS t, JSONExtractBool(e.properties, 'machineOpen') AS machine %[4]s) AS a ON s.person_id = a.person_id AND s.k = a.k
WHERE s.t < %[5]d GROUP BY s.person_id, s.id, s.t, s.zone, s.chance%[6]s`, person, key, events(spec.Sent), events(spec.Answered), until.UnixMilli(), of.limit("s.person_id", 2*spec.MaxRows))
	rows, err := s.clickhouse.Read.Query(bounded(ctx), sql)
	if err != nil {
		return nil, 0, fmt.Errorf("selecting messages: %w", err)
	}
	defer rows.Close()
	zones := map[string]*time.Location{}
	for rows.Next() {
		var m sendtime.Message
		var at, answered int64
		var zone string
		var machines uint64
		if err := rows.Scan(&m.Person, &at, &zone, &m.Propensity, &answered, &machines); err != nil {
			return nil, 0, fmt.Errorf("reading messages: %w", err)
		}
		location := zones[zone]
		if location == nil {
			var err error
			if location, err = time.LoadLocation(zone); err != nil || zone == "Local" {
				location = time.UTC // a zone that is not known
			}
			if len(zones) < 2000 {
				zones[zone] = location
			}
		}
		m.At, m.Answered = time.UnixMilli(at).UTC(), answered > 0
		m.Slot = sendtime.SlotOf(m.At, location)
		if machines > 0 {
			machine++
		}
		out = append(out, m)
	}
	slices.SortStableFunc(out, func(a, b sendtime.Message) int { return a.At.Compare(b.At) })
	return out, machine, rows.Err()
}

// sentSince is from when on messages count.
func (s *Spec) sentSince(now time.Time) time.Time { return now.AddDate(0, 0, -max(s.ActiveDays, 90)) }

func (s *Service) trainSendTime(ctx context.Context, spec *Spec, v *Version, j *Job) error {
	now := s.now().UTC()
	v.AsOf, v.From, v.To = now.Add(-sendtime.Day), spec.sentSince(now), now.Add(-sendtime.Day)
	messages, machine, err := s.messages(ctx, spec, v.From, v.To, share{})
	if err != nil {
		return err
	}
	s.stage(j, "fitting", .4)
	cut := len(messages) * 3 / 4
	past, err := sendtime.Fit(ctx, messages[:cut])
	if err != nil {
		return err
	}
	metrics := &SendTimeMetrics{Machine: machine, Candidates: past.HeldOut}
	v.Metrics.SendTime, v.Rows = metrics, int64(len(messages))
	hours := make([]float64, 24)
	fixed := 0
	for slot, p := range past.Global {
		hours[slot%24] += p
	}
	for h, p := range hours {
		if p > hours[fixed] {
			fixed = h
		}
	}
	s.stage(j, "comparing with now and a fixed hour", .7)
	// What was allowed is taken to be the day of sending: its propensities are of its hours.
	allowed := func(m *sendtime.Message) []int {
		day := make([]int, 24)
		for h := range day {
			day[h] = m.Slot/24*24 + h
		}
		return day
	}
	later := messages[cut:]
	comparison, err := sendtime.Evaluate(past, sendtime.Histories(messages[:cut]), later, allowed, fixed, sendtime.Setting{})
	v.Metrics.Sane = true
	if err == nil {
		metrics.OffPolicy = &comparison
		v.Metrics.Sane = comparison.Gain[0] > 0 && comparison.GainNow[1] > 0
		v.Verdict = fmt.Sprintf("answers %.4f by the model, %.4f at a fixed hour, %.4f now; the gain over a fixed hour is %.4f to %.4f", comparison.Model.Rate, comparison.Fixed.Rate, comparison.Now.Rate, comparison.Gain[1], comparison.Gain[2])
	} else {
		v.Verdict = "no message has a logged propensity, so that the effect is not known"
	}
	m, err := sendtime.Fit(ctx, messages)
	if err != nil {
		return err
	}
	metrics.Chosen, metrics.Rates, metrics.Answers, metrics.People = m.Kind, m.Global, m.Answers, m.People
	v.Learner = m.Kind
	v.artefact, err = learners.Seal(m)
	return err
}

// scoreSendTimes gives everybody who got messages the hour of the day at which they
// answer best, with the rate there and that of any hour.
func (s *Service) scoreSendTimes(ctx context.Context, spec *Spec, c *scorer, of share) ([]string, []map[string]any, error) {
	now := s.now().UTC()
	messages, _, err := s.messages(ctx, spec, spec.sentSince(now), now.Add(-sendtime.Day), of)
	if err != nil {
		return nil, nil, err
	}
	var who []string
	var attributes []map[string]any
	for id, h := range sendtime.Histories(messages) {
		rates, weights := c.sendtime.Rates(h)
		var hours, known [24]float64
		best, mean := 0, 0.0
		for slot, p := range rates {
			hours[slot%24] += p / 7
			known[slot%24] += weights[slot] / 7
			mean += p / sendtime.Slots
		}
		for hour, p := range hours {
			if p > hours[best] {
				best = hour
			}
		}
		who = append(who, id)
		attributes = append(attributes, map[string]any{
			spec.Attribute: float64(best), spec.Attribute + "Shape": shapeOf(&hours), spec.Attribute + "Rate": digits(hours[best]), spec.Attribute + "AnyHour": digits(mean), spec.Attribute + "Messages": digits(known[best]),
		})
	}
	return who, attributes, nil
}
