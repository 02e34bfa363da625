package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// defaultFile is read when it exists; a file that QUINTET_CONFIG names has to.
const defaultFile = "quintet.yaml"

// Prefixes of environment variables that are no settings: tests and the
// variable that names the file.
var notSettings = []string{"QUINTET_CONFIG", "QUINTET_TEST_", "QUINTET_E2E_", "QUINTET_SQL_"}

// serviceLink is what Kubernetes and Docker put into a container's environment for a
// service that is called quintet or quintet-something.
var serviceLink = regexp.MustCompile(`^QUINTET_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$`)

// BindFlags defines a flag for every setting.
func BindFlags(flags *pflag.FlagSet) {
	for _, s := range settings() {
		s.define(flags, s)
	}
}

// Load reads the configuration of a flag set that has [BindFlags]'s flags and has
// been parsed. An error names every setting that is wrong and the rule.
func Load(flags *pflag.FlagSet) (Config, error) { return LoadFrom(flags, os.Environ) }

// LoadFrom is [Load] with another environment.
func LoadFrom(flags *pflag.FlagSet, environ func() []string) (Config, error) {
	all := settings()
	byKey, byEnv := make(map[string]*setting, len(all)), make(map[string]*setting, len(all))
	for _, s := range all {
		byKey[s.key], byEnv[s.env()] = s, s
	}
	var wrong []error
	fromFile, path, err := readFile(environ)
	if err != nil {
		return Config{}, err
	}
	for _, key := range fromFile.Keys() {
		if byKey[key] == nil {
			wrong = append(wrong, fmt.Errorf("%s: %s is not a setting", path, key))
		}
	}
	fromEnv := koanf.New(".")
	if err := fromEnv.Load(env.Provider(".", env.Opt{Prefix: "QUINTET_", EnvironFunc: environ, TransformFunc: func(k, v string) (string, any) {
		for _, p := range notSettings {
			if strings.HasPrefix(k, p) {
				return "", nil
			}
		}
		s := byEnv[k]
		if s == nil && serviceLink.MatchString(k) {
			return "", nil
		}
		if s == nil {
			wrong = append(wrong, fmt.Errorf("environment: %s is not a setting", k))
			return "", nil
		}
		return s.key, v
	}}), nil); err != nil {
		return Config{}, fmt.Errorf("reading the environment: %w", err)
	}
	k := koanf.New(".")
	for _, from := range []*koanf.Koanf{fromFile, fromEnv} {
		if err := k.Merge(from); err != nil {
			return Config{}, err
		}
	}
	// Flags that were not given only fill in defaults.
	if err := k.Load(posflag.Provider(flags, ".", k), nil); err != nil {
		return Config{}, fmt.Errorf("reading the flags: %w", err)
	}
	c := Config{}
	for _, s := range all {
		source := "default"
		switch {
		case flags.Changed(s.key):
			source = "flag --" + s.key
		case fromEnv.Exists(s.key):
			source = "environment"
		case fromFile.Exists(s.key):
			source = path
		}
		value := k.String(s.key)
		if rule := s.broken(flags, value); rule != "" {
			wrong = append(wrong, fmt.Errorf("%s (%s, from %s) %s", s.key, s.env(), source, rule))
		}
		shown := value
		if s.secret {
			shown = redact(value)
		}
		c.rows = append(c.rows, Row{Key: s.key, Env: s.env(), Value: shown, Source: source})
	}
	if len(wrong) > 0 {
		sort.Slice(wrong, func(i, j int) bool { return wrong[i].Error() < wrong[j].Error() })
		return Config{}, errors.Join(wrong...)
	}
	c.fill(k)
	return c, nil
}

// broken is the rule that a value breaks: that of its type first.
func (s *setting) broken(flags *pflag.FlagSet, value string) string {
	switch flags.Lookup(s.key).Value.Type() {
	case "int64":
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return "must be a whole number"
		}
	case "bool":
		if _, err := strconv.ParseBool(value); err != nil {
			return "must be true or false"
		}
	}
	if s.check == nil {
		return ""
	}
	return s.check(value)
}

func (c *Config) fill(k *koanf.Koanf) {
	c.Listen, c.PublicURL = k.String("listen"), strings.TrimRight(k.String("public-url"), "/")
	c.DataDir, c.EnginesDir = k.String("data-dir"), k.String("engines-dir")
	c.PostgresURL, c.ClickHouseURL, c.NATSURL = k.String("postgres-url"), k.String("clickhouse-url"), k.String("nats-url")
	c.ClickHouseDatabase, c.ClickHouseListen = k.String("clickhouse-database"), k.String("clickhouse-listen")
	c.StreamMaxBytes, c.StreamSync, c.StreamReplicas = k.Int64("stream-max-bytes"), k.Bool("stream-sync"), k.Int("stream-replicas")
	c.LogLevel, c.LogFormat = k.String("log-level"), k.String("log-format")
	c.ShutdownTimeout, c.DecideTimeout = k.Duration("shutdown-timeout"), k.Duration("decide-timeout")
	c.BodyLimit, c.DuplicateMemory = k.Int64("body-limit"), k.Int64("duplicate-memory")
}

func readFile(environ func() []string) (*koanf.Koanf, string, error) {
	k := koanf.New(".")
	path, named := defaultFile, false
	for _, entry := range environ() {
		if value, ok := strings.CutPrefix(entry, "QUINTET_CONFIG="); ok && value != "" {
			path, named = value, true
		}
	}
	err := k.Load(file.Provider(path), yaml.Parser())
	if errors.Is(err, fs.ErrNotExist) && !named {
		return koanf.New("."), path, nil
	}
	if err != nil {
		return nil, path, fmt.Errorf("reading %s: %w", path, err)
	}
	return k, path, nil
}

// secretParameter matches the parameters of a URL that hold a secret.
var secretParameter = regexp.MustCompile(`(?i)([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*`)

// redact hides the user, the password and secret parameters of a URL, or of each in a
// list. It does not rely on the URL being well-formed: what is between :// and the last
// @ is hidden.
func redact(value string) string {
	parts := strings.Split(value, ",")
	for _, part := range parts {
		if u, err := url.Parse(part); err != nil || u.Host == "" {
			parts = []string{value} // a comma inside, of a password perhaps
			break
		}
	}
	for i, part := range parts {
		if before, rest, found := strings.Cut(part, "://"); found {
			if at := strings.LastIndexByte(rest, '@'); at >= 0 {
				part = before + "://hidden" + rest[at:]
			}
		}
		parts[i] = secretParameter.ReplaceAllString(part, "${1}hidden")
	}
	return strings.Join(parts, ",")
}
