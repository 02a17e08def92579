package camera

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
)

// ffmpeg runs it and returns what it wrote.
func ffmpeg(t *testing.T, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "ffmpeg", append([]string{"-nostdin", "-v", "error"}, args...)...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, errs.String())
	}
	return out
}

// Pictures that are sent in another order than shown keep their time of
// showing, and get decode times that rise and are not after it.
func TestReorderedPictures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		codec  footage.Codec
		encode []string
		bsf    string
		muxer  string
		aud    byte
	}{
		{"H.264", footage.H264, []string{"-c:v", "libx264", "-bf", "3", "-x264-params", "b-pyramid=normal:keyint=15:scenecut=0"}, "h264_mp4toannexb,h264_metadata=aud=insert", "h264", 9},
		{"H.264 none", footage.H264, []string{"-c:v", "libx264", "-bf", "0", "-x264-params", "keyint=15"}, "h264_mp4toannexb,h264_metadata=aud=insert", "h264", 9},
		{"H.265", footage.H265, []string{"-c:v", "libx265", "-x265-params", "log-level=none:bframes=3:keyint=15:scenecut=0:open-gop=0"}, "hevc_mp4toannexb,hevc_metadata=aud=insert", "hevc", 35},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "b.mkv")
			args := append([]string{"-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=3"}, tc.encode...)
			ffmpeg(t, append(args, file)...)
			// One line a picture in the order of decoding: stream, DTS, PTS, ...
			var shown []int64
			for line := range strings.Lines(string(ffmpeg(t, "-i", file, "-c", "copy", "-f", "framecrc", "-"))) {
				if f := strings.Split(line, ","); !strings.HasPrefix(line, "#") && len(f) >= 4 {
					ms, err := strconv.ParseInt(strings.TrimSpace(f[2]), 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					shown = append(shown, ms*90)
				}
			}
			var units [][][]byte
			for _, n := range annexB(ffmpeg(t, "-i", file, "-c", "copy", "-bsf:v", tc.bsf, "-f", tc.muxer, "-")) {
				typ := n[0] & 0x1f
				if tc.codec == footage.H265 {
					typ = n[0] >> 1 & 0x3f
				}
				if typ == tc.aud {
					units = append(units, nil)
				}
				units[len(units)-1] = append(units[len(units)-1], n)
			}
			if len(units) != len(shown) || len(units) != 75 {
				t.Fatalf("%d pictures, %d times", len(units), len(shown))
			}
			c := &collect{}
			s := &session{opt: Options{}.orDefault(), handler: c}
			s.start(track{codec: tc.codec})
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for i, u := range units {
				s.unit(uint32(shown[i]), begin.Add(time.Duration(i)*40*time.Millisecond), u)
			}
			if len(c.units) != len(units) {
				t.Fatalf("%d of %d pictures came out", len(c.units), len(units))
			}
			keys, early := 0, 0
			for i, u := range c.units {
				if u.Key {
					keys++
				}
				if i > 0 && u.DTS <= c.units[i-1].DTS {
					t.Fatalf("picture %d: DTS %d after %d", i, u.DTS, c.units[i-1].DTS)
				}
				// Until the depth of the reordering is seen, a few may be late.
				if want := shown[i] - shown[0]; u.PTS != want {
					if early++; early > 3 || i > 15 {
						t.Errorf("picture %d is shown at %d, want %d", i, u.PTS, want)
					}
				}
				if d := u.PTS - u.DTS; d < 0 || d > footage.TicksPerSecond/2 {
					t.Errorf("picture %d is shown %d ticks after it is decoded", i, d)
				}
			}
			if keys != 5 {
				t.Errorf("%d keyframes, want 5", keys)
			}
		})
	}
}

// annexB splits a byte stream without splitAnnexB's bound.
func annexB(b []byte) [][]byte {
	var out [][]byte
	for _, u := range bytes.Split(b, startCode) {
		if u = bytes.TrimRight(u, "\x00"); len(u) > 0 {
			out = append(out, u)
		}
	}
	return out
}
