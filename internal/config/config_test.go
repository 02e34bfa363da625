package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"quintet/internal/config"
)

func load(t *testing.T, args []string, environ ...string) (config.Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.BindFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return config.LoadFrom(flags, func() []string { return environ })
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "QUINTET_CONFIG=" + path
}

func source(c config.Config, key string) string {
	for _, r := range c.Rows() {
		if r.Key == key {
			return r.Source
		}
	}
	return ""
}

// Every setting, from every place that it can come from, and which place wins.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	const key = "decide-timeout"
	flag, variable, file := []string{"--decide-timeout", "1s"}, "QUINTET_DECIDE_TIMEOUT=2s", "decide-timeout: 3s\n"
	for _, tt := range []struct {
		name            string
		flag, env, file bool
		want            time.Duration
		source          string
	}{
		{name: "nothing", want: 50 * time.Millisecond, source: "default"},
		{name: "file", file: true, want: 3 * time.Second, source: "settings.yaml"},
		{name: "environment", env: true, want: 2 * time.Second, source: "environment"},
		{name: "environment over file", env: true, file: true, want: 2 * time.Second, source: "environment"},
		{name: "flag", flag: true, want: time.Second, source: "flag --decide-timeout"},
		{name: "flag over file", flag: true, file: true, want: time.Second, source: "flag --decide-timeout"},
		{name: "flag over environment", flag: true, env: true, want: time.Second, source: "flag --decide-timeout"},
		{name: "flag over both", flag: true, env: true, file: true, want: time.Second, source: "flag --decide-timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var args, environ []string
			if tt.flag {
				args = flag
			}
			if tt.env {
				environ = append(environ, variable)
			}
			content := "log-level: warn\n"
			if tt.file {
				content += file
			}
			c, err := load(t, args, append(environ, write(t, content), "HOME=/nowhere", "QUINTET_SERVICE_HOST=10.0.0.1", "QUINTET_POSTGRES_PORT_5432_TCP_ADDR=10.0.0.2")...)
			if err != nil {
				t.Fatal(err)
			}
			if c.DecideTimeout != tt.want || !strings.HasSuffix(source(c, key), tt.source) {
				t.Errorf("%s = %v from %q, want %v from %q", key, c.DecideTimeout, source(c, key), tt.want, tt.source)
			}
			if c.LogLevel != "warn" {
				t.Errorf("log-level = %q, want the file's", c.LogLevel)
			}
		})
	}
}

