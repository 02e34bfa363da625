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
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// planted is a person who is in every store, with texts that nobody else has.
type planted struct {
	user, second, mail, phone, device, trait, note, context, card string
}

func plant() planted {
	return planted{
		user: "planted-user-7f3a", second: "planted-second-user-11", mail: "planted.mail@leaves.example", phone: "+79165550199",
		device: "planted-device-91c2", trait: "planted-ultramarine", note: "planted-note-of-an-order", context: "planted-campaign", card: "planted-card-5512",
	}
}

func (p planted) texts() []string {
	return []string{p.user, p.second, p.mail, p.phone, p.device, p.trait, p.note, p.context, p.card}
}

// call makes a call of the API as the local key and fails the test on a refusal.
func (s *served) call(method, path string, in, out any) {
	s.t.Helper()
	if err := s.client.Do(s.t.Context(), method, path, in, out); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (s *served) batch(messages ...map[string]any) {
	s.t.Helper()
	s.call(http.MethodPost, "/v1/batch", map[string]any{"batch": messages}, nil)
}

// filesWith lists the files below dir that hold one of the texts.
func filesWith(t *testing.T, dir string, texts ...[]byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // files come and go while the service runs
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		for _, text := range texts {
			if bytes.Contains(content, text) {
				found = append(found, fmt.Sprintf("%s: %q", strings.TrimPrefix(path, dir), text))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// everywhere puts the person, and others, into every store.
func (p planted) everywhere(s *served) {
	s.t.Helper()
	create(s.t, s.client, hero())
	create(s.t, s.client, map[string]any{
		"metrics/margin": map[string]any{"kind": "mean", "event": "Order Completed", "property": "margin", "windowHours": 24},
		"metrics/orders": map[string]any{"kind": "proportion", "event": "Order Completed", "windowHours": 24},
		"experiments/even": map[string]any{"decisionPoint": "hero", "metrics": []string{"margin", "orders"}, "variants": []map[string]any{
			{"key": "a", "weight": 0.5, "control": true, "policy": map[string]any{"type": "fixed", "action": "spring/onsite/a"}},
			{"key": "b", "weight": 0.5, "policy": map[string]any{"type": "fixed", "action": "summer/onsite/a"}},
		}},
		"holdouts/universal": map[string]any{"share": 0},
	})
	s.call(http.MethodPost, "/v1/experiments/even/start", nil, nil)
	s.call(http.MethodPut, "/v1/purposes/news", map[string]any{"basis": "consent"}, nil)
	s.call(http.MethodPut, "/v1/segments/buyers", map[string]any{"rule": map[string]any{"event": "Order Completed", "aggregate": map[string]any{"function": "sum", "property": "margin", "op": "gte", "value": -1}}}, nil)
	s.call(http.MethodPut, "/v1/webhooks/till", map[string]any{"name": "Till", "auth": map[string]any{"kind": "secret", "header": "X-Till", "secret": "s3cret-of-tills"}, "messages": []map[string]any{{
		"type": "track", "event": map[string]any{"const": "Till"}, "externalIds": map[string]any{"card": map[string]any{"from": "card"}}, "properties": map[string]any{"note": map[string]any{"from": "note"}},
	}}}, nil)

	// Who they are: a browser before the sign-in, an account, another one that is joined by hand.
	s.batch(
		map[string]any{"type": "track", "event": "Viewed", "anonymousId": p.device, "context": map[string]any{"ip": "203.0.113.77", "page": map[string]any{"title": p.context}}},
		map[string]any{"type": "identify", "userId": p.user, "traits": map[string]any{"email": p.mail, "phone": p.phone, "favouriteColour": p.trait, "plan": "paid"}},
		map[string]any{"type": "identify", "userId": p.second, "traits": map[string]any{"nick": p.trait}},
		map[string]any{"type": "track", "event": "Signed In", "userId": p.user, "anonymousId": p.device},
		map[string]any{"type": "track", "event": "Linked", "userId": p.user, "context": map[string]any{"externalIds": []map[string]any{{"type": "card", "id": p.card}}}},
	)
	s.caughtUp()
	s.call(http.MethodPost, "/v1/profiles/userId:"+p.user+"/merge", map[string]any{"with": "userId:" + p.second, "reason": "the same " + p.trait}, nil)
	s.call(http.MethodPost, "/v1/profiles/userId:"+p.user+"/consents", map[string]any{"statements": []map[string]any{{
		"purpose": "news", "channel": "email", "status": "granted", "proof": map[string]any{"text": p.note},
	}}}, nil)
	s.call(http.MethodPatch, "/v1/profiles/userId:"+p.user+"/traits", map[string]any{"traits": map[string]any{"edited": p.trait}}, nil)
	s.call(http.MethodPost, "/v1/suppressions", map[string]any{"items": []map[string]any{{"namespace": "phone", "value": p.phone, "reason": "complaint", "note": "asked"}}}, nil)

	// What they did: events of several months, decisions, exposures of both kinds.
	for month := range 4 {
		at := time.Now().AddDate(0, -month, 0).UTC().Format(time.RFC3339)
		s.batch(map[string]any{"type": "track", "event": "Order Completed", "userId": p.user, "timestamp": at, "messageId": fmt.Sprint("planted-message-", month),
			"properties": map[string]any{"margin": 10 + month, "note": p.note}})
	}
	users := append([]string{p.user, p.second}, others()...)
	for _, user := range users {
		s.call(http.MethodPost, "/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"userId": user}, "context": map[string]any{"device": "mobile", "utm": campaign(user, p)}}, nil)
	}
	s.call(http.MethodPost, "/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"anonymousId": p.device}, "context": map[string]any{"device": "mobile", "utm": p.context}}, nil)
	var after []map[string]any
	for i, user := range users {
		after = append(after, map[string]any{"type": "track", "event": "Order Completed", "userId": user, "properties": map[string]any{"margin": 7.25 * float64(i), "note": campaign(user, p)}},
			map[string]any{"type": "track", "event": "Experiment Viewed", "userId": user, "properties": map[string]any{"experimentId": "outside", "variationId": "x"}},
			map[string]any{"type": "identify", "userId": user, "traits": map[string]any{"city": "Kazan"}})
	}
	s.batch(after...)

	// What others sent: a till, and a file with rows that are refused.
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.client.BaseURL()+"/v1/hooks/till", strings.NewReader(fmt.Sprintf(`{"card":%q,"note":%q}`, p.card, p.note)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("X-Till", "s3cret-of-tills")
	request.Header.Set("Content-Type", "application/json")
	s.answered(request)
	file := fmt.Sprintf("id,customer,at,total\nplanted-row-1,%s,2024-03-01T10:00:00Z,5\nplanted-row-2,%[1]s,2024-03-02T10:00:00Z,much\nrow-3,other-1,2024-03-02T10:00:00Z,too much\n", p.user)
	s.uploaded(file)
	s.caughtUp()
	s.call(http.MethodPost, "/v1/attribute-status/compute", nil, nil)
	s.call(http.MethodGet, "/v1/profiles/userId:"+p.user, nil, nil) // which the audit log keeps
	s.call(http.MethodGet, "/v1/profiles/"+url.PathEscape("email:"+p.mail), nil, nil)
	s.caughtUp()
}

func others() (list []string) {
	for i := range 20 {
		list = append(list, fmt.Sprint("other-", i))
	}
	return list
}

func campaign(user string, p planted) string {
	if strings.HasPrefix(user, "planted") {
		return p.context
	}
	return "newsletter"
}

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
		"postgres identity_moves", "postgres audit_log", "clickhouse events", "clickhouse timeline", "clickhouse decisions", "clickhouse decision_timeline", "clickhouse exposures", "clickhouse person_map", "clickhouse people",
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
	if n := s.count("SELECT count() FROM events FINAL WHERE startsWith(user_id, 'other')"); n != 60 {
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

// exports checks what an export has of the person.
func (h *house) exports(t *testing.T, p planted, profiles []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "export.json")
	h.mustRun("export", "userId:"+p.user, "--out", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		PersonID       string
		Profiles       []string
		Identifiers    []struct{ Namespace, Value string }
		Traits         map[string]any
		Lineage        []struct{ Trait, Source string }
		Attributes     map[string]any
		Consents       struct{ Statements []struct{ Purpose string } }
		Identity       struct{ Edges []struct{ Rule string } }
		Suppressions   []struct{ Reason string }
		Segments       []string
		SegmentHistory []struct{ Segment string }
		Sources        []struct {
			Source             string
			Messages, Imported int
		}
		Exposures []struct{ Experiment string }
		Decisions []struct {
			DecisionID string
			Context    map[string]any
		}
		Events []struct {
			Event      string
			Properties map[string]any
		}
		Complete bool
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	imported := 0
	for _, s := range doc.Sources {
		imported += s.Imported
	}
	for what, ok := range map[string]bool{
		"complete": doc.Complete, "profiles": len(doc.Profiles) == len(profiles), "identifiers": len(doc.Identifiers) == 6,
		"traits": doc.Traits["favouriteColour"] == p.trait, "lineage": len(doc.Lineage) >= 6, "attributes": doc.Attributes["orders"] == 7.0,
		"consents": len(doc.Consents.Statements) == 1, "identity": len(doc.Identity.Edges) == 2, "suppressions": len(doc.Suppressions) == 1,
		"segments": len(doc.Segments) == 1 && len(doc.SegmentHistory) > 0, "sources": len(doc.Sources) >= 3 && imported == 0,
		"exposures": len(doc.Exposures) >= 4, "decisions": len(doc.Decisions) == 3 && doc.Decisions[0].Context["utm"] == p.context, "events": len(doc.Events) >= 15,
	} {
		if !ok {
			t.Errorf("the export has other %s than planted", what)
		}
	}
	for _, planted := range p.texts() {
		if !bytes.Contains(text, []byte(planted)) {
			t.Errorf("the export lacks %s", planted)
		}
	}
	if bytes.Contains(text, []byte("other-")) {
		t.Error("the export has something of others")
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
	if _, _, err := h.run("export", "userId:nobody"); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("an export of nobody: %v", err)
	}
}

// What stays is what the mode says, for people side by side, on engines outside as well.
func TestErasureModes(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	create(t, r.client, hero())
	create(t, r.client, map[string]any{"holdouts/universal": map[string]any{"share": 0}})
	send := func(path string, body map[string]any) {
		t.Helper()
		if err := r.client.Post(t.Context(), path, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	modes := []string{"erase", "anonymise", "purge", "stays"}
	order := func(user string, ago time.Duration) {
		send("/v1/track", map[string]any{"userId": user, "event": "Order Completed", "timestamp": time.Now().Add(-ago), "properties": map[string]any{"margin": 5, "note": user + "-note"}})
	}
	for _, user := range modes {
		order(user, 48*time.Hour)
		send("/v1/decide", map[string]any{"decision": "hero", "user": map[string]string{"userId": user}, "context": map[string]any{"device": "mobile", "utm": user + "-utm"}})
		order(user, 0)
		send("/v1/identify", map[string]any{"userId": user, "traits": map[string]any{"plan": "paid"}})
	}
	r.flush()
	var jobs []erased
	for _, mode := range modes[:3] {
		var j erased
		if err := r.client.Post(t.Context(), "/v1/profiles/userId:"+mode+"/erase", map[string]any{"mode": mode}, &j); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	for _, j := range jobs {
		eventually(t, 3*time.Minute, "the erasure ends", func() bool {
			if err := r.client.Get(t.Context(), "/v1/erasures/"+j.ID, &j); err != nil {
				t.Fatal(err)
			}
			return j.Status == "done"
		})
	}
	for sql, want := range map[string]uint64{
		"SELECT count() FROM events FINAL WHERE event = 'Order Completed'":                                                         2 + 2 + 1,
		"SELECT count() FROM events FINAL WHERE event = 'Order Completed' AND properties = '{}' AND user_id = ''":                  3,
		"SELECT toUInt64(sum(numbers['margin'])) FROM events FINAL":                                                                25,
		"SELECT count() FROM events FINAL WHERE event = '$identify'":                                                               1,
		"SELECT count() FROM decisions FINAL":                                                                                      3,
		"SELECT count() FROM decisions FINAL WHERE context = '{}' AND traits = '{}' AND source = 'erased'":                         2,
		"SELECT uniqExact(unit) FROM exposures":                                                                                    3,
		"SELECT count() FROM exposures WHERE unit NOT IN (SELECT profile_id FROM decisions)":                                       0,
		"SELECT count() FROM (SELECT profile_id FROM events FINAL GROUP BY profile_id HAVING count() = 2) WHERE profile_id != ''":  1, // anonymised: both orders under one id
		"SELECT count() FROM message_ids WHERE message_id IN (SELECT message_id FROM events)":                                      6,
		"SELECT count() FROM events WHERE multiSearchAny(concat(user_id, properties, context), ['erase', 'anonymise-', 'purge-'])": 0,
		"SELECT count() FROM erasing": 0,
	} {
		if got := r.number(sql); got != want {
			t.Errorf("%s = %d, want %d", sql, got, want)
		}
	}
	// A decision of somebody who was erased can be read, and says that it cannot be replayed.
	var id string
	if err := r.app.engines.ClickHouse.Read.QueryRow(t.Context(), "SELECT any(decision_id) FROM decisions WHERE source = 'erased'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	var explained struct {
		Replay struct {
			Possible    bool
			Differences []string
		}
	}
	if err := r.client.Get(t.Context(), "/v1/decisions/"+id, &explained); err != nil || explained.Replay.Possible || len(explained.Replay.Differences) != 1 {
		t.Errorf("%+v, %v", explained, err)
	}
}
