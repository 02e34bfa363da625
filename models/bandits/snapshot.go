package bandits

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

const (
	snapshotMagic   = "QNTBMDL\x01" // the last byte is the format's version
	maxActionLength = 1024
)

// AppendBinary implements encoding.BinaryAppender: the model's numbers to the
// last bit, little-endian, with a checksum.
//
// Layout: magic (8 bytes); dimension and number of actions (uint32 each); day
// (int32); fingerprint; prior arm; then per action, ascending, name and arm;
// CRC-32C of all before. A text is its length (uint32) and bytes; an arm is
// noise, decisions, d means and d(d+1)/2 covariances (float64).
func (m *Model) AppendBinary(dst []byte) ([]byte, error) {
	start := len(dst)
	le := binary.LittleEndian
	dst = append(dst, snapshotMagic...)
	dst = le.AppendUint32(dst, uint32(m.Dimension))
	dst = le.AppendUint32(dst, uint32(len(m.names)))
	dst = le.AppendUint32(dst, uint32(m.AsOf))
	dst = appendText(dst, m.Fingerprint)
	dst = m.Prior.appendTo(dst)
	arm := m.newArm()
	for i, name := range m.names {
		if len(name) > maxActionLength {
			return nil, fmt.Errorf("storing model: the name of an action has %d bytes, more than %d", len(name), maxActionLength)
		}
		dst = appendText(dst, name)
		m.octets[i/laneCount].get(i%laneCount, arm)
		dst = arm.appendTo(dst)
	}
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}

// MarshalBinary implements encoding.BinaryMarshaler; see [Model.AppendBinary].
func (m *Model) MarshalBinary() ([]byte, error) {
	arm := 8 * (2 + m.Dimension + PackedLen(m.Dimension))
	return m.AppendBinary(make([]byte, 0, 256+(len(m.names)+1)*(arm+64)))
}

// ParseModel reads what [Model.MarshalBinary] wrote. It never allocates more than
// a small multiple of the data's length.
func ParseModel(data []byte) (*Model, error) {
	m, err := parseModel(data)
	if err != nil {
		return nil, fmt.Errorf("reading stored model: %w", err)
	}
	return m, nil
}

func parseModel(data []byte) (*Model, error) {
	if len(data) < len(snapshotMagic)+4 || string(data[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errors.New("not a model of this format")
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, errors.New("the checksum does not match: the data are damaged")
	}
	r := reader{rest: body[len(snapshotMagic):]}
	dimension, count, asOf := r.uint32(), r.uint32(), Day(int32(r.uint32()))
	if dimension < 1 || dimension > MaxDimension {
		return nil, fmt.Errorf("dimension %d is not from 1 to %d", dimension, MaxDimension)
	}
	if count > MaxActions {
		return nil, fmt.Errorf("%d actions are more than %d", count, MaxActions)
	}
	fingerprint := r.text()
	prior := r.arm(int(dimension))
	arms := make(map[string]*Arm, min(int(count), len(r.rest)/8))
	previous := ""
	for range count {
		name := r.text()
		arm := r.arm(int(dimension))
		if r.short {
			break
		}
		if len(arms) > 0 && name <= previous {
			return nil, fmt.Errorf("action %q is out of order", name)
		}
		previous = name
		arms[name] = &arm
	}
	if r.short {
		return nil, errors.New("the data end too early")
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("%d bytes too many", len(r.rest))
	}
	return newModel(fingerprint, int(dimension), asOf, prior, arms)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (a *Arm) appendTo(dst []byte) []byte {
	dst = appendFloats(dst, a.Noise, a.Decisions)
	dst = appendFloats(dst, a.Mean...)
	return appendFloats(dst, a.Covariance...)
}

func appendFloats(dst []byte, xs ...float64) []byte {
	for _, x := range xs {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// reader takes values off the front; short says that there were too few bytes.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) text() string {
	n := r.uint32()
	if n > maxActionLength {
		r.short = true
		return ""
	}
	return string(r.take(int(n)))
}

func (r *reader) floats(n int) []float64 {
	b := r.take(8 * n)
	if b == nil {
		return nil
	}
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return xs
}

func (r *reader) arm(dimension int) Arm {
	head := r.floats(2)
	a := Arm{Mean: r.floats(dimension), Covariance: r.floats(PackedLen(dimension))}
	if head != nil {
		a.Noise, a.Decisions = head[0], head[1]
	}
	return a
}
