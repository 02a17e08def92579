package casework

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// A marker starts sessions that follow people by rule: a subject is shown where
// its last box is, and is unsure from 1.0 to 1.4 s unless a box is in there.
type marker struct {
	mu     sync.Mutex
	opened []*following
	// hold, where it is set, keeps the reading of clips and the tracking at work
	// until it is closed.
	hold chan struct{}
	bad  error
}

type following struct {
	m      *marker
	clip   int64
	read   chan struct{}
	done   chan struct{}
	once   sync.Once
	closed error
	asked  [][]subject.Subject
	veiled [][]subject.Rect
	ended  int // askings that were given up
}

func (m *marker) open(ctx context.Context, job redact.SessionJob, clip io.Reader) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bad != nil {
		return nil, m.bad
	}
	f := &following{m: m, read: make(chan struct{}), done: make(chan struct{})}
	m.opened = append(m.opened, f)
	hold := m.hold
	go func() {
		n, err := io.Copy(io.Discard, clip)
		if hold != nil {
			select {
			case <-hold:
			case <-ctx.Done():
			}
		}
		m.mu.Lock()
		f.clip = n
		m.mu.Unlock()
		if err != nil {
			f.end(err)
			return
		}
		close(f.read)
	}()
	go func() {
		<-ctx.Done()
		f.end(redact.ErrClosed)
	}()
	return f, nil
}

func (f *following) end(err error) {
	f.once.Do(func() {
		f.m.mu.Lock()
		f.closed = err
		f.m.mu.Unlock()
		close(f.done)
	})
}

func (f *following) Close()                { f.end(redact.ErrClosed) }
func (f *following) Read() <-chan struct{} { return f.read }
func (f *following) Done() <-chan struct{} { return f.done }
func (f *following) Detects() bool         { return true }
func (f *following) Err() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.closed
}

func (f *following) isDone() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *following) People(context.Context, float64) ([]redact.Person, error) {
	if f.isDone() {
		return nil, redact.ErrClosed
	}
	return []redact.Person{{Kind: "person", Rect: subject.Rect{X: 0.3, Y: 0.3, W: 0.2, H: 0.4}, Score: 0.9}}, nil
}

const followed = 50 // frames, 2 s

func (f *following) Track(ctx context.Context, all []subject.Subject, veiled []subject.Rect, progress func(redact.Progress)) (redact.Tracks, error) {
	f.m.mu.Lock()
	f.asked, f.veiled = append(f.asked, all), append(f.veiled, veiled)
	again, hold, bad := len(f.asked) > 1, f.m.hold, f.m.bad
	f.m.mu.Unlock()
	progress(redact.Progress{Stage: "track", Done: 10, Total: followed})
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			f.m.mu.Lock()
			f.ended++
			f.m.mu.Unlock()
			return redact.Tracks{}, ctx.Err()
		case <-f.done:
			return redact.Tracks{}, redact.ErrClosed
		}
	}
	if bad != nil {
		return redact.Tracks{}, bad
	}
	m := &mask.Mask{Grid: shape.For(320, 240), Cell: 32, Subjects: len(all), Veiled: veiled}
	for i := range followed {
		fr := mask.Frame{At: footage.Ticks(i) * footage.TicksPerSecond / 25}
		at := fr.At.Duration().Seconds()
		for _, s := range all {
			fr.Subjects = append(fr.Subjects, seenBy(m.Grid, s, at))
		}
		m.Frames = append(m.Frames, fr)
	}
	walked := followed
	if again {
		walked = 10
	}
	return redact.Tracks{Mask: m.Encode(), Length: 2, Frames: followed, Walked: walked, Took: 400 * time.Millisecond,
		Subjects: redact.TracksOf(m, 2*footage.TicksPerSecond)}, nil
}

func seenBy(g shape.Grid, s subject.Subject, at float64) mask.Seen {
	helped := false
	r := s.Keyframes[0].Rect
	for _, k := range s.Keyframes {
		helped = helped || k.At >= 1 && k.At < 1.4
		if k.At <= at {
			r = k.Rect
		}
	}
	switch {
	case r == nil:
		return mask.Seen{State: mask.Gone, Reason: mask.ReasonOf("gone")}
	case at >= 1 && at < 1.4 && !helped:
		return mask.Seen{State: mask.Unsure, Reason: mask.ReasonOf("lost")}
	}
	return mask.Seen{State: mask.Shown, Reason: mask.ReasonOf("tracked"), Confidence: 90, Shape: g.Inside(*r)}
}

// marked opens the marking of a new case and follows somebody.
func (b *box) marked() CaseView {
	b.t.Helper()
	v := b.newCase()
	b.follow(v, somebody())
	return v
}

// follow opens the marking, asks and waits for the answer.
func (b *box) follow(v CaseView, all ...subject.Subject) MarkingView {
	b.t.Helper()
	if _, err := b.OpenMarking(b.t.Context(), b.people["staff"], v.ID); err != nil {
		b.t.Fatal(err)
	}
	b.marking(v, markingReady)
	m, err := b.Follow(b.t.Context(), b.people["staff"], v.ID, all)
	if err != nil {
		b.t.Fatal(err)
	}
	run := m.Run
	m = b.marking(v, markingReady)
	if m.Run != run || m.Tracks == nil {
		b.t.Fatalf("run %d, asked for %d: %+v", m.Run, run, m)
	}
	return m
}

// marking waits until the marking of a case is in a state.
func (b *box) marking(v CaseView, state string) MarkingView {
	b.t.Helper()
	var m MarkingView
	b.until(func() bool {
		var err error
		if m, err = b.Marking(b.t.Context(), b.people["staff"], v.ID); err != nil {
			b.t.Fatal(err)
		}
		return m.State == state
	}, func() string { return "the marking is " + m.State + " and not " + state })
	return m
}

var errNothing = errors.New("nothing to be had")

// heard makes a case of a recording with sound that waits for the assessor.
func (b *box) heard() CaseView {
	b.t.Helper()
	var parts []*footage.Part
	for _, p := range recording(b.t)[seconds:] {
		q := *p
		parts = append(parts, &q)
	}
	mp4test.AddSound(b.t, parts, footage.AAC)
	for _, p := range parts {
		if err := b.opt.Ring.Append(b.t.Context(), p); err != nil {
			b.t.Fatal(err)
		}
	}
	n := theft()
	n.From, n.To = recorded.Add(seconds*time.Second), recorded.Add((seconds+2)*time.Second)
	v, err := b.NewCase(b.t.Context(), b.people["staff"], n)
	v = b.veiled(b.answer(b.must(v, err), evidence()))
	v, err = b.Submit(b.t.Context(), b.people["staff"], v.ID, v.Version)
	return b.must(v, err)
}

// trained makes a case whose copy is for training.
func (b *box) trained() CaseView {
	b.t.Helper()
	v := b.newCase()
	stop := b.work()
	defer stop()
	v, err := b.Redact(b.t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Choice: subject.Choice{Mode: subject.BlurEverything}})
	b.must(v, err)
	return b.await(v.ID, incident.Redacted)
}

// veil sets what is always veiled of the camera.
func (b *box) veil(all ...subject.Rect) {
	b.t.Helper()
	if _, err := b.SetVeiled(b.t.Context(), b.people["manager"], till, VeiledChange{Veiled: all}); err != nil {
		b.t.Fatal(err)
	}
}
