package decide

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quintet/internal/problem"
	"quintet/models"
	"quintet/models/bandits"
)

// wantFields checks that err names exactly these fields.
func wantFields(t *testing.T, err error, want ...string) {
	t.Helper()
	var bad problem.Invalid
	if err != nil && !errors.As(err, &bad) {
		t.Fatalf("error %v is not about fields", err)
	}
	var got []string
	for _, f := range bad {
		got = append(got, f.Field)
		if f.Rule == "" {
			t.Errorf("%s: no rule", f.Field)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("bad fields %v, want %v", got, want)
	}
}

func many(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

func TestValidatePoint(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxName+1)
	for _, tt := range []struct {
		name   string
		change func(*DecisionPoint)
		want   []string
	}{
		{"good", func(*DecisionPoint) {}, nil},
		{"long name", func(p *DecisionPoint) { p.Name = long }, []string{"name"}},
		{"NUL in the name", func(p *DecisionPoint) { p.Name = "a\x00" }, []string{"name"}},
		{"class", func(p *DecisionPoint) { p.Class = "spam" }, []string{"class"}},
		{"offer key", func(p *DecisionPoint) { p.Offers = []string{"spring", "A/B", "-x", ""} }, []string{"offers[1]", "offers[2]", "offers[3]"}},
		{"offer none", func(p *DecisionPoint) { p.Offers = []string{"none"} }, []string{"offers[0]"}},
		{"offer twice", func(p *DecisionPoint) { p.Offers = []string{"a", "b", "a"} }, []string{"offers[2]"}},
		{"too many offers", func(p *DecisionPoint) { p.Offers, p.Creatives = many(maxOffers+1, "o%d"), p.Creatives[:1] }, []string{"offers"}},
		{"channel twice", func(p *DecisionPoint) { p.Channels = []string{"a", "a"} }, []string{"channels[1]"}},
		{"too many channels", func(p *DecisionPoint) { p.Channels = many(maxChannels+1, "c%d") }, []string{"channels"}},
		{"creative twice", func(p *DecisionPoint) { p.Creatives = []Creative{{Key: "a"}, {Key: "a"}} }, []string{"creatives[1]"}},
		{"creative without key", func(p *DecisionPoint) { p.Creatives = []Creative{{Tone: "formal"}} }, []string{"creatives[0]"}},
		{"long factors", func(p *DecisionPoint) {
			p.Creatives[1] = Creative{Key: "b", Tone: long, Emphasis: long, Background: long, Imagery: long}
		}, []string{"creatives[1].tone", "creatives[1].emphasis", "creatives[1].background", "creatives[1].imagery"}},
		{"too many actions", func(p *DecisionPoint) { p.Offers, p.Channels = many(101, "o%d"), many(5, "c%d") }, []string{"offers"}},
		{"default action", func(p *DecisionPoint) { p.DefaultAction = "spring/onsite/c" }, []string{"defaultAction"}},
		{"default action of two parts", func(p *DecisionPoint) { p.DefaultAction = "spring/onsite" }, []string{"defaultAction"}},
		{"expires in the past", func(p *DecisionPoint) { p.ExpiresAfterMinutes = -1 }, []string{"expiresAfterMinutes"}},
		{"expires too late", func(p *DecisionPoint) { p.ExpiresAfterMinutes = 129601 }, []string{"expiresAfterMinutes"}},
		{"expires NaN", func(p *DecisionPoint) { p.ExpiresAfterMinutes = math.NaN() }, []string{"expiresAfterMinutes"}},
		{"no policy", func(p *DecisionPoint) { p.Policy.Type = "" }, []string{"policy.type"}},
		{"unknown policy", func(p *DecisionPoint) { p.Policy.Type = "greedy" }, []string{"policy.type"}},
		{"fixed on nothing", func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyFixed, Action: "x/y/z"} }, []string{"policy.action"}},
		{"exploration too small", func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, Exploration: new(0.0)} }, []string{"policy.exploration"}},
		{"exploration too large", func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, Exploration: new(1.01)} }, []string{"policy.exploration"}},
		{"exploration NaN", func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, Exploration: new(math.NaN())} }, []string{"policy.exploration"}},
		{"alpha and half-life", func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, Alpha: -1, HalfLifeDays: 4000} }, []string{"policy.alpha", "policy.halfLifeDays"}},
		{"objective", func(p *DecisionPoint) { p.Objective.Terms = []models.Term{{}} }, []string{"objective.terms[0].event"}},
		{"feature of the action", func(p *DecisionPoint) { p.Features[1].Source = bandits.SourceAction }, []string{"features[1].source"}},
		{"feature kind", func(p *DecisionPoint) { p.Features[1].Kind = "wavy" }, []string{"features[1].kind"}},
		{"cross of nothing", func(p *DecisionPoint) { p.Crosses = [][]string{{"plan", "moon"}} }, []string{"crosses[0][1]"}},
		{"too many features", func(p *DecisionPoint) {
			p.Features = []bandits.Field{{Name: "x", Source: bandits.SourceContext, Kind: bandits.KindCategorical, Hash: 1023},
				{Name: "y", Source: bandits.SourceContext, Kind: bandits.KindCategorical, Hash: 1023}}
		}, []string{"features"}},
		{"nothing to choose", func(p *DecisionPoint) { p.Offers, p.NoneAction = nil, new(false) }, []string{"offers"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := hero(tt.change)
			wantFields(t, ValidatePoint(t.Context(), "hero", &p), tt.want...)
		})
	}
}

