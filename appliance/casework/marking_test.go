package casework

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/redact"
	"veilbox/redact/subject"
)

func at(x float64, keyframes ...float64) subject.Subject {
	s := subject.Subject{Version: 1}
	for _, k := range keyframes {
		s.Keyframes = append(s.Keyframes, subject.Keyframe{At: k, Rect: &subject.Rect{X: x, Y: 0.3, W: 0.2, H: 0.4}})
	}
	return s
}

// whats are the stretches of a track, in words.
func whats(t redact.Track) []string {
	var out []string
	for _, s := range t.Spans {
		out = append(out, s.What)
	}
	return out
}

func TestMarking(t *testing.T) {
	b := newBox(t)
	b.mark.hold = make(chan struct{})
	v := b.newCase()
	if m := b.marking(v, markingClosed); m.Tracks != nil || m.Detects {
		t.Errorf("before it is opened: %+v", m)
	}
	m, err := b.OpenMarking(t.Context(), b.people["staff"], v.ID)
	if err != nil || m.State != markingOpening || m.Progress == nil || !m.Progress.Running || m.Progress.Total == 0 {
		t.Fatalf("%+v %v", m, err)
	}
	close(b.mark.hold)
	if m := b.marking(v, markingReady); !m.Detects {
		t.Error("a box that detects does not say so")
	}
	first, second := at(0.2, 0.5), at(0.6, 0.5)
	m = b.follow(v, first, second)
	if len(m.Tracks.Subjects) != 2 || !slices.Equal(whats(m.Tracks.Subjects[0]), []string{"shown", "unsure", "shown"}) || m.Tracks.Length != 2 || m.Tracks.Walked != followed {
		t.Fatalf("%+v", m.Tracks)
	}
	if doubt := m.Tracks.Subjects[1].Spans[1]; doubt.From != 1 || doubt.To != 1.4 || !slices.Equal(doubt.Reasons, []string{"lost"}) {
		t.Errorf("%+v", doubt)
	}
	// One more box in the doubt, and only that is followed again.
	first = at(0.2, 0.5, 1.2)
	m = b.follow(v, first, second)
	if !slices.Equal(whats(m.Tracks.Subjects[0]), []string{"shown"}) || !slices.Contains(whats(m.Tracks.Subjects[1]), "unsure") || m.Tracks.Walked != 10 {
		t.Errorf("%+v", m.Tracks)
	}
	if len(b.mark.opened) != 1 || b.count("case.mark") != 1 {
		t.Errorf("%d sessions, %d on record", len(b.mark.opened), b.count("case.mark"))
	}
	s, err := b.Shapes(t.Context(), b.people["staff"], v.ID, 0.5, 1.5)
	if err != nil || s.Run != m.Run || len(s.Frames) != 25 || len(s.Frames[0].Subjects) != 2 || s.Width != 320 {
		t.Fatalf("%+v %v", s, err)
	}
	for _, f := range s.Frames {
		if doubt := f.At >= 1 && f.At < 1.4; len(f.Subjects[0])%3 != 0 || len(f.Subjects[0]) == 0 || (len(f.Subjects[1]) == 0) != doubt {
			t.Errorf("at %g s: %v", f.At, f.Subjects)
		}
	}
	for _, span := range [][2]float64{{0, 21}, {2, 1}, {-1, 1}} {
		_, err := b.Shapes(t.Context(), b.people["staff"], v.ID, span[0], span[1])
		refused(t, err, "shapes.span")
	}
	if all, err := b.PeopleAt(t.Context(), b.people["staff"], v.ID, 0.5); err != nil || len(all) != 1 || all[0].Kind != "person" {
		t.Errorf("%v %v", all, err)
	}
	_, err = b.Follow(t.Context(), b.people["staff"], v.ID, nil)
	refused(t, err, "subject.bad")
	if err := b.CloseMarking(t.Context(), b.people["staff"], v.ID); err != nil {
		t.Fatal(err)
	}
	b.until(b.mark.opened[0].isDone, func() string { return "the session goes on after it was closed" })
	_, err = b.Follow(t.Context(), b.people["staff"], v.ID, []subject.Subject{first})
	refused(t, err, "marking.closed")
	_, err = b.PeopleAt(t.Context(), b.people["staff"], v.ID, 0.5)
	refused(t, err, "marking.closed")
	_, err = b.Shapes(t.Context(), b.people["staff"], v.ID, 0, 1)
	refused(t, err, "marking.closed")
}

