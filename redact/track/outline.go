package track

import (
	"image"
	"math"

	"veilbox/redact/shape"
)

// Which pixels are the subject's.
const (
	likelyAlone  = 0.35 // of the appearance: foreground apart from the blob is the subject's from here on
	likelyCrowd  = 0.15 // in a crowd, foreground of the same luma is the subject's from here on
	likelyAnyway = 0.60 // it is the subject's also where it has the colour of the ground
	likelyBody   = 0.50 // here the subject usually is
	sameLuma     = 26   // a difference of luma up to here is the same
	otherLuma    = 44   // and beyond here somebody else's, within the body
	speck        = 0.06 // of the body's blocks: less of others than this, apart, is nobody
	stillTrust   = 0.20 // of an appearance: with less the subject does not stand out at all
	reachX       = 0.42 // how far a shape may reach beyond its box, as a share of it: legs swing
	reachY       = 0.12
)

// What a block is.
const (
	blockNone = iota
	blockBody
	blockOther
	blockEdge // body by dilation
)

// An outline turns what is seen into shapes.
type outline struct {
	grid   shape.Grid
	xs, ys [][2]int // of each column and row of blocks: the plane's pixels
	label  []byte   // of each pixel of the plane
	block  []byte   // of each block within area
	cover  []byte   // of each: that a search reached it
	area   image.Rectangle
	queue  []int32
	runs   shape.Shape
}

func (o *outline) init(g shape.Grid, w, h int) {
	o.grid = g
	o.xs, o.ys = spans(g.Cols(), g.Block, g.W, w), spans(g.Rows(), g.Block, g.H, h)
	o.label = make([]byte, w*h)
}

// spans returns which pixels of a plane of n each of count blocks touches.
func spans(count, block, full, n int) [][2]int {
	out := make([][2]int, count)
	for i := range out {
		// A pixel belongs to a block that holds a good part of it.
		from := int(math.Floor(float64(i*block)*float64(n)/float64(full) + 0.25))
		to := int(math.Ceil(float64(min(full, (i+1)*block))*float64(n)/float64(full) - 0.25))
		from = min(from, n-1)
		out[i] = [2]int{from, max(from+1, min(n, to))}
	}
	return out
}

// A scope is what an outline is made from.
type scope struct {
	s     *seen
	look  *appearance
	at    box // where look is
	tight box // around the body
	mark  []uint32
	stamp uint32 // of the body's blob in mark
	crowd bool   // the blob holds somebody else, too
	front bool   // who that is stands nearer to the camera
	box   bool   // the silhouette is not sure: the box, without what is somebody else's
}

// still reports whether the subject is so much a part of the background that
// whatever stands out is somebody else, or a movement.
func (c scope) still() bool { return c.look.trust <= stillTrust }

// A cut is what an outline found beside the body.
type cut struct {
	shape shape.Shape
	near  bool // other foreground is next to the body
	cut   bool // some of what would be shown was taken away

	hidden float64 // the share of the body before which there is somebody else
	masked float64 // and before which there is something that does not move
}

// draw returns the shape of the body.
func (o *outline) draw(c scope) cut {
	hidden, masked := o.classify(c)
	o.blocks(c)
	out := o.grow(c)
	out.hidden, out.masked = hidden, masked
	o.prune()
	o.runs = o.runs[:0]
	w := o.area.Dx()
	for y := o.area.Min.Y; y < o.area.Max.Y; y++ {
		line := o.block[(y-o.area.Min.Y)*w : (y-o.area.Min.Y+1)*w]
		for x := 0; x < w; x++ {
			if line[x] != blockBody && line[x] != blockEdge {
				continue
			}
			from := x
			for x < w && (line[x] == blockBody || line[x] == blockEdge) {
				x++
			}
			o.runs = append(o.runs, shape.Run{Row: uint16(y), From: uint16(from + o.area.Min.X), To: uint16(x + o.area.Min.X)})
		}
	}
	out.shape = append(shape.Shape(nil), o.runs...)
	return out
}

// limits returns how far the shape of a body may reach, in pixels of the plane.
func (c scope) limits() image.Rectangle {
	b := c.tight
	rx, ry := reachX*b.w, reachY*b.h
	if c.crowd {
		rx, ry = 0.15*b.w, 0.05*b.h
	}
	if c.box {
		rx, ry = 0, 0
	}
	r := image.Rect(int(math.Floor(b.left()-rx)), int(math.Floor(b.top()-ry)), int(math.Ceil(b.right()+rx)), int(math.Ceil(b.bottom()+ry)))
	return r.Intersect(c.s.window)
}

