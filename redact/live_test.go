//go:build linux

package redact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/capture/footage"
)

// coded makes n pictures of testsrc2 with ffmpeg, as a camera sends them.
func coded(t testing.TB, c footage.Codec, w, h, rate, n int) (footage.Format, []footage.AccessUnit) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	args := map[footage.Codec][]string{
		footage.H264:  {"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-bsf:v", "h264_metadata=aud=insert", "-f", "h264"},
		footage.H265:  {"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:bframes=0:keyint=30:aud=1:repeat-headers=1", "-f", "hevc"},
		footage.MJPEG: {"-c:v", "mjpeg", "-f", "mjpeg"},
	}[c]
	args = append(append([]string{"-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%dx%d:r=%d", w, h, rate),
		"-frames:v", fmt.Sprint(n), "-pix_fmt", "yuv420p"}, args...), path)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v %s: install Debian's ffmpeg (scripts/setup.sh does)", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := footage.Format{Codec: c, Width: w, Height: h}
	var out []footage.AccessUnit
	add := func(units ...[]byte) {
		i := int64(len(out))
		at := i * footage.TicksPerSecond / int64(rate)
		out = append(out, footage.AccessUnit{DTS: at, PTS: at, Key: c == footage.MJPEG || i%30 == 0, NALUs: units})
	}
	if c == footage.MJPEG {
		for _, p := range bytes.Split(b, []byte{0xff, 0xd8, 0xff})[1:] {
			add(append([]byte{0xff, 0xd8, 0xff}, p...))
		}
		return f, out
	}
	aud := byte(9)
	kind := func(n []byte) byte { return n[0] & 0x1f }
	params := func(k byte) bool { return k == 7 || k == 8 }
	if c == footage.H265 {
		aud = 35
		kind = func(n []byte) byte { return n[0] >> 1 & 0x3f }
		params = func(k byte) bool { return k >= 32 && k <= 34 }
	}
	var open [][]byte
	for _, n := range bytes.Split(bytes.ReplaceAll(b, []byte{0, 0, 0, 1}, []byte{0, 0, 1}), []byte{0, 0, 1})[1:] {
		switch k := kind(n); {
		case k == aud && open != nil:
			add(open...)
			open = nil
		case params(k):
			if len(f.Params) < map[footage.Codec]int{footage.H264: 2, footage.H265: 3}[c] {
				f.Params = append(f.Params, n)
			}
		case k != aud:
			open = append(open, n)
		}
	}
	add(open...)
	if len(out) != n {
		t.Fatalf("%d pictures, want %d", len(out), n)
	}
	return f, out
}

var errDone = errors.New("done")

// cpu is the time that the programs of this test which run now have taken.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	ticks := 0
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil || !ours(filepath.Dir(s)) {
			continue
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		var user, system int
		if _, err := fmt.Sscan(f[11]+" "+f[12], &user, &system); err != nil {
			t.Fatal(err)
		}
		ticks += user + system
	}
	return time.Duration(ticks) * time.Second / 100
}

func TestTranscode(t *testing.T) {
	for _, tc := range []struct {
		codec         footage.Codec
		w, h, rate, n int
		outW, outH    int
		out           int // pictures
	}{
		{footage.H265, 1920, 1080, 25, 75, 1280, 720, 38},
		{footage.MJPEG, 640, 360, 10, 30, 640, 360, 30},
	} {
		t.Run(tc.codec.String(), func(t *testing.T) {
			f, in := coded(t, tc.codec, tc.w, tc.h, tc.rate, tc.n)
			const first = 1 << 40 // a camera's times begin anywhere
			sent := map[int64]time.Time{}
			var sentMu sync.Mutex
			var worst, sum time.Duration
			i, got, keys := 0, 0, 0
			var stream []byte
			back := make(chan struct{}, 1024)
			begun, took := time.Now(), time.Duration(0)
			next := func(ctx context.Context) (footage.Format, footage.AccessUnit, error) {
				if i == len(in) {
					for n := 0; n < tc.out; n++ { // until all have come
						select {
						case <-back:
						case <-time.After(20 * time.Second):
							return f, footage.AccessUnit{}, errors.New("pictures did not come")
						}
					}
					took = cpu(t)
					return f, footage.AccessUnit{}, errDone
				}
				// At the camera's pace, for the figures.
				if i == 1 {
					begun = time.Now()
				} else if i > 1 {
					<-time.After(time.Until(begun.Add(time.Duration(i) * time.Second / time.Duration(tc.rate))))
				}
				au := in[i]
				i++
				au.PTS, au.DTS, au.Arrived = au.PTS+first, au.DTS+first, time.Now()
				sentMu.Lock()
				sent[au.PTS] = au.Arrived
				sentMu.Unlock()
				return f, au, nil
			}
			err := worker().Transcode(t.Context(), tc.codec, next, func(g footage.Format, au footage.AccessUnit) {
				if g.Codec != footage.H264 || g.Width != tc.outW || g.Height != tc.outH || len(g.Params) != 2 {
					t.Errorf("format %+v", g)
				}
				sentMu.Lock()
				var at time.Time
				for pts, v := range sent {
					if d := pts - au.PTS; d >= 0 && d < 90 {
						at = v
					}
				}
				sentMu.Unlock()
				if at.IsZero() {
					t.Fatalf("a picture at %d, which no picture had", au.PTS-first)
				}
				d := time.Since(at)
				if got > 5 { // the programs have started
					worst = max(worst, d)
					sum += d
				}
				if au.Key {
					keys++
					stream = byteStream(stream, g.Params)
				}
				stream = byteStream(stream, au.NALUs)
				got++
				back <- struct{}{}
			})
			if !errors.Is(err, errDone) {
				t.Fatal(err)
			}
			t.Logf("%d pictures of %d, latency %v on average, %v at most; CPU %v for %v of video", got, len(in), sum/time.Duration(got-6), worst, took, time.Duration(tc.n)*time.Second/time.Duration(tc.rate))
			if got != tc.out || keys != 2 {
				t.Errorf("%d pictures, %d keyframes", got, keys)
			}
			path := filepath.Join(t.TempDir(), "o.h264")
			if err := os.WriteFile(path, stream, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=profile,width,height,has_b_frames,nb_read_frames", "-of", "csv=p=0", path).CombinedOutput()
			if want := fmt.Sprintf("Constrained Baseline,%d,%d,0,%d", tc.outW, tc.outH, got); err != nil || strings.TrimSpace(string(out)) != want {
				t.Errorf("ffprobe: %s, %v; want %s", out, err, want)
			}
		})
	}
}
