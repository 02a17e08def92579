package casework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
)

func (b *box) picture(at time.Time, width int) (Picture, error) {
	return b.CameraPicture(b.t.Context(), b.people["staff"], till, at, width)
}

func TestPicturesAreMadeOnceAndInBatches(t *testing.T) {
	b := newBox(t)
	b.red.hold = make(chan struct{})
	// The first two decoders are held, so that the others gather.
	var wg sync.WaitGroup
	errs := make([]error, seconds)
	for i := range seconds {
		wg.Go(func() { _, errs[i] = b.picture(recorded.Add(time.Duration(i)*time.Second+100*time.Millisecond), 200) })
	}
	b.until(func() bool {
		b.pictures.mu.Lock()
		defer b.pictures.mu.Unlock()
		b.red.mu.Lock()
		defer b.red.mu.Unlock()
		return b.red.atOnce > 0 && len(b.pictures.waiting) == seconds
	}, func() string { return "not all are waited for" })
	close(b.red.hold)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range b.red.albums {
		sum += n
	}
	if sum != seconds || len(b.red.albums) > 3 || b.red.most > pictureDecoders {
		t.Errorf("decoded %v, %d at once", b.red.albums, b.red.most)
	}
	calls := len(b.red.albums)
	p, err := b.picture(recorded.Add(2*time.Second+900*time.Millisecond), 319)
	if err != nil || len(b.red.albums) != calls || !strings.Contains(string(p.JPEG), "160 wide") || p.At.Before(recorded.Add(time.Second)) || p.At.After(recorded.Add(3*time.Second)) {
		t.Errorf("%q of %v, %v; %d more decodes", p.JPEG, p.At, err, len(b.red.albums)-calls)
	}
	for width, want := range map[int]string{0: "160 wide", 320: "320 wide", 1920: "640 wide"} {
		if p, err := b.picture(recorded.Add(time.Second), width); err != nil || !strings.Contains(string(p.JPEG), want) {
			t.Errorf("%d: %q, %v", width, p.JPEG, err)
		}
	}
	// One look a minute is on record, whatever was shown.
	if n := b.count("footage.view"); n != 1 || b.last("footage.view").About["what"] != "thumbnails" {
		t.Errorf("%d looks on record", n)
	}
	b.clock.Advance(thumbsEvery)
	if _, err := b.picture(recorded.Add(time.Second), 0); err != nil || b.count("footage.view") != 2 {
		t.Errorf("%v, %d looks on record", err, b.count("footage.view"))
	}
	files, err := filepath.Glob(filepath.Join(b.opt.Dir, "*", "*.jp*"))
	if err != nil || len(files) > 0 {
		t.Errorf("pictures on the disk: %s, %v", files, err)
	}
}

func TestPicturesThatCannotBe(t *testing.T) {
	b := newBox(t)
	_, err := b.picture(recorded.Add(-time.Hour), 0)
	refused(t, err, "picture.none")
	_, err = b.CameraPicture(t.Context(), b.people["staff"], "gone-1", recorded, 0)
	refused(t, err, "camera.missing")
	b.red.bad = errors.New("the decoder broke")
	if _, err = b.picture(recorded.Add(time.Second), 0); err == nil {
		t.Error("a picture of a broken decoder")
	}
	b.red.bad = nil
	if _, err = b.picture(recorded.Add(time.Second), 0); err != nil {
		t.Errorf("what failed once is not asked for again: %v", err)
	}
	// Who goes away leaves no work behind.
	b.red.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.CameraPicture(ctx, b.people["staff"], till, recorded.Add(3*time.Second), 0)
		done <- err
	}()
	b.until(func() bool { b.red.mu.Lock(); defer b.red.mu.Unlock(); return b.red.atOnce == 1 }, func() string { return "nothing is decoded" })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(b.red.hold)
	b.until(func() bool { b.pictures.mu.Lock(); defer b.pictures.mu.Unlock(); return len(b.pictures.waiting) == 0 }, func() string { return "it is waited for still" })
}

