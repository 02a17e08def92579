//go:build linux

package redact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"veilbox/redact/detect"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

func open(t *testing.T, w *Worker, job SessionJob, clip io.Reader) *Session {
	t.Helper()
	s, err := w.Open(t.Context(), job, clip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := syscall.Kill(s.r.p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("its process is there after Close: %v", err)
		}
	})
	return s
}

var till = []subject.Rect{{X: 0.8, Y: 0.8, W: 0.1, H: 0.1}}

func TestSession(t *testing.T) {
	s := open(t, fake(t, "good"), SessionJob{}, strings.NewReader("a clip"))
	ctx := t.Context()
	var seen []Progress
	tr, err := s.Track(ctx, []subject.Subject{theBox(), theBox()}, till, func(p Progress) { seen = append(seen, p) })
	if err != nil {
		t.Fatal(err)
	}
	if tr.Length != 2 || tr.Frames != clipFrames || tr.Walked != 2*clipFrames || len(tr.Subjects) != 2 || len(seen) != 1 || tr.Took <= 0 {
		t.Errorf("%+v, progress %v", tr, seen)
	}
	want := []TrackSpan{
		{0, 0.4, SpanUnsure, []string{"no-keyframe"}, []string{}},
		{0.4, 1.6, SpanShown, []string{"tracked"}, []string{}},
		{1.6, 2, SpanFlagged, []string{"tracked"}, []string{"crowded"}},
	}
	if got := tr.Subjects[1].Spans; !reflect.DeepEqual(got, want) {
		t.Errorf("spans %+v, want %+v", got, want)
	}
	if p := tr.Subjects[0].Places; len(p) != 8 || p[0].At != 0.4 || p[7].At != 1.8 || p[0].Rect.W > 0.1 || p[0].Rect.X < 0.2 {
		t.Errorf("places %+v", p)
	}
	m, err := mask.Decode(tr.Mask)
	if err != nil || m.Subjects != 2 || !reflect.DeepEqual(m.Veiled, till) {
		t.Errorf("%+v, %v", m, err)
	}

	b, at, err := s.Picture(ctx, 1.25, 160, true, nil, nil)
	if c, jerr := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || jerr != nil || c.Width != 160 || at != 1.25 {
		t.Errorf("picture of %d pixels at %g: %v %v", c.Width, at, err, jerr)
	}
	if p, err := s.People(ctx, 1); err != nil || len(p) != 0 || s.Detects() {
		t.Errorf("%v, %v, and nobody looks", p, err)
	}
	// What fails does not end it.
	if _, err := s.People(ctx, 1.5); code(err) != "redact.not-video" {
		t.Errorf("a frame that cannot be had: %v", err)
	}
	for name, f := range map[string]func() error{
		"redact.subject": func() error { _, err := s.Track(ctx, nil, nil, nil); return err },
		"redact.choice":  func() error { _, err := s.People(ctx, -1); return err },
	} {
		if err := f(); code(err) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := s.Picture(ctx, 1, 160, false, []subject.Subject{{}}, nil); code(err) != "redact.subject" {
		t.Errorf("a picture of nobody: %v", err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			at := float64(i) / 20
			if i%2 == 0 {
				if _, got, err := s.Picture(ctx, at, 100+i, false, []subject.Subject{theBox()}, till); err != nil || got != at {
					t.Errorf("picture %d at %g: %v", i, got, err)
				}
			} else if tr, err := s.Track(ctx, make1(i%3+1), nil, nil); err != nil || len(tr.Subjects) != i%3+1 {
				t.Errorf("track %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if s.Err() != nil {
		t.Error(s.Err())
	}
	s.Close()
	if _, err := s.Track(ctx, make1(1), nil, nil); !errors.Is(err, ErrClosed) || !errors.Is(s.Err(), ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func make1(n int) (out []subject.Subject) {
	for range n {
		out = append(out, theBox())
	}
	return out
}

// An ask that its caller gives up leaves the next with its own answer.
func TestSessionAskGivenUp(t *testing.T) {
	s := open(t, fake(t, "slow"), SessionJob{}, strings.NewReader("a clip"))
	for i := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		progress := func(Progress) { t.Error("progress of an ask that was given up") }
		<-s.Read()
		gave := make(chan error)
		go func() { _, err := s.Track(ctx, make1(2), nil, progress); gave <- err }()
		cancel()
		if err := <-gave; !errors.Is(err, context.Canceled) {
			t.Errorf("round %d: %v", i, err)
		}
		tr, err := s.Track(t.Context(), make1(1), nil, nil)
		if err != nil || len(tr.Subjects) != 1 {
			t.Errorf("round %d: %v, %d subjects", i, err, len(tr.Subjects))
		}
	}
}

// An ask may come before the clip is there, and be given up before.
func TestSessionBeforeItsClip(t *testing.T) {
	r, w := io.Pipe()
	s := open(t, fake(t, "good"), SessionJob{}, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.People(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	got := make(chan error)
	go func() { _, err := s.People(t.Context(), 0); got <- err }()
	select {
	case err := <-got:
		t.Errorf("an answer before the clip: %v", err)
	case <-s.Read():
		t.Error("the clip is read before it is there")
	default:
	}
	if _, err := w.Write([]byte("clip")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
	<-s.Read()
}

func TestSessionEnds(t *testing.T) {
	clip := func() io.Reader { return strings.NewReader("a clip") }
	t.Run("with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := fake(t, "stuck").Open(ctx, SessionJob{}, clip())
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error)
		go func() { _, err := s.People(t.Context(), 0); got <- err }()
		<-s.Read()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.Close()
		s.Close()
	})
	t.Run("after its time", func(t *testing.T) {
		w := fake(t, "stuck")
		w.Limits.Time = 200 * time.Millisecond
		s := open(t, w, SessionJob{}, clip())
		if _, err := s.People(t.Context(), 0); !errors.Is(err, TimedOut) {
			t.Error(err)
		}
	})
	t.Run("killed", func(t *testing.T) {
		s := open(t, fake(t, "stuck"), SessionJob{}, clip())
		<-s.Read()
		s.r.p.Kill()
		if _, err := s.People(t.Context(), 0); !errors.Is(err, Crashed) {
			t.Error(err)
		}
	})
	t.Run("with another clip", func(t *testing.T) {
		job := SessionJob{}
		job.Clip.Hash = sha256.Sum256([]byte("another"))
		s := open(t, fake(t, "good"), job, clip())
		if _, err := s.People(t.Context(), 0); !errors.Is(err, WrongClip) {
			t.Error(err)
		}
		job.Clip.Hash = sha256.Sum256([]byte("a clip"))
		if _, err := open(t, fake(t, "good"), job, clip()).People(t.Context(), 0); err != nil {
			t.Error(err)
		}
	})
	t.Run("with a broken clip", func(t *testing.T) {
		s := open(t, fake(t, "good"), SessionJob{}, brokenReader{})
		if _, err := s.People(t.Context(), 0); !errors.Is(err, errBroken) {
			t.Error(err)
		}
	})
	t.Run("with a clip that is none", func(t *testing.T) {
		s := open(t, fake(t, "early"), SessionJob{}, io.MultiReader(bytes.NewReader(make([]byte, 8<<20)), clip()))
		if _, err := s.People(t.Context(), 0); code(err) != "redact.not-video" {
			t.Error(err)
		}
	})
	t.Run("before it starts", func(t *testing.T) {
		if _, err := (&Worker{Path: "/nowhere/veil-redact"}).Open(t.Context(), SessionJob{}, clip()); !errors.Is(err, NoWorker) {
			t.Error(err)
		}
	})
}

// A worker that was taken over ends its session, whatever it says.
func TestSessionHostile(t *testing.T) {
	subjects := make1(1)
	for _, name := range []string{"unasked", "result", "no-json", "negative", "dies", "more-subjects", "less-veiled", "other-mode", "outside", "kinds", "no-jpeg", "wide", "twice"} {
		t.Run(name, func(t *testing.T) {
			s := open(t, fake(t, name), SessionJob{}, strings.NewReader("a clip"))
			_, err := s.Track(t.Context(), subjects, till, nil)
			if err == nil {
				_, _, err = s.Picture(t.Context(), 0, 160, true, nil, nil)
			}
			if err == nil {
				_, err = s.People(t.Context(), 0)
			}
			if !errors.Is(err, Crashed) {
				t.Errorf("%v", err)
			}
			<-s.Done()
			if _, err := s.People(t.Context(), 0); !errors.Is(err, Crashed) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// What goes in front of the clip arrives, of the size and hash that the job says.
func TestModelSceneAndKnownTrackGoIn(t *testing.T) {
	dir := t.TempDir()
	model := bytes.Repeat([]byte("model"), 300_000)
	path := filepath.Join(dir, "m.onnx")
	if err := os.WriteFile(path, model, 0o600); err != nil {
		t.Fatal(err)
	}
	w := fake(t, "good")
	hash := fmt.Sprintf("%x", sha256.Sum256(model))
	w.Detect = Detect{On: true, Path: program, Model: path, SHA256: hash}
	scene := bytes.Repeat([]byte("scene"), 100_000)
	known := fakeMask(1, till).Encode()
	opened := 0
	job := Job{Subjects: make1(1), Veiled: till, Known: known, Choice: subject.Choice{Mode: subject.StillScene},
		Scene: &Scene{Open: func() (io.ReadCloser, error) { opened++; return io.NopCloser(bytes.NewReader(scene)), nil }}}
	_, err := w.Produce(t.Context(), job, strings.NewReader("a clip"), &memory{}, nil)
	want := fmt.Sprintf("kind redact mask %d model %d scene %d clip 6 hash %s", len(known), len(model), len(scene), hash)
	if err == nil || !strings.Contains(err.Error(), want) || opened != 1 {
		t.Errorf("opened %d times, %v; want %s", opened, err, want)
	}

	w.Limits.ClipBytes = 1000
	if _, err := w.Produce(t.Context(), job, strings.NewReader("a clip"), &memory{}, nil); !errors.Is(err, NoScene) {
		t.Errorf("a scene over its limit: %v", err)
	}
	job.Scene.Open = func() (io.ReadCloser, error) { return nil, errBroken }
	if _, err := w.Produce(t.Context(), job, strings.NewReader("a clip"), &memory{}, nil); !errors.Is(err, NoScene) || !errors.Is(err, errBroken) {
		t.Errorf("a scene that cannot be opened: %v", err)
	}
	job.Scene = nil
	for name, spoil := range map[string]func(*Detect){
		"another hash": func(d *Detect) { d.SHA256 = strings.Repeat("0", 64) },
		"no hash":      func(d *Detect) { d.SHA256 = "" },
		"no file":      func(d *Detect) { d.Model += "x" },
	} {
		bad := *w
		spoil(&bad.Detect)
		if _, err := bad.Produce(t.Context(), job, strings.NewReader("a clip"), &memory{}, nil); !errors.Is(err, detect.BadModel) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := bad.Open(t.Context(), SessionJob{Detect: true}, strings.NewReader("a clip")); !errors.Is(err, detect.BadModel) {
			t.Errorf("session, %s: %v", name, err)
		}
	}
	// Without veil-detect all goes on.
	w.Detect = Detect{On: true, Path: filepath.Join(dir, "veil-detect")}
	if s := open(t, w, SessionJob{Detect: true}, strings.NewReader("a clip")); s.Detects() {
		t.Error("a detector that is not there looks")
	}
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.Detect.Path = script
	if st, err := w.detector(true); err != nil || !st.missing {
		t.Errorf("%+v, %v", st, err)
	}
	if s := open(t, w, SessionJob{Detect: true}, strings.NewReader("a clip")); s.Detects() {
		t.Error("a script was taken for a detector")
	}
	w.Detect.Path = program
	s := open(t, w, SessionJob{Detect: true}, strings.NewReader("a clip"))
	if p, err := s.People(t.Context(), 1); err != nil || len(p) != 1 || p[0].Kind != "face" || !s.Detects() {
		t.Errorf("%v, %v", p, err)
	}
}

// A job that cannot be is refused before a process starts and a byte is read.
func TestJobsThatCannotBe(t *testing.T) {
	known := fakeMask(1, till)
	still := *known
	still.Still, still.Frames = true, still.Frames[:1]
	for name, k := range map[string]struct {
		job  Job
		code string
	}{
		"nobody":              {Job{}, "redact.subject"},
		"a bad subject":       {Job{Subjects: []subject.Subject{{}}}, "redact.subject"},
		"too many":            {Job{Subjects: make1(subject.MaxSubjects + 1)}, "redact.subject"},
		"a subject, for none": {Job{Subjects: make1(1), Choice: subject.Choice{Mode: subject.BlurEverything}}, "redact.choice"},
		"a mode":              {Job{Subjects: make1(1), Choice: subject.Choice{Mode: 9}}, "redact.choice"},
		"a still with sound":  {Job{Subjects: make1(1), Choice: subject.Choice{Still: &subject.Still{}, Sound: "x"}}, "redact.choice"},
		"a region":            {Job{Subjects: make1(1), Veiled: []subject.Rect{{X: 2}}}, "redact.choice"},
		"a scene of nothing":  {Job{Subjects: make1(1), Scene: &Scene{}}, "redact.choice"},
		"a known track":       {Job{Subjects: make1(1), Known: []byte("veilbox mask 2")}, "redact.subject"},
		"of others":           {Job{Subjects: make1(2), Veiled: till, Known: known.Encode()}, "redact.subject"},
		"of other regions":    {Job{Subjects: make1(1), Known: known.Encode()}, "redact.subject"},
		"of a still":          {Job{Subjects: make1(1), Veiled: till, Known: still.Encode()}, "redact.subject"},
	} {
		w := &Worker{Path: "/nowhere/veil-redact"}
		store := &memory{b: []byte("an old copy")}
		if _, err := w.Produce(t.Context(), k.job, brokenReader{}, store, nil); code(err) != k.code || store.b != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The mask that comes back must be of what was asked.
func TestMaskOfSomethingElse(t *testing.T) {
	at := time.Date(2026, 11, 22, 13, 0, 0, 123_456_789, time.UTC)
	base := func() *mask.Mask { return fakeMask(1, till) }
	j := Job{Subjects: make1(1), Veiled: till}
	stamped := j
	stamped.Choice.Stamp = &subject.Stamp{Place: "Kassen", Start: at}
	loud := j
	loud.Choice.Sound = "the threat is spoken"
	still := j
	still.Choice.Still = &subject.Still{At: 1}
	followed := j
	followed.Known = base().Encode()
	for name, k := range map[string]struct {
		job  Job
		make func(*mask.Mask)
		ok   bool
	}{
		"as asked":           {j, func(*mask.Mask) {}, true},
		"two subjects":       {j, func(m *mask.Mask) { *m = *fakeMask(2, till) }, false},
		"less veiled":        {j, func(m *mask.Mask) { m.Veiled = nil }, false},
		"cells too small":    {j, func(m *mask.Mask) { m.Cell -= 2 }, false},
		"another mode":       {j, func(m *mask.Mask) { m.Mode = subject.StillScene }, false},
		"a scene":            {Job{Subjects: make1(1), Veiled: till, Choice: subject.Choice{Mode: subject.StillScene}}, func(m *mask.Mask) { m.Mode = subject.StillScene; m.Scene[0] = 1 }, false},
		"sound":              {j, func(m *mask.Mask) { m.Sound = true }, false},
		"sound, asked for":   {loud, func(m *mask.Mask) { m.Sound = true }, true},
		"no sound to keep":   {loud, func(*mask.Mask) {}, true},
		"a still":            {j, func(m *mask.Mask) { m.Still, m.Frames = true, m.Frames[:1] }, false},
		"no still":           {still, func(*mask.Mask) {}, false},
		"a stamp":            {j, func(m *mask.Mask) { m.Stamp = &mask.Stamp{Start: at} }, false},
		"no stamp":           {stamped, func(*mask.Mask) {}, false},
		"the stamp":          {stamped, func(m *mask.Mask) { m.Stamp = &mask.Stamp{Place: "Kassen", Start: at.Truncate(time.Millisecond)} }, true},
		"another place":      {stamped, func(m *mask.Mask) { m.Stamp = &mask.Stamp{Place: "Lageret", Start: at.Truncate(time.Millisecond)} }, false},
		"another time":       {stamped, func(m *mask.Mask) { m.Stamp = &mask.Stamp{Place: "Kassen", Start: at.Add(time.Second)} }, false},
		"the known track":    {followed, func(*mask.Mask) {}, true},
		"less than is known": {followed, func(m *mask.Mask) { m.Frames[20].Subjects[0] = mask.Seen{} }, true},
		"more than is known": {followed, func(m *mask.Mask) { m.Frames[5].Subjects[0] = m.Frames[6+20].Subjects[0] }, false},
		"a larger region": {followed, func(m *mask.Mask) {
			m.Frames[20].Subjects[0].Shape = m.Grid.Inside(subject.Rect{X: 0.1, Y: 0.1, W: 0.5, H: 0.5})
		}, false},
		"another clip": {followed, func(m *mask.Mask) { m.Frames = m.Frames[:len(m.Frames)-1] }, false},
		"other times":  {followed, func(m *mask.Mask) { m.Frames[9].At++ }, false},
	} {
		m := base()
		k.make(m)
		if err := k.job.asked(m); (err == nil) != k.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	half := still
	half.Choice.Stamp = stamped.Choice.Stamp
	for off, ok := range map[time.Duration]bool{0: true, time.Second: true, 2 * time.Second: true, -time.Second: false, time.Minute: false} {
		m := base()
		m.Still, m.Frames, m.Stamp = true, m.Frames[:1], &mask.Stamp{Place: "Kassen", Start: at.Add(off)}
		if err := half.asked(m); (err == nil) != ok {
			t.Errorf("a still stamped %v after the start: %v", off, err)
		}
	}
}

func TestNotices(t *testing.T) {
	m := fakeMask(1, nil)
	j := &Job{Choice: subject.Choice{Mode: subject.StillScene, Sound: "x"}}
	got := notices(j, m, &look{missing: true}, []Notice{work.NoticeSoftware, work.NoticeNoScene})
	if !reflect.DeepEqual(got, work.Notices) {
		t.Errorf("%v", got)
	}
	if got := notices(&Job{}, m, nil, nil); len(got) != 0 {
		t.Errorf("%v of a copy as asked", got)
	}
}
