package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/footagetest"
)

// A memory is a store that keeps copies, and fails when told to.
type memory struct {
	mu    sync.Mutex
	parts []footage.Part
	end   footage.Ticks
	fail  error
	tries int
}

func (m *memory) AppendAll(_ context.Context, parts []*footage.Part) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if m.fail != nil {
		return 0, m.fail
	}
	for _, p := range parts {
		c := *p
		c.Samples, c.Data = slices.Clone(p.Samples), bytes.Clone(p.Data)
		c.Audio.Samples, c.Audio.Data = slices.Clone(p.Audio.Samples), bytes.Clone(p.Audio.Data)
		m.parts = append(m.parts, c)
	}
	return len(parts), nil
}

func (m *memory) LastEnd(context.Context, footage.CameraID) (footage.Ticks, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.end, nil
}

func (m *memory) set(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) all() []footage.Part {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.parts)
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(25 * time.Second); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen in 25 s", what)
		}
	}
}

func simulated(t *testing.T, opt simulate.Options) *simulate.Camera {
	t.Helper()
	opt.Files = []string{footagetest.Synthetic(t, footagetest.Options{FPS: 15, Duration: 3 * time.Second})}
	opt.Password, opt.AsFound = "pass", true
	sim, err := simulate.New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- sim.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Errorf("camera: %v", err)
		}
	})
	return sim
}

func source(sim *simulate.Camera) camera.Source {
	return camera.Source{URL: sim.URL(), Username: "demo", Password: "pass"}
}

