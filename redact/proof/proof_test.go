package proof

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"veilbox/capture/footage"
)

// Parameter sets of 64 by 32 pixels, as x264 writes them.
var (
	sps = []byte{0x67, 0x64, 0x10, 0x0a, 0xac, 0xb8, 0x8b, 0x60, 0x22, 0, 0, 3, 0, 2, 0, 0, 3, 0, 0x28, 0x08}
	pps = []byte{0x68, 0xee, 0x0f, 0xcb}
)

// file returns a copy of three pictures that no decoder would take, but whose
// structure is right.
func file(t testing.TB) []byte {
	t.Helper()
	f := footage.Format{Codec: footage.H264, Width: 64, Height: 32, Params: [][]byte{bytes.Clone(sps), bytes.Clone(pps)}}
	data := []byte{0, 0, 0, 3, 0x65, 0x88, 0x84 /**/, 0, 0, 0, 2, 0x41, 0x9a /**/, 0, 0, 0, 3, 0x65, 0x88, 0x84, 0, 0, 0, 4, 0x65, 0x28, 0x88, 0x84}
	samples := []footage.Sample{{Size: 7, Duration: 3600, Key: true}, {Size: 6, Duration: 3600}, {Size: 15, Duration: 7200, Key: true}}
	head, n, err := Header(f, samples, footage.AudioFormat{}, nil)
	if err != nil || int(n) != len(data) {
		t.Fatal(n, err)
	}
	return append(head, data...)
}

// loud is file with sound.
func loud(t testing.TB) []byte {
	t.Helper()
	a, err := SoundFormat(16_000, 2)
	if err != nil {
		t.Fatal(err)
	}
	quiet := file(t)
	s, err := Walk(bytes.NewReader(quiet), int64(len(quiet)))
	if err != nil {
		t.Fatal(err)
	}
	heard := []footage.Sample{{Size: 4, Duration: unitLength}, {Size: 4, Duration: unitLength}, {Size: 3, Duration: unitLength}}
	head, n, err := Header(s.Format, s.Samples, a, heard)
	if err != nil || n != 39 {
		t.Fatal(n, err)
	}
	data := quiet[s.Start:]
	// The pictures of the first chunk last 80 ms, each unit 64.
	return slices.Concat(head, data[:13], []byte("aaaabbbb"), data[13:], []byte("ccc"))
}

func TestLayout(t *testing.T) {
	b := loud(t)
	s, err := Walk(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Heard) != 3 || s.Heard[2] != (footage.Sample{Size: 3, Duration: unitLength}) || s.Sound.Rate != 16_000 || s.Sound.Channels != 2 || !bytes.Equal(s.Sound.Config, []byte{0x14, 0x10}) {
		t.Errorf("%+v", s)
	}
	if err := Units(bytes.NewReader(b), s); err != nil {
		t.Error(err)
	}
	for _, bad := range [][2]int{{44_000, 1}, {48_000, 0}, {48_000, 6}} {
		if _, err := SoundFormat(bad[0], bad[1]); err == nil {
			t.Errorf("sound of %v was taken", bad)
		}
	}
}

func TestWalk(t *testing.T) {
	b := file(t)
	s, err := Walk(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Samples) != 3 || s.Samples[1] != (footage.Sample{Size: 6, Duration: 3600}) || !s.Samples[2].Key || s.Format.Width != 64 || s.Start != int64(len(b)-28) {
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
	for _, b := range [][]byte{file(t), loud(t)} {
		everyByte(t, b)
	}
}

func everyByte(t *testing.T, b []byte) {
	t.Helper()
	same, err := Walk(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range int(same.Start) {
		for _, x := range []byte{0x01, 0x80, 0xff} {
			c := slices.Clone(b)
			c[i] ^= x
			s, err := Walk(bytes.NewReader(c), int64(len(c)))
			if err == nil && s.Format.Equal(same.Format) && slices.Equal(s.Samples, same.Samples) && s.Sound.Equal(same.Sound) && slices.Equal(s.Heard, same.Heard) {
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
		to   string
		want string
	}{
		{"SEI", 4, "\x06", "type 6"},
		{"a parameter set", 11, "\x67", "type 7"},
		{"a keyframe that is none", 4, "\x41", "keyframe mark"},
		{"a length past the sample", 3, "\x09", "NAL unit of"},
		{"a length of nothing", 3, "\x00", "NAL unit of"},
		{"a B slice", 5, "\xa1", "a slice of type 1"},
		{"a P slice in a keyframe", 5, "\x9a", "a slice of type 0"},
		{"another parameter set", 6, "\x44", "parameter set"},
		{"a picture that does not begin", 5, "\x4e", "from macroblock 1"},
		{"a second picture", 25, "\x88", "from macroblock 0 behind one from 0"},
		{"a macroblock that is not there", 25, "\x12\x22", "from macroblock 8"},
		{"zeros behind a slice", 27, "\x00", "zeros follow"},
	} {
		c := slices.Clone(b)
		copy(c[int(s.Start)+tc.at:], tc.to)
		if err := Units(bytes.NewReader(c), s); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(file(f))
	f.Add(file(f)[:200])
	f.Add(loud(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Walk(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		// What is taken has one form.
		head, n, err := Header(s.Format, s.Samples, s.Sound, s.Heard)
		if err != nil || !bytes.HasPrefix(b, head) || int64(len(head))+n != int64(len(b)) {
			t.Errorf("taken, but it is not what would be written: %v", err)
		}
		if err := Units(bytes.NewReader(b), s); err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add(sps, pps, []byte{0x65, 0x88, 0x84})
	f.Add(sps[:9], pps[:2], []byte{0x41, 0x9a})
	f.Fuzz(func(t *testing.T, s, p, nal []byte) {
		got, err := parameters(footage.Format{Codec: footage.H264, Width: 64, Height: 32, Params: [][]byte{s, p}})
		if err != nil {
			return
		}
		if got.blocks != 8 || len(s) > maxSPS || len(p) > maxPPS {
			t.Fatalf("%+v of %d and %d bytes", got, len(s), len(p))
		}
		// Whatever follows is seen.
		if _, err := parameters(footage.Format{Width: 64, Height: 32, Params: [][]byte{append(slices.Clone(s), 1), p}}); err == nil {
			t.Fatal("a byte behind the SPS was taken")
		}
		b := append([]byte{0, 0, 0, byte(len(nal))}, nal...)
		if err := got.picture(b, true); err == nil && nal[0]&0x1f != 5 {
			t.Fatal("a keyframe of another type")
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
	for _, bad := range []string{"", "{}", `{"version":1}`, `{"version":2,"clip":"zz"}`, " " + string(good), strings.Replace(string(good), `"pass":true`, `"pass":true,"x":1`, 1), string(good) + "x", strings.Repeat(" ", 1<<20) + string(good)} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}
