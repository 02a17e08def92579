//go:build linux

package redact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

// A SessionJob is the clip of a Session.
type SessionJob struct {
	Clip   footage.ClipHash // checked where it is set
	Detect bool             // persons and faces are looked for, as Worker.Detect says
}

// A Person is what a detector found: Kind is "person" or "face", Score from 0
// to 1 and of a meaning within one detector only.
type Person = work.Person

// ErrClosed is the error of a Session that was closed.
var ErrClosed = errors.New("redact: the session is closed")

// A Session is a veil-redact that has a clip in memory, decoded small, and
// answers: what the track of some subjects is, how a frame looks, who is in it.
// It may be used by several goroutines; their asks are answered one by one. An
// ask that fails does not end it, and one that its caller gives up is answered
// to nobody before the next.
type Session struct {
	w    *Worker
	r    *running
	to   *work.Conn
	look *look
	ctx  context.Context // its cause says why the session ended
	end  context.CancelCauseFunc
	turn chan struct{} // full while an ask is being answered
	fed  chan struct{} // closed when the clip was read
	done chan struct{} // closed when process and goroutines are gone

	mu  sync.Mutex
	ask *ask // that has the turn
}

// An ask is one question under way.
type ask struct {
	what     string
	progress func(Progress)
	mask     []byte
	jpeg     []byte
	answer   work.Answer
	given    chan struct{} // closed when answer is there
	left     bool          // nobody waits any more
	sent     bool
}

// Open starts a Session and returns while the clip is still being read, which
// goes on until its end, or until the session ends; Read says when. Reading clip
// must end when ctx does. The session lives until Close, until ctx ends, or for
// Limits.Time.
func (w *Worker) Open(ctx context.Context, job SessionJob, clip io.Reader) (*Session, error) {
	l := w.Limits.defaults()
	look, err := w.detector(job.Detect)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, l.Time, TimedOut)
	s := &Session{w: w, look: look, turn: make(chan struct{}, 1), fed: make(chan struct{}), done: make(chan struct{})}
	s.ctx, s.end = context.WithCancelCause(limited)
	if s.r, err = w.start(s.ctx, l, look); err != nil {
		s.end(err)
		cancel()
		look.close()
		return nil, err
	}
	s.to = &work.Conn{W: s.r.in}
	f := feed{job: w.job(work.KindSession, l), look: look, input: clip}
	f.job.Clip = job.Clip
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		s.end(s.receive())
	}()
	go func() {
		defer close(s.fed)
		err := f.send(s.ctx, s.to)
		look.close()
		var told *problem.Problem
		sum := footage.ClipHash{Hash: f.sent}
		switch {
		case errors.Is(err, errInput), errors.As(err, &told):
			s.end(err)
		case err == nil && !job.Clip.IsZero() && sum != job.Clip:
			s.end(WrongClip.With(fmt.Errorf("redact: the clip is %s, the session's %s", sum, job.Clip)))
		}
		// Any other: the worker has said why, or has died.
	}()
	go func() {
		defer close(s.done)
		defer cancel()
		<-s.ctx.Done()
		s.r.p.Kill()
		werr := s.r.p.Wait()
		s.r.in.Close()  // frees who writes to it
		s.r.out.Close() // and who reads
		<-answers
		<-s.fed
		s.told(werr)
	}()
	return s, nil
}

// told logs why a session ended that nobody closed.
func (s *Session) told(werr error) {
	if err := s.cause(); errors.Is(err, Crashed) {
		s.w.note("session broke down", "cause", err, "process", errors.Join(werr), "said", string(s.r.said.b))
	}
}

// cause returns why the session ended, nil while it goes on.
func (s *Session) cause() error {
	if s.ctx.Err() == nil {
		return nil
	}
	err := context.Cause(s.ctx)
	var told *problem.Problem
	if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errInput) || errors.As(err, &told) {
		return err
	}
	return Crashed.With(err)
}

