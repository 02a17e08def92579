package track

import "math"

// When a track is checked.
const (
	aloneTime   = 0.4 // seconds alone after a crowd
	uncheckTime = 3.0 // seconds without having been alone
	checkDrop   = 1.5 // seconds that a walk against time may be unsure
	maxTries    = 4
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
	tries int     // that said nothing
}

// step takes the frame that w has reached, and reports whether the track from
// c.frame to it is wrong, or could not be shown to be right in several tries.
// at gives what the track says of a frame, nil before its beginning.
func (c *check) step(frame int, w *walker, at func(int) *step) (bad bool, err error) {
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
	sure, bad, err := c.back(frame, w.at, at)
	if err != nil || bad {
		return bad, err
	}
	if !sure {
		c.tries++
		c.alone = 0
		return c.tries >= maxTries, nil
	}
	c.frame, c.box, c.crowd, c.alone, c.tries = frame, w.at, !w.free, 0, 0
	return false, nil
}

// back walks from b in frame back to c.frame. It reports whether it arrived
// where the track was, or parted from it; neither, if it was lost on the way.
func (c *check) back(frame int, b box, at func(int) *step) (sure, bad bool, err error) {
	w, err := c.e.startWalk(frame, b)
	if err != nil {
		return false, false, err
	}
	w.patience, w.check = checkDrop, true
	// Where the track was checked last it may have been half hidden: then what
	// it was before that counts.
	for f := frame - c.dir; ; f -= c.dir {
		was := c.box
		if f != c.frame {
			past := at(f)
			if past == nil {
				return false, false, nil
			}
			was = past.box
			if past.state != Shown {
				was = box{}
			}
		}
		s, err := w.next(f, -c.dir)
		if err != nil {
			return false, false, err
		}
		if w.lost != "" {
			return false, false, nil
		}
		if s.state != Shown || was == (box{}) {
			continue
		}
		if (c.frame-f)*c.dir < 0 {
			if w.at.iou(was) < 0.05 {
				return false, true, nil
			}
			continue
		}
		ok := w.at.iou(was) >= 0.25
		return ok, !ok, nil
	}
}
