package ring

import (
	"slices"
	"testing"
)

func FuzzSamples(f *testing.F) {
	f.Add(encodeSamples(part("a", start(), 500).Samples))
	f.Add([]byte{1, 1, 1, 1, 0, 0, 1, 5})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		ss, sum, err := decodeSamples(nil, b)
		if err != nil {
			return
		}
		again, sum2, err := decodeSamples(nil, encodeSamples(ss))
		if err != nil || sum != sum2 || !slices.Equal(ss, again) {
			t.Fatalf("%v does not survive: %v", ss, err)
		}
	})
}

func FuzzFormat(f *testing.F) {
	f.Add(encodeFormat(testFormat()))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeFormat(b)
		if err != nil {
			return
		}
		if y, err := decodeFormat(encodeFormat(x)); err != nil || !x.Equal(y) {
			t.Fatalf("%v does not survive: %v", x, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r := openTest(b, testOptions(b, b.TempDir()), disk{})
	p := part("till-1", start(), 500_000)
	b.SetBytes(500_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Append(b.Context(), p); err != nil {
			b.Fatal(err)
		}
		p.Start += second
	}
}
