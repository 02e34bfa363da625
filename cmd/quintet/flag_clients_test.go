package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	gb "github.com/growthbook/growthbook-golang"
	ofrep "github.com/open-feature/go-sdk-contrib/providers/ofrep"
	"github.com/open-feature/go-sdk/openfeature"

	"quintet/experiments/flags"
	"quintet/internal/api"
)

// flagClientsDir holds the flag clients for Node.js.
const flagClientsDir = "../../experiments/clients"

// flagUser is somebody whom clients evaluate flags for.
type flagUser struct {
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
}

// flagTask is what a client is asked to do.
type flagTask struct {
	Host          string     `json:"host"`
	Key           string     `json:"key"`
	DecryptionKey string     `json:"decryptionKey,omitempty"`
	Users         []flagUser `json:"users"`
	Flags         []string   `json:"flags"`
	Watch         string     `json:"watch,omitempty"`
}

// flagLine is what a client prints.
type flagLine struct {
	User     string            `json:"user"`
	Values   map[string]any    `json:"values"`
	Variants map[string]string `json:"variants"`
	Reasons  map[string]string `json:"reasons"`
	Errors   map[string]string `json:"errors"`
	Tracked  []string          `json:"tracked"`
	Watched  any               `json:"watched"`
	Done     bool              `json:"done"`
}

// codeValue is what the clients have where the service has no value.
const codeValue = "(code)"

// clientFlags are the definitions that the clients evaluate.
func clientFlags() map[string]string {
	return map[string]string{
		"bool-switch": `{"type": "boolean", "default": false, "rules": [{"key": "at", "value": true, "condition": {"country": "at"}}]}`,
		"num-share":   `{"type": "number", "default": 1, "rules": [{"key": "some", "value": 2.5, "coverage": 0.4}]}`,
		"json-plain":  `{"type": "json", "default": {"a": [1, "x", null]}}`,
		"str-off":     `{"type": "string", "default": "d", "enabled": false}`,
		"str-watch":   `{"type": "string", "default": "one"}`,
		"str-split": `{"type": "string", "default": "d", "rules": [{"key": "test", "experiment": "checkout", "values": {"control": "A", "short": "B", "long": "C"},
			"condition": {"context.age": {"$gte": 18}}}]}`,
		"str-child": `{"type": "string", "default": "none", "prerequisites": [{"flag": "str-split", "condition": {"value": {"$in": ["B", "C"]}}}],
			"rules": [{"key": "r", "value": "after"}]}`,
		"str-bandit": `{"type": "string", "default": "d", "rules": [{"key": "choose", "bandit": "hero", "values": {"spring/onsite/a": "S", "summer/onsite/b": "U"}}]}`,
		"str-server": `{"type": "string", "default": "d", "rules": [{"key": "known", "value": "k", "condition": {"plan": "pro", "segments": {"$nin": ["none"]}}}]}`,
	}
}

// openFlags starts the service with flags and an experiment at a decision point.
func openFlags(t *testing.T) (r *resident, users []flagUser, keys []string) {
	t.Helper()
	r = openResident(t, residentConfig(t))
	point := hero()
	point["decision-points/hero"].(map[string]any)["class"] = "service"
	point["experiments/checkout"] = map[string]any{
		"decisionPoint": "hero", "unit": "userId", "hash": "growthbook", "salt": "checkout-2026", "coverage": 0.8, "variants": []map[string]any{
			{"key": "control", "weight": 0.5, "control": true}, {"key": "short", "weight": 0.3}, {"key": "long", "weight": 0.2},
		},
	}
	create(t, r.client, point)
	if err := r.client.Post(t.Context(), "/v1/experiments/checkout/start", nil, nil); err != nil {
		t.Fatal(err)
	}
	all := clientFlags()
	keys = []string{"bool-switch", "num-share", "json-plain", "str-off", "str-watch", "str-split", "str-child", "str-bandit", "str-server"}
	for _, key := range keys {
		if err := r.client.Put(t.Context(), "/v1/flags/"+key, json.RawMessage(all[key]), nil); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	for i := range 40 {
		users = append(users, flagUser{ID: fmt.Sprint("user-", i), Attributes: map[string]any{
			"country": []string{"at", "de"}[i%2], "age": float64(10 + i), "plan": []string{"pro", "free", "pro"}[i%3],
		}})
	}
	return r, users, keys
}

// served is what the service itself comes to.
func (r *resident) served(t *testing.T, u flagUser, key string) flags.Evaluation {
	t.Helper()
	s := flags.NewSubject(u.ID, u.Attributes, r.app.flags.People())
	e, ok := r.app.flags.State().Evaluate(key, s, time.Now(), nil, nil)
	if !ok {
		t.Fatalf("there is no flag %s", key)
	}
	return e
}

// sameAsServed compares what a client came to with the service; local leaves out what a
// client that evaluates by itself cannot have.
func (r *resident) sameAsServed(t *testing.T, client string, u flagUser, line *flagLine, local bool) {
	t.Helper()
	for key, got := range line.Values {
		e := r.served(t, u, key)
		var want any = codeValue
		if e.Value != nil && !(local && key == "str-server") {
			if err := json.Unmarshal(e.Value, &want); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s of %s is %v, the service gives %v", client, key, u.ID, got, want)
		}
		if variant := line.Variants[key]; e.Trial != nil && variant != "" && variant != e.Variant {
			t.Errorf("%s: %s of %s is the variant %s, the service gives %s", client, key, u.ID, variant, e.Variant)
		}
	}
}

// needFlagClients skips the test where the clients are not installed.
func needFlagClients(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(flagClientsDir, "node_modules", "@growthbook", "growthbook", "package.json")); err == nil {
		return
	}
	if os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") != "" {
		t.Fatal("the flag clients are not installed: run make clients")
	}
	t.Skip("the flag clients are not installed: run make clients")
}

