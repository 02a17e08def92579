package live

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/internal/footagetest"
)

// counted is a door to a camera that counts who comes in, and who is in.
type counted struct {
	addr    string
	in, all atomic.Int32
}

func count(t *testing.T, to string) *counted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &counted{addr: l.Addr().String()}
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return // closed
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			c.in.Add(1)
			c.all.Add(1)
			go func() { _, _ = io.Copy(b, a); a.Close(); b.Close(); c.in.Add(-1) }() // the end of either is the end
			go func() { _, _ = io.Copy(a, b); a.Close(); b.Close() }()
		}
	}()
	return c
}

func through(t *testing.T, raw string, c *counted) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = c.addr
	return u.String()
}

// A real H.265 camera with an H.264 sub stream: each is pulled once, the sub
// stream only while it is watched.
func TestSubStreamOnDemand(t *testing.T) {
	t.Parallel()
	file := footagetest.Synthetic(t, footagetest.Options{FPS: 15, Duration: 3 * time.Second})
	var url [2]string
	var doors [2]*counted
	for i, codec := range []footage.Codec{footage.H265, footage.H264} {
		sim, err := simulate.New(t.Context(), simulate.Options{Files: []string{file}, Password: "pass", AsFound: true, Codec: codec})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ran := make(chan struct{})
		go func() { defer close(ran); _ = sim.Run(ctx) }() // ends with ctx, below
		t.Cleanup(func() { stop(); <-ran })
		doors[i] = count(t, sim.Addr())
		url[i] = through(t, []string{sim.URL(), sim.SubURL()}[i], doors[i])
	}
	sup, err := capture.New(capture.Options{Store: noStore{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sup.Close)
	if err := sup.Add(cam, camera.Source{URL: url[0], SubURL: url[1], Username: "demo", Password: "pass"}); err != nil {
		t.Fatal(err)
	}
	srv, base := whep(t, Options{Source: sup})
	poll(t, "the first keyframe", func() bool { _, _, ok := sup.LastKeyframe(cam); return ok })
	if n := doors[1].all.Load(); n != 0 {
		t.Errorf("%d pulls of the sub stream before anybody watched", n)
	}
	whole, _, p := watchAs(t, base, "")
	small, _, q := watchAs(t, base, "H265")
	asked, _, r := watchAs(t, base+"?stream=sub", "")
	if p != nil || q != nil || r != nil {
		t.Fatal(p, q, r)
	}
	if a, b, c := whole.mime(t), small.mime(t), asked.mime(t); a != webrtc.MimeTypeH265 || b != webrtc.MimeTypeH264 || c != webrtc.MimeTypeH264 {
		t.Errorf("%s, %s and %s", a, b, c)
	}
	poll(t, "pictures at all", func() bool { return whole.count() > 60 && small.count() > 60 && asked.count() > 60 })
	if a, b := doors[0].all.Load(), doors[1].all.Load(); a != 1 || b != 1 {
		t.Errorf("%d pulls of the main stream and %d of the sub stream, want one each", a, b)
	}
	for _, w := range []*watcher{whole, small, asked} {
		if err := w.pc.Close(); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, "the end of the views", func() bool { return srv.Viewers() == 0 })
	poll(t, "the end of the sub stream's pull", func() bool { return doors[1].in.Load() == 0 })
	if doors[0].in.Load() != 1 {
		t.Error("the recording ended with the views")
	}
}
