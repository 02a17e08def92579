package track

import (
	"image"
	"math"
)

// Size of an appearance and its margin.
const (
	maxCols   = 40
	maxRows   = 64
	padX      = 0.45 // of the box, on each side: legs swing
	padY      = 0.25
	lumaCap   = 60 // a difference of luma that counts as wholly different
	costLuma  = 6  // weights of: other luma,
	costEmpty = 4  // no foreground where the subject is,
	costExtra = 1  // foreground where the subject is not
)

// An appearance is a map of what the subject looks like, over its box and a
// margin: luma, and how likely each point is to be subject.
type appearance struct {
	cols, rows int
	luma       [maxCols * maxRows]float32
	prob       [maxCols * maxRows]float32
	// The same as bytes, for matching.
	l, p [maxCols * maxRows]byte
	sum  [3]int // of p, at every point and at every second one
	// trust is how much of the subject stood out from the background when it
	// was learnt. Where that is little, foreground says nothing.
	trust float64

	xs, ys [max(maxCols, maxRows)]int
}

// place sets the sample points of a box.
func (a *appearance) place(b box) {
	pw, ph := b.w*(1+2*padX), b.h*(1+2*padY)
	x0, y0 := b.cx-pw/2, b.cy-ph/2
	for i := range a.cols {
		a.xs[i] = int(math.Floor(x0 + (float64(i)+0.5)*pw/float64(a.cols)))
	}
	for i := range a.rows {
		a.ys[i] = int(math.Floor(y0 + (float64(i)+0.5)*ph/float64(a.rows)))
	}
}

// within reports whether sample column x and row y lie in the box itself.
func (a *appearance) within(x, y int) bool {
	mx, my := float64(a.cols)*padX/(1+2*padX), float64(a.rows)*padY/(1+2*padY)
	fx, fy := float64(x)+0.5, float64(y)+0.5
	return fx > mx && fx < float64(a.cols)-mx && fy > my && fy < float64(a.rows)-my
}

// start learns an appearance from b.
func (a *appearance) start(s *seen, b box) {
	a.cols = max(8, min(maxCols, int(b.w*(1+2*padX)+0.5)))
	a.rows = max(12, min(maxRows, int(b.h*(1+2*padY)+0.5)))
	a.place(b)
	n, fg := 0, 0.0
	a.each(s, func(i, x, y int, luma, f byte) {
		a.luma[i] = float32(luma)
		if a.within(x, y) {
			n++
			fg += float64(f) / 255
		}
	})
	a.trust = 0
	if n > 0 {
		// A person fills more than half of a box. Who stands still for a part of a
		// short clip stands out only in part: that is not their silhouette.
		a.trust = math.Max(0, math.Min(1, (fg/float64(n)-s.hazy)/0.2))
	}
	a.each(s, func(i, x, y int, _, f byte) {
		p := float32(0)
		if a.within(x, y) {
			// An ellipse, for a subject that does not stand out.
			dx := (float64(x) + 0.5 - float64(a.cols)/2) / (float64(a.cols) / (1 + 2*padX) / 2)
			dy := (float64(y) + 0.5 - float64(a.rows)/2) / (float64(a.rows) / (1 + 2*padY) / 2)
			oval := 0.0
			if dx*dx+dy*dy < 1 {
				oval = 0.8
			}
			p = float32(a.trust*float64(f)/255 + (1-a.trust)*oval)
		}
		a.prob[i] = p
	})
	a.pack()
}

// each calls fn for every sample point that lies within what is seen.
func (a *appearance) each(s *seen, fn func(i, x, y int, luma, fg byte)) {
	for y := range a.rows {
		if a.ys[y] < s.window.Min.Y || a.ys[y] >= s.window.Max.Y {
			continue
		}
		o := a.ys[y] * s.w
		for x := range a.cols {
			if a.xs[x] < s.window.Min.X || a.xs[x] >= s.window.Max.X {
				continue
			}
			at := o + a.xs[x]
			fn(y*a.cols+x, x, y, s.pix[at], s.fg[at])
		}
	}
}