func supervise(t *testing.T, opt capture.Options) *capture.Supervisor {
	t.Helper()
	s, err := capture.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// payloads joins a part's samples, without lengths, by picture.
func pictures(t *testing.T, parts []footage.Part) []string {
	t.Helper()
	var out []string
	for _, p := range parts {
		at := 0
		for _, s := range p.Samples {
			b := p.Data[at : at+int(s.Size)]
			at += int(s.Size)
			var pic strings.Builder
			for len(b) > 0 {
				n := int(binary.BigEndian.Uint32(b))
				pic.Write(b[4 : 4+n])
				b = b[4+n:]
			}
			out = append(out, pic.String())
		}
		if at != len(p.Data) {
			t.Fatalf("samples of %d bytes, data of %d", at, len(p.Data))
		}
	}
	return out
}

func TestRecords(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	store := &memory{}
	reg := prometheus.NewPedanticRegistry()
	s := supervise(t, capture.Options{Store: store, Registerer: reg})
	begun := footage.TicksOf(time.Now())
	if err := s.Add("till-1", source(sim)); err != nil {
		t.Fatal(err)
	}
	if err := s.Add("till-1", source(sim)); !errors.Is(err, capture.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	poll(t, "four parts", func() bool { return len(store.all()) >= 4 })

	h := s.Health()[0]
	if h.State != capture.Recording || h.Problem != nil || h.Format.Width != 320 || h.Counters.Sessions != 1 || h.LastPart.IsZero() || h.LastKeyframe.IsZero() {
		t.Errorf("health: %+v", h)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	metrics := fmt.Sprint(families)
	for _, want := range []string{"veilbox_capture_recording", "veilbox_capture_parts_total", "till-1"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s among the metrics", want)
		}
	}
	f, key, ok := s.LastKeyframe("till-1")
	if !ok || !key.Key || len(key.NALUs) == 0 || f.Height != 240 {
		t.Errorf("last keyframe: %v, %+v", ok, f)
	}
	if err := s.Remove("till-1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("till-1"); !errors.Is(err, capture.ErrUnknown) {
		t.Errorf("removed twice: %v", err)
	}

	parts := store.all()
	for i, p := range parts {
		if p.Camera != "till-1" || p.Continues || !p.Samples[0].Key || p.Format.Codec != footage.H264 || len(p.Format.Params) != 2 {
			t.Errorf("part %d: %+v", i, p.Format)
		}
		if i > 0 && p.Start != parts[i-1].Span().To {
			t.Errorf("part %d begins %d ticks after the one before ends", i, p.Start-parts[i-1].Span().To)
		}
		if i < len(parts)-1 && (len(p.Samples) != 15 || p.Duration() != footage.TicksPerSecond) {
			t.Errorf("part %d: %d pictures, %v", i, len(p.Samples), p.Duration().Duration())
		}
	}
	if d := parts[0].Start - begun; d < 0 || d > 10*footage.TicksPerSecond {
		t.Errorf("the first part begins %v after the start", d.Duration())
	}
	// What is stored is what was sent, picture by picture.
	var want []string
	for _, u := range sim.Main() {
		var pic strings.Builder
		for _, n := range u {
			if k := n[0] & 0x1f; k != 7 && k != 8 {
				pic.Write(n)
			}
		}
		want = append(want, pic.String())
	}
	got := pictures(t, parts)
	at := slices.Index(want, got[0])
	for i, p := range got {
		if at < 0 || p != want[(at+i)%len(want)] {
			t.Fatalf("picture %d of %d is not what was sent", i, len(got))
		}
	}
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	store := &memory{}
	s := supervise(t, capture.Options{Store: store})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	sub, err := s.Subscribe("c")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		poll(t, "a session", func() bool {
			h := s.Health()[0]
			return h.Counters.Sessions == uint64(n+1) && h.State == capture.Recording && h.Problem == nil
		})
		sim.Drop()
		poll(t, "the lost connection to be shown", func() bool {
			h := s.Health()[0]
			return h.State == capture.Failed && errors.Is(h.Problem, camera.ErrLost)
		})
	}
	s.Close()
	parts := store.all()
	for i, p := range parts {
		if !p.Samples[0].Key {
			t.Errorf("part %d begins without a keyframe", i)
		}
		if i > 0 && p.Start < parts[i-1].Span().To {
			t.Errorf("part %d overlaps the one before", i)
		}
	}
	// The subscription outlives the sessions and ends with the camera.
	if sub.LostGOPs() != 0 {
		t.Errorf("%d GOPs lost", sub.LostGOPs())
	}
	if _, err := sub.Next(t.Context()); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	if err := s.Add("d", source(sim)); !errors.Is(err, capture.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	store := &memory{}
	s := supervise(t, capture.Options{Store: store, Limits: camera.Limits{Stall: time.Second}})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "a part", func() bool { return len(store.all()) > 0 })
	sim.Freeze(true)
	poll(t, "the stall", func() bool {
		h := s.Health()[0]
		return h.State == capture.Stalled && errors.Is(h.Problem, camera.ErrStall)
	})
	n := len(store.all())
	sim.Freeze(false)
	poll(t, "the recording to go on", func() bool {
		h := s.Health()[0]
		return h.State == capture.Recording && h.Problem == nil && len(store.all()) > n+1
	})
}

func TestStorageFails(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	full := errors.New("no space left on device")
	store := &memory{fail: full}
	s := supervise(t, capture.Options{Store: store, Pending: 150 << 10})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "whole GOPs to be dropped", func() bool {
		h := s.Health()[0]
		return h.State == capture.Storage && errors.Is(h.Problem, capture.ErrStorage) && errors.Is(h.Problem, full) && h.Counters.DroppedGOPs >= 2
	})
	store.set(nil)
	poll(t, "the recording to go on", func() bool {
		h := s.Health()[0]
		return h.State == capture.Recording && h.Problem == nil && h.Counters.Parts >= 5
	})
	parts := store.all()
	gaps := 0
	for i, p := range parts {
		if !p.Samples[0].Key {
			t.Errorf("part %d begins without a keyframe", i)
		}
		if i > 0 && p.Start > parts[i-1].Span().To {
			gaps++
		}
	}
	if gaps != 1 {
		t.Errorf("%d gaps, want the one of the full disk", gaps)
	}
}

func TestAfterTheLastEnd(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	end := footage.TicksOf(time.Now()) + 3600*footage.TicksPerSecond
	store := &memory{end: end}
	s := supervise(t, capture.Options{Store: store})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "two parts", func() bool { return len(store.all()) >= 2 })
	if p := store.all()[0]; p.Start != end {
		t.Errorf("the first part begins %v from the last end", (p.Start - end).Duration())
	}
	poll(t, "how far ahead", func() bool { a := s.Health()[0].Ahead; return a > 59*time.Minute && a < 61*time.Minute })
}