// evaluateWith has a client do a task; each is told of every line, and says false to
// end the client.
func evaluateWith(t *testing.T, name string, task flagTask, each func(line *flagLine) bool) {
	t.Helper()
	asked, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "evaluate.mjs", name, string(asked))
	node.Dir = flagClientsDir
	var errs bytes.Buffer
	node.Stderr = &errs
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = node.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	going, done := true, false
	for going && lines.Scan() {
		line := new(flagLine)
		if json.Unmarshal(lines.Bytes(), line) != nil {
			continue // clients print to it, too
		}
		done = done || line.Done
		if going = each(line); !going {
			_ = node.Process.Kill()
		}
	}
	if err := node.Wait(); going && (err != nil || !done) {
		t.Errorf("%s: %v\n%s", name, err, errs.String())
	}
}

// The clients of GrowthBook and OpenFeature run unchanged, and come to what the service
// comes to, in decisions as well.
func TestFlagClients(t *testing.T) {
	t.Parallel()
	needFlagClients(t)
	r, users, keys := openFlags(t)
	key, _ := r.newKey(api.ScopeFlags)
	var encrypted struct{ Secret, DecryptionKey string }
	if err := r.client.Post(t.Context(), "/v1/api-keys", map[string]any{"name": "app", "scopes": []string{"flags"}, "encrypted": true}, &encrypted); err != nil {
		t.Fatal(err)
	}
	byID := make(map[string]flagUser)
	for _, u := range users {
		byID[u.ID] = u
	}
	t.Run("clients", func(t *testing.T) {
		for _, name := range []string{"growthbook", "encrypted", "remote", "server", "web"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				task := flagTask{Host: r.base, Key: key, Users: users, Flags: keys}
				if name == "encrypted" {
					task.Key, task.DecryptionKey = encrypted.Secret, encrypted.DecryptionKey
				}
				seen := 0
				evaluateWith(t, name, task, func(line *flagLine) bool {
					if line.User == "" {
						return true
					}
					seen++
					u := byID[line.User]
					r.sameAsServed(t, name, u, line, name == "growthbook" || name == "encrypted")
					if e := r.served(t, u, "str-split"); name != "server" && name != "web" {
						if want := e.Trial != nil; slices.Contains(line.Tracked, "checkout:"+e.Variant) != want {
							t.Errorf("%s: %s reports the exposures %v, and is in %q", name, u.ID, line.Tracked, e.Variant)
						}
					} else if delete(line.Errors, "str-off"); line.Reasons["str-split"] != string(e.Reason) || len(line.Errors) > 0 {
						// The provider for servers is of a time when every answer had a value.
						t.Errorf("%s: %s has the reason %s and not %s; errors %v", name, u.ID, line.Reasons["str-split"], e.Reason, line.Errors)
					}
					return true
				})
				if seen != len(users) {
					t.Errorf("%d users came back", seen)
				}
			})
		}
		t.Run("go", func(t *testing.T) {
			t.Parallel()
			r.checkGoClients(t, key, users, keys)
		})
	})
	r.checkFlagExposures(t, users)
	r.checkFlagDecisions(t, users)
}

