package profiles

import (
	"slices"
	"testing"
	"time"

	"quintet/internal/stream"
	"quintet/profiles/segments"
)

func TestSegmentsSeeWhatConsentsComeTo(t *testing.T) {
	t.Parallel()
	b := newBed(t, stream.Options{})
	b.purposes()
	b.must("good", "POST", "/v1/identify", `{"userId":"silent"}`)
	b.must("good", "POST", "/v1/identify", `{"userId":"loud"}`)
	b.flush()
	b.must("good", "POST", "/v1/profiles/userId:loud/consents", `{"statements":[
		{"purpose":"marketing","status":"granted"},{"purpose":"*","channel":"email","status":"withdrawn"},{"purpose":"marketing","channel":"post","status":"denied"}]}`)
	see := func(user string) []segments.Consent {
		view, _ := b.service.Store().Lookup([]Identifier{{Namespace: "userId", Value: user}})
		return consentsOf(view, time.Now().UnixMilli())
	}
	for range 2 { // the second time from what was kept
		if got, want := see("silent"), []segments.Consent{
			{Purpose: "service", Status: "granted"}, {Purpose: "service", Channel: "*", Status: "granted"},
		}; !slices.Equal(got, want) {
			t.Errorf("silent: %v, want %v", got, want)
		}
	}
	got := see("loud")
	for _, want := range []segments.Consent{
		{Purpose: "marketing", Status: "granted"}, {Purpose: "marketing", Channel: "email", Status: "withdrawn"},
		{Purpose: "marketing", Channel: "*", Status: "granted"}, {Purpose: "*", Channel: "email", Status: "withdrawn"}, {Purpose: "marketing", Channel: "post", Status: "denied"},
		{Purpose: "service", Channel: "email", Status: "withdrawn"},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("loud: %v lacks %v", got, want)
		}
	}
	b.must("admin", "PUT", "/v1/purposes/service", `{"basis":"legitimate-interest","default":"denied"}`)
	if got := see("silent"); !slices.Contains(got, segments.Consent{Purpose: "service", Channel: "*", Status: "denied"}) {
		t.Errorf("after a purpose changed: %v", got)
	}
}
