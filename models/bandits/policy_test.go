package bandits

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestUniformIsHMAC(t *testing.T) {
	t.Parallel()
	for _, salt := range []string{"", "salt", strings.Repeat("s", 64), strings.Repeat("long", 40), strings.Repeat("longer", 100)} {
		for _, id := range []string{"", "01JABC", strings.Repeat("x", 500)} {
			for _, domain := range []string{"", "action", "when"} {
				mac := hmac.New(sha256.New, []byte(salt))
				mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(domain))))
				mac.Write([]byte(domain + id))
				want := float64(binary.BigEndian.Uint64(mac.Sum(nil))>>11) / (1 << 53)
				if got := Uniform(id, salt, domain); got != want {
					t.Errorf("Uniform(%q, %q, %q) = %v, want %v", id, salt, domain, got, want)
				}
			}
		}
	}
	if Uniform("bc", "s", "a") == Uniform("c", "s", "ab") {
		t.Error("domain and id run into each other")
	}
}

// The numbers of successive decisions are uniform: Kolmogorov-Smirnov at the
// .001 level, on fixed ids.
func TestUniformIsUniform(t *testing.T) {
	t.Parallel()
	const n = 20000
	u := make([]float64, n)
	for i := range u {
		u[i] = Uniform(string(binary.BigEndian.AppendUint32(nil, uint32(i))), "salt", "action")
	}
	slices.Sort(u)
	var d float64
	for i, x := range u {
		d = max(d, math.Abs(x-float64(i)/n), math.Abs(x-float64(i+1)/n))
	}
	if d > 1.95/math.Sqrt(n) {
		t.Errorf("Kolmogorov-Smirnov distance %g", d)
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	almost := math.Nextafter(1, 0)
	tenths := []float64{.1, .1, .1, .1, .1, .1, .1, .1, .1, .1} // sum to less than 1
	for _, c := range []struct {
		q    []float64
		u    float64
		want int
	}{
		{[]float64{1}, 0, 0}, {[]float64{1}, almost, 0},
		{[]float64{0, 1, 0}, 0, 1}, {[]float64{0, 1, 0}, almost, 1},
		{[]float64{.25, .25, .5}, .25, 1}, {[]float64{.25, .25, .5}, math.Nextafter(.25, 0), 0},
		{[]float64{.5, .5, 0}, almost, 1},
		{tenths, almost, 9},
		{append(slices.Clone(tenths), 0), almost, 9},
		{[]float64{0, 0}, .5, -1}, {nil, .5, -1}, {[]float64{math.NaN()}, .5, -1},
	} {
		if got := Draw(c.q, c.u); got != c.want {
			t.Errorf("Draw(%v, %v) = %d, want %d", c.q, c.u, got, c.want)
		}
	}
}

func TestFloorErrors(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, c := range []struct {
		p []float64
		f float64
	}{
		{[]float64{.5, .5}, -.1}, {[]float64{.5, .5}, 1.1}, {[]float64{.5, .5}, nan},
		{[]float64{.5, .6}, .1}, {[]float64{1.5, -.5}, .1}, {[]float64{nan, 1}, .1}, {nil, .1},
	} {
		if err := Floor(c.p, c.f, make([]float64, len(c.p))); err == nil {
			t.Errorf("Floor(%v, %g): accepted", c.p, c.f)
		}
	}
	if err := Floor([]float64{1}, .1, nil); err == nil {
		t.Error("Floor without room: accepted")
	}
}

func TestPolicyProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mean, sd := scores(t)
		f := rapid.Float64Range(0, 1).Draw(t, "floor")
		k := len(mean)
		arms := map[string]*Arm{}
		candidates := Candidates{Features: Vector{Indices: []uint32{0}, Values: []float64{1}}}
		for i := range mean {
			name := string(rune('a' + i))
			arms[name] = &Arm{Mean: []float64{mean[i]}, Covariance: []float64{1}, Noise: sd[i] * sd[i]}
			candidates.Actions = append(candidates.Actions, name)
		}
		m, err := newModel("", 1, 0, Arm{Mean: []float64{0}, Covariance: []float64{1}, Noise: 1}, arms)
		if err != nil {
			t.Fatal(err)
		}
		for _, policy := range []Policy{
			Thompson{Model: m, Alpha: .5, Floor: f}, Uniformly{}, Fixed{Action: candidates.Actions[k-1], Floor: f},
		} {
			var w Workspace
			d, err := policy.Distribution(candidates, &w)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckDistribution(d.Q, f/float64(k)); err != nil {
				t.Fatalf("%T: %v", policy, err)
			}
			i, propensity := d.Draw(rapid.Float64Range(0, math.Nextafter(1, 0)).Draw(t, "u"))
			if i < 0 || propensity != d.Q[i] || propensity <= 0 {
				t.Fatalf("%T: drew %d with propensity %g from %v", policy, i, propensity, d.Q)
			}
			// The same again, in a workspace used before, gives the same bits.
			before := slices.Clone(d.Q)
			again, err := policy.Distribution(candidates, &w)
			if err != nil || !slices.Equal(before, again.Q) {
				t.Fatalf("%T: %v then %v (%v)", policy, before, again.Q, err)
			}
		}
	})
}

