package badinput

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/redact/codec"
)

const old = `#!/bin/sh
echo "ffmpeg version 4.4.2-0 Copyright (c) 2000-2021 the FFmpeg developers"
echo "libavcodec     58.134.100 / 58.134.100"
`

// Without an ffmpeg that will do no copy is made, and everything else goes on.
func TestFFmpeg(t *testing.T) {
	t.Parallel()
	file := clip(t)
	dir := t.TempDir()
	for _, name := range []string{"ffmpeg", "ffprobe"} {
		write(t, filepath.Join(dir, name), old, 0o755)
	}
	subject := write(t, filepath.Join(t.TempDir(), "subject.json"),
		`{"version": 1, "keyframes": [{"at": 0.5, "rect": {"x": 0.4, "y": 0.4, "w": 0.2, "h": 0.3}}]}`, 0o600)
	for name, path := range map[string]string{"missing": filepath.Join(t.TempDir(), "ffmpeg"), "too old": filepath.Join(dir, "ffmpeg")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cam, _ := camera(t, "", file, false)
			b := newBox(t, t.TempDir())
			b.cfg.Redact.FFmpeg = path
			b.start()
			b.record(at(cam.URL()))
			b.ill("sandbox", codec.NoFFmpeg.Code)
			b.log.tells(t, "no copy can be veiled", codec.NoFFmpeg.Cause.EN, codec.NoFFmpeg.Remedy.EN)
			b.more(time.Second)
			_, err := b.call.Still(t.Context(), "kasse-1")
			refused(t, "still", err, codec.NoFFmpeg.Code)

			out := filepath.Join(t.TempDir(), "copy.mp4")
			program(t, "veilctl", "redact", file, out, "--subject", subject, "--ffmpeg", path).tells(t, 5, codec.NoFFmpeg)
			if _, err := os.Stat(out); err == nil {
				t.Error("a copy was left behind")
			}
			r := program(t, "veilctl", "camera", "simulate", file, "--listen", "127.0.0.1:0", "--ffmpeg", path)
			if r.status != 1 || !strings.Contains(r.errors, "5.1 or later") {
				t.Errorf("camera simulate: status %d, %s", r.status, r.errors)
			}
		})
	}
}

// What veilctl is given is no video, or no subject.
func TestNotAVideo(t *testing.T) {
	t.Parallel()
	subject := write(t, filepath.Join(t.TempDir(), "subject.json"),
		`{"version": 1, "keyframes": [{"at": 0.5, "rect": {"x": 0.4, "y": 0.4, "w": 0.2, "h": 0.3}}]}`, 0o600)
	noise := write(t, filepath.Join(t.TempDir(), "noise.mp4"), strings.Repeat("garbage ", 5000), 0o600)
	out := filepath.Join(t.TempDir(), "copy.mp4")
	program(t, "veilctl", "redact", noise, out, "--subject", subject).tells(t, 3, codec.NotVideo)
	if _, err := os.Stat(out); err == nil {
		t.Error("a copy was left behind")
	}
	r := program(t, "veilctl", "redact", clip(t), out, "--subject", noise)
	if r.status != 3 || !strings.Contains(r.errors, "subject") {
		t.Errorf("a subject file of garbage: status %d, %s", r.status, r.errors)
	}
}
