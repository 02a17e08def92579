package foreign

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"veilbox/capture/camera"
	"veilbox/capture/footage"
)

// A recording keeps what a session gave, as ffmpeg reads it.
type recording struct {
	formats []footage.Format
	video   bytes.Buffer // byte stream format, or JPEGs one after the other
	units   int
	dts     []int64
	audio   footage.AudioFormat
	sound   bytes.Buffer
	sounds  int
	lasts   time.Duration // of the sound
	apart   int64         // most that the sound was from the pictures, ticks
	err     error
	enough  func(*recording)
}

var start = []byte{0, 0, 0, 1}

func (r *recording) Format(f footage.Format) {
	r.formats = append(r.formats, f)
	for _, p := range f.Params {
		r.video.Write(start)
		r.video.Write(p)
	}
}

func (r *recording) AccessUnit(au footage.AccessUnit) {
	for _, n := range au.NALUs {
		if r.formats[0].Codec != footage.MJPEG {
			r.video.Write(start)
		}
		r.video.Write(n)
	}
	r.units++
	r.dts = append(r.dts, au.DTS)
	r.enough(r)
}

func (r *recording) AudioFormat(f footage.AudioFormat) { r.audio = f }

func (r *recording) AudioUnit(u footage.AudioUnit) {
	r.sounds++
	r.lasts += footage.Ticks(u.Duration).Duration()
	if d := u.PTS - r.dts[len(r.dts)-1]; max(d, -d) > r.apart {
		r.apart = max(d, -d)
	}
	if r.audio.Codec != footage.AAC {
		r.sound.Write(u.Data)
		return
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(r.audio.Config); err != nil {
		r.err = err
		return
	}
	b, err := mpeg4audio.ADTSPackets{{Type: c.Type, SampleRate: c.SampleRate, ChannelCount: c.ChannelCount, AU: u.Data}}.Marshal()
	r.err = errors.Join(r.err, err)
	r.sound.Write(b)
}

// record takes n pictures from a camera.
func record(t *testing.T, src camera.Source, opt camera.Options, n int) *recording {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r := &recording{enough: func(r *recording) {
		if r.units == n {
			cancel()
		}
	}}
	var stats camera.Stats
	if opt.Stats == nil {
		opt.Stats = &stats
	}
	err := camera.Run(ctx, src, opt, r)
	if !errors.Is(err, context.Canceled) || r.units < n || r.err != nil {
		t.Fatalf("%d pictures of %d: %v, %v", r.units, n, err, r.err)
	}
	// A stream that goes on all the time is joined in the middle of a picture.
	if s := opt.Stats; s.Malformed.Load()+s.Lost.Load()+s.Rogue.Load() > 0 || s.Dropped.Load() > 1 {
		t.Errorf("malformed %d, dropped %d, lost %d, rogue %d", s.Malformed.Load(), s.Dropped.Load(), s.Lost.Load(), s.Rogue.Load())
	}
	return r
}

// decode has ffmpeg look at every picture and sample.
func decode(t *testing.T, r *recording) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "video")
	if err := os.WriteFile(file, r.video.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	demuxer := map[footage.Codec]string{footage.H264: "h264", footage.H265: "hevc", footage.MJPEG: "mjpeg"}[r.formats[0].Codec]
	if out, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-err_detect", "explode", "-f", demuxer, "-i", file, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v: %s", err, text(out))
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-f", demuxer, "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", file).Output()
	if err != nil {
		t.Fatalf("ffprobe: %v; %s", err, setup)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || n != r.units {
		t.Errorf("%s pictures decoded of %d", strings.TrimSpace(string(out)), r.units)
	}
	if r.sounds == 0 || r.audio.Codec == footage.Opus {
		return
	}
	file = filepath.Join(dir, "sound")
	if err := os.WriteFile(file, r.sound.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-v", "error", "-xerror"}
	switch r.audio.Codec {
	case footage.AAC:
		args = append(args, "-f", "aac")
	case footage.PCMA:
		args = append(args, "-f", "alaw", "-ar", "8000", "-ac", "1")
	case footage.PCMU:
		args = append(args, "-f", "mulaw", "-ar", "8000", "-ac", "1")
	}
	pcm, err := exec.Command("ffmpeg", append(args, "-i", file, "-f", "s16le", "-ac", "1", "-ar", "8000", "-")...).Output()
	if err != nil {
		t.Fatalf("ffmpeg: sound: %v", err)
	}
	heard := time.Duration(len(pcm)/2) * time.Second / 8000
	if d := heard - r.lasts; d < -100*time.Millisecond || d > 100*time.Millisecond {
		t.Errorf("%v of sound decoded, %v told", heard, r.lasts)
	}
	if bytes.Count(pcm, []byte{0}) == len(pcm) {
		t.Error("the sound is silence")
	}
}

// steady checks that pictures lie a 25th of a second apart, but for the first,
// whose decode times cannot lie before the beginning where pictures are reordered.
func steady(t *testing.T, r *recording) {
	t.Helper()
	for i := 5; i < len(r.dts); i++ {
		if d := r.dts[i] - r.dts[i-1]; d < 1800 || d > 5400 {
			t.Fatalf("picture %d comes %d ticks after the one before: %v", i, d, r.dts[max(0, i-3):min(len(r.dts), i+3)])
		}
	}
}

func TestGStreamer(t *testing.T) {
	t.Parallel()
	host := gstreamer(t)
	const pictures = 50
	for _, tc := range []struct {
		stream string
		codec  footage.Codec
		audio  footage.AudioCodec
		rate   int
	}{
		{"h264", footage.H264, 0, 0},
		{"h264-in-band", footage.H264, 0, 0},
		{"h264-slices", footage.H264, 0, 0},
		{"h264-b", footage.H264, 0, 0},
		{"h264-aggregate", footage.H264, 0, 0},
		{"h265", footage.H265, 0, 0},
		{"mjpeg", footage.MJPEG, 0, 0},
		{"aac", footage.H264, footage.AAC, 16000},
		{"latm", footage.H264, footage.AAC, 48000},
		{"pcma", footage.H264, footage.PCMA, 8000},
		{"pcmu", footage.H264, footage.PCMU, 8000},
		{"opus", footage.H264, footage.Opus, 48000},
	} {
		t.Run(tc.stream, func(t *testing.T) {
			t.Parallel()
			// One after the other: the server disturbs who watches a stream already.
			for _, by := range []camera.Transport{camera.TCP, camera.UDP} {
				t.Run(string(by), func(t *testing.T) {
					r := record(t, camera.Source{URL: "rtsp://" + host + "/" + tc.stream, Transport: by, Audio: tc.audio != 0}, camera.Options{}, pictures)
					if f := r.formats[0]; f.Codec != tc.codec || f.Width != 320 || f.Height != 240 || len(r.formats) != 1 {
						t.Errorf("formats: %+v", r.formats)
					}
					decode(t, r)
					steady(t, r)
					if r.audio.Codec != tc.audio || r.audio.Rate != tc.rate {
						t.Errorf("sound: %+v", r.audio)
					}
					if whole := pictures * time.Second / 25; tc.audio != 0 && (r.lasts < whole*7/10 || r.lasts > whole*12/10 || r.apart > footage.TicksPerSecond/2) {
						t.Errorf("%v of sound in %v, %d ticks from the pictures", r.lasts, whole, r.apart)
					}
				})
			}
		})
	}
}

func TestGStreamerTransports(t *testing.T) {
	t.Parallel()
	for _, offered := range []string{"tcp", "udp"} {
		t.Run(offered, func(t *testing.T) {
			t.Parallel()
			host := gstreamer(t, "--transport", offered)
			d, err := camera.Probe(t.Context(), camera.Source{URL: "rtsp://" + host + "/aac"}, camera.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if string(d.Transport) != offered || d.Codec != footage.H264 || d.Secure || d.Pin != "" || d.Audio != "AAC" || d.FPS < 20 || d.FPS > 30 {
				t.Errorf("%+v", d)
			}
			if d, err = camera.Probe(t.Context(), camera.Source{URL: "rtsp://" + host + "/mjpeg"}, camera.Limits{}); err != nil || d.Codec != footage.MJPEG || d.Audio != "" {
				t.Errorf("%+v, %v", d, err)
			} else if len(d.Warnings) == 0 || !strings.Contains(d.Warnings[0].EN, "MJPEG") {
				t.Errorf("warnings: %+v", d.Warnings)
			}
			other := camera.TCP
			if offered == "tcp" {
				other = camera.UDP
			}
			if err := camera.Run(t.Context(), camera.Source{URL: "rtsp://" + host + "/h264", Transport: other}, camera.Options{}, &recording{}); !errors.Is(err, camera.ErrRefused) {
				t.Errorf("the transport that it does not offer: %v", err)
			}
		})
	}
}

func TestGStreamerPasswords(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"basic", "digest"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := "rtsp://" + gstreamer(t, "--auth", kind) + "/h264"
			r := record(t, camera.Source{URL: url, Username: "viewer", Password: "hunter2"}, camera.Options{}, 30)
			decode(t, r)
			for _, src := range []camera.Source{{URL: url}, {URL: url, Username: "viewer", Password: "wrong"}} {
				if err := camera.Run(t.Context(), src, camera.Options{}, &recording{}); !errors.Is(err, camera.ErrAuth) {
					t.Errorf("%q: %v", src.Username, err)
				}
			}
		})
	}
}

