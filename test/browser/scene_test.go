package browser

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"veilbox/internal/footagetest"
	"veilbox/redact/subject"
	"veilbox/test/story"
)

// A scene is footage with the story's subject in it.
type scene struct {
	path string
	loop time.Duration
	lead float64      // seconds into the file at which the story's clip begins
	at   float64      // seconds into the clip at which the subject is at rect
	rect subject.Rect // fractions of the camera's picture
}

const lead = 8 // seconds for the camera's first pictures to become a recording

// take returns vtest.avi, cut to the story's part so that it comes round soon,
// or the drawn scene.
func take(t *testing.T) scene {
	t.Helper()
	from, to := story.Window()
	k := story.Subject(0).Keyframes[0]
	s := scene{path: filepath.Join(t.TempDir(), "scene.mp4"), lead: lead, at: k.At, rect: *k.Rect}
	length := to - from + 2*lead
	s.loop = time.Duration(length * float64(time.Second))
	if os.Getenv("VEILBOX_SCENE") == "drawn" {
		s.rect = draw(t, s.path, length, lead+k.At)
		return s
	}
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", footagetest.Vtest(t), "-ss", fmt.Sprint(from-lead), "-t", fmt.Sprint(length),
		"-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", s.path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	return s
}

const drawnW, drawnH, drawnFPS = 1280, 720, 15

// draw films a shop of simple shapes in which three people walk, and returns
// where the one in red is at the given second.
func draw(t *testing.T, path string, length, at float64) subject.Rect {
	t.Helper()
	shop := image.NewRGBA(image.Rect(0, 0, drawnW, drawnH))
	drawShop(shop)
	var raw bytes.Buffer
	frame := image.NewRGBA(shop.Rect)
	for i := range int(length * drawnFPS) {
		copy(frame.Pix, shop.Pix)
		for _, w := range walkers {
			w.draw(frame, float64(i)/drawnFPS)
		}
		raw.Write(frame.Pix)
	}
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgba", "-s", fmt.Sprintf("%dx%d", drawnW, drawnH), "-r", fmt.Sprint(drawnFPS),
		"-i", "-", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", path)
	cmd.Stdin = &raw
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	x, y := walkers[len(walkers)-1].where(at)
	return subject.Rect{X: (x - 36) / drawnW, Y: (y - 190) / drawnH, W: 72.0 / drawnW, H: 200.0 / drawnH}
}

func grey(v uint8) color.RGBA { return color.RGBA{v, v, v, 255} }

func drawShop(m *image.RGBA) {
	for y := range drawnH {
		for x := range drawnW {
			c := color.RGBA{214, 216, 212, 255}
			if y > 230 { // floor tiles, nearer ones larger
				depth := float64(y-230)/490 + 0.35
				if (int(float64(x-640)/depth/80+1000)+int(6*math.Log(depth)/math.Log(1.35)+100))%2 == 0 {
					c = color.RGBA{188, 184, 174, 255}
				} else {
					c = color.RGBA{176, 172, 162, 255}
				}
			}
			m.SetRGBA(x, y, c)
		}
	}
	goods := []color.RGBA{{70, 110, 150, 255}, {196, 160, 70, 255}, {90, 140, 100, 255}, {150, 100, 120, 255}, {120, 120, 130, 255}}
	for _, left := range []int{60, 480, 900} {
		box(m, left, 60, left+320, 240, color.RGBA{110, 96, 82, 255})
		for row := range 3 {
			box(m, left+8, 68+row*58, left+312, 118+row*58, color.RGBA{92, 80, 68, 255})
			for i := range 9 {
				h := 26 + (i*7+row*11+left)%18
				box(m, left+14+i*33, 118+row*58-h, left+40+i*33, 118+row*58, goods[(i+row*2+left/60)%len(goods)])
			}
		}
	}
	box(m, 980, 470, 1240, 640, color.RGBA{132, 116, 98, 255})
	box(m, 970, 452, 1250, 476, color.RGBA{166, 150, 130, 255})
	box(m, 1060, 400, 1150, 452, grey(52))
	box(m, 1068, 407, 1142, 444, color.RGBA{120, 170, 190, 255})
}

