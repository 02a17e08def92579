package capture

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"veilbox/capture/footage"
)

func send(f *fan, n int, key bool) {
	nalu := []byte{1, byte(n), byte(n >> 8)}
	f.send(&footage.AccessUnit{DTS: int64(n), PTS: int64(n), Key: key, NALUs: [][]byte{nalu}})
	// The camera's buffers are used again at once.
	clear(nalu)
}

func TestSlowViewerLosesWholeGOPs(t *testing.T) {
	f := newFan()
	f.reformat(footage.Format{Codec: footage.H264, Width: 320})
	slow, err := f.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	const gop = 10
	for n := 5; n < 3*queueUnits; n++ {
		send(f, n, n%gop == 0)
	}
	slow.mu.Lock()
	held := len(slow.queue)
	slow.mu.Unlock()
	if held > queueUnits || slow.LostGOPs() == 0 {
		t.Errorf("%d held, %d lost", held, slow.LostGOPs())
	}
	last := -1
	for i := range held {
		fr, err := slow.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := int(fr.Unit.DTS)
		if i == 0 && !fr.Unit.Key || i > 0 && n != last+1 && !fr.Unit.Key {
			t.Fatalf("picture %d follows %d", n, last)
		}
		if b := fr.Unit.NALUs[0]; b[1] != byte(n) || b[2] != byte(n>>8) || fr.Format.Width != 320 {
			t.Fatalf("picture %d holds %v", n, b)
		}
		last = n
	}
	slow.Close()
	if _, err := slow.Next(t.Context()); err != io.EOF {
		t.Errorf("closed: %v", err)
	}
	if f.viewers() != 0 {
		t.Error("a closed subscription stays")
	}
}

func TestQueueIsBoundInBytes(t *testing.T) {
	f := newFan()
	s, err := f.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 5<<20)
	for n := range 8 {
		f.send(&footage.AccessUnit{DTS: int64(n), Key: true, NALUs: [][]byte{big}})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes > queueBytes || len(s.queue) == 0 {
		t.Errorf("%d bytes in %d pictures", s.bytes, len(s.queue))
	}
}

func TestNextEndsWithContext(t *testing.T) {
	f := newFan()
	s, err := f.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := s.Next(ctx); !errors.Is(err, gone) {
		t.Error(err)
	}
}

func TestTooManySubscriptions(t *testing.T) {
	f := newFan()
	for range maxViewers {
		if _, err := f.subscribe(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.subscribe(); !errors.Is(err, ErrCrowded) {
		t.Errorf("one more: %v", err)
	}
	f.close()
	if _, err := f.subscribe(); !errors.Is(err, ErrUnknown) {
		t.Errorf("closed: %v", err)
	}
}

func TestLastKeyframeIsACopy(t *testing.T) {
	f := newFan()
	if _, _, ok := f.lastKeyframe(); ok {
		t.Error("a keyframe before any came")
	}
	send(f, 7, true)
	_, key, ok := f.lastKeyframe()
	send(f, 9, true)
	if !ok || key.NALUs[0][1] != 7 {
		t.Errorf("%v, %v", key.NALUs, ok)
	}
	au := footage.AccessUnit{Key: true, NALUs: [][]byte{make([]byte, 1000), make([]byte, 10)}}
	f.send(&au)
	if n := testing.AllocsPerRun(100, func() { f.send(&au) }); n > 0 {
		t.Errorf("%v allocations for a keyframe that nobody watches", n)
	}
}

func TestGOPIsReplayedWithinBounds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	au := func(n, size int, at time.Duration) *footage.AccessUnit {
		return &footage.AccessUnit{Arrived: now.Add(at), DTS: int64(n), PTS: int64(n), Key: n == 0, NALUs: [][]byte{{byte(n)}, make([]byte, size)}}
	}
	for _, tc := range []struct {
		name string
		n    int
		size int
		each time.Duration
		late time.Duration // after the last picture
		want int
	}{
		{"short", 20, 100, 40 * time.Millisecond, 0, 20},
		{"a keyframe alone", 1, 6 << 20, 0, 0, 1},
		{"many pictures", gopUnits + 1, 10, time.Millisecond, 0, 0},
		{"many bytes", 10, 1 << 20, time.Millisecond, 0, 0},
		{"long", 12, 10, time.Second, 0, 0},
		{"old", 20, 100, 40 * time.Millisecond, gopStale + time.Second, 0},
	} {
		f := newFan()
		f.reformat(footage.Format{Codec: footage.H264, Width: 320})
		for n := range tc.n {
			f.send(au(n, tc.size, time.Duration(n)*tc.each))
		}
		s, err := f.subscribeNow(now.Add(time.Duration(tc.n-1)*tc.each + tc.late))
		if err != nil {
			t.Fatal(err)
		}
		if len(s.queue) != tc.want {
			t.Errorf("%s: %d pictures, want %d", tc.name, len(s.queue), tc.want)
		}
		for i, fr := range s.queue {
			if !fr.Replayed || fr.Unit.NALUs[0][0] != byte(i) || len(fr.Unit.NALUs[1]) != tc.size || fr.Format.Width != 320 {
				t.Fatalf("%s: picture %d is %d", tc.name, i, fr.Unit.NALUs[0][0])
			}
		}
		// Whatever is too long to keep, its keyframe is there, and the next GOP is kept.
		if _, key, ok := f.lastKeyframe(); !ok || key.NALUs[0][0] != 0 {
			t.Errorf("%s: no keyframe", tc.name)
		}
		f.send(au(0, 10, time.Hour))
		if !s.Restart(now.Add(time.Hour)) || len(s.queue) != 1 {
			t.Errorf("%s: the next GOP is not there", tc.name)
		}
	}
}

func TestReorderedIsAHabit(t *testing.T) {
	f := newFan()
	s, err := f.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	send := func(n int, late int64) {
		f.send(&footage.AccessUnit{DTS: int64(n), PTS: int64(n) + late, Key: n == 0, NALUs: [][]byte{{1}}})
	}
	send(0, 0)
	send(1, 5) // once, after a loss
	send(2, 0)
	if _, reordered, _ := s.Look(); reordered {
		t.Error("one picture out of time makes a stream of B-frames")
	}
	for n := 3; n < 12; n++ {
		send(n, int64(n%3*2))
	}
	if _, reordered, _ := s.Look(); !reordered {
		t.Error("B-frames are not seen")
	}
}
