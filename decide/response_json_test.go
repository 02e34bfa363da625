package decide

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawResponse(t *rapid.T) *Response {
	text := rapid.OneOf(rapid.StringMatching(`[a-z0-9-]{0,12}`), rapid.String())
	number := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64())
	at := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")).UTC()
	r := &Response{
		DecisionID: text.Draw(t, "id"), Decision: text.Draw(t, "decision"),
		Who: Who{ProfileID: text.Draw(t, "profile"), Eligible: rapid.Bool().Draw(t, "eligible"), Group: GroupTreated,
			Reasons: rapid.SliceOfN(text, 0, 3).Draw(t, "reasons")},
		Propensity:   number.Draw(t, "propensity"),
		Propensities: Propensities{What: number.Draw(t, "what"), Where: number.Draw(t, "where"), When: 1, How: number.Draw(t, "how")},
		Policy:       PolicyRef{Key: text.Draw(t, "key"), Version: rapid.Int64().Draw(t, "version"), Type: PolicyBandit, Model: rapid.Int64Range(0, 3).Draw(t, "model")},
		Fallback:     rapid.Bool().Draw(t, "fallback"), Reason: text.Draw(t, "reason"), ExpiresAt: at,
	}
	if rapid.Bool().Draw(t, "full") {
		r.What = &What{Offer: text.Draw(t, "offer"), Items: []Item{}}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			r.What.Items = append(r.What.Items, Item{ID: text.Draw(t, "item"), Score: number.Draw(t, "score"), Reason: text.Draw(t, "why")})
		}
		r.Where, r.When = &Where{Channel: text.Draw(t, "channel")}, &When{SendAt: at}
		r.How = &How{Creative: text.Draw(t, "creative"), Tone: text.Draw(t, "tone"), Imagery: text.Draw(t, "imagery")}
		r.Experiments = []Enrolment{{Key: text.Draw(t, "trial"), Variant: text.Draw(t, "variant"), Version: rapid.Int64Range(0, 9).Draw(t, "trialVersion")}}
	}
	return r
}

func TestResponseJSONIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawResponse(t)
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.appendJSON(nil); string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestObjectJSONIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.Map(rapid.String(), func(v string) any { return v }), rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }), rapid.Just[any](nil), rapid.Just[any]([]any{"a", 1.0}), rapid.Just[any](map[string]any{"b": 2.0}),
	)
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOfN(rapid.String(), value, 0, 20).Draw(t, "object")
		want, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(m) == 0 {
			want = []byte("{}")
		}
		if got, err := appendObject(nil, m); err != nil || string(got) != string(want) {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	})
}
