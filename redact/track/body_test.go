package track

import (
	"fmt"
	"testing"
)

// TestTheBodyIsShown follows one body at several rates and checks what of it
// is shown.
func TestTheBodyIsShown(t *testing.T) {
	const seconds = 8
	for _, fps := range []float64{5, 10, 25, 30} {
		walk := func(x0, y, v, w, h float64) func(int) (box, bool) {
			return straight(x0, y, v/fps, w, h)
		}
		at := func(i int) float64 { return float64(i) / fps }
		for _, tc := range []struct {
			name    string
			light   func(int) int
			pillars []box
			where   func(int) (box, bool)
			shown   float64 // least share of the frames in which it can be seen
			body    float64 // least share of the visible body
		}{
			{"walks", nil, nil, walk(20, 70, 18, 16, 42), 0.97, 0.97},
			{"walks while the light changes", func(i int) int { return int(4 * at(i)) }, nil, walk(20, 70, 18, 16, 42), 0.97, 0.95},
			{"walks past a shelf", nil, []box{{96, 100, 40, 30}}, walk(20, 70, 18, 16, 42), 0.95, 0.90},
			{"comes twice as near", nil, nil, func(i int) (box, bool) {
				k := 1 + at(i)/seconds
				return box{30 + 15*at(i), 55 + 2*at(i), 11 * k, 28 * k}, true
			}, 0.95, 0.95},
			{"stands still for long", nil, nil, func(i int) (box, bool) {
				return box{30 + 24*(min(at(i), 2)+max(0, at(i)-5)), 70, 16, 42}, true
			}, 0.97, 0.95},
		} {
			t.Run(fmt.Sprintf("%s, %g a second", tc.name, fps), func(t *testing.T) {
				s := build(int(seconds*fps), tc.light, tc.pillars, actor{3, 20, tc.where})
				s.fps = fps
				for _, k := range []int{0, s.n / 2} {
					v := s.sight(run(t, s, keys(s.key(k, 0))), 0)
					if float64(v.shown) < tc.shown*float64(v.frames) || v.body < tc.body {
						t.Errorf("from frame %d: %+v", k, v)
					}
				}
			})
		}
	}
}

// TestNobodyElseIsShownUnflagged has two people meet, in every way that the
// tracker tells apart or cannot.
func TestNobodyElseIsShownUnflagged(t *testing.T) {
	right, left := straight(20, 70, 1.6, 16, 42), straight(170, 70, -1.6, 16, 42)
	lower := func(f func(int) (box, bool), by float64) func(int) (box, bool) {
		return func(i int) (box, bool) { b, in := f(i); b.cy += by; return b, in }
	}
	for _, tc := range []struct {
		name string
		a, b actor
		min  float64 // least share shown, of either
	}{
		{"other clothes", actor{3, 20, right}, actor{8, 90, lower(left, 5)}, 0.4},
		{"the same clothes", actor{3, 20, right}, actor{3, 20, lower(left, 6)}, 0.3},
		{"side by side", actor{3, 20, right}, actor{8, 80, lower(straight(38, 70, 1.6, 16, 42), 2)}, 0.7},
		{"one passes the other who stands", actor{3, 20, right}, actor{8, 80, func(i int) (box, bool) {
			return box{100 + max(0, float64(i-70))*2, 74, 16, 42}, true
		}}, 0.6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := build(90, nil, nil, tc.a, tc.b)
			for who := range 2 {
				for _, k := range []int{4, 85} {
					v := s.sight(run(t, s, keys(s.key(k, who))), who)
					t.Logf("subject %d from frame %d: %+v", who, k, v)
					if v.unflagged > 0 {
						t.Errorf("subject %d from frame %d: somebody else is shown in %d frames without a flag, first in %d", who, k, v.unflagged, v.worst)
					}
					if float64(v.shown) < tc.min*float64(v.frames) {
						t.Errorf("subject %d from frame %d: shown in %d of %d", who, k, v.shown, v.frames)
					}
				}
			}
		})
	}
}
