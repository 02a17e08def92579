package track

import (
	"image"
	"math"
)

// blobs finds connected foreground.
type blobs struct {
	mark  []uint32 // of each pixel: the search that reached it
	stamp uint32
	queue []int32
}

// A blob is the foreground that hangs together with what is in the middle of a
// box, as far as the box's margin reaches.
type blob struct {
	box  box     // around it
	mass float64 // its pixels as a share of the box's
	low  float64 // its pixels below the feet, as a share of the box's
	rim  float64 // those on the outer rim of the margin as a share of the box's width
}

const solid = 110 // of 255: foreground from here on

// find returns the blob of b, of which the feet are at foot times its height
// below its middle; a zero one where there is none.
func (f *blobs) find(s *seen, b box, foot float64) blob {
	if len(f.mark) != len(s.fg) {
		f.mark, f.stamp = make([]uint32, len(s.fg)), 0
	}
	f.stamp++
	if f.stamp == 0 {
		clear(f.mark)
		f.stamp = 1
	}
	area := b.area(0, 0).Intersect(s.window)
	core := image.Rect(int(b.cx-b.w*0.25), int(b.cy-b.h*0.35), int(b.cx+b.w*0.25)+1, int(b.cy+b.h*0.35)+1).Intersect(area)
	f.queue = f.queue[:0]
	for y := core.Min.Y; y < core.Max.Y; y++ {
		for x := core.Min.X; x < core.Max.X; x++ {
			f.reach(s, y*s.w+x)
		}
	}
	n, rim, low, feet := 0, 0, 0, int(b.cy+(math.Max(0.5, foot)+0.08)*b.h)
	l, r, t, d := area.Max.X, area.Min.X, area.Max.Y, area.Min.Y
	for n < len(f.queue) {
		i := int(f.queue[n])
		n++
		x, y := i%s.w, i/s.w
		l, r, t, d = min(l, x), max(r, x+1), min(t, y), max(d, y+1)
		if y > feet {
			low++
		}
		if x == area.Min.X || x == area.Max.X-1 || y == area.Min.Y || y == area.Max.Y-1 {
			// At the edge of the picture nobody else can hang on.
			if x > 0 && y > 0 && x < s.w-1 && y < len(s.fg)/s.w-1 {
				rim++
			}
		}
		for yy := max(y-1, area.Min.Y); yy <= min(y+1, area.Max.Y-1); yy++ {
			for xx := max(x-1, area.Min.X); xx <= min(x+1, area.Max.X-1); xx++ {
				f.reach(s, yy*s.w+xx)
			}
		}
	}
	if n == 0 {
		return blob{rim: 1}
	}
	return blob{
		box:  box{float64(l+r) / 2, float64(t+d) / 2, float64(r - l), float64(d - t)},
		mass: float64(n) / (b.w * b.h),
		low:  float64(low) / (b.w * b.h),
		rim:  float64(rim) / b.w,
	}
}

func (f *blobs) reach(s *seen, i int) {
	if s.fg[i] >= solid && f.mark[i] != f.stamp {
		f.mark[i] = f.stamp
		f.queue = append(f.queue, int32(i))
	}
}

// within returns how many pixels of r are foreground.
func (f *blobs) within(s *seen, r box) float64 {
	area := image.Rect(int(r.left()), int(r.top()), int(r.right())+1, int(r.bottom())+1).Intersect(s.window)
	n := 0
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for _, v := range s.fg[y*s.w+area.Min.X : y*s.w+area.Max.X] {
			if v >= solid {
				n++
			}
		}
	}
	return float64(n)
}

// snug returns the box to show and the box to go on with, of a tracked box b
// and the box m around its blob.
func snug(b, m box) (tight, moved box) {
	if m.w < 0.4*b.w || m.w > 2*b.w || m.h < 0.5*b.h || m.h > 1.4*b.h || m.iou(b) < 0.25 {
		return b, b
	}
	moved = b
	if math.Abs(m.h-b.h) < 0.12*b.h {
		moved.cy += 0.3 * (m.cy - b.cy)
	}
	moved.cx += 0.2 * (m.cx - b.cx)
	moved.w *= grow(m.w/b.w, 0.1, 0.05)
	moved.h *= grow(m.h/b.h, 0.1, 0.02)
	l, r := m.left(), m.right()
	if m.w < 0.5*b.w {
		l, r = b.left(), b.right()
	}
	t, d := edgeOf(b.top(), m.top(), b.h), -edgeOf(-b.bottom(), -m.bottom(), b.h)
	// Never much wider than what was tracked: the rest would be somebody else.
	l, r = math.Max(l, b.left()-0.4*b.w), math.Min(r, b.right()+0.4*b.w)
	return box{(l + r) / 2, (t + d) / 2, r - l, d - t}, moved
}

// grow returns a part of a change of size. Legs in the colour of the ground
// are missing from a blob: one that is larger than its box says more than one
// that is smaller.
func grow(ratio, up, down float64) float64 {
	if ratio < 1 {
		return math.Pow(ratio, down)
	}
	return math.Pow(ratio, up)
}

// edgeOf returns the lower edge to show: the blob's m, unless it lies so far
// within the box's b that a part of the subject must be missing.
func edgeOf(b, m, size float64) float64 {
	if m-b > 0.2*size {
		return b
	}
	return m
}