// classify labels the pixels around the body, and returns the shares of the
// body's own that are somebody else's now, and nobody's.
func (o *outline) classify(c scope) (other, none float64) {
	body, hidden, masked := 0, 0, 0
	s, a := c.s, c.look
	a.place(c.at)
	lim := c.limits()
	margin := max(3, int(c.tight.h*0.06))
	wide := lim.Inset(-margin).Intersect(s.window)
	o.area = o.toBlocks(wide)
	pw, ph := c.at.w*(1+2*padX), c.at.h*(1+2*padY)
	x0, y0 := c.at.cx-pw/2, c.at.cy-ph/2
	for y := wide.Min.Y; y < wide.Max.Y; y++ {
		row := int((float64(y) + 0.5 - y0) / ph * float64(a.rows))
		line := o.label[y*s.w : (y+1)*s.w]
		for x := wide.Min.X; x < wide.Max.X; x++ {
			i := y*s.w + x
			in := y >= lim.Min.Y && y < lim.Max.Y && x >= lim.Min.X && x < lim.Max.X
			p, d := 0., 255
			if col := int((float64(x) + 0.5 - x0) / pw * float64(a.cols)); row >= 0 && row < a.rows && col >= 0 && col < a.cols {
				p = float64(a.p[row*a.cols+col]) / 255
				d = a.nearest(int(s.pix[i]), col, row)
			}
			l := c.pixel(s.fg[i] >= solid, c.mark[i] == c.stamp, in, p, d)
			if in && p >= likelyBody {
				body++
				switch l {
				case blockOther:
					hidden++
				case blockNone:
					masked++
				}
			}
			line[x] = l
		}
	}
	n := float64(max(1, body))
	return float64(hidden) / n, float64(masked) / n
}

// nearest returns how far v is from the luma of the appearance at a point or
// next to it.
func (a *appearance) nearest(v, col, row int) int {
	best := 255
	for y := max(0, row-1); y <= min(a.rows-1, row+1); y++ {
		for x := max(0, col-1); x <= min(a.cols-1, col+1); x++ {
			k := y*a.cols + x
			if a.p[k] < 50 {
				continue
			}
			d := v - int(a.l[k])
			best = min(best, max(d, -d))
		}
	}
	return best
}

// pixel says whose a pixel is: fg that it is foreground, own that it hangs
// together with the body, in that the body may reach there, p how likely the
// subject is there, d how other its luma is.
func (c scope) pixel(fg, own, in bool, p float64, d int) byte {
	switch {
	case c.box:
		switch {
		case fg && !in, fg && d > otherLuma && p < likelyCrowd, fg && d > sameLuma && c.still():
			// The subject is a part of the background: what stands out is new.
			return blockOther
		case in:
			return blockBody
		}
	case c.crowd:
		switch {
		case fg && in && p >= likelyAlone && !c.front, fg && in && p >= likelyCrowd && d <= sameLuma, fg && in && p >= likelyAnyway && d <= otherLuma:
			return blockBody
		case fg:
			return blockOther
		case in && p >= likelyAnyway && d <= sameLuma:
			return blockBody
		}
	default:
		switch {
		case fg && in && (own || p >= likelyAlone):
			return blockBody
		case fg:
			return blockOther
		case in && p >= likelyAnyway && d <= sameLuma:
			return blockBody
		}
	}
	return blockNone
}

// toBlocks returns the blocks that pixels touch.
func (o *outline) toBlocks(r image.Rectangle) image.Rectangle {
	if r.Empty() {
		return image.Rectangle{}
	}
	c0, c1 := findSpan(o.xs, r.Min.X, r.Max.X)
	r0, r1 := findSpan(o.ys, r.Min.Y, r.Max.Y)
	return image.Rect(c0, r0, c1, r1)
}

// findSpan returns the blocks that lie wholly within the pixels from until to.
func findSpan(spans [][2]int, from, to int) (first, last int) {
	n := len(spans)
	first = from * n / max(1, spans[n-1][1])
	for first > 0 && spans[first-1][0] >= from {
		first--
	}
	for first < n && spans[first][0] < from {
		first++
	}
	last = first
	for last < n && spans[last][1] <= to {
		last++
	}
	return first, last
}

// blocks makes blocks of the labels.
func (o *outline) blocks(c scope) {
	w, h := o.area.Dx(), o.area.Dy()
	if cap(o.block) < w*h {
		o.block = make([]byte, w*h*3/2)
		o.cover = make([]byte, w*h*3/2)
	}
	o.block, o.cover = o.block[:w*h], o.cover[:w*h]
	for y := range h {
		ys := o.ys[o.area.Min.Y+y]
		for x := range w {
			xs := o.xs[o.area.Min.X+x]
			body, other, n := 0, 0, 0
			for yy := ys[0]; yy < ys[1]; yy++ {
				for _, l := range o.label[yy*c.s.w+xs[0] : yy*c.s.w+xs[1]] {
					n++
					switch l {
					case blockBody:
						body++
					case blockOther:
						other++
					}
				}
			}
			b := byte(blockNone)
			switch {
			case other*3 >= n && other >= body:
				b = blockOther
			case body*3 >= n:
				b = blockBody
			}
			o.block[y*w+x] = b
		}
	}
}

