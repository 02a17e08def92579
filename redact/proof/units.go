package proof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"veilbox/internal/rbsp"
)

const (
	maxSample   = 32 << 20
	samplesRead = 256 << 10
)

// Units checks that the samples of pictures are slices of one coded picture each
// and nothing else: no SEI with user data, no filler, no second layer, no second
// picture behind the first, no zero bytes behind a slice; and that the parameter
// sets are as parameters says. Sound is passed over.
func Units(r io.ReaderAt, s *Structure) error {
	p, err := parameters(s.Format)
	if err != nil {
		return err
	}
	rd := &reader{r: r, at: s.Start}
	i := 0
	for c := range Layout(s.Samples, s.Heard, s.Sound.Rate) {
		for _, run := range c.Sound {
			rd.skip(int64(run.Count) * int64(run.Size))
		}
		for _, sample := range c.Samples {
			if sample.Size > maxSample || sample.Size == 0 {
				return fmt.Errorf("proof: sample %d is %d bytes", i, sample.Size)
			}
			b, err := rd.next(int(sample.Size))
			if err != nil {
				return fmt.Errorf("proof: sample %d: %w", i, err)
			}
			if err := p.picture(b, sample.Key); err != nil {
				return fmt.Errorf("proof: sample %d: %w", i, err)
			}
			i++
		}
	}
	return nil
}

// A reader reads a file in large pieces from front to back.
type reader struct {
	r   io.ReaderAt
	at  int64 // of buf's end
	buf []byte
	off int
}

func (r *reader) skip(n int64) {
	have := int64(len(r.buf) - r.off)
	if n <= have {
		r.off += int(n)
		return
	}
	r.at += n - have
	r.buf, r.off = r.buf[:0], 0
}

// next returns the next n bytes, which are good until it is called again.
func (r *reader) next(n int) ([]byte, error) {
	if have := len(r.buf) - r.off; have < n {
		if cap(r.buf) < n {
			grown := make([]byte, have, max(n, samplesRead))
			copy(grown, r.buf[r.off:])
			r.buf = grown
		} else {
			r.buf = r.buf[:copy(r.buf[:have], r.buf[r.off:])]
		}
		r.off = 0
		k, err := r.r.ReadAt(r.buf[have:cap(r.buf)], r.at)
		r.buf = r.buf[:have+k]
		r.at += int64(k)
		if len(r.buf) < n {
			return nil, fmt.Errorf("%d bytes of %d are there: %w", len(r.buf), n, err)
		}
	}
	b := r.buf[r.off : r.off+n]
	r.off += n
	return b, nil
}

// picture checks one sample.
func (p *params) picture(b []byte, key bool) error {
	last := -1
	for len(b) > 0 {
		n := 0
		if len(b) >= 5 {
			n = int(binary.BigEndian.Uint32(b))
		}
		if n < 2 || n > len(b)-4 {
			return fmt.Errorf("a NAL unit of %d bytes, %d are there", n, len(b))
		}
		nal := b[4 : 4+n]
		b = b[4+n:]
		t := nal[0] & 0x1f
		if t != 1 && t != 5 || nal[0]&0x80 != 0 {
			return fmt.Errorf("it holds a NAL unit of type %d: a copy has slices alone", t)
		}
		if (t == 5) != key {
			return fmt.Errorf("its keyframe mark does not fit NAL unit type %d", t)
		}
		if err := escaped(nal); err != nil {
			return err
		}
		first, err := p.slice(nal, t == 5)
		if err != nil {
			return err
		}
		if last < 0 && first != 0 || first <= last || first >= p.blocks {
			return fmt.Errorf("a slice from macroblock %d behind one from %d: a sample has one picture, in order", first, last)
		}
		last = first
	}
	return nil
}

// slice reads the start of a slice's header (ITU-T H.264 §7.3.3) and returns its
// first macroblock.
func (p *params) slice(nal []byte, idr bool) (int, error) {
	r := rbsp.New(nal[1:])
	first, kind, pps := r.Golomb(), r.Golomb(), r.Golomb()
	if r.Short || first > 1<<20 {
		return 0, fmt.Errorf("a slice of %d bytes that does not read", len(nal))
	}
	if kind %= 5; kind != 2 && (kind != 0 || idr) {
		return 0, fmt.Errorf("a slice of type %d: a copy has I and P slices", kind)
	}
	if pps != p.pps {
		return 0, fmt.Errorf("a slice of parameter set %d, the copy has %d", pps, p.pps)
	}
	return int(first), nil
}

var zeros = []byte{0, 0}

// escaped checks that a NAL unit is as §7.4.1 has it: nothing in it looks like a
// start code, and no zeros follow its end (cabac_zero_words neither).
func escaped(nal []byte) error {
	n := len(nal)
	if nal[n-1] == 0 || n > 3 && nal[n-1] == 3 && nal[n-2] == 0 && nal[n-3] == 0 {
		return fmt.Errorf("zeros follow a slice")
	}
	for b := nal; ; {
		i := bytes.Index(b, zeros)
		if i < 0 || i+2 >= len(b) {
			return nil
		}
		if b[i+2] != 3 {
			if b[i+2] < 3 {
				return fmt.Errorf("bytes in a slice that end it")
			}
			b = b[i+1:]
			continue
		}
		if i+3 >= len(b) || b[i+3] > 3 {
			return fmt.Errorf("a byte in a slice that no encoder writes")
		}
		b = b[i+3:]
	}
}
