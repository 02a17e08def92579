package track

import "math"

// Thresholds of a walk. Matches are 0 to 1.
const (
	freeMatch   = 0.40 // below: unsure, where the subject stands free of others
	crowdMatch  = 0.48 // below: unsure, where it does not
	strongMatch = 0.50 // needed to take a track up again
	dropTime    = 0.8  // seconds that a track may be unsure and still come back
	topSpeed    = 1.8  // body heights a second
)

// A walker follows the subject from one frame to the next.
type walker struct {
	e        *engine
	look     appearance
	at       box
	vx       float64 // px a second
	vy       float64
	match    float64 // smoothed
	base     float64 // what a usual match is for this subject
	mass     float64 // usual pixels of the blob
	tall     float64 // usual height of the blob
	foot     float64 // usual lower end of the blob, below the middle of the box, as a share of its height
	low      float64 // seconds since the track was sure
	patience float64 // how long that may be
	check    bool    // it takes up again whatever it finds: a wrong one tells as much
	lost     string  // reason
	free     bool    // it stood alone in the last frame
}

// walk follows the subject from a keyframe in direction dir (1 or -1) to frame
// until, and returns a step for each frame but the keyframe's, by rising frame.
func (e *engine) walk(k key, dir, until int) ([]step, error) {
	n := (until - k.frame) * dir
	if n < 1 {
		return nil, nil
	}
	out := make([]step, n)
	w, err := e.startWalk(k.frame, boxOf(*k.rect, e.w, e.h))
	if err != nil {
		return nil, err
	}
	at := func(frame int) *step {
		if (frame-k.frame)*dir <= 0 {
			return nil
		}
		if dir > 0 {
			return &out[frame-k.frame-1]
		}
		return &out[frame-until]
	}
	c := check{e: e, dir: dir, frame: k.frame, box: w.at}
	for i := 1; i <= n; i++ {
		if err := e.tick(); err != nil {
			return nil, err
		}
		f := k.frame + i*dir
		s, err := w.next(f, dir)
		if err != nil {
			return nil, err
		}
		*at(f) = s
		if w.lost != "" {
			continue
		}
		bad, err := c.step(f, w, at)
		if err != nil {
			return nil, err
		}
		if bad {
			for j := c.frame + dir; j != f+dir; j += dir {
				s := at(j)
				s.state, s.reason, s.conf = Unsure, ReasonJump, s.conf/2
			}
			w.lost = ReasonLost
		}
	}
	return out, nil
}

func (e *engine) startWalk(frame int, b box) (*walker, error) {
	w := &walker{e: e, at: b, patience: dropTime}
	if err := e.look(frame, b.area(b.w, b.h)); err != nil {
		return nil, err
	}
	w.look.start(&e.seen, b)
	w.match, _ = w.look.match(&e.seen, b, 1)
	w.base = w.match
	o := e.blobs.find(&e.seen, b, 0.5)
	w.mass, w.tall, w.foot = o.mass*b.w*b.h, o.box.h, 0.5
	return w, nil
}

