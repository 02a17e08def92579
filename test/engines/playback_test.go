package engines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
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

// drawn makes the film that the camera loops: nobody's picture.
func drawn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drawn.mp4")
	out, err := exec.Command("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=10:d=20",
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
	c.Hostnames = []string{"127.0.0.1"}
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
	Colours        int // different ones in the picture; a blank one has few
}

const lookAt = `
return await (async () => { const v = document.getElementById('player');
const c = document.createElement('canvas');
c.width = 64; c.height = 36;
const g = c.getContext('2d');
g.drawImage(v, 0, 0, 64, 36);
const d = g.getImageData(0, 0, 64, 36).data, seen = new Set();
for (let i = 0; i < d.length; i += 4) seen.add((d[i] >> 4) << 8 | (d[i + 1] >> 4) << 4 | d[i + 2] >> 4);
return { Time: v.currentTime, Duration: Number.isFinite(v.duration) ? v.duration : -1, Width: v.videoWidth, Height: v.videoHeight,
  Error: v.error ? v.error.code + ' ' + v.error.message : '', Colours: seen.size }; })();`

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

func TestPlayback(t *testing.T) {
	b, from := box(t)
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
			status := ask[int](t, browser, fmt.Sprintf(`
const r = await fetch('/api/v1/session', {method: 'POST', headers: {'Content-Type': 'application/json'},
  body: JSON.stringify({login: %q, password: %q})});
return r.status;`, b.Manager.Login, b.Manager.Password))
			if status != 200 {
				t.Fatalf("log in: %d", status)
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
  v.src = '/api/v1/cameras/%s/footage.mp4?from=%s&to=%s';
  v.play().catch(no);
});`+lookAt, cam, stamp(from), stamp(from.Add(length))))
			if got.Error != "" || got.Width != 640 || got.Height != 360 || got.Colours < 8 {
				t.Fatalf("playing: %+v", got)
			}
			if d := got.Duration - length.Seconds(); d < -0.3 || d > 0.3 {
				t.Errorf("the player thinks the clip lasts %.2f s, want %v", got.Duration, length)
			}
			// Forward, back, near the end, to the start: each needs other bytes.
			for _, at := range []float64{8, 2.5, 11.2, 0.1} {
				got := ask[look](t, browser, fmt.Sprintf(seek, at))
				if got.Error != "" || got.Colours < 8 || got.Time < at-0.3 || got.Time > at+0.3 {
					t.Errorf("sought %.1f s: %+v", at, got)
				}
			}
			// Up to this moment, while the recording goes on.
			got = ask[look](t, browser, fmt.Sprintf(`
const v = document.getElementById('player');
await new Promise((ok, no) => {
  setTimeout(() => no(new Error('the newest footage does not load')), 40000);
  v.addEventListener('error', () => no(new Error('error ' + v.error.code + ' ' + v.error.message)), { once: true });
  v.addEventListener('loadeddata', ok, { once: true });
  v.src = '/api/v1/cameras/%s/footage.mp4?from=%s&to=%s';
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
