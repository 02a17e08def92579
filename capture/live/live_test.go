package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/internal/footagetest"
	"veilbox/internal/problem"
)

const cam = footage.CameraID("till-1")

type noStore struct{}

func (noStore) Append(context.Context, *footage.Part) error { return nil }

func (noStore) AppendAll(_ context.Context, p []*footage.Part) (int, error)      { return len(p), nil }
func (noStore) LastEnd(context.Context, footage.CameraID) (footage.Ticks, error) { return 0, nil }

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen in 20 s", what)
		}
	}
}

// serve brings up a camera, a supervisor and a live server.
func serve(t *testing.T, codec footage.Codec, viewers int) (*simulate.Camera, *capture.Supervisor, *Server, string) {
	t.Helper()
	file := footagetest.Synthetic(t, footagetest.Options{FPS: 15, Duration: 3 * time.Second})
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
	if err := sup.Add(cam, camera.Source{URL: sim.URL(), Username: "demo", Password: "pass"}); err != nil {
		t.Fatal(err)
	}
	srv, err := NewServer(Options{Source: sup, Viewers: viewers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeWHEP(w, r, footage.CameraID(strings.Split(r.URL.Path, "/")[2]))
	}))
	t.Cleanup(web.Close)
	return sim, sup, srv, web.URL
}

// A watcher is a WebRTC client.
type watcher struct {
	pc       *webrtc.PeerConnection
	location string

	mu      sync.Mutex
	packets []*rtp.Packet
	codec   string
	ssrc    webrtc.SSRC
}

func (w *watcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.packets)
}

func offer(t *testing.T) (*watcher, string) {
	t.Helper()
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(e)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{pc: pc}
	t.Cleanup(func() {
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	})
	pc.OnTrack(func(tr *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		w.mu.Lock()
		w.codec, w.ssrc = tr.Codec().MimeType, tr.SSRC()
		w.mu.Unlock()
		for {
			p, _, err := tr.ReadRTP()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.packets = append(w.packets, p)
			w.mu.Unlock()
		}
	})
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	o, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	done := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	<-done
	return w, pc.LocalDescription().SDP
}

// without takes a codec from an offer.
func without(sdp, name string) string {
	return strings.ReplaceAll(sdp, name+"/90000", "H999/90000")
}

func post(t *testing.T, url, sdp string) (*http.Response, []byte) {
	t.Helper()
	res, err := http.Post(url, "application/sdp", strings.NewReader(sdp))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, b
}

func watch(t *testing.T, url string) *watcher {
	t.Helper()
	w, sdp := offer(t)
	res, body := post(t, url, sdp)
	if res.StatusCode != http.StatusCreated || res.Header.Get("Content-Type") != "application/sdp" {
		t.Fatalf("%s: %s", res.Status, body)
	}
	if err := w.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(body)}); err != nil {
		t.Fatal(err)
	}
	w.location = res.Header.Get("Location")
	return w
}