// next follows the subject into a frame.
func (w *walker) next(frame, dir int) (step, error) {
	if w.lost != "" {
		return step{state: Unsure, reason: w.lost}, nil
	}
	dt := math.Abs(w.e.src.Time(frame) - w.e.src.Time(frame-dir))
	dt = math.Max(1./240, math.Min(dt, 2))
	h := w.at.h
	reach := math.Min(h*(0.1+topSpeed*dt)*(1+w.low), 1.5*h)
	guess := w.at
	guess.cx += w.vx * dt
	guess.cy += w.vy * dt
	if err := w.e.look(frame, guess.area(reach+w.at.w*0.5, reach+w.at.h*0.2)); err != nil {
		return step{}, err
	}
	best, m, visible := w.search(guess, reach)
	if best.inside(w.e.w, w.e.h) < 0.5 || visible < 0.45 {
		w.lost = ReasonAtEdge
		return step{state: Unsure, box: best, reason: ReasonAtEdge}, nil
	}
	o := w.e.blobs.find(&w.e.seen, best, w.foot)
	mass := o.mass * best.w * best.h
	stands := w.look.trust > 0.5
	// Alone, with as much foreground as ever: then it is the same one, however
	// it moves its legs.
	w.free = stands && w.low == 0 && o.rim < 0.12 && mass > 0.6*w.mass && mass < 1.6*w.mass &&
		math.Abs(o.box.h/w.tall-1) < 0.25
	need := freeMatch
	if !w.free {
		need = math.Max(freeMatch, math.Min(crowdMatch, w.base*0.75))
	}
	if w.low > 0 && !w.check {
		need = math.Max(need, math.Min(strongMatch, w.base*0.85))
	}
	if m < need {
		w.free = false
		w.low += dt
		w.at.cx, w.at.cy = guess.cx, guess.cy
		w.vx *= 0.9
		w.vy *= 0.9
		if w.low > w.patience {
			w.lost = ReasonLost
		}
		return step{state: Unsure, box: best, conf: float32(m * 0.5), reason: ReasonLowMatch}, nil
	}
	w.low = 0
	tight := best
	if w.free {
		w.mass += math.Min(0.3, dt) * (mass - w.mass)
		w.tall += math.Min(0.3, 2*dt) * (o.box.h - w.tall)
		w.foot += math.Min(0.3, 2*dt) * ((o.box.bottom()-best.cy)/best.h - w.foot)
		tight, best = snug(best, o.box)
	}
	k := math.Min(1, dt*3)
	w.vx += k * ((best.cx-w.at.cx)/dt - w.vx)
	w.vy += k * ((best.cy-w.at.cy)/dt - w.vy)
	w.at = best
	w.base += math.Min(1, dt) * 0.5 * (m - w.base)
	reason, rate := ReasonTracked, float32(math.Min(0.5, dt*1.5))
	if !w.free {
		reason, rate = ReasonCrowded, rate/8
	}
	if reason == ReasonTracked && w.e.blobs.others(&w.e.seen, tight) > 0.04 {
		reason = ReasonCrowded
	}
	w.look.update(&w.e.seen, best, rate)
	// Who stands lower stands nearer to the camera: somebody is before the
	// subject, and would be shown with it. Where feet are below the picture,
	// nobody can tell.
	before := o.low > 0.02 || best.bottom() > float64(w.e.h)-2
	if !w.free && before && (o.rim > 0.12 || mass > 1.6*w.mass) {
		return step{state: Unsure, box: tight, conf: float32(m * 0.5), reason: ReasonCrowded}, nil
	}
	return step{state: Shown, box: tight, conf: float32(math.Min(1, m/0.9)), reason: reason}, nil
}

// search returns the best place near guess, its match, and how much of the
// subject is within the picture there.
func (w *walker) search(guess box, reach float64) (box, float64, float64) {
	s, a := &w.e.seen, &w.look
	step := max(1, int(guess.h/20))
	r := max(2, int(reach))
	a.place(guess)
	bx, by, best := 0, 0, -1.
	for dy := -r; dy <= r; dy += step {
		for dx := -r; dx <= r; dx += step {
			m, vis := a.matchAt(s, dx, dy, 2)
			if vis < 0.3 {
				continue
			}
			far := (float64(dx*dx) + float64(dy*dy)) / (guess.h * guess.h)
			if m -= 0.25 * far; m > best {
				bx, by, best = dx, dy, m
			}
		}
	}
	at := guess
	at.cx += float64(bx)
	at.cy += float64(by)
	// Half hidden, or among others, a part of the subject may fit better in a
	// smaller box: then the size must stay.
	stiff := 0.2
	if !w.free && a.trust > 0.5 {
		stiff = 1
	}
	top, topScore, topMatch, topVis := at, -1., 0., 0.
	for _, scale := range [...]float64{1, 0.96, 1.04} {
		b := at
		b.w *= scale
		b.h *= scale
		a.place(b)
		fine := max(1, step/2)
		for dy := -step; dy <= step; dy += fine {
			for dx := -step; dx <= step; dx += fine {
				m, vis := a.matchAt(s, dx, dy, 1)
				score := m - stiff*math.Abs(scale-1)
				if score > topScore {
					top, topScore, topMatch, topVis = b, score, m, vis
					top.cx += float64(dx)
					top.cy += float64(dy)
				}
			}
		}
	}
	return top, topMatch, topVis
}