func TestDigest(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	s := supervise(t, capture.Options{Store: &memory{}})
	for name, src := range map[footage.CameraID]camera.Source{
		"right":     {URL: strings.Replace(sim.SubURL(), "rtsp://", "rtsp://demo:pass@", 1)},
		"wrong":     {URL: sim.URL(), Username: "demo", Password: "other"},
		"nobody":    {URL: sim.URL()},
		"elsewhere": {URL: strings.Replace(sim.URL(), "/main", "/other", 1), Username: "demo", Password: "pass"},
	} {
		if err := s.Add(name, src); err != nil {
			t.Fatal(err)
		}
	}
	want := map[footage.CameraID]error{"wrong": camera.ErrAuth, "nobody": camera.ErrAuth, "elsewhere": camera.ErrNotFound}
	poll(t, "each to be told", func() bool {
		good := 0
		for _, h := range s.Health() {
			if h.Camera == "right" && h.State == capture.Recording || h.Camera != "right" && h.State == capture.Failed && errors.Is(h.Problem, want[h.Camera]) {
				good++
			}
		}
		return good == 4
	})
}

// A camera that refuses the password is left alone for a minute, so that it
// does not lock the account; others are tried again within seconds.
func TestBackoff(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int32
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			tries.Add(1)
			fmt.Fprint(c, "RTSP/1.0 401 Unauthorized\r\n\r\n")
			c.Close()
		}
	}()
	fake := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	s := supervise(t, capture.Options{Store: &memory{}, Clock: fake})
	// Closed once the supervisor has ended.
	t.Cleanup(func() { ln.Close() })
	if err := s.Add("c", camera.Source{URL: "rtsp://" + ln.Addr().String() + "/", Username: "u", Password: "p"}); err != nil {
		t.Fatal(err)
	}
	failed := func() bool { return s.Health()[0].State == capture.Failed }
	poll(t, "the refusal", failed)
	if p := s.Health()[0].Problem; !errors.Is(p, camera.ErrAuth) {
		t.Fatal(p)
	}
	first := tries.Load()
	waited := 0
	for tries.Load() == first {
		if waited++; waited > 70 {
			t.Fatal("not tried again in 70 s")
		}
		fake.Advance(time.Second)
		// The recorder must have asked the clock before it is moved again.
		<-time.After(5 * time.Millisecond)
	}
	if waited < 58 {
		t.Errorf("tried again after %d s", waited)
	}
}

func TestStoreUnknownAtStart(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	store := &blind{}
	store.blind.Store(true)
	s := supervise(t, capture.Options{Store: store})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "the store's trouble", func() bool {
		h := s.Health()[0]
		return h.State == capture.Storage && errors.Is(h.Problem, capture.ErrStorage)
	})
	store.blind.Store(false)
	poll(t, "a part", func() bool { return len(store.all()) > 0 })
}

// A blind store does not know what it holds.
type blind struct {
	memory
	blind atomic.Bool
}

func (b *blind) LastEnd(ctx context.Context, cam footage.CameraID) (footage.Ticks, error) {
	if b.blind.Load() {
		return 0, errors.New("index locked")
	}
	return b.memory.LastEnd(ctx, cam)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	if _, err := capture.New(capture.Options{}); err == nil {
		t.Error("a supervisor without a store")
	}
	s := supervise(t, capture.Options{Store: &memory{}})
	if err := s.Add("c", camera.Source{URL: "http://x/"}); !errors.Is(err, camera.ErrURL) {
		t.Errorf("bad URL: %v", err)
	}
	if err := s.Add("../c", camera.Source{URL: "rtsp://x/"}); !errors.Is(err, footage.ErrCameraID) {
		t.Errorf("bad name: %v", err)
	}
	if _, err := s.Subscribe("c"); !errors.Is(err, capture.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	if _, _, ok := s.LastKeyframe("c"); ok {
		t.Error("a keyframe of no camera")
	}
}
