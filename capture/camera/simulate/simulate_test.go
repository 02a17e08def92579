package simulate

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/internal/footagetest"
)

func clip(t *testing.T) string {
	t.Helper()
	return footagetest.Synthetic(t, footagetest.Options{FPS: 15, Duration: 2 * time.Second, Audio: true})
}

// seen collects pictures until there are enough.
type seen struct {
	format footage.Format
	units  []footage.AccessUnit
	enough int
	cancel context.CancelFunc
}

func (s *seen) Format(f footage.Format) { s.format = f }
func (s *seen) AccessUnit(au footage.AccessUnit) {
	s.units = append(s.units, au)
	if len(s.units) == s.enough {
		s.cancel()
	}
}

func TestRenditions(t *testing.T) {
	file := clip(t)
	for _, tc := range []struct {
		name     string
		opt      Options
		sub      bool
		w, h     int
		codec    footage.Codec
		pictures int
	}{
		{"main", Options{Size: Size{640, 360}}, false, 640, 360, footage.H264, 30},
		{"sub", Options{AsFound: true, SubSize: Size{160, 90}}, true, 160, 90, footage.H264, 30},
		{"as found", Options{AsFound: true}, false, 320, 240, footage.H264, 30},
		{"other rate", Options{AsFound: true, FPS: 10}, false, 320, 240, footage.H264, 20},
		{"h265 in band", Options{AsFound: true, Codec: footage.H265, ParamsOnlyInBand: true}, false, 320, 240, footage.H265, 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.opt.Files, tc.opt.Password = []string{file, file}, "a b:c@d"
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cam, err := New(ctx, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(cam.main.units); n != 2*tc.pictures {
				t.Fatalf("%d pictures of two files, want %d", n, 2*tc.pictures)
			}
			if d := cam.main.length(); d != 4*time.Second {
				t.Errorf("the loop is %v long, want 4 s", d)
			}
			served := make(chan error, 1)
			go func() { served <- cam.Run(ctx) }()
			src := camera.Source{URL: cam.URL(), SubURL: cam.SubURL(), Username: cam.Username(), Password: "a b:c@d"}
			if tc.sub {
				src = src.Sub()
			}
			rctx, stop := context.WithCancel(ctx)
			s := &seen{enough: 18, cancel: stop}
			if err := camera.Run(rctx, src, camera.Options{}, s); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if s.format.Codec != tc.codec || s.format.Width != tc.w || s.format.Height != tc.h {
				t.Errorf("%v %dx%d", s.format.Codec, s.format.Width, s.format.Height)
			}
			if !s.units[0].Key {
				t.Error("the first picture is no keyframe")
			}
			step := int64(footage.TicksPerSecond * 2 / tc.pictures)
			for i, u := range s.units[1:] {
				if d := u.DTS - s.units[i].DTS; d != step || u.PTS != u.DTS {
					t.Fatalf("picture %d: %d ticks after the last, shown %d later, want %d and 0", i+1, d, u.PTS-u.DTS, step)
				}
			}
			cancel()
			if err := <-served; !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// A listener is a handler of sound as well.
type listener struct {
	seen
	heard  footage.AudioFormat
	sounds []footage.AudioUnit
}

func (l *listener) AudioFormat(f footage.AudioFormat) { l.heard = f }
func (l *listener) AudioUnit(u footage.AudioUnit) {
	u.Data = bytes.Clone(u.Data)
	l.sounds = append(l.sounds, u)
}

// What a camera can be made to do arrives as it was sent.
func TestWays(t *testing.T) {
	file := clip(t)
	for _, tc := range []struct {
		name  string
		opt   Options
		audio footage.AudioFormat
	}{
		{"MJPEG", Options{Codec: footage.MJPEG, FPS: 15}, footage.AudioFormat{}},
		{"AAC", Options{Audio: footage.AAC}, footage.AudioFormat{Codec: footage.AAC, Rate: 16000, Channels: 1, Config: []byte{0x14, 0x08}}},
		{"LATM", Options{Audio: footage.AAC, LATM: true}, footage.AudioFormat{Codec: footage.AAC, Rate: 16000, Channels: 1, Config: []byte{0x14, 0x08}}},
		{"PCMA", Options{Audio: footage.PCMA}, footage.AudioFormat{Codec: footage.PCMA, Rate: 8000, Channels: 1}},
		{"PCMU over UDP", Options{Audio: footage.PCMU, UDP: true}, footage.AudioFormat{Codec: footage.PCMU, Rate: 8000, Channels: 1}},
		{"Opus over TLS", Options{Audio: footage.Opus, TLS: true}, footage.AudioFormat{Codec: footage.Opus, Rate: 48000, Channels: 1}},
		{"slices", Options{Slices: 4}, footage.AudioFormat{}},
		{"marks on SEI", Options{MarkSEI: true, ParamsOnlyInBand: true}, footage.AudioFormat{}},
		{"marks on SEI of H.265", Options{MarkSEI: true, Codec: footage.H265}, footage.AudioFormat{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.opt.Files, tc.opt.Password, tc.opt.AsFound = []string{file}, "pass", true
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cam, err := New(ctx, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- cam.Run(ctx) }()
			src := camera.Source{URL: cam.URL(), Username: cam.Username(), Password: "pass", Audio: true, Pin: cam.Pin()}
			rctx, stop := context.WithCancel(ctx)
			l := &listener{seen: seen{enough: 20, cancel: stop}}
			if err := camera.Run(rctx, src, camera.Options{}, l); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if l.format.Width != 320 || l.format.Height != 240 {
				t.Errorf("%v %dx%d", l.format.Codec, l.format.Width, l.format.Height)
			}
			for i, u := range l.units[1:] {
				if d := u.DTS - l.units[i].DTS; d != footage.TicksPerSecond/15 {
					t.Fatalf("picture %d: %d ticks after the last", i+1, d)
				}
				want := max(1, tc.opt.Slices)
				if tc.opt.MarkSEI {
					want++
				}
				if len(u.NALUs) < want {
					t.Errorf("picture %d: %d NAL units, want %d", i+1, len(u.NALUs), want)
				}
			}
			if tc.opt.Codec == footage.MJPEG && !l.units[1].Key {
				t.Error("a JPEG is no keyframe")
			}
			if !l.heard.Equal(tc.audio) {
				t.Fatalf("sound %+v, want %+v", l.heard, tc.audio)
			}
			if tc.audio.Codec == 0 {
				return
			}
			if len(l.sounds) < 15 {
				t.Fatalf("%d units of sound", len(l.sounds))
			}
			at := slices.IndexFunc(cam.Sound(), func(b []byte) bool { return bytes.Equal(b, l.sounds[0].Data) })
			for i, u := range l.sounds {
				if at < 0 || !bytes.Equal(u.Data, cam.Sound()[(at+i)%len(cam.Sound())]) {
					t.Fatalf("unit %d of sound is not what was sent", i)
				}
				if i > 0 && u.PTS != l.sounds[i-1].PTS+int64(l.sounds[i-1].Duration) {
					t.Fatalf("unit %d of sound begins at %d, the last ended at %d", i, u.PTS, l.sounds[i-1].PTS+int64(l.sounds[i-1].Duration))
				}
			}
			if off := l.sounds[len(l.sounds)-1].PTS - l.units[len(l.units)-1].PTS; off < -footage.TicksPerSecond/2 || off > footage.TicksPerSecond/2 {
				t.Errorf("the sound is %d ticks off the pictures", off)
			}
		})
	}
}

func TestDropAfter(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cam, err := New(ctx, Options{Files: []string{clip(t)}, Password: "pass", AsFound: true, DropAfter: 20})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- cam.Run(ctx) }()
	src := camera.Source{URL: cam.URL(), Username: "demo", Password: "pass"}
	if err := camera.Run(ctx, src, camera.Options{}, &seen{}); !errors.Is(err, camera.ErrLost) {
		t.Errorf("cut off: %v", err)
	}
	cancel()
	<-served
}

func TestRefused(t *testing.T) {
	file := clip(t)
	for name, tc := range map[string]struct {
		opt  Options
		want error
	}{
		"no file":     {Options{Password: "x"}, errOptions},
		"no password": {Options{Files: []string{file}}, errOptions},
		"no ffmpeg":   {Options{Files: []string{file}, Password: "x", FFmpeg: "/nonexistent/ffmpeg"}, errFFmpeg},
		"not a video": {Options{Files: []string{"simulate.go"}, Password: "x"}, errFFmpeg},
		"no address":  {Options{Files: []string{file}, Password: "x", Listen: "127.0.0.1:99999"}, errListen},
	} {
		if _, err := New(t.Context(), tc.opt); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}
