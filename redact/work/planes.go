//go:build linux

package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/track"
)

// Bounds of the analysis.
const (
	planeWidth = 384 // pixels at most
	planeLeast = 192 // before frames are left out instead
	leastRate  = 2.  // frames a second that a tracker can follow
)

// planes are the small luma planes of a clip, of every stride-th frame, within
// a budget: where they outgrow it, every second one is given up.
type planes struct {
	w, h   int
	budget int64
	stride int
	pix    [][]byte
	spare  [][]byte
	times  []footage.Ticks // of all frames
	start  footage.Ticks   // of the first frame, from the start of the file
	// people are those that a detector found, by frame; nil: it did not look.
	people map[int][]track.Person
}

func newPlanes(info codec.Info, budget int64) *planes {
	n := info.Frames
	if n == 0 {
		n = 3000
	}
	w := float64(min(planeWidth, info.Width))
	ratio := float64(info.Height) / float64(info.Width)
	if fit := math.Sqrt(float64(budget) / (float64(n+n/20) * ratio)); fit < w {
		w = math.Min(w, math.Max(planeLeast, fit))
	}
	return &planes{w: max(track.MinPlane, int(w)), h: max(track.MinPlane, int(w*ratio)), budget: budget, stride: 1}
}

// next returns room for one more plane.
func (p *planes) next() []byte {
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return b
	}
	// Many planes in one piece: the collector has fewer to look after.
	size := p.w * p.h
	slab := make([]byte, 16*size)
	for len(slab) > 0 {
		p.spare = append(p.spare, slab[:size:size])
		slab = slab[size:]
	}
	return p.next()
}

// add takes the plane of the next frame.
func (p *planes) add(b []byte, at footage.Ticks) {
	i := len(p.times)
	p.times = append(p.times, at)
	if i%p.stride == 0 && int64(len(p.pix)+17)*int64(p.w*p.h) > p.budget {
		kept := p.pix[:0]
		for k, old := range p.pix {
			if k%2 == 0 {
				kept = append(kept, old)
			} else {
				p.spare = append(p.spare, old)
			}
		}
		p.pix = kept
		p.stride *= 2
	}
	if i%p.stride == 0 {
		p.pix = append(p.pix, b)
	} else {
		p.spare = append(p.spare, b)
	}
}

func (p *planes) Len() int { return len(p.pix) }

func (p *planes) Time(i int) float64 {
	return float64(p.times[i*p.stride]) / footage.TicksPerSecond
}

func (p *planes) Plane(i int) track.Plane { return track.Plane{W: p.w, H: p.h, Pix: p.pix[i]} }

// load decodes the clip into small planes. look gets each frame that a detector
// is to see; it may be nil.
func (w *worker) load(ctx context.Context, f *os.File, info codec.Info, p *planes, look *look) error {
	limits := w.job.Limits
	st, err := w.tools.Small(ctx, f, p.w, p.h)
	if err != nil {
		return err
	}
	defer st.Close()
	for {
		b := p.next()
		at, err := st.Next(b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if len(p.times) == mask.MaxFrames || float64(at) > limits.Picture.Seconds*footage.TicksPerSecond {
			return codec.TooLarge.With(fmt.Errorf("work: more than %d frames or %.0f s", mask.MaxFrames, limits.Picture.Seconds))
		}
		look.see(len(p.times), at, b)
		p.add(b, at)
		w.at("decode", len(p.times), max(info.Frames, len(p.times)))
	}
	p.start = st.Start()
	last := float64(p.times[len(p.times)-1]) / footage.TicksPerSecond
	if p.stride > 1 && float64(len(p.pix)) < leastRate*last {
		return codec.TooLarge.With(fmt.Errorf("work: a clip of %.0f s does not fit in %d bytes of planes", last, limits.Planes))
	}
	return nil
}

// rateOf returns the frames a second of n frames of which the last is at last.
func rateOf(n int, last footage.Ticks) float64 {
	return min(240, max(1, float64(n-1)*footage.TicksPerSecond/float64(last)))
}
