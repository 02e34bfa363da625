package bandits

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
)

func TestSnapshotIsExact(t *testing.T) {
	t.Parallel()
	for _, actions := range []int{0, 1, 7} {
		o := Options{Dimension: 6, Fingerprint: "encoder"}
		var tiles []Tile
		if actions > 0 {
			names := []string{"none", "b", "c", "d", "e", "f", "g"}[:actions]
			tiles = tilesOf(randomLog(3, 200, 6, names...), 6)
		}
		m := build(t, o, 123, tiles)
		data, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseModel(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m, back) {
			t.Errorf("%d actions: the model read back differs", actions)
		}
		again, err := back.MarshalBinary()
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("%d actions: the bytes written again differ (%v)", actions, err)
		}
	}
}

func TestParseModelErrors(t *testing.T) {
	t.Parallel()
	m := build(t, Options{Dimension: 2}, 1, tilesOf(randomLog(3, 20, 2, "a", "b"), 2))
	data, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(data)
	flipped[30] ^= 4
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "not a model"}, {[]byte("QNTBMDL\x02 and so on"), "not a model"},
		{flipped, "checksum"}, {data[:len(data)-9], "checksum"}, {append(bytes.Clone(data), 0), "checksum"},
	} {
		if _, err := ParseModel(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d bytes: error %v, want %q", len(c.data), err, c.want)
		}
	}
}

func FuzzParseModel(f *testing.F) {
	for _, n := range []int{0, 1, 3} {
		m := build(f, Options{Dimension: 2, Fingerprint: "x"}, 1, tilesOf(randomLog(3, 20*n, 2, "a", "b", "c"), 2))
		data, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[len(snapshotMagic) : len(data)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		// The envelope is made right, so that what is inside gets read.
		data := sealed(body)
		m, err := ParseModel(data)
		if err != nil {
			return
		}
		again, err := m.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted bytes are written differently (%v)", err)
		}
	})
}

func sealed(body []byte) []byte {
	data := append([]byte(snapshotMagic), body...)
	return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}
