package track

import (
	"fmt"
	"testing"

	"veilbox/redact/subject"
)

// drawn returns b as a person draws it: larger by a part of its sides at each
// end, and moved by parts of them.
func drawn(b box, more, dx, dy float64) box {
	return box{b.cx + dx*b.w, b.cy + dy*b.h, b.w * (1 + 2*more), b.h * (1 + 2*more)}
}

// hands are ways of drawing a box.
var hands = []struct {
	name         string
	more, dx, dy float64
}{
	{"exact", 0, 0, 0},
	{"5 % larger", 0.05, 0, 0},
	{"10 % larger", 0.1, 0, 0},
	{"20 % larger", 0.2, 0, 0},
	{"10 % larger and off", 0.1, 0.08, -0.05},
}

func TestSnap(t *testing.T) {
	walk := straight(20, 70, 1.6, 16, 42)
	beside := func(gap float64) func(int) (box, bool) { return straight(20+16+gap, 71, 1.6, 16, 42) }
	for _, tc := range []struct {
		name   string
		actors []actor
		least  float64
	}{
		{"alone", []actor{{3, 20, walk}}, 0.8},
		{"somebody beside", []actor{{3, 20, walk}, {8, 80, beside(5)}}, 0.75},
	} {
		s := build(90, nil, nil, tc.actors...)
		tr := tracker(t, s, nil)
		for _, h := range hands {
			t.Run(tc.name+", "+h.name, func(t *testing.T) {
				b := s.boxes[0][30]
				d := drawn(b, h.more, h.dx, h.dy)
				if err := tr.e.look(30, d.area(d.w, d.h)); err != nil {
					t.Fatal(err)
				}
				if got := tr.e.snap(d); got.iou(b) < tc.least {
					t.Errorf("%+v is drawn, the body is at %+v, snapped to %+v: IoU %.2f", d, b, got, got.iou(b))
				}
			})
		}
	}
}

// TestSnapLeavesWhatDoesNotStandOut has nobody in the box.
func TestSnapLeavesWhatDoesNotStandOut(t *testing.T) {
	s := build(60, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	tr := tracker(t, s, nil)
	for _, b := range []box{{150, 60, 20, 40}, {2, 2, 6, 6}, {100, 70, 3, 3}} {
		if err := tr.e.look(3, b.area(b.w, b.h)); err != nil {
			t.Fatal(err)
		}
		if got := tr.e.snap(b); got != b {
			t.Errorf("%+v became %+v", b, got)
		}
	}
}

// TestLooseBoxesGiveTheSameTrack follows people on real footage from boxes drawn
// too large and a little off.
func TestLooseBoxesGiveTheSameTrack(t *testing.T) {
	s := vtest(t)
	tr := tracker(t, s, nil)
	for _, who := range []struct{ truth, key int }{{0, 60}, {1, 240}, {2, 650}} {
		b, _ := vtestTruth[who.truth].at(who.key)
		follow := func(d box) []Region {
			r := d.rect(s.w, s.h)
			return tr.must(t, subject.Subject{Version: subject.Version, Keyframes: []subject.Keyframe{keyAt(s.Time(who.key), r)}})[0]
		}
		exact := follow(b)
		for _, h := range hands[1:] {
			t.Run(fmt.Sprintf("%s, %s", vtestTruth[who.truth].name, h.name), func(t *testing.T) {
				want, same := 0, 0
				for i, reg := range follow(drawn(b, h.more, h.dx, h.dy)) {
					if exact[i].State != Shown || i == who.key {
						continue
					}
					want++
					if reg.State == Shown && boxOf(reg.Rect, s.w, s.h).iou(boxOf(exact[i].Rect, s.w, s.h)) > 0.5 {
						same++
					}
				}
				t.Logf("%d of %d frames", same, want)
				if want < 50 || 10*same < 9*want {
					t.Errorf("the same in %d of %d frames, want nine in ten", same, want)
				}
			})
		}
	}
}