func TestPicturesKeptAreBounded(t *testing.T) {
	var p pictures
	p.init()
	big := Picture{JPEG: make([]byte, picturesKept/4)}
	for i := range 6 {
		p.keep(pictureKey{at: footage.Ticks(i)}, big)
		p.get(pictureKey{at: 0})
	}
	if p.bytes > picturesKept || p.recent.Len() != len(p.kept) || len(p.kept) != 4 {
		t.Errorf("%d bytes in %d pictures, %d listed", p.bytes, len(p.kept), p.recent.Len())
	}
	if _, ok := p.get(pictureKey{at: 0}); !ok {
		t.Error("what was used last is gone")
	}
	if _, ok := p.get(pictureKey{at: 1}); ok {
		t.Error("what was not used is kept")
	}
	for i := range picturesWaiting {
		if _, _, err := p.want(pictureKey{at: footage.Ticks(100 + i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := p.want(pictureKey{at: 99}, 0)
	refused(t, err, "picture.busy")
}

func TestPlayable(t *testing.T) {
	b := newBox(t)
	b.red.hold = make(chan struct{})
	from, to := span()
	ask := func() (Media, error) {
		return b.Footage(t.Context(), b.people["staff"], till, Wanted{From: from, To: to, As: "h264"})
	}
	var wait NotReady
	b.until(func() bool {
		_, err := ask()
		if !errors.As(err, &wait) {
			t.Fatal(err)
		}
		return wait.Progress.Done == 40
	}, func() string { return fmt.Sprintf("%+v", wait) })
	if !wait.Progress.Running || wait.Progress.Total != 100 || wait.Progress.Stage != "write" {
		t.Errorf("%+v", wait)
	}
	close(b.red.hold)
	var m Media
	b.until(func() bool { var err error; m, err = ask(); return err == nil }, func() string { return "it is never ready" })
	got, err := io.ReadAll(m)
	if err := errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
	orig, err := b.Footage(t.Context(), b.people["staff"], till, Wanted{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(orig)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d, %v", len(got), len(want), err)
	}
	files, err := filepath.Glob(filepath.Join(b.opt.Dir, "playable", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s, %v", files, err)
	}
	if sealed, err := os.ReadFile(files[0]); err != nil || bytes.Contains(sealed, []byte("moov")) {
		t.Errorf("it lies in the clear: %v", err)
	}
	if n := b.count("footage.view"); n != 1 {
		t.Errorf("%d looks on record", n)
	}
	b.clock.Advance(playsFor + time.Second)
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(files[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is kept for ever: %v", err)
	}
	_, err = b.Footage(t.Context(), b.people["staff"], till, Wanted{From: from, To: to, As: "vhs"})
	refused(t, err, "footage.as")
}

func TestPlayableOfACase(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	b.until(func() bool {
		m, err := b.CaseClip(t.Context(), b.people["assessor"], v.ID, "h264")
		if err == nil {
			return m.Close() == nil
		}
		return !errors.As(err, &NotReady{})
	}, func() string { return "it is never ready" })
	_, err := b.CaseClip(t.Context(), b.people["assessor"], v.ID, "vhs")
	refused(t, err, "footage.as")
}

func TestPlayableIsBounded(t *testing.T) {
	b := newBox(t)
	b.red.hold = make(chan struct{})
	ask := func(i int) error {
		from := recorded.Add(time.Duration(i) * 300 * time.Millisecond)
		m, err := b.Footage(t.Context(), b.people["staff"], till, Wanted{From: from, To: from.Add(time.Second), As: "h264"})
		if err == nil {
			return m.Close()
		}
		return err
	}
	for i := range playsWaiting {
		if err := ask(i); !errors.As(err, &NotReady{}) {
			t.Fatal(err)
		}
	}
	refused(t, ask(playsWaiting), "playable.busy")
	// Those that nobody asks for again end.
	b.clock.Advance(playsLeft + time.Second)
	b.clearPlays()
	b.until(func() bool { b.plays.mu.Lock(); defer b.plays.mu.Unlock(); return len(b.plays.m) == 0 }, func() string { return "they go on" })
	close(b.red.hold)
	b.red.mu.Lock()
	b.red.bad = errors.New("the encoder broke")
	b.red.mu.Unlock()
	b.until(func() bool { err := ask(0); return err != nil && !errors.As(err, &NotReady{}) }, func() string { return "nobody is told that it failed" })
	_, err := b.Footage(t.Context(), b.people["staff"], till, Wanted{From: recorded, To: recorded.Add(3 * time.Hour), As: "h264"})
	refused(t, err, "clip.span")
	b.restart()
	if files, err := filepath.Glob(filepath.Join(b.opt.Dir, "playable", "*")); err != nil || len(files) > 0 {
		t.Errorf("a restart leaves %s, %v", files, err)
	}
}

func TestTimelines(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	all, err := b.Timelines(t.Context(), b.people["staff"], recorded.Add(-time.Hour), start, 400)
	if err != nil || len(all) != 1 || all[0].Name != "Kassen" || len(all[0].Recorded) != 1 || len(all[0].Cases) != 1 || all[0].Cases[0].ID != v.ID {
		t.Errorf("%+v, %v", all, err)
	}
	b.restart()
	if tl, err := b.Timeline(t.Context(), b.people["staff"], till, recorded, start, 0); err != nil || len(tl.Cases) != 1 {
		t.Errorf("after a restart: %+v, %v", tl, err)
	}
	_, err = b.Timelines(t.Context(), b.people["staff"], recorded, start, maxPixels+1)
	refused(t, err, "timeline.px")
	_, err = b.Timelines(t.Context(), b.people["staff"], start, recorded, 0)
	refused(t, err, "timeline.span")
}

func TestMerge(t *testing.T) {
	s := func(v ...footage.Ticks) (out []footage.Span) {
		for i := 0; i < len(v); i += 2 {
			out = append(out, footage.Span{From: v[i], To: v[i+1]})
		}
		return out
	}
	for name, tc := range map[string]struct {
		in, want []footage.Span
		least    footage.Ticks
	}{
		"none":           {nil, nil, 10},
		"a small gap":    {s(0, 5, 9, 20), s(0, 20), 5},
		"a gap to see":   {s(0, 5, 10, 20), s(0, 5, 10, 20), 5},
		"many":           {s(0, 1, 2, 3, 4, 5, 20, 30), s(0, 5, 20, 30), 2},
		"within another": {s(0, 50, 10, 20), s(0, 50), 2},
	} {
		if got := merge(slices.Clone(tc.in), tc.least); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// The cases of a month are found without reading them all.
func TestCaseSpans(t *testing.T) {
	var cs caseSpans
	for i := 999; i >= 0; i-- {
		at := footage.TicksOf(start) + footage.Ticks(i)*footage.TicksIn(time.Hour)
		cs.add(incident.Case{ID: incident.CaseID(fmt.Sprint(i)), Clip: incident.Clip{Camera: till, Span: footage.Span{From: at, To: at + footage.TicksIn(10*time.Minute)}}})
	}
	cs.add(incident.Case{ID: "none"})
	from := footage.TicksOf(start) + 500*footage.TicksIn(time.Hour) + footage.TicksIn(5*time.Minute)
	got := cs.within(till, footage.Span{From: from, To: from + footage.TicksIn(time.Hour)}, footage.TicksIn(2*time.Hour))
	if len(got) != 2 || got[0].ID != "500" || got[1].ID != "501" {
		t.Errorf("%+v", got)
	}
	if got := cs.within("gone-1", footage.Span{From: 0, To: from}, 1); got == nil || len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
