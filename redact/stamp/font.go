package stamp

import (
	"encoding/binary"
	"errors"
	"image"
	"math"

	"golang.org/x/image/vector"
)

// A typeface is the outlines of a TrueType font (OpenType 1.9: tables cmap,
// glyf, loca, head, hhea). It reads what a font of one width needs and nothing
// else: x/image's own reader would bring x/text into the program. The font is
// part of the program, so that a table out of bounds is a defect of it.
type typeface struct {
	glyf, loca, cmap []byte
	long             bool // entries of loca have four bytes
	em               float32
	ascent, descent  float32 // in em, both positive
	advance          float32 // of every character, in em
}

var errFont = errors.New("stamp: the font of this program is damaged: install it again")

func u16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }
func i16(b []byte) int { return int(int16(binary.BigEndian.Uint16(b))) }
func u32(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

func parse(ttf []byte) (t *typeface, err error) {
	defer func() {
		if recover() != nil {
			t, err = nil, errFont
		}
	}()
	table := map[string][]byte{}
	for i := range u16(ttf[4:]) {
		e := ttf[12+16*i:]
		table[string(e[:4])] = ttf[u32(e[8:]) : u32(e[8:])+u32(e[12:])]
	}
	head, hhea := table["head"], table["hhea"]
	t = &typeface{glyf: table["glyf"], loca: table["loca"], long: u16(head[50:]) == 1, em: float32(u16(head[18:]))}
	t.ascent, t.descent = float32(i16(hhea[4:]))/t.em, -float32(i16(hhea[6:]))/t.em
	t.advance = float32(u16(table["hmtx"])) / t.em
	cmap := table["cmap"]
	for i := range u16(cmap[2:]) {
		// Unicode's first plane, of Microsoft's platform: format 4.
		if e := cmap[4+8*i:]; u16(e) == 3 && u16(e[2:]) == 1 && u16(cmap[u32(e[4:]):]) == 4 {
			t.cmap = cmap[u32(e[4:]):]
		}
	}
	if t.cmap == nil || t.advance <= 0 || t.em == 0 {
		return nil, errFont
	}
	return t, nil
}

// index returns the glyph of r; 0 is a box, for what the font does not have.
func (t *typeface) index(r rune) int {
	n := u16(t.cmap[6:]) // twice the number of ranges
	for i := 0; i < n; i += 2 {
		end, start := u16(t.cmap[14+i:]), u16(t.cmap[16+n+i:])
		if int(r) > end {
			continue
		}
		if int(r) < start {
			return 0
		}
		delta, at := u16(t.cmap[16+2*n+i:]), 16+3*n+i
		off := u16(t.cmap[at:])
		if off == 0 {
			return (int(r) + delta) & 0xffff
		}
		g := u16(t.cmap[at+off+2*(int(r)-start):])
		if g == 0 {
			return 0
		}
		return (g + delta) & 0xffff
	}
	return 0
}

// draw returns the coverage of r in a box of w by h pixels, with letters of size
// pixels an em on the line base.
func (t *typeface) draw(r rune, size float32, w, h int, base float32) (a *image.Alpha, err error) {
	defer func() {
		if recover() != nil {
			a, err = nil, errFont
		}
	}()
	a = image.NewAlpha(image.Rect(0, 0, w, h))
	z := vector.NewRasterizer(w, h)
	s := size / t.em
	x := (float32(w) - t.advance*size) / 2
	t.outline(t.index(r), func(px, py float32) (float32, float32) {
		// What an accent has above the line is cut, not lost at the side.
		return clamp(x+px*s, w), clamp(base-py*s, h)
	}, z, 0)
	z.Draw(a, a.Bounds(), image.Opaque, image.Point{})
	return a, nil
}

func clamp(v float32, n int) float32 { return float32(math.Max(0, math.Min(float64(n), float64(v)))) }

type place func(x, y float32) (float32, float32)

// outline adds glyph g to z.
func (t *typeface) outline(g int, to place, z *vector.Rasterizer, depth int) {
	var from, end int
	if t.long {
		from, end = u32(t.loca[4*g:]), u32(t.loca[4*g+4:])
	} else {
		from, end = 2*u16(t.loca[2*g:]), 2*u16(t.loca[2*g+2:])
	}
	if from == end || depth > 4 {
		return // a space has no outline
	}
	b := t.glyf[from:end]
	if n := i16(b); n >= 0 {
		simple(b[10:], n, to, z)
		return
	}
	for b = b[10:]; ; {
		flags, part := u16(b), u16(b[2:])
		var dx, dy float32
		if b = b[4:]; flags&1 != 0 {
			dx, dy, b = float32(i16(b)), float32(i16(b[2:])), b[4:]
		} else {
			dx, dy, b = float32(int8(b[0])), float32(int8(b[1])), b[2:]
		}
		if flags&(8|0x40|0x80) != 0 || flags&2 == 0 {
			panic(errFont) // parts are moved; this font scales and turns none
		}
		t.outline(part, func(x, y float32) (float32, float32) { return to(x+dx, y+dy) }, z, depth+1)
		if flags&0x20 == 0 {
			return
		}
	}
}

type point struct {
	x, y float32
	on   bool
}

// simple adds a glyph of n contours.
func simple(b []byte, n int, to place, z *vector.Rasterizer) {
	if n == 0 {
		return
	}
	ends := b[:2*n]
	total := u16(ends[2*n-2:]) + 1
	b = b[2*n:]
	b = b[2+u16(b):] // past the hinting
	flags := make([]byte, 0, total)
	for len(flags) < total {
		f := b[0]
		b = b[1:]
		flags = append(flags, f)
		if f&8 != 0 {
			for range b[0] {
				flags = append(flags, f)
			}
			b = b[1:]
		}
	}
	p := make([]point, total)
	read := func(short, same byte, set func(p *point, v float32)) {
		v := 0
		for i := range p {
			switch f := flags[i]; {
			case f&short != 0 && f&same != 0:
				v, b = v+int(b[0]), b[1:]
			case f&short != 0:
				v, b = v-int(b[0]), b[1:]
			case f&same == 0:
				v, b = v+i16(b), b[2:]
			}
			set(&p[i], float32(v))
		}
	}
	read(2, 16, func(p *point, v float32) { p.x = v })
	read(4, 32, func(p *point, v float32) { p.y = v })
	for i := range p {
		p[i].x, p[i].y = to(p[i].x, p[i].y)
		p[i].on = flags[i]&1 != 0
	}
	from := 0
	for i := range n {
		end := u16(ends[2*i:]) + 1
		contour(p[from:end], z)
		from = end
	}
}

// contour adds a closed line. Between two points that are off it lies one, in
// the middle, that is on.
func contour(p []point, z *vector.Rasterizer) {
	if len(p) < 2 {
		return
	}
	first := p[0]
	if !first.on {
		if last := p[len(p)-1]; last.on {
			first = last
		} else {
			first = middle(first, last)
		}
	}
	z.MoveTo(first.x, first.y)
	var off *point
	step := func(q point) {
		switch {
		case off == nil && q.on:
			z.LineTo(q.x, q.y)
		case off == nil:
			off = &q
		case q.on:
			z.QuadTo(off.x, off.y, q.x, q.y)
			off = nil
		default:
			m := middle(*off, q)
			z.QuadTo(off.x, off.y, m.x, m.y)
			off = &q
		}
	}
	for i, q := range p {
		if i > 0 || !q.on {
			step(q)
		}
	}
	first.on = true
	step(first)
	z.ClosePath()
}

func middle(a, b point) point { return point{(a.x + b.x) / 2, (a.y + b.y) / 2, true} }
