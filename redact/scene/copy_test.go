package scene

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/footagetest"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/stamp"
	"veilbox/redact/veil"
)

const streetW, streetH = 768, 576

// read calls fn with the frames that ffmpeg makes of args.
func read(t *testing.T, fn func(i int, f *veil.Frame), args ...string) {
	t.Helper()
	all := append(append([]string{"-nostdin", "-v", "error"}, args...), "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "pipe:1")
	c := exec.CommandContext(t.Context(), "ffmpeg", all...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("%v: install Debian's ffmpeg (scripts/setup.sh does)", err)
	}
	const y = streetW * streetH
	r, b := bufio.NewReaderSize(out, 1<<20), make([]byte, y*3/2)
	for i := 0; ; i++ {
		if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		fn(i, &veil.Frame{W: streetW, H: streetH, Y: b[:y], U: b[y : y*5/4], V: b[y*5/4:]})
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}

// street learns the scene of a busy street: a frame a second, as if they were
// two minutes apart.
func street(t *testing.T) *Scene {
	t.Helper()
	l := NewLearner(shape.For(streetW, streetH))
	for _, take := range []func(*veil.Frame, footage.Ticks) error{l.Add, l.Verify} {
		read(t, func(i int, f *veil.Frame) {
			if err := take(f, footage.TicksIn(time.Duration(i)*2*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}, "-i", footagetest.Vtest(t), "-vf", "select=not(mod(n\\,10))")
	}
	s, err := l.Scene()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A street is veiled, with somebody shown who walks, the scene painted and a
// stamp, and coded as a copy is, at the coarsest quality. All that the codec
// leaves is within half of veil.Lossy, but for what is painted, and the same copy
// fails once a person of the clip is in it.
func TestCopy(t *testing.T) {
	s := street(t)
	if n := s.Still.Blocks(); n < s.Grid.Cols()*s.Grid.Rows()/10 {
		t.Fatalf("%d blocks of the street are proven, %q", n, s.Why)
	}
	g, frames := s.Grid, 150
	st, err := stamp.New(g, mask.Stamp{Start: time.Date(2026, 11, 22, 13, 3, 5, 0, time.UTC), Place: "Netto Ærø"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := veil.New(g, veil.Options{Scene: &s.Picture, Hold: 10})
	if err != nil {
		t.Fatal(err)
	}
	coded := filepath.Join(t.TempDir(), "copy.mp4")
	c := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", "768x576", "-framerate", "10", "-i", "pipe:0",
		"-c:v", "libx264", "-g", "10", "-bf", "0", "-preset", "veryfast", "-crf", "26", coded)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var seen []veil.Seen
	var clip *veil.Frame
	const spoilt = 100
	read(t, func(i int, f *veil.Frame) {
		if i >= frames {
			return
		}
		if i == spoilt {
			clip = clone(f)
		}
		var q veil.Seen
		b := shape.NewBitmap(g)
		for dy := -12; dy <= 12; dy++ { // an oval
			for dx := -5; dx <= 5; dx++ {
				if dx*dx*144+dy*dy*25 < 3600 {
					b.Bits[(70+dy)*b.Cols+60+i/4+dx] = true
				}
			}
		}
		q.Shown = b.Shape(nil)
		q.Painted = s.Painted(nil, f, q.Shown, st.Area())
		if err := errors.Join(v.Apply(f, q), st.Draw(f, footage.Ticks(i*9000))); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, q)
		for _, p := range planes(f) {
			if _, err := in.Write(p); err != nil {
				t.Fatal(err)
			}
		}
	}, "-i", footagetest.Vtest(t))
	if err := errors.Join(in.Close(), c.Wait()); err != nil {
		t.Fatal(err)
	}
	tight := veil.Lossy
	tight.Deviation, tight.Energy, tight.Ring = tight.Deviation/2, tight.Energy/2, tight.Ring/2
	var check veil.Checker
	n := 0
	read(t, func(i int, f *veil.Frame) {
		n++
		e := veil.Expect{Grid: g, Seen: seen[i], Scene: &s.Picture, Apart: st.Area(), Cell: v.Cell(), Tolerance: tight}
		if r, err := check.Check(f, e); err != nil || !r.OK {
			t.Fatalf("frame %d: %+v, %v", i, r, err)
		}
		if r, err := st.Check(f, footage.Ticks(i*9000)); err != nil || !r.OK {
			t.Fatalf("frame %d: %+v, %v", i, r, err)
		}
		if i != spoilt {
			return
		}
		// The clip's own samples, in 32 by 64 px at a time.
		e.Tolerance = veil.Lossy
		passed, all := 0, 0
		for y := 0; y+64 <= streetH-48; y += 64 {
			for x := 0; x+32 <= streetW; x += 32 {
				h := clone(f)
				for yy := y; yy < y+64; yy++ {
					copy(h.Y[yy*streetW+x:yy*streetW+x+32], clip.Y[yy*streetW+x:])
				}
				r, err := check.Check(h, e)
				if err != nil {
					t.Fatal(err)
				}
				all++
				if r.OK {
					passed++
				}
			}
		}
		t.Logf("of %d pieces of the clip, left in one at a time, %d pass", all, passed)
		if passed > all/20 {
			t.Errorf("%d of %d pieces of the clip pass", passed, all)
		}
	}, "-i", coded)
	if n != frames {
		t.Errorf("%d frames of %d", n, frames)
	}
}
