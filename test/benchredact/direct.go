package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/track"
)

// planeWidth is that of the planes that redact/work tracks on, for footage of
// up to twice as much.
const planeWidth = 384

// A direct tracker is redact/track alone, in this process: no pipeline comes
// before or after it. It is for work on the tracker, not for the figures.
type direct struct {
	t *Truth
	w int
	h int
	// pix are the planes of the clip one after the other.
	pix  []byte
	with *track.Tracker
}

func newDirect(ctx context.Context, t *Truth, clip string) (*direct, error) {
	d := &direct{t: t, w: min(planeWidth, t.Width)}
	d.h = t.Height * d.w / t.Width
	c := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-nostdin", "-i", clip,
		"-vf", fmt.Sprintf("scale=%d:%d:flags=area,format=gray", d.w, d.h), "-f", "rawvideo", "-")
	var out, told bytes.Buffer
	c.Stdout, c.Stderr = &out, &told
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("benchredact: ffmpeg: %w: %s", err, bytes.TrimSpace(told.Bytes()))
	}
	d.pix = out.Bytes()
	if len(d.pix)%(d.w*d.h) != 0 {
		return nil, errors.New("benchredact: ffmpeg gave half a frame")
	}
	var err error
	d.with, err = track.New(ctx, d, track.Options{Grid: shape.For(t.Width, t.Height)})
	return d, err
}

func (d *direct) Len() int           { return len(d.pix) / (d.w * d.h) }
func (d *direct) Time(i int) float64 { return float64(i) / float64(d.t.FPS) }
func (d *direct) Plane(i int) track.Plane {
	n := d.w * d.h
	return track.Plane{W: d.w, H: d.h, Pix: d.pix[i*n : (i+1)*n]}
}

func (d *direct) track(ctx context.Context, s subject.Subject) (*mask.Mask, error) {
	all, err := d.with.Track(ctx, []subject.Subject{s}, nil)
	if err != nil {
		return nil, err
	}
	m := &mask.Mask{Grid: shape.For(d.t.Width, d.t.Height), Subjects: 1}
	for i, r := range all[0] {
		s := mask.Seen{Reason: mask.ReasonOf(r.Reason), Confidence: mask.Percent(r.Confidence), Flags: r.Flags}
		switch r.State {
		case track.Shown:
			s.State, s.Shape = mask.Shown, r.Shape
		case track.Gone:
			s.State = mask.Gone
		}
		m.Frames = append(m.Frames, mask.Frame{At: footage.Ticks(d.Time(i) * 90000), Subjects: []mask.Seen{s}})
	}
	return m, nil
}

func (d *direct) produce(ctx context.Context, s subject.Subject) (*mask.Mask, error) {
	return d.track(ctx, s)
}

func (d *direct) close() {}