// Close ends the session. When it returns, its process is gone and the clip is
// no longer read. It may be called more than once.
func (s *Session) Close() {
	s.end(ErrClosed)
	<-s.done
}

// Done is closed when the session has ended, by whatever.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Err returns why the session ended, nil while it goes on.
func (s *Session) Err() error { return s.cause() }

// Read is closed when the clip is no longer read.
func (s *Session) Read() <-chan struct{} { return s.fed }

// Detects reports whether somebody looks for persons: false where it was not
// asked for and where there is no veil-detect.
func (s *Session) Detects() bool { return s.look.path() != "" }

// Track follows subjects through the clip. What was walked before with the same
// keyframes is not walked again.
func (s *Session) Track(ctx context.Context, subjects []subject.Subject, veiled []subject.Rect, progress func(Progress)) (Tracks, error) {
	j := Job{Subjects: subjects, Veiled: veiled}
	if err := j.check(); err != nil {
		return Tracks{}, err
	}
	clk := clock.System{}
	from := clk.Now()
	a := &ask{what: work.AskTrack, progress: progress}
	if err := s.put(ctx, a, work.Ask{Subjects: subjects, Veiled: veiled}); err != nil {
		return Tracks{}, err
	}
	m, err := mask.Decode(a.mask)
	if err == nil {
		err = j.asked(m)
	}
	if err != nil {
		return Tracks{}, s.broken(err)
	}
	end := footage.Ticks(a.answer.Length * footage.TicksPerSecond)
	if last := m.Frames[len(m.Frames)-1].At; end <= last {
		end = last + 1
	}
	return Tracks{Mask: a.mask, Length: a.answer.Length, Frames: len(m.Frames), Walked: a.answer.Walked,
		Took: clk.Now().Sub(from), Subjects: TracksOf(m, end)}, nil
}

// Picture returns the frame nearest to at, in seconds, as a JPEG of at most
// width pixels, and its time. Where plain is not set it is veiled but for what
// the last Track of the same subjects and regions shows.
func (s *Session) Picture(ctx context.Context, at float64, width int, plain bool, subjects []subject.Subject, veiled []subject.Rect) (jpeg []byte, is float64, err error) {
	if err := checkAt(at); err != nil {
		return nil, 0, err
	}
	if err := subject.CheckVeiled(veiled); err != nil {
		return nil, 0, BadChoice.With(err)
	}
	if len(subjects) > 0 {
		if err := subject.CheckAll(subjects); err != nil {
			return nil, 0, work.BadSubject.With(err)
		}
	}
	l := s.w.Limits.defaults()
	a := &ask{what: work.AskPicture}
	width = max(16, min(width, l.Width))
	if err := s.put(ctx, a, work.Ask{At: at, Width: width, Plain: plain, Subjects: subjects, Veiled: veiled}); err != nil {
		return nil, 0, err
	}
	// A tall picture is bound by its width alone.
	if err := isJPEG(a.jpeg, max(width, l.Height, l.Width)); err != nil {
		return nil, 0, s.broken(err)
	}
	return a.jpeg, a.answer.At, nil
}

// People returns who is in the frame nearest to at, in seconds. Nobody: nobody
// was found, or Detects says that nobody looks.
func (s *Session) People(ctx context.Context, at float64) ([]Person, error) {
	if err := checkAt(at); err != nil {
		return nil, err
	}
	a := &ask{what: work.AskPeople}
	if err := s.put(ctx, a, work.Ask{At: at}); err != nil {
		return nil, err
	}
	return slices.Clone(a.answer.People), nil
}

func checkAt(at float64) error {
	if at >= 0 && at <= subject.MaxAt {
		return nil
	}
	return BadChoice.With(fmt.Errorf("redact: a time of %g: give seconds from the start of the clip, 0 to %g", at, subject.MaxAt))
}

