//go:build linux

package redact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
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
	f, out := split(t, b, c, w, h, rate)
	if len(out) != n {
		t.Fatalf("%d pictures, want %d", len(out), n)
	}
	return f, out
}

// split takes a byte stream with delimiters apart, with a keyframe each 30.
func split(t testing.TB, b []byte, c footage.Codec, w, h, rate int) (footage.Format, []footage.AccessUnit) {
	t.Helper()
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
		{footage.H265, 1920, 1080, 25, 51, 1280, 720, 26},
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

// garbage gives pictures of noise, a keyframe first, for as long as it is asked.
func garbage(c footage.Codec) func(context.Context) (footage.Format, footage.AccessUnit, error) {
	n := 0
	noise := make([]byte, 20000)
	return func(ctx context.Context) (footage.Format, footage.AccessUnit, error) {
		for i := range noise {
			noise[i] = byte(i*i*31 + n*17 + i>>3)
		}
		if c == footage.MJPEG {
			noise[0], noise[1], noise[2] = 0xff, 0xd8, 0xff
		} else {
			noise[0], noise[1] = 19<<1, 1
		}
		select {
		case <-ctx.Done():
			return footage.Format{}, footage.AccessUnit{}, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		n++
		at := int64(n * 3600)
		return footage.Format{Codec: c, Width: 640, Height: 360, Params: [][]byte{{64, 1, 0x0c}, {66, 1, 1, 1}, {68, 1, 0xc0}}},
			footage.AccessUnit{Arrived: time.Now(), DTS: at, PTS: at, Key: true, NALUs: [][]byte{noise}}, nil
	}
}

// A camera that sends no video ends its own transcode, in bounded time.
func TestTranscodeOfGarbage(t *testing.T) {
	var wg sync.WaitGroup
	for _, c := range []footage.Codec{footage.H265, footage.MJPEG} {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			err := worker().Transcode(ctx, c, garbage(c), func(footage.Format, footage.AccessUnit) {})
			if err == nil || ctx.Err() != nil {
				t.Errorf("%v: error %v", c, err)
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(5 * time.Second); len(children(t)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("still running: %v", children(t))
		}
	}
}

func TestTranscodeEnds(t *testing.T) {
	f, in := coded(t, footage.H265, 320, 240, 10, 30)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	got, i := 0, 0
	err := worker().Transcode(ctx, footage.H265, func(ctx context.Context) (footage.Format, footage.AccessUnit, error) {
		if i == len(in) {
			<-ctx.Done()
			return f, footage.AccessUnit{}, context.Cause(ctx)
		}
		i++
		return f, in[i-1], nil
	}, func(footage.Format, footage.AccessUnit) {
		if got++; got == 5 {
			if len(children(t)) < 2 {
				t.Errorf("running: %v", children(t))
			}
			cancel(gone)
		}
	})
	if !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); len(children(t)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("still running: %v", children(t))
		}
	}
	w := worker()
	w.FFmpeg = "/nowhere/ffmpeg"
	if err := w.Transcode(t.Context(), footage.H265, garbage(footage.H265), nil); code(err) != "redact.ffmpeg" {
		t.Errorf("without ffmpeg: %v", err)
	}
}

// A transcode ends by itself in time, so that its limit of CPU time is one of a
// rate, and asks to be called again.
func TestTranscodeBeginsAnew(t *testing.T) {
	f, in := coded(t, footage.MJPEG, 320, 240, 10, 30)
	w := worker()
	w.Limits.Time = time.Second
	i, got := 0, 0
	err := w.Transcode(t.Context(), footage.MJPEG, func(ctx context.Context) (footage.Format, footage.AccessUnit, error) {
		select {
		case <-ctx.Done():
			return f, footage.AccessUnit{}, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		au := in[i%len(in)]
		// The camera begins anew now and then: its times go back.
		au.Arrived, i = time.Now(), i+1
		return f, au, nil
	}, func(_ footage.Format, au footage.AccessUnit) { got++ })
	if err != nil || got < 5 {
		t.Errorf("%d pictures, error %v", got, err)
	}
}

// What the sandbox sends is as hostile as what went into it.
func FuzzTake(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0x67, 1, 0, 0, 0, 2, 0x68, 1, 0, 0, 0, 2, 0x65, 1}, true)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x65}, false)
	f.Fuzz(func(t *testing.T, b []byte, key bool) {
		s := &stream{format: footage.Format{Codec: footage.H264, Width: 640, Height: 360}, sink: func(f footage.Format, au footage.AccessUnit) {
			if len(f.Params) != 2 || len(au.NALUs) == 0 || au.Key != key {
				t.Fatalf("%d parameter sets, %d NAL units", len(f.Params), len(au.NALUs))
			}
			for _, n := range au.NALUs {
				if k := n[0] & 0x1f; k != 1 && k != 5 {
					t.Fatalf("a NAL unit of type %d", k)
				}
			}
		}}
		_ = s.take(0, key, b) // any error will do
	})
}

