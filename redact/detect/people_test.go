//go:build linux

package detect_test

import (
	"fmt"
	"io"
	"os/exec"
	"testing"

	"veilbox/internal/footagetest"
	"veilbox/redact/detect"
)

// people is where somebody stands in every hundredth frame of vtest.avi, set by
// hand: the middle of each, in 423 by 317 units of the frame.
var people = [][][2]float64{
	{{147, 145}, {284, 106}, {365, 155}},
	{{127, 42}, {199, 130}, {215, 118}, {243, 122}, {279, 100}, {291, 102}, {332, 107}},
	{{52, 100}, {129, 126}, {276, 102}, {349, 175}, {398, 168}, {379, 68}, {392, 70}},
	{{110, 108}, {140, 104}, {171, 107}, {181, 141}, {328, 108}, {348, 109}},
	{{159, 133}, {333, 94}, {397, 196}},
	{{176, 123}, {316, 150}, {325, 186}, {345, 178}},
	{{110, 98}, {320, 134}, {379, 138}, {361, 197}, {260, 197}, {168, 275}},
	{{109, 110}, {163, 140}, {209, 118}, {229, 95}, {267, 92}, {294, 109}, {388, 145}, {67, 187}},
}

func TestPeopleAreFound(t *testing.T) {
	path := footagetest.Vtest(t)
	for _, k := range []struct {
		w, h, detail int
		least        float64 // of those who are there
		most         int     // boxes of nobody
	}{
		{384, 288, 1280, 0.8, 3},
		{640, 480, 1280, 0.8, 3},
		{384, 288, 960, 0.6, 3},
		{768, 576, 768, 0.4, 3},
	} {
		t.Run(fmt.Sprintf("%dx%d at %d", k.w, k.h, k.detail), func(t *testing.T) {
			d := start(t, detect.Options{Width: k.w, Height: k.h, Detail: k.detail})
			c := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-i", path, "-vf",
				fmt.Sprintf("select=not(mod(n\\,100)),scale=%d:%d:flags=area,format=gray", k.w, k.h), "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatalf("%v: run make setup, which installs ffmpeg", err)
			}
			luma := make([]byte, k.w*k.h)
			there, seen, nobody := 0, 0, 0
			for _, frame := range people {
				if _, err := io.ReadFull(out, luma); err != nil {
					t.Fatal(err)
				}
				boxes, err := d.Frame(luma)
				if err != nil {
					t.Fatal(err)
				}
				found := make([]bool, len(frame))
				for _, b := range boxes {
					hit := -1
					for i, p := range frame {
						x, y := (p[0]/423-b.Rect.X)/b.Rect.W, (p[1]/317-b.Rect.Y)/b.Rect.H
						if x > 0 && x < 1 && y > 0.2 && y < 0.8 && (hit < 0 || found[hit]) {
							hit = i
						}
					}
					if hit < 0 || found[hit] {
						nobody++
						continue
					}
					found[hit] = true
					seen++
				}
				there += len(frame)
			}
			if err := c.Wait(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d of %d found, %d boxes of nobody or twice", seen, there, nobody)
			if float64(seen) < k.least*float64(there) || nobody > k.most {
				t.Errorf("%d of %d found, %d boxes of nobody or twice", seen, there, nobody)
			}
		})
	}
}
