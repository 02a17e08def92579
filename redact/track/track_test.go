package track

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

func run(t *testing.T, s Source, subj subject.Subject) []Region {
	t.Helper()
	out, err := Run(context.Background(), s, subj, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != s.Len() {
		t.Fatalf("%d regions of %d frames", len(out), s.Len())
	}
	for i, r := range out {
		if r.State == Shown && (r.Rect.W <= 0 || r.Rect.H <= 0) {
			t.Fatalf("frame %d is shown without a rectangle", i)
		}
		if err := r.Shape.Check(runGrid(s)); err != nil || r.Shape.Empty() != (r.State != Shown) {
			t.Fatalf("frame %d is %v with the shape %v: %v", i, r.State, r.Shape, err)
		}
		if r.State != Shown && r.Flags != 0 {
			t.Fatalf("frame %d is %v with flags %v", i, r.State, r.Flags)
		}
		if r.Reason == "" || !(r.Confidence >= 0 && r.Confidence <= 1) {
			t.Fatalf("frame %d: %+v", i, r)
		}
		if r.Rect.X < 0 || r.Rect.Y < 0 || r.Rect.X+r.Rect.W > 1+1e-9 || r.Rect.Y+r.Rect.H > 1+1e-9 {
			t.Fatalf("frame %d: %+v lies outside the picture", i, r.Rect)
		}
	}
	return out
}

func TestFollows(t *testing.T) {
	one := actor{seed: 3, dark: 20, where: straight(20, 70, 1.6, 16, 42)}
	for _, tc := range []struct {
		name  string
		s     *scene
		key   int
		shown float64 // least share of the visible frames
		worst float64 // least IoU while shown
	}{
		{"straight on", build(90, nil, nil, one), 0, 0.97, 0.5},
		{"from the end", build(90, nil, nil, one), 89, 0.97, 0.5},
		{"from the middle", build(90, nil, nil, one), 40, 0.97, 0.5},
		{"the light changes", build(90, func(i int) int { return i / 3 }, nil, one), 30, 0.95, 0.4},
		{"past a pole", build(90, nil, []box{{90, 72, 5, 144}}, one), 0, 0.85, 0.3},
		{"half behind a counter", build(90, nil, []box{{100, 85, 60, 30}}, one), 0, 0.6, 0.25},
		{"coming closer", build(90, nil, nil, actor{seed: 5, dark: 20, where: func(i int) (box, bool) {
			k := 1 + float64(i)/60
			return box{30 + 1.4*float64(i), 60 + 0.2*float64(i), 10 * k, 26 * k}, true
		}}), 0, 0.95, 0.4},
		{"going away", build(90, nil, nil, actor{seed: 5, dark: 20, where: func(i int) (box, bool) {
			k := 2.5 - float64(i)/60
			return box{30 + 1.4*float64(i), 80 - 0.2*float64(i), 10 * k, 26 * k}, true
		}}), 0, 0.95, 0.4},
		{"stops for a while", build(90, nil, nil, actor{seed: 5, dark: 20, where: func(i int) (box, bool) {
			return box{20 + 2*float64(min(i, 30)+max(0, i-60)), 70, 16, 42}, true
		}}), 0, 0.95, 0.4},
		{"small", build(90, nil, nil, actor{seed: 5, dark: 20, where: straight(20, 40, 1, 7, 16)}), 0, 0.9, 0.25},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := tc.s.score(run(t, tc.s, keys(tc.s.key(tc.key, 0))), 0)
			if sc.drift > 0 || sc.worst < tc.worst || float64(sc.shown) < tc.shown*float64(sc.visible) {
				t.Errorf("%+v", sc)
			}
		})
	}
}

