//go:build linux

package work

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
)

// redact makes the copy: the clip is decoded small and tracked, decoded again
// in full and veiled, and coded anew. Where nothing is to be tracked there is no
// first pass.
func (w *worker) redact(ctx context.Context) error {
	if err := w.job.people(); err != nil {
		return BadSubject.With(err)
	}
	if err := w.job.Encoder.Check(); err != nil {
		return err
	}
	asked := w.version(ctx)
	c, err := w.clip(ctx)
	v := <-asked
	if err = errors.Join(v.err, err); err != nil {
		return err
	}
	defer c.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := make(chan error, 1)
	go func() { first <- w.previews().first(ctx, c) }()
	defer func() { cancel(); <-first }()
	back, err := w.learn(ctx, c.intake, c.info)
	if err != nil {
		return err
	}
	var out *output
	var m *mask.Mask
	if w.job.Choice.Still != nil {
		m, out, err = w.picture(ctx, c, back)
	} else {
		m, out, err = w.movie(ctx, c, back)
	}
	if err != nil {
		return err
	}
	defer out.close()
	if err := w.c.SendAll(TypeMask, m.Encode()); err != nil {
		return err
	}
	h := sha256.New()
	n, err := w.hand(out, m, h)
	if err != nil {
		return err
	}
	r := Result{Clip: c.sum, Size: n, Tool: v.v, Sandbox: w.status, Notices: w.notices()}
	h.Sum(r.Copy[:0])
	return w.c.SendJSON(TypeResult, r)
}

// hand sends the copy.
func (w *worker) hand(o *output, m *mask.Mask, h io.Writer) (int64, error) {
	if !m.Still {
		return w.deliver(o, h)
	}
	if _, err := o.f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("work: %w", err)
	}
	d := &delivery{w: w, h: h, total: o.size, buf: make([]byte, 0, 256<<10)}
	if err := d.copy(o.f, o.size); err != nil {
		return 0, err
	}
	return o.size, d.flush()
}

