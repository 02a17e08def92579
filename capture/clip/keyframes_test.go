package clip

import (
	"errors"
	"slices"
	"testing"

	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/capture/ring"
)

func TestKeyframesAreThoseOfTheTime(t *testing.T) {
	for _, codec := range []footage.Codec{footage.H264, footage.H265, footage.MJPEG} {
		parts := mp4test.Parts(t, codec, "till-1", start(), 6)
		for _, p := range parts[4:] {
			p.Start += 10 * second
		}
		src := &memory{parts: parts, fails: map[footage.Ticks]error{start() + 3*second: ring.ErrDamaged}}
		whole, err := OpenWith(t.Context(), &memory{parts: parts}, "till-1", footage.Span{From: start(), To: start() + 20*second}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		pictures := mp4test.FrameHashes(t, save(t, whole))
		var times []footage.Ticks
		want := []int{-1, 0, 0, 1, 2, -1, -1, 4, 5, -1} // seconds of the recording; -1 for none
		for _, at := range []footage.Ticks{-frame, 0, 10 * frame, second, 3*second - 1, 3*second + 5, 8 * second, 14*second + frame, 15*second + 24*frame, 30 * second} {
			times = append(times, start()+at)
		}
		if codec == footage.MJPEG { // each picture is one
			want[2] = 0
			times[2], times[4], times[7], times[8] = start(), start()+2*second, start()+14*second, start()+15*second
		}
		got, err := Keyframes(t.Context(), src, "till-1", times)
		if err != nil {
			t.Fatal(err)
		}
		var with []KeyframeAt
		var hashes []string
		for i, k := range got {
			if (k.Data == nil) != (want[i] < 0) || k.Asked != times[i] {
				t.Errorf("%v %d: %d bytes, want picture of second %d", codec, i, len(k.Data), want[i])
				continue
			}
			if want[i] < 0 {
				continue
			}
			at := start() + footage.Ticks(want[i])*second
			if want[i] >= 4 {
				at += 10 * second
			}
			if k.At != at {
				t.Errorf("%v %d: shown at %v", codec, i, (k.At - start()).Duration())
			}
			with, hashes = append(with, k), append(hashes, pictures[25*want[i]])
		}
		album, err := Album(with)
		if err != nil {
			t.Fatal(err)
		}
		if got := mp4test.FrameHashes(t, keep(t, album)); !slices.Equal(got, hashes) {
			t.Errorf("%v: the album shows other pictures: %d", codec, len(got))
		}
		for at, n := range src.reads {
			if n != 1 {
				t.Errorf("%v: the part of %v was read %d times", codec, (at - start()).Duration(), n)
			}
		}
		other := with[0]
		other.Format.Width++
		for _, bad := range [][]KeyframeAt{nil, {with[0], other}, {{}}, got} {
			if _, err := Album(bad); !errors.Is(err, ErrAlbum) {
				t.Errorf("an album of %d: %v", len(bad), err)
			}
		}
	}
	if _, err := Keyframes(t.Context(), &memory{}, "till-1", make([]footage.Ticks, MaxKeyframes+1)); !errors.Is(err, ErrSpan) {
		t.Errorf("too many: %v", err)
	}
}

// A GOP of many parts is read where its keyframe is, and nowhere else.
func TestTheKeyframeOfALongGOP(t *testing.T) {
	parts := mp4test.Parts(t, footage.H264, "till-1", start(), 5)
	for _, p := range parts[1:] {
		p.Continues = true
		p.Samples = slices.Clone(p.Samples)
		p.Samples[0].Key = false
	}
	r := openRing(t, t.TempDir())
	appendAll(t, r, parts)
	got, err := Keyframes(t.Context(), r, "till-1", []footage.Ticks{start() + 4*second + 7})
	if err != nil || got[0].At != start() || len(got[0].Data) != int(parts[0].Samples[0].Size) {
		t.Errorf("%+v, %v", got[0].At, err)
	}
}

func TestAboutNamesTheGaps(t *testing.T) {
	at := footage.Ticks(1000 * second)
	part := func(from, to footage.Ticks) ring.PartInfo { return info(at+from, goldenH264, uint32(to-from)) }
	parts := []ring.PartInfo{part(0, second), part(second, 2*second), part(3*second, 4*second), part(6*second, 7*second), part(10*second, 11*second)}
	for name, c := range map[string]struct {
		to   footage.Ticks
		n    int
		want []footage.Span
	}{
		"all":            {11 * second, 5, []footage.Span{{From: at + 4*second, To: at + 6*second}, {From: at + 7*second, To: at + 10*second}}},
		"ends in a gap":  {5 * second, 3, nil}, // the movie ends where the gap begins
		"ends behind it": {6*second + 1, 4, []footage.Span{{From: at + 4*second, To: at + 6*second}}},
	} {
		m, err := OpenWith(t.Context(), fake{slices.Clone(parts[:c.n])}, "a", footage.Span{From: at, To: at + c.to}, Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		a := m.About()
		if !slices.Equal(a.Gaps, c.want) || a.Parts != c.n || a.Frames != c.n || a.Keyframes != c.n || a.Camera != "a" || a.Span != m.Span() {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
