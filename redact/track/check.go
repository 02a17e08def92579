package track

import "math"

// When a track is checked.
const (
	aloneTime   = 0.4 // seconds alone after a crowd
	uncheckTime = 3.0 // seconds without having been alone
)

// A check follows a track against time. What has been followed from frame is
// the same person as at frame only if a walk that starts anew where the track
// is now, and knows nothing of the past, comes back to the box there. Otherwise
// the track has gone over to somebody else on the way.
type check struct {
	e     *engine
	dir   int
	frame int // up to here the track is right
	box   box // the subject's then

	crowd bool    // it has not been alone all the time since
	alone float64 // seconds
}

// step takes the frame that w has reached, and reports whether the track from
// c.frame to it is wrong.
func (c *check) step(frame int, w *walker) (bad bool, err error) {
	t := c.e.src.Time
	if !w.free {
		c.crowd, c.alone = true, 0
	} else {
		c.alone += math.Abs(t(frame) - t(frame-c.dir))
	}
	switch {
	case !c.crowd:
		c.frame, c.box = frame, w.at
		return false, nil
	case c.alone >= aloneTime:
	case w.low == 0 && math.Abs(t(frame)-t(c.frame)) >= uncheckTime:
	default:
		return false, nil
	}
	back, err := c.e.startWalk(frame, w.at)
	if err != nil {
		return false, err
	}
	for f := frame - c.dir; f != c.frame-c.dir; f -= c.dir {
		if _, err := back.next(f, -c.dir); err != nil {
			return false, err
		}
	}
	if back.lost != "" || back.at.iou(c.box) < 0.25 {
		return true, nil
	}
	c.frame, c.box, c.crowd, c.alone = frame, w.at, !w.free, 0
	return false, nil
}
