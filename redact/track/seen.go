package track

import "image"

// A seen is the part of one frame that is looked at: luma, and how much of each
// pixel is foreground.
type seen struct {
	frame  int
	w      int // of the whole plane
	pix    []byte
	fg     []byte          // as large as the plane; right only within window
	window image.Rectangle // what fg holds
	hist   [511]int
	hazy   float64 // of a box: up to here foreground says nothing of a body
	rough  []byte
}

// look makes s hold window of a frame.
func (e *engine) look(frame int, window image.Rectangle) error {
	s := &e.seen
	pix, err := e.plane(frame)
	if err != nil {
		return err
	}
	if s.fg == nil {
		s.fg, s.rough = make([]byte, e.w*e.h), make([]byte, e.w*e.h)
		s.w = e.w
	}
	s.frame, s.pix = frame, pix
	s.window = window.Intersect(image.Rect(0, 0, e.w, e.h))
	s.hazy = e.bg.hazy
	m := e.bg.at(frame)
	shift := s.light(m)
	r := s.window
	for y := r.Min.Y; y < r.Max.Y; y++ {
		o, n := y*e.w+r.Min.X, r.Dx()
		p, mid, th, dst := pix[o:o+n], m.mid[o:o+n], m.thresh[o:o+n], s.rough[o:o+n]
		for i := range p {
			d := int(p[i]) - int(mid[i]) - shift
			if d < 0 {
				d = -d
			}
			dst[i] = byte(max(0, min(255, (d-int(th[i]))*14)))
		}
	}
	s.smooth()
	return nil
}

// light returns how much brighter the frame is than the background on the
// whole: the middle of the differences, so that people do not count.
func (s *seen) light(m model) int {
	clear(s.hist[:])
	n := 0
	for i := 7; i < len(s.pix); i += 61 {
		s.hist[255+int(s.pix[i])-int(m.mid[i])]++
		n++
	}
	for d, c := range s.hist {
		if n -= 2 * c; n <= 0 {
			return d - 255
		}
	}
	return 0
}

// smooth makes fg of rough: the mean of three by three, which takes away
// specks.
func (s *seen) smooth() {
	r := s.window
	for y := r.Min.Y; y < r.Max.Y; y++ {
		up, dn := max(y-1, r.Min.Y), min(y+1, r.Max.Y-1)
		for x := r.Min.X; x < r.Max.X; x++ {
			l, g := max(x-1, r.Min.X), min(x+1, r.Max.X-1)
			a, b, c := up*s.w, y*s.w, dn*s.w
			sum := int(s.rough[a+l]) + int(s.rough[a+x]) + int(s.rough[a+g]) +
				int(s.rough[b+l]) + int(s.rough[b+x])*2 + int(s.rough[b+g]) +
				int(s.rough[c+l]) + int(s.rough[c+x]) + int(s.rough[c+g])
			s.fg[b+x] = byte(min(255, sum/10*5/4))
		}
	}
}
