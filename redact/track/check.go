package track

import "math"

// When a track is checked.
const (
	aloneTime   = 0.4 // seconds alone after a crowd
	uncheckTime = 3.0 // seconds without having been alone
	againTime   = 0.7 // seconds from a check that said nothing to the next
	checkDrop   = 1.5 // seconds that a walk against time may be unsure
	maxTries    = 6
	rivalMatch  = 0.99 // of the subject's own match: who matches as well may be the subject
	rivalUsual  = 0.95 // and of its usual one
	rivalLeast  = 0.65 // a map that fits worse cannot tell people apart
	rivalReach  = 2.0  // heights around the subject, in which it is looked for
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
	tried int     // frame of the last of them

	crowdTried int // frame of the last try that began in a crowd and said nothing

	parted int // where a verdict of wrong says that the two tracks part
}

// A verdict is what a check says of the track since the frame in which it was
// right.
type verdict uint8

const (
	verdictNone  verdict = iota
	verdictWrong         // it has gone over to somebody else
	verdictOpen          // several tries said nothing: it may have
)

// step takes the frame that w has reached. at gives what the track says of a
// frame, nil before its beginning.
func (c *check) step(frame int, w *walker, at func(int) *step) (verdict, error) {
	t := c.e.src.Time
	since := func(f int) float64 { return math.Abs(t(frame) - t(f)) }
	if !w.clear {
		c.crowd, c.alone = true, 0
	} else {
		c.alone += since(frame - c.dir)
	}
	switch {
	case !c.crowd:
		c.frame, c.box = frame, w.at
		return verdictNone, nil
	case c.tries > 0 && since(c.tried) < againTime:
		return verdictNone, nil
	case c.alone >= aloneTime:
	case w.low == 0 && since(c.frame) >= uncheckTime && since(c.crowdTried) >= 2*againTime:
	default:
		return verdictNone, nil
	}
	c.parted = c.frame
	sure, bad, err := c.back(frame, w.at, at)
	switch {
	case err != nil:
		return verdictNone, err
	case bad && c.alone >= aloneTime:
		return verdictWrong, nil
	case !sure && c.alone < aloneTime:
		c.crowdTried = frame
		return verdictNone, nil
	case !sure:
		c.tries++
		c.alone, c.tried = 0, frame
		if c.tries >= maxTries {
			return verdictOpen, nil
		}
		return verdictNone, nil
	case c.alone >= aloneTime:
		like, err := w.rival(frame)
		if err != nil {
			return verdictNone, err
		}
		if like {
			c.parted = c.frame
			return verdictWrong, nil
		}
	}
	c.frame, c.box, c.crowd, c.alone, c.tries = frame, w.at, !w.clear, 0, 0
	return verdictNone, nil
}

// back walks from b in frame back to c.frame. It reports whether it arrived
// where the track was, or parted from it; neither, if it was lost on the way.
func (c *check) back(frame int, b box, at func(int) *step) (sure, bad bool, err error) {
	w, err := c.e.startWalk(frame, b, false)
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
				c.parted = f
				return false, true, nil
			}
			continue
		}
		// A keyframe may have been drawn on half of a body: then it says nothing.
		q := w.at.iou(was)
		return q >= 0.4, q < 0.1, nil
	}
}

// rival reports whether somebody close to the subject, whom it has just left,
// looks so like it that nobody could tell which of the two is which.
func (w *walker) rival(frame int) (bool, error) {
	b := w.at
	reach := rivalReach * b.h
	if err := w.e.look(frame, b.area(reach, reach/2)); err != nil {
		return false, err
	}
	s, a := &w.e.seen, &w.look
	own, _ := a.match(s, b, 1)
	need := max(rivalMatch*own, rivalUsual*w.base, rivalLeast)
	step, best, bx, by := max(1, int(b.h/24)), 0., 0, 0
	a.place(b)
	for dy := -int(reach / 2); dy <= int(reach/2); dy += step {
		for dx := -int(reach); dx <= int(reach); dx += step {
			if math.Abs(float64(dx)) < 0.6*b.w && math.Abs(float64(dy)) < 0.3*b.h {
				continue
			}
			m, vis := a.matchAt(s, dx, dy, 2, max(best, need))
			if vis < 0.8 || m <= best {
				continue
			}
			best, bx, by = m, dx, dy
		}
	}
	if best > 0 {
		// Every second point flatters.
		best, _ = a.matchAt(s, bx, by, 1, -1)
	}
	return best >= need, nil
}
