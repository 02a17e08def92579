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
	"veilbox/redact/shape"
	"veilbox/redact/subject"
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

// load decodes the clip into small planes.
func (w *worker) load(ctx context.Context, f *os.File, info codec.Info) (*planes, error) {
	limits := w.job.Limits
	p := newPlanes(info, limits.Planes)
	st, err := w.tools.Small(ctx, f, p.w, p.h)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	for {
		b := p.next()
		at, err := st.Next(b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(p.times) == mask.MaxFrames || float64(at) > limits.Picture.Seconds*footage.TicksPerSecond {
			return nil, codec.TooLarge.With(fmt.Errorf("work: more than %d frames or %.0f s", mask.MaxFrames, limits.Picture.Seconds))
		}
		p.add(b, at)
		w.at("decode", len(p.times), max(info.Frames, len(p.times)))
	}
	last := float64(p.times[len(p.times)-1]) / footage.TicksPerSecond
	if p.stride > 1 && float64(len(p.pix)) < leastRate*last {
		return nil, codec.TooLarge.With(fmt.Errorf("work: a clip of %.0f s does not fit in %d bytes of planes", last, limits.Planes))
	}
	return p, nil
}

// rate returns the frames a second, for the encoder.
func (p *planes) rate(info codec.Info) float64 {
	n := len(p.times)
	if n < 2 {
		return info.Rate
	}
	return min(240, max(1, float64(n-1)*footage.TicksPerSecond/float64(p.times[n-1])))
}

// follow tracks the subjects and returns the mask of every frame. Frames that
// the tracker did not see lie between two that it did: what is shown of them is
// on the straight line between both, and nothing where either is not sure.
func (w *worker) follow(ctx context.Context, p *planes, info codec.Info) (*mask.Mask, error) {
	m := &mask.Mask{Grid: shape.For(info.Width, info.Height), Mode: w.job.Choice.Mode, Subjects: len(w.job.Subjects),
		Veiled: w.job.Veiled, Frames: make([]mask.Frame, len(p.times))}
	for i := range m.Frames {
		m.Frames[i] = mask.Frame{At: p.times[i], Subjects: make([]mask.Seen, m.Subjects)}
	}
	times := make([]footage.Ticks, len(p.pix))
	for i := range times {
		times[i] = p.times[i*p.stride]
	}
	veiled := m.Cover()
	for k, who := range w.job.Subjects {
		regions, err := track.Run(ctx, p, who, func(done, total int) { w.at("track", done, total) })
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, BadSubject.With(err)
		}
		if len(regions) != len(p.pix) {
			return nil, fmt.Errorf("work: %d regions for %d planes", len(regions), len(p.pix))
		}
		doubt(regions, times)
		for i := range m.Frames {
			j := i / p.stride
			r := regions[j]
			if part := i % p.stride; part != 0 {
				r = track.Region{Reason: "between"}
				if j+1 < len(regions) {
					at, from, to := p.times[i], p.times[j*p.stride], p.times[(j+1)*p.stride]
					r = between(regions[j], regions[j+1], float64(at-from)/float64(to-from))
				}
			}
			m.Frames[i].Subjects[k] = seenOf(r, m.Grid, veiled)
		}
	}
	return m, nil
}

func seenOf(r track.Region, g shape.Grid, veiled shape.Shape) mask.Seen {
	s := mask.Seen{Reason: mask.ReasonOf(r.Reason), Confidence: mask.Percent(r.Confidence)}
	switch r.State {
	case track.Gone:
		s.State = mask.Gone
	case track.Shown:
		// With somebody else near, what is shown would hold a part of them. Only
		// a person's own keyframe shows such a frame.
		if r.Reason == track.ReasonCrowded {
			break
		}
		if s.Shape = shape.Minus(nil, g.Inside(r.Rect), veiled); !s.Shape.Empty() {
			s.State = mask.Shown
		}
	}
	return s
}

func between(a, b track.Region, t float64) track.Region {
	r := track.Region{Reason: "between", Confidence: min(a.Confidence, b.Confidence)}
	switch {
	case a.State == track.Gone && b.State == track.Gone:
		r.State = track.Gone
	case a.State == track.Shown && b.State == track.Shown:
		p, q := a.Rect, b.Rect
		mix := func(x, y float64) float64 { return x + (y-x)*t }
		r.State = track.Shown
		r.Rect = subject.Rect{X: mix(p.X, q.X), Y: mix(p.Y, q.Y), W: mix(p.W, q.W), H: mix(p.H, q.H)}
	}
	return r
}