// grow fills the body's holes and lets it reach one block further, but not to
// where somebody else is.
func (o *outline) grow(c scope) cut {
	var out cut
	w, h := o.area.Dx(), o.area.Dy()
	if w == 0 || h == 0 {
		return out
	}
	o.specks(w, h)
	o.fill(w, h)
	near := 0
	for y := range h {
		for x := range w {
			i := y*w + x
			if o.block[i] != blockNone && o.block[i] != blockOther {
				continue
			}
			touch := false
			for yy := max(0, y-1); yy <= min(h-1, y+1) && !touch; yy++ {
				for xx := max(0, x-1); xx <= min(w-1, x+1); xx++ {
					if o.block[yy*w+xx] == blockBody {
						touch = true
						break
					}
				}
			}
			switch {
			case !touch:
			case o.block[i] == blockOther:
				near++
			case !o.beside(x, y, w, h):
				o.block[i] = blockEdge
			}
		}
	}
	out.near = near >= 2
	out.cut = out.near
	return out
}

// beside reports whether somebody else is next to a block.
func (o *outline) beside(x, y, w, h int) bool {
	for yy := max(0, y-1); yy <= min(h-1, y+1); yy++ {
		for xx := max(0, x-1); xx <= min(w-1, x+1); xx++ {
			if o.block[yy*w+xx] == blockOther {
				return true
			}
		}
	}
	return false
}

// specks takes other foreground away that is small beside the body: a foot or a
// shadow of its own. Nobody is that small.
func (o *outline) specks(w, h int) {
	clear(o.cover)
	body := 0
	for _, b := range o.block {
		if b == blockBody {
			body++
		}
	}
	small := max(4, int(speck*float64(body)))
	for start, b := range o.block {
		if b != blockOther || o.cover[start] != 0 {
			continue
		}
		o.flood(start, w, h, blockOther, 1)
		// A speck that touches the edge of what is looked at may be part of more.
		edge := false
		for _, i := range o.queue {
			x, y := int(i)%w, int(i)/w
			edge = edge || x == 0 || y == 0 || x == w-1 || y == h-1
		}
		if len(o.queue) < small && !edge {
			for _, i := range o.queue {
				o.block[i] = blockNone
			}
		}
	}
}

// flood collects the blocks of a kind that hang together with start, and marks
// them in cover.
func (o *outline) flood(start, w, h int, kind, mark byte) {
	o.queue = append(o.queue[:0], int32(start))
	o.cover[start] = mark
	for n := 0; n < len(o.queue); n++ {
		x, y := int(o.queue[n])%w, int(o.queue[n])/w
		for yy := max(0, y-1); yy <= min(h-1, y+1); yy++ {
			for xx := max(0, x-1); xx <= min(w-1, x+1); xx++ {
				if i := yy*w + xx; o.block[i] == kind && o.cover[i] == 0 {
					o.cover[i] = mark
					o.queue = append(o.queue, int32(i))
				}
			}
		}
	}
}

// fill makes body of what is closed in by it.
func (o *outline) fill(w, h int) {
	clear(o.cover)
	for y := range h {
		for x := range w {
			if (x == 0 || y == 0 || x == w-1 || y == h-1) && o.block[y*w+x] == blockNone && o.cover[y*w+x] == 0 {
				o.flood4(y*w+x, w, h)
			}
		}
	}
	for i, b := range o.block {
		if b == blockNone && o.cover[i] == 0 {
			o.block[i] = blockBody
		}
	}
}

// flood4 marks the empty blocks that hang together side by side.
func (o *outline) flood4(start, w, h int) {
	o.queue = append(o.queue[:0], int32(start))
	o.cover[start] = 1
	for n := 0; n < len(o.queue); n++ {
		i := int(o.queue[n])
		x, y := i%w, i/w
		for _, j := range [...]int{i - 1, i + 1, i - w, i + w} {
			if j == i-1 && x == 0 || j == i+1 && x == w-1 || j == i-w && y == 0 || j == i+w && y == h-1 {
				continue
			}
			if o.block[j] == blockNone && o.cover[j] == 0 {
				o.cover[j] = 1
				o.queue = append(o.queue, int32(j))
			}
		}
	}
}

// prune takes pieces away that are too small to be a part of the body.
func (o *outline) prune() {
	w, h := o.area.Dx(), o.area.Dy()
	for i, b := range o.block {
		if b == blockEdge {
			o.block[i] = blockBody
		}
	}
	clear(o.cover)
	largest := 0
	for start, b := range o.block {
		if b == blockBody && o.cover[start] == 0 {
			o.flood(start, w, h, blockBody, 1)
			largest = max(largest, len(o.queue))
		}
	}
	clear(o.cover)
	for start, b := range o.block {
		if b != blockBody || o.cover[start] != 0 {
			continue
		}
		o.flood(start, w, h, blockBody, 1)
		if len(o.queue)*20 < largest {
			for _, i := range o.queue {
				o.block[i] = blockNone
			}
		}
	}
}
