package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	rudder "github.com/rudderlabs/analytics-go/v4"
	segment "github.com/segmentio/analytics-go/v3"

	"quintet/internal/api"
)

// clientsDir holds the clients for Node.js.
const clientsDir = "../../profiles/clients"

// clientCall is what a client is asked to send: identify, count events and a page.
type clientCall struct {
	Host  string `json:"host"`
	Key   string `json:"key"`
	Event string `json:"event"`
	User  string `json:"user"`
	Count int    `json:"count"`
}

// clientFaults are what the clients meet, and whether all that they send arrives.
var clientFaults = []struct {
	fault   fault
	times   int
	arrives bool
}{
	{delivered, 0, true}, {tooMany, 1, true}, {unavailable, 2, true}, {unsent, 1, true}, {unanswered, 1, true}, {cutShort, 1, true},
	{tooLarge, 1 << 30, false}, {unknownKey, 0, false},
}

// The six clients run unchanged: what they send is stored once each, whatever
// happens on the way; what is refused for good ends there and is reported.
func TestClientsOfOthers(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	key, _ := r.newKey(api.ScopeIngest)
	for _, name := range []string{"segment", "rudder", "jitsu", "posthog", "segment-go", "rudder-go"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls []clientCall
			proxies := map[string]*faulty{}
			for _, f := range clientFaults {
				p := newFaulty(t, r.base, f.fault, f.times)
				c := clientCall{Host: p.URL, Key: key, Event: strings.TrimSpace("E " + name + " " + string(f.fault)), User: name + "-" + string(f.fault), Count: 20}
				if f.fault == unknownKey {
					c.Key = key + "x"
				}
				if name == "jitsu" { // it knows keys only as id:secret
					c.Key = "quintet:" + c.Key
				}
				proxies[c.Event] = p
				calls = append(calls, c)
			}
			errors := sendWith(t, name, calls)
			r.flush()
			for i, f := range clientFaults {
				r.checkArrived(t, calls[i], f.arrives, proxies[calls[i].Event], errors[calls[i].Event])
			}
		})
	}
}

// checkArrived compares what is stored with what was sent. Rows are counted
// without FINAL: not even the log has a message twice.
func (r *resident) checkArrived(t *testing.T, c clientCall, arrives bool, p *faulty, errors []string) {
	t.Helper()
	escaped := strings.ReplaceAll(c.Event, "'", "")
	events := int(r.number("SELECT count() FROM events WHERE event = '" + escaped + "'"))
	distinct := int(r.number("SELECT uniqExact(numbers['n']) FROM events WHERE event = '" + escaped + "' AND numbers['price'] = numbers['n'] + 0.5" +
		" AND JSONExtractString(properties, 'nested', 'text') = 'Ёлка 🎄'"))
	if !arrives {
		if events != 0 || p.calls == 0 || len(errors) == 0 {
			t.Errorf("%s: %d events arrived in %d calls, the client reports %q", c.Event, events, p.calls, errors)
		}
		return
	}
	if events != c.Count || distinct != c.Count {
		t.Errorf("%s: %d events of which %d differ, want %d; %d calls, the client reports %q", c.Event, events, distinct, c.Count, p.calls, errors)
	}
	var person struct {
		Events []struct {
			Event string
			Type  string
		}
		EventCount  int
		Traits      map[string]any
		Identifiers []struct{ Namespace, Value string }
	}
	if err := r.client.Get(t.Context(), "/v1/profiles/userId:"+c.User, &person); err != nil {
		t.Errorf("%s: %v", c.Event, err)
		return
	}
	if person.EventCount != c.Count+2 || person.Traits["email"] != c.User+"@example.org" {
		t.Errorf("%s: the profile has %d events and the traits %v", c.Event, person.EventCount, person.Traits)
	}
	for _, id := range person.Identifiers {
		// RudderStack's client for Go makes up an anonymousId for every call.
		if id.Namespace == "anonymousId" && !strings.HasPrefix(c.Event, "E jitsu") {
			t.Errorf("%s: the person collects the identifier %v", c.Event, id)
		}
	}
}

// sendWith has a client make the calls, and returns what it reports, by event.
func sendWith(t *testing.T, name string, calls []clientCall) map[string][]string {
	t.Helper()
	send, inGo := map[string]func(clientCall, func(error)) error{"segment-go": sendSegment, "rudder-go": sendRudder}[name]
	if !inGo {
		return sendNode(t, name, calls)
	}
	reported := map[string][]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, c := range calls {
		all.Go(func() {
			failed := func(err error) {
				mu.Lock()
				defer mu.Unlock()
				reported[c.Event] = append(reported[c.Event], err.Error())
			}
			if err := send(c, failed); err != nil {
				failed(err)
			}
		})
	}
	all.Wait()
	return reported
}

func sendNode(t *testing.T, name string, calls []clientCall) map[string][]string {
	t.Helper()
	needClients(t)
	asked, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "send.mjs", name, string(asked))
	node.Dir = clientsDir
	var out, errs bytes.Buffer
	node.Stdout, node.Stderr = &out, &errs
	if err := node.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, errs.String())
	}
	reported := map[string][]string{}
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var result struct {
			Event  string
			Errors []string
		}
		if json.Unmarshal(lines.Bytes(), &result) == nil && result.Event != "" { // clients print to it, too
			reported[result.Event] = result.Errors
		}
	}
	return reported
}

