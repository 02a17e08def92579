// Package footagetest gives tests their footage. What it returns is for reading;
// a test that wants to change a file copies it first.
package footagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"veilbox/internal/footagesrc"
)

// Vtest returns the path of vtest.avi: 768x576, 10 frames a second, 79 s,
// people walking. The test fails where it cannot be had.
func Vtest(t testing.TB) string {
	t.Helper()
	path, err := footagesrc.Find()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Options shape a made clip. Zero values take the default.
type Options struct {
	Width, Height int           // 320x240
	FPS           int           // 10
	Duration      time.Duration // 4 s
	GOP           int           // frames from keyframe to keyframe; one second
	Audio         bool          // a tone as AAC, for tests that it goes away
	Container     string        // "mp4"; or "avi", "mkv", "ts"
	Source        string        // lavfi source without size and rate; "testsrc2"
}

// Synthetic makes a small H.264 clip with ffmpeg and returns its path, in a
// folder that goes with the test. The same options give the same pictures.
func Synthetic(t testing.TB, o Options) string {
	t.Helper()
	if o.Width == 0 || o.Height == 0 {
		o.Width, o.Height = 320, 240
	}
	if o.FPS == 0 {
		o.FPS = 10
	}
	if o.Duration == 0 {
		o.Duration = 4 * time.Second
	}
	if o.GOP == 0 {
		o.GOP = o.FPS
	}
	if o.Container == "" {
		o.Container = "mp4"
	}
	if o.Source == "" {
		o.Source = "testsrc2"
	}
	out := filepath.Join(t.TempDir(), "clip."+o.Container)
	seconds := fmt.Sprintf("%.3f", o.Duration.Seconds())
	args := []string{"-nostdin", "-v", "error", "-f", "lavfi",
		"-i", fmt.Sprintf("%s=size=%dx%d:rate=%d", o.Source, o.Width, o.Height, o.FPS)}
	if o.Audio {
		args = append(args, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000", "-c:a", "aac")
	}
	args = append(args, "-t", seconds, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
		"-bf", "0", "-g", fmt.Sprint(o.GOP), "-sc_threshold", "0", out)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if b, err := exec.CommandContext(ctx, "ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("footagetest: ffmpeg: %v: %s: install Debian's ffmpeg (scripts/setup.sh does)", err, b)
	}
	if info, err := os.Stat(out); err != nil || info.Size() == 0 {
		t.Fatalf("footagetest: ffmpeg made no clip: %v", err)
	}
	return out
}
