//go:build linux

package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"slices"
	"sort"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/detect"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
)

// A session is a clip that was decoded small and is kept, while a person looks
// at it and corrects the tracks.
type session struct {
	w *worker
	c *clip
	// loaded is closed when p, f and err are there.
	loaded chan struct{}
	p      *planes
	f      *follower
	err    error
	// of the last track
	subjects []subject.Subject
	veiled   []subject.Rect
	mask     *mask.Mask
	// of the pictures that are looked at for persons
	finder      *detect.Detector
	finderAsked bool
	frame       []byte
}

// session answers asks until the last one, or until nobody asks any more. Asks
// for pictures need no track and are answered while the clip is still decoded.
func (w *worker) session(ctx context.Context) error {
	c, err := w.clip(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	s := &session{w: w, c: c, loaded: make(chan struct{})}
	ctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); <-s.loaded }()
	go func() {
		defer close(s.loaded)
		if s.p, s.err = w.planes(ctx, c); s.err == nil {
			s.f, s.err = w.follower(ctx, s.p, c.info)
		}
	}()
	defer func() {
		if s.finder != nil {
			s.finder.Close()
		}
	}()
	for {
		t, body, err := w.c.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t != TypeAsk {
			return fmt.Errorf("work: a frame of type %q where an ask is", byte(t))
		}
		var q Ask
		if err := json.Unmarshal(body, &q); err != nil {
			return fmt.Errorf("work: ask: %w", err)
		}
		if q.What == AskEnd {
			return w.c.SendJSON(TypeResult, Result{Clip: c.sum, Sandbox: w.status, Notices: w.notices()})
		}
		a, err := s.answer(ctx, &q)
		if err != nil {
			a = &Answer{Failure: failureOf(err)}
		}
		if err := w.c.SendJSON(TypeAnswer, a); err != nil {
			return err
		}
	}
}

// failureOf returns err as the outside is told of it.
func failureOf(err error) *Failure {
	f := &Failure{Detail: err.Error()}
	var p *problem.Problem
	if errors.As(err, &p) {
		f.Code = p.Code
		if p.Err != nil {
			f.Detail = p.Err.Error()
		}
	}
	f.Detail = f.Detail[:min(len(f.Detail), 2000)]
	return f
}

func (s *session) answer(ctx context.Context, q *Ask) (*Answer, error) {
	if err := subject.CheckVeiled(q.Veiled); err != nil {
		return nil, BadSubject.With(err)
	}
	if !(q.At >= 0 && q.At <= subject.MaxAt) {
		return nil, BadSubject.With(fmt.Errorf("work: a frame at %g s", q.At))
	}
	switch q.What {
	case AskTrack:
		return s.track(ctx, q)
	case AskPicture:
		return s.picture(ctx, q)
	case AskPeople:
		return s.people(ctx, q)
	}
	return nil, fmt.Errorf("work: an ask for %q", q.What)
}

// track waits for the planes.
func (s *session) track(ctx context.Context, q *Ask) (*Answer, error) {
	if err := subject.CheckAll(q.Subjects); err != nil {
		return nil, BadSubject.With(err)
	}
	<-s.loaded
	if s.err != nil {
		return nil, s.err
	}
	before := s.f.t.Walked()
	m, err := s.f.mask(ctx, q.Subjects, q.Veiled)
	if err != nil {
		return nil, err
	}
	s.subjects, s.veiled, s.mask = q.Subjects, q.Veiled, m
	if err := s.w.c.SendAll(TypeMask, m.Encode()); err != nil {
		return nil, err
	}
	length := lengthOf(s.p.times, s.c.info.Rate)
	return &Answer{Walked: s.f.t.Walked() - before, Frames: len(m.Frames), Length: float64(length) / footage.TicksPerSecond}, nil
}

