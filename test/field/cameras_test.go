package field

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
)

// A box records cameras of each kind side by side. What it hands out decodes,
// is what its statement says, and has sound only where a person chose it.
func TestEachKindOfCamera(t *testing.T) {
	t.Parallel()
	file := clip(t)
	kinds := []struct {
		id           footage.CameraID
		o            simulate.Options
		flags        []string
		codec, audio string
	}{
		{"tcp", simulate.Options{Audio: footage.AAC}, nil, "h264", ""},
		{"udp", simulate.Options{UDP: true}, nil, "h264", ""},
		{"secure", simulate.Options{TLS: true, Audio: footage.AAC}, []string{"--audio"}, "h264", "aac"},
		{"h265", simulate.Options{Codec: footage.H265, Audio: footage.PCMU}, []string{"--audio"}, "hevc", "pcm_mulaw"},
		{"opus", simulate.Options{BFrames: 2, Audio: footage.Opus}, []string{"--audio", "--transport", "tcp"}, "h264", "opus"},
		{"mjpeg", simulate.Options{Codec: footage.MJPEG, Audio: footage.PCMA}, nil, "mjpeg", ""},
	}
	b := newBox(t, t.TempDir())
	t.Run("kinds", func(t *testing.T) {
		for _, k := range kinds {
			t.Run(string(k.id), func(t *testing.T) {
				t.Parallel()
				b := b.in(t)
				k.o.Files = []string{file}
				cam, _ := simulated(t, k.o)
				b.add(k.id, cam, k.flags...)
				if k.o.TLS {
					within(t, 10*time.Second, "the certificate to be kept", func() bool { return b.camera(k.id).Pin == cam.Pin() })
				}
				within(t, 40*time.Second, "8 s of recording", func() bool { return b.recorded(k.id) >= 8*time.Second })
				b.well(k.id, 5*time.Second)
				run := b.runs(k.id)[0]
				b.whole(k.id, run.To.Add(-8*time.Second))
				// Not on a keyframe, at either end.
				s := casework.TimeSpan{From: run.From.Add(1370 * time.Millisecond), To: run.From.Add(6440 * time.Millisecond)}
				name, v := b.export(k.id, s)
				if v.codec != k.codec || v.audio != k.audio || v.width != 320 || v.height != 240 {
					t.Errorf("%s holds %+v, want %s with sound %q", filepath.Base(name), v, k.codec, k.audio)
				}
				// It may begin with the keyframe before.
				if d := v.duration - s.To.Sub(s.From); d < -200*time.Millisecond || d > 1200*time.Millisecond || v.frames < int(v.duration.Seconds()*10)-2 {
					t.Errorf("%d pictures in %v, want %v at 10 a second", v.frames, v.duration, s.To.Sub(s.From))
				}
			})
		}
	})
	// One byte of the video is changed: the statement no longer holds.
	name, _ := b.export("tcp", b.runs("tcp")[0])
	bytes := must[[]byte](t)(os.ReadFile(name))
	bytes[len(bytes)/2] ^= 1
	if err := os.WriteFile(name, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, status := b.veilctl("clip", "verify", name, name[:len(name)-4]+".statement.txt", "--key", filepath.Join(b.dir, "audit.pub")); status != 1 {
		t.Errorf("a changed video verifies: exit status %d", status)
	}
}