func TestEverySettingIsFilled(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil, write(t, `
listen: 127.0.0.1:1
public-url: https://example.org/
data-dir: a
engines-dir: b
postgres-url: postgres://u:p@h1:5432,h2:5432/db
clickhouse-url: clickhouse://h:9000
clickhouse-database: c
clickhouse-listen: "[::1]:2"
nats-url: nats://u:p@h1:4222,nats://h2:4222
stream-max-bytes: 8589934592
stream-sync: true
stream-replicas: 3
log-level: debug
log-format: json
shutdown-timeout: 3s
body-limit: 65536
duplicate-memory: 2097152
decide-timeout: 4ms
`))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Listen, " ", c.PublicURL, " ", c.DataDir, " ", c.EnginesDir, " ", c.PostgresURL, " ", c.ClickHouseURL, " ", c.ClickHouseDatabase, " ",
		c.ClickHouseListen, " ", c.NATSURL, " ", c.StreamMaxBytes, " ", c.StreamSync, " ", c.StreamReplicas, " ", c.LogLevel, " ", c.LogFormat, " ",
		c.ShutdownTimeout, " ", c.BodyLimit, " ", c.DuplicateMemory, " ", c.DecideTimeout)
	want := "127.0.0.1:1 https://example.org a b postgres://u:p@h1:5432,h2:5432/db clickhouse://h:9000 c [::1]:2 nats://u:p@h1:4222,nats://h2:4222 8589934592 true 3 debug json 3s 65536 2097152 4ms"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, row := range c.Rows() {
		if !strings.HasSuffix(row.Source, "settings.yaml") {
			t.Errorf("%s comes from %q, want the file", row.Key, row.Source)
		}
		if row.Env == "" || row.Env != strings.ToUpper(row.Env) {
			t.Errorf("%s has the variable %q", row.Key, row.Env)
		}
	}
	if len(c.Rows()) != 18 {
		t.Errorf("%d rows, want 18: extend this test with the new setting", len(c.Rows()))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		args       []string
		environ    []string
	}{
		{name: "unknown in the environment", environ: []string{"QUINTET_LISTN=x"}, want: "QUINTET_LISTN is not a setting"},
		{name: "unknown in the file", environ: []string{write(t, "lisen: x\n")}, want: "lisen is not a setting"},
		{name: "missing file", environ: []string{"QUINTET_CONFIG=/does/not/exist.yaml"}, want: "exist.yaml"},
		{name: "malformed file", environ: []string{write(t, "a: [\n")}, want: "reading"},
		{name: "bad number", environ: []string{"QUINTET_BODY_LIMIT=lots"}, want: "body-limit (QUINTET_BODY_LIMIT, from environment) must be a whole number"},
		{name: "number out of range", args: []string{"--body-limit", "1"}, want: "body-limit"},
		{name: "bad duration", environ: []string{"QUINTET_DECIDE_TIMEOUT=soon"}, want: "must be a duration"},
		{name: "negative duration", args: []string{"--decide-timeout", "-1s"}, want: "must be a duration above zero"},
		{name: "long duration", args: []string{"--decide-timeout", "1h"}, want: "at most 30s"},
		{name: "duration without unit", environ: []string{write(t, "decide-timeout: 50\n")}, want: "must be a duration"},
		{name: "nested key", environ: []string{write(t, "listen:\n  port: 8080\n")}, want: "listen.port is not a setting"},
		{name: "key twice", environ: []string{write(t, "listen: a:1\nlisten: b:1\n")}, want: "already defined"},
		{name: "list for a file", environ: []string{write(t, "- listen\n")}, want: "reading"},
		{name: "even replicas", args: []string{"--stream-replicas", "2"}, want: "stream-replicas (QUINTET_STREAM_REPLICAS, from flag --stream-replicas) must be one of 1, 3, 5"},
		{name: "one bad NATS server", args: []string{"--nats-url", "nats://a:1,http://b:2"}, want: "nats-url"},
		{name: "several", environ: []string{"QUINTET_LISTEN=x", "QUINTET_LOG_LEVEL=x"}, want: "log-level"},
		{name: "bad boolean", environ: []string{"QUINTET_STREAM_SYNC=maybe"}, want: "must be true or false"},
		{name: "bad address", args: []string{"--listen", "8080"}, want: "listen"},
		{name: "open SQL port", args: []string{"--clickhouse-listen", "0.0.0.0:8124"}, want: "must be a loopback address"},
		{name: "bad URL", args: []string{"--postgres-url", "mysql://x/y"}, want: "postgres-url"},
		{name: "bad level", args: []string{"--log-level", "loud"}, want: "must be one of debug, info, warn, error"},
		{name: "bad database", args: []string{"--clickhouse-database", "a b"}, want: "clickhouse-database"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, tt.args, tt.environ...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"QUINTET_POSTGRES_URL":   "postgres://alice:s3cret@db:5432/app",
		"QUINTET_CLICKHOUSE_URL": "http://db:8123/app?password=s3cret&username=bob",
		"QUINTET_NATS_URL":       "nats://s3cret@a:4222,nats://alice:s3cret@b:4222",
	} {
		for _, args := range [][]string{nil, {"--" + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "QUINTET_"), "_", "-")), address}} {
			var environ []string
			if args == nil {
				environ = []string{name + "=" + address}
			}
			c, err := load(t, args, environ...)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range c.Rows() {
				if strings.Contains(r.Value, "s3cret") || strings.Contains(r.Value, "alice") {
					t.Errorf("%s shows its secret: %s", r.Key, r.Value)
				}
			}
			if printed := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(printed, "s3cret") {
				t.Errorf("the printed configuration shows a secret: %s", printed)
			}
			if !strings.Contains(c.PostgresURL+c.ClickHouseURL+c.NATSURL, "s3cret") {
				t.Error("the setting itself must keep the password")
			}
		}
	}
	// Malformed: refused, without showing what was given.
	for _, address := range []string{"nats://alice:s3,cret@a:4222", "nats://alice:s3/cret@a b", "s3cret"} {
		_, err := load(t, nil, "QUINTET_NATS_URL="+address)
		if err == nil || strings.Contains(err.Error(), "s3") {
			t.Errorf("%s: got %v, want an error that does not show it", address, err)
		}
	}
}
