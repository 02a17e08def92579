package track

import (
	"math/rand/v2"

	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// A scene is a made clip: actors before a textured background, with noise.
type scene struct {
	w, h, n int
	fps     float64
	pix     [][]byte
	boxes   [][]box  // of each actor in each frame; w 0 where it is not there
	owner   [][]byte // of each pixel of each frame: 1 + the actor that is seen there
}

func (s *scene) Len() int           { return s.n }
func (s *scene) Time(i int) float64 { return float64(i) / s.fps }
func (s *scene) Plane(i int) Plane  { return Plane{s.w, s.h, s.pix[i]} }

// An actor has a texture of its own and says where it is in a frame.
type actor struct {
	seed  uint64
	dark  int
	where func(frame int) (box, bool)
}

// straight walks from x0 by vx pixels a frame.
func straight(x0, y, vx, w, h float64) func(int) (box, bool) {
	return func(i int) (box, bool) { return box{x0 + vx*float64(i), y, w, h}, true }
}

// build paints the actors one over the other, then the pillars, which are part
// of the background and before everybody.
func build(n int, light func(int) int, pillars []box, actors ...actor) *scene {
	s := &scene{w: 192, h: 144, n: n, fps: 10, boxes: make([][]box, len(actors))}
	r := rand.New(rand.NewPCG(1, 2))
	bg := make([]int, s.w*s.h)
	for y := range s.h {
		for x := range s.w {
			bg[y*s.w+x] = 130 + (x/12+y/9)%3*12 + r.IntN(14)
		}
	}
	for i := range n {
		p := make([]byte, s.w*s.h)
		frame, owner := append([]int(nil), bg...), make([]byte, len(bg))
		for k, a := range actors {
			b, in := a.where(i)
			if !in {
				s.boxes[k] = append(s.boxes[k], box{})
				continue
			}
			s.boxes[k] = append(s.boxes[k], b)
			t := texture(a)
			for y := max(0, int(b.top())); y < min(s.h, int(b.bottom())); y++ {
				for x := max(0, int(b.left())); x < min(s.w, int(b.right())); x++ {
					u, v := (float64(x)-b.cx)/b.w*2, (float64(y)-b.cy)/b.h*2
					if u*u*u*u+v*v*v*v < 1 {
						frame[y*s.w+x] = t[int((v+1)*3.99)][int((u+1)*1.99)]
						owner[y*s.w+x] = byte(k + 1)
					}
				}
			}
		}
		for _, b := range pillars {
			for y := max(0, int(b.top())); y < min(s.h, int(b.bottom())); y++ {
				for x := max(0, int(b.left())); x < min(s.w, int(b.right())); x++ {
					frame[y*s.w+x] = bg[y*s.w+x] + 40
					owner[y*s.w+x] = 0
				}
			}
		}
		for j := range p {
			v := frame[j] + r.IntN(7) - 3
			if light != nil {
				v += light(i)
			}
			p[j] = byte(max(0, min(255, v)))
		}
		s.pix, s.owner = append(s.pix, p), append(s.owner, owner)
	}
	return s
}

func texture(a actor) (t [8][4]int) {
	r := rand.New(rand.NewPCG(a.seed, 9))
	for y := range t {
		for x := range t[y] {
			t[y][x] = a.dark + r.IntN(50)
		}
	}
	return t
}

// key is a keyframe on the true box of an actor.
func (s *scene) key(frame, actor int) subject.Keyframe {
	r := s.boxes[actor][frame].rect(s.w, s.h)
	return subject.Keyframe{At: s.Time(frame), Rect: &r}
}

func keyAt(at float64, r subject.Rect) subject.Keyframe {
	return subject.Keyframe{At: at, Rect: &r}
}

func keys(k ...subject.Keyframe) subject.Subject { return subject.Subject{Version: 1, Keyframes: k} }

// A score says how a track did against the true boxes of an actor.
type score struct {
	visible, shown int // frames
	drift          int // frames shown off the subject
	worst          float64
}

func (s *scene) score(out []Region, actor int) score {
	sc := score{worst: 1}
	for i, r := range out {
		b := s.boxes[actor][i]
		if b.w > 0 && b.inside(s.w, s.h) > 0.9 {
			sc.visible++
		}
		if r.State != Shown {
			continue
		}
		sc.shown++
		q := 0.
		if b.w > 0 {
			q = boxOf(r.Rect, s.w, s.h).iou(b)
		}
		sc.worst = min(sc.worst, q)
		if q < 0.1 {
			sc.drift++
		}
	}
	return sc
}

// A sight says what of the bodies regions show.
type sight struct {
	frames, shown int     // in which the actor can be seen; and is shown
	body          float64 // the mean share of its visible body that is shown, where it is shown
	flagged       int     // frames
	others        int     // frames in which somebody else is shown
	unflagged     int     // those among them without a flag
	worst         int     // the first of these
}

// sight compares the shapes of Run's regions with who is seen in each pixel.
// Somebody else counts beyond the rim of a block around the body, and from a
// twentieth of the body on.
func (s *scene) sight(out []Region, actor int) sight {
	v := sight{worst: -1}
	b := shape.NewBitmap(gridOf(s))
	for i, r := range out {
		b.Clear()
		b.Add(r.Shape, true)
		own, ownShown, others := 0, 0, 0
		for p, who := range s.owner[i] {
			shown := b.Bits[p/s.w/2*b.Cols+p%s.w/2]
			switch {
			case who == byte(actor+1):
				own++
				if shown {
					ownShown++
				}
			case who != 0 && shown && !s.beside(i, p, byte(actor+1)):
				others++
			}
		}
		if box := s.boxes[actor][i]; box.w > 0 && float64(own) > 0.5*box.w*box.h {
			v.frames++
			if r.State == Shown {
				v.shown++
				v.body += float64(ownShown) / float64(own)
			}
		}
		if r.State == Shown && r.Flags != 0 {
			v.flagged++
		}
		if others > 0 && float64(others) > 0.05*float64(own) {
			v.others++
			if r.Flags == 0 {
				v.unflagged++
				if v.worst < 0 {
					v.worst = i
				}
			}
		}
	}
	v.body /= float64(max(1, v.shown))
	return v
}

// beside reports whether who is seen within a block and a half of a pixel.
func (s *scene) beside(frame, p int, who byte) bool {
	for y := max(0, p/s.w-3); y <= min(s.h-1, p/s.w+3); y++ {
		for x := max(0, p%s.w-3); x <= min(s.w-1, p%s.w+3); x++ {
			if s.owner[frame][y*s.w+x] == who {
				return true
			}
		}
	}
	return false
}

// gridOf is the grid of Run: blocks of two pixels of the plane.
func gridOf(s *scene) shape.Grid { return shape.Grid{W: 2 * s.w, H: 2 * s.h, Block: 4} }
