package decide

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	genKey    = rapid.StringMatching(`[a-z0-9][a-z0-9_/-]{0,20}`)
	genText   = rapid.OneOf(genKey, rapid.String())
	genNumber = rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64().Filter(func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }), rapid.Just(math.Copysign(0, -1)), rapid.Just(math.SmallestNonzeroFloat64))
	genScalar = rapid.OneOf(rapid.Map(genText, func(v string) any { return v }), rapid.Map(genNumber, func(v float64) any { return v }),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }), rapid.Just[any](nil))
	genObject = rapid.MapOfN(genText, genScalar, 1, 5)
)

// drawRecord is a record in the form in which it comes back from the log: lists
// without entries are nil, objects without fields are nil.
func drawRecord(t *rapid.T, at time.Time) *Record {
	flip := func(name string) bool { return rapid.Bool().Draw(t, name) }
	number := func(name string) float64 { return genNumber.Draw(t, name) }
	r := &Record{
		DecisionID: newDecisionID(at), DecidedAt: at, Decision: genKey.Draw(t, "decision"), PointVersion: rapid.Int64Range(1, math.MaxInt64).Draw(t, "pointVersion"),
		Class: genKey.Draw(t, "class"), ProfileID: genText.Draw(t, "profile"), Group: rapid.SampledFrom([]Group{GroupTreated, GroupControl, GroupHoldout}).Draw(t, "group"),
		Eligible: flip("eligible"), Action: genText.Draw(t, "action"), Offer: genText.Draw(t, "offer"), Channel: genText.Draw(t, "channel"), Creative: genText.Draw(t, "creative"),
		SendAt: at.Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "delay")) * time.Millisecond), ContactCost: number("cost"), Propensity: number("propensity"),
		Propensities: Propensities{What: number("what"), Where: number("where"), When: number("when"), How: number("how")},
		Policy:       genKey.Draw(t, "policy"), ModelVersion: rapid.Int64Range(0, math.MaxInt64).Draw(t, "model"), Draw: number("draw"),
		Fallback: flip("fallback"), FallbackReason: genText.Draw(t, "reason"), Source: genText.Draw(t, "source"),
	}
	if flip("reasons") {
		r.Reasons = rapid.SliceOfN(genText, 1, 3).Draw(t, "reasonList")
	}
	if flip("items") {
		r.Items = rapid.SliceOfN(genText, 1, 3).Draw(t, "itemList")
	}
	for range rapid.IntRange(0, 4).Draw(t, "candidates") {
		r.Candidates, r.Probabilities = append(r.Candidates, genText.Draw(t, "candidate")), append(r.Probabilities, number("probability"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "removed") {
		r.Removed = append(r.Removed, Removal{Action: genText.Draw(t, "removedAction"), Rule: genKey.Draw(t, "rule")})
	}
	for range rapid.IntRange(0, 4).Draw(t, "features") {
		r.FeatureIndex, r.FeatureValue = append(r.FeatureIndex, rapid.Uint32().Draw(t, "index")), append(r.FeatureValue, number("value"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "experiments") {
		r.Experiments = append(r.Experiments, Enrolment{Key: genKey.Draw(t, "key"), Variant: genKey.Draw(t, "variant"), Version: rapid.Int64Range(0, math.MaxInt64).Draw(t, "version"),
			How: rapid.SampledFrom([]string{"", "forced", howKeep, "sticky"}).Draw(t, "how"), Unit: rapid.OneOf(rapid.Just(""), genText).Draw(t, "unit")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "excluded") {
		r.Excluded = append(r.Excluded, Exclusion{Key: genKey.Draw(t, "excludedKey"), Version: rapid.Int64Range(0, math.MaxInt64).Draw(t, "excludedVersion"),
			Reason: genKey.Draw(t, "exclusion"), Unit: rapid.OneOf(rapid.Just(""), genText).Draw(t, "excludedUnit")})
	}
	if flip("staged") {
		r.Tags = rapid.SliceOfN(genKey, 1, 3).Draw(t, "tags")
		if flip("charged") {
			for range r.Candidates {
				r.Charges = append(r.Charges, rapid.SampledFrom([]float64{0, .25, .25, 3}).Draw(t, "charge"))
			}
		}
		if flip("valued") {
			for range r.Candidates {
				r.Values = append(r.Values, rapid.SampledFrom([]float64{0, .5, .5, -2}).Draw(t, "value"))
			}
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "slots") {
			r.Slots, r.SlotProbabilities = append(r.Slots, at.Add(time.Duration(i)*time.Hour)), append(r.SlotProbabilities, number("slot"))
		}
	}
	if flip("context") {
		r.Context = genObject.Draw(t, "contextObject")
	}
	if flip("traits") {
		r.Traits = genObject.Draw(t, "traitObject")
	}
	if flip("audience") {
		r.Audience = genObject.Draw(t, "audienceObject")
	}
	return r
}

func TestRecordsComeBackFromTheStream(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")).UTC()
		want := drawRecord(t, at)
		if rapid.Bool().Draw(t, "unsent") {
			want.SendAt = time.Time{}
		}
		data, err := encodeRecord(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRecord(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if math.Signbit(got.Draw) != math.Signbit(want.Draw) {
			t.Error("the sign of a zero is lost")
		}
		// No part of a record is a record.
		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		if _, err := decodeRecord(data[:cut]); !errors.Is(err, errDamaged) {
			t.Errorf("%d of %d bytes: error %v", cut, len(data), err)
		}
		if _, err := decodeRecord(append(data, 0)); !errors.Is(err, errDamaged) {
			t.Errorf("a byte too many: error %v", err)
		}
	})
}

// versionThree is a record as version 3 of its form had it: made by the program of
// that time.
const versionThree = "031a30314b53505857364b5641414141414141414141414141414141f6a1a484ce67046865726f060b6164766572746973696e67027031" +
	"0774726561746564010004612f6f6e0161000000f6a1a484ce670000000000000000000000000000e03f0000000000000000000000000000000000000000" +
	"00000000000000000000000007756e69666f726d00000000000000d03f0304612f6f6e0302666600016203000000000000e03f000000000000d03f000000" +
	"000000d03f010163017200000211756e6976657273616c2d686f6c646f757407747265617465640205747269616c01620e0000036b65790a7b22686f7572" +
	"223a397d0f7b22706c616e223a2266726565227d"

// A stream may hold records of earlier versions of the program.
func TestEarlierRecordsAreRead(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1780000000123).UTC()
	want := &Record{DecisionID: "01KSPXW6KVAAAAAAAAAAAAAAAA", DecidedAt: at, Decision: "hero", PointVersion: 3, Class: "advertising", ProfileID: "p1",
		Group: GroupTreated, Eligible: true, Action: "a/on", Offer: "a", SendAt: at, Propensity: .5, Policy: "uniform", Draw: .25,
		Candidates: []string{"a/on", "a/off", "b"}, Probabilities: []float64{.5, .25, .25}, Removed: []Removal{{"c", "r"}},
		Experiments: []Enrolment{{Key: "universal-holdout", Variant: "treated", Version: 1}, {Key: "trial", Variant: "b", Version: 7}},
		Source:      "key", Context: map[string]any{"hour": 9.0}, Traits: map[string]any{"plan": "free"}}
	three, err := hex.DecodeString(versionThree)
	if err != nil {
		t.Fatal(err)
	}
	// Version 2 had its candidates in full.
	two := bytes.Replace(three, []byte("\x03\x04a/on\x03\x02ff\x00\x01b"), []byte("\x03\x04a/on\x05a/off\x01b"), 1)
	two[0] = plainVersion
	four, err := encodeRecord(want)
	if err != nil {
		t.Fatal(err)
	}
	for version, data := range map[int][]byte{2: two, 3: three, 4: four} {
		if got, err := decodeRecord(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %d: got %+v, %v\nwant %+v", version, got, err, want)
		}
		if _, err := decodeRecord(data[:len(data)-1]); !errors.Is(err, errDamaged) {
			t.Errorf("version %d without its last byte: %v", version, err)
		}
	}
}

// A short record must not ask for memory without end.
func TestShortenedCandidatesAreBounded(t *testing.T) {
	t.Parallel()
	w := recordWriter{}
	w.length(1000)
	w.text(strings.Repeat("x", 100_000))
	for range 999 {
		w.length(100_000)
		w.text("")
	}
	d := recordReader{text: string(w.b)}
	if got := d.texts(true); !d.bad || got.n != 0 {
		t.Fatalf("%d strings were read", got.n)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{recordVersion})
	data, err := encodeRecord(&Record{DecisionID: "01", Candidates: []string{"a/on", "a/off"}, Probabilities: []float64{.5, .5}, Context: map[string]any{"a": 1.0},
		FeatureIndex: []uint32{1}, FeatureValue: []float64{1}, Experiments: []Enrolment{{Key: "k", Variant: "v", Version: 1}}, Removed: []Removal{{"a", "r"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := decodeRecord(data)
		if err != nil {
			if !errors.Is(err, errDamaged) {
				t.Errorf("error %v is not about damage", err)
			}
			return
		}
		if !rec.parallel() {
			t.Fatal("lists that belong together differ in length")
		}
		explain(rec) // must not fail, whatever is in it
		again, err := encodeRecord(rec)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := decodeRecord(again)
		if err != nil {
			t.Fatal(err)
		}
		// As text, because a NaN is not equal to itself.
		if want, err := encodeRecord(back); err != nil || string(want) != string(again) {
			t.Errorf("changes on the way through (%v)", err)
		}
	})
}

func TestForeignContextIsDamage(t *testing.T) {
	t.Parallel()
	w := recordWriter{}
	rec := &Record{DecisionID: "x"}
	data, err := encodeRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	// The record ends in two empty objects: "\x02{}\x02{}".
	w.b = append(w.b, data[:len(data)-6]...)
	w.text("[1]")
	w.text("{}")
	if _, err := decodeRecord(w.b); !errors.Is(err, errDamaged) {
		t.Errorf("error %v", err)
	}
}