// movie makes an MP4 of pictures as a clip or an album holds them.
func movie(t testing.TB, f footage.Format, in []footage.AccessUnit, ticks func(i int) uint32, opt mp4.Options) []byte {
	t.Helper()
	var samples []footage.Sample
	var data []byte
	for i, au := range in {
		samples = append(samples, footage.Sample{Size: uint32(f.Codec.SampleSize(au.NALUs)), Duration: ticks(i), Key: au.Key})
		data = f.Codec.AppendSample(data, au.NALUs)
	}
	head, size, err := mp4.Header(f, slices.Values([][]footage.Sample{samples}), opt)
	if err != nil || size != int64(len(data)) {
		t.Fatal(size, len(data), err)
	}
	return append(head, data...)
}

func TestStills(t *testing.T) {
	for _, c := range []footage.Codec{footage.H264, footage.H265, footage.MJPEG} {
		t.Run(c.String(), func(t *testing.T) {
			f, in := coded(t, c, 1280, 720, 25, 241)
			var keys []footage.AccessUnit
			for i := 0; i < len(in); i += 30 {
				keys = append(keys, in[i])
			}
			album := movie(t, f, keys, func(int) uint32 { return 3600 }, mp4.Options{})
			begun := time.Now()
			got, err := worker().Stills(t.Context(), bytes.NewReader(album), 320, 8)
			if err != nil || len(got) != 8 {
				t.Fatalf("%d stills: %v", len(got), err)
			}
			t.Logf("8 stills of 720p in %v", time.Since(begun))
			for i, b := range got {
				p, err := jpeg.Decode(bytes.NewReader(b))
				if err != nil || p.Bounds().Dx() != 320 || p.Bounds().Dy() != 180 {
					t.Fatalf("still %d: %v", i, err)
				}
				if i > 0 && bytes.Equal(b, got[i-1]) {
					t.Errorf("still %d is the one before", i)
				}
			}
			if got, err = worker().Stills(t.Context(), bytes.NewReader(album), 320, 100); err != nil || len(got) != len(keys) {
				t.Errorf("%d stills of %d: %v", len(got), len(keys), err)
			}
		})
	}
	if _, err := worker().Stills(t.Context(), strings.NewReader(strings.Repeat("no video ", 1000)), 320, 8); code(err) != "redact.not-video" {
		t.Errorf("of garbage: %v", err)
	}
}

func TestPlayable(t *testing.T) {
	for _, c := range []footage.Codec{footage.H265, footage.MJPEG} {
		t.Run(c.String(), func(t *testing.T) {
			f, in := coded(t, c, 640, 360, 10, 60)
			// Uneven times, and a cut on the keyframe before.
			ticks := func(i int) uint32 { return uint32(9000 + i%3*1000) }
			clip := movie(t, f, in, ticks, mp4.Options{EditStart: 18000})
			store, seen, from := &memory{}, map[string]bool{}, time.Now()
			if err := worker().Playable(t.Context(), bytes.NewReader(clip), store, func(p Progress) { seen[p.Stage] = true }); err != nil {
				t.Fatal(err)
			}
			want, got := frameTimes(t, clip), frameTimes(t, store.b)
			// From the first frame that is shown: a player shows nothing before.
			if len(got) == 0 || len(got) < 58 || len(got) > 60 {
				t.Fatalf("%d frames, of %d in the source", len(got), len(want))
			}
			want = want[len(want)-len(got):]
			for i := range got {
				var a, a0, b float64
				if _, err := fmt.Sscan(want[i]+" "+want[0]+" "+got[i], &a, &a0, &b); err != nil {
					t.Fatal(err)
				}
				if d := a - a0 - b; d > 0.002 || d < -0.002 {
					t.Fatalf("frame %d at %s, want %.3f", i, got[i], a-a0)
				}
			}
			if moov, mdat := bytes.Index(store.b, []byte("moov")), bytes.Index(store.b, []byte("mdat")); moov < 0 || mdat < moov || !bytes.Contains(store.b[:mdat], []byte("avc1")) {
				t.Error("it is no H.264 with its index first")
			}
			if time.Since(from) > time.Second && !seen["receive"] && !seen["decode"] && !seen["write"] {
				t.Errorf("progress %v", seen)
			}
		})
	}
	store := &memory{b: []byte("old")}
	if err := worker().Playable(t.Context(), strings.NewReader(strings.Repeat("no video ", 1000)), store, nil); code(err) != "redact.not-video" || store.b != nil {
		t.Errorf("of garbage: %v, %d bytes kept", err, len(store.b))
	}
}

// A clip as the ring gives it can be veiled, whatever the camera's codec.
func TestProduceOfOwnClips(t *testing.T) {
	for _, c := range []footage.Codec{footage.H265, footage.MJPEG} {
		t.Run(c.String(), func(t *testing.T) {
			raw := map[footage.Codec][]string{footage.H265: {"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:bframes=0:aud=1:repeat-headers=1"},
				footage.MJPEG: {"-c:v", "mjpeg", "-q:v", "4"}}[c]
			b := makeClip(t, map[footage.Codec]string{footage.H265: "a.hevc", footage.MJPEG: "a.mjpeg"}[c], 4, raw...)
			f, in := split(t, b, c, clipW, clipH, 10)
			own := movie(t, f, in, func(int) uint32 { return 9000 }, mp4.Options{})
			copy, _ := produce(t, own)
			if g := copy.Figures(); g.Frames != 40 || g.Width != clipW || g.Shown < 30 {
				t.Errorf("%+v", g)
			}
		})
	}
}