// A newer asking takes the place of the one at work.
func TestMarkingAsksAnew(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	b.follow(v, at(0.2, 0.5))
	b.mark.mu.Lock()
	b.mark.hold = make(chan struct{})
	b.mark.mu.Unlock()
	if _, err := b.Follow(t.Context(), b.people["staff"], v.ID, []subject.Subject{at(0.3, 0.5)}); err != nil {
		t.Fatal(err)
	}
	m := b.marking(v, markingTracking)
	b.until(func() bool { m = b.marking(v, markingTracking); return m.Progress.Total == followed }, func() string { return "no progress" })
	if m.Tracks != nil {
		t.Error("what was followed before is told while the new is at work")
	}
	if _, err := b.Follow(t.Context(), b.people["staff"], v.ID, []subject.Subject{at(0.4, 0.5), at(0.6, 0.5)}); err != nil {
		t.Fatal(err)
	}
	b.until(func() bool { b.mark.mu.Lock(); defer b.mark.mu.Unlock(); return b.mark.opened[0].ended == 1 }, func() string { return "the first was not given up" })
	close(b.mark.hold)
	if m := b.marking(v, markingReady); m.Run != 3 || len(m.Tracks.Subjects) != 2 {
		t.Errorf("run %d: %+v", m.Run, m.Tracks)
	}
}

func TestMarkingIsBounded(t *testing.T) {
	b := newBox(t)
	var cases []CaseView
	for range 3 {
		cases = append(cases, b.newCase())
	}
	open := func(v CaseView) error {
		_, err := b.OpenMarking(t.Context(), b.people["staff"], v.ID)
		return err
	}
	for _, v := range cases[:2] {
		if err := open(v); err != nil {
			t.Fatal(err)
		}
		b.marking(v, markingReady)
	}
	refused(t, open(cases[2]), "marking.busy")
	// The one that nobody has used for a minute makes room.
	b.clock.Advance(markingSteal - time.Second)
	b.marking(cases[1], markingReady)
	refused(t, open(cases[2]), "marking.busy")
	b.clock.Advance(time.Second)
	if err := open(cases[2]); err != nil {
		t.Fatal(err)
	}
	b.until(b.mark.opened[0].isDone, func() string { return "the session that made room goes on" })
	if m := b.marking(cases[0], markingClosed); m.Problem != nil {
		t.Errorf("%+v", m)
	}
	if b.mark.opened[1].isDone() {
		t.Error("the one in use was closed")
	}
	// Five idle minutes close all.
	b.marking(cases[2], markingReady)
	b.clock.Advance(markingIdle - time.Second)
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.mark.opened[2].isDone() {
		t.Error("closed before its five minutes")
	}
	b.clock.Advance(time.Second)
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.until(func() bool { return b.mark.opened[1].isDone() && b.mark.opened[2].isDone() }, func() string { return "idle sessions go on" })
}

func TestMarkingThatFails(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	b.follow(v, at(0.2, 0.5))
	b.mark.opened[0].end(redact.Crashed)
	m := b.marking(v, markingFailed)
	if m.Problem == nil || m.Problem.Code != redact.Crashed.Code {
		t.Errorf("%+v", m.Problem)
	}
	b.marking(v, markingClosed) // told once
	if m := b.follow(v, at(0.2, 0.5)); len(m.Tracks.Subjects) != 1 {
		t.Errorf("opened again: %+v", m)
	}
	b.mark.mu.Lock()
	b.mark.bad = redact.NoWorker
	b.mark.mu.Unlock()
	w := b.newCase()
	_, err := b.OpenMarking(t.Context(), b.people["staff"], w.ID)
	refused(t, err, redact.NoWorker.Code)
	b.Service.o.Mark = nil
	_, err = b.OpenMarking(t.Context(), b.people["staff"], w.ID)
	refused(t, err, "marking.off")
}

