package track

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"veilbox/internal/footagetest"
)

// A truth is where somebody is in vtest.avi, by eye, in pixels of 384x288:
// frame, left, top, width, height; straight lines between.
type truth struct {
	name  string
	boxes [][5]float64
	keys  []int  // each of them alone is a run
	in    [2]int // it is in the picture between these at most
}

var vtestTruth = []truth{
	{"man in a dark jacket, walks off, turns and crosses the picture", [][5]float64{
		{50, 335, 128, 22, 57}, {60, 308, 118, 17, 53}, {70, 294, 105, 16, 49}, {80, 284, 94, 16, 48},
		{90, 286, 86, 12, 44}, {100, 295, 77, 13, 40}, {110, 309, 71, 14, 37}, {120, 326, 65, 12, 37},
		{130, 342, 61, 9, 34}, {140, 353, 57, 10, 33}, {150, 356, 55, 8, 33}, {160, 337, 61, 10, 32},
		{170, 317, 60, 13, 36}, {180, 294, 66, 14, 35}, {190, 272, 70, 12, 35}, {200, 244, 73, 15, 38},
		{210, 215, 79, 15, 37}, {220, 183, 81, 17, 38}, {230, 146, 81, 13, 40}, {240, 119, 79, 15, 38},
		{250, 98, 76, 16, 37}, {260, 82, 74, 12, 35}, {270, 66, 71, 10, 36}, {280, 58, 73, 12, 35},
		{290, 75, 77, 12, 36}, {300, 95, 80, 16, 37}, {310, 123, 82, 14, 38}, {320, 153, 84, 15, 40},
		{330, 177, 87, 16, 42}, {340, 207, 87, 19, 43}, {350, 235, 95, 19, 43}, {360, 266, 98, 19, 45},
		{370, 298, 102, 17, 46}, {380, 329, 107, 17, 47}, {390, 362, 113, 16, 49},
	}, []int{60, 120, 250, 370}, [2]int{38, 396}},
	{"man with a paper, past the lamp post and back, among three others", [][5]float64{
		{230, 361, 145, 23, 53}, {240, 330, 136, 23, 53}, {250, 300, 127, 20, 51}, {260, 267, 121, 18, 49},
		{270, 233, 118, 15, 49}, {280, 205, 115, 14, 45}, {290, 177, 110, 16, 44}, {300, 157, 107, 15, 41},
		{310, 136, 101, 14, 40}, {320, 130, 98, 11, 41}, {330, 146, 100, 15, 42}, {340, 169, 106, 15, 44},
		{350, 193, 113, 14, 46}, {360, 217, 120, 16, 49}, {370, 250, 127, 17, 49}, {380, 283, 134, 24, 50},
		{390, 315, 142, 24, 55}, {400, 345, 150, 27, 56},
	}, []int{240, 300, 330, 390}, [2]int{226, 406}},
	{"woman on the lawn, walks away", [][5]float64{
		{550, 117, 190, 27, 64}, {560, 96, 198, 27, 67}, {570, 85, 208, 28, 70}, {580, 94, 214, 33, 74},
		{590, 130, 217, 31, 71}, {600, 142, 217, 22, 71}, {610, 175, 213, 24, 75}, {620, 190, 213, 28, 75},
		{630, 177, 199, 27, 72},
		{640, 168, 192, 26, 70}, {650, 167, 185, 24, 72}, {660, 149, 179, 30, 66}, {670, 112, 172, 31, 62},
		{680, 76, 165, 22, 60}, {690, 60, 153, 21, 60}, {700, 52, 143, 20, 55}, {710, 34, 133, 20, 50},
		{720, 30, 123, 18, 48}, {730, 48, 116, 18, 42}, {740, 64, 108, 16, 42}, {750, 91, 102, 21, 39},
	}, []int{600, 650, 700, 740}, [2]int{500, 794}},
}

// at returns the true box in a frame; false outside of the truth.
func (tr truth) at(frame int) (box, bool) {
	f := float64(frame)
	for i := 1; i < len(tr.boxes); i++ {
		a, b := tr.boxes[i-1], tr.boxes[i]
		if f < a[0] || f > b[0] {
			continue
		}
		q := (f - a[0]) / (b[0] - a[0])
		for j := 1; j < 5; j++ {
			a[j] += q * (b[j] - a[j])
		}
		return box{a[1] + a[3]/2, a[2] + a[4]/2, a[3], a[4]}, true
	}
	return box{}, false
}

func vtest(t testing.TB) *scene {
	t.Helper()
	cmd := exec.Command("ffmpeg", "-v", "error", "-i", footagetest.Vtest(t), "-vf", "scale=384:288:flags=area",
		"-pix_fmt", "gray", "-f", "rawvideo", "-")
	cmd.Stderr = os.Stderr
	pix, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	s := &scene{w: 384, h: 288, fps: 10}
	for size := s.w * s.h; len(pix) >= size; pix = pix[size:] {
		s.pix = append(s.pix, pix[:size])
	}
	if s.n = len(s.pix); s.n < 780 {
		t.Fatalf("vtest.avi has %d frames, want some 795", s.n)
	}
	return s
}

// TestVtest follows three people on real footage from one keyframe each.
func TestVtest(t *testing.T) {
	s := vtest(t)
	for _, tr := range vtestTruth {
		for _, k := range tr.keys {
			t.Run(fmt.Sprintf("%s, from frame %d", tr.name, k), func(t *testing.T) {
				b, _ := tr.at(k)
				r := b.rect(s.w, s.h)
				visible, shown, drift, flagged := 0, 0, 0, 0
				for i, reg := range run(t, s, keys(keyAt(s.Time(k), r))) {
					want, in := tr.at(i)
					if in {
						visible++
					}
					if reg.State == Shown && (i < tr.in[0] || i > tr.in[1]) {
						t.Errorf("frame %d: somebody is shown, but the subject is not in the picture", i)
					}
					if !in || reg.State != Shown {
						continue
					}
					shown++
					if reg.Flags != 0 {
						flagged++
					}
					if q := boxOf(reg.Rect, s.w, s.h).iou(want); q < 0.1 {
						drift++
						if reg.Flags == 0 {
							t.Errorf("frame %d: the region %+v is off the subject (IoU %.2f), and not flagged", i, reg.Rect, q)
						}
					}
				}
				t.Logf("shown in %d of %d frames (%.1f %%), %d flagged, %d adrift", shown, visible, 100*float64(shown)/float64(visible), flagged, drift)
				// Two who walk side by side can be taken for each other for a moment.
				if 33*drift > shown {
					t.Errorf("adrift in %d of %d frames", drift, shown)
				}
				if 10*shown < 9*visible {
					t.Errorf("shown in %d of %d frames, want nine in ten", shown, visible)
				}
			})
		}
	}
}

func BenchmarkVtest(b *testing.B) {
	s := vtest(b)
	at, _ := vtestTruth[0].at(60)
	r := at.rect(s.w, s.h)
	for b.Loop() {
		if _, err := Run(b.Context(), s, keys(keyAt(6, r)), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(s.n), "ms/frame")
}
