package capture_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
)

func TestSubStream(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{SubSize: simulate.Size{Width: 160, Height: 120}})
	store := &memory{}
	s := supervise(t, capture.Options{Store: store})
	src := source(sim)
	src.SubURL = sim.SubURL()
	if err := s.Add("a", src); err != nil {
		t.Fatal(err)
	}
	src.SubURL = ""
	if err := s.Add("b", src); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SubscribeSub("b"); !errors.Is(err, capture.ErrNoSub) {
		t.Errorf("without a sub stream: %v", err)
	}
	if _, err := s.SubscribeSub("c"); !errors.Is(err, capture.ErrUnknown) {
		t.Errorf("without a camera: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	one, err := s.SubscribeSub("a")
	if err != nil {
		t.Fatal(err)
	}
	var last int64
	for i := range 20 {
		fr, err := one.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if fr.Format.Width != 160 || i == 0 && !fr.Unit.Key || i > 0 && fr.Unit.DTS <= last {
			t.Fatalf("picture %d: %dx%d at %d after %d", i, fr.Format.Width, fr.Format.Height, fr.Unit.DTS, last)
		}
		last = fr.Unit.DTS
	}
	// Who comes second has the GOP under way at once.
	two, err := s.SubscribeSub("a")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	fr, err := two.Next(ctx)
	if err != nil || !fr.Unit.Key || !fr.Replayed {
		t.Fatalf("%+v, %v", fr, err)
	}
	if d := time.Since(at); d > 500*time.Millisecond {
		t.Errorf("the second waited %v", d)
	}
	if f, reordered, ok := two.Look(); !ok || reordered || f.Width != 160 {
		t.Errorf("%+v, %v, %v", f, reordered, ok)
	}
	for _, p := range store.all() {
		if p.Format.Width == 160 {
			t.Fatal("the sub stream was recorded")
		}
	}
	if p := s.SubProblem("a"); p != nil {
		t.Error(p)
	}
	if err := s.Remove("a"); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = one.Next(ctx)
	}
	if err != io.EOF {
		t.Errorf("after the camera is removed: %v", err)
	}
}

func TestSubStreamThatFails(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	s := supervise(t, capture.Options{Store: &memory{}})
	src := source(sim)
	src.SubURL = "rtsp://127.0.0.1:1/sub"
	if err := s.Add("a", src); err != nil {
		t.Fatal(err)
	}
	sub, err := s.SubscribeSub("a")
	if err != nil {
		t.Fatal(err)
	}
	poll(t, "its problem", func() bool { p := s.SubProblem("a"); return errors.Is(p, camera.ErrUnreachable) })
	if h := s.Health(); h[0].Problem != nil && errors.Is(h[0].Problem, camera.ErrUnreachable) {
		t.Errorf("the recording has the sub stream's problem: %+v", h[0])
	}
	sub.Close()
	if _, err := sub.Next(t.Context()); err != io.EOF {
		t.Error(err)
	}
}

func TestSubscribeNow(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	s := supervise(t, capture.Options{Store: &memory{}})
	if err := s.Add("a", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "a keyframe", func() bool { _, _, ok := s.LastKeyframe("a"); return ok })
	sub, err := s.SubscribeNow("a")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	var frames []*capture.Frame
	for len(frames) < 30 {
		fr, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, fr)
	}
	if !frames[0].Replayed || !frames[0].Unit.Key || frames[29].Replayed {
		t.Error("it does not begin with the GOP under way")
	}
	for i := 1; i < len(frames); i++ {
		if d := frames[i].Unit.DTS - frames[i-1].Unit.DTS; d != footage.TicksPerSecond/15 {
			t.Fatalf("picture %d is %d ticks after the one before", i, d)
		}
	}
	if _, err := s.SubscribeNow("b"); !errors.Is(err, capture.ErrUnknown) {
		t.Error(err)
	}
}
