package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answered sends a request and fails the test unless it is answered with 200.
func (s *served) answered(request *http.Request) []byte {
	s.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s %v", request.Method, request.URL.Path, response.StatusCode, body, err)
	}
	return body
}

// as sends a request as the local key.
func (s *served) as(method, path string, body io.Reader) []byte {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.client.BaseURL()+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	return s.answered(request)
}

// uploaded imports a file of orders.
func (s *served) uploaded(file string) {
	s.t.Helper()
	q := url.Values{"kind": {"events"}, "name": {"orders.csv"}, "mapping": {ordersMapping}}
	var job struct{ ID string }
	if err := json.Unmarshal(s.as(http.MethodPost, "/v1/imports/upload?"+q.Encode(), strings.NewReader(file)), &job); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, time.Minute, "the file is imported", func() bool {
		var now struct{ Status string }
		s.call(http.MethodGet, "/v1/imports/"+job.ID, nil, &now)
		return now.Status != "running"
	})
}

// erased is an erasure as the API shows it.
type erased struct {
	ID, Status, Error, ProofSHA256 string
	Attempts                       int
}

// erasedWithin waits for the end of an erasure.
func (s *served) erasedWithin(id string, within time.Duration) (j erased) {
	s.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		s.call(http.MethodGet, "/v1/erasures/"+id, nil, &j)
		if j.Status == "done" {
			return j
		}
		if time.Now().After(end) {
			s.t.Fatalf("the erasure is %+v after %s", j, within)
		}
	}
}

