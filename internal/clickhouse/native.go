package clickhouse

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

const nativeFormat = "Native"

// blockInfo is what stands before each block from the first revision on: not
// an overflow row, no bucket.
var blockInfo = []byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0}

// reframe turns a result in Native format at revision 0, the only one that the
// library writes, into the framing of a later revision: block info before each
// block and, from DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION on, a flag before
// the data of each column. The data itself is copied as it is.
func reframe(data []byte, revision uint64) ([]byte, error) {
	in := newBlockReader(data)
	out := make([]byte, 0, len(data)+len(data)/64+64)
	for {
		columns, err := in.uvarint()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		rows, err := in.uvarint()
		if err != nil {
			return nil, unexpectedEnd(err)
		}
		out = append(out, blockInfo...)
		out = binary.AppendUvarint(out, columns)
		out = binary.AppendUvarint(out, rows)
		for range columns {
			if out, err = in.column(out, rows, revision); err != nil {
				return nil, unexpectedEnd(err)
			}
		}
	}
}

// blockReader reads Native data and knows how far it has come, so that what
// was passed over can be copied.
type blockReader struct {
	data   []byte
	source *bytes.Reader
	buffer *bufio.Reader
	reader *chproto.Reader
}

// blockReaderSize is at least the buffer that chproto.NewReader would put on
// top; being as large, ours is used itself and its position can be told.
const blockReaderSize = 128 << 10

func newBlockReader(data []byte) *blockReader {
	b := &blockReader{data: data, source: bytes.NewReader(data)}
	b.buffer = bufio.NewReaderSize(b.source, blockReaderSize)
	b.reader = chproto.NewReader(b.buffer)
	return b
}

// position is the offset of the next byte to be read.
func (b *blockReader) position() int {
	return len(b.data) - b.source.Len() - b.buffer.Buffered()
}

func (b *blockReader) uvarint() (uint64, error) { return b.reader.UVarInt() }

// column appends the next column to out in the asked framing.
func (b *blockReader) column(out []byte, rows, revision uint64) ([]byte, error) {
	start := b.position()
	name, err := b.reader.Str()
	if err != nil {
		return nil, err
	}
	kind, err := b.reader.Str()
	if err != nil {
		return nil, err
	}
	out = append(out, b.data[start:b.position()]...)
	if revision >= proto.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION {
		out = append(out, 0)
	}
	if rows == 0 {
		return out, nil
	}
	c, err := column.Type(kind).Column(name, &column.ServerContext{Timezone: time.UTC})
	if err != nil {
		return nil, fmt.Errorf("column %q of type %s: %w", name, kind, err)
	}
	start = b.position()
	if prefixed, ok := c.(column.CustomSerialization); ok {
		if err := prefixed.ReadStatePrefix(b.reader); err != nil {
			return nil, fmt.Errorf("column %q of type %s: %w", name, kind, err)
		}
	}
	if err := c.Decode(b.reader, int(rows)); err != nil {
		return nil, fmt.Errorf("column %q of type %s: %w", name, kind, err)
	}
	return append(out, b.data[start:b.position()]...), nil
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
