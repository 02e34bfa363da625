package stream

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
)

// heldBlocks are open files of the embedded server's message blocks. The server removes the files of what is
// purged while publishers wait, and removing a large file takes milliseconds; a file that somebody has open
// only loses its name, and its bytes go when it is closed, for which nobody waits.
type heldBlocks []*os.File

// release gives the bytes of removed files back to the disk.
func (h heldBlocks) release() {
	for _, f := range h {
		_ = f.Close() // only read
	}
}

const (
	// A block begins with a record: its length in 4 bytes, its sequence in 8, the upper two bits of which
	// mark what is not a message.
	blockHead     = 12
	blockSequence = 4
	blockMarks    = 3 << 62
	// maxHeldBlocks bounds the open files.
	maxHeldBlocks = 256
)

// holdBlocks opens the blocks of a topic that hold nothing from sequence below on, and returns the sequence up
// to which they reach: purging below it removes whole blocks, and needs none rewritten. It returns 0 where there
// is no such block or where the files are not at hand, as those of another machine's server. What it returns is
// never above below, so that a file in another form than expected costs speed and nothing else.
func (t *Topic) holdBlocks(below uint64) (boundary uint64, held heldBlocks) {
	if t.s.server == nil {
		return 0, nil
	}
	names, err := filepath.Glob(filepath.Join(t.s.opts.DataDir, "jetstream", "*", "streams", t.subject, "msgs", "*.blk"))
	if err != nil {
		return 0, nil
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		var head [blockHead]byte
		first := uint64(math.MaxUint64)
		if _, err := f.ReadAt(head[:], 0); err == nil {
			first = binary.LittleEndian.Uint64(head[blockSequence:]) &^ blockMarks
		}
		if first > below || len(held) == maxHeldBlocks {
			_ = f.Close()
			continue
		}
		boundary, held = max(boundary, first), append(held, f)
	}
	return boundary, held
}
