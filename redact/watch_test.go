//go:build linux

package redact

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/capture/live"
	"veilbox/internal/footagetest"
)

var (
	_ live.Transcoder = (*Worker)(nil)
	_ live.Source     = (*capture.Supervisor)(nil)
)

type noStore struct{}

func (noStore) AppendAll(_ context.Context, p []*footage.Part) (int, error)      { return len(p), nil }
func (noStore) LastEnd(context.Context, footage.CameraID) (footage.Ticks, error) { return 0, nil }

const watchPage = `<!doctype html><meta charset="utf-8"><video id="v" autoplay muted playsinline></video><script>
window.watch = async () => {
  const begun = performance.now();
  const pc = new RTCPeerConnection();
  pc.addTransceiver('video', {direction: 'recvonly'});
  const v = document.getElementById('v');
  pc.ontrack = (e) => { v.srcObject = new MediaStream([e.track]); };
  await pc.setLocalDescription(await pc.createOffer());
  if (pc.iceGatheringState !== 'complete') await new Promise((ok) => { pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && ok(); });
  const asked = performance.now();
  const r = await fetch('/whep', {method: 'POST', body: pc.localDescription.sdp, headers: {'Content-Type': 'application/sdp'}});
  const sdp = await r.text();
  if (r.status !== 201) return {error: sdp};
  const answered = performance.now();
  await pc.setRemoteDescription({type: 'answer', sdp});
  await new Promise((ok) => v.requestVideoFrameCallback(ok));
  const first = performance.now();
  await new Promise((ok) => setTimeout(ok, 3000));
  let out;
  (await pc.getStats()).forEach((s) => { if (s.type === 'inbound-rtp') out = s; });
  const codec = (/a=rtpmap:\d+ (H26[45])/.exec(sdp) ?? [])[1];
  return {codec, width: v.videoWidth, height: v.videoHeight, frames: out.framesDecoded, keys: out.keyFramesDecoded, dropped: out.framesDropped,
    jitter: 1000 * out.jitterBufferDelay / out.jitterBufferEmittedCount, brisk: sdp.includes('playout-delay'), answer: answered - asked, first: first - asked, gathered: asked - begun};
};
</script>`

// Debian's chromium has no H.265, and no browser takes MJPEG by WebRTC: what
// such a camera sends comes to it through the sandbox, and is shown.
func TestChromiumShowsWhatItCannotPlay(t *testing.T) {
	for _, codec := range []footage.Codec{footage.H265, footage.MJPEG} {
		t.Run(codec.String(), func(t *testing.T) { showInChromium(t, codec) })
	}
}

func showInChromium(t *testing.T, codec footage.Codec) {
	file := footagetest.Synthetic(t, footagetest.Options{Width: 1280, Height: 720, FPS: 15, Duration: 3 * time.Second})
	sim, err := simulate.New(t.Context(), simulate.Options{Files: []string{file}, Password: "pass", AsFound: true, Codec: codec})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = sim.Run(ctx) }() // ends with ctx, below
	t.Cleanup(func() { stop(); <-ran })
	sup, err := capture.New(capture.Options{Store: noStore{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sup.Close)
	const cam = footage.CameraID("till-1")
	if err := sup.Add(cam, camera.Source{URL: sim.URL(), Username: "demo", Password: "pass"}); err != nil {
		t.Fatal(err)
	}
	srv, err := live.NewServer(live.Options{Source: sup, Transcoder: worker()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	for end := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
		if _, _, ok := sup.LastKeyframe(cam); ok {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no keyframe in 20 s")
		}
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/whep") {
			srv.ServeWHEP(w, r, cam)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, watchPage)
	}))
	t.Cleanup(web.Close)

	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath("/usr/bin/chromium"), chromedp.UserDataDir(t.TempDir())}
	for name, value := range map[string]any{"headless": "new", "no-sandbox": true, "disable-gpu": true, "no-first-run": true,
		"disable-background-networking": true, "disable-component-update": true, "mute-audio": true, "disable-dev-shm-usage": true} {
		opts = append(opts, chromedp.Flag(name, value))
	}
	alloc, done := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(done)
	page, closePage := chromedp.NewContext(alloc)
	t.Cleanup(closePage)
	for try := range 2 {
		limit, cancel := context.WithTimeout(page, 60*time.Second)
		defer cancel()
		if err := chromedp.Do(limit, chromedp.Navigate(web.URL)); err != nil {
			t.Fatalf("chromium: %v: install Debian's chromium (scripts/setup.sh does)", err)
		}
		raw, err := chromedp.Run(limit, chromedp.Evaluate[string]("watch().then(JSON.stringify)", func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Error, Codec                    string
			Brisk                           bool
			Width, Height, Frames           int
			First, Answer, Jitter, Gathered float64
		}
		if err := json.Unmarshal([]byte(raw), &got); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		t.Logf("view %d: %s", try, raw)
		if got.Error != "" || got.Codec != "H264" || !got.Brisk || got.Width != 1280 || got.Height != 720 || got.Frames < 30 {
			t.Errorf("view %d: %+v", try, got)
		}
	}
	if st := srv.Stats(); st.Transcodes != 1 || st.Views != 2 {
		t.Errorf("%+v", st)
	}
}
