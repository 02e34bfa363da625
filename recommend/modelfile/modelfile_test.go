package modelfile_test

import (
	"errors"
	"slices"
	"testing"

	"quintet/recommend/modelfile"
)

func sample() []byte {
	w := modelfile.NewWriter("kind", map[string]int{"a": 1})
	w.Float32s("f", []float32{1, -2.5})
	w.Float64s("d", []float64{3})
	w.Int32s("i", []int32{-7, 8})
	w.Ints("n", []int{-1, 1 << 40})
	w.Strings("s", []string{"", "é"})
	w.Bytes("b", []byte{1, 2, 3})
	return w.Finish()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r, err := modelfile.Open(sample())
	if err != nil {
		t.Fatal(err)
	}
	var settings map[string]int
	r.Settings(&settings)
	if r.Kind() != "kind" || settings["a"] != 1 ||
		!slices.Equal(r.Float32s("f", 2), []float32{1, -2.5}) || !slices.Equal(r.Float64s("d", -1), []float64{3}) ||
		!slices.Equal(r.Int32s("i", 2), []int32{-7, 8}) || !slices.Equal(r.Ints("n", 2), []int{-1, 1 << 40}) ||
		!slices.Equal(r.Strings("s", 2), []string{"", "é"}) || !slices.Equal(r.Bytes("b"), []byte{1, 2, 3}) {
		t.Error("what is read is not what was written")
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if r.Float32s("f", 3); !errors.Is(r.Err(), modelfile.ErrDamaged) {
		t.Errorf("two numbers are read as three: %v", r.Err())
	}
}

func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	whole := sample()
	for i := range whole {
		bad := slices.Clone(whole)
		bad[i] ^= 0x41
		if _, err := modelfile.Open(bad); err == nil {
			t.Errorf("another byte %d is not noticed", i)
		}
		if _, err := modelfile.Open(whole[:i]); err == nil {
			t.Errorf("an end after %d bytes is not noticed", i)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(sample())
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := modelfile.Open(data)
		if err != nil {
			return
		}
		r.Float32s("f", -1)
		r.Strings("s", -1)
		r.Bytes("b")
	})
}
