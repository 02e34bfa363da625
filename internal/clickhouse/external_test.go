package clickhouse

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	chgo "github.com/ClickHouse/clickhouse-go/v2"
)

// An external engine is tested against the HTTP interface, which is what a
// second process with the embedded engine offers.
func TestExternal(t *testing.T) {
	t.Parallel()
	start := newDatabase(t)
	user := writerUser(start)
	server := serveInterface(t, user)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Path = url.UserPassword(user.Name, user.Password), "/"+start.Name
	ctx := testContext(t)
	e, err := OpenExternal(ctx, u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.Embedded() {
		t.Error("the engine says that it is embedded")
	}
	if _, err := e.Handler([]User{user}); err == nil {
		t.Error("an external engine was served")
	}
	name := start.Name + "_external"
	d, err := e.Database(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, "CREATE TABLE log (n UInt64, s String) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 10")
	for range 2 {
		if err := insertRange(ctx, d, 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, d, "SELECT count() FROM log"); n != recoveryRows {
		t.Errorf("%d rows, want %d", n, recoveryRows)
	}
	if n := count(t, start, "SELECT count() FROM "+name+".log"); n != recoveryRows {
		t.Errorf("%d rows seen from the engine, want %d", n, recoveryRows)
	}
	var number int
	if err := d.SQL().QueryRowContext(ctx, "SELECT 7").Scan(&number); err != nil || number != 7 {
		t.Errorf("database/sql gave %d, %v", number, err)
	}
	if err := e.DropDatabase(ctx, name); err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user.Name, "wrong-password")
	_, err = OpenExternal(ctx, u.String())
	var exception *chgo.Exception
	if !errors.As(err, &exception) || exception.Code != codeAuthentication {
		t.Errorf("a wrong password gave %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                          "clickhouse://",
		"host:9000":                 "clickhouse://",
		"postgres://host/db":        "clickhouse://",
		"://":                       "not a URL",
		"clickhouse://u:s3cret@%zz": "not a URL",
		"http://":                   "address",
	} {
		_, err := OpenExternal(testContext(t), address)
		wantError(t, err, want)
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	for address, want := range map[string]struct {
		protocol chgo.Protocol
		tls      bool
		addr     string
	}{
		"clickhouse://u:p@host:9000/db":             {chgo.Native, false, "host:9000"},
		"clickhouse://u:p@host:9440/db?secure=true": {chgo.Native, true, "host:9440"},
		"http://u:p@host:8123/db":                   {chgo.HTTP, false, "host:8123"},
		"https://u:p@host:8443/db":                  {chgo.HTTP, true, "host:8443"},
	} {
		o, err := parseAddress(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if o.Protocol != want.protocol || (o.TLS != nil) != want.tls || o.Addr[0] != want.addr || o.Auth.Database != "db" || o.Auth.Username != "u" || o.Auth.Password != "p" {
			t.Errorf("%s became %+v", address, o)
		}
	}
}
