package clickhouse

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestLibraryPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for platform, file := range map[string]string{
		"linux/amd64": "lib-linux-x64-gnu/libchdb.so", "linux/arm64": "lib-linux-arm64-gnu/libchdb.so",
		"darwin/arm64": "lib-darwin-arm64/libchdb.so", "darwin/amd64": "lib-darwin-x64/libchdb.dylib",
	} {
		_, err := libraryPath(dir, platform)
		if !errors.Is(err, ErrNoEmbeddedEngine) {
			t.Errorf("%s, not installed: %v", platform, err)
		}
		wantError(t, err, "make engines", "QUINTET_CLICKHOUSE_URL")
		want := filepath.Join(dir, "node_modules", "@chdb", filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(want), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(want, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := libraryPath(dir, platform); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", platform, got, err, want)
		}
	}
	for _, platform := range []string{"windows/amd64", "linux/riscv64", "freebsd/amd64"} {
		_, err := libraryPath(dir, platform)
		if !errors.Is(err, ErrNoEmbeddedEngine) {
			t.Errorf("%s: %v", platform, err)
		}
		wantError(t, err, platform, "Linux x64 and arm64", "macOS", "QUINTET_CLICKHOUSE_URL")
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("the message has more than one line: %v", err)
		}
	}
}

// The lock file pins every engine, with integrity, and names no registry.
func TestEnginesAreLocked(t *testing.T) {
	t.Parallel()
	dir, err := enginesDir()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string, into any) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
		return text
	}
	var manifest struct{ OptionalDependencies map[string]string }
	read("package.json", &manifest)
	var lock struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	text := read("package-lock.json", &lock)
	if strings.Contains(string(text), "resolved") || strings.Contains(string(text), "://") {
		t.Error("the lock file holds addresses")
	}
	// Checksums of these are still to be recorded, see engines/README.md.
	unrecorded := nameSet("@chdb/lib-darwin-arm64", "@chdb/lib-darwin-x64", "@chdb/lib-linux-arm64-gnu")
	if len(manifest.OptionalDependencies) != 8 {
		t.Errorf("%d engines, want Postgres and ClickHouse for four platforms", len(manifest.OptionalDependencies))
	}
	for name, version := range manifest.OptionalDependencies {
		locked := lock.Packages["node_modules/"+name]
		if locked.Version != version || !regexp.MustCompile(`^[0-9]`).MatchString(version) {
			t.Errorf("%s is wanted at %s and locked at %q", name, version, locked.Version)
		}
		if !strings.HasPrefix(locked.Integrity, "sha512-") && !unrecorded[name] {
			t.Errorf("%s is locked without integrity", name)
		}
	}
}
