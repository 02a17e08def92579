package veil

import (
	"math"
	"math/rand/v2"
)

// A colour is luma and chroma, 0 to 255.
type colour [3]float64

// A face is what makes one person's head differ from another's, as it would be
// seen by a camera: colours, and shapes as fractions of the head's height.
type face struct {
	skin, hair, iris, lips colour
	hairTop, hairSide      float64 // how far hair reaches down, at the front and the sides
	wide                   float64 // head's width by its height
	eyes, eyeSize, brow    float64
	nose, mouth, jaw       float64
	beard, glasses         float64 // 0: none
	glassColour            colour
	roundGlasses           bool
}

func between(r *rand.Rand, a, b float64) float64 { return a + (b-a)*r.Float64() }

// someone draws a person. Skin and hair go together as they do among people,
// with exceptions.
func someone(r *rand.Rand) face {
	tan := math.Pow(r.Float64(), 1.5) // of most shoppers in Denmark little
	f := face{
		skin:        colour{190 - 110*tan, 112 + 8*tan, 150 + 4*between(r, -1, 1)},
		iris:        colour{between(r, 40, 110), between(r, 118, 145), between(r, 118, 132)},
		hairTop:     between(r, 0.08, 0.3),
		hairSide:    between(r, 0.1, 0.9),
		wide:        between(r, 0.66, 0.8),
		eyes:        between(r, 0.16, 0.21),
		eyeSize:     between(r, 0.03, 0.05),
		brow:        between(r, 0.01, 0.03),
		nose:        between(r, 0.12, 0.2),
		mouth:       between(r, 0.12, 0.2),
		jaw:         between(r, 0.7, 1),
		glassColour: colour{between(r, 20, 120), 128, 128},
	}
	f.lips = colour{f.skin[0] - 35, f.skin[1] - 3, f.skin[2] + 12}
	fair := between(r, 0, 1)
	if tan > 0.5 {
		fair *= 0.3
	}
	f.hair = colour{35 + 125*fair, 122 - 14*fair, 130 + 10*between(r, 0, 1)}
	if r.IntN(8) == 0 { // grey
		f.hair = colour{between(r, 110, 200), 128, 128}
	}
	if r.IntN(6) == 0 { // nearly bald
		f.hairTop, f.hairSide = 0.02, 0.2
	}
	if r.IntN(3) == 0 {
		f.beard = between(r, 0.4, 1)
	}
	if r.IntN(3) == 0 {
		f.glasses, f.roundGlasses = between(r, 0.006, 0.02), r.IntN(2) == 0
	}
	return f
}

// A sitting is one time that a person is seen: light, turn and mouth differ.
type sitting struct {
	gain, castU, castV float64
	turn               float64 // of the head, as a shift of the features
	open               float64 // of the mouth
	noise              float64
	seed               uint64
}

func someTime(r *rand.Rand) sitting {
	return sitting{gain: between(r, 0.88, 1.12), castU: between(r, -4, 4), castV: between(r, -4, 4),
		turn: between(r, -0.05, 0.05), open: between(r, 0, 0.03), noise: 3, seed: r.Uint64()}
}

// at returns the colour of the head at (x, y), from -0.5 to 0.5 across its height
// and 0 to 1 down it, and whether the head is there.
func (f *face) at(x, y float64, s *sitting) (colour, bool) {
	half := f.wide / 2
	if y > 0.6 { // the jaw
		half *= 1 - (1-f.jaw*0.75)*(y-0.6)/0.4
	}
	oval := (x/half)*(x/half) + ((y-0.5)/0.5)*((y-0.5)/0.5)
	if oval > 1.12 || y < 0 || y > 1 {
		return colour{}, false
	}
	side := math.Abs(x)/half > 0.82
	if y < f.hairTop || side && y < f.hairSide || oval > 1 {
		if oval > 1 && y > f.hairSide {
			return colour{}, false
		}
		return f.hair, true
	}
	fx := x - s.turn
	for _, eye := range [2]float64{-f.eyes, f.eyes} {
		dx, dy := fx-eye, y-0.45
		d := math.Hypot(dx, dy*1.6)
		switch {
		case d < f.eyeSize*0.5:
			return f.iris, true
		case d < f.eyeSize:
			return colour{205, 128, 128}, true
		case math.Abs(dx) < f.eyeSize*1.5 && math.Abs(y-0.36) < f.brow:
			return f.hair, true
		}
		if f.glasses > 0 {
			ring := math.Abs(math.Max(math.Abs(dx), math.Abs(dy)) - 0.085)
			if f.roundGlasses {
				ring = math.Abs(math.Hypot(dx, dy) - 0.085)
			}
			if ring < f.glasses {
				return f.glassColour, true
			}
		}
	}
	c := f.skin
	switch {
	case math.Abs(fx) < 0.02+0.05*math.Max(0, (y-0.5)/f.nose) && y > 0.5 && y < 0.45+f.nose:
		c[0] -= 14
	case math.Abs(fx) < f.mouth/2 && math.Abs(y-0.76) < 0.015+s.open:
		return f.lips, true
	case f.beard > 0 && (y > 0.7 || side && y > 0.5):
		for i := range c {
			c[i] += (f.hair[i] - c[i]) * f.beard
		}
	}
	c[0] -= 25 * oval * oval // round
	return c, true
}

// A head is where a face is in a frame: its height in pixels, the middle of its
// top.
type head struct{ x, y, height float64 }

// draw puts the face onto f.
func (f *face) draw(on *Frame, h head, s sitting) {
	r := rand.New(rand.NewPCG(s.seed, 5))
	put := func(p int, x, y int, fx, fy float64) {
		c, in := f.at((fx-h.x)/h.height, (fy-h.y)/h.height, &s)
		if !in {
			return
		}
		v := c[p]
		switch p {
		case 0:
			v = v*s.gain + s.noise*r.NormFloat64()
		case 1:
			v += s.castU
		case 2:
			v += s.castV
		}
		w, _ := planeSize(p, on.W, on.H)
		on.planes()[p][y*w+x] = byte(math.Max(0, math.Min(255, v)))
	}
	for p := range 3 {
		w, hh := planeSize(p, on.W, on.H)
		k := float64(on.W / w)
		for y := max(0, int((h.y-1)/k)); y < min(hh, int((h.y+h.height+1)/k)+1); y++ {
			for x := max(0, int((h.x-h.height)/k)); x < min(w, int((h.x+h.height)/k)+1); x++ {
				put(p, x, y, (float64(x)+0.5)*k, (float64(y)+0.5)*k)
			}
		}
	}
}

// shop draws a background: shelves of goods in many colours.
func shop(w, h int, r *rand.Rand) *Frame {
	f := noise(w, h, 1)
	base := colour{between(r, 60, 190), 128, 128}
	for p, pix := range f.planes() {
		for i := range pix {
			pix[i] = byte(base[p])
		}
	}
	for range 120 {
		bw, bh := 2*(3+r.IntN(w/24)), 2*(3+r.IntN(h/16))
		x0, y0 := 2*r.IntN((w-bw)/2), 2*r.IntN((h-bh)/2)
		c := colour{between(r, 30, 220), between(r, 100, 156), between(r, 100, 156)}
		for p, pix := range f.planes() {
			pw, _ := planeSize(p, w, h)
			k := w / pw
			for y := y0 / k; y < (y0+bh)/k; y++ {
				for x := x0 / k; x < (x0+bw)/k; x++ {
					pix[y*pw+x] = byte(c[p])
				}
			}
		}
	}
	return f
}