func TestNeverGoesOverToAnother(t *testing.T) {
	meet := func(x0, vx, y float64) func(int) (box, bool) { return straight(x0, y, vx, 16, 42) }
	turn := func(x0, vx, y float64) func(int) (box, bool) {
		return func(i int) (box, bool) { // to the meeting and back again
			return box{x0 + vx*float64(min(i, 90-i)), y, 16, 42}, true
		}
	}
	for _, tc := range []struct {
		name string
		a, b actor
		min  float64 // least share shown
	}{
		{"others clothes, behind", actor{8, 90, meet(170, -1.6, 66)}, actor{3, 15, meet(20, 1.6, 72)}, 0.8},
		{"other clothes, before", actor{3, 15, meet(20, 1.6, 68)}, actor{8, 90, meet(170, -1.6, 76)}, 0.4},
		{"alike, crossing", actor{3, 20, meet(20, 1.6, 68)}, actor{3, 20, meet(170, -1.6, 74)}, 0.3},
		{"alike, turning round", actor{3, 20, turn(20, 1.6, 68)}, actor{3, 20, turn(170, -1.6, 70)}, 0.2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := build(90, nil, nil, tc.a, tc.b)
			for who := range 2 {
				out := run(t, s, keys(s.key(5, who)))
				sc := s.score(out, who)
				t.Logf("subject %d: %+v", who, sc)
				if sc.drift > 0 || float64(sc.shown) < tc.min*float64(sc.visible) {
					t.Errorf("subject %d: %+v", who, sc)
				}
			}
		})
	}
}

// firstShown returns the first frame from i on that is shown, or -1.
func firstShown(out []Region, i int) int {
	for ; i < len(out); i++ {
		if out[i].State == Shown {
			return i
		}
	}
	return -1
}

func TestVeilsWhenLost(t *testing.T) {
	walk := straight(20, 70, 1.6, 16, 42)
	vanish := func(i int) (box, bool) { b, _ := walk(i); return b, i < 40 }
	back := func(i int) (box, bool) {
		if i < 60 {
			return vanish(i)
		}
		return box{150 - 1.6*float64(i-60), 70, 16, 42}, true
	}
	for _, tc := range []struct {
		name  string
		s     *scene
		after int // nothing is shown from here on
	}{
		{"it is gone at once", build(90, nil, nil, actor{3, 20, vanish}), 41},
		{"somebody like it comes later", build(90, nil, nil, actor{3, 20, back}), 41},
		{"behind a wall for long", build(110, nil, []box{{90, 72, 70, 144}}, actor{3, 20, walk}), 45},
		{"it leaves the picture", build(110, nil, nil, actor{3, 20, straight(100, 70, 1.8, 16, 42)}), 54},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := run(t, tc.s, keys(tc.s.key(2, 0)))
			if n := firstShown(out, 10); n != 10 {
				t.Errorf("frame 10 is not shown: %+v", out[10])
			}
			if n := firstShown(out, tc.after); n >= 0 {
				t.Errorf("frame %d is shown: %+v", n, out[n])
			}
			if out[len(out)-1].Reason != ReasonLost && out[len(out)-1].Reason != ReasonAtEdge {
				t.Errorf("the reason at the end is %q", out[len(out)-1].Reason)
			}
		})
	}
}