// needClients skips the test where the clients are not installed.
func needClients(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(clientsDir, "node_modules", "posthog-node", "package.json")); err == nil {
		return
	}
	if os.Getenv("QUINTET_TEST_REQUIRE_ENGINES") != "" {
		t.Fatal("the clients are not installed: run make clients")
	}
	t.Skip("the clients are not installed: run make clients")
}

// callback tells of messages that a client gave up.
type callback struct{ failed func(error) }

func (callback) Success(segment.Message) {}

func (c callback) Failure(_ segment.Message, err error) { c.failed(err) }

func sendSegment(c clientCall, failed func(error)) error {
	client, err := segment.NewWithConfig(c.Key, segment.Config{
		Endpoint: c.Host, BatchSize: 7, Interval: 50 * time.Millisecond, Logger: segment.StdLogger(stdlog.New(io.Discard, "", 0)),
		RetryAfter: func(int) time.Duration { return 200 * time.Millisecond }, Callback: callback{failed},
	})
	if err != nil {
		return err
	}
	if err := client.Enqueue(segment.Identify{UserId: c.User, Traits: segment.NewTraits().SetEmail(c.User + "@example.org")}); err != nil {
		return err
	}
	for n := range c.Count {
		if err := client.Enqueue(segment.Track{UserId: c.User, Event: c.Event, Properties: eventProperties(n)}); err != nil {
			return err
		}
	}
	if err := client.Enqueue(segment.Page{UserId: c.User, Name: c.Event}); err != nil {
		return err
	}
	return waitAndClose(client.Close)
}

func eventProperties(n int) map[string]any {
	return map[string]any{"n": n, "price": float64(n) + 0.5, "nested": map[string]any{"text": "Ёлка 🎄"}}
}

// waitAndClose gives a client time for attempts that its Close would cut off.
func waitAndClose(closing func() error) error {
	time.Sleep(3 * time.Second)
	return closing()
}

// rudderCallback is callback for RudderStack's types.
type rudderCallback struct{ failed func(error) }

func (rudderCallback) Success(rudder.Message) {}

func (c rudderCallback) Failure(_ rudder.Message, err error) { c.failed(err) }

func sendRudder(c clientCall, failed func(error)) error {
	client, err := rudder.NewWithConfig(c.Key, rudder.Config{
		DataPlaneUrl: c.Host, BatchSize: 7, Interval: 50 * time.Millisecond, Logger: rudder.StdLogger(stdlog.New(io.Discard, "", 0)),
		RetryAfter: func(int) time.Duration { return 200 * time.Millisecond }, Callback: rudderCallback{failed},
	})
	if err != nil {
		return err
	}
	if err := client.Enqueue(rudder.Identify{UserId: c.User, Traits: rudder.NewTraits().SetEmail(c.User + "@example.org")}); err != nil {
		return err
	}
	for n := range c.Count {
		if err := client.Enqueue(rudder.Track{UserId: c.User, Event: c.Event, Properties: eventProperties(n)}); err != nil {
			return fmt.Errorf("event %d: %w", n, err)
		}
	}
	if err := client.Enqueue(rudder.Page{UserId: c.User, Name: c.Event}); err != nil {
		return err
	}
	return waitAndClose(client.Close)
}

// The key is taken from every place where some client puts it.
func TestKeyInEveryPlace(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	key, _ := r.newKey(api.ScopeIngest)
	reader, _ := r.newKey(api.ScopeRead)
	basic := func(user string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(user)) }
	id, secret, _ := strings.Cut(strings.TrimPrefix(key, "qk_"), "_")
	for name, c := range map[string]struct {
		header, value, body string
		status              int
	}{
		"Basic with a colon":            {"Authorization", basic(key + ":"), `{}`, 422},
		"Basic without":                 {"Authorization", basic(key), `{}`, 422},
		"Bearer":                        {"Authorization", "Bearer " + key, `{}`, 422},
		"X-Write-Key":                   {"X-Write-Key", key, `{}`, 422},
		"X-Write-Key behind a colon":    {"X-Write-Key", "quintet:" + key, `{}`, 422},
		"X-Write-Key in halves":         {"X-Write-Key", id + ":" + secret, `{}`, 422},
		"X-Write-Key in halves, whole":  {"X-Write-Key", "qk_" + id + ":" + secret, `{}`, 422},
		"X-Api-Key":                     {"X-Api-Key", key, `{}`, 422},
		"in the body":                   {"Content-Type", "text/plain", `{"writeKey":"` + key + `"}`, 422},
		"in the body, beside OAuth":     {"Authorization", "Bearer a.b.c", `{"writeKey":"` + key + `"}`, 422},
		"nowhere":                       {"Content-Type", "text/plain", `{}`, 401},
		"wrong":                         {"Authorization", basic(key + "x:"), `{}`, 401},
		"wrong in the header":           {"Authorization", "Bearer qk_x_y", `{"writeKey":"` + key + `"}`, 401},
		"wrong halves":                  {"X-Write-Key", id + ":x", `{}`, 401},
		"wrong in the body":             {"Content-Type", "text/plain", `{"writeKey":"` + key + `x"}`, 401},
		"of another scope":              {"Authorization", "Bearer " + reader, `{}`, 403},
		"of another scope, in the body": {"Content-Type", "text/plain", `{"writeKey":"` + reader + `"}`, 403},
	} {
		for _, path := range []string{"/v1/track", "/v1/t", "/api/s/track"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.base+path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set(c.header, c.value)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			// 422: the key was taken, and the message names nobody.
			if response.StatusCode != c.status {
				t.Errorf("%s, %s: %d, want %d", name, path, response.StatusCode, c.status)
			}
		}
	}
}
