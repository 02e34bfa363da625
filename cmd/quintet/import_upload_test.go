package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"quintet/internal/api"
)

const ordersMapping = `{"userId": {"from": "customer", "type": "string"}, "event": {"const": "Order Completed"}, "messageId": {"from": "id"},
  "timestamp": {"from": "at"}, "properties": {"revenue": {"from": "total", "type": "number"}}}`

// ordersFile is a CSV of n orders of the year 2024; every tenth has no total.
func ordersFile(n int, label string) string {
	var b strings.Builder
	b.WriteString("id,customer,at,total\n")
	for i := range n {
		total := fmt.Sprint(i)
		if i%10 == 9 {
			total = "much"
		}
		fmt.Fprintf(&b, "%s-%d,c%d,2024-03-0%dT10:00:00Z,%s\n", label, i, i%500, 1+i%9, total)
	}
	return b.String()
}

func (r *resident) upload(t *testing.T, query url.Values, header http.Header, body io.Reader) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.base+"/v1/imports/upload?"+query.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if request.Header.Get("Authorization") == "" {
		request.Header.Set("Authorization", "Bearer "+r.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatalf("%d %s", response.StatusCode, content)
	}
	return response.StatusCode, out
}

// until waits for a job to be as wanted.
func (r *resident) until(t *testing.T, id any, wanted func(job map[string]any) bool) map[string]any {
	t.Helper()
	var job map[string]any
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		job = nil
		if err := r.client.Get(t.Context(), fmt.Sprintf("/v1/imports/%s", id), &job); err != nil {
			t.Fatal(err)
		}
		if wanted(job) {
			return job
		}
	}
	t.Fatalf("the import stays at %v", job)
	return nil
}

func ended(job map[string]any) bool { return job["status"] != "running" }