// movie makes a copy that is a clip.
func (w *worker) movie(ctx context.Context, c *clip, back *backdrop) (*mask.Mask, *output, error) {
	if err := w.trial(ctx, c.info); err != nil {
		return nil, nil, err
	}
	plan, err := w.prepare(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	m, start := plan.m, plan.start
	known := m.Frames
	for {
		out, begun, err := w.pass(ctx, c, plan, back)
		if (errors.Is(err, codec.NoEncoder) || errors.Is(err, errPick)) && w.simpler() {
			// It may have failed in the middle of the clip: once more from its start.
			m.Frames = known
			if back != nil {
				back.Reset()
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if plan.timed {
			start = begun
		}
		length := out.last(m, c.info.Rate)
		if w.job.Choice.Sound != "" {
			if err := w.listen(ctx, c, out, start, length); err != nil {
				out.close()
				return nil, nil, err
			}
			m.Sound = len(out.heard) > 0
		}
		return m, out, nil
	}
}

// pass is the second pass. begun is the time of the first frame from the start
// of the file, where times were asked for.
func (w *worker) pass(ctx context.Context, c *clip, plan prepared, back *backdrop) (out *output, begun footage.Ticks, err error) {
	s, err := w.begin(ctx, c, plan, back)
	if err != nil {
		return nil, 0, err
	}
	defer s.abort() // the copy outlives the pass
	if out, err = w.veil(s, plan.m, back); err != nil {
		s.abort()
		s.out.close()
		return nil, 0, err
	}
	return out, s.dec.Start(), nil
}

// A prepared is what is known before the second pass. Where what is seen was not
// read from the clip, timed says that the second pass is to ask for its times;
// where it was, start is the time of the first frame from the start of the file.
type prepared struct {
	m     *mask.Mask
	start footage.Ticks
	timed bool
	cells *cells // nil: the second pass measures them
}

// prepare finds out what is seen in each frame.
func (w *worker) prepare(ctx context.Context, c *clip) (prepared, error) {
	switch {
	case w.job.Choice.Mode == subject.BlurEverything:
		return prepared{m: w.plan(gridOf(c.info), 0, w.job.Veiled), timed: true}, nil
	case w.job.Known:
		m, err := w.known(c.mask, c.info)
		return prepared{m: m, timed: true}, err
	}
	p, err := w.planes(ctx, c)
	if err != nil {
		return prepared{}, err
	}
	m, err := w.track(ctx, p, c.info)
	if err != nil {
		return prepared{}, err
	}
	return prepared{m: m, start: p.start, cells: w.cells(p, m)}, nil
}

// planes decodes the clip small, and looks for persons on the way.
func (w *worker) planes(ctx context.Context, c *clip) (*planes, error) {
	p := newPlanes(c.info, w.job.Limits.Planes)
	look, err := w.look(ctx, c.model, p.w, p.h)
	if err != nil {
		return nil, err
	}
	defer look.close()
	if err := w.load(ctx, c.intake.clip, c.info, p, look); err != nil {
		return nil, err
	}
	p.people = look.people(w)
	return p, nil
}

func (w *worker) track(ctx context.Context, p *planes, info codec.Info) (*mask.Mask, error) {
	f, err := w.follower(ctx, p, info)
	if err != nil {
		return nil, err
	}
	return f.mask(ctx, w.job.Subjects, w.job.Veiled)
}

// rate returns the frames a second of the copy, for the encoder.
func (w *worker) rate(m *mask.Mask, info codec.Info) float64 {
	n := len(m.Frames)
	if n < 2 {
		return info.Rate
	}
	return rateOf(n, m.Frames[n-1].At)
}

// trial tries an encoder that is not libx264 on a few frames, before the clip is
// decoded for it.
func (w *worker) trial(ctx context.Context, info codec.Info) error {
	if w.job.Choice.Still != nil || w.job.Encoder.Software() {
		return nil
	}
	err := w.tools.Try(ctx, w.job.Encoder, info.Width, info.Height, info.Rate)
	if errors.Is(err, codec.NoEncoder) {
		w.soften()
		return nil
	}
	return err
}

// simpler takes a step towards what every encoder can: each frame is coded, and
// then by libx264. It reports whether there was one.
func (w *worker) simpler() bool {
	if !w.each && w.job.Encoder.Software() {
		w.each = true
		return true
	}
	return w.soften()
}

// soften puts libx264 in place of the encoder that is configured. It reports
// whether that is another one.
func (w *worker) soften() bool {
	if w.job.Encoder.Software() {
		return false
	}
	w.job.Encoder.Codec = ""
	w.note(NoticeSoftware)
	return true
}

type version struct {
	v   string
	err error
}

// version asks ffmpeg for its version while the input arrives.
func (w *worker) version(ctx context.Context) <-chan version {
	asked := make(chan version, 1)
	go func() {
		v, err := w.tools.Version(ctx)
		asked <- version{v, err}
	}()
	return asked
}

// proof judges a finished copy against its mask.
func (w *worker) proof(ctx context.Context) error {
	asked := w.version(ctx)
	c, err := w.intake()
	v := <-asked
	if err = errors.Join(v.err, err); err != nil {
		return err
	}
	defer c.close()
	m, err := mask.Decode(c.mask)
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	in := proof.Input{File: c.clip, Size: c.size, Mask: m}
	if !m.Scene.IsZero() {
		back, err := w.learn(ctx, c, codec.Info{Width: m.Grid.W, Height: m.Grid.H})
		if err != nil {
			return err
		}
		if back != nil {
			in.Scene = &back.Picture
		}
	}
	if s := w.job.Choice.Still; s != nil {
		in.Still = &proof.Still{At: footage.Ticks(s.At * footage.TicksPerSecond), Crop: s.Crop}
	}
	p, sh, err := proof.Run(ctx, w.tools, in, func(done, total int) { w.at("prove", done, total) })
	if errors.Is(err, sheet.ErrTooLarge) {
		return TooMuch.With(err)
	}
	if err != nil {
		return err
	}
	p.Clip, p.Copy, p.Mask = w.job.Clip, footage.CopyHash{Hash: c.sum}, mask.Hash(c.mask)
	p.Tools.FFmpeg, p.Tools.Encoder = v.v, w.job.Encoder.Defaults()
	p.Tools.Mask, p.Tools.Sheet = proof.MaskVersion, proof.SheetVersion
	for _, pic := range sh.Pictures {
		if err := w.c.Send(TypePicture, sheet.EncodePicture(pic)); err != nil {
			return err
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	return w.c.SendJSON(TypeResult, Result{Copy: c.sum, Size: c.size, Tool: v.v, Proof: b, Sandbox: w.status, Notices: w.notices()})
}