// pictures joins the NAL units that came, but for parameter sets, by picture.
func pictures(t *testing.T, packets []*rtp.Packet) ([]string, []uint32) {
	t.Helper()
	var out []string
	var at []uint32
	var open bytes.Buffer
	h := codecs.H264Packet{IsAVC: true}
	for i, p := range packets {
		if i > 0 && p.SequenceNumber != packets[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d follows %d", p.SequenceNumber, packets[i-1].SequenceNumber)
		}
		b, err := h.Unmarshal(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		for len(b) > 0 {
			n := binary.BigEndian.Uint32(b)
			if typ := b[4] & 0x1f; typ != 7 && typ != 8 {
				open.Write(b[:4+n])
			}
			b = b[4+n:]
		}
		if p.Marker {
			out, at = append(out, open.String()), append(at, p.Timestamp)
			open.Reset()
		}
	}
	return out, at
}

func sent(sim *simulate.Camera) []string {
	var out []string
	for _, u := range sim.Main() {
		var b []byte
		for _, n := range u {
			if typ := n[0] & 0x1f; typ != 7 && typ != 8 {
				b = append(binary.BigEndian.AppendUint32(b, uint32(len(n))), n...)
			}
		}
		out = append(out, string(b))
	}
	return out
}

func TestPassThrough(t *testing.T) {
	t.Parallel()
	sim, sup, srv, base := serve(t, footage.H264, 3)
	url := base + "/whep/" + string(cam)
	poll(t, "the first keyframe", func() bool { _, _, ok := sup.LastKeyframe(cam); return ok })
	a, b := watch(t, url), watch(t, url)
	poll(t, "the picture at both viewers", func() bool { return a.count() > 80 && b.count() > 80 })
	if h := sup.Health()[0]; h.Viewers != 2 || h.Counters.Sessions != 1 {
		t.Errorf("%d viewers of %d sessions, want 2 of 1", h.Viewers, h.Counters.Sessions)
	}

	want := sent(sim)
	for name, w := range map[string]*watcher{"a": a, "b": b} {
		w.mu.Lock()
		got, at := pictures(t, w.packets)
		w.mu.Unlock()
		first := -1
		for i, p := range want {
			if p == got[0] {
				first = i
			}
		}
		if first < 0 {
			t.Fatalf("%s: the first picture is none that was sent", name)
		}
		if len(got) < 10 {
			t.Fatalf("%s: only %d pictures", name, len(got))
		}
		if typ := got[0][4] & 0x1f; typ != 5 && typ != 6 {
			t.Errorf("%s: the first picture is no keyframe", name)
		}
		live := false
		for i, p := range got {
			if p != want[(first+i)%len(want)] {
				t.Fatalf("%s: picture %d differs from what was sent", name, i)
			}
			// First what was there before the viewer came, a tick apart.
			if live = live || i > 0 && at[i]-at[i-1] == 6000; i > 0 && at[i]-at[i-1] != 6000 && (live || at[i]-at[i-1] != 1) {
				t.Fatalf("%s: picture %d is %d ticks after the one before, want 6000", name, i, at[i]-at[i-1])
			}
		}
	}

	// Third view is the last allowed.
	c := watch(t, url)
	_, sdp := offer(t)
	if res, body := post(t, url, sdp); !errors.Is(problem.Decode(res.StatusCode, body), errFull) {
		t.Errorf("a fourth viewer got %s: %s", res.Status, body)
	}
	for i, v := range []*watcher{a, b} {
		req, err := http.NewRequest(http.MethodDelete, base+v.location, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusNoContent {
			t.Errorf("DELETE %d: %s", i, res.Status)
		}
		if res, err = http.DefaultClient.Do(req); err != nil || res.StatusCode != http.StatusNotFound {
			t.Errorf("DELETE %d again: %v, %v", i, res.Status, err)
		}
		res.Body.Close()
	}
	// The third just leaves.
	poll(t, "the third viewer's picture", func() bool { return c.count() > 0 })
	if err := c.pc.Close(); err != nil {
		t.Fatal(err)
	}
	poll(t, "the end of all views", func() bool { return srv.Viewers() == 0 && sup.Health()[0].Viewers == 0 })
}

func TestEndsWithCamera(t *testing.T) {
	t.Parallel()
	_, sup, srv, base := serve(t, footage.H264, 0)
	poll(t, "the first keyframe", func() bool { _, _, ok := sup.LastKeyframe(cam); return ok })
	w := watch(t, base+"/whep/"+string(cam))
	poll(t, "the picture", func() bool { return w.count() > 0 })
	if err := sup.Remove(cam); err != nil {
		t.Fatal(err)
	}
	poll(t, "the end of the view", func() bool { return srv.Viewers() == 0 })
	srv.Close()
	_, sdp := offer(t)
	if res, body := post(t, base+"/whep/"+string(cam), sdp); !errors.Is(problem.Decode(res.StatusCode, body), errClosed) {
		t.Errorf("after Close: %s: %s", res.Status, body)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	_, sup, srv, base := serve(t, footage.H265, 0)
	poll(t, "the first keyframe", func() bool { _, _, ok := sup.LastKeyframe(cam); return ok })
	_, good := offer(t)
	good = without(good, "H265")
	if err := sup.Add("dark", camera.Source{URL: "rtsp://127.0.0.1:1/x"}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cam, sdp string
		want     error
	}{
		"H.265":      {string(cam), good, errH265},
		"no picture": {"dark", good, errWaiting},
		"no camera":  {"other", good, capture.ErrUnknown},
		"huge offer": {string(cam), strings.Repeat("x", maxOffer+1), errOffer},
	} {
		if res, body := post(t, base+"/whep/"+tc.cam, tc.sdp); !errors.Is(problem.Decode(res.StatusCode, body), tc.want) {
			t.Errorf("%s: %s: %s", name, res.Status, body)
		}
	}
	res, err := http.Get(base + "/whep/" + string(cam))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") == "" {
		t.Errorf("GET: %s", res.Status)
	}
	if n := srv.Viewers(); n != 0 {
		t.Errorf("%d viewers", n)
	}
}

func TestBadOffers(t *testing.T) {
	t.Parallel()
	_, sup, srv, base := serve(t, footage.H264, 1)
	poll(t, "the first keyframe", func() bool { _, _, ok := sup.LastKeyframe(cam); return ok })
	_, good := offer(t)
	noH264 := without(good, "H264")
	for name, sdp := range map[string]string{
		"empty": "", "garbage": "\x00\x01 offer", "no tracks": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", "no H.264": noH264,
	} {
		// One view is allowed: a leak of the one before would show.
		if res, body := post(t, base+"/whep/"+string(cam), sdp); !errors.Is(problem.Decode(res.StatusCode, body), errOffer) {
			t.Errorf("%s: %s: %s", name, res.Status, body)
		}
	}
	if n := srv.Viewers(); n != 0 {
		t.Errorf("%d viewers", n)
	}
	poll(t, "the end of the pull", func() bool { return sup.Health()[0].Viewers == 0 })
}
