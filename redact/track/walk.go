package track

import (
	"math"

	"veilbox/redact/shape"
)

// Thresholds of a walk. Matches are 0 to 1.
const (
	freeMatch   = 0.40 // below: unsure, where the subject stands free of others
	crowdMatch  = 0.48 // below: unsure, where it does not
	strongMatch = 0.50 // needed to take a track up again
	mergedMass  = 1.35 // of the usual foreground: from here on somebody else is in it
	clearMass   = 1.25 // the same, by the height that was expected: up to here it is surely alone
	bulkMost    = 0.30 // a person's foreground is at most this share of the square of its height,
	bulkGrown   = 1.30 // or this times what it was at the keyframe
	tallGrown   = 1.18 // of the usual height of the blob: from here on it is not only the subject's
	fullBox     = 0.70 // a body among others is taken to fill at most this share of a box around it
	maskedLow   = 0.20 // of the body: more than this behind what does not move is flagged
	frontHidden = 0.20 // of the body: more than this hidden, by somebody before the subject, is not shown
	givenMore   = 1.20 // of the foreground in the box: more around it than this is also somebody else's
	frontMass   = 0.04 // of the box: more of the blob than this below the feet is somebody before the subject
	wideMost    = 0.62 // a person's blob is at most this wide, as a share of its height,
	wideGrown   = 1.40 // or this times what was drawn
	lowMatch    = 0.75 // of the usual match: shown, but flagged, below
	dropTime    = 1.2  // seconds that a track may be unsure and still come back
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
	bulk     float64 // usual pixels of the blob, as a share of the square of its height
	most     float64 // the most it can be
	wide     float64 // the widest that the blob can be, as a share of its height
	tall     float64 // usual height of the blob, as a share of the box's
	foot     float64 // usual lower end of the blob, below the middle of the box, as a share of its height
	low      float64 // seconds since the track was sure
	patience float64 // how long that may be
	check    bool    // it takes up again whatever it finds: a wrong one tells as much
	lost     string  // reason
	free     bool    // it stood alone in the last frame
	clear    bool    // and nothing at all speaks against that
}

// startWalk begins where b is; drawn says that a person drew it.
func (e *engine) startWalk(frame int, b box, drawn bool) (*walker, error) {
	if err := e.look(frame, b.area(b.w, b.h)); err != nil {
		return nil, err
	}
	if drawn {
		b = e.snap(b)
	}
	w := &walker{e: e, at: b, patience: dropTime}
	w.look.start(&e.seen, b)
	w.match, _ = w.look.match(&e.seen, b, 1)
	w.base = 0.85 * w.match // its own picture fits better than any other
	o := e.blobs.find(&e.seen, b, 0.5)
	// A person draws around the body: what hangs on to it outside is not it.
	w.bulk = math.Min(o.mass*b.w*b.h/math.Max(1, o.box.h*o.box.h), e.blobs.within(&e.seen, b)/(b.h*b.h))
	if o.rim > 0.12 || o.box.h > tallGrown*b.h || o.box.w > 1.3*b.w {
		w.bulk = math.Min(w.bulk, fullBox*b.w/b.h)
	}
	w.most = math.Max(bulkMost, bulkGrown*w.bulk)
	w.wide = math.Max(wideMost, wideGrown*b.w/b.h)
	w.tall, w.foot = math.Max(0.8, math.Min(o.box.h/b.h, 1.04)), 0.5
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
	// Somebody else is in it where it reaches out of its margin or is larger
	// than it ever was; where it is only smaller, a part is hidden.
	tall := o.box.h / best.h
	bulk := mass / math.Max(1, o.box.h*o.box.h)
	merged := stands && (o.rim > 0.12 || bulk > mergedMass*w.bulk || bulk > w.most || tall > tallGrown*w.tall || o.box.w > w.wide*o.box.h)
	w.clear = false
	w.free = stands && w.low == 0 && !merged && bulk > 0.5*w.bulk &&
		tall > 0.75*w.tall
	need := freeMatch
	if !w.free {
		need = math.Max(freeMatch, math.Min(crowdMatch, w.base*0.75))
	}
	if w.low > 0 && !w.check {
		need = math.Max(need, math.Min(strongMatch, w.base*0.78))
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
		w.bulk += math.Min(0.3, 0.3*dt) * (bulk - w.bulk)
		w.tall += math.Min(0.3, 0.5*dt) * (tall - w.tall)
		w.foot += math.Min(0.3, 2*dt) * ((o.box.bottom()-best.cy)/best.h - w.foot)
		tight, best = snug(best, o.box)
	}
	k := math.Min(1, dt*3)
	w.vx += k * ((best.cx-w.at.cx)/dt - w.vx)
	w.vy += k * ((best.cy-w.at.cy)/dt - w.vy)
	w.at = best
	w.base += math.Min(1, dt) * 0.5 * (m - w.base)
	reason, rate := ReasonTracked, float32(math.Min(0.5, dt*1.5))
	switch {
	case !stands:
		rate /= 1.5
	case !w.free:
		rate /= 8
	}
	st := step{state: Shown, box: tight, conf: float32(math.Min(1, m/0.9))}
	if !w.check {
		// Who stands lower stands nearer. Where feet are below the picture, nobody
		// can tell.
		front := o.low > frontMass || best.bottom() > float64(w.e.h)-2
		c := w.e.outline.draw(scope{
			s: &w.e.seen, look: &w.look, at: w.at, tight: tight, mark: w.e.blobs.mark, stamp: w.e.blobs.stamp,
			crowd: merged, front: front, box: w.look.trust <= 0.5,
		})
		if merged && front && c.hidden > frontHidden {
			return step{state: Unsure, box: tight, conf: float32(m * 0.5), reason: ReasonCrowded}, nil
		}
		st.shape = c.shape
		if merged || c.near {
			st.flags |= FlagCrowded
			reason = ReasonCrowded
		}
		if c.cut || merged {
			st.flags |= FlagCut
		}
		w.clear = w.free && !c.near && mass < clearMass*w.bulk*best.h*best.h*w.tall*w.tall
		// Who stands still for long is taken for a part of the background.
		if m < lowMatch*w.base || !stands || c.masked > maskedLow {
			st.flags |= FlagLow
		}
	}
	st.reason = reason
	if !merged {
		w.look.update(&w.e.seen, best, rate, &w.e.blobs)
	}
	return st, nil
}