func TestValidatePointFillsIn(t *testing.T) {
	t.Parallel()
	p := DecisionPoint{Offers: []string{"a"}, Channels: []string{"b"}, Policy: Policy{Type: PolicyBandit}}
	if err := ValidatePoint(t.Context(), "x", &p); err != nil {
		t.Fatal(err)
	}
	if p.Class != ClassAdvertising || len(p.Creatives) != 1 || p.Creatives[0].Key != "default" || !*p.NoneAction || p.DefaultAction != NoneAction ||
		p.ExpiresAfterMinutes != 60 || *p.Policy.Exploration != 0.05 || p.Policy.Alpha != 0.5 || p.Policy.HalfLifeDays != 30 {
		t.Errorf("normalised to %+v", p)
	}
	fixed := DecisionPoint{Offers: []string{"a"}, Channels: []string{"b"}, DefaultAction: "a/b/default", Policy: Policy{Type: PolicyFixed}}
	if err := ValidatePoint(t.Context(), "x", &fixed); err != nil || fixed.Policy.Action != "a/b/default" {
		t.Errorf("a fixed policy without action has %q (%v), want the default action", fixed.Policy.Action, err)
	}
}

func TestValidateOfferAndChannel(t *testing.T) {
	t.Parallel()
	now := time.Now()
	attributes := map[string]any{}
	for i := range maxAttributes + 1 {
		attributes[fmt.Sprint(i)] = i
	}
	for _, tt := range []struct {
		name  string
		offer Offer
		want  []string
	}{
		{"good", Offer{Kind: "discount", Cost: 1, StartsAt: &now}, nil},
		{"empty", Offer{}, nil},
		{"long texts", Offer{Name: strings.Repeat("x", maxName+1), Description: strings.Repeat("x", maxText+1)}, []string{"name", "description"}},
		{"kind", Offer{Kind: "bribe"}, []string{"kind"}},
		{"negative cost", Offer{Cost: -1}, []string{"cost"}},
		{"cost NaN", Offer{Cost: math.NaN()}, []string{"cost"}},
		{"infinite cost", Offer{Cost: math.Inf(1)}, []string{"cost"}},
		{"attributes", Offer{Attributes: attributes}, []string{"attributes"}},
		{"items", Offer{Items: many(maxOfferItems+1, "sku-%d")}, []string{"items"}},
		{"empty item", Offer{Items: []string{"a", ""}}, []string{"items[1]"}},
		{"item twice", Offer{Items: []string{"a", "b", "a"}}, []string{"items[2]"}},
		{"long item", Offer{Items: []string{strings.Repeat("x", 129)}}, []string{"items[0]"}},
		{"ends before it starts", Offer{StartsAt: &now, EndsAt: &now}, []string{"endsAt"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantFields(t, ValidateOffer(t.Context(), "x", &tt.offer), tt.want...)
			if len(tt.want) == 0 && tt.offer.Kind == "" {
				t.Error("the kind is not filled in")
			}
		})
	}
	for _, tt := range []struct {
		name    string
		channel Channel
		want    []string
	}{
		{"good", Channel{Kind: "email", ContactCost: 0.1, Requires: "email"}, nil},
		{"texts", Channel{Name: strings.Repeat("x", maxName+1), Kind: strings.Repeat("x", 65), Requires: strings.Repeat("x", 129)}, []string{"name", "kind", "requires"}},
		{"cost", Channel{ContactCost: math.Inf(1)}, []string{"contactCost"}},
	} {
		t.Run("channel "+tt.name, func(t *testing.T) {
			t.Parallel()
			wantFields(t, ValidateChannel(t.Context(), "x", &tt.channel), tt.want...)
		})
	}
	c := Channel{}
	if err := ValidateChannel(t.Context(), "push", &c); err != nil || c.Kind != "push" {
		t.Errorf("kind %q (%v), want the key", c.Kind, err)
	}
}

