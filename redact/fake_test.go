//go:build linux

package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
	"veilbox/redact/work"
)

// A worker that is not veil-redact is this test's program by another name: what
// it does is in the name, for it gets no environment.
const fakePrefix = "fake-"

// fake returns a worker that does what name says.
func fake(t *testing.T, name string) *Worker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), fakePrefix+name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return &Worker{Path: path}
}

// fakeMain is the fake worker.
func fakeMain(name string) int {
	f := &fakeWorker{name: strings.TrimPrefix(filepath.Base(name), fakePrefix), c: &work.Conn{R: os.Stdin, W: os.Stdout}}
	if err := f.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type fakeWorker struct {
	name string
	c    *work.Conn
	job  work.Job
	got  map[work.Type]int
}

func (f *fakeWorker) run() error {
	t, b, err := f.c.Receive()
	if err != nil {
		return err
	}
	if t != work.TypeJob {
		return fmt.Errorf("%q first", byte(t))
	}
	if err := json.Unmarshal(b, &f.job); err != nil {
		return err
	}
	if f.name == "early" {
		return f.c.SendJSON(work.TypeFailure, work.Failure{Code: "redact.not-video", Detail: "the first bytes say enough"})
	}
	f.got = map[work.Type]int{}
	for t != work.TypeEnd {
		if t, b, err = f.c.Receive(); err != nil {
			return err
		}
		f.got[t] += len(b)
	}
	if f.job.Kind != work.KindSession {
		return f.c.SendJSON(work.TypeFailure, work.Failure{Code: "redact.not-video", Detail: fmt.Sprintf("kind %s mask %d model %d scene %d clip %d hash %v",
			f.job.Kind, f.got[work.TypeMask], f.got[work.TypeModel], f.got[work.TypeScene], f.got[work.TypeData], f.job.Detect.Hash)})
	}
	for {
		t, b, err := f.c.Receive()
		if err != nil {
			return err
		}
		var q work.Ask
		if err := json.Unmarshal(b, &q); err != nil || t != work.TypeAsk {
			return fmt.Errorf("%q: %w", byte(t), err)
		}
		if err := f.answer(q); err != nil {
			return err
		}
	}
}

// clipFrames is how many frames its clip has, at 25 a second.
const clipFrames = 50

// fakeMask shows a subject that is unsure for a while and then flagged.
func fakeMask(subjects int, veiled []subject.Rect) *mask.Mask {
	g := shape.For(320, 180)
	m := &mask.Mask{Grid: g, Cell: veil.DefaultCell(g.W, g.H), Subjects: subjects, Veiled: veiled}
	for i := range clipFrames {
		f := mask.Frame{At: footage.Ticks(i * 3600), Subjects: make([]mask.Seen, subjects)}
		for k := range f.Subjects {
			s := &f.Subjects[k]
			s.State, s.Confidence = mask.Shown, 90
			switch {
			case i < 10:
				s.State, s.Reason, s.Confidence = mask.Unsure, mask.ReasonOf("no-keyframe"), 0
			case i >= 40:
				s.Flags = mask.Crowded
			}
			if s.State == mask.Shown {
				s.Reason = mask.ReasonOf("tracked")
				s.Shape = g.Inside(subject.Rect{X: 0.1 + 0.01*float64(i), Y: 0.2, W: 0.1, H: 0.4})
			}
		}
		m.Frames = append(m.Frames, f)
	}
	return m
}

func fakeJPEG(w, h int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (f *fakeWorker) answer(q work.Ask) error {
	a := work.Answer{At: q.At, Frames: clipFrames, Length: 2, Walked: len(q.Subjects) * clipFrames}
	m := fakeMask(len(q.Subjects), q.Veiled)
	switch f.name {
	case "stuck":
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	case "slow":
		time.Sleep(300 * time.Millisecond) // work that takes its time
	case "unasked":
		if err := f.c.Send(work.TypeCopy, []byte("copy")); err != nil {
			return err
		}
	case "result":
		return f.c.SendJSON(work.TypeResult, work.Result{})
	case "no-json":
		return f.c.Send(work.TypeAnswer, []byte("{"))
	case "more-subjects":
		m = fakeMask(len(q.Subjects)+1, q.Veiled)
	case "less-veiled":
		m = fakeMask(len(q.Subjects), nil)
	case "other-mode":
		m.Mode = subject.StillScene
		m.Scene[0] = 1
	case "outside":
		a.People = []work.Person{{Kind: "person", Rect: subject.Rect{X: 0.9, W: 0.5, H: 1}}}
	case "kinds":
		a.People = []work.Person{{Kind: "<b>", Rect: subject.Rect{W: 0.5, H: 1}}}
	case "negative":
		a.Walked = -1
	case "dies":
		os.Exit(3)
	}
	if q.At == 1.5 {
		return f.c.SendJSON(work.TypeAnswer, work.Answer{Failure: &work.Failure{Code: "redact.not-video", Detail: "no such frame"}})
	}
	if err := f.c.SendJSON(work.TypeProgress, work.Progress{Stage: "track", Done: 1, Total: 2}); err != nil {
		return err
	}
	switch q.What {
	case work.AskTrack:
		if err := f.c.SendAll(work.TypeMask, m.Encode()); err != nil {
			return err
		}
	case work.AskPicture:
		b := fakeJPEG(q.Width, 90)
		switch f.name {
		case "no-jpeg":
			b = []byte("<svg/>")
		case "wide":
			b = fakeJPEG(9000, 10)
		}
		if err := f.c.Send(work.TypePreview, b); err != nil {
			return err
		}
		if f.name == "twice" {
			if err := f.c.Send(work.TypePreview, b); err != nil {
				return err
			}
		}
	case work.AskPeople:
		if f.job.Detect.On && len(a.People) == 0 {
			a.People = []work.Person{{Kind: "face", Rect: subject.Rect{X: 0.1, Y: 0.1, W: 0.002, H: 0.002}, Score: 0.5}}
		}
	}
	return f.c.SendJSON(work.TypeAnswer, a)
}
