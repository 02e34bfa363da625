package config_test

import (
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

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, "listen: 127.0.0.1:1000\ndecide-timeout: 70ms\nlog-level: warn\nstream-sync: true\n")
	c, err := load(t, []string{"--listen", "127.0.0.1:3000"}, file, "QUINTET_LISTEN=127.0.0.1:2000", "QUINTET_LOG_LEVEL=error", "HOME=/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3000" || source(c, "listen") != "flag --listen" {
		t.Errorf("listen = %q from %q, want the flag's", c.Listen, source(c, "listen"))
	}
	if c.LogLevel != "error" || source(c, "log-level") != "environment" {
		t.Errorf("log-level = %q from %q, want the environment's", c.LogLevel, source(c, "log-level"))
	}
	if c.DecideTimeout != 70*time.Millisecond || !c.StreamSync || !strings.HasSuffix(source(c, "decide-timeout"), "settings.yaml") {
		t.Errorf("decide-timeout = %v, stream-sync = %v, want the file's", c.DecideTimeout, c.StreamSync)
	}
	if c.BodyLimit != 4<<20 || source(c, "body-limit") != "default" {
		t.Errorf("body-limit = %d from %q, want the default", c.BodyLimit, source(c, "body-limit"))
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
	c, err := load(t, nil, "QUINTET_POSTGRES_URL=postgres://alice:s3cret@db:5432/app", "QUINTET_CLICKHOUSE_URL=http://db:8123/app?password=s3cret&username=bob")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Rows() {
		if strings.Contains(r.Value, "s3cret") {
			t.Errorf("%s shows its secret: %s", r.Key, r.Value)
		}
	}
	if !strings.Contains(c.PostgresURL, "s3cret") {
		t.Error("the setting itself must keep the password")
	}
}
