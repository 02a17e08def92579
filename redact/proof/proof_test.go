package proof

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
)

// file returns a copy of three pictures that no decoder would take, but whose
// structure is right.
func file(t testing.TB) []byte {
	t.Helper()
	f := footage.Format{Codec: footage.H264, Width: 64, Height: 32, Params: [][]byte{{0x67, 0x42, 0xc0, 0x0a, 0xda, 0x11}, {0x68, 0xce, 0x38, 0x80}}}
	data := []byte{0, 0, 0, 3, 0x65, 0x80, 1 /**/, 0, 0, 0, 2, 0x41, 0x9a /**/, 0, 0, 0, 2, 0x65, 0x80, 0, 0, 0, 3, 0x65, 0x40, 2}
	samples := []footage.Sample{{Size: 7, Duration: 3600, Key: true}, {Size: 6, Duration: 3600}, {Size: 13, Duration: 7200, Key: true}}
	head, n, err := mp4.Header(f, Chunks(samples), mp4.Options{})
	if err != nil || int(n) != len(data) {
		t.Fatal(n, err)
	}
	return append(head, data...)
}

func TestWalk(t *testing.T) {
	b := file(t)
	s, err := Walk(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Samples) != 3 || s.Samples[1] != (footage.Sample{Size: 6, Duration: 3600}) || !s.Samples[2].Key || s.Format.Width != 64 || s.Start != int64(len(b)-26) {
		t.Errorf("%+v", s)
	}
	if err := Units(bytes.NewReader(b), s); err != nil {
		t.Error(err)
	}
}

// Whichever byte in front of the samples is changed, the file is no copy.
// Two kinds of byte may differ and still describe a copy, of another time or
// size: those are compared with the mask.
func TestWalkSeesEveryByte(t *testing.T) {
	b := file(t)
	same, err := Walk(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range int(same.Start) {
		for _, x := range []byte{0x01, 0x80, 0xff} {
			c := slices.Clone(b)
			c[i] ^= x
			s, err := Walk(bytes.NewReader(c), int64(len(c)))
			if err == nil && s.Format.Equal(same.Format) && slices.Equal(s.Samples, same.Samples) {
				t.Fatalf("byte %d, changed by %#x, was not seen", i, x)
			}
		}
	}
	for n := range len(b) {
		if _, err := Walk(bytes.NewReader(b[:n]), int64(n)); err == nil {
			t.Fatalf("the first %d bytes were taken", n)
		}
	}
}

func TestUnitsRefuse(t *testing.T) {
	b := file(t)
	s, err := Walk(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		at   int // within the samples
		to   byte
		want string
	}{
		{"SEI", 4, 0x06, "type 6"},
		{"a parameter set", 11, 0x67, "type 7"},
		{"a keyframe that is none", 4, 0x41, "keyframe mark"},
		{"a length past the sample", 3, 9, "NAL unit of"},
		{"a length of nothing", 3, 0, "NAL unit of"},
	} {
		c := slices.Clone(b)
		c[int(s.Start)+tc.at] = tc.to
		if err := Units(bytes.NewReader(c), s); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(file(f))
	f.Add(file(f)[:200])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Walk(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		// What is taken has one form.
		head, n, err := mp4.Header(s.Format, Chunks(s.Samples), mp4.Options{})
		if err != nil || !bytes.HasPrefix(b, head) || int64(len(head))+n != int64(len(b)) {
			t.Errorf("taken, but it is not what would be written: %v", err)
		}
		if err := Units(bytes.NewReader(b), s); err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
	})
}

func TestParse(t *testing.T) {
	good, err := json.Marshal(Proof{Version: Version, Pass: true, Reasons: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Parse(good); err != nil || !p.Pass {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"", "{}", `{"version":2}`, `{"version":1,"clip":"zz"}`, string(good) + "x", strings.Repeat(" ", 1<<20) + string(good)} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}