// picture sends the frame nearest to At, veiled but for what the last track of
// the same subjects shows there, or else the boxes that were drawn in it.
func (s *session) picture(ctx context.Context, q *Ask) (*Answer, error) {
	info := s.c.info
	width, height := small(info, q.Width)
	at, i := s.find(ctx, q.At, width, height)
	if i < -1 {
		return nil, codec.NotVideo.With(errors.New("work: no frame of it can be decoded"))
	}
	if !q.Plain {
		var shown shape.Shape
		g := shape.For(width, height)
		if i >= 0 && s.tracked(q) {
			for _, r := range s.mask.Shown(nil, i).Rects(nil) {
				shown = shape.Union(nil, shown, g.Inside(s.mask.Grid.Rect(r)))
			}
		} else {
			shown = boxes(g, q.Subjects, at)
		}
		if err := hideAll(s.frame, g, shown, q.Veiled, s.w.job.Veil); err != nil {
			return nil, fmt.Errorf("work: %w", err)
		}
	}
	jpg, err := sheet.Crop(s.frame, width, height, image.Rect(0, 0, width, height), max(width, height))
	if err != nil {
		return nil, err
	}
	if err := s.w.c.Send(TypePreview, jpg); err != nil {
		return nil, err
	}
	return &Answer{At: at}, nil
}

// tracked reports whether the last track was of what q asks.
func (s *session) tracked(q *Ask) bool {
	if s.mask == nil || len(q.Subjects) != len(s.subjects) || !slices.Equal(q.Veiled, s.veiled) {
		return false
	}
	for i, a := range q.Subjects {
		b := s.subjects[i]
		if !slices.EqualFunc(a.Keyframes, b.Keyframes, func(x, y subject.Keyframe) bool {
			return x.At == y.At && x.Gone == y.Gone && (x.Rect == nil) == (y.Rect == nil) && (x.Rect == nil || *x.Rect == *y.Rect)
		}) {
			return false
		}
	}
	return true
}

// find decodes the frame nearest to at seconds into s.frame, and returns its
// time and its number; -1 where that is not known yet, -2 where there is none.
func (s *session) find(ctx context.Context, at float64, width, height int) (float64, int) {
	s.frame = slices.Grow(s.frame[:0], codec.FrameSize(width, height))[:codec.FrameSize(width, height)]
	i, seek := -1, at
	select {
	case <-s.loaded:
		if s.err != nil {
			break
		}
		p := s.p
		t := footage.Ticks(at * footage.TicksPerSecond)
		i = sort.Search(len(p.times), func(i int) bool { return p.times[i] >= t })
		if i == len(p.times) || i > 0 && t-p.times[i-1] < p.times[i]-t {
			i--
		}
		at = float64(p.times[i]) / footage.TicksPerSecond
		// Sought from half way after the frame before, so that no rounding takes
		// the next one.
		from := p.times[i]
		if i > 0 {
			from = (p.times[i-1] + p.times[i]) / 2
		}
		seek = math.Max(0, float64(p.start+from)/footage.TicksPerSecond)
	default:
	}
	if err := s.w.frame(ctx, s.c, seek, width, height, s.frame); err != nil {
		return at, -2
	}
	return at, i
}

// people looks for persons and faces in the frame nearest to At.
func (s *session) people(ctx context.Context, q *Ask) (*Answer, error) {
	width, height := small(s.c.info, askWidth)
	if !s.finderAsked {
		s.finderAsked = true
		var err error
		if s.finder, err = s.w.detect(ctx, s.c.model, width, height, askDetail); err != nil {
			return nil, err
		}
	}
	at, i := s.find(ctx, q.At, width, height)
	if i < -1 {
		return nil, codec.NotVideo.With(errors.New("work: no frame of it can be decoded"))
	}
	a := &Answer{At: at, People: []Person{}}
	if s.finder == nil {
		return a, nil
	}
	boxes, err := s.finder.Frame(s.frame[:width*height])
	if err != nil {
		// The next ask starts another one.
		s.finder.Close()
		s.finder, s.finderAsked = nil, false
		return nil, detect.NoDetector.With(err)
	}
	a.People = found(boxes)
	return a, nil
}