// given returns what a person's own keyframe shows: the box that was drawn, or
// the body in it, or the silhouette where that is sure.
func (e *engine) given(w *walker, drawn box) step {
	st := step{state: Shown, box: w.at, conf: 1, reason: ReasonGiven, shape: e.shapeOf(w.at)}
	o := w.e.blobs.find(&e.seen, w.at, 0.5)
	sc := scope{s: &e.seen, look: &w.look, at: w.at, tight: w.at, mark: e.blobs.mark, stamp: e.blobs.stamp, box: w.look.trust <= 0.5}
	c := e.outline.draw(sc)
	own := e.blobs.within(&e.seen, w.at)
	if o.rim > 0.12 || c.near || o.box.h > tallGrown*w.at.h || !sc.box && max(o.mass*w.at.w*w.at.h, e.blobs.within(&e.seen, drawn)) > givenMore*own {
		st.flags |= FlagCrowded
	}
	if !sc.box && o.rim <= 0.12 {
		if in := shape.Intersect(nil, c.shape, st.shape); in.Blocks()*4 > st.shape.Blocks() {
			st.shape = in
		}
	}
	return st
}

// search returns the best place near guess, its match, and how much of the
// subject is within the picture there.
func (w *walker) search(guess box, reach float64) (box, float64, float64) {
	s, a := &w.e.seen, &w.look
	step := max(1, int(guess.h/20))
	r := max(2, int(reach)) / step * step
	a.place(guess)
	bx, by, best := 0, 0, -1.
	// From the middle outwards: what is likely comes first, and most of the rest
	// is given up soon.
	for ring := 0; ring <= r; ring += step {
		for dy := -ring; dy <= ring; dy += step {
			hop := step
			if dy != -ring && dy != ring {
				hop = 2 * ring
			}
			for dx := -ring; dx <= ring; dx += hop {
				far := 0.25 * (float64(dx*dx) + float64(dy*dy)) / (guess.h * guess.h)
				m, vis := a.matchAt(s, dx, dy, 2, best+far)
				if vis < 0.3 {
					continue
				}
				if m -= far; m > best {
					bx, by, best = dx, dy, m
				}
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
	try := func(b box, dx, dy int, cost float64) {
		m, vis := a.matchAt(s, dx, dy, 1, topScore+cost)
		if score := m - cost; score > topScore {
			top, topScore, topMatch, topVis = b, score, m, vis
			top.cx += float64(dx)
			top.cy += float64(dy)
		}
	}
	fine := max(1, step/2)
	a.place(at)
	try(at, 0, 0, 0)
	for dy := -step; dy <= step; dy += fine {
		for dx := -step; dx <= step; dx += fine {
			try(at, dx, dy, 0)
		}
	}
	same := top
	for _, scale := range [...]float64{0.96, 1.04} {
		stiff := stiff
		if scale > 1 {
			stiff = 0.2
		}
		b := same
		b.w *= scale
		b.h *= scale
		a.place(b)
		for dy := -fine; dy <= fine; dy += fine {
			for dx := -fine; dx <= fine; dx += fine {
				try(b, dx, dy, stiff*math.Abs(scale-1))
			}
		}
	}
	return top, topMatch, topVis
}
