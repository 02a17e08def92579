package track

import (
	"context"
	"errors"
	"fmt"

	"veilbox/redact/subject"
)

// An engine tracks one subject through one clip.
type engine struct {
	ctx      context.Context
	src      Source
	w, h     int
	progress func(done, total int)
	done     int // frames walked
	work     int // frames to walk
	total    int

	bg    background
	seen  seen // the frame that is looked at
	blobs blobs
}

// errSize is of a source whose planes differ.
var errSize = errors.New("track: the planes of the clip are not all of one size: decode it to one size")

func (e *engine) plane(i int) ([]byte, error) {
	p := e.src.Plane(i)
	if p.W != e.w || p.H != e.h || len(p.Pix) != e.w*e.h {
		return nil, fmt.Errorf("%w (frame %d: %dx%d, %d bytes)", errSize, i, p.W, p.H, len(p.Pix))
	}
	return p.Pix, nil
}

// A step is what one walk says of one frame.
type step struct {
	state  State
	box    box
	conf   float32
	reason string
}

func (e *engine) run(keys []key) ([]Region, error) {
	if err := e.bg.learn(e); err != nil {
		return nil, err
	}
	e.work = workOf(keys, e.total)
	out := make([]Region, e.total)
	first := keys[0]
	if first.rect == nil {
		for i := range first.frame {
			out[i] = Region{State: Unsure, Reason: ReasonNoKeyframe}
		}
	} else {
		steps, err := e.walk(first, -1, 0)
		if err != nil {
			return nil, err
		}
		e.put(out, steps, 0, first.frame)
	}
	for i, k := range keys {
		end := e.total
		var next *key
		if i+1 < len(keys) {
			next = &keys[i+1]
			end = next.frame
		}
		out[k.frame] = given(k)
		if err := e.between(out, k, next, k.frame+1, end); err != nil {
			return nil, err
		}
	}
	if e.progress != nil {
		e.progress(e.total, e.total)
	}
	return out, nil
}

func given(k key) Region {
	if k.rect == nil {
		return Region{State: Gone, Confidence: 1, Reason: ReasonGone}
	}
	return Region{State: Shown, Rect: *k.rect, Confidence: 1, Reason: ReasonGiven}
}

// between fills the frames from a keyframe until the next one, or the end.
func (e *engine) between(out []Region, k key, next *key, from, to int) error {
	if from >= to {
		return nil
	}
	if k.rect == nil {
		for i := from; i < to; i++ {
			out[i] = given(k)
		}
		return nil
	}
	fwd, err := e.walk(k, 1, to-1)
	if err != nil {
		return err
	}
	if next == nil || next.rect == nil {
		e.put(out, fwd, from, to)
		return nil
	}
	back, err := e.walk(*next, -1, from)
	if err != nil {
		return err
	}
	// A track that arrives somewhere else than the next keyframe has gone wrong
	// at a time that nobody knows.
	wrong := parted(fwd[len(fwd)-1], boxOf(*next.rect, e.w, e.h)) || parted(back[0], boxOf(*k.rect, e.w, e.h))
	for i := range fwd {
		fwd[i] = reconcile(fwd[i], back[i], wrong)
	}
	e.put(out, fwd, from, to)
	return nil
}

// parted reports whether a track's last step is sure of another place than b.
func parted(s step, b box) bool { return s.state == Shown && s.box.iou(b) < 0.1 }

// reconcile joins what the tracks from two keyframes say of a frame. Both must
// say it where one of them is known to be wrong somewhere.
func reconcile(a, b step, both bool) step {
	switch {
	case a.state != Shown && b.state != Shown:
		if b.conf > a.conf {
			return b
		}
		return a
	case both && (a.state != Shown || b.state != Shown):
		return step{state: Unsure, box: a.box, reason: ReasonJump}
	case a.state != Shown:
		return b
	case b.state != Shown:
		return a
	}
	if a.box.iou(b.box) < 0.3 {
		return step{state: Unsure, box: a.box, conf: min(a.conf, b.conf) / 2, reason: ReasonJump}
	}
	r := a
	if b.conf > a.conf {
		r = b
	}
	return r
}

// put writes steps, of the frames from until to, as regions.
func (e *engine) put(out []Region, steps []step, from, to int) {
	for i := from; i < to; i++ {
		s := steps[i-from]
		out[i] = Region{State: s.state, Rect: s.box.rect(e.w, e.h), Confidence: s.conf, Reason: s.reason}
		if out[i].Rect == (subject.Rect{}) && s.state == Shown {
			out[i].State = Unsure
		}
	}
}

// tick counts one frame of work, and returns the context's error.
func (e *engine) tick() error {
	e.done++
	if e.progress != nil && e.done%8 == 0 {
		e.progress(min(e.total, int(int64(e.done)*int64(e.total)/int64(max(1, e.work)))), e.total)
	}
	return e.ctx.Err()
}

// workOf returns how many frames are walked for keys: twice those between two
// rectangles.
func workOf(keys []key, total int) int {
	n := 0
	if keys[0].rect != nil {
		n = keys[0].frame
	}
	for i, k := range keys {
		if k.rect == nil {
			continue
		}
		if i+1 == len(keys) {
			n += total - 1 - k.frame
			continue
		}
		n += keys[i+1].frame - k.frame - 1
		if keys[i+1].rect != nil {
			n += keys[i+1].frame - k.frame - 1
		}
	}
	return n
}
