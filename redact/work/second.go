//go:build linux

package work

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/sandbox"
	"veilbox/redact/veil"
)

// ring is how many frames are between decoder, veil and encoder.
const ring = 4

// A picture is a decoded frame.
type picture struct {
	pix []byte
	at  footage.Ticks // where times were asked for
}

// A second is the pass in which the clip is decoded in full, each frame veiled
// in place and coded. Decoder, veil and encoder work at the same time on a ring
// of frames.
type second struct {
	ctx     context.Context
	cancel  context.CancelFunc
	dec     *codec.Stream
	enc     *codec.Writer
	out     *output
	timed   bool
	plan    *schedule
	pick    string // of the frames that are needed; "" where the decoder gives all
	ahead   int
	part    image.Rectangle // of the frames that the decoder gives; empty: all of it
	cells   *cells          // of a copy of which a part is decoded
	size    int             // bytes of a frame
	free    chan []byte     // nil stands for a frame not made yet
	back    chan []byte     // where frames go that were coded; free, but for parts
	decoded chan picture
	decErr  error // read after decoded is closed
}

// begin starts the programs of the second pass and decodes the first frames,
// with their times where they are not known yet.
func (w *worker) begin(ctx context.Context, c *clip, known prepared, back *backdrop) (*second, error) {
	m, timed := known.m, known.timed
	rate := w.rate(m, c.info)
	plan, err := w.schedule(m, back, rate)
	if err != nil {
		return nil, err
	}
	file, err := sandbox.Memory("copy")
	if err != nil {
		return nil, fmt.Errorf("work: %w", err)
	}
	info := c.info
	s := &second{size: codec.FrameSize(info.Width, info.Height), timed: timed, plan: plan, ahead: ring}
	s.out = &output{f: file, most: w.job.Limits.Output, format: footage.Format{Codec: footage.H264, Width: info.Width, Height: info.Height}}
	if plan != nil {
		s.out.again = &codec.Repeater{}
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	if !timed {
		s.pick = plan.pick()
	}
	if known.cells != nil && back == nil {
		s.part, s.cells = partOf(m), known.cells
	}
	if s.dec, err = w.open(s.ctx, c, s); err == nil {
		s.enc, err = w.tools.Encode(s.ctx, plan.encoder(w.job.Encoder), info.Width, info.Height, rate, info.Aspect, s.out.take)
	}
	s.free, s.decoded = make(chan []byte, s.ahead), make(chan picture, s.ahead)
	if err != nil {
		close(s.decoded)
		s.abort()
		s.out.close()
		return nil, err
	}
	for range s.ahead {
		s.free <- nil
	}
	if s.back = s.free; !s.part.Empty() {
		s.spread()
	}
	go func() {
		defer close(s.decoded)
		s.decErr = s.pump()
	}()
	return s, nil
}

// abort ends whatever still runs. The copy stays.
func (s *second) abort() {
	s.cancel()
	for range s.decoded { // until the decoder's side has let go
	}
	if s.dec != nil {
		s.dec.Close()
	}
	if s.enc != nil {
		s.enc.Abort()
	}
}

func (s *second) pump() error {
	for i := 0; ; i++ {
		again := s.plan.repeats(i)
		if again && s.pick != "" {
			select {
			case <-s.ctx.Done():
				return s.ctx.Err()
			case s.decoded <- picture{}:
			}
			continue
		}
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case b := <-s.free:
			if b == nil {
				b = make([]byte, s.dec.Size)
			}
			at, err := s.dec.Next(b)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if again {
				s.free <- b
				b = nil
			}
			s.decoded <- picture{b, at}
		}
	}
}

// veil veils and codes every frame. What it returns lives as long as s.
func (w *worker) veil(s *second, m *mask.Mask, back *backdrop) (*output, error) {
	v, err := w.brush(m, back)
	if err != nil {
		return nil, err
	}
	v.cells = s.cells
	if err := w.code(s, m, v); err != nil {
		return nil, err
	}
	out := s.out
	if err := out.finish(len(m.Frames)); err != nil {
		return nil, err
	}
	if len(out.samples) != len(m.Frames) {
		return nil, codec.NoEncoder.With(fmt.Errorf("work: %d frames coded of %d", len(out.samples), len(m.Frames)))
	}
	return out, nil
}