func TestPolicyErrors(t *testing.T) {
	t.Parallel()
	m := build(t, Options{Dimension: 2}, 0, nil)
	x := Vector{Indices: []uint32{0}, Values: []float64{1}}
	good := Candidates{Actions: []string{"a"}, Features: x}
	outside := Vector{Indices: []uint32{2}, Values: []float64{1}}
	var w Workspace
	for _, p := range []Policy{Thompson{Model: m, Alpha: .5, Floor: .1}, Uniformly{}, Fixed{Action: "a"}} {
		if _, err := p.Distribution(Candidates{Features: x}, &w); !errors.Is(err, ErrNoCandidates) {
			t.Errorf("%T without candidates: %v", p, err)
		}
		if d, err := p.Distribution(good, &w); err != nil || d.Q[0] != 1 {
			t.Errorf("%T with one candidate: %v %v", p, d.Q, err)
		}
	}
	if _, err := (Fixed{Action: "b"}).Distribution(good, &w); !errors.Is(err, ErrNotEligible) {
		t.Errorf("fixed action not eligible: %v", err)
	}
	for name, p := range map[string]Thompson{
		"no model": {Alpha: 1}, "alpha": {Model: m}, "floor": {Model: m, Alpha: 1, Floor: 2},
	} {
		if _, err := p.Distribution(good, &w); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, bad := range map[string]Candidates{
		"scoring: feature vector": {Actions: []string{"a"}, Features: outside},
		`"bad": feature vector`:   {Actions: []string{"a", "bad"}, Own: []Vector{x, outside}},
		"features of 1 actions":   {Actions: []string{"a", "b"}, Own: []Vector{x}},
	} {
		if _, err := (Thompson{Model: m, Alpha: 1}).Distribution(bad, &w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if d, err := (Thompson{Model: m, Alpha: 1}).Distribution(good, &w); err != nil || d.Cold != 1 {
		t.Errorf("cold candidates %d, want 1 (%v)", d.Cold, err)
	}
}

// Scores that overflow must not stop a decision: uniform, and said so.
func TestThompsonDegenerate(t *testing.T) {
	t.Parallel()
	arms := map[string]*Arm{"a": {Mean: []float64{1e200}, Covariance: []float64{1}, Noise: 1}}
	m, err := newModel("", 1, 0, Arm{Mean: []float64{0}, Covariance: []float64{1}, Noise: 1}, arms)
	if err != nil {
		t.Fatal(err)
	}
	x := Vector{Indices: []uint32{0}, Values: []float64{1e200}}
	var w Workspace
	d, err := Thompson{Model: m, Alpha: 1, Floor: .1}.Distribution(Candidates{Actions: []string{"a", "b"}, Features: x}, &w)
	if err != nil || !d.Degenerate || d.Q[0] != .5 || d.Q[1] != .5 {
		t.Errorf("%v, degenerate %v, error %v", d.Q, d.Degenerate, err)
	}
}

// Draws by decision id follow the propensities: chi-squared at the .001 level.
func TestDrawsFollowPropensities(t *testing.T) {
	t.Parallel()
	m, candidates := benchModel(t, 5, 20, 5)
	var w Workspace
	d, err := Thompson{Model: m, Alpha: 1, Floor: .05}.Distribution(candidates, &w)
	if err != nil {
		t.Fatal(err)
	}
	const n = 50000
	counts := make([]float64, len(candidates.Actions))
	for i := range n {
		k, _ := d.Draw(Uniform(string(binary.BigEndian.AppendUint32(nil, uint32(i))), "s", "action"))
		counts[k]++
	}
	var chi float64
	for k, q := range d.Q {
		chi += (counts[k] - n*q) * (counts[k] - n*q) / (n * q)
	}
	if chi > 18.47 { // 4 degrees of freedom
		t.Errorf("chi-squared %g: drew %v of %v", chi, counts, d.Q)
	}
}

func TestDecisionDoesNotAllocate(t *testing.T) {
	m, candidates := benchModel(t, 50, 64, 20)
	policy := Policy(Thompson{Model: m, Alpha: .5, Floor: .05})
	var w Workspace
	decide := func() {
		d, err := policy.Distribution(candidates, &w)
		if err != nil {
			t.Fatal(err)
		}
		d.Draw(Uniform("01JABCDEFGHJKMNPQRSTVWXYZ0", "salt", "action"))
	}
	decide()
	if n := testing.AllocsPerRun(100, decide); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