func TestUploadIsImported(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range map[string]string{"kind": "events", "mapping": ordersMapping} {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "../../Заказы 2024.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(part, ordersFile(3000, "o")) // to memory
	_ = w.Close()
	header := http.Header{"Content-Type": {w.FormDataContentType()}}
	content := form.Bytes()
	status, job := r.upload(t, nil, header, bytes.NewReader(content))
	if status != 200 || job["name"] != "Заказы 2024.csv" {
		t.Fatalf("%d %v", status, job)
	}
	done := r.until(t, job["id"], ended)
	if done["status"] != "complete" || done["accepted"] != 2700.0 || done["rejected"] != 300.0 || done["rowsTotal"] != 3000.0 {
		t.Errorf("%v", done)
	}
	r.flush()
	// Late events count where their time says.
	if n := r.number("SELECT count() FROM events WHERE event = 'Order Completed' AND timestamp >= '2024-03-01' AND timestamp < '2024-03-10'"); n != 2700 {
		t.Errorf("%d events in March 2024", n)
	}
	rejects := r.text(t, fmt.Sprintf("/v1/imports/%s/rejects", job["id"]))
	if !strings.HasPrefix(rejects, "line,row,reason,content\n11,10,") || strings.Count(rejects, "\n") != 301 || !strings.Contains(rejects, "must be a number") {
		t.Errorf("rejects: %.300s", rejects)
	}
	if status, again := r.upload(t, nil, header, bytes.NewReader(content)); status != 200 || again["id"] != job["id"] || again["status"] != "complete" {
		t.Errorf("the same file again: %d %v", status, again)
	}

	type row struct {
		ID       string    `parquet:"id"`
		Customer int64     `parquet:"customer"`
		At       time.Time `parquet:"at,timestamp"`
		Total    float64   `parquet:"total"`
	}
	rows := make([]row, 1200)
	for i := range rows {
		rows[i] = row{fmt.Sprint("p-", i), int64(i), time.Date(2023, 5, 1, 0, 0, i, 0, time.UTC), float64(i)}
	}
	var file bytes.Buffer
	if err := parquet.Write(&file, rows); err != nil {
		t.Fatal(err)
	}
	status, job = r.upload(t, url.Values{"kind": {"events"}, "name": {"orders.parquet"}, "mapping": {ordersMapping}}, nil, &file)
	if status != 200 {
		t.Fatalf("%d %v", status, job)
	}
	if done := r.until(t, job["id"], ended); done["status"] != "complete" || done["accepted"] != 1200.0 {
		t.Errorf("%v", done)
	}
	r.flush()
	if n := r.number("SELECT toUInt64(sum(numbers['revenue'])) FROM events WHERE toYear(timestamp) = 2023"); n != 1200*1199/2 {
		t.Errorf("revenue of 2023: %d", n)
	}
}

// A restart in the middle: the import goes on where it stopped, and every row is
// stored once. Then one that is cancelled.
func TestUploadGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	const rows = 60_000
	describe := url.Values{"kind": {"events"}, "name": {"orders.csv"}, "mapping": {ordersMapping}}
	status, job := r.upload(t, describe, nil, strings.NewReader(ordersFile(rows, "o")))
	if status != 200 {
		t.Fatalf("%d %v", status, job)
	}
	// A second one waits.
	_, waiting := r.upload(t, describe, nil, strings.NewReader(ordersFile(100, "w")))
	began := r.until(t, job["id"], func(j map[string]any) bool { return j["rowsDone"].(float64) > 0 })
	r.restart()
	done := r.until(t, job["id"], ended)
	if done["status"] != "complete" || done["accepted"] != rows*0.9 || done["rejected"] != rows*0.1 {
		t.Errorf("%v, which was at %v", done, began["rowsDone"])
	}
	if began["status"] == "complete" {
		t.Log("the import was quicker than the restart")
	}
	if after := r.until(t, waiting["id"], ended); after["accepted"] != 90.0 {
		t.Errorf("the one that waited: %v", after)
	}
	r.flush()
	if n := r.number("SELECT count() FROM events"); n != rows*9/10+90 {
		t.Errorf("%d events", n)
	}
	if n := strings.Count(r.text(t, fmt.Sprintf("/v1/imports/%s/rejects", job["id"])), "\n"); n != rows/10+1 {
		t.Errorf("%d lines of rejects", n)
	}

	_, job = r.upload(t, describe, nil, strings.NewReader(ordersFile(rows, "c")))
	r.until(t, job["id"], func(j map[string]any) bool { return j["rowsDone"].(float64) > 0 })
	var cancelled map[string]any
	if err := r.client.Post(t.Context(), fmt.Sprintf("/v1/imports/%s/cancel", job["id"]), struct{}{}, &cancelled); err != nil {
		t.Fatal(err)
	}
	if at := cancelled["rowsDone"].(float64); cancelled["status"] != "cancelled" || at == 0 || at >= rows {
		t.Errorf("cancelled: %v", cancelled)
	}
	if err := r.client.Post(t.Context(), fmt.Sprintf("/v1/imports/%s/cancel", job["id"]), struct{}{}, nil); err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("cancelled twice: %v", err)
	}
	_, again := r.upload(t, describe, nil, strings.NewReader(ordersFile(rows, "c")))
	if done := r.until(t, again["id"], ended); again["id"] != job["id"] || done["status"] != "complete" || done["accepted"] != rows*0.9 {
		t.Errorf("uploaded again: %v", done)
	}
	r.flush()
	if n := r.number("SELECT count() FROM events"); n != 2*rows*9/10+90 {
		t.Errorf("%d events in the end", n)
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := openResident(t, residentConfig(t))
	reader, _ := r.newKey(api.ScopeRead)
	with := func(change ...string) url.Values {
		q := url.Values{"kind": {"events"}, "name": {"orders.csv"}, "mapping": {ordersMapping}}
		for i := 0; i < len(change); i += 2 {
			q.Set(change[i], change[i+1])
		}
		return q
	}
	for name, c := range map[string]struct {
		query  url.Values
		header http.Header
		status int
		says   string
	}{
		"no kind":           {with("kind", ""), nil, 422, "profiles, events, items"},
		"no name":           {with("name", "../"), nil, 422, "name of the file"},
		"no format":         {with("name", "orders.xlsx"), nil, 422, "csv, ndjson, parquet"},
		"no mapping":        {with("mapping", ""), nil, 422, "which column"},
		"a wrong mapping":   {with("mapping", "userId: x"), nil, 422, "event is required"},
		"not a form":        {with(), http.Header{"Content-Type": {"multipart/form-data"}}, 400, "form"},
		"a form of nothing": {with(), http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, 422, "the file itself"},
		"no right":          {with(), http.Header{"Authorization": {"Bearer " + reader}}, 403, "scope"},
	} {
		status, out := r.upload(t, c.query, c.header, strings.NewReader("id\n1\n"))
		text, _ := json.Marshal(out)
		if status != c.status || !strings.Contains(string(text), c.says) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	// What only the file can tell is said by the job.
	for name, c := range map[string]struct{ file, body, says string }{
		"a mapping that points nowhere": {"orders.csv", "id,customer\n1,2\n", "points at the column"},
		"no Parquet":                    {"orders.parquet", "PAR1 is how it begins", "no Parquet"},
		"another encoding":              {"orders.csv", "\xff\xfei\x00d\x00", "UTF-16"},
	} {
		status, job := r.upload(t, with("name", c.file), nil, strings.NewReader(c.body))
		if status != 200 {
			t.Fatalf("%s: %d %v", name, status, job)
		}
		if done := r.until(t, job["id"], ended); done["status"] != "failed" || !strings.Contains(fmt.Sprint(done["error"]), c.says) {
			t.Errorf("%s: %v", name, done)
		}
	}
	if err := r.client.Get(t.Context(), "/v1/imports/none", nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a job that is not there: %v", err)
	}
}

// text is the body of an answer.
func (r *resident) text(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, response.StatusCode, body, err)
	}
	return string(body)
}