// What was followed on the page is what the copy is made of, where it is of the
// same people and regions; else it is followed anew.
func TestTheCopyIsMadeOfWhatWasFollowed(t *testing.T) {
	for name, tt := range map[string]struct {
		asked  []subject.Subject
		before func(b *box)
		known  bool
	}{
		"the same":       {[]subject.Subject{somebody()}, nil, true},
		"another box":    {[]subject.Subject{at(0.5, 0.5)}, nil, false},
		"regions change": {[]subject.Subject{somebody()}, func(b *box) { b.veil(subject.Rect{X: 0.8, Y: 0.8, W: 0.1, H: 0.1}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := b.marked()
			if tt.before != nil {
				tt.before(b)
			}
			b.red.instead = errNothing
			b.work()
			v, err := b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: tt.asked})
			b.must(v, err)
			b.until(b.mark.opened[0].isDone, func() string { return "the session goes on beside the copy" })
			b.await(v.ID, incident.Draft)
			b.red.mu.Lock()
			defer b.red.mu.Unlock()
			if job := b.red.job; (job.Known != nil) != tt.known || len(job.Subjects) != 1 || job.Clip != v.Clip.Hash {
				t.Errorf("the job: %d bytes known, %+v", len(job.Known), job.Subjects)
			}
		})
	}
}

// A mask that does not fit is dropped, and the people are followed anew.
func TestAMaskThatDoesNotFitIsDropped(t *testing.T) {
	b := newBox(t)
	v := b.marked()
	calls := 0
	b.red.fail = func(job redact.Job) error {
		if calls++; job.Known != nil {
			return redact.BadChoice.With(errors.New("another clip"))
		}
		return nil
	}
	b.work()
	v, err := b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{somebody()}})
	b.must(v, err)
	b.await(v.ID, incident.Redacted)
	if calls != 2 {
		t.Errorf("%d tries", calls)
	}
}

func TestSessionsEndWithTheBox(t *testing.T) {
	b := newBox(t)
	v := b.marked()
	b.markings.clear(b.clock.Now(), true)
	b.until(b.mark.opened[0].isDone, func() string { return "the session outlives the box" })
	b.marking(v, markingClosed)
}

// The page's session and the copy are the real ones: what was followed is what
// the copy is made of, and nothing more is shown.
func TestARealSession(t *testing.T) {
	b := newBox(t)
	w := &redact.Worker{Path: program}
	b.Service.o.Mark = func(ctx context.Context, job redact.SessionJob, clip io.Reader) (Session, error) {
		return w.Open(ctx, job, clip)
	}
	v := b.newCase()
	m := b.follow(v, somebody())
	if len(m.Tracks.Subjects) != 1 || m.Tracks.Frames < 45 || m.Tracks.Length < 1.9 || m.Detects {
		t.Fatalf("%+v", m.Tracks)
	}
	s, err := b.Shapes(t.Context(), b.people["staff"], v.ID, 0, 3)
	if err != nil || len(s.Frames) != m.Tracks.Frames || s.Width != 320 {
		t.Fatalf("%d frames of %d, %v", len(s.Frames), m.Tracks.Frames, err)
	}
	var job redact.Job
	b.red.fail = func(j redact.Job) error { job = j; return nil }
	v = b.veiled(v)
	if job.Known == nil {
		t.Error("what was followed is not what the copy is made of")
	}
	if v.Copy.Subjects != 1 || !v.Copy.Passed {
		t.Errorf("%+v", v.Copy)
	}
}