// A person who is everywhere is erased: afterwards no store has them, no file below the
// data directory holds one of their texts, and everybody else is as before.
func TestErasure(t *testing.T) {
	t.Parallel()
	h, p := newFullHouse(t), plant()
	s := h.serve()
	p.everywhere(s)

	var profile struct {
		ProfileID string
		Profiles  []string
	}
	s.call(http.MethodGet, "/v1/profiles/userId:"+p.user, nil, &profile)
	if len(profile.Profiles) < 3 {
		t.Fatalf("the person has the profiles %v", profile.Profiles)
	}
	var texts [][]byte
	for _, text := range append(p.texts(), profile.Profiles...) {
		texts = append(texts, []byte(text))
	}
	for _, id := range profile.Profiles { // as the stream has them
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(id))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, raw)
	}
	for _, text := range texts[:9] {
		if found := filesWith(t, h.dir, text); len(found) == 0 {
			t.Errorf("%s is in no file, so that the test could not fail", text)
		}
	}

	h.exports(t, p, profile.Profiles)

	known := time.Now()
	time.Sleep(5 * time.Millisecond)
	report := func() string {
		return string(s.as(http.MethodGet, "/v1/experiments/even/report?asOf="+url.QueryEscape(known.UTC().Format(time.RFC3339Nano)), nil))
	}
	state := func() string {
		rows := s.rows(`SELECT count(), sum(numbers['margin']) FROM events FINAL WHERE startsWith(user_id, 'other') AND event != 'Back' UNION ALL SELECT count(), -1 FROM decisions FINAL WHERE context LIKE '%newsletter%'`)
		slices.Sort(rows)
		return strings.Join(rows, ";")
	}
	wasReport, wasState := report(), state()

	// Things go on meanwhile, about the person as well.
	traffic, stop := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		for i := 0; traffic.Err() == nil; i++ {
			err := s.client.Post(t.Context(), "/v1/batch", map[string]any{"batch": []map[string]any{
				{"type": "track", "event": "Meanwhile", "userId": p.user, "anonymousId": p.device, "properties": map[string]any{"note": p.note}},
				{"type": "track", "event": "Meanwhile", "userId": fmt.Sprint("meanwhile-", i%7)},
			}}, nil)
			if err == nil {
				err = s.client.Post(t.Context(), "/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"userId": p.user}, "context": map[string]any{"device": "mobile", "utm": p.context}}, nil)
			}
			if err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	time.Sleep(200 * time.Millisecond)
	if err := s.client.Post(t.Context(), "/v1/profiles/userId:"+p.user+"/erase", map[string]any{"reason": "asked by " + strings.ToUpper(p.mail)}, nil); err == nil || !strings.Contains(err.Error(), "body.reason") {
		t.Errorf("a reason that names the person: %v", err)
	}
	var j erased
	s.call(http.MethodPost, "/v1/profiles/userId:"+p.user+"/erase", map[string]any{"reason": "asked in a letter"}, &j)
	began := time.Now()
	j = s.erasedWithin(j.ID, 2*time.Minute)
	t.Logf("erased in %s, %d attempts", time.Since(began).Round(time.Millisecond), j.Attempts)
	stop()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	s.provedBy(t, j, texts)

	// What comes afterwards is refused one by one, and decisions do not reach the person.
	var batch struct {
		Accepted int
		Rejected []struct {
			Index  int
			Errors []struct{ Location, Message string }
		}
	}
	s.call(http.MethodPost, "/v1/batch", map[string]any{"batch": []map[string]any{
		{"type": "track", "event": "Back", "userId": p.user}, {"type": "track", "event": "Back", "userId": "other-1"},
		{"type": "identify", "userId": "a-new-name", "traits": map[string]any{"email": strings.ToUpper(p.mail)}},
	}}, &batch)
	if batch.Accepted != 1 || len(batch.Rejected) != 2 || !strings.HasPrefix(batch.Rejected[0].Errors[0].Message, "erased") || !strings.HasSuffix(batch.Rejected[0].Errors[0].Location, "userId") {
		t.Errorf("messages of somebody who was erased: %+v", batch)
	}
	s.call(http.MethodPost, "/v1/track", map[string]any{"event": "Back", "anonymousId": p.device}, &batch)
	var decision struct {
		Who struct {
			Eligible bool
			Reasons  []string
		}
	}
	s.call(http.MethodPost, "/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"userId": p.user}, "context": map[string]any{"device": "mobile", "utm": p.context}}, &decision)
	if decision.Who.Eligible || len(decision.Who.Reasons) != 1 || decision.Who.Reasons[0] != "suppressed" {
		t.Errorf("advertising for somebody who was erased: %+v", decision)
	}
	if err := s.client.Get(t.Context(), "/v1/profiles/userId:"+p.user, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the profile: %v", err)
	}
	s.caughtUp()
	if now := state(); now != wasState {
		t.Errorf("others: %s, before %s", now, wasState)
	}
	if now := report(); now != wasReport {
		t.Errorf("the report changed:\n%s\n%s", now, wasReport)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Fatalf("%v\n%s", err, s.errs)
	}
	if found := filesWith(t, h.dir, texts...); len(found) > 0 {
		t.Errorf("the files hold the person:\n%s", strings.Join(found, "\n"))
	}

	s = h.serve()
	s.caughtUp()
	if now := state(); now != wasState {
		t.Errorf("others after a restart: %s, before %s", now, wasState)
	}
	if now := report(); now != wasReport {
		t.Error("the report changed by a restart")
	}
	if err := s.client.Get(t.Context(), "/v1/profiles/userId:"+p.user, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the profile after a restart: %v", err)
	}
	s.call(http.MethodGet, "/v1/profiles/userId:other-1", nil, nil)
	s.call(http.MethodPost, "/v1/batch", map[string]any{"batch": []map[string]any{{"type": "track", "event": "Back", "userId": p.second}}}, &batch)
	if batch.Accepted != 0 || len(batch.Rejected) != 1 {
		t.Errorf("after a restart: %+v", batch)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// provedBy checks the proof of an erasure.
func (s *served) provedBy(t *testing.T, j erased, texts [][]byte) {
	t.Helper()
	proof := s.as(http.MethodGet, "/v1/erasures/"+j.ID+"/proof", nil)
	if sum := sha256.Sum256(proof); hex.EncodeToString(sum[:]) != j.ProofSHA256 {
		t.Errorf("the proof does not have the SHA-256 %s", j.ProofSHA256)
	}
	var doc struct {
		Removed map[string]int64
		Checks  []struct {
			Store, What    string
			Rows, Mentions int64
		}
		Notes []string
	}
	if err := json.Unmarshal(proof, &doc); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{
		"memory profiles", "memory attributes", "memory decisions", "postgres profiles", "postgres profile_identifiers", "postgres profile_consents", "postgres identity_edges",
		"postgres identity_moves", "postgres audit_log", "postgres quarantine", "postgres campaign_recipients", "postgres scenario_runs", "postgres outbox_messages", "postgres deliveries", "postgres delivery_steps", "clickhouse events", "clickhouse timeline", "clickhouse decisions", "clickhouse decision_timeline", "clickhouse exposures", "clickhouse person_map", "clickhouse people",
		"clickhouse segment_membership", "clickhouse profile_attributes", "clickhouse message_ids", "stream EVENTS", "stream DECISIONS", "files rejects of imports",
	} {
		if doc.Removed[what] == 0 {
			t.Errorf("the proof has nothing that was removed of %s", what)
		}
	}
	if len(doc.Checks) < 25 {
		t.Errorf("the proof has %d checks", len(doc.Checks))
	}
	for _, c := range doc.Checks {
		if c.Rows != 0 || c.Mentions != 0 {
			t.Errorf("the proof still has %+v", c)
		}
	}
	for _, text := range texts {
		if bytes.Contains(proof, text) {
			t.Errorf("the proof holds %q", text)
		}
	}
}

// An erasure that is killed again and again goes on where it was, and ends as one that
// was not.
func TestErasureKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the service five times")
	}
	h, p := newFullHouse(t), plant()
	s := h.serve()
	p.everywhere(s)
	var profile struct{ Profiles []string }
	s.call(http.MethodGet, "/v1/profiles/userId:"+p.user, nil, &profile)
	var texts [][]byte
	for _, text := range append(p.texts(), profile.Profiles...) {
		texts = append(texts, []byte(text))
	}
	var j erased
	s.call(http.MethodPost, "/v1/profiles/userId:"+p.user+"/erase", map[string]any{"mode": "purge"}, &j)
	for _, after := range []time.Duration{50, 600, 1200, 2500} {
		time.Sleep(after * time.Millisecond)
		_ = s.end(syscall.SIGKILL)
		s = h.serve()
	}
	j = s.erasedWithin(j.ID, 2*time.Minute)
	t.Logf("%d attempts", j.Attempts)
	s.caughtUp()
	if n := s.count("SELECT count() FROM events FINAL WHERE startsWith(user_id, 'other') AND event != 'Cart Left'"); n != 60 {
		t.Errorf("%d events of others", n)
	}
	if n := s.count("SELECT uniqExact(unit) FROM exposures WHERE experiment = 'even'"); n != 20 {
		t.Errorf("%d people are exposed", n)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if found := filesWith(t, h.dir, texts...); len(found) > 0 {
		t.Errorf("the files hold the person:\n%s", strings.Join(found, "\n"))
	}
}
