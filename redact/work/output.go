//go:build linux

package work

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/sandbox"
)

// An output is a copy being written: samples in memory, in their order, and
// their tables.
type output struct {
	f       *os.File
	format  footage.Format
	samples []footage.Sample
	size    int64
	most    int64
	// again repeats the frame before, where some are not coded; which frame is
	// coded next is in fed, by the order of coding.
	again *codec.Repeater
	mu    sync.Mutex
	fed   []int
	coded int
	// of the sound; nil and empty where there is none
	sound  *os.File
	audio  footage.AudioFormat
	heard  []footage.Sample
	volume int64 // bytes
}

func (o *output) close() {
	o.f.Close() // in memory
	if o.sound != nil {
		o.sound.Close() // likewise
	}
}

// coming says that frame i is coded next.
func (o *output) coming(i int) {
	if o.again == nil {
		return
	}
	o.mu.Lock()
	o.fed = append(o.fed, i)
	o.mu.Unlock()
}

// until repeats the last frame up to frame n.
func (o *output) until(n int) error {
	for len(o.samples) < n {
		b, err := o.again.Next()
		if err != nil {
			return codec.NoEncoder.With(err)
		}
		if err := o.add(b, false); err != nil {
			return err
		}
	}
	return nil
}

// finish repeats the last frame up to the end of the copy, of n frames.
func (o *output) finish(n int) error {
	if o.again == nil {
		return nil
	}
	return o.until(n)
}

// take is the encoder's sink.
func (o *output) take(u *codec.Unit) error {
	for i, p := range [][]byte{u.SPS, u.PPS} {
		switch {
		case p == nil:
		case len(o.format.Params) == i:
			o.format.Params = append(o.format.Params, bytes.Clone(p))
		case len(o.format.Params) < i || !bytes.Equal(o.format.Params[i], p):
			return codec.NoEncoder.With(errors.New("work: the encoder changed its parameters on the way"))
		}
	}
	if o.again != nil {
		o.mu.Lock()
		next := -1
		if o.coded < len(o.fed) {
			next = o.fed[o.coded]
			o.coded++
		}
		o.mu.Unlock()
		if next < 0 {
			return codec.NoEncoder.With(errors.New("work: the encoder gave more frames than it got"))
		}
		gap := next > len(o.samples)
		if err := o.until(next); err != nil {
			return err
		}
		if gap && !u.Key {
			return codec.NoEncoder.With(fmt.Errorf("work: frame %d is no keyframe", next))
		}
		if err := o.again.Took(u); err != nil {
			return codec.NoEncoder.With(err)
		}
	}
	if len(o.samples) == 0 && (!u.Key || len(o.format.Params) != 2) {
		return codec.NoEncoder.With(errors.New("work: the encoder did not begin with a keyframe and its parameters"))
	}
	return o.add(u.Data, u.Key)
}

func (o *output) add(b []byte, key bool) error {
	o.size += int64(len(b))
	if o.size > o.most {
		return codec.TooLarge.With(fmt.Errorf("work: a copy of over %d bytes", o.most))
	}
	if _, err := o.f.Write(b); err != nil {
		return fmt.Errorf("work: keep the copy: %w", err)
	}
	o.samples = append(o.samples, footage.Sample{Size: uint32(len(b)), Key: key})
	return nil
}

// last sets how long each frame is shown.
func (o *output) last(m *mask.Mask, rate float64) footage.Ticks {
	last := footage.Ticks(footage.TicksPerSecond / rate)
	for i := range o.samples {
		if i+1 < len(m.Frames) {
			last = m.Frames[i+1].At - m.Frames[i].At
		}
		last = max(1, last)
		o.samples[i].Duration = uint32(last)
	}
	return m.Frames[len(m.Frames)-1].At + last
}

// listen codes the sound of a clip anew, from the first frame on for length. The
// unit in which an encoder only primes is left out.
func (w *worker) listen(ctx context.Context, c *clip, o *output, start, length footage.Ticks) (err error) {
	channels := min(2, c.info.Sound())
	if channels == 0 {
		w.note(NoticeNoSound)
		return nil
	}
	if o.audio, err = proof.SoundFormat(codec.SoundRate, channels); err != nil {
		return err
	}
	if o.sound, err = sandbox.Memory("sound"); err != nil {
		return fmt.Errorf("work: %w", err)
	}
	primed := false
	err = w.tools.Sound(ctx, c.intake.clip, channels, start, length, func(b []byte) error {
		if !primed {
			primed = true
			return nil
		}
		if o.volume += int64(len(b)); o.size+o.volume > o.most {
			return codec.TooLarge.With(fmt.Errorf("work: a copy of over %d bytes", o.most))
		}
		o.heard = append(o.heard, footage.Sample{Size: uint32(len(b)), Duration: codec.SoundFrame})
		_, err := o.sound.Write(b)
		return err
	})
	if errors.Is(err, codec.NotVideo) {
		// A track in which nothing can be decoded.
		o.heard = nil
	} else if err != nil {
		return err
	}
	if len(o.heard) == 0 {
		w.note(NoticeNoSound)
	}
	return nil
}

// deliver sends the file: header, then samples in the one order of a copy.
func (w *worker) deliver(o *output, h io.Writer) (int64, error) {
	head, data, err := proof.Header(o.format, o.samples, o.audio, o.heard)
	if err != nil {
		return 0, fmt.Errorf("work: %w", err)
	}
	if want := o.size + o.volume; data != want {
		return 0, fmt.Errorf("work: the header says %d bytes of video and sound, %d are there", data, want)
	}
	_, _ = h.Write(head) // a hash takes everything
	if err := w.c.SendAll(TypeCopy, head); err != nil {
		return 0, err
	}
	for _, f := range []*os.File{o.f, o.sound} {
		if f == nil {
			continue
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, fmt.Errorf("work: %w", err)
		}
	}
	d := &delivery{w: w, h: h, total: data, buf: make([]byte, 0, 256<<10)}
	for c := range proof.Layout(o.samples, o.heard, o.audio.Rate) {
		if c.Track == 0 {
			size := int64(0)
			for _, s := range c.Samples {
				size += int64(s.Size)
			}
			err = d.copy(o.f, size)
		} else {
			size := int64(0)
			for _, r := range c.Sound {
				size += int64(r.Count) * int64(r.Size)
			}
			err = d.copy(o.sound, size)
		}
		if err != nil {
			return 0, err
		}
	}
	return int64(len(head)) + data, d.flush()
}

// A delivery sends samples in frames of the wire that are filled.
type delivery struct {
	w           *worker
	h           io.Writer
	sent, total int64
	buf         []byte
}

func (d *delivery) copy(f *os.File, n int64) error {
	for n > 0 {
		if len(d.buf) == cap(d.buf) {
			if err := d.flush(); err != nil {
				return err
			}
		}
		k := len(d.buf)
		d.buf = d.buf[:min(int64(cap(d.buf)), int64(k)+n)]
		if _, err := io.ReadFull(f, d.buf[k:]); err != nil {
			return fmt.Errorf("work: read the copy: %w", err)
		}
		n -= int64(len(d.buf) - k)
	}
	return nil
}

func (d *delivery) flush() error {
	if len(d.buf) == 0 {
		return nil
	}
	_, _ = d.h.Write(d.buf) // a hash takes everything
	err := d.w.c.Send(TypeCopy, d.buf)
	d.sent += int64(len(d.buf))
	d.buf = d.buf[:0]
	d.w.at("write", int(d.sent>>10), int(d.total>>10))
	return err
}
