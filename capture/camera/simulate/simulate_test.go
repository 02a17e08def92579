package simulate

import (
	"context"
	"errors"
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
