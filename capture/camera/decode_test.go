package camera

import (
	"testing"
	"time"

	"veilbox/capture/footage"
)

// Pictures of any pace that are sent before others which are shown earlier keep
// their time of showing, and are decoded a constant time after they are sent.
func TestReorderedAtAnyPace(t *testing.T) {
	for _, fps := range []int64{1, 2, 4, 25, 60} {
		for name, group := range map[string][]int64{"none": {1}, "one": {2, 1}, "two": {3, 1, 2}, "three": {4, 2, 1, 3}, "three in line": {4, 1, 2, 3}} {
			for _, told := range []bool{true, false} {
				frame := footage.TicksPerSecond / fps
				d := decodeClock{codec: footage.H265}
				sets := &paramSets{codec: footage.H265}
				depth := min(len(group)-1, 1)
				if name == "three" {
					depth = 2
				}
				if told {
					sets.reorder = depth
				}
				l := &timeline{}
				begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				last, bent := int64(-1), 0
				for n := range int64(200) {
					shown := n
					if n > 0 {
						k := int64(len(group))
						shown = (n-1)/k*k + group[(n-1)%k]
					}
					arrived := begin.Add(footage.Ticks(n * frame).Duration())
					want, replaced := l.at(uint32(shown*frame), arrived, n == 0)
					if replaced || want != shown*frame {
						t.Fatalf("%d fps, %s: picture %d is shown at %d, want %d", fps, name, n, want, shown*frame)
					}
					dts, pts := d.next(sets, nil, want, l.spread())
					if dts <= last || dts > pts {
						t.Fatalf("%d fps, %s: picture %d: DTS %d after %d, PTS %d", fps, name, n, dts, last, pts)
					}
					last = dts
					if pts != want {
						bent++
						if told || n > int64(2*len(group)) {
							t.Errorf("%d fps, %s: picture %d is shown at %d, want %d", fps, name, n, pts, want)
						}
					}
					if lag := n*frame - dts; n > int64(2*len(group)) && lag != int64(depth)*frame {
						t.Fatalf("%d fps, %s: picture %d is decoded %d ticks after it was sent, want %d", fps, name, n, lag, int64(depth)*frame)
					}
				}
				if bent > 3 {
					t.Errorf("%d fps, %s: %d pictures are shown at another time", fps, name, bent)
				}
			}
		}
	}
}