// update moves the appearance towards what b holds, by rate. Foreground that
// does not hang together with the body is somebody else's.
func (a *appearance) update(s *seen, b box, rate float32, body *blobs) {
	a.place(b)
	a.each(s, func(i, x, y int, luma, f byte) {
		fg := float32(f) / 255
		if f >= solid && body.mark[a.ys[y]*s.w+a.xs[x]] != body.stamp && a.prob[i] < likelyCrowd {
			fg = 0
		}
		if a.trust > 0.5 {
			a.prob[i] += rate * (fg - a.prob[i])
		} else {
			fg = a.prob[i]
		}
		// Where there was no subject so far, the luma is new.
		r := rate * fg
		if a.prob[i] < likelyCrowd {
			r = max(r, 0.5*fg)
		}
		a.luma[i] += r * (float32(luma) - a.luma[i])
	})
	a.pack()
}

func (a *appearance) pack() {
	a.sum = [3]int{}
	for i := range a.cols * a.rows {
		a.l[i] = byte(max(0, min(255, a.luma[i]+0.5)))
		a.p[i] = byte(max(0, min(255, a.prob[i]*255+0.5)))
	}
	for stride := 1; stride < len(a.sum); stride++ {
		for y := stride / 2; y < a.rows; y += stride {
			for x := stride / 2; x < a.cols; x += stride {
				a.sum[stride] += int(a.p[y*a.cols+x])
			}
		}
	}
}

// match returns how much of what lies at b looks like the subject, 0 to 1, and
// the share of the subject that lies within the picture. stride is the step
// between the points compared.
func (a *appearance) match(s *seen, b box, stride int) (float64, float64) {
	a.place(b)
	return a.matchAt(s, 0, 0, stride, -1)
}

// matchAt is match with the placed points moved by dx, dy; stride is 1 or 2. A
// match that cannot reach floor is given up and is -1.
func (a *appearance) matchAt(s *seen, dx, dy, stride int, floor float64) (float64, float64) {
	cost, weight, all := 0, 0, 0
	empty := int(costEmpty*a.trust*16 + 0.5)
	extra := int(costExtra*a.trust*16 + 0.5)
	win := s.window
	most := int((1-floor)*float64(a.sum[stride])*255*float64(16*costLuma+empty)) + 1
	for y := stride / 2; y < a.rows; y += stride {
		if cost > most {
			return -1, 0
		}
		py := a.ys[y] + dy
		row := a.p[y*a.cols : (y+1)*a.cols]
		if py < win.Min.Y || py >= win.Max.Y {
			for x := stride / 2; x < a.cols; x += stride {
				all += int(row[x])
			}
			continue
		}
		o := py * s.w
		for x := stride / 2; x < a.cols; x += stride {
			p := int(row[x])
			all += p
			px := a.xs[x] + dx
			if px < win.Min.X || px >= win.Max.X {
				continue
			}
			weight += p
			d := int(s.pix[o+px]) - int(a.l[y*a.cols+x])
			if d < 0 {
				d = -d
			}
			f := int(s.fg[o+px])
			cost += p*(min(d, lumaCap)*(255*16*costLuma/lumaCap)+(255-f)*empty) + (255-p)*f*extra
		}
	}
	if weight == 0 || all == 0 {
		return 0, 0
	}
	full := float64(weight) * 255 * float64(16*costLuma+empty)
	return math.Max(0, 1-float64(cost)/full), float64(weight) / float64(all)
}

// area returns the pixels that a box and its margin cover, and reach more.
func (b box) area(reachX, reachY float64) image.Rectangle {
	hw, hh := b.w*(0.5+padX)+reachX+2, b.h*(0.5+padY)+reachY+2
	return image.Rect(int(b.cx-hw), int(b.cy-hh), int(b.cx+hw)+1, int(b.cy+hh)+1)
}
