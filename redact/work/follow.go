//go:build linux

package work

import (
	"context"
	"errors"
	"fmt"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/track"
	"veilbox/redact/veil"
)

// A follower tracks through the planes of one clip, again and again.
type follower struct {
	w    *worker
	p    *planes
	info codec.Info
	grid shape.Grid
	t    *track.Tracker
}

// follower learns what stands still in the planes.
func (w *worker) follower(ctx context.Context, p *planes, info codec.Info) (*follower, error) {
	f := &follower{w: w, p: p, info: info, grid: shape.For(info.Width, info.Height)}
	o := track.Options{Grid: f.grid}
	if p.people != nil {
		o.People = func(i int) []track.Person { return around(p.people, i*p.stride, (i+1)*p.stride) }
	}
	var err error
	if f.t, err = track.New(ctx, p, o); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("work: %w", err)
	}
	return f, nil
}

// mask tracks the subjects and returns what is seen of them. Frames that the
// tracker did not see lie between two that it did.
func (f *follower) mask(ctx context.Context, subjects []subject.Subject, veiled []subject.Rect) (*mask.Mask, error) {
	regions, err := f.t.Track(ctx, subjects, func(done, total int) { f.w.at("track", done, total) })
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, BadSubject.With(err)
	}
	p := f.p
	m := f.w.plan(f.grid, len(subjects), veiled)
	m.Frames = make([]mask.Frame, len(p.times))
	cover := m.Cover()
	seen := make([]mask.Seen, len(p.times)*len(subjects))
	for i := range m.Frames {
		m.Frames[i] = mask.Frame{At: p.times[i], Subjects: seen[i*len(subjects) : (i+1)*len(subjects) : (i+1)*len(subjects)]}
		j, part := i/p.stride, i%p.stride
		for k, rs := range regions {
			if len(rs) != len(p.pix) {
				return nil, fmt.Errorf("work: %d regions for %d planes", len(rs), len(p.pix))
			}
			r := rs[j]
			if part != 0 {
				r = track.Region{Reason: track.ReasonBetween}
				if j+1 < len(rs) {
					at, from, to := p.times[i], p.times[j*p.stride], p.times[(j+1)*p.stride]
					r = track.Between(rs[j], rs[j+1], float64(at-from)/float64(to-from), f.grid)
				}
			}
			m.Frames[i].Subjects[k] = seenOf(r, cover)
		}
	}
	return m, nil
}

// plan returns a mask without frames for what the job asks of the copy.
func (w *worker) plan(g shape.Grid, subjects int, veiled []subject.Rect) *mask.Mask {
	m := &mask.Mask{Grid: g, Cell: w.job.Veil.Cell, Mode: w.job.Choice.Mode, Subjects: subjects, Veiled: veiled}
	if m.Cell == 0 {
		m.Cell = veil.DefaultCell(g.W, g.H)
	}
	if s := w.job.Choice.Stamp; s != nil {
		m.Stamp = &mask.Stamp{Start: s.Start, Place: s.Place}
	}
	return m
}

// seenOf returns a region as the mask has it, without what is never shown.
func seenOf(r track.Region, cover shape.Shape) mask.Seen {
	s := mask.Seen{Reason: mask.ReasonOf(r.Reason), Confidence: mask.Percent(r.Confidence)}
	switch r.State {
	case track.Gone:
		s.State = mask.Gone
	case track.Shown:
		s.State, s.Shape, s.Flags = mask.Shown, r.Shape, r.Flags
		hide(&s, cover)
	}
	return s
}

// hide takes cover out of what is shown. Shapes may be shared: they are never
// changed in place.
func hide(s *mask.Seen, cover shape.Shape) {
	if s.State != mask.Shown {
		return
	}
	if shape.Overlap(s.Shape, cover) {
		s.Shape = shape.Minus(nil, s.Shape, cover)
	}
	if s.Shape.Empty() {
		*s = mask.Seen{State: mask.Unsure, Reason: mask.ReasonOf("always-veiled"), Confidence: s.Confidence}
	}
}

var errKnown = errors.New("work: the track is not of this clip, or not of these subjects: track it again")

// known reads the mask of an earlier run and makes it one of this job.
func (w *worker) known(b []byte, info codec.Info) (*mask.Mask, error) {
	was, err := mask.Decode(b)
	if err != nil {
		return nil, BadSubject.With(err)
	}
	m := w.plan(shape.For(info.Width, info.Height), len(w.job.Subjects), w.job.Veiled)
	if was.Grid != m.Grid || was.Subjects != m.Subjects || was.Still {
		return nil, BadSubject.With(fmt.Errorf("%w: its frames are %dx%d, of %d subjects", errKnown, was.Grid.W, was.Grid.H, was.Subjects))
	}
	m.Frames = was.Frames
	cover := m.Cover()
	for i := range m.Frames {
		m.Frames[i].Painted = nil // by another scene, if by any
		for k := range m.Frames[i].Subjects {
			hide(&m.Frames[i].Subjects[k], cover)
		}
	}
	return m, nil
}

// lengthOf returns how long frames with times are shown: the last one as long
// as the one before it.
func lengthOf(times []footage.Ticks, rate float64) footage.Ticks {
	n := len(times)
	switch {
	case n == 0:
		return 0
	case n == 1:
		return max(1, footage.Ticks(footage.TicksPerSecond/rate))
	}
	return 2*times[n-1] - times[n-2]
}