func TestVariantPolicy(t *testing.T) {
	t.Parallel()
	base := hero(func(p *DecisionPoint) { p.Policy = Policy{Type: PolicyBandit, Exploration: new(0.2), Alpha: 2} })
	if err := ValidatePoint(t.Context(), "hero", &base); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, variant string
		want          []string
		check         func(Policy) bool
	}{
		{"nothing", ``, nil, func(p Policy) bool { return p.Type == PolicyBandit && *p.Exploration == 0.2 && p.Alpha == 2 }},
		{"empty", `{}`, nil, func(p Policy) bool { return p.Type == PolicyBandit && *p.Exploration == 0.2 }},
		{"one field", `{"exploration":0.5}`, nil, func(p Policy) bool { return *p.Exploration == 0.5 && p.Alpha == 2 }},
		{"type", `{"type":"uniform"}`, nil, func(p Policy) bool { return p.Type == PolicyUniform }},
		{"fixed on the default", `{"type":"fixed"}`, nil, func(p Policy) bool { return p.Action == NoneAction }},
		{"fixed", `{"type":"fixed","action":"spring/email/b"}`, nil, func(p Policy) bool { return p.Action == "spring/email/b" }},
		{"default again", `{"alpha":0,"exploration":null}`, nil, func(p Policy) bool { return p.Alpha == 0.5 && *p.Exploration == 0.05 }},
		{"fixed on nothing", `{"type":"fixed","action":"winter/email/b"}`, []string{"policy.action"}, nil},
		{"out of range", `{"exploration":2,"alpha":-1}`, []string{"policy.exploration", "policy.alpha"}, nil},
		{"misspelt", `{"explorration":0.5}`, []string{"policy"}, nil},
		{"wrong type", `{"alpha":"2"}`, []string{"policy"}, nil},
		{"no object", `[1]`, []string{"policy"}, nil},
		{"broken", `{`, []string{"policy"}, nil},
		{"two values", `{"type":"uniform"} {}`, []string{"policy"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := base.Policy.override(json.RawMessage(tt.variant), &base)
			wantFields(t, err, tt.want...)
			wantFields(t, ValidateVariantPolicy(base, json.RawMessage(tt.variant)), tt.want...)
			if tt.check != nil && !tt.check(got) {
				t.Errorf("policy %+v", got)
			}
			if *base.Policy.Exploration != 0.2 || base.Policy.Alpha != 2 {
				t.Error("the base policy was changed")
			}
		})
	}
}

func FuzzVariantPolicy(f *testing.F) {
	for _, s := range []string{`{}`, `{"type":"fixed","action":"spring/email/a"}`, `{"exploration":1e999}`, `null`, `{"type":"bandit","halfLifeDays":1}`, `{"alpha":-0}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, variant []byte) {
		base := hero()
		if err := ValidatePoint(t.Context(), "hero", &base); err != nil {
			t.Fatal(err)
		}
		got, err := base.Policy.override(variant, &base)
		if err != nil {
			return
		}
		// What is accepted can be used, and stays what it is.
		var bad problem.Invalid
		again := got
		again.validate(&bad, "policy", &base)
		if bad.Err() != nil || again.Type != got.Type || again.Action != got.Action || again.Alpha != got.Alpha || again.HalfLifeDays != got.HalfLifeDays {
			t.Errorf("%s is accepted as %+v, which is %+v with %v", variant, got, again, bad)
		}
		if got.Type == PolicyBandit && got.Exploration == nil {
			t.Errorf("%s is accepted as a bandit without exploration", variant)
		}
	})
}