// checkGoClients evaluates with the clients for Go.
func (r *resident) checkGoClients(t *testing.T, key string, users []flagUser, keys []string) {
	t.Helper()
	local, err := gb.NewClient(t.Context(), gb.WithApiHost(r.base), gb.WithClientKey(key), gb.WithPollDataSource(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if err := local.EnsureLoaded(t.Context()); err != nil {
		t.Fatal(err)
	}
	remote := ofrep.NewProvider(r.base, ofrep.WithApiKeyAuth(key))
	for _, u := range users {
		attributes := gb.Attributes{"id": u.ID}
		about := openfeature.FlattenedContext{openfeature.TargetingKey: u.ID}
		for k, v := range u.Attributes {
			attributes[k], about[k] = v, v
		}
		of, err := local.WithAttributes(attributes)
		if err != nil {
			t.Fatal(err)
		}
		inProcess := &flagLine{Values: map[string]any{}, Variants: map[string]string{}}
		overWire := &flagLine{Values: map[string]any{}, Variants: map[string]string{}}
		for _, k := range keys {
			e := of.EvalFeature(t.Context(), k)
			inProcess.Values[k] = e.Value
			if e.Source == gb.UnknownFeatureResultSource {
				inProcess.Values[k] = codeValue
			}
			if e.ExperimentResult != nil {
				inProcess.Variants[k] = e.ExperimentResult.Key
			}
			switch k[:3] {
			case "str":
				d := remote.StringEvaluation(t.Context(), k, codeValue, about)
				if overWire.Values[k], overWire.Variants[k] = d.Value, d.Variant; k == "str-off" {
					// This version knows no answer without a value: it reports an error with the code's.
					overWire.Values[k] = codeValue
					if d.Value != codeValue && d.Value != "" {
						t.Errorf("a flag that is off has the value %q", d.Value)
					}
				}
			case "num":
				overWire.Values[k] = remote.FloatEvaluation(t.Context(), k, -1, about).Value
			case "boo":
				overWire.Values[k] = remote.BooleanEvaluation(t.Context(), k, false, about).Value
			case "jso":
				overWire.Values[k] = remote.ObjectEvaluation(t.Context(), k, nil, about).Value
			}
		}
		r.sameAsServed(t, "growthbook for Go", u, inProcess, true)
		r.sameAsServed(t, "OpenFeature for Go", u, overWire, false)
	}
}

// checkFlagExposures checks that everybody who was given a variant by the service is
// exposed to it, and to nothing else.
func (r *resident) checkFlagExposures(t *testing.T, users []flagUser) {
	t.Helper()
	r.flush()
	in := 0
	for _, u := range users {
		if r.served(t, u, "str-split").Trial != nil {
			in++
		}
	}
	const of = " FROM exposures WHERE experiment = 'checkout'"
	units, pairs, rows := r.number("SELECT uniqExact(unit)"+of), r.number("SELECT uniqExact(unit, variant)"+of), r.number("SELECT count()"+of)
	if in == 0 || int(units) != in || pairs != units || rows != units {
		t.Errorf("%d users are in the experiment: %d units, %d of a variant, %d exposures", in, units, pairs, rows)
	}
}

// checkFlagDecisions checks that decisions assign as flags do.
func (r *resident) checkFlagDecisions(t *testing.T, users []flagUser) {
	t.Helper()
	for _, u := range users {
		var answer struct {
			Experiments []struct{ Key, Variant string }
		}
		if err := r.client.Post(t.Context(), "/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"userId": u.ID}}, &answer); err != nil {
			t.Fatal(err)
		}
		variant := ""
		for _, e := range answer.Experiments {
			if e.Key == "checkout" {
				variant = e.Variant
			}
		}
		if e := r.served(t, u, "str-split"); u.Attributes["age"].(float64) >= 18 && e.Variant != variant {
			t.Errorf("%s gets %q of the decision and %q of the flag", u.ID, variant, e.Variant)
		}
	}
}

// A change of a flag reaches clients that listen within a second.
func TestFlagStreams(t *testing.T) {
	t.Parallel()
	needFlagClients(t)
	r, _, _ := openFlags(t)
	key, _ := r.newKey(api.ScopeFlags)
	for _, name := range []string{"growthbook", "web"} {
		var changed time.Time
		next := "two-" + name
		evaluateWith(t, name, flagTask{Host: r.base, Key: key, Users: []flagUser{{ID: "watcher"}}, Flags: []string{}, Watch: "str-watch"}, func(line *flagLine) bool {
			switch {
			case line.Watched == nil:
				return true
			case line.Watched != next:
				if changed.IsZero() {
					// The stream is opened beside the first answer.
					time.Sleep(300 * time.Millisecond)
					changed = time.Now()
					if err := r.client.Put(t.Context(), "/v1/flags/str-watch", map[string]any{"type": "string", "default": next}, nil); err != nil {
						t.Error(err)
						return false
					}
				}
				return true
			}
			if took := time.Since(changed); took > time.Second {
				t.Errorf("%s: a change took %s", name, took)
			}
			return false
		})
		if changed.IsZero() {
			t.Errorf("%s: saw nothing", name)
		}
	}
	// The stream of OpenFeature names the state that the next bulk evaluation has.
	response, err := http.Get(r.base + "/ofrep/v1/stream/" + key)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || lines.Text() != ": listening" || response.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Fatalf("%q, %v", lines.Text(), response.Header)
	}
	if err := r.client.Put(t.Context(), "/v1/flags/str-watch", map[string]any{"type": "string", "default": "three"}, nil); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && lines.Text() == "" {
	}
	if want := `data: {"type":"refetchEvaluation","etag":"` + r.app.flags.State().Tag() + `"`; !bytes.HasPrefix(lines.Bytes(), []byte(want)) {
		t.Errorf("%s, want %s", lines.Text(), want)
	}
}
