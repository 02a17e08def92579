package capture_test

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"veilbox/capture/camera/simulate"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
)

// An exported clip of two minutes has its sound beside its pictures from end to
// end, as another program decodes it: the simulated camera's tone rises, and falls
// back each 4 s.
func TestExportIsInStep(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]simulate.Options{
		"plain":    {FPS: 10, Audio: footage.PCMA},
		"B-frames": {FPS: 10, Audio: footage.PCMU, BFrames: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt.GOP = 2 * time.Second
			k := newStepped(t, opt)
			k.run(130*time.Second, k.step)
			c := k.close()
			if c.AudioDropped+c.AudioReanchored+c.Drifts+c.Gaps != 0 {
				t.Errorf("%+v", c)
			}
			p := newProof(t, k.sim, k.opt)
			k.parts(p.part)
			from := p.first + 5*footage.TicksPerSecond + 1234
			m, err := clip.OpenWith(t.Context(), k.ring, "c", footage.Span{From: from, To: from + 120*footage.TicksPerSecond}, clip.Options{Audio: clip.All})
			if err != nil {
				t.Fatal(err)
			}
			if a := m.About().Audio; a.Silence != 0 || a.Dropped != 0 || a.Why != "" {
				t.Errorf("sound: %+v", a)
			}
			file := filepath.Join(t.TempDir(), "clip.mp4")
			b, err := io.ReadAll(m)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			// What the camera sent first is its picture p.at, less what is shown later.
			begun := p.first - footage.Ticks(int64(p.at)*p.ticks)
			falls := falls(t, file)
			if len(falls) < 29 || len(falls) > 31 {
				t.Fatalf("the tone falls %d times: %v", len(falls), falls)
			}
			for _, at := range falls {
				heard := (m.Span().From - begun + footage.TicksIn(at)).Duration()
				off := heard % (4 * time.Second)
				if off > 2*time.Second {
					off -= 4 * time.Second
				}
				if off.Abs() > k.step {
					t.Errorf("the tone falls %v after its picture, %v into the clip", off, at)
				}
			}
		})
	}
}

// falls returns when a file's tone falls, as ffmpeg plays it.
func falls(t *testing.T, file string) (out []time.Duration) {
	t.Helper()
	const rate, window = 8000, 160
	b, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", file, "-vn", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "8000", "-f", "s16le", "-").Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	before, last := 0, int16(0)
	for w := 0; (w+window)*2 <= len(b); w += window {
		crossed := 0
		for i := w; i < w+window; i++ {
			v := int16(binary.LittleEndian.Uint16(b[2*i:]))
			if v < 0 != (last < 0) {
				crossed++
			}
			last = v
		}
		if before > 18 && crossed < 16 {
			out = append(out, time.Duration(w)*time.Second/rate)
		}
		before = crossed
	}
	return out
}
