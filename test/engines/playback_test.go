package engines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/config"
	"veilbox/appliance/daemon"
	"veilbox/capture/camera/simulate"
	"veilbox/internal/clock"
	"veilbox/test/story"
)

const (
	cam    = "kasse-1"
	length = 12 * time.Second // of the clip that is played
)

// drawn makes the film that the camera loops: nobody's picture. Its left half
// grows lighter by ten steps a second, so that a picture tells its time.
func drawn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drawn.mp4")
	out, err := exec.Command("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "nullsrc=s=640x360:r=10:d=20,geq=lum='if(lt(X,320),16+T*10,X/3)':cb=128:cr=128",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return path
}

// box starts a box that records a simulated camera, and returns it with the
// manager logged in.
func box(t *testing.T) (*story.Box, time.Time) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	source, err := simulate.New(ctx, simulate.Options{
		Files: []string{drawn(t)}, AsFound: true, Username: "shop", Password: "a long password", Clock: clock.System{}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := config.DefaultBox()
	c.DataDir, c.Listen, c.Metrics = t.TempDir(), "127.0.0.1:0", ""
	c.Hostnames = []string{"localhost", "127.0.0.1"}
	c.Ring.Quota = 256 << 20
	d, err := daemon.New(ctx, c, daemon.Options{Clock: clock.System{}, Log: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() { ended <- source.Run(ctx) }()
	go func() { ended <- errors.Join(d.Run(ctx), d.Close()) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
	b := &story.Box{Dir: c.DataDir, URL: "https://" + d.Addr().String()}
	manager, err := b.FirstManager(ctx, "Bo Bestyrer")
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.AcceptConditions(ctx, casework.ConditionsVersion); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := manager.AddCamera(ctx, casework.NewCamera{ID: cam, Name: "Kasse 1", URL: source.URL(), Username: "shop", Password: "a long password"}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(90 * time.Second)
	for {
		line, err := manager.Timeline(ctx, cam, began.Add(-time.Minute), time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(line.Recorded); n > 0 && line.Recorded[n-1].To.Sub(line.Recorded[n-1].From) > length+2*time.Second {
			return b, line.Recorded[n-1].From.Add(time.Second)
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is recorded")
		}
		time.Sleep(200 * time.Millisecond) // the camera's own time passes
	}
}

// A look is what the player on the page says.
type look struct {
	Time, Duration float64
	Width, Height  int
	Error          string
	Colours        int     // different ones in the picture; a blank one has few
	Light          float64 // of the left half, 0 to 255
}

const lookAt = `
return await (async () => { const v = document.getElementById('player');
const c = document.createElement('canvas');
c.width = 64; c.height = 36;
const g = c.getContext('2d');
g.drawImage(v, 0, 0, 64, 36);
const d = g.getImageData(0, 0, 64, 36).data, seen = new Set();
let light = 0;
for (let y = 8; y < 28; y++) for (let x = 6; x < 26; x++) light += d[(y * 64 + x) * 4 + 1] / 400;
for (let i = 0; i < d.length; i += 4) seen.add((d[i] >> 4) << 8 | (d[i + 1] >> 4) << 4 | d[i + 2] >> 4);
return { Time: v.currentTime, Duration: Number.isFinite(v.duration) ? v.duration : -1, Width: v.videoWidth, Height: v.videoHeight,
  Error: v.error ? v.error.code + ' ' + v.error.message : '', Colours: seen.size, Light: light }; })();`

// seek moves to a time and waits until the picture there is shown.
const seek = `
const v = document.getElementById('player');
v.pause();
await new Promise((ok, no) => {
  const late = setTimeout(() => no(new Error('no picture at %[1]g s within 30 s')), 30000);
  v.addEventListener('seeked', () => { clearTimeout(late); setTimeout(ok, 150); }, { once: true });
  v.addEventListener('error', () => no(new Error(v.error.message)), { once: true });
  v.currentTime = %[1]g;
});` + lookAt

// lightAt returns how light the left half is at a time of the clip, by ffmpeg.
func lightAt(t *testing.T, clip string, at float64) float64 {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-i", clip, "-ss", fmt.Sprint(at), "-frames:v", "1",
		"-vf", "crop=200:200:60:80,scale=1:1:flags=area", "-f", "rawvideo", "-pix_fmt", "rgb24", "-").CombinedOutput()
	if err != nil || len(out) != 3 {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return float64(out[1])
}

// fetch saves the clip as a person with veilctl gets it.
func fetch(t *testing.T, b *story.Box, from time.Time) string {
	t.Helper()
	c, err := b.As(t.Context(), b.Manager)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Media(t.Context(), "/api/v1/cameras/"+cam+"/footage.mp4", url.Values{
		"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {from.Add(length).UTC().Format(time.RFC3339Nano)}, "whole": {"1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, m)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlayback(t *testing.T) {
	b, from := box(t)
	clip := fetch(t, b, from)
	for _, e := range []struct {
		name  string
		start func(*testing.T) engine
	}{{"firefox", startFirefox}, {"webkit", startWebKit}} {
		t.Run(e.name, func(t *testing.T) {
			browser := e.start(t)
			defer func() { keep(t, browser, e.name) }()
			if err := browser.open(b.URL + "/login"); err != nil {
				t.Fatal(err)
			}
			// The passkey is a file's, which no browser reads: it signs outside.
			const call = `const r = await fetch('/api/v1/session/passkey%s', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: %q});
return r.status === 200 ? await r.text() : 'status ' + r.status;`
			var options, answer struct {
				ID       string          `json:"id,omitempty"`
				Options  json.RawMessage `json:"options,omitempty"`
				Ceremony string          `json:"ceremony,omitempty"`
				Response json.RawMessage `json:"response,omitempty"`
			}
			if s := ask[string](t, browser, fmt.Sprintf(call, "/options", "{}")); json.Unmarshal([]byte(s), &options) != nil {
				t.Fatalf("log in: %s", s)
			}
			var err error
			answer.Ceremony = options.ID
			if answer.Response, err = b.Manager.Key.Get(options.Options); err != nil {
				t.Fatal(err)
			}
			signed, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			if s := ask[string](t, browser, fmt.Sprintf(call, "", signed)); strings.HasPrefix(s, "status") {
				t.Fatalf("log in: %s", s)
			}
			if err := browser.open(b.URL + "/cameras/" + cam); err != nil {
				t.Fatal(err)
			}
			stamp := func(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
			got := ask[look](t, browser, fmt.Sprintf(`
const v = document.getElementById('player');
v.hidden = false; v.muted = true;
await new Promise((ok, no) => {
  setTimeout(() => no(new Error('no picture within 40 s: state ' + v.readyState + ' network ' + v.networkState)), 40000);
  v.addEventListener('error', () => no(new Error('error ' + v.error.code + ' ' + v.error.message)), { once: true });
  v.addEventListener('timeupdate', () => { if (v.currentTime > 1) ok(); });
  v.src = '/api/v1/cameras/%s/footage.mp4?from=%s&to=%s&whole=1';
  v.play().catch(no);
});`+lookAt, cam, stamp(from), stamp(from.Add(length))))
			if got.Error != "" || got.Width != 640 || got.Height != 360 || got.Colours < 8 {
				t.Fatalf("playing: %+v", got)
			}
			// It begins with the keyframe before.
			if d := got.Duration - length.Seconds(); d < -0.3 || d > 2.3 {
				t.Errorf("the player thinks the clip lasts %.2f s, want %v", got.Duration, length)
			}
			// Forward, back, near the end, to the start: each needs other bytes.
			for _, at := range []float64{8, 2.5, 11.2, 0.1} {
				want := lightAt(t, clip, at)
				got := ask[look](t, browser, fmt.Sprintf(seek, at))
				// The picture may be painted a moment after the seek has ended.
				for deadline := time.Now().Add(5 * time.Second); math.Abs(got.Light-want) > 4 && time.Now().Before(deadline); {
					got = ask[look](t, browser, lookAt)
				}
				if got.Error != "" || got.Colours < 8 || got.Time < at-0.3 || got.Time > at+0.3 {
					t.Errorf("sought %.1f s: %+v", at, got)
				}
				// Ten steps a second, and a film that begins anew after 20 s.
				if math.Abs(got.Light-want) > 4 {
					t.Errorf("sought %.1f s: as light as %.0f, want %.0f", at, got.Light, want)
				}
			}
			// Up to this moment, while the recording goes on.
			got = ask[look](t, browser, fmt.Sprintf(`
const v = document.getElementById('player');
await new Promise((ok, no) => {
  setTimeout(() => no(new Error('the newest footage does not load')), 40000);
  v.addEventListener('error', () => no(new Error('error ' + v.error.code + ' ' + v.error.message)), { once: true });
  v.addEventListener('loadeddata', ok, { once: true });
  v.src = '/api/v1/cameras/%s/footage.mp4?from=%s&to=%s&whole=1';
  v.load();
});`+lookAt, cam, stamp(time.Now().Add(-8*time.Second)), stamp(time.Now())))
			if got.Duration < 4 {
				t.Errorf("the newest footage: %+v", got)
			}
			if got := ask[look](t, browser, fmt.Sprintf(seek, got.Duration-1)); got.Error != "" || got.Colours < 8 {
				t.Errorf("near the newest picture: %+v", got)
			}
		})
	}
}

func TestMain(m *testing.M) {
	for _, name := range []string{"firefox-esr", "WebKitWebDriver", "Xvfb", "ffmpeg"} {
		if _, err := exec.LookPath(name); err != nil {
			fmt.Fprintf(os.Stderr, "engines: %s is missing: run make test, which installs it\n", name)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