func box(m *image.RGBA, x0, y0, x1, y1 int, c color.RGBA) {
	for y := max(0, y0); y < min(drawnH, y1); y++ {
		for x := max(0, x0); x < min(drawnW, x1); x++ {
			m.SetRGBA(x, y, c)
		}
	}
}

// limb is a thick line with round ends.
func limb(m *image.RGBA, x0, y0, x1, y1, r float64, c color.RGBA) {
	dx, dy := x1-x0, y1-y0
	for y := int(max(0, min(y0, y1)-r)); y <= int(min(drawnH-1, max(y0, y1)+r)); y++ {
		for x := int(max(0, min(x0, x1)-r)); x <= int(min(drawnW-1, max(x0, x1)+r)); x++ {
			f := 0.0
			if n := dx*dx + dy*dy; n > 0 {
				f = min(1, max(0, ((float64(x)-x0)*dx+(float64(y)-y0)*dy)/n))
			}
			if math.Hypot(float64(x)-x0-f*dx, float64(y)-y0-f*dy) <= r {
				m.SetRGBA(x, y, c)
			}
		}
	}
}

// A walker goes to and fro between two places.
type walker struct {
	x0, x1, y, seconds, phase float64
	coat, stripe, legs, hair  color.RGBA
	pace                      float64 // strides a second
}

var walkers = []walker{
	{x0: 150, x1: 560, y: 420, seconds: 13, phase: 0.2, coat: color.RGBA{60, 90, 60, 255}, stripe: color.RGBA{60, 90, 60, 255}, legs: color.RGBA{70, 66, 60, 255}, hair: color.RGBA{120, 90, 50, 255}, pace: 1.3},
	{x0: 1120, x1: 720, y: 390, seconds: 17, phase: 0.1, coat: color.RGBA{60, 70, 130, 255}, stripe: color.RGBA{90, 100, 160, 255}, legs: color.RGBA{40, 42, 52, 255}, hair: color.RGBA{40, 34, 30, 255}, pace: 1.1},
	{x0: 260, x1: 900, y: 660, seconds: 23, phase: 0, coat: color.RGBA{150, 34, 40, 255}, stripe: color.RGBA{222, 206, 190, 255}, legs: color.RGBA{36, 44, 72, 255}, hair: color.RGBA{30, 26, 24, 255}, pace: 1.2},
}

func (w walker) where(t float64) (x, y float64) {
	f := math.Mod(t/w.seconds+w.phase, 2)
	if f > 1 {
		f = 2 - f
	}
	return w.x0 + (w.x1-w.x0)*f, w.y
}

// draw puts the walker on the picture; (x, y) is between the feet.
func (w walker) draw(m *image.RGBA, t float64) {
	x, y := w.where(t)
	swing := 16 * math.Sin(2*math.Pi*w.pace*t)
	skin := color.RGBA{172, 122, 94, 255}
	shade := color.RGBA{150, 147, 138, 255}
	limb(m, x-26, y, x+26, y, 7, shade)
	limb(m, x-4, y-78, x-4-swing, y-6, 9, w.legs)
	limb(m, x+4, y-78, x+4+swing, y-6, 9, w.legs)
	limb(m, x, y-132, x, y-84, 21, w.coat)
	limb(m, x-14, y-112, x+14, y-112, 5, w.stripe)
	limb(m, x-14, y-90, x+14, y-90, 5, w.stripe)
	limb(m, x-20, y-136, x-24+swing*0.8, y-84, 7, w.coat)
	limb(m, x+20, y-136, x+24-swing*0.8, y-84, 7, w.coat)
	limb(m, x, y-162, x, y-146, 15, w.coat) // a hood
	limb(m, x, y-170, x, y-166, 14, w.hair)
	limb(m, x+4, y-163, x+4, y-160, 10, skin)
	limb(m, x+8, y-164, x+8, y-164, 2, grey(20))
}