func (w *worker) code(s *second, m *mask.Mask, v *brush) error {
	veiled := make(chan []byte, s.ahead)
	done := make(chan error, 1)
	go func() { done <- s.encode(veiled) }()
	err := w.apply(s, m, v, veiled)
	if err != nil {
		s.cancel()
	}
	close(veiled)
	for range s.decoded { // nothing may keep the decoder's side waiting
	}
	for _, e := range []error{<-done, s.decErr, err} {
		if e != nil && !errors.Is(e, context.Canceled) {
			return e
		}
	}
	return s.ctx.Err()
}

// errPick says that the decoder picked other frames than were asked for.
var errPick = errors.New("work: frames of the second pass are at other times than in the first")

// apply veils what is decoded. A frame that the mask does not know ends it: the
// two passes, or this one and that of a session, must see the same clip. A mask
// that shows nothing takes its frames from this pass.
func (w *worker) apply(s *second, m *mask.Mask, v *brush, veiled chan []byte) error {
	limit := w.job.Limits.Picture.Seconds * footage.TicksPerSecond
	show := w.previews()
	i := 0
	for p := range s.decoded {
		switch {
		case m.Subjects == 0 && s.timed:
			if i == mask.MaxFrames || float64(p.at) > limit {
				return codec.TooLarge.With(fmt.Errorf("work: more than %d frames or %.0f s", mask.MaxFrames, w.job.Limits.Picture.Seconds))
			}
			m.Frames = append(m.Frames, mask.Frame{At: p.at})
		case i == len(m.Frames):
			if s.timed {
				return BadSubject.With(fmt.Errorf("%w: it has %d frames, the clip more", errKnown, i))
			}
			if s.pick != "" {
				return errPick
			}
			return codec.NotVideo.With(fmt.Errorf("work: the second pass found more than %d frames", i))
		case s.pick != "" && p.pix != nil && m.Frames[i].At != p.at:
			return errPick
		case s.timed && m.Frames[i].At != p.at:
			return BadSubject.With(fmt.Errorf("%w: frame %d is at tick %d, in the clip at %d", errKnown, i, m.Frames[i].At, p.at))
		}
		if p.pix == nil {
			v.v.Skip()
			i++
			w.at("veil", i, max(i, len(m.Frames)))
			continue
		}
		pix, err := s.paint(v, p.pix, i)
		if err != nil {
			return err
		}
		s.out.coming(i)
		if show.due() {
			if err := show.send(pix, m.Grid.W, m.Grid.H); err != nil {
				return err
			}
		}
		veiled <- pix
		i++
		w.at("veil", i, max(i, len(m.Frames)))
	}
	if i != len(m.Frames) && s.decErr == nil {
		if s.pick != "" {
			return errPick
		}
		if s.timed {
			return BadSubject.With(fmt.Errorf("%w: it has %d frames, the clip %d", errKnown, len(m.Frames), i))
		}
		return codec.NotVideo.With(fmt.Errorf("work: the second pass found %d frames of %d", i, len(m.Frames)))
	}
	return nil
}

func (s *second) encode(veiled chan []byte) error {
	var err error
	for b := range veiled {
		if err != nil {
			continue
		}
		if err = s.enc.Write(b); err != nil {
			s.cancel() // the decoder may be waiting for a frame to be free
			continue
		}
		s.back <- b
	}
	if err == nil && s.ctx.Err() == nil {
		err = s.enc.Finish()
	}
	return err
}

// frameOf returns the planes of a frame of w by h.
func frameOf(b []byte, w, h int) veil.Frame {
	y := w * h
	return veil.Frame{W: w, H: h, Y: b[:y:y], U: b[y : y+y/4 : y+y/4], V: b[y+y/4:]}
}
