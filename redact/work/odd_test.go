//go:build linux

package work

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// join puts streams of H.264 or MJPEG behind each other.
func join(t testing.TB, name string, parts ...[]string) []byte {
	t.Helper()
	var all []byte
	for _, args := range parts {
		path := filepath.Join(t.TempDir(), name)
		ffmpeg(t, append(args, path)...)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// Clips as cameras and recorders should not make them, but do. Each is veiled
// with all of its frames.
func TestOddClips(t *testing.T) {
	source := func(size, rate, length string) []string {
		return []string{"-f", "lavfi", "-i", "testsrc2=s=" + size + ":r=" + rate + ":d=" + length}
	}
	with := func(in []string, args ...string) []string { return slices.Concat(in, args) }
	fast := []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "10"}
	for name, c := range map[string]struct {
		file   string
		parts  [][]string
		frames int
		again  bool // its mask is used again
	}{
		"its size changes midway": {"a.h264", [][]string{with(source("320x240", "25", "2"), fast...), with(source("480x270", "25", "2"), fast...)}, 100, true},
		"its format changes midway": {"a.h264", [][]string{with(source("320x240", "25", "2"), with(fast, "-pix_fmt", "yuv420p")...),
			with(source("320x240", "25", "2"), with(fast, "-pix_fmt", "yuv444p")...)}, 100, true},
		"no times at all":   {"a.h264", [][]string{with(source("320x240", "25", "3"), fast...)}, 75, false},
		"a variable rate":   {"a.mp4", [][]string{with(source("320x240", "25", "3"), with([]string{"-vf", "select=not(mod(n\\,3))+lt(n\\,30)", "-fps_mode", "vfr"}, fast...)...)}, 45, true},
		"times far away":    {"a.mkv", [][]string{with(source("320x240", "25", "2"), with([]string{"-vf", "setpts=PTS+3600/TB", "-copyts"}, fast...)...)}, 50, false},
		"a hole of an hour": {"a.mkv", [][]string{with(source("320x240", "25", "2"), with([]string{"-vf", "setpts=PTS+gte(N\\,25)*3600/TB", "-fps_mode", "vfr"}, fast...)...)}, 50, false},
		"two at one time":   {"a.avi", [][]string{with(source("320x240", "25", "2"), "-c:v", "mjpeg")}, 50, false},
		"full range":        {"a.avi", [][]string{with(source("320x240", "12", "2"), "-c:v", "mjpeg", "-pix_fmt", "yuvj422p")}, 24, false},
		"ten bits":          {"a.mp4", [][]string{with(source("320x240", "25", "2"), with(fast, "-pix_fmt", "yuv420p10le")...)}, 50, false},
		"interlaced":        {"a.mp4", [][]string{with(source("320x240", "25", "2"), with(fast, "-flags", "+ildct+ilme")...)}, 50, false},
		"grey":              {"a.mp4", [][]string{with(source("320x240", "25", "2"), with(fast, "-pix_fmt", "gray")...)}, 50, false},
		"odd sides":         {"a.mkv", [][]string{with(source("321x241", "25", "2"), with(fast, "-pix_fmt", "yuv444p")...)}, 50, false},
		"one frame":         {"a.mp4", [][]string{with(source("320x240", "25", "0.04"), fast...)}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			clip := join(t, c.file, c.parts...)
			job := jobOf(KindRedact)
			job.Subjects = []subject.Subject{{Version: 1, Keyframes: []subject.Keyframe{{At: 0, Rect: &subject.Rect{X: 0.2, Y: 0.2, W: 0.3, H: 0.5}}}}}
			first, m := made(t, job, nil, clip)
			if len(m.Frames) != c.frames || m.State(0) != mask.Shown {
				t.Errorf("%d frames, %v in the first", len(m.Frames), m.State(0))
			}
			if !c.again {
				return
			}
			blur := jobOf(KindRedact)
			blur.Choice.Mode = subject.BlurEverything
			if _, m := made(t, blur, nil, clip); len(m.Frames) != c.frames {
				t.Errorf("%d frames, the clip has %d", len(m.Frames), c.frames)
			}
			job.Known = true
			again, _ := made(t, job, first.mask, clip)
			if !bytes.Equal(again.mask, first.mask) {
				t.Error("another mask from the same one")
			}
			at := float64(m.Frames[len(m.Frames)*2/3].At) / 90000
			job.Choice.Still = &subject.Still{At: at}
			if _, m := made(t, job, first.mask, clip); !m.Still {
				t.Error("no still")
			}
		})
	}
}
