package track

import (
	"math"

	"veilbox/redact/subject"
)

// partTime is how long before the moment at which two tracks have parted they
// may have been on different people.
const partTime = 0.5 // seconds

// An origin is where a walk begins and which way it goes.
type origin struct {
	frame int
	rect  subject.Rect
	dir   int
}

// A walk is what following the subject from one keyframe one way has said so
// far. Nothing in it depends on how far it is needed: it is cut, or gone on
// with, as keyframes come and go.
type walk struct {
	origin
	given step   // of the keyframe itself
	steps []step // of the frames after it, in the order walked

	w     *walker // to go on with; nil after a loss
	check check
	lost  string // why nothing is known after the steps
	// A verdict was reached in frame badAt (-1: none): the track may be wrong
	// since badWas, and is since wrongWas.
	badAt, badWas, wrongWas int

	used int // call in which it was asked for last
}

// from returns the walk from k in direction dir, far enough for frame until.
func (t *Tracker) from(k key, dir, until int) (*walk, error) {
	o := origin{k.frame, *k.rect, dir}
	r := t.walks[o]
	if r == nil {
		w, err := t.e.startWalk(k.frame, boxOf(*k.rect, t.e.w, t.e.h), true)
		if err != nil {
			return nil, err
		}
		r = &walk{origin: o, w: w, given: t.e.given(w, boxOf(*k.rect, t.e.w, t.e.h)), badAt: -1}
		r.check = check{e: t.e, dir: dir, frame: k.frame, box: w.at}
		t.walks[o] = r
	}
	r.used = t.call
	return r, t.goOn(r, until)
}

// goOn walks until a frame, or until the subject is lost.
func (t *Tracker) goOn(r *walk, until int) error {
	for r.w != nil && len(r.steps) < (until-r.frame)*r.dir {
		if err := t.e.tick(); err != nil {
			return err
		}
		t.walked++
		f := r.frame + (len(r.steps)+1)*r.dir
		s, err := r.w.next(f, r.dir)
		if err != nil {
			delete(t.walks, r.origin)
			return err
		}
		r.steps = append(r.steps, s)
		v := verdictNone
		if r.w.lost == "" {
			if v, err = r.check.step(f, r.w, r.past); err != nil {
				delete(t.walks, r.origin)
				return err
			}
		}
		switch {
		case v != verdictNone:
			r.badAt, r.badWas, r.lost, r.w = f, r.check.frame, ReasonLost, nil
			r.wrongWas = f
			if v == verdictWrong {
				r.wrongWas = t.e.before(r.check.parted, r.dir, partTime)
			}
		case r.w.lost != "":
			r.lost, r.w = r.w.lost, nil
		}
	}
	return nil
}

// before returns the frame that lies some seconds before one, as a walk in
// direction dir goes.
func (e *engine) before(frame, dir int, seconds float64) int {
	at := e.src.Time(frame)
	for frame-dir >= 0 && frame-dir < e.total && math.Abs(e.src.Time(frame)-at) < seconds {
		frame -= dir
	}
	return frame
}

// missing returns how many frames a walk from k to until would walk now, at
// most.
func (t *Tracker) missing(k key, dir, until int) int {
	n := (until - k.frame) * dir
	if r := t.walks[origin{k.frame, *k.rect, dir}]; r != nil {
		if r.w == nil {
			return 0
		}
		n -= len(r.steps)
	}
	return max(0, n)
}

// past returns what the walk said of a frame, nil before its beginning.
func (r *walk) past(frame int) *step {
	if i := (frame - r.frame) * r.dir; i > 0 && i <= len(r.steps) {
		return &r.steps[i-1]
	}
	return nil
}

// at returns what a walk that ends in frame until says of a frame.
func (r *walk) at(frame, until int) step {
	p := r.past(frame)
	if p == nil {
		return step{state: Unsure, reason: r.lost}
	}
	s := *p
	if r.badAt < 0 || (until-r.badAt)*r.dir < 0 || (frame-r.badWas)*r.dir <= 0 {
		return s
	}
	if (frame-r.wrongWas)*r.dir > 0 {
		return step{state: Unsure, box: s.box, reason: ReasonJump, conf: s.conf / 2}
	}
	s.conf /= 2
	if s.state == Shown {
		s.flags |= FlagLow
	}
	return s
}
