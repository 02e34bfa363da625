//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// readOnlyErrors are the system's ways of refusing a write besides a lack of permission.
var readOnlyErrors = []error{syscall.EROFS}

// nobodyID is the account that Linux distributions agree on where no name is known.
const nobodyID = 65534

// identity is the account that the server runs under.
type identity struct {
	uid, gid uint32
	// switched says that this is another account than the process's own.
	switched bool
	// capabilities are what the account needs to reach its files (Linux, see
	// reachability); empty when it can walk there by itself.
	capabilities []uintptr
}

// chooseIdentity says who runs the server on clusterDir, which need not exist.
//
// An ordinary user runs it as itself. Root cannot, so it runs as nobody; where the
// cluster exists and belongs to some other account, as that one, so that a clone used
// by an ordinary user keeps working for it after root has run there.
func chooseIdentity(clusterDir string) (identity, error) {
	self := uint32(os.Geteuid())
	ownerUID, ownerGID, exists, err := ownerOf(clusterDir)
	if err != nil {
		return identity{}, err
	}
	if self != 0 {
		if exists && ownerUID != self {
			return identity{}, fmt.Errorf("%s belongs to user %d and this is user %d: run as that user, or set QUINTET_DATA_DIR to another directory", clusterDir, ownerUID, self)
		}
		return identity{uid: self, gid: uint32(os.Getegid())}, nil
	}
	if exists && ownerUID != 0 {
		return identity{uid: ownerUID, gid: ownerGID, switched: true}, nil
	}
	id := identity{uid: nobodyID, gid: nobodyID, switched: true}
	if account, err := user.Lookup("nobody"); err == nil {
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			id.uid, id.gid = uint32(uid), uint32(gid)
		}
	}
	return id, nil
}

// checkAccount refuses an account that the system has no entry for, since initdb does, too.
func (id identity) checkAccount() error {
	uid := strconv.FormatUint(uint64(id.uid), 10)
	if _, err := user.LookupId(uid); err != nil {
		return fmt.Errorf("user %s, as whom embedded Postgres runs, has no entry in /etc/passwd, which it needs: add one, or set QUINTET_POSTGRES_URL to a Postgres server (%w)", uid, err)
	}
	return nil
}

// ownerOf returns who owns path.
func ownerOf(path string) (uid, gid uint32, exists bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("looking at %s: %w", path, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false, fmt.Errorf("looking at %s: the system does not say who owns it", path)
	}
	return stat.Uid, stat.Gid, true, nil
}

// give makes the account the owner of a tree. Links are changed themselves, never what
// they point to.
func (id identity) give(root string) error {
	if !id.switched {
		return nil
	}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(id.uid), int(id.gid))
	})
	if err != nil {
		return fmt.Errorf("giving %s to user %d: %w", root, id.uid, err)
	}
	return nil
}

// place is a path that the server needs, with the permission bits that it needs at the
// end of it: 1 to pass a directory, 5 to read and list (or run) what is there.
type place struct {
	path string
	need fs.FileMode
}

// canReach reports whether an account without privileges can walk from / to the place
// and use it.
func canReach(id identity, p place) (bool, error) {
	need := p.need
	for dir := filepath.Clean(p.path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return false, fmt.Errorf("looking at %s: %w", dir, err)
		}
		mode := info.Mode().Perm()
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			switch {
			case stat.Uid == id.uid:
				mode >>= 6
			case stat.Gid == id.gid:
				mode >>= 3
			}
		}
		if mode&need != need {
			return false, nil
		}
		if dir == filepath.Dir(dir) {
			return true, nil
		}
		need = 0o1
	}
}

// unreachable returns the first place that the account cannot reach, or "".
func unreachable(id identity, places []place) (string, error) {
	for _, p := range places {
		if ok, err := canReach(id, p); !ok || err != nil {
			return p.path, err
		}
	}
	return "", nil
}

// allowRunning makes programs executable for others where a strict umask at
// installation withheld that; the account that the server runs under is one of them.
func (id identity) allowRunning(programs ...string) error {
	if !id.switched {
		return nil
	}
	for _, path := range programs {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("looking at %s: %w", path, err)
		}
		if info.Mode().Perm()&0o055 == 0o055 {
			continue
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o055); err != nil {
			return fmt.Errorf("making %s executable for user %d: %w", path, id.uid, err)
		}
	}
	return nil
}