func TestKeyframes(t *testing.T) {
	walk := straight(20, 70, 1.6, 16, 42)
	hidden := actor{3, 20, func(i int) (box, bool) { b, _ := walk(i); return b, i < 30 || i >= 60 }}
	s := build(90, nil, nil, hidden)

	t.Run("correction", func(t *testing.T) {
		out := run(t, s, keys(s.key(5, 0), s.key(65, 0)))
		if sc := s.score(out, 0); sc.drift > 0 || sc.shown < 54 {
			t.Errorf("%+v", sc)
		}
		if out[5].Reason != ReasonGiven || out[65].Reason != ReasonGiven || out[5].Rect != *s.key(5, 0).Rect {
			t.Errorf("the keyframes are not as given: %+v %+v", out[5], out[65])
		}
	})
	t.Run("gone", func(t *testing.T) {
		out := run(t, s, keys(subject.Keyframe{At: 0, Gone: true}, s.key(5, 0), subject.Keyframe{At: 2, Gone: true}, s.key(65, 0)))
		for i, r := range out {
			if gone := i < 5 || i >= 20 && i < 65; gone != (r.State == Gone) {
				t.Errorf("frame %d is %v", i, r.State)
			}
		}
	})
	t.Run("gone before the first rectangle", func(t *testing.T) {
		out := run(t, s, keys(subject.Keyframe{At: 1, Gone: true}, s.key(20, 0)))
		if out[0].State != Unsure || out[0].Reason != ReasonNoKeyframe || out[10].State != Gone || out[19].State != Gone || out[20].State != Shown {
			t.Errorf("%+v %+v %+v %+v", out[0], out[10], out[19], out[20])
		}
	})
	t.Run("two keyframes that cannot be one person", func(t *testing.T) {
		s := build(60, nil, nil, actor{3, 20, straight(20, 40, 1.6, 16, 42)}, actor{4, 60, straight(170, 105, -1.6, 16, 42)})
		out := run(t, s, keys(s.key(5, 0), s.key(55, 1)))
		for i := 6; i < 55; i++ {
			if out[i].State == Shown {
				t.Fatalf("frame %d is shown: %+v", i, out[i])
			}
		}
		if out[30].Reason != ReasonJump {
			t.Errorf("frame 30: %+v", out[30])
		}
	})
}

func TestSameAgain(t *testing.T) {
	s := build(50, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	if a, b := run(t, s, keys(s.key(5, 0))), run(t, s, keys(s.key(5, 0))); !reflect.DeepEqual(a, b) {
		t.Error("two runs differ")
	}
}

func TestProgressAndCancel(t *testing.T) {
	s := build(60, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	last := 0
	if _, err := Run(context.Background(), s, keys(s.key(30, 0)), func(done, total int) {
		if done < last || done > total || total != 60 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}); err != nil || last != 60 {
		t.Errorf("ended at %d: %v", last, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := Run(ctx, s, keys(s.key(30, 0)), func(int, int) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	s := build(20, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	torn := *s
	torn.pix = append([][]byte(nil), s.pix...)
	torn.pix[7] = torn.pix[7][1:]
	far := s.key(5, 0)
	far.At = 9
	for _, tc := range []struct {
		name string
		src  Source
		subj subject.Subject
		want string
	}{
		{"no keyframe", s, keys(), "no keyframe"},
		{"after the end", s, keys(far), "within the clip"},
		{"no frames", &scene{w: 192, h: 144, fps: 10}, keys(s.key(5, 0)), "0 frames"},
		{"tiny", &scene{w: 4, h: 4, n: 1, fps: 10, pix: [][]byte{make([]byte, 16)}}, keys(s.key(5, 0)), "4x4"},
		{"a torn plane", &torn, keys(s.key(5, 0)), "one size"},
		{"gone over the only rectangle", s, keys(s.key(5, 0), subject.Keyframe{At: 0.51, Gone: true}), "no keyframe with a rectangle"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Run(context.Background(), tc.src, tc.subj, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestAFrameDoesNotAllocate(t *testing.T) {
	s := build(60, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	e := &engine{ctx: context.Background(), src: s, w: s.w, h: s.h, total: s.n}
	e.outline.init(shape.Grid{W: 2 * s.w, H: 2 * s.h, Block: 4}, s.w, s.h)
	if err := e.bg.learn(e); err != nil {
		t.Fatal(err)
	}
	w, err := e.startWalk(0, s.boxes[0][0], true)
	if err != nil {
		t.Fatal(err)
	}
	f := 0
	if n := testing.AllocsPerRun(40, func() {
		f++
		if _, err := w.next(f, 1); err != nil {
			t.Fatal(err)
		}
	}); n > 1.3 { // its shape; the queue of the blob may grow now and then
		t.Errorf("%v allocations a frame", n)
	}
	if w.lost != "" {
		t.Error("the subject was lost, and the test tested nothing")
	}
}

func BenchmarkRun(b *testing.B) {
	s := build(90, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	for b.Loop() {
		if _, err := Run(context.Background(), s, keys(s.key(5, 0)), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/90, "ms/frame")
}
