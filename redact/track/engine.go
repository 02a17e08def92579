package track

import (
	"context"
	"errors"
	"fmt"

	"veilbox/redact/shape"
)

// An engine walks through one clip.
type engine struct {
	ctx      context.Context
	src      Source
	w, h     int
	total    int
	progress func(done, total int)
	done     int // frames walked in this call
	work     int // frames to walk in it, at most

	bg      background
	seen    seen // the frame that is looked at
	blobs   blobs
	outline outline
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

// begin makes e ready for a call.
func (e *engine) begin(ctx context.Context, progress func(done, total int), work int) {
	e.ctx, e.progress, e.done, e.work = ctx, progress, 0, work
}

// tick counts one frame of work, and returns the context's error.
func (e *engine) tick() error {
	e.done++
	if e.progress != nil && e.done%8 == 0 {
		e.progress(min(e.total, int(int64(e.done)*int64(e.total)/int64(max(1, e.work)))), e.total)
	}
	return e.ctx.Err()
}

// A step is what one walk says of one frame.
type step struct {
	state  State
	box    box
	conf   float32
	reason string
	shape  shape.Shape
	flags  Flags
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
	r.flags = a.flags | b.flags
	return r
}
