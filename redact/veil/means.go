package veil

import "fmt"

// SetMeans gives the means of the cells of the frame that is veiled next, of
// Cells() samples a plane, by row, from top left. Where that frame's cells are
// to be renewed they are used, and else forgotten: so they may come with every
// frame, or with those alone for which Due says so. It spares Apply to read the
// frame: a decoder's scaler makes them on the way ("scale=COLS:ROWS:flags=area"
// of the luma, and the same of the chroma planes).
//
// A sample is a mean rounded to a whole step, so that a level may be one beside
// that which Apply would have measured, where the mean is within half a step of
// the border between both. Where the frame is no whole number of cells, a scaler
// divides it evenly and Apply gives the rest to the last column and row: the
// means are then of areas that lie up to half a cell beside those on which they
// are painted. Neither is finer than a cell, and what cannot be seen is the same.
func (v *Veil) SetMeans(y, u, b []byte) error {
	for p, m := range [3][]byte{y, u, b} {
		if len(m) != v.cols*v.rows {
			return fmt.Errorf("veil: %d means of plane %d for %d by %d cells", len(m), p, v.cols, v.rows)
		}
		copy(v.means[p], m)
	}
	v.given = true
	return nil
}

// Due reports whether Apply will renew cells with the next frame.
func (v *Veil) Due() bool { return !v.o.Solid && (v.age+1)%v.o.Hold == 0 }

// renew takes the levels of the cells that are due.
func (v *Veil) renew(f *Frame) {
	due, given := v.Due(), v.given
	v.age, v.given = v.age+1, false
	switch {
	case !due:
	case given:
		for p, m := range v.means {
			n := v.levels(p)
			for i, x := range m {
				l := &v.level[p][i]
				*l = quantise(int(x), 1, n, *l)
			}
		}
	default:
		v.measure(f)
	}
}

// measure takes the levels of all cells from f.
func (v *Veil) measure(f *Frame) {
	for p, pix := range f.planes() {
		pw, ph := planeSize(p, v.w, v.h)
		n := v.levels(p)
		for r := range v.rows {
			y0, y1 := edge(p, r, v.rows, v.o.Cell, ph), edge(p, r+1, v.rows, v.o.Cell, ph)
			for c := range v.cols {
				x0, x1 := edge(p, c, v.cols, v.o.Cell, pw), edge(p, c+1, v.cols, v.o.Cell, pw)
				sum := 0
				for y := y0; y < y1; y++ {
					sum += sumBytes(pix[y*pw+x0 : y*pw+x1])
				}
				l := &v.level[p][r*v.cols+c]
				*l = quantise(sum, (y1-y0)*(x1-x0), n, *l)
			}
		}
	}
}

func (v *Veil) levels(p int) int {
	if p == 0 {
		return v.o.Levels
	}
	return ChromaLevels(v.o.Levels)
}

// quantise returns the level of a mean of sum/n, of levels over 0 to 255. It
// stays at last until the mean has left that level by half a step.
func quantise(sum, n, levels, last int) int {
	if last >= 0 {
		// In units of 1/(256*n*2) of a step.
		at := sum * levels * 2
		if at >= (last*2-1)*256*n && at < (last*2+3)*256*n {
			return last
		}
	}
	return min(levels-1, sum*levels/(256*n))
}

// value returns the sample that stands for a level: the middle of its step.
func value(level, levels int) byte {
	return byte(min(255, (2*level+1)*256/(2*levels)))
}

// sumBytes returns the sum of b, eight at a time.
func sumBytes(b []byte) int {
	total := 0
	for len(b) >= 8 {
		// A lane of 16 bits takes 128 rounds of two bytes before it can overflow.
		n := min(len(b)/8, 128) * 8
		var acc uint64
		for i := 0; i < n; i += 8 {
			w := b[i : i+8 : i+8]
			u := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
				uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
			acc += u&lanes + u>>8&lanes
		}
		total += int(acc&0xffff + acc>>16&0xffff + acc>>32&0xffff + acc>>48)
		b = b[n:]
	}
	for _, x := range b {
		total += int(x)
	}
	return total
}
