package clickhouse

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

func writerUser(d *Database) User {
	return User{Name: "service", Password: "service-password", Databases: []string{d.Name}}
}

// dial connects clickhouse-go to the interface as it would to a server.
func dial(t testing.TB, s *httptest.Server, u User, compression chgo.CompressionMethod) driver.Conn {
	t.Helper()
	o := &chgo.Options{
		Protocol: chgo.HTTP, Addr: []string{strings.TrimPrefix(s.URL, "http://")},
		Auth: chgo.Auth{Database: u.Databases[0], Username: u.Name, Password: u.Password},
	}
	if compression != chgo.CompressionNone {
		o.Compression = &chgo.Compression{Method: compression, Level: 1}
	}
	conn, err := chgo.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestServiceInAnotherProcess(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	user := writerUser(d)
	server := serveInterface(t, user)
	const rows = 200_000
	for i, compression := range []chgo.CompressionMethod{chgo.CompressionNone, chgo.CompressionLZ4, chgo.CompressionZSTD, chgo.CompressionGZIP, chgo.CompressionBrotli} {
		conn := dial(t, server, user, compression)
		table := fmt.Sprintf("t%d", i)
		ctx := testContext(t)
		if err := conn.Exec(ctx, "CREATE TABLE "+table+" (n UInt64, s String) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"); err != nil {
			t.Fatal(err)
		}
		// The same range twice, as after a crash between insert and acknowledgement.
		for range 2 {
			tokened := chgo.Context(ctx, chgo.WithSettings(chgo.Settings{"insert_deduplication_token": "range-1"}))
			batch, err := conn.PrepareBatch(tokened, "INSERT INTO "+table)
			if err != nil {
				t.Fatal(err)
			}
			for n := range uint64(rows) {
				if err := batch.Append(n, fmt.Sprintf("row %d", n)); err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatalf("compression %v: %v", compression, err)
			}
		}
		var n, sum uint64
		var longest string
		if err := conn.QueryRow(ctx, "SELECT count(), sum(n), argMax(s, n) FROM "+table).Scan(&n, &sum, &longest); err != nil {
			t.Fatal(err)
		}
		if n != rows || sum != rows*(rows-1)/2 || longest != "row 199999" {
			t.Errorf("compression %v: %d rows, sum %d, last %q", compression, n, sum, longest)
		}
		var e *chgo.Exception
		if err := conn.Exec(ctx, "SELECT * FROM nowhere"); !errors.As(err, &e) || e.Code != 60 {
			t.Errorf("compression %v: error %v, want code 60", compression, err)
		}
	}
}

func TestReaderThroughClickHouseGo(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	mustExec(t, d, "CREATE TABLE t (n UInt64, a Array(String), l LowCardinality(String)) ENGINE = MergeTree ORDER BY n",
		"INSERT INTO t SELECT number, [toString(number)], 'x' FROM numbers(100000)")
	user := readerUser(d)
	server := serveInterface(t, user)
	conn := dial(t, server, user, chgo.CompressionLZ4)
	rows, err := conn.Query(testContext(t), "SELECT n, a, l FROM t WHERE n >= {from:UInt64} ORDER BY n", chgo.Named("from", "10"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	next := uint64(10)
	for rows.Next() {
		var n uint64
		var a []string
		var l string
		if err := rows.Scan(&n, &a, &l); err != nil {
			t.Fatal(err)
		}
		if n != next || len(a) != 1 || a[0] != fmt.Sprint(n) || l != "x" {
			t.Fatalf("row %d is %d %v %q", next, n, a, l)
		}
		next++
	}
	if err := rows.Err(); err != nil || next != 100000 {
		t.Fatalf("%d rows, error %v", next, err)
	}
	var e *chgo.Exception
	if err := conn.Exec(testContext(t), "INSERT INTO t VALUES (1, [], '')"); !errors.As(err, &e) || e.Code != codeReadonly {
		t.Errorf("an insert gave %v", err)
	}
	if _, err := conn.PrepareBatch(testContext(t), "INSERT INTO t"); err == nil {
		b, err := conn.PrepareBatch(testContext(t), "INSERT INTO t")
		if err == nil {
			err = errors.Join(b.Append(uint64(1), []string{}, ""), b.Send())
		}
		if err == nil {
			t.Error("a batch went in")
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	user := readerUser(d)
	server := serveInterface(t, user)
	const good = "reader-password"
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"none":           {func(*http.Request) {}, 401},
		"basic":          {func(r *http.Request) { r.SetBasicAuth("reader", good) }, 200},
		"wrong password": {func(r *http.Request) { r.SetBasicAuth("reader", "x") }, 401},
		"wrong user":     {func(r *http.Request) { r.SetBasicAuth("default", good) }, 401},
		"empty password": {func(r *http.Request) { r.SetBasicAuth("reader", "") }, 401},
		"default":        {func(r *http.Request) { r.SetBasicAuth("default", "") }, 401},
		"headers": {func(r *http.Request) {
			r.Header.Set("X-ClickHouse-User", "reader")
			r.Header.Set("X-ClickHouse-Key", good)
		}, 200},
		"wrong header": {func(r *http.Request) {
			r.Header.Set("X-ClickHouse-User", "reader")
			r.Header.Set("X-ClickHouse-Key", "y")
		}, 401},
		"parameters":      {func(r *http.Request) { r.URL.RawQuery += "&user=reader&password=" + good }, 200},
		"wrong parameter": {func(r *http.Request) { r.URL.RawQuery += "&user=reader&password=z" }, 401},
		"bearer":          {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+good) }, 401},
	} {
		request, err := http.NewRequestWithContext(testContext(t), http.MethodGet, server.URL+"/?query=SELECT+1", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.change(request)
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, c.status)
		}
		if c.status == 401 && response.Header.Get("X-ClickHouse-Exception-Code") != "516" {
			t.Errorf("%s: exception code %q, want 516", name, response.Header.Get("X-ClickHouse-Exception-Code"))
		}
	}
}

func TestHandlerRefusesUsers(t *testing.T) {
	t.Parallel()
	e := requireEngine(t)
	valid := User{Name: "a", Password: "12345678", Databases: []string{"db"}}
	for want, change := range map[string]func(*User){
		"name":          func(u *User) { u.Name = "" },
		"password":      func(u *User) { u.Password = "short" },
		"no database":   func(u *User) { u.Databases = nil },
		"database name": func(u *User) { u.Databases = []string{"a b"} },
		"must not have": func(u *User) { u.ReadOnly, u.Databases = true, []string{"default"} },
	} {
		user := valid
		change(&user)
		_, err := e.Handler([]User{user})
		wantError(t, err, want)
	}
	_, err := e.Handler([]User{valid, valid})
	wantError(t, err, "twice")
}

func TestRequestsOfTools(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	mustExec(t, d, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n", "INSERT INTO t SELECT number FROM numbers(1000)")
	reader, writer := readerUser(d), writerUser(d)
	server := serveInterface(t, reader, writer)
	zipped := func(s string) io.Reader {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(s))
		z.Close()
		return &b
	}
	for name, c := range map[string]struct {
		user    User
		method  string
		path    string
		body    io.Reader
		headers map[string]string
		status  int
		want    string // of the answer's beginning
		header  map[string]string
	}{
		"ping":                    {method: "GET", path: "/ping", status: 200, want: "Ok.\n"},
		"root":                    {method: "GET", path: "/", status: 200, want: "Ok.\n"},
		"unknown path":            {method: "GET", path: "/play", status: 404},
		"put":                     {user: reader, method: "PUT", path: "/", status: 405},
		"query by GET":            {user: reader, method: "GET", path: "/?query=SELECT+count()+FROM+t", status: 200, want: "1000\n"},
		"query in two parts":      {user: reader, method: "POST", path: "/?query=SELECT+count()", body: strings.NewReader(" FROM t"), status: 200, want: "1000\n"},
		"head":                    {user: reader, method: "HEAD", path: "/?query=SELECT+1", status: 200},
		"default format":          {user: reader, method: "POST", path: "/?default_format=JSONCompact", body: strings.NewReader("SELECT 1 AS a"), status: 200, want: "{", header: map[string]string{"X-ClickHouse-Format": "JSONCompact", "Content-Type": "application/json; charset=UTF-8"}},
		"format header":           {user: reader, method: "POST", path: "/", headers: map[string]string{"X-ClickHouse-Format": "CSV"}, body: strings.NewReader("SELECT 'a'"), status: 200, want: "\"a\"\n"},
		"format clause":           {user: reader, method: "POST", path: "/?default_format=JSON", body: strings.NewReader("SELECT 1 FORMAT TSVWithNames"), status: 200, want: "1\n1\n", header: map[string]string{"X-ClickHouse-Format": "TSVWithNames"}},
		"summary":                 {user: reader, method: "POST", path: "/?query_id=abc", body: strings.NewReader("SELECT sum(n) FROM t"), status: 200, want: "499500\n", header: map[string]string{"X-ClickHouse-Summary": `{"read_rows":"1000","read_bytes":"8000","written_rows":"0","written_bytes":"0","result_bytes":"7"}`, "X-ClickHouse-Query-Id": "abc"}},
		"gzip body":               {user: reader, method: "POST", path: "/", headers: map[string]string{"Content-Encoding": "gzip"}, body: zipped("SELECT 7"), status: 200, want: "7\n"},
		"broken gzip":             {user: reader, method: "POST", path: "/", headers: map[string]string{"Content-Encoding": "gzip"}, body: strings.NewReader("SELECT 7"), status: 400},
		"unknown encoding":        {user: reader, method: "POST", path: "/", headers: map[string]string{"Content-Encoding": "rot13"}, body: strings.NewReader("x"), status: 400},
		"gzip answer":             {user: reader, method: "POST", path: "/", headers: map[string]string{"Accept-Encoding": "br, gzip"}, body: strings.NewReader("SELECT n FROM t"), status: 200, header: map[string]string{"Content-Encoding": "gzip"}},
		"syntax":                  {user: writer, method: "POST", path: "/", body: strings.NewReader("SELECT 1 +"), status: 400, want: "Code: 62."},
		"unknown database":        {user: writer, method: "POST", path: "/?database=nowhere", body: strings.NewReader("SELECT 1"), status: 404, want: "Code: 81."},
		"other database":          {user: reader, method: "POST", path: "/?database=system", body: strings.NewReader("SELECT 1"), status: 403, want: "Code: 497."},
		"database header":         {user: reader, method: "POST", path: "/", headers: map[string]string{"X-ClickHouse-Database": "nowhere"}, body: strings.NewReader("SELECT 1"), status: 403},
		"tool's default database": {user: reader, method: "POST", path: "/?database=default", body: strings.NewReader("SELECT currentDatabase()"), status: 200, want: d.Name + "\n"},
		"writing by GET":          {user: writer, method: "GET", path: "/?query=CREATE+TABLE+x+(a+UInt8)+ENGINE+=+Memory", status: 403, want: "Code: 164."},
		"several statements":      {user: writer, method: "POST", path: "/", body: strings.NewReader("SELECT 1; SELECT 2"), status: 400, want: "Code: 62."},
		"protocol version":        {user: reader, method: "POST", path: "/?client_protocol_version=x", body: strings.NewReader("SELECT 1"), status: 400, want: "Code: 36."},
		"not a string type":       {user: reader, method: "POST", path: "/?param_x=abc", body: strings.NewReader("SELECT {x:UInt8}"), status: 400, want: "Code: 457."},
	} {
		request, err := http.NewRequestWithContext(testContext(t), c.method, server.URL+c.path, c.body)
		if err != nil {
			t.Fatal(err)
		}
		if c.user.Name != "" {
			request.SetBasicAuth(c.user.Name, c.user.Password)
		}
		for k, v := range c.headers {
			request.Header.Set(k, v)
		}
		response, err := (&http.Transport{DisableCompression: true}).RoundTrip(request)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.status || !strings.HasPrefix(string(answer), c.want) {
			t.Errorf("%s: status %d, %.200q, %v; want %d, %q", name, response.StatusCode, answer, err, c.status, c.want)
		}
		for k, v := range c.header {
			if response.Header.Get(k) != v {
				t.Errorf("%s: header %s is %q, want %q", name, k, response.Header.Get(k), v)
			}
		}
	}
}

func TestInsertsInTheBody(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	user := writerUser(d)
	server := serveInterface(t, user)
	mustExec(t, d, "CREATE TABLE t (n UInt64, s String) ENGINE = Memory", "CREATE TABLE `values` (n UInt64) ENGINE = Memory")
	var long strings.Builder // more than the 1 MiB at which the library cuts
	for i := range 50_000 {
		fmt.Fprintf(&long, "{\"n\": %d, \"s\": \"a longer text to fill the body; it has '\\\"`--/*\"}\n", i)
	}
	for _, c := range []struct {
		parameters url.Values
		body       string
		table      string
		rows       int
	}{
		{nil, "INSERT INTO t VALUES (1, 'a'), (2, 'b;')", "t", 2},
		{nil, "insert into t (n) values (1)", "t", 1},
		{nil, "INSERT INTO t (n) SETTINGS max_threads = 1 VALUES (1)", "t", 1},
		{nil, "INSERT INTO t FORMAT CSV\n1,a\n2,b\n3,c\n", "t", 3},
		{nil, "INSERT INTO t FORMAT JSONEachRow {\"n\": 1}", "t", 1},
		{nil, "/* x */ INSERT INTO `" + d.Name + "`.t (s, n) FORMAT TSV\na\t1\n", "t", 1},
		{nil, "INSERT INTO t SELECT number, 'x' FROM numbers(5)", "t", 5},
		{nil, "INSERT INTO `values` VALUES (1), (2)", "`values`", 2},
		{url.Values{"query": {"INSERT INTO t FORMAT JSONEachRow"}}, long.String(), "t", 50_000},
		{url.Values{"query": {"INSERT INTO t (s) FORMAT CSV"}}, "\"SELECT 1\"\n\"x\"\n", "t", 2},
		{url.Values{"query": {"INSERT INTO t VALUES"}}, "(1, 'a')", "t", 1},
		{nil, "INSERT INTO t FORMAT JSONEachRow\n" + long.String(), "t", 50_000},
	} {
		mustExec(t, d, "TRUNCATE TABLE "+c.table)
		status, _, answer := ask(t, server, user, c.body, c.parameters)
		if status != http.StatusOK {
			t.Errorf("%.60q: %d %s", c.body, status, answer)
		}
		if n := count(t, d, "SELECT count() FROM "+c.table); n != uint64(c.rows) {
			t.Errorf("%.60q: %d rows, want %d", c.body, n, c.rows)
		}
	}
	mustExec(t, d, "TRUNCATE TABLE t")
	for _, body := range []string{"INSERT INTO t VALUES (1, 'a'), (oops", "INSERT INTO t FORMAT JSONEachRow {\"n\": ", "INSERT INTO t FORMAT Native\nxx", "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV"} {
		if status, _, answer := ask(t, server, user, body, nil); status == http.StatusOK {
			t.Errorf("%q: %d %s", body, status, answer)
		}
	}
	if n := count(t, d, "SELECT count() FROM t"); n != 0 {
		t.Errorf("broken inserts left %d rows", n)
	}
}

// A caller who goes away while sending rows must leave nothing behind: what it
// sent so far could pass for a complete block.
func TestInterruptedInsertInsertsNothing(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	user := writerUser(d)
	server := serveInterface(t, user)
	mustExec(t, d, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
	ctx, cancel := context.WithCancel(testContext(t))
	body, rows := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/?query="+url.QueryEscape("INSERT INTO t FORMAT TSV"), body)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(user.Name, user.Password)
	done := make(chan error, 1)
	go func() {
		response, err := server.Client().Do(request)
		if err == nil {
			response.Body.Close()
		}
		done <- err
	}()
	for i := range 1000 {
		fmt.Fprintf(rows, "%d\n", i)
	}
	cancel()
	rows.CloseWithError(errors.New("gone"))
	if err := <-done; err == nil {
		t.Fatal("the interrupted insert was acknowledged")
	}
	server.Close() // waits for the request to end
	if n := count(t, d, "SELECT count() FROM t"); n != 0 {
		t.Errorf("%d rows of an interrupted insert", n)
	}
}

func TestReadersAreBounded(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	reader, writer := readerUser(d), writerUser(d)
	server := serveInterface(t, reader, writer)
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	retry := ""
	for range interfaceReaders + 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			status, header, _ := ask(t, server, reader, "SELECT sleep(1.5)", nil)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			if status == http.StatusServiceUnavailable {
				retry = header.Get("Retry-After")
			}
		}()
	}
	time.Sleep(500 * time.Millisecond)
	// Readers do not take the service's places.
	if status, _, answer := ask(t, server, writer, "SELECT 1", nil); status != http.StatusOK {
		t.Errorf("a service was answered %d %s", status, answer)
	}
	wg.Wait()
	if statuses[http.StatusOK] != interfaceReaders || statuses[http.StatusServiceUnavailable] != 4 || retry != retryAfter {
		t.Errorf("statuses %v, Retry-After %q", statuses, retry)
	}
	if status, _, answer := ask(t, server, reader, "SELECT 1", nil); status != http.StatusOK {
		t.Errorf("afterwards: %d %s", status, answer)
	}
}
