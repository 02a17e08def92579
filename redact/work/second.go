//go:build linux

package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/sandbox"
	"veilbox/redact/veil"
)

// Frames between decoder, veil and encoder. More of them are decoded ahead while
// the subject is tracked, within a bound of memory.
const (
	ring       = 4
	aheadBytes = 64 << 20
	aheadMost  = 64
)

// A second is the second pass: the clip is decoded in full, each frame veiled in
// place and coded. Decoder, veil and encoder work at the same time on a ring of
// frames.
type second struct {
	ctx     context.Context
	cancel  context.CancelFunc
	dec     *codec.Stream
	enc     *codec.Writer
	out     *output
	ahead   int
	size    int         // bytes of a frame
	free    chan []byte // nil stands for a frame not made yet
	decoded chan []byte
	decErr  error // read after decoded is closed
}

// begin starts the programs of the second pass and decodes the first frames.
func (w *worker) begin(ctx context.Context, in *os.File, info codec.Info, rate float64) (*second, error) {
	file, err := sandbox.Memory("copy")
	if err != nil {
		return nil, fmt.Errorf("work: %w", err)
	}
	s := &second{size: codec.FrameSize(info.Width, info.Height)}
	s.out = &output{f: file, most: w.job.Limits.Output, format: footage.Format{Codec: footage.H264, Width: info.Width, Height: info.Height}}
	s.ahead = max(ring, min(aheadMost, aheadBytes/s.size))
	s.ctx, s.cancel = context.WithCancel(ctx)
	if s.dec, err = w.tools.Full(s.ctx, in, info.Width, info.Height); err == nil {
		s.enc, err = w.tools.Encode(s.ctx, w.job.Encoder, info.Width, info.Height, rate, info.Aspect, s.out.take)
	}
	s.free, s.decoded = make(chan []byte, s.ahead), make(chan []byte, s.ahead)
	if err != nil {
		close(s.decoded)
		s.abort()
		return nil, err
	}
	for range s.ahead {
		s.free <- nil
	}
	go func() {
		defer close(s.decoded)
		s.decErr = s.pump()
	}()
	return s, nil
}

// abort ends whatever still runs and lets go of the copy.
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
	s.out.f.Close()
}

func (s *second) pump() error {
	for {
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case b := <-s.free:
			if b == nil {
				b = make([]byte, s.size)
			}
			_, err := s.dec.Next(b)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			s.decoded <- b
		}
	}
}

// veil veils and codes every frame. What it returns lives as long as s.
func (w *worker) veil(s *second, info codec.Info, m *mask.Mask) (*output, error) {
	v, err := veil.New(m.Grid, veil.Options{Cell: w.job.Veil.Cell, Levels: w.job.Veil.Levels, Hold: w.job.Veil.Hold, Solid: w.job.Veil.Solid})
	if err != nil {
		return nil, fmt.Errorf("work: %w", err)
	}
	m.Cell = v.Cell()
	if err := w.code(s, m, v); err != nil {
		return nil, err
	}
	out := s.out
	if len(out.samples) != len(m.Frames) {
		return nil, codec.NoEncoder.With(fmt.Errorf("work: %d frames coded of %d", len(out.samples), len(m.Frames)))
	}
	last := footage.Ticks(footage.TicksPerSecond / info.Rate)
	for i := range out.samples {
		if i+1 < len(m.Frames) {
			last = m.Frames[i+1].At - m.Frames[i].At
		}
		out.samples[i].Duration = uint32(max(1, last))
	}
	return out, nil
}

func (w *worker) code(s *second, m *mask.Mask, v *veil.Veil) error {
	veiled := make(chan []byte, s.ahead)
	done := make(chan error, 1)
	go func() { done <- s.encode(veiled) }()
	err := w.apply(m, v, s.decoded, veiled)
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

func (s *second) encode(veiled chan []byte) error {
	var err error
	surplus := s.ahead - ring
	for b := range veiled {
		if err != nil {
			continue
		}
		if err = s.enc.Write(b); err != nil {
			s.cancel() // the decoder may be waiting for a frame to be free
			continue
		}
		// What was decoded ahead is let go: few frames stay in the cache.
		if surplus > 0 {
			surplus--
			continue
		}
		s.free <- b
	}
	if err == nil && s.ctx.Err() == nil {
		err = s.enc.Finish()
	}
	return err
}
