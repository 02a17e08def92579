package shape

import "image"

// Union appends the blocks of a and of b to dst.
func Union(dst, a, b Shape) Shape {
	return merge(dst, a, b, func(ina, inb bool) bool { return ina || inb })
}

// Minus appends the blocks of a that are not in b to dst.
func Minus(dst, a, b Shape) Shape {
	return merge(dst, a, b, func(ina, inb bool) bool { return ina && !inb })
}

// Intersect appends the blocks that a and b share to dst.
func Intersect(dst, a, b Shape) Shape {
	return merge(dst, a, b, func(ina, inb bool) bool { return ina && inb })
}

// Overlap reports whether a and b share a block.
func Overlap(a, b Shape) bool {
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		if x.Row == y.Row && x.From < y.To && y.From < x.To {
			return true
		}
		if x.Row < y.Row || x.Row == y.Row && x.To <= y.To {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return false
}

// merge walks over the rows of both and appends where in says so. dst must not
// share memory with a or b.
func merge(dst, a, b Shape, in func(ina, inb bool) bool) Shape {
	for len(a) > 0 || len(b) > 0 {
		var row uint16
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Row <= b[0].Row:
			row = a[0].Row
		default:
			row = b[0].Row
		}
		na, nb := rowEnd(a, row), rowEnd(b, row)
		dst = mergeRow(dst, row, a[:na], b[:nb], in)
		a, b = a[na:], b[nb:]
	}
	return dst
}

func rowEnd(s Shape, row uint16) int {
	n := 0
	for n < len(s) && s[n].Row == row {
		n++
	}
	return n
}

func mergeRow(dst Shape, row uint16, a, b Shape, in func(ina, inb bool) bool) Shape {
	at, ina, inb := uint16(0), false, false
	for len(a) > 0 || len(b) > 0 {
		next := uint16(0xffff)
		if len(a) > 0 {
			next = min(next, edge(a[0], ina))
		}
		if len(b) > 0 {
			next = min(next, edge(b[0], inb))
		}
		if next > at && in(ina, inb) {
			dst = extend(dst, row, at, next)
		}
		at = next
		ina, a = cross(ina, a, at)
		inb, b = cross(inb, b, at)
	}
	return dst
}

func edge(r Run, inside bool) uint16 {
	if inside {
		return r.To
	}
	return r.From
}

func cross(inside bool, s Shape, at uint16) (bool, Shape) {
	if len(s) == 0 || edge(s[0], inside) != at {
		return inside, s
	}
	if inside {
		return false, s[1:]
	}
	return true, s
}

func extend(dst Shape, row, from, to uint16) Shape {
	if n := len(dst); n > 0 && dst[n-1].Row == row && dst[n-1].To == from {
		dst[n-1].To = to
		return dst
	}
	return append(dst, Run{row, from, to})
}

// A Bitmap is the blocks of a grid, to be set one by one.
type Bitmap struct {
	Cols, Rows int
	Bits       []bool // by row
}

// NewBitmap returns the empty bitmap of g.
func NewBitmap(g Grid) *Bitmap {
	return &Bitmap{Cols: g.Cols(), Rows: g.Rows(), Bits: make([]bool, g.Cols()*g.Rows())}
}

// Clear empties b.
func (b *Bitmap) Clear() { clear(b.Bits) }

// Add sets the blocks of s, or clears them. s must be of b's grid.
func (b *Bitmap) Add(s Shape, v bool) {
	for _, r := range s {
		line := b.Bits[int(r.Row)*b.Cols : (int(r.Row)+1)*b.Cols]
		for i := r.From; i < r.To; i++ {
			line[i] = v
		}
	}
}

// Shape appends the blocks that are set to dst.
func (b *Bitmap) Shape(dst Shape) Shape {
	for row := range b.Rows {
		line := b.Bits[row*b.Cols : (row+1)*b.Cols]
		for i := 0; i < len(line); i++ {
			if !line[i] {
				continue
			}
			from := i
			for i < len(line) && line[i] {
				i++
			}
			dst = append(dst, Run{uint16(row), uint16(from), uint16(i)})
		}
	}
	return dst
}

// Rects appends s as rectangles of blocks to dst: runs of equal columns in rows
// that follow each other become one.
func (s Shape) Rects(dst []image.Rectangle) []image.Rectangle {
	n := len(dst)
	for _, r := range s {
		row, grown := int(r.Row), false
		for i := len(dst) - 1; i >= n; i-- {
			if d := &dst[i]; d.Max.Y == row && d.Min.X == int(r.From) && d.Max.X == int(r.To) {
				d.Max.Y++
				grown = true
				break
			}
		}
		if !grown {
			dst = append(dst, image.Rect(int(r.From), row, int(r.To), row+1))
		}
	}
	return dst
}