// broken ends a session whose process talks nonsense.
func (s *Session) broken(err error) error {
	err = Crashed.With(err)
	s.end(err)
	return err
}

// put waits for its turn, asks, and waits for the answer.
func (s *Session) put(ctx context.Context, a *ask, q work.Ask) error {
	a.given = make(chan struct{})
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ctx.Done():
		return s.cause()
	}
	s.mu.Lock()
	s.ask = a
	s.mu.Unlock()
	select {
	case <-s.fed:
	case <-ctx.Done():
		return s.leave(ctx, a)
	case <-s.ctx.Done():
		return s.cause()
	}
	q.What = a.what
	s.mu.Lock()
	a.sent = true
	s.mu.Unlock()
	if err := s.to.SendJSON(work.TypeAsk, q); err != nil {
		// A pipe that breaks: the worker says why, or has died.
		<-s.ctx.Done()
		return s.cause()
	}
	select {
	case <-a.given:
		<-s.turn
		if f := a.answer.Failure; f != nil {
			return failed(*f)
		}
		return nil
	case <-ctx.Done():
		return s.leave(ctx, a)
	case <-s.ctx.Done():
		return s.cause()
	}
}

// leave gives an ask up. One that was sent keeps its turn until its answer.
func (s *Session) leave(ctx context.Context, a *ask) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.left = true
	if s.ask != a || !a.sent {
		s.ask = nil
		<-s.turn
	}
	return context.Cause(ctx)
}

// receive reads what the worker says until it ends.
func (s *Session) receive() error {
	c := &work.Conn{R: s.r.out}
	for {
		t, b, err := c.Receive()
		if err != nil {
			return err
		}
		if t == work.TypeFailure {
			return failure(b)
		}
		if err := s.take(t, b); err != nil {
			return err
		}
	}
}

func (s *Session) take(t work.Type, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ask
	if t == work.TypeProgress {
		p, err := progressOf(b)
		if err == nil && a != nil && !a.left && a.progress != nil {
			a.progress(p)
		}
		return err
	}
	if a == nil || !a.sent {
		return fmt.Errorf("redact: a frame of type %q that nobody asked for", byte(t))
	}
	switch {
	case t == work.TypeMask && a.what == work.AskTrack && len(a.mask)+len(b) <= mask.MaxSize:
		a.mask = append(a.mask, b...)
	case t == work.TypePreview && a.what == work.AskPicture && a.jpeg == nil:
		a.jpeg = bytes.Clone(b)
	case t == work.TypeAnswer:
		if err := json.Unmarshal(b, &a.answer); err != nil {
			return fmt.Errorf("redact: answer: %w", err)
		}
		if err := checkAnswer(&a.answer); err != nil {
			return err
		}
		s.ask = nil
		close(a.given)
		if a.left {
			<-s.turn
		}
	default:
		return fmt.Errorf("redact: a frame of type %q and %d bytes for the ask %q", byte(t), len(b), a.what)
	}
	return nil
}

// maxPeople is how many a detector finds in a frame.
const maxPeople = 256

func checkAnswer(a *work.Answer) error {
	if a.Walked < 0 || a.Frames < 0 || a.Frames > mask.MaxFrames || !(a.Length >= 0 && a.Length <= subject.MaxAt) || !(a.At >= 0 && a.At <= subject.MaxAt) || len(a.People) > maxPeople {
		return errors.New("redact: an answer out of its bounds")
	}
	for _, p := range a.People {
		r := p.Rect
		for _, v := range []float64{r.X, r.Y, r.W, r.H, r.X + r.W, r.Y + r.H, float64(p.Score)} {
			if math.IsNaN(v) || v < 0 || v > 1.001 {
				return errors.New("redact: a person outside the frame")
			}
		}
		if p.Kind != "person" && p.Kind != "face" {
			return errors.New("redact: a person of an unknown kind")
		}
	}
	return nil
}
