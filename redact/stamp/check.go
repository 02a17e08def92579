package stamp

import (
	"image"

	"veilbox/capture/footage"
	"veilbox/redact/veil"
)

// What a lossy codec may change of a stamp.
const (
	MaxEnergy = 250. // of a character's box: mean square of the difference
	MaxChroma = 12.  // of a chroma sample: difference from neutral
)

// A Report is how far a stamp is from what was drawn.
type Report struct {
	OK     bool    `json:"ok"`
	Energy float64 `json:"energy"` // of the worst character, or part of the bar of that size
	Chroma float64 `json:"chroma"` // of the worst sample
}

// Check draws the stamp of the frame at at again and holds the frame against it.
// The error is that the frame cannot be measured.
func (t *Stamper) Check(f *veil.Frame, at footage.Ticks) (Report, error) {
	if err := t.check(f); err != nil {
		return Report{}, err
	}
	t.render(at)
	var r Report
	w, h := t.px.Dx(), t.px.Dy()
	// Boxes as wide as a character, so that one that is another counts for
	// itself, and the rest at both ends.
	left := (w - len(t.text)*t.cw) / 2
	for x0 := 0; x0 < w; {
		x1 := min(w, left+((x0-left+t.cw)/t.cw)*t.cw)
		if x0 < left {
			x1 = left
		}
		for _, ys := range [3][2]int{{0, t.top}, {t.top, t.top + t.ch}, {t.top + t.ch, h}} {
			r.Energy = max(r.Energy, t.energy(f, image.Rect(x0, ys[0], x1, min(h, ys[1]))))
		}
		x0 = x1
	}
	for y := t.px.Min.Y / 2; y < t.px.Max.Y/2; y++ {
		for _, p := range [2][]byte{f.U, f.V} {
			for _, v := range p[y*f.W/2+t.px.Min.X/2 : y*f.W/2+t.px.Max.X/2] {
				r.Chroma = max(r.Chroma, float64(max(int(v)-neutral, neutral-int(v))))
			}
		}
	}
	r.OK = r.Energy <= MaxEnergy && r.Chroma <= MaxChroma
	return r, nil
}

// energy returns the mean square of the difference over a box of the bar.
func (t *Stamper) energy(f *veil.Frame, b image.Rectangle) float64 {
	if b.Empty() {
		return 0
	}
	sum := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		have := f.Y[(t.px.Min.Y+y)*f.W+t.px.Min.X:]
		want := t.bar[y*t.px.Dx():]
		for x := b.Min.X; x < b.Max.X; x++ {
			d := int(have[x]) - int(want[x])
			sum += d * d
		}
	}
	return float64(sum) / float64(b.Dx()*b.Dy())
}