func TestGStreamerTLS(t *testing.T) {
	t.Parallel()
	file, pin := certificate(t)
	host := gstreamer(t, "--tls", file, "--auth", "digest")
	src := camera.Source{URL: "rtsps://" + host + "/opus", Username: "viewer", Password: "hunter2", Audio: true}
	d, err := camera.Probe(t.Context(), src, camera.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !d.Secure || d.Pin != pin || d.Transport != camera.TCP {
		t.Errorf("%+v", d)
	}
	var told string
	src.Transport = camera.UDP // which would be in the clear, and is not taken
	decode(t, record(t, src, camera.Options{Pinned: func(p string) { told = p }}, 50))
	if told != pin {
		t.Errorf("the fingerprint was told as %q, want %q", told, pin)
	}
	src.Pin, told = pin, ""
	decode(t, record(t, src, camera.Options{Pinned: func(p string) { told = p }}, 30))
	if told != "" {
		t.Error("a known fingerprint was told again")
	}
	src.Pin = strings.Repeat("00", 32)
	if err := camera.Run(t.Context(), src, camera.Options{}, &recording{}); !errors.Is(err, camera.ErrPin) || !strings.Contains(err.Error(), pin) {
		t.Errorf("another fingerprint: %v", err)
	}
	src = camera.Source{URL: "rtsp://" + host + "/h264"}
	if err := camera.Run(t.Context(), src, camera.Options{}, &recording{}); err == nil {
		t.Error("a secure server was spoken to in the clear")
	}
}

func TestVLC(t *testing.T) {
	t.Parallel()
	for name, encoder := range map[string][]string{
		"H.264": {"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"},
		"H.265": {"-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", "keyint=25:bframes=0:log-level=none"},
	} {
		t.Run(name, func(t *testing.T) {
			url := vlc(t, encoder...)
			learned := new(camera.Learned)
			for range 2 {
				// The second time over UDP at once.
				decode(t, record(t, camera.Source{URL: url}, camera.Options{Learned: learned}, 75))
			}
		})
	}
}
