package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// setting describes one setting: where it comes from and what it may be.
type setting struct {
	key    string
	usage  string
	secret bool // hide user and password of its URL
	define func(*pflag.FlagSet, *setting)
	check  func(string) string // the rule that a value breaks, or nothing
}

func (s *setting) env() string {
	return "QUINTET_" + strings.ToUpper(strings.ReplaceAll(s.key, "-", "_"))
}

func text(value string) func(*pflag.FlagSet, *setting) {
	return func(f *pflag.FlagSet, s *setting) { f.String(s.key, value, s.usage) }
}

func number(value int64) func(*pflag.FlagSet, *setting) {
	return func(f *pflag.FlagSet, s *setting) { f.Int64(s.key, value, s.usage) }
}

func duration(value time.Duration) func(*pflag.FlagSet, *setting) {
	return func(f *pflag.FlagSet, s *setting) { f.Duration(s.key, value, s.usage) }
}

func flag(value bool) func(*pflag.FlagSet, *setting) {
	return func(f *pflag.FlagSet, s *setting) { f.Bool(s.key, value, s.usage) }
}

// settings is every setting in the order in which people read them.
func settings() []*setting {
	return []*setting{
		{key: "listen", define: text("127.0.0.1:8080"), check: address, usage: "address of the API and the console"},
		{key: "public-url", define: text(""), check: addressURL("http", "https"), usage: "address that people use, when a proxy stands in front"},
		{key: "data-dir", define: text(".quintet"), check: given, usage: "directory of everything that embedded engines keep"},
		{key: "engines-dir", define: text("engines"), check: given, usage: "npm folder with the binaries of the embedded engines"},
		{key: "postgres-url", define: text(""), secret: true, check: scheme("postgres", "postgresql"), usage: "Postgres server; embedded when empty"},
		{key: "clickhouse-url", define: text(""), secret: true, check: addressURL("clickhouse", "tcp", "http", "https"), usage: "ClickHouse server; embedded when empty"},
		{key: "clickhouse-database", define: text("quintet"), check: name, usage: "database of the log"},
		{key: "clickhouse-listen", define: text("127.0.0.1:8124"), check: optionalLoopback, usage: "loopback address on which the embedded ClickHouse answers SQL tools; off when empty"},
		{key: "nats-url", define: text(""), secret: true, check: addressURLs("nats", "tls", "ws", "wss"), usage: "NATS server with JetStream, or several of a cluster with commas between; embedded when empty"},
		{key: "stream-max-bytes", define: number(4 << 30), check: atLeast(16 << 20), usage: "most bytes that each topic of the stream keeps before callers get 429"},
		{key: "stream-sync", define: flag(false), usage: "flush every record to disk before answering, which survives a power cut and not only a crash"},
		{key: "stream-replicas", define: number(1), check: oneOf("1", "3", "5"), usage: "copies of the stream in an external NATS cluster"},
		{key: "log-level", define: text("info"), check: oneOf("debug", "info", "warn", "error"), usage: "least severe messages to log: debug, info, warn, error"},
		{key: "log-format", define: text("text"), check: oneOf("text", "json"), usage: "text or json"},
		{key: "shutdown-timeout", define: duration(20 * time.Second), check: atMost(10 * time.Minute), usage: "time to finish requests and to store what was acknowledged"},
		{key: "body-limit", define: number(4 << 20), check: between(64<<10, 256<<20), usage: "most bytes of a request body"},
		{key: "duplicate-memory", define: number(1 << 30), check: between(1<<20, 1<<40), usage: "most bytes of memory for recognising the messages of the last seven days; 100 million take 1.2 GB"},
		{key: "decide-timeout", define: duration(50 * time.Millisecond), check: atMost(30 * time.Second), usage: "time after which a decision falls back to its default action"},
	}
}

func given(v string) string {
	if v == "" {
		return "must not be empty"
	}
	return ""
}

func address(v string) string {
	if _, _, err := net.SplitHostPort(v); err != nil {
		return "must be an address such as 127.0.0.1:8080"
	}
	return ""
}

func optionalLoopback(v string) string {
	if v == "" {
		return ""
	}
	host, _, err := net.SplitHostPort(v)
	if err != nil {
		return "must be an address such as 127.0.0.1:8124, or empty"
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "must be a loopback address: put a proxy with its own access control in front to open it to others"
	}
	return ""
}

// scheme is the rule for Postgres, whose URLs may name several hosts or, for a socket,
// none; the driver checks the rest.
func scheme(schemes ...string) func(string) string {
	return func(v string) string {
		before, after, found := strings.Cut(v, "://")
		if v == "" || found && after != "" && slices.Contains(schemes, before) {
			return ""
		}
		return beginsWith(schemes)
	}
}

func addressURL(schemes ...string) func(string) string {
	return func(v string) string {
		if v == "" {
			return ""
		}
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
			return beginsWith(schemes)
		}
		return ""
	}
}

// addressURLs is addressURL for a list with commas.
func addressURLs(schemes ...string) func(string) string {
	check := addressURL(schemes...)
	return func(v string) string {
		if v == "" {
			return ""
		}
		for part := range strings.SplitSeq(v, ",") {
			if rule := check(part); part == "" || rule != "" {
				return beginsWith(schemes) + " each, with commas between"
			}
		}
		return ""
	}
}

// beginsWith does not repeat the value: it may hold a password.
func beginsWith(schemes []string) string {
	return fmt.Sprintf("must be a URL that begins with %s://", strings.Join(schemes, ":// or "))
}

func name(v string) string {
	if v == "" || len(v) > 63 || strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || v[0] >= '0' && v[0] <= '9' {
		return "must be 1 to 63 letters, digits and underscores and not begin with a digit"
	}
	return ""
}

func oneOf(values ...string) func(string) string {
	return func(v string) string {
		for _, x := range values {
			if v == x {
				return ""
			}
		}
		return "must be one of " + strings.Join(values, ", ")
	}
}

func atLeast(least int64) func(string) string { return between(least, 1<<62) }

func between(least, most int64) func(string) string {
	return func(v string) string {
		var n int64
		if _, err := fmt.Sscan(v, &n); err != nil || n < least || n > most {
			if most == 1<<62 {
				return fmt.Sprintf("must be at least %d", least)
			}
			return fmt.Sprintf("must be between %d and %d", least, most)
		}
		return ""
	}
}

func atMost(most time.Duration) func(string) string {
	return func(v string) string {
		if d, err := time.ParseDuration(v); err != nil || d <= 0 || d > most {
			return fmt.Sprintf("must be a duration above zero and at most %s, such as 50ms", most)
		}
		return ""
	}
}
